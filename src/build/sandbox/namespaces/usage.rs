//! What a command uses up, seen from outside: memory, disk, its log.
//!
//! The kernel's own limits are for one process or one file; these are for all of them. Files
//! without a name count while something has them open, and so do those in memory.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use fs_err as fs;
use rustix::fs::statvfs;

use super::super::job::available_memory;
use super::super::{Error, Job};
use super::files::{BLOCK, Files, threads};

/// How often memory and the log are looked at.
const LOOK: Duration = Duration::from_millis(400);
/// How often the sizes of all files are added up, at the most.
const ADD_UP: Duration = Duration::from_secs(1);
/// Adding up takes at most this part of the time.
const SHARE: u32 = 50;
/// What a build leaves free on the disk, whatever it may take: others need some.
const LEAVE_FREE: u64 = 256 << 20;
/// The most that is read of an answer.
const ANSWER: u64 = 1 << 20;

/// Watches one command.
pub(super) struct Usage<'a> {
    job: &'a Job,
    keeper: u32,
    next_look: Instant,
    next_sum: Instant,
    /// What was free on the disk when sizes were added up, and how much of it may go before they
    /// have to be again.
    free: u64,
    left: u64,
    /// What could not be looked into then. A script may close a folder for a moment.
    hidden: Option<String>,
}

impl<'a> Usage<'a> {
    /// `keeper` is the process of which all of the sandbox descend.
    pub(super) fn new(job: &'a Job, keeper: u32) -> Self {
        let now = Instant::now();
        Self {
            job,
            keeper,
            next_look: now + LOOK,
            next_sum: now + ADD_UP,
            free: 0,
            left: u64::MAX,
            hidden: None,
        }
    }

    /// What is too much, if it is time to look.
    pub(super) fn look(&mut self) -> Option<Error> {
        if let Some(error) = self.memory_left() {
            return Some(error);
        }
        let now = Instant::now();
        if now < self.next_look {
            return None;
        }
        self.next_look = now + LOOK;
        let members = members(self.keeper);
        let (step, log) = (self.job.step.clone(), self.job.log.clone());
        if members.iter().map(|&pid| memory_of(pid)).sum::<u64>() > self.job.limits.memory {
            return Some(Error::MemoryFull {
                step,
                limit: self.job.limits.memory,
                program: None,
                log,
            });
        }
        if let Some(error) = self.log_or_disk() {
            return Some(error);
        }
        let written = self.free.saturating_sub(self.free_space());
        if now < self.next_sum && written <= self.left {
            return None;
        }
        self.add_up(&members)
    }

    /// Adds up what the files take.
    fn add_up(&mut self, members: &[u32]) -> Option<Error> {
        let started = Instant::now();
        self.free = self.free_space();
        let mut files = Files::default();
        files.below(&self.job.build);
        files.open_in(members);
        let sum = in_memory(members) + files.sum() + self.log_size();
        let took = started.elapsed();
        let now = Instant::now();
        self.next_sum = now + ADD_UP.max(took * SHARE);
        // As soon as so much is gone, but never without a pause.
        self.next_look = now + LOOK.max(took);
        let Some(left) = self.job.limits.disk.checked_sub(sum) else {
            return Some(self.disk_full());
        };
        self.left = left;
        let before = std::mem::replace(&mut self.hidden, files.hidden());
        let what = before.filter(|before| self.hidden.as_ref() == Some(before))?;
        let (step, log) = (self.job.step.clone(), self.job.log.clone());
        Some(Error::Hides { step, what, log })
    }

    fn memory_left(&self) -> Option<Error> {
        let (free, least) = (available_memory()?, self.job.limits.memory_left);
        (free < least).then(|| Error::NoMemory {
            step: self.job.step.clone(),
            free,
            least,
            log: self.job.log.clone(),
        })
    }

