//! Why a patch does not apply.

use std::io;

use crate::unpack::Rule;

/// Why a patch was not applied. Nothing of the tree was changed, unless it is
/// [`Error::Write`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The patch, or a file that it changes, cannot be read.
    #[error("{patch}: cannot be applied")]
    Read {
        /// The patch.
        patch: String,
        /// What the system says; names the file.
        source: io::Error,
    },
    /// The tree cannot be written: part of the patch may be in it.
    #[error("{patch}: cannot be written into the tree")]
    Write {
        /// The patch.
        patch: String,
        /// What the system says; names the file.
        source: io::Error,
    },
    /// The patch does not say what it is for.
    #[error("{patch}: expected some text before its first file that says what it is for")]
    NoHeader {
        /// The patch.
        patch: String,
    },
    /// The patch is not a unified diff, or does more than one can do.
    #[error("{patch}, line {line}: expected {expected}, got {got}")]
    Syntax {
        /// The patch.
        patch: String,
        /// The line of the patch, counted from 1.
        line: usize,
        /// What may stand there.
        expected: String,
        /// What stands there.
        got: String,
    },
    /// The patch names a file by what is no path in the tree.
    #[error("{patch}, line {line}: refused: `{name}` {rule}")]
    Name {
        /// The patch.
        patch: String,
        /// The line of the patch, counted from 1.
        line: usize,
        /// The name, escaped where it is not printable.
        name: String,
        /// What is wrong with it.
        rule: Rule,
    },
    /// What the tree has at a name is not what the patch takes it for.
    #[error("{patch}: `{file}`: expected {expected}, got {got}")]
    File {
        /// The patch.
        patch: String,
        /// The path in the tree.
        file: String,
        /// What the patch takes it for.
        expected: &'static str,
        /// What it is.
        got: &'static str,
    },
    /// A line of the tree is not what the patch says.
    #[error(
        "{patch}: hunk {hunk} does not apply: line {line} of `{file}`: expected {expected}, got {got}"
    )]
    Mismatch {
        /// The patch.
        patch: String,
        /// The path in the tree.
        file: String,
        /// The hunk of that file, counted from 1.
        hunk: usize,
        /// The line of the file, counted from 1.
        line: usize,
        /// What the patch says is there.
        expected: String,
        /// What is there.
        got: String,
    },
}

impl Error {
    /// What fixes it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File { patch, .. } | Self::Mismatch { patch, .. } => Some(format!(
                "the source is not the one that the patch was made for: make `{patch}` anew with \
                 `diff -u` from that source, or drop it if upstream has the change"
            )),
            _ => None,
        }
    }
}

/// A line as an error shows it; `None` is the end of the file.
pub(super) fn shown(line: Option<&[u8]>) -> String {
    let Some(line) = line else {
        return "the end of the file".into();
    };
    let (text, end) = match line.strip_suffix(b"\n") {
        Some(text) => (text, ""),
        None => (line, " without a newline"),
    };
    // Backslashes stay as they are: they are what source text is full of.
    let text: String = String::from_utf8_lossy(text).chars().take(200).collect();
    let text = shown::line(&text);
    format!("`{text}`{end}")
}
