//! How much the files of a sandbox take up on the disk, whatever is done to hide them.
//!
//! Folders are entered one from another, so no path is too long. What cannot be looked into is
//! told: no build has a use for it.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use fs_err as fs;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, openat, statat};
use rustix::io::Errno;

/// The unit of `st_blocks`, whatever the file system's own is.
pub(super) const BLOCK: u64 = 512;
/// What a file takes at least, an empty one too: ext4 sets one inode aside for so many bytes.
const LEAST: u64 = 16 * 1024;
/// Deeper folders than any build's, and fewer than this process may have open.
const DEEPEST: usize = 200;
/// More open files and mappings than all processes of a build have together.
const MOST_OPEN: usize = 500_000;

/// Adds up files, each once however many names it has.
#[derive(Default)]
pub(super) struct Files {
    sum: u64,
    seen: BTreeSet<(u64, u64)>,
    device: Option<u64>,
    hidden: Option<String>,
}

impl Files {
    /// The bytes that they take up.
    pub(super) fn sum(&self) -> u64 {
        self.sum
    }

    /// The first that could not be looked into, and why.
    pub(super) fn hidden(self) -> Option<String> {
        self.hidden
    }

    fn hides(&mut self, what: impl FnOnce() -> String) {
        self.hidden.get_or_insert_with(what);
    }

    fn add(&mut self, blocks: u64) {
        self.sum = self.sum.saturating_add(LEAST.max(blocks * BLOCK));
    }

    /// Adds what is in `folder`; what vanishes meanwhile counts nothing.
    pub(super) fn below(&mut self, folder: &Path) {
        self.device = fs::metadata(folder).ok().map(|found| found.dev());
        if let Ok(opened) = open(CWD, folder) {
            self.add_all_in(&opened, &mut Vec::new());
        }
    }

    fn add_all_in(&mut self, folder: &OwnedFd, way: &mut Vec<String>) {
        let Ok(entries) = Dir::read_from(folder) else {
            return;
        };
        for entry in entries {
            let Ok(entry) = entry else { return };
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let found = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) => found,
                Err(error) => {
                    self.hides_folder(way, error);
                    continue;
                }
            };
            let is_folder = FileType::from_raw_mode(found.st_mode) == FileType::Directory;
            if is_folder || found.st_nlink <= 1 || self.seen.insert(identity(&found)) {
                self.add(u64::try_from(found.st_blocks).unwrap_or(0));
            }
            if !is_folder {
                continue;
            }
            way.push(name.to_string_lossy().into_owned());
            match open(folder, name) {
                Ok(_) if way.len() > DEEPEST => {
                    self.hides(|| format!("a folder is more than {DEEPEST} deep"));
                }
                Ok(inner) => self.add_all_in(&inner, way),
                Err(error) => self.hides_folder(way, error),
            }
            way.pop();
        }
    }

    fn hides_folder(&mut self, way: &[String], error: Errno) {
        if error != Errno::NOENT {
            let error = io::Error::from(error);
            let way = way.join("/");
            self.hides(|| format!("the folder `{}`: {error}", shown::shown(way.as_bytes())));
        }
    }

    /// Adds the files on the same disk that have no name any more, but are open or mapped by a
    /// thread of these processes.
    pub(super) fn open_in(&mut self, members: &[u32]) {
        let mut count = 0;
        // Threads may have open files of their own, and outlive the first.
        for thread in members.iter().flat_map(|&pid| threads(pid)) {
            count += self.open_by(&thread) + self.mapped_by(&thread);
            if count > MOST_OPEN {
                self.hides(|| format!("it has more than {MOST_OPEN} open files and mappings"));
                return;
            }
        }
    }

    fn open_by(&mut self, thread: &str) -> usize {
        let entries = match fs::read_dir(format!("{thread}/fd")) {
            Ok(entries) => entries,
            Err(error) => {
                // What has ended shows nothing either, and has nothing open.
                if error.kind() == io::ErrorKind::PermissionDenied && runs(thread) {
                    self.hides(|| format!("the open files of {}: {error}", called(thread)));
                }
                return 0;
            }
        };
        let mut count = 0;
        for entry in entries.flatten() {
            count += 1;
            let Ok(found) = fs::metadata(entry.path()) else {
                continue;
            };
            if found.nlink() == 0
                && Some(found.dev()) == self.device
                && self.seen.insert((found.dev(), found.ino()))
            {
                self.add(found.blocks());
            }
        }
        count
    }

    fn mapped_by(&mut self, thread: &str) -> usize {
        let maps = fs::read(format!("{thread}/maps")).unwrap_or_default();
        let maps = String::from_utf8_lossy(&maps);
        for line in maps.lines() {
            if let Some((device, inode, size)) = mapped_without_name(line)
                && Some(device) == self.device
                && self.seen.insert((device, inode))
            {
                self.add(size / BLOCK);
            }
        }
        maps.lines().count()
    }
}

/// The folders in /proc of the threads of a process.
pub(super) fn threads(pid: u32) -> impl Iterator<Item = String> {
    let all = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten();
    all.flatten()
        .map(move |entry| format!("/proc/{pid}/task/{}", entry.file_name().to_string_lossy()))
}

fn open(at: impl AsFd, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
    openat(at, name, flags, Mode::empty())
}

#[allow(
    clippy::useless_conversion,
    reason = "the fields have other widths on other machines"
)]
fn identity(found: &Stat) -> (u64, u64) {
    (u64::from(found.st_dev), u64::from(found.st_ino))
}

/// The third field of proc_pid_stat(5), after a name in brackets that may hold anything.
fn runs(thread: &str) -> bool {
    let line = fs::read(format!("{thread}/stat")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line);
    let state = line
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// A thread's process, by its name.
fn called(thread: &str) -> String {
    let name = fs::read(format!("{thread}/comm")).unwrap_or_default();
    format!("the process `{}`", shown::shown(name.trim_ascii_end()))
}

/// The device, inode and size of a mapping of a file that has no name any more; a line as
/// proc_pid_maps(5) describes it.
fn mapped_without_name(line: &str) -> Option<(u64, u64, u64)> {
    let line = line.strip_suffix(" (deleted)")?;
    let mut fields = line.split_whitespace();
    let (range, device) = (fields.next()?, fields.nth(2)?);
    let inode = fields.next()?.parse().ok()?;
    let (from, to) = range.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    let (major, minor) = device.split_once(':')?;
    let device = rustix::fs::makedev(
        u32::from_str_radix(major, 16).ok()?,
        u32::from_str_radix(minor, 16).ok()?,
    );
    Some((device, inode, number(to)?.checked_sub(number(from)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_of_a_file_without_a_name_is_seen() {
        for (line, expected) in [
            (
                "7f00-8000 rw-s 00000000 fe:00 4711                       /build/x (deleted)",
                Some((rustix::fs::makedev(0xfe, 0), 4711, 0x100)),
            ),
            (
                "7f00-8000 rw-s 00000000 fe:00 4711                       /build/x",
                None,
            ),
            ("7f00-8000 rw-p 00000000 00:00 0 ", None),
        ] {
            assert_eq!(mapped_without_name(line), expected, "{line}");
        }
    }
}
