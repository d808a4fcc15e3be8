//! The file `hashes/<tor version>-<target>.json`: one fact a line, one spelling for one record.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Error;
use crate::base::digest::Digest;
use crate::base::listing::Listing;
use crate::base::replace;
use crate::base::target::Target;
use crate::image::{Image, LayerDigests, Variant};

/// Goes up when a field changes its meaning.
pub(super) const FORMAT: u64 = 1;

/// What one build took and gave, free of contradictions. Its facts can be read and not changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Record(Facts);

impl Deref for Record {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0
    }
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    format: u64,
    /// The version of the image format: [`crate::image::IMAGE_FORMAT`].
    pub image_format: u32,
    /// tor's version.
    pub tor: String,
    /// What it was built for.
    pub target: Target,
    /// The user of the image.
    pub uid: u32,
    /// Seconds since 1970.
    pub source_date_epoch: u64,
    /// The pins that went in, by name.
    pub sources: BTreeMap<String, PinRecord>,
    /// What compiled them.
    pub toolchain: ToolchainRecord,
    /// What each component gave, in the order of the build: those a component needs come first.
    pub components: Vec<ComponentRecord>,
    /// The images made of them.
    pub images: BTreeMap<Variant, ImageRecord>,
}

/// The version and the digest of a pinned file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinRecord {
    /// Upstream's version.
    pub version: String,
    /// The digest of the file.
    pub digest: Digest,
}

/// The compiler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolchainRecord {
    /// Its name: `zig`, or `debian`.
    pub name: String,
    /// The version, as who publishes it spells it.
    pub version: String,
    /// The digest of the file it was unpacked from; of packages, that of the signed archive's index,
    /// which has the digest of each.
    pub digest: Digest,
}

/// What the build of a component left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentRecord {
    /// The component: `tor`, `openssl`.
    pub name: String,
    tree: Digest,
    files: Listing,
}

impl ComponentRecord {
    /// The record of the output `files`.
    pub fn new(name: &str, files: Listing) -> Self {
        Self {
            name: name.to_owned(),
            tree: files.digest(),
            files,
        }
    }

    /// One digest for the whole output: that of [`Self::files`].
    pub fn tree(&self) -> Digest {
        self.tree
    }

    /// The output, file by file.
    pub fn files(&self) -> &Listing {
        &self.files
    }
}

/// What names an image and its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRecord {
    /// The components it is made of, by name; all are in the `components` of a record.
    pub components: BTreeSet<String>,
    /// The layers, the lowest first.
    pub layers: Vec<LayerDigests>,
    /// The digest of the config.
    pub config: Digest,
    /// The digest of the manifest.
    pub manifest: Digest,
    /// What compiled its programs in Go, where it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub go: Option<ToolchainRecord>,
}

impl ImageRecord {
    /// The record of `image`, made of `components`, some of them by `go`.
    pub fn new<'a>(
        image: &Image,
        components: impl IntoIterator<Item = &'a str>,
        go: Option<ToolchainRecord>,
    ) -> Self {
        Self {
            components: components.into_iter().map(str::to_owned).collect(),
            layers: image.layers().to_vec(),
            config: image.config(),
            manifest: image.manifest(),
            go,
        }
    }
}

impl Facts {
    /// Those with nothing in it yet but what the build was asked for.
    pub fn new(
        tor: &str,
        target: Target,
        uid: u32,
        source_date_epoch: u64,
        toolchain: ToolchainRecord,
    ) -> Self {
        Self {
            format: FORMAT,
            image_format: crate::image::IMAGE_FORMAT,
            tor: tor.to_owned(),
            target,
            uid,
            source_date_epoch,
            sources: BTreeMap::new(),
            toolchain,
            components: Vec::new(),
            images: BTreeMap::new(),
        }
    }

