//! Two records side by side, in the order in which the work flows: the first difference is
//! where to look, what differs after it may be its consequence.

use serde::{Deserialize, Serialize};

use crate::base::digest::Digest;
use crate::base::listing::Node;
use crate::image::LayerDigests;
use crate::record::{ComponentRecord, ImageRecord, Record, ToolchainRecord};

/// What kind of thing is compared, in the order of the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// What the build was asked for, and the versions of what decides bytes.
    Setting,
    /// A pinned input.
    Source,
    /// The compiler.
    Toolchain,
    /// The output of a component.
    Component,
    /// A file of a component's output, where it is not the same.
    File,
    /// A layer of an image.
    Layer,
    /// The config of an image.
    Config,
    /// The manifest of an image.
    Manifest,
}

/// How two things compare, the worse the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ComparisonVerdict {
    /// Equal to the byte.
    Same,
    /// The same content, compressed differently.
    Recompressed,
    /// On one side only.
    Absent,
    /// The content differs.
    Different,
}

/// One thing that was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What kind of thing it is.
    pub stage: Stage,
    /// What it belongs to, for a file its component and for a part of an image its variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Its name, or a file's path.
    pub name: String,
    /// How the two sides compare.
    pub verdict: ComparisonVerdict,
    /// What was expected, unless it is absent there.
    pub expected: Option<String>,
    /// What there is, unless it is absent here.
    pub got: Option<String>,
}

/// The outcome, item by item, in the order of the flow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// All that was compared. Of files, those that are not the same.
    pub items: Vec<Item>,
}

impl Comparison {
    /// The worst verdict of all.
    pub fn verdict(&self) -> ComparisonVerdict {
        let verdicts = self.items.iter().map(|item| item.verdict);
        verdicts.max().unwrap_or(ComparisonVerdict::Same)
    }

    /// What is not the same, the earliest first. A component of which files are named is left
    /// out: its files say more.
    pub fn differences(&self) -> impl Iterator<Item = &Item> {
        let next = self.items.iter().skip(1).map(Some).chain([None]);
        self.items
            .iter()
            .zip(next)
            .filter(|(item, next)| {
                let has_files = item.stage == Stage::Component
                    && next.is_some_and(|next| next.stage == Stage::File);
                item.verdict != ComparisonVerdict::Same && !has_files
            })
            .map(|(item, _)| item)
    }

    /// Whether a difference follows from another user number, which the two sides differ in: it
    /// stands in the layer of tor, in the config, and in what names them.
    pub fn is_of_user(&self, item: &Item) -> bool {
        let is_uid = |item: &Item| item.stage == Stage::Setting && item.name == "uid";
        let other_user = self.differences().any(is_uid);
        let names_user = match item.stage {
            Stage::Layer => item.name == "tor",
            Stage::Config | Stage::Manifest => true,
            _ => is_uid(item),
        };
        other_user && names_user && item.verdict != ComparisonVerdict::Absent
    }

    /// The differences that do not follow from another user number.
    pub fn unexpected(&self) -> impl Iterator<Item = &Item> {
        self.differences().filter(|item| !self.is_of_user(item))
    }

    /// The layers among what was compared.
    pub fn layers(&self) -> impl Iterator<Item = &Item> {
        let items = self.items.iter();
        items.filter(|item| item.stage == Stage::Layer)
    }

    pub(crate) fn push(
        &mut self,
        stage: Stage,
        of: Option<&str>,
        name: &str,
        expected: Option<String>,
        got: Option<String>,
    ) {
        let verdict = match (&expected, &got) {
            (Some(expected), Some(got)) if expected == got => ComparisonVerdict::Same,
            (Some(_), Some(_)) => ComparisonVerdict::Different,
            _ => ComparisonVerdict::Absent,
        };
        self.items.push(Item {
            stage,
            of: of.map(ToOwned::to_owned),
            name: name.to_owned(),
            verdict,
            expected,
            got,
        });
    }
}

/// Compares the record `got` with the one that was `expected`.
pub fn compare<'a>(expected: &'a Record, got: &'a Record) -> Comparison {
    let mut all = Comparison::default();
    let settings = |record: &Record| {
        [
            ("tor", record.tor.clone()),
            ("target", record.target.to_string()),
            ("uid", record.uid.to_string()),
            ("source_date_epoch", record.source_date_epoch.to_string()),
            ("image_format", record.image_format.to_string()),
        ]
    };
    for ((name, expected), (_, got)) in settings(expected).into_iter().zip(settings(got)) {
        all.push(Stage::Setting, None, name, Some(expected), Some(got));
    }
    for name in union(expected.sources.keys(), got.sources.keys()) {
        let text = |record: &Record| {
            let pin = record.sources.get(name)?;
            Some(format!("{} {}", pin.version, pin.digest))
        };
        all.push(Stage::Source, None, name, text(expected), text(got));
    }
    let toolchain = |record: &Record| {
        let toolchain = &record.toolchain;
        Some(format!("{} {}", toolchain.version, toolchain.digest))
    };
    // Another toolchain was asked for by its name, and has no digest to be the same as. What
    // comes out must be.
    let name = &expected.toolchain.name;
    if *name == got.toolchain.name {
        let (expected, got) = (toolchain(expected), toolchain(got));
        all.push(Stage::Toolchain, None, name, expected, got);
    }
    for variant in union(expected.images.keys(), got.images.keys()) {
        let go = |record: &Record| record.images.get(variant)?.go.clone();
        let text =
            |go: Option<ToolchainRecord>| go.map(|go| format!("{} {}", go.version, go.digest));
        let (expected, got) = (go(expected), go(got));
        if let Some(name) = expected.as_ref().or(got.as_ref()).map(|go| go.name.clone()) {
            all.push(Stage::Toolchain, None, &name, text(expected), text(got));
        }
    }
    let names = |record: &Record| {
        record
            .components
            .iter()
            .map(|part| part.name.clone())
            .collect()
    };
    let (expected_names, got_names): (Vec<_>, Vec<_>) = (names(expected), names(got));
    for name in union(&expected_names, &got_names) {
        let find = |record: &Record| -> Option<ComponentRecord> {
            let mut components = record.components.iter();
            components.find(|part| part.name == *name).cloned()
        };
        components(&mut all, name, find(expected).as_ref(), find(got).as_ref());
    }
    for variant in union(expected.images.keys(), got.images.keys()) {
        let parts = |record: &'a Record| record.images.get(variant).map(ImageParts::from);
        images(&mut all, &variant.to_string(), parts(expected), parts(got));
    }
    all
}

