//! Image layouts (OCI image specification 1.1, `image-layout.md`): making one, reading one back.

use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::thread;

use flate2::bufread::MultiGzDecoder;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::config::{self, ImageConfig};
use super::oci::{self, Descriptor, Index, Manifest, blob_path};
use super::{About, Error, IMAGE_FORMAT, Layer, LayerDigests};
use crate::base::digest::{Digest, HashingReader, copy};
use crate::base::progress::Progress;
use crate::base::replace;

/// An image in a layout on disk, every blob of which has the bytes that its digest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    layout: PathBuf,
    manifest: Descriptor,
    config: Descriptor,
    layers: Vec<LayerDigests>,
}

impl Image {
    /// The image that `manifest` describes in `layout`, once its blobs are there and hashed; there
    /// is no other way to make an `Image`.
    fn new(
        layout: &Path,
        manifest: Descriptor,
        config: Descriptor,
        layers: Vec<LayerDigests>,
    ) -> Self {
        Self {
            layout: layout.to_owned(),
            manifest,
            config,
            layers,
        }
    }

    /// The directory of the layout.
    pub fn layout(&self) -> &Path {
        &self.layout
    }

    /// The digest of the manifest: the image's name in a registry.
    pub fn manifest(&self) -> Digest {
        self.manifest.digest
    }

    /// The digest of the config: what Docker calls the image's id.
    pub fn config(&self) -> Digest {
        self.config.digest
    }

    /// What a document on the image calls it.
    pub(super) fn descriptor(&self) -> Descriptor {
        self.manifest.clone()
    }

    /// The layers, the lowest first.
    pub fn layers(&self) -> &[LayerDigests] {
        &self.layers
    }

    /// What a registry would send for it: layers, config and manifest, in bytes.
    pub fn size(&self) -> u64 {
        let layers: u64 = self.layers.iter().map(|layer| layer.size).sum();
        layers + self.config.size + self.manifest.size
    }

    /// The digests and sizes of everything that the layout holds.
    pub(super) fn blobs(&self) -> impl Iterator<Item = (Digest, u64)> {
        let layers = self.layers.iter().map(|layer| (layer.digest, layer.size));
        let documents = [&self.config, &self.manifest];
        layers.chain(documents.map(|document| (document.digest, document.size)))
    }
}