    /// What they say of one another.
    fn check(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        for component in &self.components {
            let name = &component.name;
            if !names.insert(name) {
                return Err(format!("the component `{name}` is in it twice"));
            }
            let digest = component.files.digest();
            if digest != component.tree {
                return Err(format!(
                    "`tree` of the component `{name}` is {}, and that of its `files` is {digest}",
                    component.tree
                ));
            }
        }
        for (variant, image) in &self.images {
            if let Some(name) = image.components.iter().find(|name| !names.contains(name)) {
                return Err(format!(
                    "the image `{variant}` is made of `{name}`, which is not a component"
                ));
            }
            let mut names = BTreeSet::new();
            for layer in &image.layers {
                if !names.insert(&layer.name) {
                    return Err(format!(
                        "the image `{variant}` has the layer `{}` twice",
                        layer.name
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Record {
    /// The record of `facts`; there is no other way to make a `Record`.
    ///
    /// # Errors
    /// What is wrong, when one of them contradicts another.
    pub fn new(facts: Facts) -> Result<Self, String> {
        facts.check()?;
        Ok(Self(facts))
    }

    /// Where the record of `tor` for `target` is kept, below the repository's root.
    pub fn path(tor: &str, target: Target) -> PathBuf {
        PathBuf::from(format!("hashes/{tor}-{target}.json"))
    }

    /// The record as its file has it.
    pub fn to_json(&self) -> Result<String, Error> {
        let mut text = serde_json::to_string_pretty(self).map_err(io::Error::from)?;
        text.push('\n');
        Ok(text)
    }

    /// Reads the text of the file `path`. It must be as [`Self::to_json`] writes it, to the byte.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Format {
            format: u64,
        }
        let at = |line: usize, problem: String| Error::Parse {
            path: path.to_owned(),
            line,
            text: text
                .lines()
                .nth(line.saturating_sub(1))
                .unwrap_or("")
                .trim()
                .to_owned(),
            problem,
        };
        let json_error = |error: serde_json::Error| {
            // Without the place: the error has it in front, and shows the line.
            let problem = error.to_string();
            let problem = problem.split(" at line ").next().unwrap_or_default();
            at(error.line(), problem.to_owned())
        };
        let Format { format } = serde_json::from_str(text).map_err(json_error)?;
        if format != FORMAT {
            return Err(Error::Format {
                path: path.to_owned(),
                found: format,
                reads: FORMAT,
            });
        }
        let facts: Facts = serde_json::from_str(text).map_err(json_error)?;
        let record = Self::new(facts).map_err(|problem| Error::Contradiction {
            path: path.to_owned(),
            problem,
        })?;
        let canonical = record.to_json()?;
        if text != canonical {
            let same = text
                .lines()
                .zip(canonical.lines())
                .take_while(|(a, b)| a == b);
            let problem = "the order, the spelling or the layout is not as it is written";
            return Err(at(same.count() + 1, problem.to_owned()));
        }
        Ok(record)
    }

    /// Reads the record of `tor` for `target` below the directory `root`, if there is one.
    pub fn load(root: &Path, tor: &str, target: Target) -> Result<Option<Self>, Error> {
        let path = Self::path(tor, target);
        match fs_err::read_to_string(root.join(&path)) {
            Ok(text) => Self::parse(&path, &text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the record below the directory `root`; says whether that changed the file.
    pub fn save(&self, root: &Path) -> Result<bool, Error> {
        let path = root.join(Self::path(&self.tor, self.target));
        Ok(replace::with_bytes(&path, self.to_json()?.as_bytes())?)
    }

    /// This record, with the images that `known` has besides, unless the two disagree on what
    /// those are made of.
    pub fn joined(self, known: Option<Self>) -> Self {
        let Some(known) = known else { return self };
        let frame = |record: &Self| Facts {
            sources: BTreeMap::new(),
            components: Vec::new(),
            images: BTreeMap::new(),
            ..record.0.clone()
        };
        if frame(&known) != frame(&self) {
            return self;
        }
        let mut all = self.0.clone();
        let known_is_larger = known.components.len() > all.components.len();
        for variant in known.images.keys() {
            let Some(part) = known.only(*variant) else {
                continue;
            };
            let sources_agree = part.sources.iter().all(|(name, pin)| {
                let own = all.sources.get(name);
                own.is_none_or(|own| own == pin)
            });
            let components_agree = part.components.iter().all(|theirs| {
                let mut own = all.components.iter();
                own.all(|own| own.name != theirs.name || own == theirs)
            });
            if all.images.contains_key(variant) || !sources_agree || !components_agree {
                continue;
            }
            all.sources.extend(part.0.sources);
            all.images.extend(part.0.images);
            for component in part.0.components {
                if !all.components.contains(&component) {
                    all.components.push(component);
                }
            }
        }
        if known_is_larger {
            // In the order of the flow, which a part of it does not know.
            all.components.sort_by_key(|component| {
                let mut names = known.components.iter().map(|known| &known.name);
                names.position(|name| *name == component.name)
            });
        }
        // What disagrees with the rest was left out, so this is never the other.
        Self::new(all).unwrap_or(self)
    }

    /// The part of the record that a build of the image `variant` alone is compared with: that
    /// image, the components it is made of and their sources. None, if the image is not in it.
    pub fn only(&self, variant: Variant) -> Option<Self> {
        let image = self.images.get(&variant)?.clone();
        let mut part = self.0.clone();
        part.sources
            .retain(|name, _| image.components.contains(name));
        part.components
            .retain(|component| image.components.contains(&component.name));
        part.images = BTreeMap::from([(variant, image)]);
        Self::new(part).ok()
    }
}
