//! Sources: what is pinned, where it may be found, and the bytes once they are here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::digest::Digest;

/// One pinned input: a tarball, a crate or a wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The component's name: `tor`, `openssl`, `zig`.
    pub name: String,
    /// Upstream's version.
    pub version: String,
    /// Upstream's file name; the ending says how it is packed.
    pub file: String,
    /// The digest of the file.
    pub digest: Digest,
    /// The size of the file in bytes.
    pub size: u64,
    /// The most bytes it may unpack to.
    pub unpacked: u64,
    /// When upstream released it, in seconds since 1970: tor's is `SOURCE_DATE_EPOCH`.
    pub released: Option<u64>,
    /// The licence as an SPDX expression.
    pub licence: String,
    /// How upstream signs it.
    pub signature: Signature,
    /// Patches to apply after unpacking, in order: files under `patches/<name>/`.
    pub patches: Vec<String>,
    /// Where it may be found, in the order to try.
    pub origins: Vec<Origin>,
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

/// A place where a source's bytes may be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An upstream address.
    Https(String),
    /// A path such as `pool/main/t/tor/NAME` under each mirror that apt is configured with.
    Debian(String),
    /// A file of a project on the index that pip is configured with.
    Pypi {
        /// The project.
        project: String,
        /// The file's name.
        file: String,
    },
    /// A crate on the registry that cargo is configured with.
    Crate {
        /// The crate.
        name: String,
        /// Its exact version.
        version: String,
    },
}

/// A source whose bytes are in the store and match the pin.
#[derive(Debug, Clone)]
pub struct Fetched {
    source: Arc<Source>,
    path: PathBuf,
}

impl Fetched {
    /// The pin that the bytes match.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The file in the store.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
