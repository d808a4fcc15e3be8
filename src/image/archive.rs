//! A tar archive before it is written: a sorted map from paths to entries.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fs_err::os::unix::fs::OpenOptionsExt as _;

use super::Error;
use super::ustar::{self, Header, Kind};
use crate::base::digest::copy;

/// Who owns an entry: numbers only, since names mean something else on each machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

impl Owner {
    /// The super-user.
    pub const ROOT: Self = Self { uid: 0, gid: 0 };
}

/// Where a file's bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A file on this machine; its own mode, owner and times are not looked at.
    File(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    File {
        content: Content,
        mode: u32,
        owner: Owner,
    },
    Directory {
        mode: u32,
        owner: Owner,
    },
    Symlink {
        target: String,
    },
}

/// Files, directories and symbolic links by path. What is written depends on these alone:
/// not on the order in which they came, nor on the clock, the user or the umask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Archive {
    entries: BTreeMap<String, Entry>,
}

impl Archive {
    /// Adds a file. `path` is relative, and `mode` has permission bits only.
    pub fn file(
        &mut self,
        path: &str,
        mode: u32,
        owner: Owner,
        content: Content,
    ) -> Result<(), Error> {
        if mode & !0o777 != 0 {
            return Err(Error::Mode {
                path: path.to_owned(),
                mode,
            });
        }
        self.insert(
            path,
            Entry::File {
                content,
                mode,
                owner,
            },
        )
    }

    /// Adds a directory. Directories above an entry that nobody adds belong to the super-user
    /// and have mode 755.
    pub fn directory(&mut self, path: &str, mode: u32, owner: Owner) -> Result<(), Error> {
        if mode & !0o1777 != 0 {
            return Err(Error::Mode {
                path: path.to_owned(),
                mode,
            });
        }
        self.insert(path, Entry::Directory { mode, owner })
    }

    /// Adds a symbolic link to `target`, which may be any text without control characters.
    pub fn symlink(&mut self, path: &str, target: &str) -> Result<(), Error> {
        if target.is_empty() || target.contains(char::is_control) {
            return Err(Error::Path {
                path: target.to_owned(),
            });
        }
        self.insert(
            path,
            Entry::Symlink {
                target: target.to_owned(),
            },
        )
    }

