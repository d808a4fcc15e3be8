//! Every reader of what others wrote, as a function of bytes: it must return, in time and
//! memory that the size of the bytes bounds, and never panic. `fuzz/` gives them to libFuzzer;
//! the test here gives them the seeds in `fuzz/corpus/` and what small damage makes of those.
//!
//! Compiled for these two only.
#![allow(clippy::unwrap_used, reason = "compiled for tests and fuzzing")]

use std::path::Path;

use crate::image::read::{Limits, Spent, ThirdPartyImage};
use crate::record::Record;

/// Something that takes any bytes.
pub type Reader = fn(&[u8]);

/// The readers, each under the name of its folder in `fuzz/corpus/`.
pub const READERS: [(&str, Reader); 10] = [
    ("checksums", checksums),
    ("dsc", dsc),
    ("git", git),
    ("image", image),
    ("patch", patch),
    ("record", record),
    ("signature", signature),
    ("tar", tar),
    ("torrc", torrc),
    ("zip", zip),
];

/// A list of checksums.
pub fn checksums(bytes: &[u8]) {
    crate::verify::fuzz_checksums(bytes);
}

/// The description of a Debian source package, cleartext-signed.
pub fn dsc(bytes: &[u8]) {
    crate::verify::fuzz_dsc(bytes);
}

/// The objects of a git tag.
pub fn git(bytes: &[u8]) {
    crate::verify::fuzz_git(bytes);
}

/// An archive of an image that anybody made.
pub fn image(bytes: &[u8]) {
    in_file(bytes, "image.tar", |file, _| {
        let limits = Limits {
            bytes: 1 << 24,
            entries: 1000,
        };
        if let Ok(image) = ThirdPartyImage::open(file.to_str().unwrap(), limits) {
            let mut spent = Spent::default();
            for layer in image.layers() {
                let _ = layer.entries(&mut spent);
            }
        }
    });
}

/// A patch, applied to a text of ten lines.
pub fn patch(bytes: &[u8]) {
    crate::unpack::patch::fuzz(bytes);
}

/// A record of digests.
pub fn record(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(record) = Record::parse(Path::new("record"), text)
    {
        // What was read can be written, and is the same when it is read again.
        let text = record.to_json().unwrap();
        assert_eq!(Record::parse(Path::new("record"), &text).unwrap(), record);
    }
}

/// An armored signature or certificate.
pub fn signature(bytes: &[u8]) {
    crate::verify::fuzz_armor(bytes);
}

/// A tar archive, compressed by gzip or not at all.
pub fn tar(bytes: &[u8]) {
    in_file(bytes, "a.tar", |file, dest| {
        let _ = crate::unpack::unpack_output("a.tar", file, 1 << 24, dest);
    });
}

/// A torrc, for each role.
pub fn torrc(bytes: &[u8]) {
    use ::torrc::check::{Memory, check};
    check("torrc", bytes, None, &Memory::default());
}

/// A zip archive.
pub fn zip(bytes: &[u8]) {
    in_file(bytes, "a.zip", |file, dest| {
        let _ = crate::unpack::fuzz_archive("a.zip", file, dest);
    });
}

/// Calls `read` with a file of these bytes and a place beside it where nothing is.
fn in_file(bytes: &[u8], name: &str, read: impl FnOnce(&Path, &Path)) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    fs_err::write(&file, bytes).unwrap();
    read(&file, &folder.path().join("unpacked"));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;

    /// The seeds of a reader.
    fn seeds(name: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/corpus")
            .join(name);
        let entries = fs_err::read_dir(folder).unwrap();
        entries
            .map(|entry| fs_err::read(entry.unwrap().path()).unwrap())
            .collect()
    }

    #[test]
    fn every_reader_takes_the_corpus_and_damaged_copies_of_it() {
        for (name, read) in READERS {
            let seeds = seeds(name);
            assert!(!seeds.is_empty(), "{name} has no seeds");
            seeds.iter().for_each(|seed| read(seed));
            let damage = (
                any::<prop::sample::Index>(),
                any::<prop::sample::Index>(),
                any::<prop::sample::Index>(),
                prop::collection::vec(any::<u8>(), 0..4),
            );
            let config = ProptestConfig {
                cases: 150,
                failure_persistence: None,
                ..ProptestConfig::default()
            };
            TestRunner::new(config)
                .run(&damage, |(which, from, to, instead)| {
                    let mut bytes = which.get(&seeds).clone();
                    let (from, to) = (from.index(bytes.len() + 1), to.index(bytes.len() + 1));
                    // A few bytes instead of one, or of all between two places.
                    let end = if instead.is_empty() {
                        from.max(to)
                    } else {
                        bytes.len().min(from + 1)
                    };
                    bytes.splice(from.min(end)..end, instead);
                    read(&bytes);
                    Ok(())
                })
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}
