//! Bytes that match their pin.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err::File;

use super::error::{Bytes, Error, Mismatch};
use super::location::Location;
use crate::base::digest::{Digest, HashingReader};
use crate::pins::Source;

/// A source whose bytes are here and match the pin.
#[derive(Debug, Clone)]
pub struct Fetched {
    source: Arc<Source>,
    path: PathBuf,
    from: Option<Location>,
}

impl Fetched {
    /// The bytes at `path`, of which `length` were hashed to `digest`; there is no other way to
    /// make a `Fetched`.
    pub(super) fn new(
        source: &Arc<Source>,
        path: &Path,
        (length, digest): (u64, Digest),
        from: Option<Location>,
    ) -> Result<Self, Mismatch> {
        compare(source, length, digest)?;
        Ok(Self {
            source: Arc::clone(source),
            path: path.to_owned(),
            from,
        })
    }

    /// Hashes the file at `path`, read no further than the pin allows.
    ///
    /// # Errors
    /// When it cannot be read or is not what is pinned.
    pub fn check(source: &Arc<Source>, path: &Path) -> Result<Self, Error> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut reader = HashingReader::new(&source.digest, (&mut file).take(source.size.most()));
        let mut buffer = vec![0; 1 << 17];
        // Of a file of another size the digest is not asked.
        while source.size.allows(length) && reader.read(&mut buffer)? > 0 {}
        let hashed = (length, reader.finish());
        Self::new(source, path, hashed, None).map_err(|mismatch| Error::Mismatch {
            what: source.to_string(),
            path: path.to_owned(),
            mismatch,
        })
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
    pub fn from(&self) -> Option<&Location> {
        self.from.as_ref()
    }
}

/// Compares what was hashed with its pin.
pub(super) fn compare(source: &Source, length: u64, digest: Digest) -> Result<(), Mismatch> {
    if !source.size.allows(length) {
        return Err(Mismatch::Size {
            expected: source.size,
            got: Bytes(length),
        });
    }
    if digest != source.digest {
        return Err(Mismatch::Digest {
            expected: Box::new(source.digest),
            got: Box::new(digest),
        });
    }
    Ok(())
}
