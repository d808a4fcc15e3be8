//! What is in a folder, as one digest and as a list that says where two folders differ.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::digest::Digest;

/// Why a folder cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A name that cannot be written on a line of text.
    #[error("`{}` cannot be recorded: expected UTF-8 without control characters", path.display())]
    Name {
        /// The path on this machine.
        path: PathBuf,
    },
    /// Something on disk that is no file, directory or link.
    #[error("`{}` is not a file, directory or symbolic link", path.display())]
    Special {
        /// The path on this machine.
        path: PathBuf,
    },
}

/// What is at one path of a listing. Owners, times and the rest of the mode are not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A file, written `sha256:<hex>`, with ` executable` after it where its owner may run it.
    File {
        /// The digest of its bytes.
        digest: Digest,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A symbolic link, written `-> <target>`.
    Link {
        /// Where it points.
        target: String,
    },
    /// A directory with nothing in it, written `directory`. Others show in their files' paths.
    Directory,
}

/// A text that is no [`Node`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected `sha256:<hex>`, `sha256:<hex> executable`, `-> <target>` or `directory`, got `{text}`"
)]
pub struct ParseNodeError {
    /// The text as it was given.
    pub text: String,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File {
                digest,
                executable: false,
            } => write!(f, "{digest}"),
            Self::File {
                digest,
                executable: true,
            } => write!(f, "{digest} executable"),
            Self::Link { target } => write!(f, "-> {target}"),
            Self::Directory => f.write_str("directory"),
        }
    }
}

impl FromStr for Node {
    type Err = ParseNodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "directory" {
            return Ok(Self::Directory);
        }
        if let Some(target) = text.strip_prefix("-> ") {
            return Ok(Self::Link {
                target: target.to_owned(),
            });
        }
        let plain = text.strip_suffix(" executable");
        let error = |_| ParseNodeError {
            text: text.to_owned(),
        };
        Ok(Self::File {
            digest: plain.unwrap_or(text).parse().map_err(error)?,
            executable: plain.is_some(),
        })
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// What is in a directory, by path relative to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Listing(pub BTreeMap<String, Node>);

impl Listing {
    /// Reads the directory `root`; all processors hash.
    pub fn read(root: &Path) -> Result<Self, Error> {
        let mut listing = Self::default();
        let mut files = Vec::new();
        listing.walk(root, "", &mut files)?;
        let digests = hash_all(&files)?;
        for (file, digest) in files.into_iter().zip(digests) {
            let executable = file.executable;
            listing
                .0
                .insert(file.path, Node::File { digest, executable });
        }
        Ok(listing)
    }

    /// Whether there is anything at `path`: a file, a link or a folder.
    pub fn has(&self, path: &str) -> bool {
        let inside = format!("{path}/");
        self.0.contains_key(path)
            || (self.0.range(inside.clone()..).next())
                .is_some_and(|(at, _)| at.starts_with(&inside))
    }

    /// One digest for all of it: SHA-256 of a line for each path, in order, with the path, a
    /// tab and the node as it is written.
    pub fn digest(&self) -> Digest {
        let lines: String = self
            .0
            .iter()
            .map(|(path, node)| format!("{path}\t{node}\n"))
            .collect();
        Digest::sha256(lines.as_bytes())
    }

    /// Enters links and empty directories, and lists the files. `at` ends in `/` or is empty.
    fn walk(&mut self, directory: &Path, at: &str, files: &mut Vec<File>) -> Result<(), Error> {
        let mut empty = true;
        for entry in fs_err::read_dir(directory)? {
            let entry = entry?;
            empty = false;
            let full = entry.path();
            let name = text(entry.file_name().to_str(), &full)?;
            let path = format!("{at}{name}");
            let metadata = fs_err::symlink_metadata(&full)?;
            if metadata.is_dir() {
                self.walk(&full, &format!("{path}/"), files)?;
            } else if metadata.is_symlink() {
                let target = text(fs_err::read_link(&full)?.to_str(), &full)?;
                self.0.insert(path, Node::Link { target });
            } else if metadata.is_file() {
                let executable = metadata.permissions().mode() & 0o100 != 0;
                files.push(File {
                    path,
                    full,
                    executable,
                });
            } else {
                return Err(Error::Special { path: full });
            }
        }
        if empty && let Some(path) = at.strip_suffix('/') {
            self.0.insert(path.to_owned(), Node::Directory);
        }
        Ok(())
    }
}

struct File {
    path: String,
    full: PathBuf,
    executable: bool,
}

/// A name or a link's target that fits on a line of text.
fn text(text: Option<&str>, path: &Path) -> Result<String, Error> {
    match text {
        Some(text) if !text.contains(char::is_control) => Ok(text.to_owned()),
        _ => Err(Error::Name {
            path: path.to_owned(),
        }),
    }
}

/// The digests of `files` in their order. Every thread takes the next file that nobody has.
fn hash_all(files: &[File]) -> Result<Vec<Digest>, Error> {
    let next = AtomicUsize::new(0);
    let work = || -> io::Result<Vec<(usize, Digest)>> {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(index) else {
                return Ok(done);
            };
            let reader = fs_err::File::open(&file.full)?;
            done.push((index, Digest::of_reader(&Digest::Sha256([0; 32]), reader)?));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut all = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| match thread.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect::<io::Result<Vec<_>>>()
    })?
    .concat();
    all.sort_unstable_by_key(|&(index, _)| index);
    Ok(all.into_iter().map(|(_, digest)| digest).collect())
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::*;

