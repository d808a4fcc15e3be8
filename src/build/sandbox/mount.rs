//! What a command sees of the host.

use std::path::PathBuf;

/// A host's file or folder, read-only inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where it is on the host.
    pub host: PathBuf,
    /// Where it is inside; absolute.
    pub inside: String,
}

impl Mount {
    /// `host`, seen as `inside`.
    pub fn new(host: impl Into<PathBuf>, inside: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            inside: inside.into(),
        }
    }
}
