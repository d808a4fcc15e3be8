//! The record of a build: what went in, what each step gave, what came out, as digests that
//! anybody can rebuild and compare.

mod compare;
mod document;
mod report;
mod tree;

use std::io;
use std::path::PathBuf;

pub use compare::{Comparison, ImageParts, Item, Stage, Verdict, compare, compare_images};
pub use document::{Component, ImageRecord, Pin, Record, Toolchain};
pub use tree::{Node, Tree};

/// Why a record or a tree cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A name that cannot be written on a line of text.
    #[error("`{}` cannot be recorded: expected UTF-8 without control characters", path.display())]
    Name {
        /// The path on this machine.
        path: PathBuf,
    },
    /// Something on disk that is no file, directory or link.
    #[error("`{}` is no file, directory or symbolic link", path.display())]
    Special {
        /// The path on this machine.
        path: PathBuf,
    },
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
    #[error("{} has the format {found}, and this program reads {}", path.display(), document::FORMAT)]
    Format {
        /// The record.
        path: PathBuf,
        /// Its format.
        found: u64,
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
    /// What mends it, where something does.
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
