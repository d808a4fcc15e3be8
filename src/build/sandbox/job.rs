//! The seam between a recipe and whatever runs it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::error::Error;
use super::mount::Mount;
use super::root::Root;

/// The user and group inside; outside they are whoever runs the build.
pub(super) const USER: u32 = 1000;
/// The host name inside.
pub(super) const HOST_NAME: &str = "relaysmith";

/// One command: a shell script, what it sees and what it may use up.
#[derive(Debug, Clone)]
pub struct Job {
    /// The step's name, for messages.
    pub step: String,
    /// A POSIX shell script; run by `sh -eu` with `/build` as its folder.
    pub script: String,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// The host's folder that is `/build` inside, the one place besides `/tmp` that is
    /// writable.
    pub build: PathBuf,
    /// The programs that it finds.
    pub root: Root,
    /// What else is mounted, all of it read-only.
    pub mounts: Vec<Mount>,
    /// Job tokens (see [`super::jobs`]), `/jobs` inside, when the step may run more than one
    /// process at a time.
    pub tokens: Option<PathBuf>,
    /// Where the output of the command goes.
    pub log: PathBuf,
    /// What the command may use up.
    pub limits: Limits,
}

/// What a command may use up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time by the clock.
    pub time: Duration,
    /// Processes at once.
    pub processes: u64,
    /// Bytes of memory, of all its processes together.
    pub memory: u64,
    /// Bytes of the machine's memory that stay free while it runs, whoever takes the rest: what
    /// the kernel keeps for a process (sockets, pipes, tables) counts for none.
    pub memory_left: u64,
    /// Bytes on the disk: under `/build`, in `/tmp` and `/dev/shm`, in its log, and in files
    /// that were deleted but are still open.
    pub disk: u64,
    /// Bytes in its log.
    pub log: u64,
    /// Processors, for what takes as many threads as it sees and heeds no job tokens;
    /// otherwise all.
    pub processors: Option<usize>,
}

impl Default for Limits {
    /// Several times what the largest component needs on a slow machine; of memory never so much
    /// that the machine itself runs out of it.
    fn default() -> Self {
        Self {
            time: Duration::from_secs(2 * 60 * 60),
            processes: 4096,
            memory: memory_of(machine_memory()),
            memory_left: left_of(machine_memory(), available_memory().unwrap_or(u64::MAX)),
            disk: 8 << 30,
            log: 64 << 20,
            processors: None,
        }
    }
}

/// Bytes of memory in this machine.
fn machine_memory() -> u64 {
    let machine = rustix::system::sysinfo();
    // The fields have other widths on other machines.
    #[allow(clippy::useless_conversion, reason = "see above")]
    u64::from(machine.totalram).saturating_mul(u64::from(machine.mem_unit))
}

/// What a step may take of so much memory: a quarter is left for everything else.
fn memory_of(machine: u64) -> u64 {
    (8 << 30).min(machine / 4 * 3)
}

/// Bytes of memory that this machine could give to programs now, by swapping, too; nothing if it
/// does not say.
pub(super) fn available_memory() -> Option<u64> {
    let text = fs_err::read_to_string("/proc/meminfo").ok()?;
    let kilobytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    Some((kilobytes("MemAvailable:")? + kilobytes("SwapFree:").unwrap_or(0)) * 1024)
}

/// What a step leaves free of so much memory, of which `available` is free before it starts: where
/// little is, it may take most of that.
fn left_of(machine: u64, available: u64) -> u64 {
    (machine / 16).min(available / 4)
}

/// What a command used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Processor time of all its processes, where the engine can tell.
    pub cpu: Option<Duration>,
}

/// Something that runs commands: in namespaces of its own, with no network.
pub trait Sandbox: Sync {
    /// Runs `job` to its end, or until `cancelled` is set: then all its processes are ended.
    /// Returns what it used up.
    ///
    /// # Errors
    /// [`Error::Failed`] when the command itself fails, [`Error::TimedOut`],
    /// [`Error::MemoryFull`], [`Error::DiskFull`] and [`Error::LogFull`] when it uses up more
    /// than it may, [`Error::NoSpace`] when the disk is nearly full, [`Error::Cancelled`] when it was
    /// cancelled, [`Error::Engine`] when it could not be run at all.
    fn run(&self, job: &Job, cancelled: &AtomicBool) -> Result<Used, Error>;
}

/// How many of a log's last lines an error shows.
pub(super) const TAIL_LINES: usize = 25;

/// The last lines of a log, at most `count`.
pub(super) fn tail(log: &Path, count: usize) -> String {
    use std::io::{Read as _, Seek as _, SeekFrom};
    /// More than twenty lines of any compiler's output.
    const WINDOW: u64 = 16 * 1024;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = fs_err::File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(WINDOW)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = text.lines().collect();
            let last = &lines[lines.len().saturating_sub(count)..];
            last.iter()
                .map(|line| format!("  | {line}"))
                .collect::<Vec<_>>()
                .join("\n")
        }
        Err(error) => format!("  | (the log cannot be read: {error})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_leaves_memory_for_the_rest_of_the_machine() {
        assert_eq!(memory_of(2 << 30), 3 << 29);
        assert_eq!(memory_of(64 << 30), 8 << 30);
        let here = Limits::default().memory;
        assert!((1 << 20..=8 << 30).contains(&here), "{here}");
        assert!(here < machine_memory());
        // Where little is free the rest of the machine still gets a part of it.
        assert_eq!(left_of(16 << 30, 8 << 30), 1 << 30);
        assert_eq!(left_of(16 << 30, 1 << 30), 1 << 28);
        assert!(Limits::default().memory_left < available_memory().unwrap());
    }
}
