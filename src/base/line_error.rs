//! What is wrong on a line of a file that people edit.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong with a file of the project, and the line it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    /// The file.
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

impl LineError {
    /// What is wrong at what stands from byte `at` on in the `text` of the file `path`.
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

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, line, text) = (self.path.display(), self.line, self.text.trim());
        write!(f, "{path}:{line}: {}", self.message)?;
        write!(f, "\n  {line} | {text}\n  help: {}", self.help)
    }
}
