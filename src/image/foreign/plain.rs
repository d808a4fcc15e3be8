//! A layer's archive, decompressed and hashed.

use std::io::{self, BufRead, BufReader, Read, Write};

use flate2::bufread::MultiGzDecoder;
use fs_err::File;

use super::files::{Extent, Files};
use super::shown::shown;
use super::{Blob, Error};
use crate::digest::{Digest, HashingReader};

/// How much is read at once, in bytes.
const BUFFER: usize = 256 * 1024;

/// A layer, read.
pub(super) struct Plain {
    /// The digest of the file as it lies there.
    pub(super) digest: Digest,
    /// The size of that file.
    pub(super) size: u64,
    /// The tar archive.
    pub(super) archive: Extent,
}

/// Reads the layer `blob`, which is hashed before it is decompressed. What it decompresses to
/// goes into a file without a name, which is gone when nobody reads it any more. `left` of
/// `limit` bytes are left for it.
pub(super) fn open(
    files: &Files,
    blob: &Blob,
    diff_id: &Digest,
    left: u64,
    limit: u64,
) -> Result<Plain, Error> {
    let packed = files.require(&blob.file)?;
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
    let begin = packed.bytes(0, 4)?;
    let compressor = match begin[..] {
        [0x1f, 0x8b, ..] => "gzip",
        [0x28, 0xb5, 0x2f, 0xfd] => "zstd",
        [b'B', b'Z', b'h', _] => "bzip2",
        [0xfd, b'7', b'z', b'X'] => "xz",
        _ => "nothing",
    };
    let size = packed.size();
    let (archive, got) = match compressor {
        "nothing" => {
            let got = Digest::of_reader(diff_id, packed.reader())?;
            (packed, got)
        }
        "gzip" => {
            let path = format!("the decompressed {}", shown(blob.file.as_bytes()));
            let mut file = File::from_parts(tempfile::tempfile()?, path);
            let reader = BufReader::with_capacity(BUFFER, packed.reader());
            let plain = HashingReader::new(diff_id, MultiGzDecoder::new(reader));
            let got = match copy(plain, &mut file, left)? {
                Copied::All(got) => got,
                Copied::TooMuch => return Err(too_large()),
                Copied::Unreadable(error) => {
                    return Err(files.wrong(&blob.file, format!("as gzip: {error}")));
                }
            };
            (Extent::whole(file)?, got)
        }
        by => {
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
