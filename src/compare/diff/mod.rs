//! Two images side by side: which layers and files are the same, different or absent, and where
//! the first byte differs.

mod content;
mod documents;
mod elf;
mod files;
mod html;
mod text;

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use crate::base::digest::Digest;
use crate::compare::{Comparison, ComparisonVerdict, ImageParts, compare_images};
use crate::image::LayerDigests;
use crate::image::read::{self, Spent, ThirdPartyImage, ThirdPartyLayer};
use crate::record::ImageRecord;

pub use content::{Content, FirstDifference};
pub use documents::{DocumentDiff, Value};
pub use elf::SectionDiff;
pub use files::{Aspect, FileDiff};

/// Why two images cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One of them cannot be read.
    #[error(transparent)]
    Image(#[from] read::Error),
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Error {
    /// What fixes it, where something does.
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
    pub verdict: ComparisonVerdict,
    /// That of the first image.
    pub a: Option<LayerDigests>,
    /// That of the second.
    pub b: Option<LayerDigests>,
    /// How many files, directories and links are the same.
    pub same: usize,
    /// Those that are not, as far as there is room to describe them.
    pub files: Vec<FileDiff>,
    /// How many more are not.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: usize,
    /// Where the archives begin to differ, though nothing in them does: in their order, their
    /// padding, or how they spell the same.
    pub archive: Option<FirstDifference>,
}

impl Diff {
    /// Compares two images; the names are what to call them.
    ///
    /// # Errors
    /// When a layer is not a tar archive that can be read.
    pub fn new(a: (&str, &ThirdPartyImage), b: (&str, &ThirdPartyImage)) -> Result<Self, Error> {
        let side = |(name, image): (&str, &ThirdPartyImage)| Side {
            name: read::shown(name.as_bytes()),
            manifest: image.manifest().map(|document| document.digest),
            config: image.config().digest,
        };
        let sides = (side(a), side(b));
        let (a, b) = (a.1, b.1);
        let a_layers = digests(a);
        let b_layers = named_alike(&a_layers, digests(b));
        let comparison = compare_images("image", parts(a, &a_layers), parts(b, &b_layers));
        let find = |image: &'_ ThirdPartyImage, digests: &[LayerDigests], name: &str| {
            let at = digests.iter().position(|layer| layer.name == name)?;
            Some((digests[at].clone(), image.layers().get(at)?.clone()))
        };
        let mut layers = Vec::new();
        let mut reading = Reading::default();
        for item in comparison.layers() {
            let a = find(a, &a_layers, &item.name);
            let b = find(b, &b_layers, &item.name);
            layers.push(reading.layer(&item.name, item.verdict, (a, b))?);
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
    pub fn verdict(&self) -> ComparisonVerdict {
        self.comparison.verdict()
    }
}

/// Compares an image with what is recorded of one; only digests, since a record has no more.
pub fn with_record(record: &ImageRecord, image: &ThirdPartyImage) -> Comparison {
    let layers = named_alike(&record.layers, digests(image));
    compare_images("image", record, parts(image, &layers))
}

fn parts<'a>(image: &ThirdPartyImage, layers: &'a [LayerDigests]) -> ImageParts<'a> {
    ImageParts {
        layers,
        config: image.config().digest,
        manifest: image.manifest().map(|document| document.digest),
    }
}

fn digests(image: &ThirdPartyImage) -> Vec<LayerDigests> {
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
type Part = Option<(LayerDigests, ThirdPartyLayer)>;

/// The layers of two images on their way to be compared.
#[derive(Default)]
struct Reading {
    /// What may still be described.
    room: files::Room,
    /// What the entries of each have cost.
    spent: (Spent, Spent),
    /// What became of two archives: many layers may be one.
    known: BTreeMap<(Option<Digest>, Option<Digest>), Compared>,
}

/// What two archives have in common, and what not, in numbers.
#[derive(Clone)]
struct Compared {
    same: usize,
    different: usize,
    archive: Option<FirstDifference>,
}

impl Reading {
    fn layer(
        &mut self,
        name: &str,
        verdict: ComparisonVerdict,
        (a, b): (Part, Part),
    ) -> Result<LayerDiff, Error> {
        let diff_id = |side: &Part| side.as_ref().map(|(digests, _)| digests.diff_id);
        let pair = (diff_id(&a), diff_id(&b));
        let (compared, files) = match self.known.get(&pair) {
            // They are described where they were met first.
            Some(known) => (known.clone(), Vec::new()),
            None => self.compare(verdict, &a, &b)?,
        };
        self.known.insert(pair, compared.clone());
        Ok(LayerDiff {
            name: name.to_owned(),
            verdict,
            a: a.map(|(digests, _)| digests),
            b: b.map(|(digests, _)| digests),
            same: compared.same,
            more: compared.different - files.len(),
            files,
            archive: compared.archive,
        })
    }

    fn compare(
        &mut self,
        verdict: ComparisonVerdict,
        a: &Part,
        b: &Part,
    ) -> Result<(Compared, Vec<FileDiff>), Error> {
        let entries = |side: &Part, spent| match side {
            Some((_, layer)) => layer.entries(spent),
            None => Ok(Vec::new()),
        };
        let of_a = entries(a, &mut self.spent.0)?;
        let files::Compared { same, files, more } = match verdict {
            // Of equal archives one says all.
            ComparisonVerdict::Same | ComparisonVerdict::Recompressed => files::Compared {
                same: of_a.len(),
                ..files::Compared::default()
            },
            _ => files::compare(of_a, entries(b, &mut self.spent.1)?, &mut self.room)?,
        };
        let different = files.len() + more;
        let archive = match (a, b) {
            (Some((_, a)), Some((_, b)))
                if verdict == ComparisonVerdict::Different && different == 0 =>
            {
                content::first_difference(&a.archive, &b.archive)?
            }
            _ => None,
        };
        let compared = Compared {
            same,
            different,
            archive,
        };
        Ok((compared, files))
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_zero(count: &usize) -> bool {
    *count == 0
}
