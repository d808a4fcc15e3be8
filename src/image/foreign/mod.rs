//! Images that somebody else packed: a layout (OCI image specification 1.1), the same in a tar,
//! or what `docker save` writes. Nothing in them is believed before its digest was computed,
//! nothing is unpacked to a path that they choose, and sizes are limited.

mod choose;
mod docker;
mod document;
mod entries;
mod error;
mod files;
mod plain;
mod shown;

use std::path::{Path, PathBuf};

pub use self::document::Document;
pub use self::entries::{Entry, Kind};
pub use self::error::Error;
pub use self::files::Extent;
pub use self::shown::shown;

use self::files::Files;
use super::LayerDigests;
use super::config;
use super::oci::{Manifest, blob_path};
use crate::digest::Digest;

/// What an image may grow to, lest a small file fill the disk or the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of all layers, decompressed.
    pub bytes: u64,
    /// The most entries of a layer.
    pub entries: usize,
}

impl Default for Limits {
    /// Room for a full distribution with a desktop; a relay's image has 32 MB in 22 entries.
    fn default() -> Self {
        Self {
            bytes: 8 << 30,
            entries: 500_000,
        }
    }
}

/// The most layers: engines mount no more than 127 upon one another.
const LAYERS: usize = 128;

/// An image in a layout or in a file, all digests of which were checked.
#[derive(Debug)]
pub struct Foreign {
    place: PathBuf,
    manifest: Option<Document>,
    config: Document,
    layers: Vec<ForeignLayer>,
}

/// One of its layers.
#[derive(Debug, Clone)]
pub struct ForeignLayer {
    /// What names it. Where the config does not say what each is about, they are numbered.
    pub digests: LayerDigests,
    /// The tar archive, decompressed.
    pub archive: Extent,
    limits: Limits,
    image: PathBuf,
}

impl Foreign {
    /// Opens the image at `place`: a path, or a path with `:NAME` or `@DIGEST` after it where
    /// there are several images. All of it is read and hashed.
    ///
    /// # Errors
    /// When it is no image, or not one, or not what its digests say, or larger than `limits`.
    pub fn open(place: &str, limits: Limits) -> Result<Self, Error> {
        let (path, wanted) = choose::split(place)?;
        let files = Files::open(&path)?;
        let (manifest, chosen) = match files.document("index.json")? {
            Some(index) => {
                let manifest = choose::manifest(&files, &index, wanted)?;
                let chosen = described(&files, &manifest)?;
                // Where Docker's own list is there too, an engine may go by that.
                docker::agrees(&files, &chosen)?;
                (Some(manifest), chosen)
            }
            None => (None, docker::choose(&files, wanted)?),
        };
        let layers = layers(&files, &chosen, limits)?;
        Ok(Self {
            place: path,
            manifest,
            config: chosen.config,
            layers,
        })
    }

    /// Where it was found, without what chose it there.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// The manifest. A file as Docker saved it before version 25 has none.
    pub fn manifest(&self) -> Option<&Document> {
        self.manifest.as_ref()
    }

    /// The config.
    pub fn config(&self) -> &Document {
        &self.config
    }

    /// The layers, the lowest first.
    pub fn layers(&self) -> &[ForeignLayer] {
        &self.layers
    }

    /// The labels in its config, as far as they are text.
    pub fn label(&self, name: &str) -> Option<String> {
        let config: serde_json::Value = serde_json::from_slice(&self.config.bytes).ok()?;
        let label = config.get("config")?.get("Labels")?.get(name)?;
        label.as_str().map(str::to_owned)
    }
}

impl ForeignLayer {
    /// What is in it, in its order.
    ///
    /// # Errors
    /// When it is no tar archive that can be read, or has more entries than it may.
    pub fn entries(&self) -> Result<Vec<Entry>, Error> {
        entries::read(&self.archive, self.limits.entries).map_err(|problem| Error::Layer {
            image: self.image.clone(),
            layer: self.digests.name.clone(),
            problem,
        })
    }
}

/// An image as its documents describe it, before its layers are read.
struct Chosen {
    config: Document,
    layers: Vec<Blob>,
}

/// A layer as it is named: a file, and what is said of it.
struct Blob {
    file: String,
    digest: Option<Digest>,
}

/// What a manifest describes.
fn described(files: &Files, manifest: &Document) -> Result<Chosen, Error> {
    let read: Manifest = manifest.parse(files)?;
    let config = files.blob(&read.config)?;
    let layers = read.layers.iter().map(|layer| {
        files.check_size(layer)?;
        Ok(Blob {
            file: blob_path(&layer.digest),
            digest: Some(layer.digest),
        })
    });
    Ok(Chosen {
        config,
        layers: layers.collect::<Result<_, Error>>()?,
    })
}

/// Reads, decompresses and hashes every layer.
fn layers(files: &Files, chosen: &Chosen, limits: Limits) -> Result<Vec<ForeignLayer>, Error> {
    let config: config::Layers = chosen.config.parse(files)?;
    let described: Vec<_> = config.each().collect();
    let count = chosen.layers.len();
    if described.len() != count || count > LAYERS {
        let problem = match count > LAYERS {
            true => format!("the image has {count} layers, and no engine takes more than {LAYERS}"),
            false => format!("it describes {} layers, not {count}", described.len()),
        };
        return Err(files.wrong(&chosen.config.file, problem));
    }
    let names: Vec<String> = described
        .iter()
        .map(|(name, _)| shown(name.as_bytes()))
        .collect();
    let mut left = limits.bytes;
    let mut layers = Vec::new();
    for (number, (blob, (_, diff_id))) in chosen.layers.iter().zip(&described).enumerate() {
        let plain = plain::open(files, blob, diff_id, left, limits.bytes)?;
        left = left.saturating_sub(plain.archive.size());
        // Other builders write one comment for all layers.
        let unique = names.iter().filter(|name| **name == names[number]).count() == 1;
        layers.push(ForeignLayer {
            digests: LayerDigests {
                name: match unique {
                    true => names[number].clone(),
                    false => format!("layer {}", number + 1),
                },
                diff_id: *diff_id,
                digest: plain.digest,
                size: plain.size,
            },
            archive: plain.archive,
            limits,
            image: files.path().to_owned(),
        });
    }
    Ok(layers)
}
