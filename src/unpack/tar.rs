//! Reads tar streams (POSIX.1-2017 `pax` and `ustar`, GNU long names, V7) block by block.
//!
//! The `tar` crate's own iterator forgives too much for this use: it takes an archive
//! without an end, ignores what comes after the end, and reads a long name of any length
//! into memory. So only its view of a header is used.

use std::io::BufRead;

use tar::{EntryType, Header};

use super::error::{Error, Flaw, Rule};
use super::extended::{Extended, judge_global};
use super::intake::Intake;

const BLOCK: usize = 512;

/// The most bytes of an extended header: some names, times and attributes.
const EXTENDED_LIMIT: u64 = 1 << 20;

/// Brings all entries of the decompressed `stream` to `intake` and reads it to its very end.
pub(super) fn read(stream: impl BufRead, intake: &mut Intake) -> Result<(), Error> {
    let limit = intake.limits().bytes;
    let mut blocks = Blocks {
        stream,
        left: limit,
        intake,
    };
    let mut extended = Extended::default();
    loop {
        let block = blocks.block()?;
        if is_zero(&block) {
            if let Some(header) = extended.header {
                return Err(blocks.intake.refused(&header, Rule::ExtendedHeader));
            }
            return blocks.end();
        }
        let header = Header::from_byte_slice(&block);
        let spelt = header.path_bytes();
        let old = header.as_old();
        if octal(&old.cksum) != Some(checksum(&block)) {
            return Err(blocks.intake.refused(&spelt, Rule::HeaderChecksum));
        }
        let Some(size) = octal(&old.size) else {
            let rule = Rule::HeaderField { field: "size" };
            return Err(blocks.intake.refused(&spelt, rule));
        };
        let taken = match header.entry_type() {
            EntryType::XHeader => extended.pax(&blocks.extended(&spelt, size)?),
            EntryType::GNULongName => extended.long_name(&blocks.extended(&spelt, size)?),
            EntryType::GNULongLink => extended.long_link(&blocks.extended(&spelt, size)?),
            EntryType::XGlobalHeader => {
                let judged = judge_global(&blocks.extended(&spelt, size)?);
                judged.map_err(|rule| blocks.intake.refused(&spelt, rule))?;
                continue;
            }
            _ => {
                blocks.entry(header, size, std::mem::take(&mut extended))?;
                continue;
            }
        };
        taken.map_err(|rule| blocks.intake.refused(&spelt, rule))?;
        extended.header.get_or_insert_with(|| spelt.into_owned());
    }
}

struct Blocks<'i, 'a, R> {
    stream: R,
    /// How many bytes more may come out of the decompressor.
    left: u64,
    intake: &'i mut Intake<'a>,
}

impl<R: BufRead> Blocks<'_, '_, R> {
    /// One file, directory or link, with what extended headers say of it.
    fn entry(&mut self, header: &Header, size: u64, extended: Extended) -> Result<(), Error> {
        let spelt = extended
            .name
            .map_or_else(|| header.path_bytes(), Into::into);
        let target = extended
            .target
            .map(Into::into)
            .or_else(|| header.link_name_bytes())
            .unwrap_or_default();
        let size = extended.size.unwrap_or(size);
        let rule = match header.entry_type() {
            EntryType::Regular => return self.file(&spelt, header, size),
            EntryType::Directory | EntryType::Link | EntryType::Symlink if size > 0 => {
                Rule::Contents
            }
            EntryType::Directory => return self.intake.directory(&spelt),
            EntryType::Link => return self.intake.hard_link(&spelt, &target),
            EntryType::Symlink => return self.intake.symlink(&spelt, &target),
            EntryType::Char => Rule::Special {
                kind: "character device",
            },
            EntryType::Block => Rule::Special {
                kind: "block device",
            },
            EntryType::Fifo => Rule::Special { kind: "FIFO" },
            EntryType::GNUSparse => Rule::Sparse,
            other => Rule::UnknownType {
                kind: other.as_byte().escape_ascii().to_string(),
            },
        };
        Err(self.intake.refused(&spelt, rule))
    }

    fn file(&mut self, spelt: &[u8], header: &Header, size: u64) -> Result<(), Error> {
        let Some(mode) = octal(&header.as_old().mode) else {
            let rule = Rule::HeaderField { field: "mode" };
            return Err(self.intake.refused(spelt, rule));
        };
        let Some(name) = self.intake.file(spelt, size)? else {
            return self.contents(spelt, size, |_, _| Ok(()));
        };
        let mut file = self.intake.create(&name)?;
        self.contents(spelt, size, |intake, bytes| {
            file.write_all(bytes)
                .map_err(|error| intake.cannot_write(error))
        })?;
        file.finish(mode & 0o111 != 0)
            .map_err(|error| self.intake.cannot_write(error))
    }

