//! Writes the files of a zip, several at once.

use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use flate2::{Crc, Decompress, FlushDecompress, Status};
use fs_err::File;

use super::catalogue::Name;
use super::error::{Error, Rule};
use super::intake::Intake;
use super::staging::NewFile;

/// How much is read from a file or a decompressor at once, in bytes.
pub(super) const BUFFER: usize = 256 * 1024;

/// The most threads; each has two buffers.
const THREADS: usize = 4;

/// A file as it lies in a zip.
pub(super) struct Packed<'z> {
    pub(super) spelt: &'z [u8],
    pub(super) name: &'z Name,
    /// Where its contents begin, and how many bytes they have there and unpacked.
    pub(super) at: u64,
    pub(super) packed: u64,
    pub(super) size: u64,
    pub(super) crc: u32,
    pub(super) deflated: bool,
    pub(super) executable: bool,
}

/// Writes `files`, whose directories are there. The largest goes first, lest one thread
/// begin it when the others are done.
pub(super) fn write(zip: &File, mut files: Vec<Packed>, intake: &Intake) -> Result<(), Error> {
    files.sort_by_key(|file| std::cmp::Reverse(file.size));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut inflater = Inflater::new();
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = inflater.write(zip, file, intake) {
                // The others end after their present file.
                next.store(files.len(), Ordering::Relaxed);
                return Err(error);
            }
        }
        Ok(())
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads.min(THREADS).min(files.len()))
            .map(|_| scope.spawn(work))
            .collect();
        helpers.into_iter().fold(work(), |done, helper| {
            done.and(
                helper
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            )
        })
    })
}

/// What one thread needs to unpack one file after the other.
struct Inflater {
    state: Decompress,
    input: Vec<u8>,
    output: Vec<u8>,
}

/// A file in the writing.
struct Output<'o> {
    file: NewFile,
    left: u64,
    crc: Crc,
    packed: &'o Packed<'o>,
    intake: &'o Intake<'o>,
}

impl Inflater {
    fn new() -> Self {
        Self {
            state: Decompress::new(false),
            input: vec![0; BUFFER],
            output: vec![0; BUFFER],
        }
    }

    fn write(&mut self, zip: &File, packed: &Packed, intake: &Intake) -> Result<(), Error> {
        let mut section = Section::new(zip, packed.at, packed.at + packed.packed);
        let mut output = Output {
            file: intake.create(packed.name)?,
            left: packed.size,
            crc: Crc::new(),
            packed,
            intake,
        };
        if packed.deflated {
            self.inflate(&mut section, &mut output)?;
        } else {
            self.copy(&mut section, &mut output)?;
        }
        output.finish()
    }

    /// Copies what is stored as it is.
    fn copy(&mut self, section: &mut Section, output: &mut Output) -> Result<(), Error> {
        loop {
            match section.read(&mut self.input) {
                Ok(0) => return Ok(()),
                Ok(count) => output.take(&self.input[..count])?,
                Err(error) => return Err(output.unreadable(error)),
            }
        }
    }

    /// Inflates what is compressed.
    fn inflate(&mut self, section: &mut Section, output: &mut Output) -> Result<(), Error> {
        self.state.reset(false);
        let mut pending: &[u8] = &[];
        loop {
            if pending.is_empty() {
                let read = section.read(&mut self.input);
                let count = read.map_err(|error| output.unreadable(error))?;
                pending = &self.input[..count];
            }
            // With all of it at hand, it is inflated right into place, not by way of a window.
            let whole = section.is_at_end() && output.packed.size <= self.output.len() as u64;
            let flush = if whole {
                FlushDecompress::Finish
            } else {
                FlushDecompress::None
            };
            let (read, written) = (self.state.total_in(), self.state.total_out());
            let status = self.state.decompress(pending, &mut self.output, flush);
            let status = status.map_err(|error| output.unreadable(error.into()))?;
            let read = usize::try_from(self.state.total_in() - read).unwrap_or(usize::MAX);
            let written = usize::try_from(self.state.total_out() - written).unwrap_or(usize::MAX);
            pending = &pending[read..];
            output.take(&self.output[..written])?;
            match status {
                Status::StreamEnd if pending.is_empty() && section.is_at_end() => return Ok(()),
                Status::StreamEnd => return Err(output.refused(Rule::TrailingBytes)),
                _ if read == 0 && written == 0 => {
                    return Err(output.unreadable(io::ErrorKind::UnexpectedEof.into()));
                }
                _ => {}
            }
        }
    }
}

impl Output<'_> {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
            return Err(self.wrong_size());
        };
        self.left = left;
        self.crc.update(bytes);
        self.file
            .write_all(bytes)
            .map_err(|error| self.intake.cannot_write(error))
    }

    fn finish(self) -> Result<(), Error> {
        if self.left > 0 {
            return Err(self.wrong_size());
        }
        let (expected, got) = (self.packed.crc, self.crc.sum());
        if expected != got {
            return Err(self.refused(Rule::Checksum { expected, got }));
        }
        self.file
            .finish(self.packed.executable)
            .map_err(|error| self.intake.cannot_write(error))
    }

    fn wrong_size(&self) -> Error {
        let declared = self.packed.size;
        self.refused(Rule::WrongSize { declared })
    }

    fn refused(&self, rule: Rule) -> Error {
        self.intake.refused(self.packed.spelt, rule)
    }

    fn unreadable(&self, error: io::Error) -> Error {
        self.intake.unreadable(Some(self.packed.spelt), error)
    }
}

/// Some bytes of a file. Several threads may read one file so.
pub(super) struct Section<'f> {
    file: &'f File,
    at: u64,
    end: u64,
}

impl<'f> Section<'f> {
    /// The bytes from `at` on and before `end`.
    pub(super) fn new(file: &'f File, at: u64, end: u64) -> Self {
        Self { file, at, end }
    }

    fn is_at_end(&self) -> bool {
        self.at == self.end
    }
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let most = left.min(buffer.len());
        let count = self.file.file().read_at(&mut buffer[..most], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}
