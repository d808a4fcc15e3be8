//! The image that was chosen, before its layers are read.

use super::document::Document;
use crate::base::digest::Digest;

/// An image as its documents describe it, before its layers are read.
pub(super) struct Chosen {
    pub(super) config: Document,
    pub(super) layers: Vec<Blob>,
}

/// A layer as it is named: a file, and what is said of it.
pub(super) struct Blob {
    pub(super) file: String,
    pub(super) digest: Option<Digest>,
}
