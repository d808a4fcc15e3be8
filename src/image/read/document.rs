//! The small JSON documents of an image.

use crate::base::digest::Digest;

/// A document of an image, as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its name in the image.
    pub file: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its bytes as they were read.
    pub bytes: Vec<u8>,
}

impl Document {
    pub(super) fn new(file: &str, bytes: Vec<u8>) -> Self {
        Self {
            file: file.to_owned(),
            digest: Digest::sha256(&bytes),
            bytes,
        }
    }
}
