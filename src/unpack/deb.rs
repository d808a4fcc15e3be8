//! Finds the files of a Debian package: an `ar` archive with a version, the package's own
//! scripts and data, and the files (deb(5)). Of the scripts nothing is read.

use std::io::Read;

use fs_err::File;

use super::error::Error;
use super::intake::Intake;
use super::packed::Section;

const MAGIC: [u8; 8] = *b"!<arch>\n";
const HEADER: usize = 60;
/// The members, in their order.
const MEMBERS: [&str; 3] = ["debian-binary", "control.tar.xz", "data.tar.xz"];

/// The member `data.tar.xz` of the package in `file`.
pub(super) fn data<'f>(file: &'f File, intake: &Intake) -> Result<Section<'f>, Error> {
    let unreadable = |error| intake.unreadable(None, error);
    let length = file.metadata().map_err(unreadable)?.len();
    let wrong = |what: String| {
        let error = std::io::Error::new(std::io::ErrorKind::InvalidData, what);
        intake.unreadable(None, error)
    };
    let bytes = |from: u64, into: &mut [u8]| {
        let section = Section::new(file, from, from + into.len() as u64).read_exact(into);
        section.map_err(unreadable)
    };
    let mut magic = [0; MAGIC.len()];
    bytes(0, &mut magic)?;
    if magic != MAGIC {
        return Err(wrong("it is no `ar` archive".to_owned()));
    }
    let mut start = MAGIC.len() as u64;
    for name in MEMBERS {
        let mut header = [0; HEADER];
        bytes(start, &mut header)?;
        let size = member(&header, name).map_err(wrong)?;
        start += HEADER as u64;
        let end = start.saturating_add(size);
        if end > length {
            return Err(wrong(format!("`{name}` goes beyond its end")));
        }
        if name == MEMBERS[2] {
            // Members start at even places.
            return match length - end {
                0 => Ok(Section::new(file, start, end)),
                1 if size % 2 == 1 => Ok(Section::new(file, start, end)),
                _ => Err(wrong(format!("something comes after `{name}`"))),
            };
        }
        start = end + size % 2;
    }
    Err(wrong("it has no files".to_owned()))
}

/// The size that the header of the member `name` gives.
fn member(header: &[u8; HEADER], name: &str) -> Result<u64, String> {
    let text = std::str::from_utf8(header).map_err(|_| "a header of it is not text")?;
    let found = text
        .get(..16)
        .unwrap_or_default()
        .trim_end()
        .trim_end_matches('/');
    if found != name || !text.ends_with("`\n") {
        return Err(format!("expected the member `{name}`, got `{found}`"));
    }
    let size = text.get(48..58).unwrap_or_default().trim_end();
    let digits = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_digit());
    match size.parse() {
        Ok(size) if digits => Ok(size),
        _ => Err(format!("the size of `{name}` is `{size}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_members() {
        let header = |name: &str, size: &str, end: &str| {
            let text = format!(
                "{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}{end}",
                1, 0, 0, 100_644
            );
            <[u8; HEADER]>::try_from(text.as_bytes()).unwrap()
        };
        for (found, expected) in [
            (header("debian-binary", "4", "`\n"), Ok(4)),
            (header("debian-binary/", "4", "`\n"), Ok(4)),
            (
                header("control.tar.gz", "4", "`\n"),
                Err("expected the member `debian-binary`, got `control.tar.gz`"),
            ),
            (
                header("debian-binary", "-4", "`\n"),
                Err("the size of `debian-binary` is `-4`"),
            ),
            (
                header("debian-binary", "+4", "`\n"),
                Err("the size of `debian-binary` is `+4`"),
            ),
            (
                header("debian-binary", "", "`\n"),
                Err("the size of `debian-binary` is ``"),
            ),
            (
                header("debian-binary", "4", "xx"),
                Err("expected the member `debian-binary`, got `debian-binary`"),
            ),
        ] {
            let expected = expected.map_err(str::to_owned);
            assert_eq!(member(&found, "debian-binary"), expected);
        }
    }
}
