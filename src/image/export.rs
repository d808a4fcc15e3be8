//! What people take away: a layout, and one file that is that layout and a Docker image too.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use super::layout::{copy_blob, json};
use super::oci::{self, Descriptor, DockerImage, Index, blob_path};
use super::{About, Archive, Content, Error, Image, Owner};
use crate::base::digest::{Digest, HashingWriter};
use crate::base::replace;

/// What was exported, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// What names it in a registry: the digest of the manifest, or of the index of several.
    pub digest: Digest,
    /// The directory of the layout.
    pub layout: PathBuf,
    /// The loadable file.
    pub archive: PathBuf,
    /// The digest of the loadable file.
    pub archive_digest: Digest,
    /// Whether anything had to be written.
    pub written: bool,
}

/// Brings the directory `dist` to hold `image` as the layout `oci` and as the file
/// [`About::file_name`], which `docker load`, `podman load` and `skopeo copy oci-archive:` take.
///
/// What is there already is hashed and left alone where it is right. A run killed at any point
/// leaves each of the two as it was or as it will be: blobs get their names when they are whole,
/// the index that refers to them changes after them and in one step, and what it no longer
/// refers to goes last. The next run sweeps up what was left.
///
/// # Errors
/// When a file cannot be read or written, or a blob is not what its name says.
pub fn export(image: &Image, about: &About, dist: &Path) -> Result<Exported, Error> {
    let contents = Contents {
        images: &[(image, about)],
        inner: None,
        index: fs_err::read(image.layout().join("index.json"))?,
        name: about.file_name(),
    };
    contents.export(image.manifest(), dist)
}

/// The same for `images` for several platforms under one name: the layout holds one index of
/// them, and the file is [`About::file_name_of_all`]. They stand in the order of their targets,
/// whatever the order in which they are given.
///
/// # Errors
/// As those of [`export`], and when there are none, or two are for one platform.
pub fn export_all(images: &[(&Image, &About)], dist: &Path) -> Result<Exported, Error> {
    let mut images = images.to_vec();
    images.sort_by_key(|(_, about)| about.target);
    let twice = images.windows(2).any(|it| it[0].1.target == it[1].1.target);
    let (Some((_, about)), false) = (images.first(), twice) else {
        return Err(Error::Platforms {
            count: images.len(),
        });
    };
    let manifests = images
        .iter()
        .map(|(image, about)| image.descriptor().on(about.target));
    let inner = json(&Index::of(manifests.collect()))?;
    let digest = Digest::sha256(&inner);
    let descriptor = Descriptor::new(oci::INDEX, digest, inner.len() as u64);
    let contents = Contents {
        images: &images,
        inner: Some((digest, inner)),
        index: json(&Index::named(descriptor, about))?,
        name: about.file_name_of_all(),
    };
    contents.export(digest, dist)
}

/// What is to be exported.
struct Contents<'a> {
    /// The images; at least one.
    images: &'a [(&'a Image, &'a About)],
    /// The index of several.
    inner: Option<(Digest, Vec<u8>)>,
    /// `index.json`.
    index: Vec<u8>,
    /// The name of the loadable file.
    name: String,
}