    /// The contents of an extended header.
    fn extended(&mut self, spelt: &[u8], size: u64) -> Result<Vec<u8>, Error> {
        if size > EXTENDED_LIMIT {
            return Err(self.intake.refused(spelt, Rule::ExtendedHeader));
        }
        let mut contents = Vec::new();
        self.contents(spelt, size, |_, bytes| {
            contents.extend_from_slice(bytes);
            Ok(())
        })?;
        Ok(contents)
    }

    /// Hands over the contents of an entry as they come and passes over the padding.
    fn contents(
        &mut self,
        spelt: &[u8],
        size: u64,
        take: impl FnMut(&Intake, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let block = BLOCK as u64;
        self.bytes(Some(spelt), size, take)?;
        self.bytes(Some(spelt), (block - size % block) % block, |_, _| Ok(()))
    }

    /// The next block. There is one until the end was read.
    fn block(&mut self) -> Result<[u8; BLOCK], Error> {
        let mut block = [0; BLOCK];
        let mut free = &mut block[..];
        self.bytes(None, BLOCK as u64, |_, bytes| {
            let (filled, rest) = std::mem::take(&mut free).split_at_mut(bytes.len());
            filled.copy_from_slice(bytes);
            free = rest;
            Ok(())
        })?;
        Ok(block)
    }

    /// Hands over the next `count` bytes in pieces.
    fn bytes(
        &mut self,
        spelt: Option<&[u8]>,
        count: u64,
        mut take: impl FnMut(&Intake, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if count > self.left {
            let limit = self.intake.limits().bytes;
            return Err(self.intake.flawed(Flaw::TooLarge { limit }));
        }
        self.left -= count;
        let mut missing = count;
        while missing > 0 {
            let bytes = match self.stream.fill_buf() {
                Ok([]) => return Err(self.intake.flawed(Flaw::NoEnd)),
                Ok(bytes) => bytes,
                Err(error) => return Err(self.intake.unreadable(spelt, error)),
            };
            let most = usize::try_from(missing).unwrap_or(usize::MAX);
            let piece = &bytes[..bytes.len().min(most)];
            take(self.intake, piece)?;
            let length = piece.len();
            self.stream.consume(length);
            missing -= length as u64;
        }
        Ok(())
    }

    /// The end: a second block of zeros, and nothing but zeros behind it, which fill up a
    /// record. Reading on is what makes a decompressor check its own checksum.
    fn end(&mut self) -> Result<(), Error> {
        let trailing = |intake: &Intake| Err(intake.flawed(Flaw::TrailingBytes));
        if !is_zero(&self.block()?) {
            return trailing(self.intake);
        }
        loop {
            let count = match self.stream.fill_buf() {
                Ok([]) => return Ok(()),
                Ok(bytes) if !is_zero(bytes) => return trailing(self.intake),
                Ok(bytes) => bytes.len(),
                Err(error) => return Err(self.intake.unreadable(None, error)),
            };
            self.bytes(None, count as u64, |_, _| Ok(()))?;
        }
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// The sum of a header's bytes, those of the checksum itself taken as spaces.
fn checksum(block: &[u8; BLOCK]) -> u64 {
    let sum = |bytes: &[u8]| bytes.iter().copied().map(u64::from).sum::<u64>();
    sum(&block[..148]) + 8 * u64::from(b' ') + sum(&block[156..])
}

/// A number of a header: octal digits, padded with spaces before and with spaces or NULs
/// behind. GNU's binary form is for sizes from 8 GiB on, which no source has.
fn octal(field: &[u8]) -> Option<u64> {
    let field = field.trim_ascii_start();
    let digits = field
        .iter()
        .take_while(|byte| matches!(byte, b'0'..=b'7'))
        .count();
    let (digits, padding) = field.split_at(digits);
    if digits.is_empty() || !padding.iter().all(|byte| matches!(byte, b' ' | 0)) {
        return None;
    }
    // A field has twelve digits at most, 36 bits.
    Some(
        digits
            .iter()
            .fold(0, |number, digit| number << 3 | u64::from(digit - b'0')),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_headers() {
        for (field, number) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"00000000017 ", Some(0o17)),
            (b"777777777777", Some((1 << 36) - 1)),
            (b"\0\0\0\0\0\0\0\0", None),
            (b"        ", None),
            (b"+000644\0", None),
            (b"-000644\0", None),
            (b"0000648\0", None),
            (b"0006 44\0", None),
            (b"\x80\0\0\0\0\0\0\x01", None),
            (b"", None),
        ] {
            assert_eq!(octal(field), number, "{}", field.escape_ascii());
        }
    }
}
