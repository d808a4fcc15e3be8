//! The files of an image, by name: in a folder, or in a tar archive.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use fs_err::os::unix::fs::OpenOptionsExt;
use fs_err::{File, OpenOptions};

use super::Error;
use super::document::Document;
use super::entries::{self, Kind};
use super::shown::shown;
use crate::digest::Digest;
use crate::image::oci::{Descriptor, blob_path};

/// The most bytes of a document: what the OCI distribution specification lets a registry
/// refuse.
const DOCUMENT: u64 = 4 << 20;

/// The most files of an image in a tar.
const FILES: usize = 10_000;

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

/// The files of one image.
#[derive(Debug)]
pub(super) struct Files {
    path: PathBuf,
    /// Those of an archive. A folder is asked.
    archive: Option<BTreeMap<String, Extent>>,
}

impl Files {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let archive = match path.is_dir() {
            true => None,
            false => Some(list(path)?),
        };
        Ok(Self {
            path: path.to_owned(),
            archive,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file `name`, if it is there.
    pub(super) fn get(&self, name: &str) -> Result<Option<Extent>, Error> {
        match &self.archive {
            Some(files) => Ok(files.get(name).cloned()),
            // A name that leads out of the folder is none of a file in it.
            None if !is_inside(name) => Ok(None),
            None => match regular(&self.path.join(name)) {
                Ok(file) => Ok(Some(Extent::whole(file)?)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error.into()),
            },
        }
    }

    /// The file `name`, which something else names.
    pub(super) fn require(&self, name: &str) -> Result<Extent, Error> {
        self.get(name)?.ok_or_else(|| Error::Missing {
            image: self.path.clone(),
            file: shown(name.as_bytes()),
        })
    }

    /// The small file `name`, if it is there.
    pub(super) fn document(&self, name: &str) -> Result<Option<Document>, Error> {
        let Some(extent) = self.get(name)? else {
            return Ok(None);
        };
        if extent.size() > DOCUMENT {
            return Err(Error::TooLarge {
                image: self.path.clone(),
                file: shown(name.as_bytes()),
                what: "a document",
                limit: DOCUMENT,
            });
        }
        let bytes = extent.bytes(0, extent.size())?;
        Ok(Some(Document::new(name, bytes)))
    }

    /// The document that `descriptor` names, checked.
    pub(super) fn blob(&self, descriptor: &Descriptor) -> Result<Document, Error> {
        self.check_size(descriptor)?;
        let name = blob_path(&descriptor.digest);
        let document = self.document(&name)?.ok_or_else(|| Error::Missing {
            image: self.path.clone(),
            file: name.clone(),
        })?;
        let got = Digest::of_reader(&descriptor.digest, &document.bytes[..])?;
        if got != descriptor.digest {
            return Err(self.other_digest(&name, "its digest", descriptor.digest, got));
        }
        Ok(Document {
            digest: got,
            ..document
        })
    }

    /// Whether what `descriptor` names has the size that it says: told before it is read.
    pub(super) fn check_size(&self, descriptor: &Descriptor) -> Result<(), Error> {
        let name = blob_path(&descriptor.digest);
        let (expected, got) = (descriptor.size, self.require(&name)?.size());
        if expected != got {
            return Err(Error::Size {
                image: self.path.clone(),
                file: name,
                expected,
                got,
            });
        }
        Ok(())
    }

    /// A document in it that is wrong.
    pub(super) fn wrong(&self, file: &str, problem: String) -> Error {
        Error::Document {
            image: self.path.clone(),
            file: shown(file.as_bytes()),
            problem,
        }
    }

    pub(super) fn other_digest(
        &self,
        file: &str,
        what: &'static str,
        expected: Digest,
        got: Digest,
    ) -> Error {
        Error::Digest {
            image: self.path.clone(),
            file: shown(file.as_bytes()),
            what,
            expected: Box::new(expected),
            got: Box::new(got),
        }
    }
}

fn is_inside(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    parts.all(|part| matches!(part, Component::Normal(_)))
}

/// Opens a file that is one: whoever made the folder may have put a pipe there, to be waited
/// for without end.
fn regular(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other(format!(
            "`{}` is not a plain file",
            path.display()
        ))),
    }
}

/// The files in the tar archive at `path`. Of two with one name, programs differ in which they
/// take, so that is refused; links are followed to files in the archive.
fn list(path: &Path) -> Result<BTreeMap<String, Extent>, Error> {
    let problem = |problem: String| Error::Archive {
        image: path.to_owned(),
        problem,
    };
    let archive = Extent::whole(regular(path)?)?;
    let entries = entries::read(&archive, FILES).map_err(problem)?;
    let mut files = BTreeMap::new();
    let mut links = Vec::new();
    for entry in entries {
        let name = String::from_utf8_lossy(&entry.path).into_owned();
        match (entry.kind, entry.content) {
            (Kind::File, Some(content)) => {
                let known = files.insert(name, content);
                if known.is_some() {
                    let name = shown(&entry.path);
                    return Err(problem(format!("`{name}` is in it twice")));
                }
            }
            (Kind::Symlink, _) => links.push((name, entry.target)),
            _ => {}
        }
    }
    // `docker save` names a layer that several images share by links.
    for (name, target) in links {
        let target = String::from_utf8_lossy(&target).into_owned();
        let inside = target.strip_prefix("../").unwrap_or(&target);
        if let Some(content) = files.get(inside).cloned() {
            files.entry(name).or_insert(content);
        }
    }
    Ok(files)
}
