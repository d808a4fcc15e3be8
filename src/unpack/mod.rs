//! Unpacks archives: hostile ones are refused, the others become trees that are the same
//! wherever and whenever they are unpacked.
//!
//! What comes in has been verified, but who signs a tarball does not thereby write where
//! they like: names, links, kinds and sizes are judged entry by entry ([`Rule`], [`Flaw`]),
//! and one that breaks a rule fails the whole archive. What comes out has no owners, no
//! special bits, modes 0644 or 0755, and one time. It is complete or not there.

mod catalogue;
mod deb;
mod error;
mod extended;
mod intake;
mod packed;
pub mod patch;
mod staging;
mod tagged;
mod tar;
mod zip;

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use fs_err::File;
use lzma_rust2::XzReader;

use self::catalogue::Absolute;
use self::intake::{Intake, Limits};
use self::packed::BUFFER;
use crate::pins::Source;
use crate::verify::{Verdict, Verified};

pub(crate) use self::catalogue::Name;
pub use self::error::{Error, Flaw, Rule};
pub use self::intake::Keep;

/// The most entries of an archive, with the directories that they imply. The compiler's
/// wheel has 19 thousand, the largest source 9 thousand.
const ENTRIES: usize = 50_000;

/// How much memory an xz file may ask for, in KiB: what `xz -9` makes needs 65 MiB.
const XZ_MEMORY: u32 = 66 * 1024;

/// What a verified archive held: a directory of this project's making, to build from.
/// Only [`unpack`] makes it.
#[derive(Debug)]
pub struct Tree {
    source: Arc<Source>,
    root: PathBuf,
    epoch: u64,
}

impl Tree {
    /// The pin of what was unpacked.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The source's own top directory: the only directory at the archive's top, or, if
    /// there are several things at its top, the directory that holds them.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The time of everything in it, in seconds since 1970.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
}

/// Unpacks a verified archive to `dest`, with `epoch` (seconds since 1970) as the time of
/// all that is in it. `dest` must not be there yet, the directory above it must.
///
/// `keep` chooses what is unpacked, by path from the archive's root; what it leaves out is
/// judged all the same, but not decompressed where the format allows that. Directories on
/// the way to what is kept are made in any case.
///
/// # Errors
/// Any [`Error`]; nothing is left at or beside `dest` then. A run that was killed leaves
/// `.<name>.unpacking` beside it, which the next one to `dest` removes.
pub fn unpack(verified: &Verified, epoch: u64, dest: &Path, keep: Keep<'_>) -> Result<Tree, Error> {
    tree(verified, epoch, dest, keep, Absolute::Machine)
}

/// Unpacks to `dest` a file that is not pinned, but that `verdict` accepts, as [`unpack`] does: to
/// look at it, for nothing is ever built from it. No more than `bytes` come out of it.
///
/// # Errors
/// As those of [`unpack`], and when the verdict is a refusal.
pub fn unpack_judged(
    file: &Path,
    verdict: &Verdict,
    bytes: u64,
    dest: &Path,
    keep: Keep<'_>,
) -> Result<(), Error> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    if !verdict.accepted() {
        return Err(Error::Unreadable {
            archive: name.into_owned(),
            entry: None,
            source: io::Error::other("its signature is not accepted"),
        });
    }
    let limits = Limits {
        bytes,
        entries: ENTRIES,
    };
    unpack_archive(&name, file, limits, keep, Absolute::Machine, dest, 0)
}

/// Unpacks a verified root file system as [`unpack`] does, save that an absolute symbolic
/// link means the tree's own root. It becomes a relative one: on disk no link leads out of
/// the tree, whoever follows it from wherever.
///
/// # Errors
/// As those of [`unpack`].
pub fn unpack_root(
    verified: &Verified,
    epoch: u64,
    dest: &Path,
    keep: Keep<'_>,
) -> Result<Tree, Error> {
    tree(verified, epoch, dest, keep, Absolute::Tree)
}

fn tree(
    verified: &Verified,
    epoch: u64,
    dest: &Path,
    keep: Keep<'_>,
    absolute: Absolute,
) -> Result<Tree, Error> {
    let source = verified.source();
    let limits = Limits {
        bytes: source.unpacked,
        entries: ENTRIES,
    };
    let file = verified.path();
    // What no tag vouches for is never compiled nor packed: it does not get here.
    let wanted = |path: &Path| keep(path) && !tagged::left_out(source, path);
    unpack_archive(&source.file, file, limits, &wanted, absolute, dest, epoch)?;
    let root = top(dest).map_err(|error| Error::Write {
        archive: source.file.clone(),
        source: error,
    })?;
    if let Some(files) = verified.tagged() {
        tagged::require(&source.file, &root, files)?;
    }
    Ok(Tree {
        source: Arc::clone(source),
        root,
        epoch,
    })
}

