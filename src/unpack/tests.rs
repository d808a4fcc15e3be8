//! Archives made byte by byte, since no tool writes hostile ones.

mod hostile_tar;
mod hostile_zip;
mod properties;
mod roots;
mod trees;

use std::io::Write;
use std::path::{Path, PathBuf};

use ::tar::{EntryType, Header};
use bzip2::write::BzEncoder;
use flate2::write::GzEncoder;
use lzma_rust2::{XzOptions, XzWriter};
use tempfile::TempDir;

use super::intake::Limits;
use super::*;

const EPOCH: u64 = 1_700_000_000;

const LIMITS: Limits = Limits {
    bytes: 100_000,
    entries: 20,
};

/// A tar in the making, with whatever it is told.
#[derive(Default, Clone)]
struct Tar(Vec<u8>);

impl Tar {
    fn file(self, name: &str, contents: &[u8]) -> Self {
        self.entry(name.as_bytes(), EntryType::Regular, "", contents)
    }

    fn directory(self, name: &str) -> Self {
        self.entry(name.as_bytes(), EntryType::Directory, "", b"")
    }

    fn symlink(self, name: &str, target: &str) -> Self {
        self.entry(name.as_bytes(), EntryType::Symlink, target, b"")
    }

    fn hard_link(self, name: &str, target: &str) -> Self {
        self.entry(name.as_bytes(), EntryType::Link, target, b"")
    }

    fn of_type(self, name: &str, kind: u8) -> Self {
        self.entry(name.as_bytes(), EntryType::new(kind), "", b"")
    }

    fn pax(self, records: &[(&str, &str)]) -> Self {
        self.entry(b"pax", EntryType::XHeader, "", &pax(records))
    }

    fn entry(self, name: &[u8], kind: EntryType, target: &str, contents: &[u8]) -> Self {
        self.tampered(name, kind, target, contents, |_| {})
    }

    /// An entry whose header `tamper` changes before its checksum is made.
    fn tampered(
        mut self,
        name: &[u8],
        kind: EntryType,
        target: &str,
        contents: &[u8],
        tamper: impl FnOnce(&mut Header),
    ) -> Self {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(contents.len() as u64);
        tamper(&mut header);
        header.set_cksum();
        self.0.extend(header.as_bytes());
        self.bytes(contents)
    }

    /// Bytes, filled up to the next block.
    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn end(self) -> Vec<u8> {
        self.bytes(&[0; 1024]).0
    }
}

fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let record = |(key, value): &(&str, &str)| {
        let rest = format!(" {key}={value}\n");
        // The length counts its own digits.
        let length = (1..)
            .find(|length| format!("{length}{rest}").len() == *length)
            .unwrap();
        format!("{length}{rest}")
    };
    records.iter().map(record).collect::<String>().into_bytes()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bz2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = XzWriter::new(Vec::new(), XzOptions::with_preset(0)).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A directory with an archive in it, to be unpacked to `tree/` in another.
struct Scene {
    directory: TempDir,
    archive: String,
}

impl Scene {
    fn new(archive: &str, bytes: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs_err::create_dir(directory.path().join("out")).unwrap();
        fs_err::write(directory.path().join(archive), bytes).unwrap();
        let archive = archive.to_owned();
        Self { directory, archive }
    }

    fn dest(&self) -> PathBuf {
        self.directory.path().join("out/tree")
    }

    fn unpack(&self) -> Result<(), Error> {
        self.unpack_some(LIMITS, &|_| true)
    }

    fn unpack_some(&self, limits: Limits, keep: Keep<'_>) -> Result<(), Error> {
        let file = self.directory.path().join(&self.archive);
        let machine = Absolute::Machine;
        unpack_archive(
            &self.archive,
            &file,
            limits,
            keep,
            machine,
            &self.dest(),
            EPOCH,
        )
    }

    /// As the root of a machine.
    fn unpack_root(&self) -> Result<(), Error> {
        let file = self.directory.path().join(&self.archive);
        let tree = Absolute::Tree;
        unpack_archive(
            &self.archive,
            &file,
            LIMITS,
            &|_| true,
            tree,
            &self.dest(),
            EPOCH,
        )
    }

    /// Everything in the directory but the archive itself.
    fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        list(self.directory.path(), self.directory.path(), &mut left);
        left.retain(|path| *path != self.archive && path != "out");
        left
    }
}

fn list(directory: &Path, base: &Path, found: &mut Vec<String>) {
    for entry in fs_err::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        found.push(path.strip_prefix(base).unwrap().display().to_string());
        if path.symlink_metadata().unwrap().is_dir() {
            list(&path, base, found);
        }
    }
    found.sort();
}

/// Every row is an archive that must be refused with a message of that ending. All that
/// go wrong are shown, not the first alone.
fn all_refused(archive: &str, rows: impl IntoIterator<Item = (Vec<u8>, &'static str)>) {
    let wrong: Vec<String> = rows
        .into_iter()
        .filter_map(|(bytes, expected)| {
            let scene = Scene::new(archive, &bytes);
            let got = match scene.unpack() {
                Ok(()) => format!("unpacked: {:?}", scene.left()),
                Err(error) if !scene.left().is_empty() => {
                    format!("{error}, but left: {:?}", scene.left())
                }
                Err(error) => chain(&error),
            };
            let right = got.starts_with(&format!("{archive}: ")) && got.ends_with(expected);
            (!right).then(|| format!("expected: {expected}\n     got: {got}"))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} rows:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Unpacks what must be refused, and returns why. Nothing may be left.
fn refusal(archive: &str, bytes: &[u8]) -> String {
    let scene = Scene::new(archive, bytes);
    let error = scene.unpack().expect_err("it was unpacked");
    assert_eq!(scene.left(), [""; 0], "after: {error}");
    chain(&error)
}

/// An error with its causes, as the command line shows it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