    /// What was too much when it ended, however fast that was.
    pub(super) fn at_the_end(&self) -> Option<Error> {
        let mut files = Files::default();
        files.below(&self.job.build);
        match files.sum() + self.log_size() > self.job.limits.disk {
            true => Some(self.disk_full()),
            false => self.log_or_disk(),
        }
    }

    /// Cuts the log where it became too long.
    pub(super) fn shorten_log(&self) -> io::Result<()> {
        if self.log_size() > self.job.limits.log {
            let log = fs::OpenOptions::new().write(true).open(&self.job.log)?;
            log.set_len(self.job.limits.log)?;
        }
        Ok(())
    }

    /// What the log takes, also behind its end.
    fn log_size(&self) -> u64 {
        fs::metadata(&self.job.log).map_or(0, |found| found.len().max(found.blocks() * BLOCK))
    }

    fn free_space(&self) -> u64 {
        statvfs(&self.job.build).map_or(u64::MAX, |found| found.f_bavail * found.f_frsize)
    }

    fn log_or_disk(&self) -> Option<Error> {
        let (step, log) = (self.job.step.clone(), self.job.log.clone());
        if self.log_size() > self.job.limits.log {
            let limit = self.job.limits.log;
            return Some(Error::LogFull { step, limit, log });
        }
        let free = self.free_space();
        (free < LEAVE_FREE).then(|| Error::NoSpace {
            step,
            folder: self.job.build.clone(),
            free,
        })
    }

    fn disk_full(&self) -> Error {
        Error::DiskFull {
            step: self.job.step.clone(),
            limit: self.job.limits.disk,
            program: None,
            log: self.job.log.clone(),
        }
    }
}

/// The processes that descend from `ancestor`, as their files in /proc tell.
fn members(ancestor: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        if let Some(parent) = parent_of(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let (mut found, mut next) = (Vec::new(), vec![ancestor]);
    while let Some(pid) = next.pop() {
        let below = children.remove(&pid).unwrap_or_default();
        found.extend(&below);
        next.extend(below);
    }
    found
}

/// The fourth field of proc_pid_stat(5); the second, a name in brackets, may hold anything.
fn parent_of(pid: u32) -> Option<u32> {
    let line = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let line = String::from_utf8_lossy(&line).into_owned();
    let (_, rest) = line.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

/// The bytes of memory that are a process's own, or files in memory that it maps.
fn memory_of(pid: u32) -> u64 {
    let of = |folder: &str| {
        let status = fs::read(format!("{folder}/status")).unwrap_or_default();
        let status = String::from_utf8_lossy(&status).into_owned();
        let kilobytes = status.lines().filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            let counts = ["RssAnon", "RssShmem", "VmSwap", "VmPTE"].contains(&name);
            counts.then(|| value.split_whitespace().next()?.parse::<u64>().ok())?
        });
        kilobytes.sum::<u64>() * 1024
    };
    match of(&format!("/proc/{pid}")) {
        // Its first thread has ended, and may have left others, which have one memory.
        0 => threads(pid).map(|thread| of(&thread)).max().unwrap_or(0),
        bytes => bytes,
    }
}

/// What the file systems in memory hold; the process namespace's first process shows them.
fn in_memory(members: &[u32]) -> u64 {
    let of = |pid: &u32| {
        let used = |at: &str| {
            let found = statvfs(format!("/proc/{pid}/root{at}")).ok()?;
            Some((found.f_blocks - found.f_bfree) * found.f_frsize)
        };
        Some(used("/tmp")? + used("/dev/shm")?)
    };
    members.iter().find_map(of).unwrap_or(0)
}

/// The beginning of what was written to `file`.
pub(super) fn beginning(mut file: impl Read + Seek) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(ANSWER).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_descends_from_its_parent() {
        let this = std::process::id();
        let parent = parent_of(this).unwrap();
        assert!(members(parent).contains(&this));
        assert!(memory_of(this) > 100_000);
    }
}
