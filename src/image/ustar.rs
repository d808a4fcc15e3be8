//! Headers of tar archives in the ustar format (POSIX.1-2001, `pax`), every field set here.
//!
//! A pax extended header comes before an entry only where ustar has no room for its path or
//! link target, or where that is not ASCII.

use std::io::{self, Write};

const BLOCK: usize = 512;

/// The largest user or group number that ustar's seven octal digits hold.
pub(super) const MAX_ID: u32 = 0o777_7777;

/// The largest size or time that ustar's eleven octal digits hold: 8 GiB less one byte.
const MAX_OCTAL_11: u64 = 0o777_7777_7777;

/// What an entry is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind<'a> {
    File { size: u64 },
    Directory,
    Symlink { target: &'a str },
}

/// What a header says of an entry. Times are in seconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header<'a> {
    /// Relative, `/` between the parts, none at either end.
    pub(super) path: &'a str,
    pub(super) kind: Kind<'a>,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: u64,
}

impl Header<'_> {
    /// Writes the header, a pax one before it where one is needed.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let (flag, size, link) = match self.kind {
            Kind::File { size } => (b'0', size, ""),
            Kind::Symlink { target } => (b'2', 0, target),
            Kind::Directory => (b'5', 0, ""),
        };
        let path = match self.kind {
            Kind::Directory => format!("{}/", self.path),
            _ => self.path.to_owned(),
        };
        let place = split(&path);
        let link_fits = link.is_ascii() && link.len() <= 100;

        let mut records = Vec::new();
        if place.is_none() {
            records.extend(pax_record("path", &path));
        }
        if !link_fits {
            records.extend(pax_record("linkpath", link));
        }
        if !records.is_empty() {
            let own = Fields {
                prefix: "",
                name: "PaxHeader",
                link: "",
                flag: b'x',
                size: records.len() as u64,
                header: &Header {
                    mode: 0o644,
                    uid: 0,
                    gid: 0,
                    ..*self
                },
            };
            own.write(out)?;
            out.write_all(&records)?;
            pad(out, records.len() as u64)?;
        }

        // What a pax record replaces still needs some text here.
        let (prefix, name) = place.unwrap_or(("", "long"));
        let link = if link_fits { link } else { "long" };
        Fields {
            prefix,
            name,
            link,
            flag,
            size,
            header: self,
        }
        .write(out)
    }
}

/// The two blocks of zeros that end an archive.
pub(super) fn finish(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK])
}

/// Zeros from `size` bytes of content to the next block.
pub(super) fn pad(out: &mut impl Write, size: u64) -> io::Result<()> {
    let used = (size % BLOCK as u64) as usize;
    match used {
        0 => Ok(()),
        _ => out.write_all(&[0; BLOCK][used..]),
    }
}

/// Where ustar puts a path: `prefix/name`, at most 155 and 100 bytes, the name as long as it can be.
fn split(path: &str) -> Option<(&str, &str)> {
    if !path.is_ascii() {
        return None;
    }
    if path.len() <= 100 {
        return Some(("", path));
    }
    // The slash that ends a directory's name does not separate anything.
    let end = path.len() - 1;
    path[..end]
        .match_indices('/')
        .map(|(at, _)| (&path[..at], &path[at + 1..]))
        .find(|(prefix, name)| (1..=155).contains(&prefix.len()) && name.len() <= 100)
}

/// `<length> <key>=<value>\n`, where the length counts its own digits.
fn pax_record(key: &str, value: &str) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n").into_bytes()
}

/// The fields of one header block.
struct Fields<'a> {
    prefix: &'a str,
    name: &'a str,
    link: &'a str,
    flag: u8,
    size: u64,
    header: &'a Header<'a>,
}

impl Fields<'_> {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let Header {
            mode,
            uid,
            gid,
            mtime,
            ..
        } = *self.header;
        let mut block = [0; BLOCK];
        text(&mut block[0..100], self.name);
        octal(&mut block[100..108], mode.into(), "mode")?;
        octal(&mut block[108..116], uid.into(), "uid")?;
        octal(&mut block[116..124], gid.into(), "gid")?;
        octal(&mut block[124..136], self.size, "size")?;
        octal(&mut block[136..148], mtime, "mtime")?;
        // The checksum counts its own field as spaces.
        block[148..156].fill(b' ');
        block[156] = self.flag;
        text(&mut block[157..257], self.link);
        block[257..265].copy_from_slice(b"ustar\x0000");
        // Names of user and group stay empty: numbers alone decide.
        octal(&mut block[329..337], 0, "devmajor")?;
        octal(&mut block[337..345], 0, "devminor")?;
        text(&mut block[345..500], self.prefix);
        let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
        octal(&mut block[148..155], sum, "checksum")?;
        out.write_all(&block)
    }
}

