//! A source by upstream's signed git tag: each of its files is in the tag's tree.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use fs_err::File;
use lzma_rust2::XzReader;
use tar::{Archive, EntryType};

use super::git::{self, Id, Kind, Objects};
use super::judge::{Beside, conclude};
use super::policy::{Rule, TrustPolicy};
use super::verdict::Verdict;
use super::{Error, armor, evidence};
use crate::pins::{Rung, Source};

/// The most bytes the objects may have: nyx's have 6 kB.
pub(super) const LIMIT: u64 = 4 << 20;

/// How much memory an xz file may ask for, in KiB.
const XZ_MEMORY: u32 = 66 * 1024;

/// The file of objects at `path`.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    armor::read(path, LIMIT)
}

/// What the signature of the tag is worth, which has to be the one called `name`.
pub(super) fn judge(
    policy: &TrustPolicy,
    rule: &Rule,
    path: &Path,
    objects: &Objects<'_>,
    name: &str,
) -> Result<Verdict, Error> {
    let (signed, signature) = objects.tag(name)?;
    let signatures = evidence::parse(path, signature.to_vec())?;
    let hashed = evidence::hash_bytes(signed, &signatures);
    let verdict = conclude(policy, rule, &signatures, &hashed.contexts, Beside::Pin);
    Ok(verdict.at(Rung::Tag))
}

/// Requires that every file of the archive at `archive` is in the tag's tree, byte for byte,
/// but for those that the manifest lists as generated.
pub(super) fn require(
    tree: &BTreeMap<String, Id>,
    source: &Source,
    generated: &[String],
    archive: &Path,
) -> Result<(), Error> {
    let differ = |file: &str, why: &'static str| Error::NotInTag {
        what: source.to_string(),
        file: file.to_owned(),
        why,
    };
    for (file, id) in blobs(archive, source)? {
        let listed = generated.contains(&file);
        match tree.get(&file) {
            Some(in_tree) if *in_tree == id => {}
            Some(_) => return Err(differ(&file, "the tag has another file of this name")),
            None if listed => {}
            None => return Err(differ(&file, "the tag does not have it")),
        }
    }
    Ok(())
}

/// The regular files of an archive without its top folder, each with the name that git would
/// give it. Nothing is written anywhere.
fn blobs(path: &Path, source: &Source) -> Result<BTreeMap<String, Id>, Error> {
    let mut blobs = BTreeMap::new();
    let unreadable = |error: io::Error| Error::Unreadable {
        path: path.to_owned(),
        source: error,
    };
    // One byte more than it may have, so that a longer one ends in an error.
    let reader = unpacked(path)?.take(source.unpacked + (1 << 20));
    let mut archive = Archive::new(reader);
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some((_, inside)) = name.split_once('/').filter(|(_, it)| !it.is_empty()) else {
            continue;
        };
        match entry.header().entry_type() {
            EntryType::Regular => {}
            EntryType::Directory => continue,
            _ => {
                return Err(Error::NotInTag {
                    what: source.to_string(),
                    file: inside.to_owned(),
                    why: "it is not a regular file",
                });
            }
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(unreadable)?;
        let id = git::id(Kind::Blob, &content).ok_or_else(|| Error::NotInTag {
            what: source.to_string(),
            file: inside.to_owned(),
            why: "it was made for a SHA-1 collision",
        })?;
        // Of two entries of one name, which would be unpacked?
        if blobs.insert(inside.to_owned(), id).is_some() {
            return Err(Error::NotInTag {
                what: source.to_string(),
                file: inside.to_owned(),
                why: "it is in the archive twice",
            });
        }
    }
    Ok(blobs)
}

/// The tar file in an archive.
fn unpacked(path: &Path) -> Result<Box<dyn Read>, Error> {
    let file = io::BufReader::new(File::open(path)?);
    let mut start = [0; 6];
    let count = File::open(path)?.read(&mut start)?;
    Ok(match &start[..count] {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(file)),
        [b'B', b'Z', b'h', ..] => Box::new(MultiBzDecoder::new(file)),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => {
            Box::new(XzReader::new_mem_limit(file, true, XZ_MEMORY))
        }
        _ => {
            return Err(Error::Unreadable {
                path: path.to_owned(),
                source: io::Error::other("it is neither gzip nor bzip2 nor xz"),
            });
        }
    })
}
