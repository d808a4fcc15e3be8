//! What makes a relay this relay: the files of its data directory that it must keep. They are
//! read from a data directory or a backup, and placed in one that has no relay yet.

use std::collections::BTreeMap;
use std::fs::TryLockError;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;

/// No file that tor keeps is as long.
const LONGEST: u64 = 16 << 20;
/// No relay has as many.
const MOST: usize = 1000;

/// Directories of which everything is kept: keys, and what transports keep (obfs4's bridge line
/// is made of a key in there).
const FOLDERS: &[&str] = &["keys", "pt_state"];

/// Files that are kept: who it is, and what it has learnt (its guards, its bandwidth, how much
/// of its quota is used).
const FILES: &[&str] = &[
    "fingerprint",
    "fingerprint-ed25519",
    "hashed-fingerprint",
    "bridgelines",
    "state",
];

/// Files by the beginning of their name that tor writes again whenever they are missing.
const MADE_AGAIN: &[&str] = &[
    "cached-",
    "unverified-",
    "unparseable-desc",
    "control-ports",
    "control_auth_cookie",
    "control.authcookie",
    "control.sock",
    "control_socket",
    "diff-cache",
    "extended_orport_auth_cookie",
    "geoip",
    "key-pinning-journal",
    "lock",
    "router-stability",
    "sr-state",
    "stats",
    "approved-routers",
    "networkstatus-",
    "v3-status-votes",
];

/// Where the first, longest-lived key of a relay lies.
const KEY: &str = "keys/secret_id_key";

/// Why an identity cannot be read or placed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no relay.
    #[error("{} has no {KEY}, so it is not the data directory of a relay", place.display())]
    NoRelay {
        /// The directory or the backup.
        place: PathBuf,
    },
    /// There is a relay already.
    #[error("{} has a relay already: {}", place.display(), file.display())]
    Taken {
        /// The data directory.
        place: PathBuf,
        /// Its key.
        file: PathBuf,
    },
    /// Tor is using it.
    #[error("a tor is running with {}", place.display())]
    Running {
        /// The data directory.
        place: PathBuf,
    },
    /// What is neither a file nor a directory, or too much.
    #[error("{}: {what}", place.display())]
    Strange {
        /// Where.
        place: PathBuf,
        /// What is there.
        what: String,
    },
    /// Only the super-user can give files away.
    #[error("user {me} cannot give {} to user {uid}", place.display())]
    Owner {
        /// What was written.
        place: PathBuf,
        /// Who runs this.
        me: u32,
        /// Who runs tor.
        uid: u32,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Error {
    /// What fixes it, if that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Taken { .. } => Some(
                "choose a directory without a relay, or move what is there away first: two relays \
                 with one identity harm each other"
                    .to_owned(),
            ),
            Self::Running { .. } => Some(
                "stop it first: `docker stop NAME`, or `sudo systemctl stop tor@default`"
                    .to_owned(),
            ),
            Self::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Some("only the owner can read a relay's keys: run it with sudo".to_owned())
            }
            Self::Owner { .. } => Some("run it with sudo".to_owned()),
            _ => None,
        }
    }
}

/// A relay's identity, in memory.
#[derive(Debug, Default)]
pub struct Identity {
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// What tor makes again, and is left behind.
    pub left_behind: Vec<String>,
    /// What is not known here and is left behind too, such as an onion service.
    pub unknown: Vec<String>,
}

