//! The small JSON documents of an image.

use serde::de::DeserializeOwned;

use super::Error;
use super::files::Files;
use super::shown::shown;
use crate::digest::Digest;

/// A document of an image, as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its name in the image.
    pub file: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// All of it.
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

    pub(super) fn parse<T: DeserializeOwned>(&self, files: &Files) -> Result<T, Error> {
        serde_json::from_slice(&self.bytes).map_err(|error| {
            // It may quote the document.
            let problem = shown(error.to_string().as_bytes());
            files.wrong(&self.file, problem)
        })
    }
}