/// Writes the image of `layers`, the lowest first, as a layout into the directory `layout`: the
/// layers side by side, each in its own thread. The index comes last: without it, there is no
/// image.
pub fn assemble(
    about: &About,
    layers: &[Layer],
    layout: &Path,
    progress: &dyn Progress,
) -> Result<Image, Error> {
    about.user()?;
    let written = thread::scope(|scope| {
        let threads: Vec<_> = layers
            .iter()
            .map(|layer| scope.spawn(|| put_layer(layer, layout, progress)))
            .collect();
        threads
            .into_iter()
            .map(|thread| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect::<Result<Vec<_>, _>>()
    })?;

    let config = ImageConfig::new(about, layers, &written)?;
    let config = put_document(layout, oci::CONFIG, &config)?;
    let descriptors = written
        .iter()
        .map(|layer| Descriptor::new(oci::LAYER, layer.digest, layer.size));
    let manifest = Manifest::new(config.clone(), descriptors.collect());
    let manifest = put_document(layout, oci::MANIFEST, &manifest)?;
    replace::with_bytes(&layout.join("oci-layout"), oci::OCI_LAYOUT)?;
    let index = Index::new(manifest.clone(), about);
    replace::with_bytes(&layout.join("index.json"), &json(&index)?)?;
    Ok(Image::new(layout, manifest, config, written))
}

/// Reads the layout in the directory `layout`, which must hold one image, and hashes every blob.
pub fn open(layout: &Path) -> Result<Image, Error> {
    let mut images = open_each(layout)?;
    match images.len() {
        1 => Ok(images.swap_remove(0)),
        count => Err(Error::Layout {
            path: layout.join("index.json"),
            problem: format!("it lists {count} images, not one"),
        }),
    }
}

/// Reads every image of the layout in the directory `layout`, those of an index in it too, and
/// hashes every blob.
pub fn open_each(layout: &Path) -> Result<Vec<Image>, Error> {
    let path = layout.join("index.json");
    let index: Index = parse(&path, &fs_err::read(&path)?)?;
    let mut manifests = Vec::new();
    for listed in index.manifests {
        if oci::is_index(&listed.media_type) {
            let inner: Index = document(layout, &listed)?;
            manifests.extend(inner.manifests);
        } else {
            manifests.push(listed);
        }
    }
    manifests.retain(|listed| listed.artifact_type.is_none());
    let images = manifests.iter();
    images
        .map(|manifest| read_image(layout, manifest))
        .collect()
}

fn read_image(layout: &Path, manifest: &Descriptor) -> Result<Image, Error> {
    let document: Manifest = document(layout, manifest)?;
    let config: config::Layers = self::document(layout, &document.config)?;
    let described: Vec<_> = config.each().collect();
    let count = document.layers.len();
    if described.len() != count {
        return Err(Error::Layout {
            path: layout.join(blob_path(&document.config.digest)),
            problem: format!("it describes {} layers, not {count}", described.len()),
        });
    }
    let mut layers = Vec::new();
    for (layer, (name, diff_id)) in document.layers.iter().zip(described) {
        check_blob(layout, layer)?;
        layers.push(LayerDigests {
            name,
            diff_id,
            digest: layer.digest,
            size: layer.size,
        });
    }
    let manifest = Descriptor::new(oci::MANIFEST, manifest.digest, manifest.size);
    Ok(Image::new(layout, manifest, document.config, layers))
}

pub(super) fn json(document: &impl Serialize) -> Result<Vec<u8>, Error> {
    Ok(serde_json::to_vec(document).map_err(io::Error::from)?)
}

fn put_layer(layer: &Layer, layout: &Path, progress: &dyn Progress) -> Result<LayerDigests, Error> {
    // To hash the archive takes a fiftieth of the time of compressing it.
    let diff_id = layer.diff_id()?;
    let note = note_of(layout, &diff_id);
    if let Some(known) = known_layer(&note, layout, &diff_id) {
        let name = layer.name.clone();
        return Ok(LayerDigests { name, ..known });
    }
    let total = layer.archive.content_size()?;
    let task = progress.begin(&format!("layer {}", layer.name), Some(total));
    // Every blob is in the one directory of the one algorithm.
    let mut file = replace::begin(&layout.join("blobs/sha256"))?;
    let written = layer.write(file.as_file_mut(), task.as_ref())?;
    replace::put(file, &layout.join(blob_path(&written.digest)))?;
    replace::with_bytes(&note, &json(&written)?)?;
    task.finish(&format!("{} bytes", written.size));
    Ok(written)
}

/// Beside the blobs, a note for each archive that was compressed says what came out. It is no
/// part of a layout by the specification, which lets other files be.
fn note_of(layout: &Path, diff_id: &Digest) -> PathBuf {
    layout.join(format!("layers/{IMAGE_FORMAT}-{}.json", diff_id.hex()))
}

/// The layer that a note speaks of, if the note can be read, the blob is what it says, and the
/// archive in it is the one that is wanted: whoever can write the note can write any blob.
fn known_layer(note: &Path, layout: &Path, diff_id: &Digest) -> Option<LayerDigests> {
    let known: LayerDigests = serde_json::from_slice(&fs_err::read(note).ok()?).ok()?;
    let blob = Descriptor::new(oci::LAYER, known.digest, known.size);
    let right = known.diff_id == *diff_id
        && check_blob(layout, &blob).is_ok()
        && plain_digest(layout, &blob).is_ok_and(|found| found == *diff_id);
    right.then_some(known)
}

/// The digest of the archive in a blob. It is decompressed and thrown away.
fn plain_digest(layout: &Path, blob: &Descriptor) -> io::Result<Digest> {
    let file = fs_err::File::open(layout.join(blob_path(&blob.digest)))?;
    if file.metadata()?.len() != blob.size {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Digest::of_reader(&blob.digest, MultiGzDecoder::new(BufReader::new(file)))
}

fn put_document(
    layout: &Path,
    media_type: &str,
    document: &impl Serialize,
) -> Result<Descriptor, Error> {
    let bytes = json(document)?;
    let digest = Digest::sha256(&bytes);
    replace::with_bytes(&layout.join(blob_path(&digest)), &bytes)?;
    Ok(Descriptor::new(media_type, digest, bytes.len() as u64))
}

fn document<T: DeserializeOwned>(layout: &Path, descriptor: &Descriptor) -> Result<T, Error> {
    check_blob(layout, descriptor)?;
    let path = layout.join(blob_path(&descriptor.digest));
    parse(&path, &fs_err::read(&path)?)
}

fn parse<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::Layout {
        path: path.to_owned(),
        problem: error.to_string(),
    })
}

fn check_blob(layout: &Path, descriptor: &Descriptor) -> Result<(), Error> {
    let path = layout.join(blob_path(&descriptor.digest));
    let got = copy_blob(&path, &descriptor.digest, &mut io::sink())?;
    if got != descriptor.digest {
        return Err(Error::Blob { path, got });
    }
    Ok(())
}

/// Writes the file `from` to `to`; the digest of what went by is of the algorithm of `like`.
pub(super) fn copy_blob(from: &Path, like: &Digest, to: &mut impl Write) -> io::Result<Digest> {
    let file = fs_err::File::open(from)?;
    let mut reader = HashingReader::new(like, file);
    copy(&mut reader, to)?;
    Ok(reader.finish())
}
