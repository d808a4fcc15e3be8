//! Two images side by side: which layers and files are the same, different or absent, and where
//! the first byte differs.

mod content;
mod documents;
mod elf;
mod files;
mod html;
mod text;

use std::io;

use serde::Serialize;

use crate::digest::Digest;
use crate::image::LayerDigests;
use crate::image::foreign::{self, Foreign, ForeignLayer};
use crate::record::{Comparison, ImageParts, ImageRecord, Verdict, compare_images};

pub use content::{Content, Place};
pub use documents::{DocumentDiff, Value};
pub use elf::SectionDiff;
pub use files::{Aspect, FileDiff};

/// Why two images cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One of them cannot be read.
    #[error(transparent)]
    Image(#[from] foreign::Error),
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Error {
    /// What mends it, where something does.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Image(error) => error.hint(),
            Self::Io(_) => None,
        }
    }
}

/// One of the two images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// What to call it: where it was found.
    pub name: String,
    /// The digest of the manifest, where there is one.
    pub manifest: Option<Digest>,
    /// The digest of the config.
    pub config: Digest,
}

/// What two images have in common, and what not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The first image.
    pub a: Side,
    /// The second image.
    pub b: Side,
    /// Layers, config and manifest, by digest.
    pub comparison: Comparison,
    /// The layers of both, file by file where they are not the same.
    pub layers: Vec<LayerDiff>,
    /// Config and manifest, value by value where they are not the same.
    pub documents: Vec<DocumentDiff>,
}

/// What two layers of one name have in common, and what not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerDiff {
    /// What it is about.
    pub name: String,
    /// How the two compare.
    pub verdict: Verdict,
    /// That of the first image.
    pub a: Option<LayerDigests>,
    /// That of the second.
    pub b: Option<LayerDigests>,
    /// How many files, directories and links are the same.
    pub same: usize,
    /// Those that are not.
    pub files: Vec<FileDiff>,
    /// Where the archives begin to differ, though nothing in them does: in their order, their
    /// padding, or how they spell the same.
    pub archive: Option<Place>,
}

impl Diff {
    /// Compares two images; the names are what to call them.
    ///
    /// # Errors
    /// When a layer is not a tar archive that can be read.
    pub fn new(a: (&str, &Foreign), b: (&str, &Foreign)) -> Result<Self, Error> {
        let side = |(name, image): (&str, &Foreign)| Side {
            name: foreign::shown(name.as_bytes()),
            manifest: image.manifest().map(|document| document.digest),
            config: image.config().digest,
        };
        let sides = (side(a), side(b));
        let (a, b) = (a.1, b.1);
        let a_layers = digests(a);
        let b_layers = named_alike(&a_layers, digests(b));
        let comparison = compare_images("image", parts(a, &a_layers), parts(b, &b_layers));
        let find = |image: &'_ Foreign, digests: &[LayerDigests], name: &str| {
            let at = digests.iter().position(|layer| layer.name == name)?;
            Some((digests[at].clone(), image.layers().get(at)?.clone()))
        };
        let mut layers = Vec::new();
        for item in comparison.layers() {
            let a = find(a, &a_layers, &item.name);
            let b = find(b, &b_layers, &item.name);
            layers.push(layer(&item.name, item.verdict, a, b)?);
        }
        Ok(Self {
            documents: documents::compare(a, b),
            comparison,
            layers,
            a: sides.0,
            b: sides.1,
        })
    }

    /// The worst verdict of all.
    pub fn verdict(&self) -> Verdict {
        self.comparison.verdict()
    }
}

/// Compares an image with what is recorded of one; only digests, since a record has no more.
pub fn with_record(record: &ImageRecord, image: &Foreign) -> Comparison {
    let layers = named_alike(&record.layers, digests(image));
    compare_images("image", record, parts(image, &layers))
}

fn parts<'a>(image: &Foreign, layers: &'a [LayerDigests]) -> ImageParts<'a> {
    ImageParts {
        layers,
        config: image.config().digest,
        manifest: image.manifest().map(|document| document.digest),
    }
}

fn digests(image: &Foreign) -> Vec<LayerDigests> {
    let layers = image.layers().iter();
    layers.map(|layer| layer.digests.clone()).collect()
}

/// Gives the layers of `b` the names that those of the same content have in `a`: another builder
/// may have called them otherwise.
fn named_alike(a: &[LayerDigests], mut b: Vec<LayerDigests>) -> Vec<LayerDigests> {
    for layer in a {
        let same = |other: &LayerDigests| other.diff_id == layer.diff_id;
        let (Some(at), false) = (
            b.iter().position(same),
            b.iter().any(|other| other.name == layer.name),
        ) else {
            continue;
        };
        b[at].name.clone_from(&layer.name);
    }
    b
}

/// A layer of one of the images, under the name that it has here.
type Part = Option<(LayerDigests, ForeignLayer)>;

fn layer(name: &str, verdict: Verdict, a: Part, b: Part) -> Result<LayerDiff, Error> {
    let entries = |side: &Part| match side {
        Some((_, layer)) => layer.entries(),
        None => Ok(Vec::new()),
    };
    let (same, files) = match verdict {
        // Of equal archives one says all.
        Verdict::Same | Verdict::Recompressed => (entries(&a)?.len(), Vec::new()),
        _ => files::compare(entries(&a)?, entries(&b)?)?,
    };
    let archive = match (&a, &b) {
        (Some((_, a)), Some((_, b))) if verdict == Verdict::Different && files.is_empty() => {
            content::first_difference(&a.archive, &b.archive)?
        }
        _ => None,
    };
    Ok(LayerDiff {
        name: name.to_owned(),
        verdict,
        a: a.map(|(digests, _)| digests),
        b: b.map(|(digests, _)| digests),
        same,
        files,
        archive,
    })
}
