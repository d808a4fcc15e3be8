//! What the engine tells the processes around a command, and what they tell it.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// More than any script and any list of mounts.
const LONGEST: u64 = 16 << 20;

/// A sandbox and the command in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spec {
    /// The program, by its path inside.
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    /// The whole environment.
    pub(super) env: BTreeMap<String, String>,
    /// The folder in which it starts.
    pub(super) folder: String,
    /// A folder of the host, on which the root file system is mounted.
    pub(super) base: PathBuf,
    pub(super) binds: Vec<Bind>,
    /// Links to make: (what it says, where it is inside).
    pub(super) links: Vec<(String, String)>,
    /// Empty folders to make.
    pub(super) directories: Vec<String>,
    /// Files to make: (where, what is in it).
    pub(super) files: Vec<(String, String)>,
    /// Whom to become before anything else, when the super-user builds.
    pub(super) user: Option<u32>,
    /// A control group to join.
    pub(super) cgroup: Option<PathBuf>,
    /// How many processors it may use.
    pub(super) processors: Option<usize>,
    pub(super) limits: Ceilings,
}

/// A file or folder of the host that is seen inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bind {
    pub(super) host: PathBuf,
    pub(super) inside: String,
    pub(super) writable: bool,
}

/// What the kernel itself enforces; see getrlimit(2) and tmpfs(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ceilings {
    /// Processes of this sandbox.
    pub(super) processes: u64,
    /// Bytes in one file.
    pub(super) file: u64,
    /// Bytes of memory of its own that one process may have.
    pub(super) data: u64,
    /// Bytes in `/tmp`, and again in `/dev/shm`.
    pub(super) scratch: u64,
}

impl Default for Ceilings {
    /// For a program that answers a question.
    fn default() -> Self {
        Self {
            processes: 64,
            file: 1 << 20,
            data: 1 << 30,
            scratch: 1 << 20,
        }
    }
}

/// The end of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    /// The processor time of all its processes.
    pub(super) cpu: Duration,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::build::sandbox) enum Outcome {
    /// The command ended by itself, with this code.
    Exited(i32),
    /// A signal ended it.
    Signalled(i32),
    /// It never ran.
    Engine(String),
}

impl Outcome {
    /// Whether the command ended with 0; an error when it never ran.
    pub(in crate::build::sandbox) fn success(self) -> Result<bool, String> {
        match self {
            Self::Exited(code) => Ok(code == 0),
            Self::Signalled(_) => Ok(false),
            Self::Engine(reason) => Err(reason),
        }
    }
}

/// Sends `message`, with its length before it.
pub(super) fn send(mut to: impl Write, message: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_vec(message)?;
    to.write_all(&(text.len() as u64).to_be_bytes())?;
    to.write_all(&text)
}

/// Receives what [`send`] sent.
pub(super) fn receive<T: DeserializeOwned>(mut from: impl Read) -> io::Result<T> {
    let mut length = [0; 8];
    from.read_exact(&mut length)?;
    let length = u64::from_be_bytes(length);
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut text = Vec::new();
    from.take(length).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_received() {
        let spec = Spec {
            program: "/tools/sh".to_owned(),
            links: vec![("usr/lib".to_owned(), "/lib".to_owned())],
            user: Some(7),
            ..Spec::default()
        };
        let mut bytes = Vec::new();
        send(&mut bytes, &spec).unwrap();
        send(&mut bytes, &Outcome::Exited(3)).unwrap();
        let mut from = &bytes[..];
        assert_eq!(receive::<Spec>(&mut from).unwrap(), spec);
        assert_eq!(receive::<Outcome>(&mut from).unwrap(), Outcome::Exited(3));
        assert!(receive::<Outcome>(&mut from).is_err());
    }
}