fn text(field: &mut [u8], text: &str) {
    field[..text.len()].copy_from_slice(text.as_bytes());
}

/// Octal digits that fill the field, and a NUL.
fn octal(field: &mut [u8], value: u64, name: &str) -> io::Result<()> {
    let digits = field.len() - 1;
    let written = format!("{value:0digits$o}");
    if value > MAX_OCTAL_11 || written.len() > digits {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{value} does not fit into the {name} field of a tar header"),
        ));
    }
    field[..digits].copy_from_slice(written.as_bytes());
    field[digits] = 0;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(path: &str) -> Header<'_> {
        Header {
            path,
            kind: Kind::File { size: 3 },
            mode: 0o755,
            uid: 45_553,
            gid: 0,
            mtime: 1_700_000_000,
        }
    }

    fn archive(header: Header<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        header.write(&mut bytes).unwrap();
        if let Kind::File { size } = header.kind {
            bytes.extend(vec![b'x'; size as usize]);
            pad(&mut bytes, size).unwrap();
        }
        finish(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn other_readers_see_what_was_written() {
        let deep = format!("{}/{}", "d".repeat(150), "f".repeat(100));
        let deeper = format!("{}/{}", "d".repeat(160), "f".repeat(101));
        for path in ["a", "usr/local/bin/tor", &deep, &deeper, "naïve/ünïcode"] {
            for kind in [
                Kind::File { size: 3 },
                Kind::Directory,
                Kind::Symlink { target: "../lib" },
                Kind::Symlink { target: &deep },
                Kind::Symlink {
                    target: "zu/größe"
                },
            ] {
                let bytes = archive(Header {
                    kind,
                    ..header(path)
                });
                let mut reader = tar::Archive::new(&bytes[..]);
                let mut entries = reader.entries().unwrap();
                let entry = entries.next().unwrap().unwrap();
                let found = entry.path().unwrap().display().to_string();
                assert_eq!(found.trim_end_matches('/'), path);
                let link = entry
                    .link_name()
                    .unwrap()
                    .map(|link| link.display().to_string());
                match kind {
                    Kind::Symlink { target } => assert_eq!(link.as_deref(), Some(target)),
                    _ => assert_eq!(link, None),
                }
                assert_eq!(entry.header().mode().unwrap(), 0o755);
                assert_eq!(entry.header().uid().unwrap(), 45_553);
                assert_eq!(entry.header().mtime().unwrap(), 1_700_000_000);
                assert!(entries.next().is_none());
            }
        }
    }

    #[test]
    fn a_pax_header_only_where_it_is_needed() {
        let fits = format!("{}/{}", "d".repeat(155), "f".repeat(100));
        assert_eq!(archive(header(&fits)).len(), 4 * BLOCK);
        let no_slash = "f".repeat(101);
        assert_eq!(archive(header(&no_slash)).len(), 6 * BLOCK);
        // The trailing slash of a directory takes room too.
        let directory = Header {
            kind: Kind::Directory,
            ..header(&fits)
        };
        assert_eq!(archive(directory).len(), 5 * BLOCK);
    }

    #[test]
    fn a_pax_record_counts_its_own_digits() {
        assert_eq!(pax_record("path", "a"), b"9 path=a\n");
        assert_eq!(pax_record("path", ""), b"8 path=\n");
        for length in 80..120 {
            let record = pax_record("path", &"x".repeat(length));
            let text = String::from_utf8(record.clone()).unwrap();
            let (digits, _) = text.split_once(' ').unwrap();
            assert_eq!(digits.parse::<usize>().unwrap(), record.len());
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut out = Vec::new();
        let large = Header {
            kind: Kind::File { size: 1 << 33 },
            ..header("a")
        };
        assert!(
            large
                .write(&mut out)
                .unwrap_err()
                .to_string()
                .contains("size field")
        );
        let user = Header {
            uid: MAX_ID + 1,
            ..header("a")
        };
        assert!(
            user.write(&mut out)
                .unwrap_err()
                .to_string()
                .contains("uid field")
        );
    }
}
