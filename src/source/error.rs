//! Every way in which getting a source can fail.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::digest::Digest;

/// What went wrong, with what was expected and what was found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The manifest says something that cannot stand; all findings at once.
    #[error("{}", lines(.0))]
    Manifest(Vec<Finding>),

    /// Nothing of that name is pinned.
    #[error("no source named `{name}` is pinned; there are {}", listed(known))]
    NotPinned {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },

    /// The name is pinned, but not in that version.
    #[error("{name} {version} is not pinned; pinned versions: {}", pinned.join(", "))]
    VersionNotPinned {
        /// The component.
        name: String,
        /// The version asked for.
        version: String,
        /// The versions there are, the default one marked.
        pinned: Vec<String>,
    },

    /// What is pinned runs on other machines only.
    #[error("{name} {version} is not pinned for {machine}; pinned for {}", pinned.join(", "))]
    MachineNotPinned {
        /// The component.
        name: String,
        /// Its version.
        version: String,
        /// The machine at hand, in the words of `uname -m`.
        machine: String,
        /// The machines there are.
        pinned: Vec<String>,
    },

    /// A file is not what its pin says.
    #[error("{} is not {what}: {mismatch}", path.display())]
    Mismatch {
        /// Name and version of the source.
        what: String,
        /// The file.
        path: PathBuf,
        /// How it differs.
        mismatch: Box<Mismatch>,
    },

    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How bytes differ from their pin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Their number differs.
    #[error("expected {expected}, got {got}")]
    Size {
        /// The pinned size.
        expected: super::Size,
        /// The number of bytes, at least: counting stops at the first byte too many.
        got: Bytes,
    },
    /// Their digest differs.
    #[error("expected {expected}, got {got}")]
    Digest {
        /// The pinned digest.
        expected: Digest,
        /// The digest of the bytes.
        got: Digest,
    },
}

/// A number of bytes, to be shown as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}

/// One thing that is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The manifest.
    pub path: PathBuf,
    /// The number of the line, from 1.
    pub line: usize,
    /// The line.
    pub text: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, line, text) = (self.path.display(), self.line, self.text.trim());
        write!(f, "{path}:{line}: {}", self.message)?;
        write!(f, "\n  {line} | {text}\n  help: {}", self.help)
    }
}

impl Error {
    /// What mends it, where something does.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::VersionNotPinned { name, .. } => Some(format!(
                "choose one of these, or add a `[[source]]` for {name} with its digest to sources.toml"
            )),
            Self::Mismatch { .. } => Some("get the file again from upstream".to_owned()),
            Self::Manifest(_)
            | Self::NotPinned { .. }
            | Self::MachineNotPinned { .. }
            | Self::Io(_) => None,
        }
    }
}

fn lines(items: &[impl fmt::Display]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join("\n")
}

fn listed(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
