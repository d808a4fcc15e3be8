//! A tree in the making: written under another name beside its place, moved there when whole.

use std::collections::HashSet;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fs_err::os::unix::fs::{OpenOptionsExt, symlink};
use fs_err::{File, OpenOptions};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Timespec, Timestamps};

use super::catalogue::{Name, Symlink};

/// The directory that becomes the tree. Dropping it unfinished removes it.
///
/// Nobody else may enter it before the end, and links are made last: while files are
/// written, nothing on disk could lead elsewhere.
#[derive(Debug)]
pub(super) struct Staging {
    /// Where the tree is to be.
    dest: PathBuf,
    /// Where it is written: `.<name>.unpacking` beside `dest`.
    root: PathBuf,
    /// The locked directory `root`; the lock ends when this is dropped.
    lock: File,
    /// All directories but the root; each after those above it.
    directories: Vec<String>,
    known: HashSet<String>,
    hard_links: Vec<(Name, Name)>,
    times: Timestamps,
}

impl Staging {
    /// Begins a tree that is to be at `dest`, with `epoch` (seconds since 1970) as the time
    /// of all that is in it. `None` if there is something at `dest` already.
    ///
    /// The name is always the same, so that what a killed run left is found and removed. A
    /// lock tells it from what another process is writing, which this waits for.
    pub(super) fn begin(dest: &Path, epoch: u64) -> io::Result<Option<Self>> {
        let file_name = dest.file_name().unwrap_or_default().to_string_lossy();
        let root = dest.with_file_name(format!(".{file_name}.unpacking"));
        let lock = lock_directory(&root)?;
        let time = Timespec {
            tv_sec: i64::try_from(epoch).unwrap_or(i64::MAX),
            tv_nsec: 0,
        };
        let staging = Self {
            dest: dest.to_owned(),
            root,
            lock,
            directories: Vec::new(),
            known: HashSet::new(),
            hard_links: Vec::new(),
            times: Timestamps {
                last_access: time,
                last_modification: time,
            },
        };
        if dest.symlink_metadata().is_ok() {
            return Ok(None);
        }
        for left in fs_err::read_dir(&staging.root)? {
            let left = left?;
            if left.file_type()?.is_dir() {
                fs_err::remove_dir_all(left.path())?;
            } else {
                fs_err::remove_file(left.path())?;
            }
        }
        Ok(Some(staging))
    }

    /// Makes a directory, and those above it, unless they are there.
    pub(super) fn directory(&mut self, name: &str) -> io::Result<()> {
        if name.is_empty() || self.known.contains(name) {
            return Ok(());
        }
        if let Some((above, _)) = name.rsplit_once('/') {
            self.directory(above)?;
        }
        fs_err::create_dir(self.root.join(name))?;
        self.known.insert(name.to_owned());
        self.directories.push(name.to_owned());
        Ok(())
    }

    /// Creates a file in a directory that was made before.
    pub(super) fn create(&self, name: &Name) -> io::Result<NewFile> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.root.join(name.as_str()))?;
        let times = self.times.clone();
        Ok(NewFile { file, times })
    }

    /// Notes a hard link to a file; [`Staging::finish`] makes it.
    pub(super) fn hard_link(&mut self, name: Name, file: Name) {
        self.hard_links.push((name, file));
    }

    /// Makes the links, sets modes and times and moves the tree to its place.
    pub(super) fn finish(mut self, symlinks: &[&Symlink]) -> io::Result<()> {
        for (name, file) in std::mem::take(&mut self.hard_links) {
            self.directory(name.parent())?;
            fs_err::hard_link(self.root.join(file.as_str()), self.root.join(name.as_str()))?;
        }
        for link in symlinks {
            self.directory(link.name.parent())?;
        }
        for link in symlinks {
            let path = self.root.join(link.name.as_str());
            symlink(&link.target, &path)?;
            self.set_times(&path)?;
        }
        // Innermost first: an entry made in a directory changes its time.
        for name in self.directories.iter().rev() {
            self.settle(&self.root.join(name))?;
        }
        self.settle(&self.root)?;
        fs_err::rename(&self.root, &self.dest)
    }

    /// Gives a finished directory its mode and time.
    fn settle(&self, directory: &Path) -> io::Result<()> {
        rustix::fs::chmod(directory, Mode::from_raw_mode(0o755))
            .map_err(|errno| at(directory, errno))?;
        self.set_times(directory)
    }

    fn set_times(&self, path: &Path) -> io::Result<()> {
        rustix::fs::utimensat(CWD, path, &self.times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| at(path, errno))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // After `finish` the name is gone, or another process's: only this one's own
        // directory is removed. A failure here leaves what the next run removes.
        if is_at(&self.lock, &self.root) {
            let _ = fs_err::remove_dir_all(&self.root);
        }
    }
}

/// A file of the tree in the making.
#[derive(Debug)]
pub(super) struct NewFile {
    file: File,
    times: Timestamps,
}

impl NewFile {
    /// Appends bytes.
    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Gives the written file its mode and time.
    pub(super) fn finish(self, executable: bool) -> io::Result<()> {
        let mode = if executable { 0o755 } else { 0o644 };
        rustix::fs::fchmod(&self.file, Mode::from_raw_mode(mode))
            .and_then(|()| rustix::fs::futimens(&self.file, &self.times))
            .map_err(|errno| at(self.file.path(), errno))
    }
}

/// Makes the directory `path`, or takes over one that was left, and locks it.
fn lock_directory(path: &Path) -> io::Result<File> {
    loop {
        match fs_err::create_dir(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let directory = match OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(path)
        {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            directory => directory?,
        };
        let locked = directory.lock();
        locked.map_err(|error| at(path, error))?;
        // Whoever had the lock before has moved or removed the directory by now, unless
        // it was killed.
        if is_at(&directory, path) {
            rustix::fs::fchmod(&directory, Mode::from_raw_mode(0o700))
                .map_err(|errno| at(path, errno))?;
            return Ok(directory);
        }
    }
}

/// Whether `path` names the open `directory`.
fn is_at(directory: &File, path: &Path) -> bool {
    match (directory.metadata(), path.symlink_metadata()) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// An error that names its file, as `fs_err` makes them.
fn at(path: &Path, error: impl Into<io::Error>) -> io::Error {
    let error = error.into();
    io::Error::new(error.kind(), format!("{error} on `{}`", path.display()))
}
