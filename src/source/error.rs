//! Every way in which getting a source can fail.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::StatusCode;

use super::Source;
use crate::cache;
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
        mismatch: Mismatch,
    },

    /// No origin delivered what is pinned.
    #[error("{}", unfetched(.0))]
    Unfetched(Vec<Unfetched>),

    /// Something is missing and the network may not be used.
    #[error("{}", missing(.0))]
    Missing(Vec<Missing>),

    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] cache::Error),

    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A source that no origin delivered.
#[derive(Debug)]
pub struct Unfetched {
    /// The source.
    pub source: Arc<Source>,
    /// Where it was sought, in order.
    pub attempts: Vec<Attempt>,
}

/// One place where a source was sought in vain.
#[derive(Debug)]
pub struct Attempt {
    /// An address, a path, or an origin as the manifest writes it.
    pub place: String,
    /// Why it came to nothing.
    pub reason: Reason,
}

/// A source that is not here.
#[derive(Debug)]
pub struct Missing {
    /// The source.
    pub source: Arc<Source>,
    /// Where it was looked for.
    pub looked: Vec<Attempt>,
}

/// Why a place did not deliver.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// There is no such file.
    #[error("no such file")]
    Absent,
    /// The server answers with an error status.
    #[error("the server says {}", status(*.0))]
    Status(u16),
    /// No connection.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// No certificate that can be trusted, or no common protocol.
    #[error("TLS: {0}")]
    Tls(String),
    /// A redirect that is not followed.
    #[error("{0}")]
    Redirect(String),
    /// Nothing came for too long.
    #[error("the server stopped answering")]
    TimedOut,
    /// The transfer broke, again and again.
    #[error("the transfer broke: {0}")]
    Interrupted(String),
    /// The page is longer than any of its kind.
    #[error("it sends more than {0} bytes")]
    TooLong(u64),
    /// It delivered something else.
    #[error("{0}")]
    Mismatch(#[from] Mismatch),
    /// This machine has no such origin.
    #[error("{0}")]
    Unavailable(String),
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
        expected: Box<Digest>,
        /// The digest of the bytes.
        got: Box<Digest>,
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

impl Finding {
    /// A finding at what stands from byte `at` on in the `text` of the file `path`.
    pub(crate) fn at(
        path: &Path,
        text: &str,
        at: usize,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let index = before.matches('\n').count();
        Self {
            path: path.to_owned(),
            line: index + 1,
            text: text.lines().nth(index).unwrap_or_default().to_owned(),
            message: message.into(),
            help: help.into(),
        }
    }
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
            Self::Unfetched(_) => Some(
                "try again later, or put the files into a directory and name it with \
                 `--source-dir`"
                    .to_owned(),
            ),
            Self::Missing(_) => Some(
                "run `cargo xtask fetch` once with a network, or put the files into a directory \
                 and name it with `--source-dir`"
                    .to_owned(),
            ),
            Self::Cache(error) => error.hint(),
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

fn status(code: u16) -> String {
    let known = StatusCode::from_u16(code).ok();
    let words = known.and_then(|known| known.canonical_reason());
    words.map_or_else(|| code.to_string(), |words| format!("{code} {words}"))
}

/// What could not be had, and under it each place with its reason.
fn sought<'a>(items: impl Iterator<Item = (&'a Source, &'a [Attempt])>) -> String {
    let mut text = String::new();
    for (source, attempts) in items {
        text += &format!("\n  {source}: {}, {}", source.file, source.size);
        for Attempt { place, reason } in attempts {
            text += &format!("\n    {place}: {reason}");
        }
    }
    text
}

fn unfetched(all: &[Unfetched]) -> String {
    let list = sought(all.iter().map(|one| (&*one.source, &*one.attempts)));
    format!("no origin delivered what is pinned:{list}")
}

fn missing(all: &[Missing]) -> String {
    let list = sought(all.iter().map(|one| (&*one.source, &*one.looked)));
    format!("without a network these cannot be had:{list}")
}
