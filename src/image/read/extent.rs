//! Some bytes of a file, to be read by several at a time.

use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use fs_err::File;

/// Some bytes of a file.
#[derive(Debug, Clone)]
pub struct Extent {
    file: Arc<File>,
    at: u64,
    size: u64,
}

impl Extent {
    /// All of `file`.
    pub(super) fn whole(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self {
            file: Arc::new(file),
            at: 0,
            size,
        })
    }

    /// `size` bytes of it from `at` on, or nothing if it does not have them.
    pub(super) fn part(&self, at: u64, size: u64) -> Option<Self> {
        let end = at.checked_add(size)?;
        (end <= self.size).then(|| Self {
            file: Arc::clone(&self.file),
            at: self.at + at,
            size,
        })
    }

    /// What tells whether two are the same bytes of one file.
    pub(super) fn identity(&self) -> io::Result<(u64, u64, u64, u64)> {
        let metadata = self.file.metadata()?;
        Ok((metadata.dev(), metadata.ino(), self.at, self.size))
    }

    /// How many bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads them from the first on.
    pub fn reader(&self) -> Reader<'_> {
        Reader {
            file: &self.file,
            at: self.at,
            end: self.at + self.size,
        }
    }

    /// The bytes from `from` on and before `to`, as far as there are any.
    pub fn bytes(&self, from: u64, to: u64) -> io::Result<Vec<u8>> {
        let from = from.min(self.size);
        let to = to.clamp(from, self.size);
        let mut bytes = vec![0; usize::try_from(to - from).unwrap_or(usize::MAX)];
        self.file.file().read_exact_at(&mut bytes, self.at + from)?;
        Ok(bytes)
    }
}

/// Reads some bytes of a file. Several may read one file at a time.
#[derive(Debug)]
pub struct Reader<'f> {
    file: &'f File,
    at: u64,
    end: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let most = left.min(buffer.len());
        let count = self.file.file().read_at(&mut buffer[..most], self.at)?;
        if count == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += count as u64;
        Ok(count)
    }
}
