//! The store of downloads: one file for each digest, whole or not at all.
//!
//! `downloads/<algorithm>/<hex>` is complete: it was hashed before it got that name.
//! `<hex>.part` is what has arrived so far, kept to go on from; `<hex>.lock` makes
//! processes that want the same file take turns.

use std::fs::TryLockError;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err as fs;
use fs_err::File;

use super::error::{Bytes, Error, Mismatch};
use super::fetched::{Fetched, compare};
use super::location::Location;
use crate::base::cache::Cache;
use crate::base::digest::{Digest, Hasher};
use crate::base::replace;
use crate::pins::Source;

/// The downloads in a cache.
#[derive(Debug, Clone)]
pub(super) struct Downloads {
    cache: Cache,
}

/// What the store has of a source.
pub(super) enum Stored {
    /// Nothing.
    Absent,
    /// The file, hashed just now.
    Sound(Fetched),
    /// A file that is not what its name says.
    Corrupted(Mismatch),
}

impl Downloads {
    pub(super) fn new(cache: Cache) -> Self {
        Self { cache }
    }

    /// Where a file of that digest is kept.
    pub(super) fn path(&self, digest: &Digest) -> Result<PathBuf, Error> {
        let directory = format!("downloads/{}", digest.algorithm());
        Ok(self.cache.directory(&directory)?.join(digest.hex()))
    }

    /// Looks for a source and hashes what is there.
    pub(super) fn get(&self, source: &Arc<Source>) -> Result<Stored, Error> {
        let path = self.path(&source.digest)?;
        match Fetched::check(source, &path) {
            Ok(fetched) => Ok(Stored::Sound(fetched)),
            Err(Error::Mismatch { mismatch, .. }) => Ok(Stored::Corrupted(mismatch)),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(Stored::Absent),
            Err(error) => Err(error),
        }
    }

    /// Takes the source's entry for this thread alone; calls `waiting` if it has to wait
    /// for another.
    pub(super) fn lock(
        &self,
        source: &Arc<Source>,
        waiting: impl FnOnce(),
    ) -> Result<Entry, Error> {
        let path = self.path(&source.digest)?;
        let lock = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(suffixed(&path, ".lock"))?;
        let locked = match lock.file().try_lock() {
            Err(TryLockError::WouldBlock) => {
                waiting();
                lock.file().lock()
            }
            Err(TryLockError::Error(error)) => Err(error),
            Ok(()) => Ok(()),
        };
        locked.map_err(|error| named(&lock, &error))?;
        Ok(Entry {
            source: Arc::clone(source),
            path,
            _lock: lock,
        })
    }
}

fn named(file: &File, error: &io::Error) -> io::Error {
    let message = format!("cannot lock {}: {error}", file.path().display());
    io::Error::new(error.kind(), message)
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// One source's place in the store, held by one thread until it is dropped.
pub(super) struct Entry {
    source: Arc<Source>,
    path: PathBuf,
    _lock: File,
}

impl Entry {
    /// Removes a corrupted file.
    pub(super) fn discard(&self) -> Result<(), Error> {
        Ok(fs::remove_file(&self.path)?)
    }

    /// Opens the entry for what arrives, after what has arrived before.
    pub(super) fn incoming(self) -> Result<Incoming, Error> {
        let mut file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(suffixed(&self.path, ".part"))?;
        let mut hasher = Hasher::like(&self.source.digest);
        let mut length = 0;
        let mut buffer = vec![0; 1 << 17];
        loop {
            let count = file.read(&mut buffer)?;
            hasher.update(&buffer[..count]);
            length += count as u64;
            if count == 0 || length > self.source.size.most() {
                break;
            }
        }
        let mut incoming = Incoming {
            entry: self,
            file,
            hasher,
            length,
        };
        if length > incoming.entry.source.size.most() {
            incoming.restart()?;
        }
        Ok(incoming)
    }
}

/// A file on its way into the store, hashed as it grows.
pub(super) struct Incoming {
    entry: Entry,
    file: File,
    hasher: Hasher,
    length: u64,
}

/// What became of a write.
#[derive(Debug)]
pub(super) enum Written {
    /// It is on disk.
    Taken,
    /// It would make the file longer than its pin allows; nothing was written.
    TooLong(Mismatch),
}

impl Incoming {
    /// The source that is arriving.
    pub(super) fn source(&self) -> &Arc<Source> {
        &self.entry.source
    }

    /// How many bytes are here.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Forgets what has arrived.
    pub(super) fn restart(&mut self) -> Result<(), Error> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.hasher = Hasher::like(&self.entry.source.digest);
        self.length = 0;
        Ok(())
    }

    /// Takes the next bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<Written, Error> {
        let length = self.length + bytes.len() as u64;
        if length > self.entry.source.size.most() {
            return Ok(Written::TooLong(self.wrong_size(length)));
        }
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.length = length;
        Ok(Written::Taken)
    }

    /// How a file of `length` bytes differs from the pin.
    pub(super) fn wrong_size(&self, length: u64) -> Mismatch {
        Mismatch::Size {
            expected: self.entry.source.size,
            got: Bytes(length),
        }
    }

    /// Compares what has arrived with the pin.
    pub(super) fn check(&self) -> Result<(), Mismatch> {
        compare(self.source(), self.length, self.hasher.clone().finish())
    }

    /// Gives the file its final name, if it is what it should be.
    ///
    /// The bytes reach the disk before the name does: after a power cut there is either
    /// no file of that name or a whole one.
    pub(super) fn keep(mut self, from: Location) -> Result<Fetched, Error> {
        if let Err(mismatch) = self.check() {
            self.restart()?;
            return Err(Error::Mismatch {
                what: self.source().to_string(),
                path: self.file.path().to_owned(),
                mismatch,
            });
        }
        self.file.sync_all()?;
        let Entry { source, path, .. } = &self.entry;
        fs::rename(self.file.path(), path)?;
        if let Some(directory) = path.parent() {
            replace::sync(directory)?;
        }
        let hashed = (self.length, self.hasher.clone().finish());
        Fetched::new(source, path, hashed, Some(from)).map_err(|mismatch| Error::Mismatch {
            what: source.to_string(),
            path: path.clone(),
            mismatch,
        })
    }
}
