//! The programs that make containers.

use std::fmt;
use std::process::Command;

/// A program that makes containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Docker's client; the daemon may be elsewhere.
    Docker,
    /// Podman.
    Podman,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        })
    }
}

impl Program {
    /// The command, to be given its arguments.
    pub(super) fn command(self) -> Command {
        Command::new(self.to_string())
    }
}
