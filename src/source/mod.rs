//! Sources: what is pinned, where it may be found, and the bytes once they are here.

mod download;
mod error;
mod fetch;
mod http;
mod machine;
mod manifest;
mod origin;
mod redirect;
mod store;
mod survey;

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err::File;
use reqwest::Url;

pub use self::error::{Attempt, Bytes, Error, Finding, Mismatch, Missing, Reason, Unfetched};
pub use self::fetch::{Options, fetch};
pub(crate) use self::http::Http;
pub use self::http::Patience;
pub use self::machine::Machine;
pub use self::manifest::Manifest;
pub use self::origin::{Origin, ParseOriginError};
pub use self::survey::{Answer, survey};
use crate::digest::{Digest, HashingReader};

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
    /// The licence as an SPDX expression.
    pub licence: String,
    /// How upstream signs it.
    pub signature: Signature,
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
    /// Known, because somebody had the file in hand.
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

/// A source whose bytes are here and match the pin.
#[derive(Debug, Clone)]
pub struct Fetched {
    source: Arc<Source>,
    path: PathBuf,
    from: Option<Place>,
}

/// A place where bytes were found or sought, on this machine or elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// An address.
    Address(Url),
    /// A file.
    File(PathBuf),
    /// What an interrupted run had left.
    EarlierRun,
}

impl Place {
    /// Where it is, in a word or two: the host or the directory.
    pub fn brief(&self) -> String {
        match self {
            Self::Address(url) => url.host_str().unwrap_or("").to_owned(),
            Self::File(path) => path.parent().unwrap_or(path).display().to_string(),
            Self::EarlierRun => "an earlier run".to_owned(),
        }
    }
}

impl fmt::Display for Place {
    /// The address, without the password it may carry, or the path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(url) => f.write_str(&http::shown(url)),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::EarlierRun => f.write_str("an earlier run"),
        }
    }
}

impl Fetched {
    /// Hashes the file at `path`; there is no other way to make a `Fetched`.
    pub fn check(source: Arc<Source>, path: PathBuf) -> Result<Self, Error> {
        match mismatch(&source, &path)? {
            None => Ok(Self {
                source,
                path,
                from: None,
            }),
            Some(mismatch) => Err(Error::Mismatch {
                what: source.to_string(),
                path,
                mismatch,
            }),
        }
    }

    /// The pin that the bytes match.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The file that holds the bytes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The place that delivered the bytes in this run; none if they were here already.
    pub fn from(&self) -> Option<&Place> {
        self.from.as_ref()
    }
}

/// How the file at `path` differs from its pin, read no further than the pin allows.
fn mismatch(source: &Source, path: &Path) -> Result<Option<Mismatch>, Error> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    if !source.size.allows(size) {
        return Ok(Some(Mismatch::Size {
            expected: source.size,
            got: Bytes(size),
        }));
    }
    let mut reader = HashingReader::new(&source.digest, (&mut file).take(size));
    let mut buffer = vec![0; 1 << 17];
    while reader.read(&mut buffer)? > 0 {}
    let got = reader.finish();
    Ok((got != source.digest).then_some(Mismatch::Digest {
        expected: Box::new(source.digest),
        got: Box::new(got),
    }))
}