    /// A folder with one of everything.
    fn sample(root: &Path) {
        fs::create_dir_all(root.join("lib/empty")).unwrap();
        fs::write(root.join("lib/a.txt"), "abc").unwrap();
        fs::write(root.join("lib.txt"), "").unwrap();
        fs::write(root.join("run"), "abc").unwrap();
        chmod(&root.join("run"), 0o755);
        fs::os::unix::fs::symlink("../run", root.join("lib/link")).unwrap();
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_folder_is_a_list_and_a_digest() {
        let directory = tempfile::tempdir().unwrap();
        sample(directory.path());
        let listing = Listing::read(directory.path()).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&listing).unwrap(), @r#"
        {
          "lib.txt": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
          "lib/a.txt": "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
          "lib/empty": "directory",
          "lib/link": "-> ../run",
          "run": "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad executable"
        }
        "#);
        insta::assert_snapshot!(listing.digest(), @"sha256:be2d5da2376b6316e1d519daa8d250c9d03b113782c7c3fb93ee7f302ee8982f");
        let json = serde_json::to_string(&listing).unwrap();
        assert_eq!(serde_json::from_str::<Listing>(&json).unwrap(), listing);
    }

    #[test]
    fn a_folder_has_what_is_in_it() {
        let directory = tempfile::tempdir().unwrap();
        sample(directory.path());
        let listing = Listing::read(directory.path()).unwrap();
        for path in ["lib", "lib/a.txt", "lib/empty", "lib/link", "run"] {
            assert!(listing.has(path), "{path}");
        }
        for path in ["li", "lib/a", "lib/a.txt/x", "lib/empty/x", "ru", ""] {
            assert!(!listing.has(path), "{path}");
        }
    }

    #[test]
    fn what_counts_changes_the_digest_and_nothing_else_does() {
        type Change = fn(&Path);
        let cases: [(Change, bool); 9] = [
            (
                |root| fs::write(root.join("lib/a.txt"), "abd").unwrap(),
                true,
            ),
            (
                |root| fs::rename(root.join("lib.txt"), root.join("lib.tyt")).unwrap(),
                true,
            ),
            (|root| chmod(&root.join("run"), 0o644), true),
            (|root| fs::remove_dir(root.join("lib/empty")).unwrap(), true),
            (|root| fs::remove_file(root.join("lib/link")).unwrap(), true),
            (|root| fs::create_dir(root.join("new")).unwrap(), true),
            (|root| chmod(&root.join("run"), 0o700), false),
            (|root| chmod(&root.join("lib"), 0o700), false),
            (
                |root| {
                    let file = fs::File::open(root.join("run")).unwrap();
                    file.set_modified(std::time::UNIX_EPOCH).unwrap();
                },
                false,
            ),
        ];
        for (number, (change, counts)) in cases.into_iter().enumerate() {
            let directory = tempfile::tempdir().unwrap();
            sample(directory.path());
            let before = Listing::read(directory.path()).unwrap().digest();
            change(directory.path());
            let after = Listing::read(directory.path()).unwrap().digest();
            assert_eq!(before != after, counts, "case {number}");
        }
    }

    #[test]
    fn what_cannot_be_recorded_is_refused() {
        use std::os::unix::ffi::OsStrExt;
        let directory = tempfile::tempdir().unwrap();
        for name in [&b"new\nline"[..], b"\xff"] {
            let path = directory.path().join(std::ffi::OsStr::from_bytes(name));
            fs::write(&path, "").unwrap();
            let error = Listing::read(directory.path()).unwrap_err();
            assert!(matches!(error, Error::Name { .. }), "{error}");
            fs::remove_file(path).unwrap();
        }
        let path = directory.path().join("socket");
        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let error = Listing::read(directory.path()).unwrap_err();
        assert!(matches!(error, Error::Special { .. }), "{error}");
    }

    #[test]
    fn a_node_has_one_spelling() {
        for text in [
            "",
            "dir",
            "->x",
            "sha256:00",
            "sha256:00 executable",
            "executable",
        ] {
            assert!(text.parse::<Node>().is_err(), "{text}");
        }
    }
}
