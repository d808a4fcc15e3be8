//! The user's cache directory: downloads and outputs, safe to delete at any time.

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use fs_err as fs;

/// A directory that only this user can write to.
///
/// What is in it is trusted as far as its digest goes, and names in it are used as they
/// are: another user who could write there could swap a file after it was checked.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

/// Why a directory cannot be the cache.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither an option nor the environment says where it is.
    #[error("no cache directory: none of RELAYSMITH_CACHE, XDG_CACHE_HOME and HOME is set")]
    Nowhere,

    /// Somebody else owns it.
    #[error("the cache directory {} belongs to user {owner}, not to {user}", path.display())]
    Owner {
        /// The directory.
        path: PathBuf,
        /// Its owner's uid.
        owner: u32,
        /// This process's uid.
        user: u32,
    },

    /// Others may write to it.
    #[error(
        "the cache directory {} is writable by others: its mode is {mode:04o}",
        path.display()
    )]
    Writable {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },

    /// It is something else.
    #[error("the cache directory {} is not a directory", path.display())]
    NotADirectory {
        /// What is there.
        path: PathBuf,
    },

    /// It cannot be made or looked at.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Error {
    /// What fixes it.
    pub fn hint(&self) -> Option<String> {
        match self {
            // A sticky directory, such as /tmp, is shared on purpose.
            Self::Writable { path, mode } if mode & 0o1000 != 0 => Some(format!(
                "give a directory in it with `--cache-dir {}`",
                path.join("relaysmith").display()
            )),
            Self::Writable { path, .. } => Some(format!("chmod go-w '{}'", path.display())),
            Self::Nowhere | Self::Owner { .. } | Self::NotADirectory { .. } => {
                Some("give a directory of your own with `--cache-dir`".to_owned())
            }
            Self::Io(_) => None,
        }
    }
}

impl Cache {
    /// The cache at `dir`, or else at `$RELAYSMITH_CACHE`, or else `relaysmith` in the
    /// user's cache directory as the XDG base directory specification has it. It is made
    /// if it does not exist.
    pub fn open(dir: Option<&Path>) -> Result<Self, Error> {
        let root = match dir {
            Some(dir) => dir.to_owned(),
            None => {
                default(|name| std::env::var_os(name).map(PathBuf::from)).ok_or(Error::Nowhere)?
            }
        };
        let root = std::path::absolute(root)?;
        private(&root)?;
        Ok(Self { root })
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A directory in it, such as `downloads/sha256`, made if it does not exist.
    pub fn directory(&self, path: &str) -> Result<PathBuf, Error> {
        let path = self.root.join(path);
        private(&path)?;
        Ok(path)
    }
}

/// Where the cache is when nobody says. A relative XDG_CACHE_HOME does not count, as the
/// specification demands.
fn default(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let set = |name| variable(name).filter(|path| !path.as_os_str().is_empty());
    let xdg = || set("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    set("RELAYSMITH_CACHE").or_else(|| {
        let base = xdg().or_else(|| Some(set("HOME")?.join(".cache")))?;
        Some(base.join("relaysmith"))
    })
}

/// Makes sure that `path` is a directory which only this user can write to.
pub(crate) fn private(path: &Path) -> Result<(), Error> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(path).or_else(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Ok(()),
        kind => Err(io::Error::new(
            kind,
            format!("cannot make {}: {error}", path.display()),
        )),
    })?;
    let metadata = fs::metadata(path)?;
    let path = path.to_owned();
    let user = rustix::process::geteuid().as_raw();
    if !metadata.is_dir() {
        return Err(Error::NotADirectory { path });
    }
    if metadata.uid() != user {
        let owner = metadata.uid();
        return Err(Error::Owner { path, owner, user });
    }
    match metadata.mode() & 0o7777 {
        mode if mode & 0o022 != 0 => Err(Error::Writable { path, mode }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn where_it_is_by_default() {
        for (set, expected) in [
            (&[][..], None),
            (&[("HOME", "/h")], Some("/h/.cache/relaysmith")),
            (
                &[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")],
                Some("/x/relaysmith"),
            ),
            (
                &[("HOME", "/h"), ("XDG_CACHE_HOME", "x")],
                Some("/h/.cache/relaysmith"),
            ),
            (
                &[("HOME", "/h"), ("XDG_CACHE_HOME", "")],
                Some("/h/.cache/relaysmith"),
            ),
            (&[("HOME", "/h"), ("RELAYSMITH_CACHE", "/r")], Some("/r")),
        ] {
            let variable = |name: &str| {
                let found = set.iter().find(|(set, _)| *set == name);
                found.map(|(_, value)| PathBuf::from(value))
            };
            assert_eq!(default(variable), expected.map(PathBuf::from), "{set:?}");
        }
    }

    #[test]
    fn private_whatever_the_umask() {
        let temp = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(&temp.path().join("a/b"))).unwrap();
        let made = cache.directory("downloads/sha256").unwrap();
        assert_eq!(fs::metadata(made).unwrap().mode() & 0o777, 0o700);
        // And again, now that it is there.
        cache.directory("downloads/sha256").unwrap();
    }

    #[test]
    fn refused() {
        let temp = tempfile::tempdir().unwrap();
        let shared = temp.path().join("shared");
        fs::create_dir(&shared).unwrap();
        for mode in [0o770, 0o702, 0o1777] {
            fs::set_permissions(&shared, PermissionsExt::from_mode(mode)).unwrap();
            let error = Cache::open(Some(&shared)).unwrap_err();
            assert!(
                error.to_string().contains(&format!("{mode:04o}")),
                "{error}"
            );
            let hint = error.hint().unwrap();
            assert_eq!(hint.starts_with("chmod go-w '/"), mode != 0o1777, "{hint}");
        }
        let file = temp.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Cache::open(Some(&file)).unwrap_err();
        assert!(matches!(error, Error::NotADirectory { .. }), "{error}");
        // Root's own directory, or for root somebody else's.
        let others = if rustix::process::geteuid().is_root() {
            let path = temp.path().join("others");
            fs::create_dir(&path).unwrap();
            std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
            path
        } else {
            PathBuf::from("/")
        };
        let error = Cache::open(Some(&others)).unwrap_err();
        assert!(matches!(error, Error::Owner { .. }), "{error}");
    }
}
