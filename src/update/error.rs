//! Every way in which an update can fail. Whichever it is, nothing was changed.

use std::io;

use crate::base::LineError;
use crate::base::cache;
use crate::base::digest::Digest;
use crate::fetch::{self, Reason};
use crate::{pins, unpack, verify};

use super::Version;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The table of series is wrong; all findings at once.
    #[error("{}", lines(.0))]
    Series(Vec<LineError>),

    /// The pinned version is none that can be compared.
    #[error("tor {version} is pinned, which is not a released version such as 0.4.9.11")]
    NoVersion {
        /// What is pinned.
        version: String,
    },

    /// No pin says where upstream is.
    #[error("no origin of tor {version} is upstream's: none begins with `https://`")]
    NoUpstream {
        /// The pinned version.
        version: String,
    },

    /// A page or a file could not be had.
    #[error("cannot read {address}: {reason}")]
    Unreadable {
        /// Where it should be.
        address: String,
        /// Why not.
        reason: Reason,
    },

    /// The list is not one.
    #[error(
        "{address} lists no releases: expected links to tor-VERSION.tar.gz and its signed checksum"
    )]
    NotAList {
        /// The list.
        address: String,
    },

    /// The list ends before what is pinned.
    #[error("{address} lists tor {newest} as the newest, but {pinned} is pinned")]
    Downgrade {
        /// The list.
        address: String,
        /// The newest version on it.
        newest: Version,
        /// The newest version that is pinned.
        pinned: Version,
    },

    /// A pinned version is said to have other bytes.
    #[error("tor {version} is pinned as {pinned}, but the signed list at {address} has {listed}")]
    Changed {
        /// The version.
        version: Version,
        /// The list.
        address: String,
        /// The pin.
        pinned: Box<Digest>,
        /// What is listed.
        listed: Box<Digest>,
    },

    /// What upstream published does not pass the trust policy.
    #[error("tor {version} from {address} is rejected")]
    Untrusted {
        /// The version.
        version: Version,
        /// Where it came from.
        address: String,
        /// Why.
        source: Box<verify::Error>,
    },

    /// The new text of the manifest does not say what it should.
    #[error(
        "sources.toml cannot be edited: what was written for tor {version} is read as something else"
    )]
    NotEdited {
        /// The version.
        version: Version,
    },

    /// The manifest is wrong, or the tarball could not be had.
    #[error(transparent)]
    Source(#[from] fetch::Error),
    /// The manifest is wrong, or does not pin what is asked for.
    #[error(transparent)]
    Pins(#[from] pins::Error),

    /// The policy is wrong.
    #[error(transparent)]
    Trust(#[from] verify::Error),

    /// The tarball is broken or hostile.
    #[error(transparent)]
    Unpack(#[from] unpack::Error),

    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] cache::Error),

    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoVersion { .. } => {
                "mark a released version as the default in sources.toml".to_owned()
            }
            Self::NoUpstream { .. } => "give tor's address as an origin in sources.toml".to_owned(),
            Self::Unreadable { .. } => {
                "nothing was changed; try again later, or look at the page in a browser".to_owned()
            }
            Self::NotAList { .. } => {
                "nothing was changed; look at the page in a browser: a captive portal or a \
                 proxy may have answered"
                    .to_owned()
            }
            Self::Downgrade { .. } => {
                "nothing was changed; the list is old or not upstream's: try again later, from \
                 another network"
                    .to_owned()
            }
            Self::Changed { .. } => {
                "nothing was changed; upstream does not replace what it released: ask before \
                 you trust either"
                    .to_owned()
            }
            Self::NotEdited { .. } => {
                "nothing was changed; edit sources.toml by hand, and report this".to_owned()
            }
            Self::Source(fetch::Error::Unfetched(_)) => {
                "nothing was changed; try again later".to_owned()
            }
            Self::Source(error) => return error.hint(),
            Self::Pins(error) => return error.hint(),
            Self::Trust(error) => return error.hint(),
            Self::Untrusted { source, .. } => return source.hint(),
            Self::Cache(error) => return error.hint(),
            Self::Series(_) | Self::Unpack(_) | Self::Io(_) => return None,
        })
    }
}

fn lines(findings: &[LineError]) -> String {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
