//! The image: a root file system becomes layers, a config and a manifest by the OCI image
//! specification 1.1, the same bytes from the same input on every machine.

mod about;
mod archive;
mod config;
mod export;
mod layer;
mod layout;
mod oci;
pub mod read;
mod referrer;
mod rootfs;
mod ustar;

use std::io;
use std::path::PathBuf;

pub use about::{About, Component, Variant};
pub use archive::{Archive, Content, Owner};
pub use config::{Healthcheck, SECOND};
pub use export::{Exported, export, export_all};
pub use layer::{Layer, LayerDigests};
pub use layout::{Image, assemble, open, open_each};
pub use referrer::{Referrer, attach};
pub(crate) use rootfs::TORRC_DEFAULTS;
/// The highest user that an image can be for: a tar header holds no more.
pub const MAX_UID: u32 = ustar::MAX_ID;
pub use rootfs::{Arm, Licenses, Obfs4, OwnLayer, Parts, layers};

use crate::base::digest::Digest;

/// The version of everything in here that decides bytes: tar, gzip, the config, the manifest.
/// Equal input and equal versions give equal digests; whatever could change them raises it.
pub const IMAGE_FORMAT: u32 = 2;

/// Why an image cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A path that has no place in an image.
    #[error(
        "`{path}` cannot be a path in an image: expected a relative one without `.`, `..`, empty parts and control characters"
    )]
    Path {
        /// The path as it was given.
        path: String,
    },
    /// A mode with more than permissions.
    #[error(
        "mode {mode:o} of `{path}` has more than permission bits: an image has no setuid and no setgid files"
    )]
    Mode {
        /// The path in the image.
        path: String,
        /// The mode.
        mode: u32,
    },
    /// Two entries of one path.
    #[error("`{path}` is twice in one layer")]
    Duplicate {
        /// The path in the image.
        path: String,
    },
    /// A file or a link where others expect a directory.
    #[error("`{path}` is in one layer as a directory and as something else")]
    NotADirectory {
        /// The path in the image.
        path: String,
    },
    /// Something on disk that is no file, directory or link.
    #[error("`{}` is not a file, directory or symbolic link", path.display())]
    Special {
        /// The path on this machine.
        path: PathBuf,
    },
    /// A file that somebody else writes to.
    #[error("`{}` changed its size while it was read", path.display())]
    Changed {
        /// The path on this machine.
        path: PathBuf,
    },
    /// A user that a relay must not run as, or that a tar header cannot hold.
    #[error(
        "{uid} cannot be the user of the image: expected 1 to {}",
        ustar::MAX_ID
    )]
    Uid {
        /// The user's number.
        uid: u32,
    },
    /// Images that cannot stand in one index.
    #[error(
        "{count} images cannot be one image for several platforms: expected one or more, each for another platform"
    )]
    Platforms {
        /// How many there are.
        count: usize,
    },
    /// A file of a layout that is not what the specification or its own name says.
    #[error("`{}` is not part of an image layout: {problem}", path.display())]
    Layout {
        /// The file on this machine.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A blob whose bytes are not those that its name promises.
    #[error("`{}` is damaged: its bytes have the digest {got}, not that of its name", path.display())]
    Blob {
        /// The file on this machine.
        path: PathBuf,
        /// The digest of its bytes.
        got: Digest,
    },
}

impl Error {
    /// What fixes it, where something does.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Uid { .. } => Some("choose another user with `--uid`".into()),
            Self::Layout { path, .. } | Self::Blob { path, .. } => Some(format!(
                "remove `{}` and run the command again",
                path.display()
            )),
            Self::Changed { .. } => Some("run the command again".into()),
            _ => None,
        }
    }
}