    /// Adds what is in the directory `from` under the path `at`, all owned by the super-user:
    /// directories and what its owner may execute with mode 755, other files with 644.
    pub fn tree(&mut self, at: &str, from: &Path) -> Result<(), Error> {
        for entry in fs_err::read_dir(from)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| Error::Path {
                path: entry.path().display().to_string(),
            })?;
            let path = format!("{at}/{name}");
            let metadata = fs_err::symlink_metadata(entry.path())?;
            if metadata.is_dir() {
                self.directory(&path, 0o755, Owner::ROOT)?;
                self.tree(&path, &entry.path())?;
            } else if metadata.is_symlink() {
                let target = fs_err::read_link(entry.path())?;
                let target = target.to_str().ok_or_else(|| Error::Path {
                    path: target.display().to_string(),
                })?;
                self.symlink(&path, target)?;
            } else if metadata.is_file() {
                let mode = match metadata.permissions().mode() & 0o100 {
                    0 => 0o644,
                    _ => 0o755,
                };
                self.file(&path, mode, Owner::ROOT, Content::File(entry.path()))?;
            } else {
                return Err(Error::Special { path: entry.path() });
            }
        }
        Ok(())
    }

    /// The paths, in the order in which they are written.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.complete().into_keys()
    }

    /// How many bytes of content the files have.
    pub fn content_size(&self) -> Result<u64, Error> {
        let mut size = 0;
        for entry in self.entries.values() {
            if let Entry::File { content, .. } = entry {
                size += match content {
                    Content::Bytes(bytes) => bytes.len() as u64,
                    Content::File(path) => open(path)?.1,
                };
            }
        }
        Ok(size)
    }

    /// Writes the archive. `mtime`, in seconds since 1970, is every entry's time.
    pub fn write(&self, mtime: u64, out: &mut impl Write) -> Result<(), Error> {
        for (path, entry) in self.complete() {
            let header = |kind, mode, owner: Owner| Header {
                path,
                kind,
                mode,
                uid: owner.uid,
                gid: owner.gid,
                mtime,
            };
            match entry {
                Entry::Directory { mode, owner } => {
                    header(Kind::Directory, *mode, *owner).write(out)?;
                }
                Entry::Symlink { target } => {
                    header(Kind::Symlink { target }, 0o777, Owner::ROOT).write(out)?;
                }
                Entry::File {
                    content: Content::Bytes(bytes),
                    mode,
                    owner,
                } => {
                    let size = bytes.len() as u64;
                    header(Kind::File { size }, *mode, *owner).write(out)?;
                    out.write_all(bytes)?;
                    ustar::pad(out, size)?;
                }
                Entry::File {
                    content: Content::File(from),
                    mode,
                    owner,
                } => {
                    let (mut file, size) = open(from)?;
                    header(Kind::File { size }, *mode, *owner).write(out)?;
                    let copied = copy(&mut (&mut file).take(size), out)?;
                    if copied != size || file.read(&mut [0])? != 0 {
                        return Err(Error::Changed { path: from.clone() });
                    }
                    ustar::pad(out, size)?;
                }
            }
        }
        ustar::finish(out)?;
        Ok(())
    }

    fn insert(&mut self, path: &str, entry: Entry) -> Result<(), Error> {
        let bad_part = |part: &str| matches!(part, "" | "." | "..");
        if path.split('/').any(bad_part) || path.contains(char::is_control) {
            return Err(Error::Path {
                path: path.to_owned(),
            });
        }
        let is_directory = matches!(entry, Entry::Directory { .. });
        for parent in parents(path) {
            if !matches!(
                self.entries.get(parent),
                None | Some(Entry::Directory { .. })
            ) {
                return Err(Error::NotADirectory {
                    path: parent.to_owned(),
                });
            }
        }
        let inside = format!("{path}/");
        let next = self.entries.range(inside.clone()..).next();
        if !is_directory && next.is_some_and(|(next, _)| next.starts_with(&inside)) {
            return Err(Error::NotADirectory {
                path: path.to_owned(),
            });
        }
        match self.entries.get(path) {
            // Two trees may have the same directory.
            Some(found) if !is_directory || *found != entry => Err(Error::Duplicate {
                path: path.to_owned(),
            }),
            _ => {
                self.entries.insert(path.to_owned(), entry);
                Ok(())
            }
        }
    }

    /// The entries with the directories above them, in the order in which they are written:
    /// a path sorts after every path that it starts with, so parents come first.
    fn complete(&self) -> BTreeMap<&str, &Entry> {
        let mut all: BTreeMap<&str, &Entry> = BTreeMap::new();
        for (path, entry) in &self.entries {
            for parent in parents(path) {
                all.entry(parent).or_insert(&Entry::PARENT);
            }
            all.insert(path, entry);
        }
        all
    }
}

impl Entry {
    /// A directory that something is in and that nobody added.
    const PARENT: Self = Self::Directory {
        mode: 0o755,
        owner: Owner::ROOT,
    };
}

/// A plain file and its size. A link is not followed, and a FIFO not waited for: whoever judged
/// the path before may have seen something else there.
fn open(path: &Path) -> Result<(fs_err::File, u64), Error> {
    let mut options = fs_err::OpenOptions::new();
    options.read(true);
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    match metadata.is_file() {
        true => Ok((file, metadata.len())),
        false => Err(Error::Special {
            path: path.to_path_buf(),
        }),
    }
}

/// `usr`, `usr/local` for `usr/local/bin`.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end])
}

#[cfg(test)]
mod tests;
