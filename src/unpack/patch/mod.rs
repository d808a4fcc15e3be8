//! Applies patches to unpacked sources, strictly: a line that is not exactly what and where
//! the patch says fails the whole patch. There is no fuzz and no search, so a patch never
//! lands in the wrong place of a newer release unnoticed.
//!
//! The format is the unified diff of `diff -u` and `git diff` (POSIX.1-2017, `diff`), with
//! `a/` and `b/` before the names and `/dev/null` for a file that is not there. Text has to
//! come first: a patch says what it is for.

mod error;
mod hunk;
mod parse;

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use fs_err::OpenOptions;
use fs_err::os::unix::fs::OpenOptionsExt;
use rustix::fs::{AtFlags, CWD, Mode, Timespec, Timestamps};

use self::error::shown;
use self::parse::{Change, Kind};
use crate::unpack::{Name, Tree};

pub use self::error::Error;

/// What becomes of a file, once the whole patch was checked.
struct Outcome {
    name: Name,
    /// Its permission bits and its text; nothing if it goes.
    file: Option<(u32, Vec<u8>)>,
}

/// Applies the patch `file` to `tree`; the names in it start from the tree's root.
///
/// Every hunk of every file is checked before anything is written. Files keep their modes
/// and the tree keeps its one time.
///
/// # Errors
/// Any [`Error`]. After [`Error::Write`] the tree is of no use; after any other it is as it
/// was.
pub fn apply(file: &Path, tree: &Tree) -> Result<(), Error> {
    let patch = file.display().to_string();
    let text = fs_err::read(file).map_err(|source| Error::Read {
        patch: patch.clone(),
        source,
    })?;
    apply_text(&patch, &text, tree.root(), tree.epoch())
}

fn apply_text(patch: &str, text: &[u8], root: &Path, epoch: u64) -> Result<(), Error> {
    let changes = parse::parse(patch, text)?;
    let outcomes = changes
        .iter()
        .map(|change| check(patch, change, root))
        .collect::<Result<Vec<_>, _>>()?;
    write(&outcomes, root, epoch).map_err(|source| Error::Write {
        patch: patch.to_owned(),
        source,
    })
}

/// Tries one change without making it.
fn check(patch: &str, change: &Change, root: &Path) -> Result<Outcome, Error> {
    let unreadable = |source| Error::Read {
        patch: patch.to_owned(),
        source,
    };
    let differs = |file: &str, expected, got| Error::File {
        patch: patch.to_owned(),
        file: file.to_owned(),
        expected,
        got,
    };
    for above in change.name.ancestors() {
        match found(&root.join(above)).map_err(unreadable)? {
            Found::Directory => {}
            Found::Nothing if change.kind == Kind::Create => break,
            other => return Err(differs(above, "a directory", other.words())),
        }
    }
    let path = root.join(change.name.as_str());
    let (mode, old) = match (change.kind, found(&path).map_err(unreadable)?) {
        (Kind::Create, Found::Nothing) => (0o644, Vec::new()),
        (Kind::Create, other) => {
            return Err(differs(change.name.as_str(), "nothing", other.words()));
        }
        (_, Found::File { mode }) => (mode, fs_err::read(&path).map_err(unreadable)?),
        (_, other) => return Err(differs(change.name.as_str(), "a file", other.words())),
    };
    let new = hunk::apply(&change.hunks, &old).map_err(|mismatch| Error::Mismatch {
        patch: patch.to_owned(),
        file: change.name.to_string(),
        hunk: mismatch.hunk,
        line: mismatch.line,
        expected: mismatch.expected,
        got: mismatch.got,
    })?;
    if change.kind == Kind::Delete && !new.is_empty() {
        let first = new.split_inclusive(|byte| *byte == b'\n').next();
        return Err(Error::Mismatch {
            patch: patch.to_owned(),
            file: change.name.to_string(),
            hunk: change.hunks.len(),
            line: change
                .hunks
                .iter()
                .map(|hunk| hunk.lines.len())
                .sum::<usize>()
                + 1,
            expected: shown(None),
            got: shown(first),
        });
    }
    Ok(Outcome {
        name: change.name.clone(),
        file: (change.kind != Kind::Delete).then_some((mode, new)),
    })
}

/// What is at a path, no link followed.
enum Found {
    Nothing,
    Directory,
    File { mode: u32 },
    Link,
    Other,
}

impl Found {
    fn words(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Directory => "a directory",
            Self::File { .. } => "a file",
            Self::Link => "a link",
            Self::Other => "neither file nor directory",
        }
    }
}

fn found(path: &Path) -> io::Result<Found> {
    let metadata = match fs_err::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        metadata => metadata?,
    };
    Ok(if metadata.is_dir() {
        Found::Directory
    } else if metadata.is_file() {
        let mode = metadata.permissions().mode() & 0o777;
        Found::File { mode }
    } else if metadata.is_symlink() {
        Found::Link
    } else {
        Found::Other
    })
}

/// Writes what was checked. A file is made anew, not written over: another name that a hard
/// link gave it keeps the old text.
fn write(outcomes: &[Outcome], root: &Path, epoch: u64) -> io::Result<()> {
    let time = Timespec {
        tv_sec: i64::try_from(epoch).unwrap_or(i64::MAX),
        tv_nsec: 0,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    let set_times = |path: &Path| {
        rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(io::Error::from)
    };
    for Outcome { name, file } in outcomes {
        let path = root.join(name.as_str());
        for above in name.ancestors().map(|above| root.join(above)) {
            if !above.is_dir() {
                fs_err::create_dir(&above)?;
                rustix::fs::chmod(&above, Mode::from_raw_mode(0o755))?;
            }
        }
        if path.is_file() {
            fs_err::remove_file(&path)?;
        }
        if let Some((mode, text)) = file {
            let mut new = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            new.write_all(text)?;
            rustix::fs::fchmod(&new, Mode::from_raw_mode(*mode))?;
            set_times(&path)?;
        }
    }
    // Making and removing files changed the times of directories.
    for Outcome { name, .. } in outcomes {
        for above in name.ancestors() {
            set_times(&root.join(above))?;
        }
    }
    set_times(root)
}

/// Reads any bytes as a patch and applies it to ten lines, for [`crate::fuzzing`].
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(bytes: &[u8]) {
    let old: String = (1..=10).map(|line| format!("line {line}\n")).collect();
    for change in parse::parse("patch", bytes).unwrap_or_default() {
        let _ = hunk::apply(&change.hunks, old.as_bytes());
    }
}

#[cfg(test)]
mod tests;
