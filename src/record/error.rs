//! Why a record cannot be read or written.

use std::io;
use std::path::PathBuf;

/// Why a record cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A record that does not have the fields it should.
    #[error("{}:{line}: {problem}: `{text}`", path.display())]
    Parse {
        /// The record.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is on it.
        text: String,
        /// What is wrong.
        problem: String,
    },
    /// A record of another format.
    #[error("{} has the format {found}, and this program reads {reads}", path.display())]
    Format {
        /// The record.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The one format that is read.
        reads: u64,
    },
    /// A record that says one thing twice, or that does not agree with itself.
    #[error("{} contradicts itself: {problem}", path.display())]
    Contradiction {
        /// The record.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

impl Error {
    /// What fixes it, where something does.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Parse { path, .. } | Self::Contradiction { path, .. } => Some(format!(
                "take the file as it was published (`git checkout -- {}`), or write it anew with `cargo xtask build-image --record`",
                path.display()
            )),
            Self::Format { .. } => Some("update relaysmith".into()),
            _ => None,
        }
    }
}
