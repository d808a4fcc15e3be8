//! What can go wrong around a build command.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::containers::Program;

/// A command could not be run, or did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The host lacks programs that the build needs.
    #[error("this host lacks {}, which the build needs", .missing.join(", "))]
    MissingTools {
        /// The programs' names.
        missing: Vec<String>,
    },
    /// The Alpine root lacks programs that the build needs.
    #[error("the Alpine root lacks {}, which the build needs", .missing.join(", "))]
    AlpineLacks {
        /// The programs' names.
        missing: Vec<String>,
    },
    /// The kernel does not let this user make a sandbox.
    #[error("the sandbox cannot be made: {reason}")]
    NoNamespaces {
        /// What the kernel or the engine said.
        reason: String,
        /// The setting that forbids it and what to do about it.
        hint: String,
    },
    /// A container engine does not work here.
    #[error("{program}: {reason}")]
    NoEngine {
        /// The engine.
        program: Program,
        /// What it said.
        reason: String,
        /// What to do about it.
        hint: String,
    },
    /// The host's own programs were asked for in a container, where they are not.
    #[error("{program} cannot build with the host's own programs (`--root host`)")]
    HostInContainer {
        /// The engine.
        program: Program,
    },
    /// A file or folder around the sandbox could not be used.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The engine failed, as opposed to the command inside it.
    #[error("{step}: the sandbox failed: {reason}")]
    Engine {
        /// The step that was to run.
        step: String,
        /// What the engine said.
        reason: String,
    },
    /// The command ended with an error.
    #[error("{step}: the build failed ({reason}); the last lines of {}:\n{tail}", .log.display())]
    Failed {
        /// The step.
        step: String,
        /// The exit code or signal.
        reason: String,
        /// The whole log.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// The command was ended because another step had failed.
    #[error("{step}: stopped before it was done")]
    Cancelled {
        /// The step.
        step: String,
    },
    /// The command ran for longer than it may.
    #[error("{step}: stopped after {} s, its time limit; the log is {}", .limit.as_secs(), .log.display())]
    TimedOut {
        /// The step.
        step: String,
        /// The time it had.
        limit: Duration,
        /// The whole log.
        log: PathBuf,
    },
    /// The command took more memory than it may.
    #[error("{step}: stopped because it used more than {limit} bytes of memory, its limit; the log is {}", .log.display())]
    MemoryFull {
        /// The step.
        step: String,
        /// The most it may take, in bytes.
        limit: u64,
        /// The engine, if its containers have their files in memory, too.
        program: Option<Program>,
        /// The whole log.
        log: PathBuf,
    },
    /// The machine's memory is nearly used up, whoever uses it.
    #[error("{step}: stopped because only {free} bytes of the machine's memory are free, and {least} must be; the log is {}", .log.display())]
    NoMemory {
        /// The step.
        step: String,
        /// What is free, in bytes.
        free: u64,
        /// What a step leaves free, in bytes.
        least: u64,
        /// The whole log.
        log: PathBuf,
    },
    /// The command keeps something where its size cannot be seen.
    #[error("{step}: stopped because it hides what it writes: {what}; the log is {}", .log.display())]
    Hides {
        /// The step.
        step: String,
        /// What cannot be looked into, and why.
        what: String,
        /// The whole log.
        log: PathBuf,
    },
    /// The command printed more than it may.
    #[error("{step}: stopped because it printed more than {limit} bytes, its limit; the log is {}", .log.display())]
    LogFull {
        /// The step.
        step: String,
        /// The most it may print, in bytes.
        limit: u64,
        /// Its log, up to there.
        log: PathBuf,
    },
    /// The disk is nearly full, whoever filled it.
    #[error("{step}: stopped because only {free} bytes are free where {} is", .folder.display())]
    NoSpace {
        /// The step.
        step: String,
        /// What it builds in.
        folder: PathBuf,
        /// What is free there, in bytes.
        free: u64,
    },
    /// The command filled its folder beyond what it may.
    #[error("{step}: stopped because it wrote more than {limit} bytes, its limit; the log is {}", .log.display())]
    DiskFull {
        /// The step.
        step: String,
        /// The most it may write, in bytes.
        limit: u64,
        /// The engine, if its containers have their files in memory.
        program: Option<Program>,
        /// The whole log.
        log: PathBuf,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::MissingTools { missing } => Some(format!(
                "install them, on Debian or Ubuntu with `sudo apt-get install {}`, on Alpine with `apk add {}`",
                packages(missing),
                packages(missing),
            )),
            Self::NoNamespaces { hint, .. } | Self::NoEngine { hint, .. } => Some(hint.clone()),
            Self::HostInContainer { .. } => {
                Some("leave out `--root`, or build with `--root alpine`".to_owned())
            }
            Self::MemoryFull {
                program: Some(program),
                log,
                ..
            }
            | Self::DiskFull {
                program: Some(program),
                log,
                ..
            } => Some(format!(
                "{program} keeps a step's files in memory: build with `--engine namespaces`, \
                 which keeps them on disk, or on a machine with more memory; the whole log is {}",
                log.display()
            )),
            Self::Failed { log, .. }
            | Self::TimedOut { log, .. }
            | Self::MemoryFull { log, .. }
            | Self::Hides { log, .. }
            | Self::LogFull { log, .. }
            | Self::DiskFull { log, .. } => Some(format!("the whole log is {}", log.display())),
            Self::NoMemory { .. } => Some(
                "stop other programs that use memory, or build fewer steps at a time with `--jobs 1`"
                    .to_owned(),
            ),
            Self::NoSpace { folder, .. } => Some(format!(
                "free some space: `df -h {}` shows how much there is",
                folder.display()
            )),
            Self::AlpineLacks { .. } => {
                Some("use a version of Alpine that is pinned in `sources.toml`".to_owned())
            }
            Self::Io(_) | Self::Engine { .. } | Self::Cancelled { .. } => None,
        }
    }
}

/// The packages that hold `tools`: most are named as the tool, the small ones share theirs.
fn packages(tools: &[String]) -> String {
    let mut packages: Vec<&str> = tools
        .iter()
        .map(|tool| match tool.as_str() {
            "make" | "perl" | "sed" | "grep" => tool,
            "awk" => "mawk",
            "find" | "xargs" => "findutils",
            "cmp" | "diff" => "diffutils",
            "sh" => "dash",
            _ => "coreutils",
        })
        .collect();
    packages.sort_unstable();
    packages.dedup();
    packages.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_names_packages_once() {
        let missing = ["make", "cp", "ls", "awk"].map(str::to_owned).to_vec();
        let hint = Error::MissingTools { missing }.hint().unwrap();
        assert!(
            hint.contains("`sudo apt-get install coreutils make mawk`"),
            "{hint}"
        );
    }
}