impl Contents<'_> {
    /// Every blob that is on disk: its digest, its size, and the layout it is in. Images for
    /// several platforms have layers in common, and two layers may be equal.
    fn blobs(&self) -> BTreeMap<Digest, (u64, &Path)> {
        let of_one = |image: &'_ Image| -> Vec<(Digest, u64)> { image.blobs().collect() };
        let images = self.images.iter();
        images
            .flat_map(|(image, _)| {
                let blobs = of_one(image).into_iter();
                blobs.map(|(digest, size)| (digest, (size, image.layout())))
            })
            .collect()
    }

    fn export(&self, digest: Digest, dist: &Path) -> Result<Exported, Error> {
        let layout = dist.join("oci");
        let blobs = layout.join("blobs/sha256");
        fs_err::create_dir_all(&blobs)?;
        // One run at a time, also against one that sweeps. Closing the directory unlocks it.
        let lock = fs_err::File::open(dist)?;
        lock.file().lock()?;
        for directory in [dist, &layout, &blobs] {
            replace::sweep(directory)?;
        }

        let contents = self.loadable()?;
        let epoch = self.images.iter().map(|(_, about)| about.epoch).max();
        let epoch = epoch.unwrap_or_default();
        // Two halves of about as many bytes, side by side: usually all that is to be done.
        let (written, archive_digest) = thread::scope(|scope| {
            let hashing = scope.spawn(|| digest_of(&contents, epoch, io::sink()));
            let written = self.export_blobs(&layout);
            (written, hashing.join())
        });
        let mut written = written?;
        let archive_digest = archive_digest.unwrap_or_else(|panic| resume_unwind(panic))?;
        if let Some((digest, bytes)) = &self.inner {
            written |= replace::with_bytes(&layout.join(blob_path(digest)), bytes)?;
        }
        written |= replace::with_bytes(&layout.join("oci-layout"), oci::OCI_LAYOUT)?;
        written |= replace::with_bytes(&layout.join("index.json"), &self.index)?;
        written |= self.remove_others(&blobs)?;

        let archive = dist.join(&self.name);
        if !has_digest(&archive, &archive_digest) {
            let file = replace::begin(dist)?;
            let mut out = BufWriter::new(file);
            digest_of(&contents, epoch, &mut out)?;
            let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
            replace::put(file, &archive)?;
            written = true;
        }
        Ok(Exported {
            digest,
            layout,
            archive,
            archive_digest,
            written,
        })
    }

    /// Brings the blobs of the images to `layout`; says whether any had to be written.
    fn export_blobs(&self, layout: &Path) -> Result<bool, Error> {
        let mut written = false;
        for (digest, (size, from)) in self.blobs() {
            written |= export_blob(from, layout, &digest, size)?;
        }
        Ok(written)
    }

    /// The loadable file: the layout, and the list that Docker looks for. That list knows no
    /// platforms, so of several images each has a name of its own in it.
    fn loadable(&self) -> Result<Archive, Error> {
        let path = |digest| blob_path(&digest);
        let listed = |(image, about): &(&Image, &About)| DockerImage {
            config: path(image.config()),
            repo_tags: vec![match self.inner {
                None => about.reference(),
                Some(_) => about.reference_on_platform(),
            }],
            layers: image
                .layers()
                .iter()
                .map(|layer| path(layer.digest))
                .collect(),
        };
        let docker: Vec<DockerImage> = self.images.iter().map(listed).collect();
        let mut archive = Archive::default();
        let mut add = |name: &str, content| archive.file(name, 0o644, Owner::ROOT, content);
        add("manifest.json", Content::Bytes(json(&docker)?))?;
        add("oci-layout", Content::Bytes(oci::OCI_LAYOUT.to_vec()))?;
        add("index.json", Content::Bytes(self.index.clone()))?;
        if let Some((digest, bytes)) = &self.inner {
            add(&blob_path(digest), Content::Bytes(bytes.clone()))?;
        }
        for (digest, (_, from)) in self.blobs() {
            let name = blob_path(&digest);
            add(&name, Content::File(from.join(&name)))?;
        }
        Ok(archive)
    }

    /// Removes the blobs of older images; says whether there were any.
    fn remove_others(&self, blobs: &Path) -> Result<bool, Error> {
        let inner = self.inner.iter().map(|(digest, _)| *digest);
        let wanted: BTreeSet<String> = self
            .blobs()
            .into_keys()
            .chain(inner)
            .map(|digest| digest.hex())
            .collect();
        let mut removed = false;
        for entry in fs_err::read_dir(blobs)? {
            let entry = entry?;
            if !entry
                .file_name()
                .to_str()
                .is_some_and(|name| wanted.contains(name))
            {
                fs_err::remove_file(entry.path())?;
                removed = true;
            }
        }
        Ok(removed)
    }
}

fn digest_of(archive: &Archive, epoch: u64, out: impl Write) -> Result<Digest, Error> {
    let mut out = HashingWriter::sha256(out);
    archive.write(epoch, &mut out)?;
    out.flush()?;
    Ok(out.finish())
}

fn export_blob(from: &Path, to: &Path, digest: &Digest, size: u64) -> Result<bool, Error> {
    let name = to.join(blob_path(digest));
    let same_size = fs_err::metadata(&name).is_ok_and(|found| found.len() == size);
    if same_size && has_digest(&name, digest) {
        return Ok(false);
    }
    let from = from.join(blob_path(digest));
    let mut file = replace::begin(&to.join("blobs/sha256"))?;
    let got = copy_blob(&from, digest, &mut file)?;
    if got != *digest {
        return Err(Error::Blob { path: from, got });
    }
    replace::put(file, &name)?;
    Ok(true)
}

/// A file that is absent or unreadable is written anew, and that says why it cannot be.
fn has_digest(path: &Path, digest: &Digest) -> bool {
    copy_blob(path, digest, &mut io::sink()).is_ok_and(|found| found == *digest)
}

#[cfg(test)]
mod tests;
