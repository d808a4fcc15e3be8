//! ASCII armor (RFC 9580, section 6.2), read strictly: what was cut off is not taken for
//! what there is.

use std::io::Read;
use std::path::Path;

use fs_err::File;
use sequoia_openpgp::armor::{Kind, Reader, ReaderMode};

use super::Error;

/// How much of a label an error repeats, in characters.
const LABEL: usize = 80;

/// Reads the whole file, which may have `limit` bytes at most.
pub(super) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(Error::TooLarge {
            path: path.to_owned(),
            limit,
        });
    }
    Ok(bytes)
}

/// The content of every armored block in `bytes`, all of which must be of `kind`. Text
/// outside of blocks is passed over, as every OpenPGP program does.
pub(super) fn blocks(path: &Path, bytes: &[u8], kind: Kind) -> Result<Vec<Vec<u8>>, Error> {
    let expected = label(kind);
    let mut contents = Vec::new();
    let mut begun = None;
    let mut at = 0;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let (start, end) = (at, at + line.len());
        at = end;
        let line = line.trim_ascii_end();
        if let Some(found) = between(line, b"-----BEGIN PGP ") {
            if begun.is_some() {
                return Err(truncated(path));
            }
            if found != expected {
                return Err(Error::WrongArmor {
                    path: path.to_owned(),
                    expected,
                    found,
                });
            }
            begun = Some(start);
        } else if let Some(found) = between(line, b"-----END PGP ") {
            let Some(start) = begun.take().filter(|_| found == expected) else {
                return Err(truncated(path));
            };
            contents.push(decode(path, &bytes[start..end], kind)?);
        }
    }
    match begun {
        Some(_) => Err(truncated(path)),
        None => Ok(contents),
    }
}

/// The label of an armor line that starts with `start`.
fn between(line: &[u8], start: &[u8]) -> Option<String> {
    let label = line.strip_prefix(start)?.strip_suffix(b"-----")?;
    Some(shown::shown_up_to(LABEL, label))
}

fn label(kind: Kind) -> &'static str {
    match kind {
        Kind::PublicKey => "PUBLIC KEY BLOCK",
        _ => "SIGNATURE",
    }
}

fn truncated(path: &Path) -> Error {
    Error::TruncatedArmor {
        path: path.to_owned(),
    }
}

fn decode(path: &Path, block: &[u8], kind: Kind) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    Reader::from_bytes(block, ReaderMode::Tolerant(Some(kind)))
        .read_to_end(&mut content)
        .map_err(|error| Error::malformed(path, error))?;
    Ok(content)
}