/// What names an image and its parts, whoever made it.
#[derive(Debug, Clone, Copy)]
pub struct ImageParts<'a> {
    /// The layers, the lowest first.
    pub layers: &'a [LayerDigests],
    /// The digest of the config.
    pub config: Digest,
    /// The digest of the manifest, where there is one: not every format has it.
    pub manifest: Option<Digest>,
}

impl<'a> From<&'a ImageRecord> for ImageParts<'a> {
    fn from(image: &'a ImageRecord) -> Self {
        Self {
            layers: &image.layers,
            config: image.config,
            manifest: Some(image.manifest),
        }
    }
}

/// Compares the image `got` with the one that was `expected`; `name` is what to call it.
pub fn compare_images<'a>(
    name: &str,
    expected: impl Into<ImageParts<'a>>,
    got: impl Into<ImageParts<'a>>,
) -> Comparison {
    let mut all = Comparison::default();
    images(&mut all, name, Some(expected.into()), Some(got.into()));
    all
}

fn components(
    all: &mut Comparison,
    name: &str,
    expected: Option<&ComponentRecord>,
    got: Option<&ComponentRecord>,
) {
    let tree = |component: Option<&ComponentRecord>| component.map(|it| it.tree().to_string());
    all.push(Stage::Component, None, name, tree(expected), tree(got));
    let (Some(expected), Some(got)) = (expected, got) else {
        return;
    };
    let (expected, got) = (&expected.files().0, &got.files().0);
    for path in union(expected.keys(), got.keys()) {
        let (expected, got) = (expected.get(path), got.get(path));
        if expected != got {
            let text = |node: Option<&Node>| node.map(ToString::to_string);
            all.push(Stage::File, Some(name), path, text(expected), text(got));
        }
    }
}

fn images(
    all: &mut Comparison,
    name: &str,
    expected: Option<ImageParts<'_>>,
    got: Option<ImageParts<'_>>,
) {
    let start = all.items.len();
    let layers = |image: Option<ImageParts<'_>>| -> Vec<LayerDigests> {
        image.map(|image| image.layers.to_vec()).unwrap_or_default()
    };
    let (expected_layers, got_layers) = (layers(expected), layers(got));
    let names = |layers: &[LayerDigests]| -> Vec<String> {
        layers.iter().map(|layer| layer.name.clone()).collect()
    };
    for layer in union(&names(&expected_layers), &names(&got_layers)) {
        let find = |layers: &[LayerDigests]| layers.iter().find(|it| it.name == *layer).cloned();
        let (expected, got) = (find(&expected_layers), find(&got_layers));
        let same_content = match (&expected, &got) {
            (Some(expected), Some(got)) => expected.diff_id == got.diff_id,
            _ => false,
        };
        let text = |layer: Option<LayerDigests>| layer.map(|layer| layer.digest.to_string());
        all.push(Stage::Layer, Some(name), layer, text(expected), text(got));
        if let Some(item) = all.items.last_mut()
            && item.verdict == ComparisonVerdict::Different
            && same_content
        {
            item.verdict = ComparisonVerdict::Recompressed;
        }
    }
    let config = |image: Option<ImageParts<'_>>| image.map(|image| image.config.to_string());
    all.push(
        Stage::Config,
        Some(name),
        "config",
        config(expected),
        config(got),
    );
    let so_far = Comparison {
        items: all.items[start..].to_vec(),
    };
    let mut both = [expected, got].into_iter().flatten();
    if both.any(|image| image.manifest.is_none()) {
        return;
    }
    let manifest = |image: Option<ImageParts<'_>>| Some(image?.manifest?.to_string());
    all.push(
        Stage::Manifest,
        Some(name),
        "manifest",
        manifest(expected),
        manifest(got),
    );
    // The manifest names the compressed layers: where nothing but the compression differs, the
    // manifest says nothing new.
    if let Some(item) = all.items.last_mut()
        && item.verdict == ComparisonVerdict::Different
        && so_far.verdict() == ComparisonVerdict::Recompressed
    {
        item.verdict = ComparisonVerdict::Recompressed;
    }
}

/// What is in `expected`, in its order, then what is in `got` alone.
fn union<'a, T: PartialEq>(
    expected: impl IntoIterator<Item = &'a T>,
    got: impl IntoIterator<Item = &'a T>,
) -> Vec<&'a T> {
    let mut all: Vec<&T> = expected.into_iter().collect();
    for item in got {
        if !all.contains(&item) {
            all.push(item);
        }
    }
    all
}
