//! How well a file is vouched for.

use std::fmt;

use serde::{Serialize, Serializer};

/// The kinds of evidence for a file, the weakest first. Each input ends at one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Rung {
    /// The pinned digest is all there is.
    #[default]
    Digest,
    /// Two publishers, neither of whom has it from the other, deliver the same files.
    Publishers,
    /// A Debian developer signed a `.dsc` that lists the very file.
    Debian,
    /// Upstream signed the git tag whose tree holds every file that is used.
    Tag,
    /// Upstream signed the file, or a list of checksums that names it.
    Upstream,
}

impl Rung {
    /// All of them, the weakest first.
    pub const ALL: [Self; 5] = [
        Self::Digest,
        Self::Publishers,
        Self::Debian,
        Self::Tag,
        Self::Upstream,
    ];

    /// The name that `sources.toml` uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::Publishers => "publishers",
            Self::Debian => "debian",
            Self::Tag => "tag",
            Self::Upstream => "upstream",
        }
    }
}

impl fmt::Display for Rung {
    /// In words for people: `signed by a Debian developer`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digest => "digest only",
            Self::Publishers => "two independent publishers",
            Self::Debian => "signed by a Debian developer",
            Self::Tag => "signed tag",
            Self::Upstream => "signed by upstream",
        })
    }
}

impl Serialize for Rung {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