impl Identity {
    /// Reads that of a data directory whose tor is stopped.
    ///
    /// # Errors
    /// As [`Self::of`], or when a tor is running with it.
    pub fn of_stopped(data: &Path) -> Result<Self, Error> {
        let lock = data.join("lock");
        if lock.try_exists()? {
            // Tor holds it as long as it runs.
            let file = fs::File::open(&lock)?;
            match file.file().try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Running { place: data.into() });
                }
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
        Self::of(data)
    }

    /// Reads that of a data directory.
    ///
    /// # Errors
    /// When there is no relay in it, or a file cannot be read.
    pub fn of(data: &Path) -> Result<Self, Error> {
        if !data.join(KEY).try_exists()? {
            return Err(Error::NoRelay { place: data.into() });
        }
        let mut new = Self::default();
        for entry in fs::read_dir(data)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if FOLDERS.contains(&&name[..]) {
                new.read_folder(data, Path::new(&name))?;
            } else if FILES.contains(&&name[..]) {
                new.read_file(data, Path::new(&name))?;
            } else if MADE_AGAIN.iter().any(|begin| name.starts_with(begin))
                || name.ends_with(".tmp")
            {
                new.left_behind.push(name);
            } else {
                new.unknown.push(name);
            }
        }
        new.left_behind.sort();
        new.unknown.sort();
        Ok(new)
    }

    fn read_folder(&mut self, data: &Path, below: &Path) -> Result<(), Error> {
        for entry in fs::read_dir(data.join(below))? {
            let path = below.join(entry?.file_name());
            let kind = fs::symlink_metadata(data.join(&path))?.file_type();
            if kind.is_dir() {
                self.read_folder(data, &path)?;
            } else {
                self.read_file(data, &path)?;
            }
        }
        Ok(())
    }

    fn read_file(&mut self, data: &Path, path: &Path) -> Result<(), Error> {
        let place = data.join(path);
        let strange = |what: &str| Error::Strange {
            place: place.clone(),
            what: what.to_owned(),
        };
        if !fs::symlink_metadata(&place)?.is_file() {
            return Err(strange("not a file, and nothing else belongs there"));
        }
        let mut bytes = Vec::new();
        let file = fs::File::open(&place)?;
        file.take(LONGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LONGEST || self.files.len() == MOST {
            return Err(strange("more than a relay has"));
        }
        self.files.insert(path.to_owned(), bytes);
        Ok(())
    }

    /// What is kept, by its path in the data directory.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.keys().map(PathBuf::as_path)
    }

    /// The fingerprint that tor wrote down, `NICKNAME FINGERPRINT`.
    pub fn fingerprint(&self) -> Option<String> {
        let bytes = self.files.get(Path::new("fingerprint"))?;
        Some(shown::shown(bytes.trim_ascii()))
    }

    /// Whether the key is kept elsewhere that signs all others.
    pub fn lacks_master_key(&self) -> bool {
        !self
            .files
            .contains_key(Path::new("keys/ed25519_master_id_secret_key"))
    }

    /// As a tar archive, whose files belong to `uid`.
    ///
    /// # Errors
    /// When a path has no place in one.
    pub fn archive(&self, uid: u32) -> Result<Vec<u8>, Error> {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, bytes) in &self.files {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o600);
            header.set_uid(uid.into());
            header.set_gid(uid.into());
            header.set_size(bytes.len() as u64);
            archive.append_data(&mut header, path, &bytes[..])?;
        }
        Ok(archive.into_inner()?)
    }

    /// Reads that of a backup.
    ///
    /// # Errors
    /// When it is none: another path, a link, two files of one name.
    pub fn from_archive(place: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let strange = |what: String| Error::Strange {
            place: place.to_owned(),
            what,
        };
        let mut new = Self::default();
        for entry in tar::Archive::new(bytes).entries()? {
            let mut entry = entry?;
            let path = entry.path()?.into_owned();
            let shown = shown::shown(path.as_os_str().as_encoded_bytes());
            if !entry.header().entry_type().is_file() {
                return Err(strange(format!(
                    "{shown} is not a file, so this is not a backup of a relay"
                )));
            }
            let names: Option<Vec<&str>> = path
                .components()
                .map(|part| match part {
                    std::path::Component::Normal(name) => name.to_str(),
                    _ => None,
                })
                .collect();
            let known = match names.as_deref() {
                Some([name]) => FILES.contains(name),
                Some([folder, ..]) => FOLDERS.contains(folder),
                _ => false,
            };
            if !known || new.files.len() == MOST || entry.size() > LONGEST {
                return Err(strange(format!(
                    "{shown} does not belong in a backup of a relay"
                )));
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            if new.files.insert(path, bytes).is_some() {
                return Err(strange(format!("{shown} is in it twice")));
            }
        }
        if !new.files.contains_key(Path::new(KEY)) {
            return Err(Error::NoRelay {
                place: place.into(),
            });
        }
        Ok(new)
    }

    /// Places it in `data`, for a tor that runs as `uid`. The key that makes it a relay is
    /// written last: a run that was ended halfway can be done again.
    ///
    /// # Errors
    /// When there is a relay already, or it cannot be written or given to that user.
    pub fn place(&self, data: &Path, uid: u32) -> Result<(), Error> {
        if data.join(KEY).try_exists()? {
            return Err(Error::Taken {
                place: data.into(),
                file: KEY.into(),
            });
        }
        folder(data, uid)?;
        let key = Path::new(KEY);
        let order = self.files.iter().filter(|(path, _)| *path != key);
        let last = self.files.get_key_value(key);
        for (path, bytes) in order.chain(last) {
            let mut at = data.to_owned();
            for part in path.parent().into_iter().flat_map(Path::components) {
                at.push(part);
                folder(&at, uid)?;
            }
            let to = data.join(path);
            write_private(&to, bytes, uid)?;
        }
        Ok(())
    }
}

/// Writes a file whole, which only `uid` may read.
pub(super) fn write_private(to: &Path, bytes: &[u8], uid: u32) -> Result<(), Error> {
    let mut temporary = to.to_owned().into_os_string();
    temporary.push(".part");
    let temporary = PathBuf::from(temporary);
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&temporary)?;
    io::Write::write_all(&mut file, bytes)?;
    give(&temporary, uid)?;
    file.sync_all()?;
    fs::rename(&temporary, to)?;
    Ok(())
}

/// Makes a directory that only `uid` may enter, if it is not there.
pub(super) fn folder(path: &Path, uid: u32) -> Result<(), Error> {
    if !path.try_exists()? {
        fs::create_dir_all(path)?;
    }
    fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    give(path, uid)
}

fn give(path: &Path, uid: u32) -> Result<(), Error> {
    let found = fs::metadata(path)?;
    if (found.uid(), found.gid()) == (uid, uid) {
        return Ok(());
    }
    std::os::unix::fs::chown(path, Some(uid), Some(uid)).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Error::Owner {
            place: path.into(),
            me: rustix::process::geteuid().as_raw(),
            uid,
        },
        _ => Error::Io(error),
    })
}

#[cfg(test)]
mod tests;
