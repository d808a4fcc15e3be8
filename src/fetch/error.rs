//! Every way in which getting a source can fail.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use reqwest::StatusCode;

use crate::base::cache;
use crate::base::digest::Digest;
use crate::pins::{self, Source};

/// What went wrong, with what was expected and what was found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The manifest is wrong, or does not pin what is asked for.
    #[error(transparent)]
    Pins(#[from] pins::Error),

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
        expected: pins::Size,
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

impl Error {
    /// What fixes it, where something does.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Mismatch { .. } => Some("download the file again from upstream".to_owned()),
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
            Self::Pins(error) => error.hint(),
            Self::Io(_) => None,
        }
    }
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
    format!("no origin delivered the pinned bytes:{list}")
}

fn missing(all: &[Missing]) -> String {
    let list = sought(all.iter().map(|one| (&*one.source, &*one.looked)));
    format!("not available without a network:{list}")
}
