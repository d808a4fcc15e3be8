//! What people take away: a layout, and one file that is that layout and a Docker image too.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::layout::{copy_blob, json};
use super::oci::{self, DockerImage, blob_path};
use super::{About, Archive, Content, Error, Image, Owner};
use crate::digest::{Digest, HashingWriter};
use crate::replace;

/// What was exported, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
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
pub fn export(image: &Image, about: &About, dist: &Path) -> Result<Exported, Error> {
    let layout = dist.join("oci");
    let blobs = layout.join("blobs/sha256");
    fs_err::create_dir_all(&blobs)?;
    // One run at a time, also against one that sweeps. Closing the directory unlocks it.
    let lock = fs_err::File::open(dist)?;
    rustix::fs::flock(lock.file(), rustix::fs::FlockOperation::LockExclusive)
        .map_err(io::Error::from)?;
    for directory in [dist, &layout, &blobs] {
        replace::sweep(directory)?;
    }

    let mut written = false;
    for (digest, size) in image.blobs() {
        written |= export_blob(image.layout(), &layout, &digest, size)?;
    }
    written |= replace::with_bytes(&layout.join("oci-layout"), oci::OCI_LAYOUT)?;
    let index = fs_err::read(image.layout().join("index.json"))?;
    written |= replace::with_bytes(&layout.join("index.json"), &index)?;
    written |= remove_others(image, &blobs)?;

    let archive = dist.join(about.file_name());
    let contents = loadable(image, about)?;
    let archive_digest = digest_of(&contents, about.epoch, io::sink())?;
    if !has_digest(&archive, &archive_digest) {
        let file = replace::begin(dist)?;
        let mut out = BufWriter::new(file);
        digest_of(&contents, about.epoch, &mut out)?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        replace::put(file, &archive)?;
        written = true;
    }
    Ok(Exported {
        layout,
        archive,
        archive_digest,
        written,
    })
}

/// The loadable file: the layout, and the list that Docker looks for.
fn loadable(image: &Image, about: &About) -> Result<Archive, Error> {
    let path = |digest| blob_path(&digest);
    let docker = [DockerImage {
        config: path(image.config()),
        repo_tags: vec![about.reference()],
        layers: image
            .layers()
            .iter()
            .map(|layer| path(layer.digest))
            .collect(),
    }];
    let mut archive = Archive::default();
    let mut add = |name: &str, content| archive.file(name, 0o644, Owner::ROOT, content);
    add("manifest.json", Content::Bytes(json(&docker)?))?;
    add("oci-layout", Content::Bytes(oci::OCI_LAYOUT.to_vec()))?;
    add(
        "index.json",
        Content::File(image.layout().join("index.json")),
    )?;
    // Two layers may be equal: one blob then.
    for digest in image
        .blobs()
        .map(|(digest, _)| digest)
        .collect::<BTreeSet<_>>()
    {
        add(
            &blob_path(&digest),
            Content::File(image.layout().join(blob_path(&digest))),
        )?;
    }
    Ok(archive)
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

/// Removes the blobs of older images; says whether there were any.
fn remove_others(image: &Image, blobs: &Path) -> Result<bool, Error> {
    let wanted: BTreeSet<String> = image.blobs().map(|(digest, _)| digest.hex()).collect();
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

/// A file that is absent or unreadable is written anew, and that says why it cannot be.
fn has_digest(path: &Path, digest: &Digest) -> bool {
    copy_blob(path, digest, &mut io::sink()).is_ok_and(|found| found == *digest)
}
