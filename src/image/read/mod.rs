//! Images that somebody else packed: a layout (OCI image specification 1.1), the same in a tar,
//! or what `docker save` writes. Nothing in them is believed before its digest was computed,
//! nothing is unpacked to a path that they choose, and sizes are limited.

mod allowance;
mod choose;
mod chosen;
mod docker;
mod document;
mod entries;
mod error;
mod extent;
mod files;
mod plain;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use self::allowance::Limits;
pub use self::document::Document;
pub use self::entries::{Entry, Kind, Spent};
pub use self::error::Error;
pub use self::extent::Extent;
pub use ::shown::shown;

use self::allowance::Allowance;
use self::chosen::{Blob, Chosen};
use self::files::Files;
use self::plain::Plain;
use super::LayerDigests;
use super::config;
use super::oci::{Manifest, blob_path};

/// The most layers: engines mount no more than 127 upon one another.
const LAYERS: usize = 128;

/// The most characters of a layer's name that are shown.
const LONGEST_NAME: usize = 80;

/// An image in a layout or in a file, all digests of which were checked.
#[derive(Debug)]
pub struct ThirdPartyImage {
    place: PathBuf,
    manifest: Option<Document>,
    config: Document,
    layers: Vec<ThirdPartyLayer>,
}

/// One of its layers.
#[derive(Debug, Clone)]
pub struct ThirdPartyLayer {
    /// What names it. Where the config does not say what each is about, they are numbered.
    pub digests: LayerDigests,
    /// The tar archive, decompressed.
    pub archive: Extent,
    allowance: Allowance,
    image: PathBuf,
}

impl ThirdPartyImage {
    /// Opens the image at `place`: a path, or a path with `:NAME` or `@DIGEST` after it where
    /// there are several images. All of it is read and hashed.
    ///
    /// # Errors
    /// When it is no image, or not one, or not what its digests say, or larger than `limits`.
    pub fn open(place: &str, limits: Limits) -> Result<Self, Error> {
        let (path, wanted) = choose::split(place)?;
        let files = Files::open(&path, |whole| plain::archive(&path, whole))?;
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

    /// What has to be opened to see all that is at `place`: itself, or where nothing in it chooses
    /// one of several images, each of them by its digest.
    ///
    /// # Errors
    /// When it is no image.
    pub fn choices(place: &str) -> Result<Vec<String>, Error> {
        let (path, wanted) = choose::split(place)?;
        let files = Files::open(&path, |whole| plain::archive(&path, whole))?;
        let digests = match files.document("index.json")? {
            Some(index) if wanted.is_none() => choose::several(&files, &index)?,
            _ => Vec::new(),
        };
        match digests.len() {
            0 | 1 => Ok(vec![place.to_owned()]),
            _ => Ok(digests.iter().map(|it| format!("{place}@{it}")).collect()),
        }
    }

    /// What it runs on, as its config says: `linux/amd64`.
    pub fn platform(&self) -> String {
        let config: serde_json::Value =
            serde_json::from_slice(&self.config.bytes).unwrap_or_default();
        let field = |name: &str| shown(config[name].as_str().unwrap_or("unknown").as_bytes());
        format!("{}/{}", field("os"), field("architecture"))
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
    pub fn layers(&self) -> &[ThirdPartyLayer] {
        &self.layers
    }

    /// The labels in its config, as far as they are text.
    pub fn label(&self, name: &str) -> Option<String> {
        let config: serde_json::Value = serde_json::from_slice(&self.config.bytes).ok()?;
        let label = config.get("config")?.get("Labels")?.get(name)?;
        label.as_str().map(str::to_owned)
    }
}

impl ThirdPartyLayer {
    /// What is in it, in its order; `spent` is one for all layers of an image.
    ///
    /// # Errors
    /// When it is no tar archive that can be read, or has more entries than it may.
    pub fn entries(&self, spent: &mut Spent) -> Result<Vec<Entry>, Error> {
        entries::read(&self.archive, self.allowance, spent).map_err(|problem| Error::Layer {
            image: self.image.clone(),
            layer: self.digests.name.clone(),
            problem,
        })
    }
}

/// The name of a layer. Other builders write whole paragraphs where ours stands.
fn short(name: &str) -> String {
    let shown = shown(name.as_bytes());
    match shown.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
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
fn layers(files: &Files, chosen: &Chosen, limits: Limits) -> Result<Vec<ThirdPartyLayer>, Error> {
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
    let names: Vec<String> = described.iter().map(|(name, _)| short(name)).collect();
    let packed: Vec<Extent> = chosen
        .layers
        .iter()
        .map(|blob| files.require(&blob.file))
        .collect::<Result<_, _>>()?;
    // Several layers may be one file, which is read once.
    let mut read: BTreeMap<_, Option<Plain>> = BTreeMap::new();
    let mut sent = 0_u64;
    for extent in &packed {
        if read.insert(extent.identity()?, None).is_none() {
            sent = sent.saturating_add(extent.size());
        }
    }
    let allowance = Allowance::of(sent.min(files.sent()), limits);
    let mut left = allowance.bytes;
    let mut layers = Vec::new();
    let each = chosen.layers.iter().zip(packed).zip(&described);
    for (number, ((blob, extent), (_, diff_id))) in each.enumerate() {
        let known = read.entry(extent.identity()?).or_default();
        let plain = match known {
            // What is named otherwise the second time is not what was read.
            Some(plain) if plain.is(blob, diff_id) => plain.clone(),
            _ => {
                let plain = plain::open(files, blob, extent, diff_id, left, allowance.bytes)?;
                left = left.saturating_sub(plain.archive.size());
                known.insert(plain).clone()
            }
        };
        // Other builders write one comment for all layers.
        let unique = names.iter().filter(|name| **name == names[number]).count() == 1;
        layers.push(ThirdPartyLayer {
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
            allowance,
            image: files.path().to_owned(),
        });
    }
    Ok(layers)
}
