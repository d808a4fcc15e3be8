//! The seam between a recipe and whatever runs it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::Error;
use super::root::Root;

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

/// A host's file or folder, read-only inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where it is on the host.
    pub host: PathBuf,
    /// Where it is inside; absolute.
    pub inside: String,
}

impl Mount {
    /// `host`, seen as `inside`.
    pub fn new(host: impl Into<PathBuf>, inside: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            inside: inside.into(),
        }
    }
}

/// What a command may use up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time by the clock.
    pub time: Duration,
    /// Processes at once.
    pub processes: u64,
    /// Bytes under `/build`.
    pub disk: u64,
    /// Processors, for what takes as many threads as it sees and heeds no job tokens;
    /// otherwise all.
    pub processors: Option<usize>,
}

impl Default for Limits {
    /// Several times what the largest component needs on a slow machine.
    fn default() -> Self {
        Self {
            time: Duration::from_secs(2 * 60 * 60),
            processes: 4096,
            disk: 8 << 30,
            processors: None,
        }
    }
}

/// Something that runs commands: in namespaces of its own, with no network.
pub trait Sandbox: Sync {
    /// Runs `job` to its end, or until `cancelled` is set: then all its processes are ended.
    ///
    /// # Errors
    /// [`Error::Failed`] when the command itself fails, [`Error::TimedOut`] and
    /// [`Error::DiskFull`] when it uses up more than it may, [`Error::Cancelled`] when it was
    /// cancelled, [`Error::Engine`] when it could not be run at all.
    fn run(&self, job: &Job, cancelled: &AtomicBool) -> Result<(), Error>;
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