/// The only thing in `dest`, if that is a directory; else `dest` itself.
fn top(dest: &Path) -> io::Result<PathBuf> {
    let mut entries = fs_err::read_dir(dest)?;
    if let (Some(entry), None) = (entries.next(), entries.next()) {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            return Ok(entry.path());
        }
    }
    Ok(dest.to_owned())
}

/// Unpacks `file`, whose name says that it is `archive`; see [`unpack`].
fn unpack_archive(
    archive: &str,
    file: &Path,
    limits: Limits,
    keep: Keep<'_>,
    absolute: Absolute,
    dest: &Path,
    epoch: u64,
) -> Result<(), Error> {
    let format = Format::of(archive).ok_or_else(|| Error::UnknownFormat {
        archive: archive.to_owned(),
    })?;
    let opened = File::open(file).map_err(|source| Error::Unreadable {
        archive: archive.to_owned(),
        entry: None,
        source,
    })?;
    let mut intake = Intake::begin(archive, limits, keep, absolute, dest, epoch)?;
    let packed = BufReader::with_capacity(BUFFER, &opened);
    // Several streams behind one another are one, as gzip, bzip2 and xz themselves have it;
    // anything else behind a stream is an error.
    match format {
        Format::TarGz => read_tar(MultiGzDecoder::new(packed), &mut intake)?,
        Format::TarBz2 => read_tar(MultiBzDecoder::new(packed), &mut intake)?,
        Format::TarXz => {
            let reader = XzReader::new_mem_limit(packed, true, XZ_MEMORY);
            read_tar(reader, &mut intake)?;
        }
        Format::Deb => {
            let data = BufReader::with_capacity(BUFFER, deb::data(&opened, &intake)?);
            read_tar(XzReader::new_mem_limit(data, true, XZ_MEMORY), &mut intake)?;
        }
        Format::Zip => zip::read(&opened, &mut intake)?,
    }
    intake.finish()
}

/// Unpacks what came out of a container to `dest`, which must not be there yet: no more than
/// `bytes`, and judged like any archive. `what` names it in errors.
pub(crate) fn unpack_output(what: &str, file: &Path, bytes: u64, dest: &Path) -> Result<(), Error> {
    let limits = Limits {
        bytes,
        entries: ENTRIES,
    };
    let opened = File::open(file).map_err(|source| Error::Unreadable {
        archive: what.to_owned(),
        entry: None,
        source,
    })?;
    // No output depends on a time of it.
    let mut intake = Intake::begin(what, limits, &|_| true, Absolute::Machine, dest, 0)?;
    read_tar(opened, &mut intake)?;
    intake.finish()
}

/// Unpacks an archive of any bytes, for [`crate::fuzzing`].
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz_archive(archive: &str, file: &Path, dest: &Path) -> Result<(), Error> {
    let limits = Limits {
        bytes: 1 << 24,
        entries: ENTRIES,
    };
    unpack_archive(archive, file, limits, &|_| true, Absolute::Machine, dest, 0)
}

fn read_tar(decompressor: impl Read, intake: &mut Intake) -> Result<(), Error> {
    tar::read(BufReader::with_capacity(BUFFER, decompressor), intake)
}

/// How an archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    TarGz,
    TarBz2,
    TarXz,
    Deb,
    Zip,
}

impl Format {
    /// What the ending of a file name says. A crate is a tar in gzip.
    fn of(name: &str) -> Option<Self> {
        let endings = [
            (".tar.gz", Self::TarGz),
            (".tgz", Self::TarGz),
            (".crate", Self::TarGz),
            (".tar.bz2", Self::TarBz2),
            (".tar.xz", Self::TarXz),
            (".deb", Self::Deb),
            (".zip", Self::Zip),
            (".whl", Self::Zip),
        ];
        endings
            .into_iter()
            .find(|(ending, _)| name.ends_with(ending))
            .map(|(_, format)| format)
    }
}

#[cfg(test)]
mod tests;
