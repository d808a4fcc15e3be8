//! One pinned input.

use std::fmt;

use super::{Origin, Rung};
use crate::base::digest::Digest;

/// One pinned input: a tarball, a crate or a wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The component's name: `tor`, `openssl`, `zig`.
    pub name: String,
    /// Upstream's version.
    pub version: String,
    /// The machine it runs on, in the words of `uname -m`; absent for source text.
    pub machine: Option<String>,
    /// Upstream's file name; the ending says how it is packed.
    pub file: String,
    /// The digest of the file.
    pub digest: Digest,
    /// The size of the file.
    pub size: Size,
    /// The most bytes it may unpack to.
    pub unpacked: u64,
    /// When upstream released it, in seconds since 1970: tor's is `SOURCE_DATE_EPOCH`.
    pub released: Option<u64>,
    /// The license as an SPDX expression.
    pub license: String,
    /// How upstream signs it.
    pub signature: Signature,
    /// What else vouches for it.
    pub evidence: Evidence,
    /// Patches to apply after unpacking, in order: files under `patches/<name>/`.
    pub patches: Vec<String>,
    /// Where it may be found, in the order to try.
    pub origins: Vec<Origin>,
}

impl fmt::Display for Source {
    /// Name and version, such as `tor 0.4.9.11`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// The size of a file in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Known, because somebody had the file.
    Exactly(u64),
    /// Only the digest is known, from upstream's signed checksum; no more than this.
    AtMost(u64),
}

impl Size {
    /// The most bytes the file may have.
    pub fn most(self) -> u64 {
        match self {
            Self::Exactly(bytes) | Self::AtMost(bytes) => bytes,
        }
    }

    /// Whether a file of that many bytes may be it.
    pub fn allows(self, bytes: u64) -> bool {
        match self {
            Self::Exactly(size) => bytes == size,
            Self::AtMost(size) => bytes <= size,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(bytes) => write!(f, "{bytes} bytes"),
            Self::AtMost(bytes) => write!(f, "at most {bytes} bytes"),
        }
    }
}

/// What vouches for a file beside upstream's signature over it. The names are files under
/// `keys/evidence/`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// The rung that was reached once: less is an error.
    pub rung: Rung,
    /// A Debian source package's description, cleartext-signed, that lists the file.
    pub dsc: Option<String>,
    /// The objects of upstream's signed git tag.
    pub tag: Option<Tag>,
    /// Another publisher's file with the same in it.
    pub twin: Option<Twin>,
    /// Folders to ask, `https://…/`, for evidence that is not in this repository.
    pub origins: Vec<String>,
}

/// A signed git tag whose tree holds the files of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// The tag, its commit and trees, as `git cat-file --batch` prints them.
    pub objects: String,
    /// The tag's own name: another tag of the same signer vouches for another version.
    pub name: String,
    /// Upstream's repositories, `https://…`, where the objects can be had.
    pub origins: Vec<String>,
    /// Files of the source that are not in the tree: generated metadata, which is neither
    /// compiled nor packed.
    pub generated: Vec<String>,
}

/// The same as a source, from somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twin {
    /// The name under which the other file is pinned, in the same version.
    pub name: String,
    /// What the two publishers call theirs, this source's own first.
    pub publishers: [String; 2],
}

impl Source {
    /// What its publisher calls it: the name of its project or crate, or else its own.
    pub fn published_as(&self) -> &str {
        let named = self.origins.iter().find_map(|origin| match origin {
            Origin::Pypi(project) => Some(project.as_str()),
            Origin::Crate { name, .. } => Some(name.as_str()),
            Origin::Https(_) | Origin::Debian(_) => None,
        });
        named.unwrap_or(&self.name)
    }

    /// Whether the file `name` of its evidence may be asked for: that it is not here is no error
    /// then. Nobody is asked for a `.dsc`.
    pub fn may_be_asked_for(&self, name: &str) -> bool {
        match (&self.evidence.tag, &self.evidence.dsc) {
            (Some(tag), _) if tag.objects == name => !tag.origins.is_empty(),
            (_, Some(dsc)) if dsc == name => false,
            _ => !self.evidence.origins.is_empty(),
        }
    }

    /// The names of all files of evidence that the manifest gives for it.
    pub fn evidence_files(&self) -> Vec<&str> {
        let (checksums, signature) = match &self.signature {
            Signature::None => (None, None),
            Signature::Detached { signature } => (None, Some(signature)),
            Signature::Checksum {
                checksums,
                signature,
            } => (Some(checksums), Some(signature)),
        };
        let tag = self.evidence.tag.as_ref().map(|tag| &tag.objects);
        [checksums, signature, tag, self.evidence.dsc.as_ref()]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect()
    }

    /// The names that the file goes by: upstream's, and those that its origins give it.
    pub fn file_names(&self) -> Vec<&str> {
        let mut names = vec![self.file.as_str()];
        for origin in &self.origins {
            if let Origin::Https(path) | Origin::Debian(path) = origin {
                let name = path.rsplit('/').next().unwrap_or_default();
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }
}

/// How upstream signs a file. The names are files under `keys/evidence/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signature {
    /// Upstream signs nothing: the pinned digest is all there is.
    None,
    /// A detached signature over the file itself.
    Detached {
        /// The signature.
        signature: String,
    },
    /// A detached signature over a list of checksums (`<hex>  <file>` lines) that names the file.
    Checksum {
        /// The list.
        checksums: String,
        /// The signature over the list.
        signature: String,
    },
}
