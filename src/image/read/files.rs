//! The files of an image, by name: in a folder, or in a tar archive.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use fs_err::os::unix::fs::OpenOptionsExt;
use fs_err::{File, OpenOptions};
use serde::de::DeserializeOwned;
use shown::shown;

use super::allowance::Allowance;
use super::document::Document;
use super::entries::{self, Kind, Spent};
use super::error::Error;
use super::extent::Extent;
use crate::base::digest::Digest;
use crate::image::oci::{Descriptor, blob_path};

/// The most bytes of a document. An index of a thousand images has a third of it, a config of 128
/// layers a tenth; read as JSON, a document takes up to fifty times its size.
const DOCUMENT: u64 = 1 << 20;

/// The most files of an image in a tar.
const FILES: Allowance = Allowance {
    bytes: u64::MAX,
    items: 10_000,
    text: 4 << 20,
};

impl Document {
    pub(super) fn parse<T: DeserializeOwned>(&self, files: &Files) -> Result<T, Error> {
        serde_json::from_slice(&self.bytes).map_err(|error| {
            // It may quote the document.
            let problem = shown(error.to_string().as_bytes());
            files.wrong(&self.file, problem)
        })
    }
}

/// The files of one image.
#[derive(Debug)]
pub(super) struct Files {
    path: PathBuf,
    /// Those of an archive. A folder is asked.
    archive: Option<BTreeMap<String, Extent>>,
    /// How many bytes the archive's file has.
    sent: u64,
}

impl Files {
    /// The files at `path`; `unpack` is given what lies there if that is a file, and returns the
    /// archive.
    pub(super) fn open(
        path: &Path,
        unpack: impl FnOnce(Extent) -> Result<Extent, Error>,
    ) -> Result<Self, Error> {
        let (archive, sent) = match path.is_dir() {
            true => (None, u64::MAX),
            false => {
                let whole = Extent::whole(regular(path)?)?;
                let sent = whole.size();
                (Some(list(path, unpack(whole)?)?), sent)
            }
        };
        Ok(Self {
            path: path.to_owned(),
            archive,
            sent,
        })
    }

    /// The most bytes that anybody can have sent for it.
    pub(super) fn sent(&self) -> u64 {
        self.sent
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
            None => match beneath(&self.path, name) {
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

/// Opens the file `name` in `folder`. Links may lead to other files in it and not out of it, to
/// what the maker of the image could not read.
fn beneath(folder: &Path, name: &str) -> io::Result<File> {
    let path = fs_err::canonicalize(folder.join(name))?;
    match path.starts_with(fs_err::canonicalize(folder)?) {
        true => regular(&path),
        false => Err(io::Error::other(format!(
            "`{}` in `{}` is a link that leads out of it",
            shown(name.as_bytes()),
            folder.display()
        ))),
    }
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

/// The files in the tar `archive` that lies at `path`. Of two with one name, programs differ in which they
/// take, so that is refused; links are followed to files in the archive.
fn list(path: &Path, archive: Extent) -> Result<BTreeMap<String, Extent>, Error> {
    let problem = |problem: String| Error::Archive {
        image: path.to_owned(),
        problem,
    };
    let entries = entries::read(&archive, FILES, &mut Spent::default()).map_err(problem)?;
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
