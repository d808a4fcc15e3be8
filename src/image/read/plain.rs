//! A layer's archive, decompressed and hashed.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use fs_err::File;
use shown::shown;

use super::allowance::{Allowance, Limits};
use super::chosen::Blob;
use super::error::Error;
use super::extent::Extent;
use super::files::Files;
use crate::base::digest::{Digest, HashingReader};

/// How much is read at once, in bytes.
const BUFFER: usize = 256 * 1024;

/// A layer, read.
#[derive(Clone)]
pub(super) struct Plain {
    /// The digest of the file as it lies there.
    pub(super) digest: Digest,
    /// The size of that file.
    pub(super) size: u64,
    /// The tar archive.
    pub(super) archive: Extent,
    /// The digest of that archive.
    diff_id: Digest,
}

impl Plain {
    /// Whether it is what `blob` and `diff_id` name.
    pub(super) fn is(&self, blob: &Blob, diff_id: &Digest) -> bool {
        self.diff_id == *diff_id && blob.digest.is_none_or(|digest| digest == self.digest)
    }
}

/// Reads the layer `blob`, the bytes of which are `packed`, and which is hashed before it is decompressed. What it decompresses to
/// goes into a file without a name, which is gone when nobody reads it any more. `left` of
/// `limit` bytes are left for it.
pub(super) fn open(
    files: &Files,
    blob: &Blob,
    packed: Extent,
    diff_id: &Digest,
    left: u64,
    limit: u64,
) -> Result<Plain, Error> {
    let too_large = || Error::TooLarge {
        image: files.path().to_owned(),
        file: shown(blob.file.as_bytes()),
        what: "all that the layers hold",
        limit,
    };
    if packed.size() > left {
        return Err(too_large());
    }
    let digest = Digest::of_reader(&blob.digest.unwrap_or(*diff_id), packed.reader())?;
    if let Some(expected) = blob.digest.filter(|expected| *expected != digest) {
        return Err(files.other_digest(&blob.file, "its digest", expected, digest));
    }
    let size = packed.size();
    let (archive, got) = match compressor(&packed)? {
        None => {
            let got = Digest::of_reader(diff_id, packed.reader())?;
            (packed, got)
        }
        Some(GZIP) => match inflate(&packed, &blob.file, diff_id, left)? {
            Inflated::All(archive, got) => (archive, got),
            Inflated::TooMuch => return Err(too_large()),
            Inflated::Unreadable(error) => {
                return Err(files.wrong(&blob.file, format!("as gzip: {error}")));
            }
        },
        Some(by) => {
            return Err(Error::Compressor {
                image: files.path().to_owned(),
                file: shown(blob.file.as_bytes()),
                by,
            });
        }
    };
    if got != *diff_id {
        let what = "the digest of its archive";
        return Err(files.other_digest(&blob.file, what, *diff_id, got));
    }
    Ok(Plain {
        digest,
        size,
        archive,
        diff_id: got,
    })
}

const GZIP: &str = "gzip";

/// What `packed` is compressed with, by its first bytes.
fn compressor(packed: &Extent) -> io::Result<Option<&'static str>> {
    Ok(match packed.bytes(0, 4)?[..] {
        [0x1f, 0x8b, ..] => Some(GZIP),
        [0x28, 0xb5, 0x2f, 0xfd] => Some("zstd"),
        [b'B', b'Z', b'h', _] => Some("bzip2"),
        [0xfd, b'7', b'z', b'X'] => Some("xz"),
        _ => None,
    })
}

/// The archive in the file at `path`, which may be compressed as a whole, as `docker save` piped
/// through `gzip` is.
pub(super) fn archive(path: &Path, whole: Extent) -> Result<Extent, Error> {
    let image = path.to_owned();
    let name = path.to_string_lossy();
    let allowed = Allowance::of(whole.size(), Limits::default()).bytes;
    match compressor(&whole)? {
        None => Ok(whole),
        Some(GZIP) => match inflate(&whole, &name, &Digest::sha256(b""), allowed)? {
            Inflated::All(archive, _) => Ok(archive),
            Inflated::TooMuch => Err(Error::Bomb {
                image,
                limit: allowed,
            }),
            Inflated::Unreadable(error) => Err(Error::Archive {
                image,
                problem: format!("as gzip: {error}"),
            }),
        },
        Some(by) => Err(Error::Packed { image, by }),
    }
}

enum Inflated {
    All(Extent, Digest),
    TooMuch,
    Unreadable(io::Error),
}

/// Decompresses `packed`, called `name`, into a file without a name, unless that is more than
/// `most` bytes. The digest of what came out is of the algorithm of `like`.
fn inflate(packed: &Extent, name: &str, like: &Digest, most: u64) -> io::Result<Inflated> {
    let path = format!("the decompressed {}", shown(name.as_bytes()));
    let mut file = File::from_parts(tempfile::tempfile()?, path);
    let reader = BufReader::with_capacity(BUFFER, packed.reader());
    let plain = HashingReader::new(like, MultiGzDecoder::new(reader));
    Ok(match copy(plain, &mut file, most)? {
        Copied::All(got) => Inflated::All(Extent::whole(file)?, got),
        Copied::TooMuch => Inflated::TooMuch,
        Copied::Unreadable(error) => Inflated::Unreadable(error),
    })
}

enum Copied {
    All(Digest),
    TooMuch,
    Unreadable(io::Error),
}

/// Copies what `from` yields, unless it is more than `most` bytes.
fn copy(from: HashingReader<impl Read>, to: &mut impl Write, most: u64) -> io::Result<Copied> {
    let mut from = BufReader::with_capacity(BUFFER, from);
    let mut left = most;
    loop {
        let bytes = match from.fill_buf() {
            Ok([]) => return Ok(Copied::All(from.into_inner().finish())),
            Ok(bytes) => bytes,
            Err(error) => return Ok(Copied::Unreadable(error)),
        };
        let count = bytes.len();
        match left.checked_sub(count as u64) {
            Some(rest) => left = rest,
            None => return Ok(Copied::TooMuch),
        }
        to.write_all(bytes)?;
        from.consume(count);
    }
}
