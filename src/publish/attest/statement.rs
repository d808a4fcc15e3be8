//! The statement that is signed: an in-toto Statement v1 about an image, whose predicate is a
//! SLSA provenance v1. No times and no names of machines: one build, one spelling.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Error;
use crate::base::digest::Digest;
use crate::base::target::Target;
use crate::compare::{Comparison, Stage};
use crate::image::{About, Variant};
use crate::pipeline::Made;
use crate::record::Record;
use crate::verify::Verified;

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const PROVENANCE: &str = "https://slsa.dev/provenance/v1";
/// Goes up when a parameter changes its meaning.
const BUILD_TYPE: &str = concat!(
    env!("CARGO_PKG_REPOSITORY"),
    "/blob/main/docs/verifying.md#build-type-1"
);
const BUILDER: &str = env!("CARGO_PKG_REPOSITORY");

/// What somebody built, from what, and what came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    /// The image: its manifest under the name of its variant, its config and its layers.
    subject: Vec<Artifact>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Predicate {
    build_definition: BuildDefinition,
    run_details: RunDetails,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct BuildDefinition {
    build_type: String,
    external_parameters: Wanted,
    internal_parameters: Internal,
    resolved_dependencies: Vec<Dependency>,
}

/// What the image was asked to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    tor: String,
    target: Target,
    variant: Variant,
    uid: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Internal {
    image_format: u32,
    source_date_epoch: u64,
    engine: String,
    root: String,
    toolchain: String,
    /// Whether outputs of earlier builds were taken as they were.
    #[serde(default, skip_serializing_if = "is_false")]
    from_cache: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

/// Where the steps of a build ran. It must not change what came out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Site {
    /// What kept the steps apart from the machine.
    pub engine: String,
    /// The file system that they saw.
    pub root: String,
    /// Whose build of the compiler they used: `zig 0.17.0`, `debian 1:22.1.8-1+b2`.
    pub toolchain: String,
    /// Whether outputs of earlier builds were taken as they were, and not built from sources.
    pub from_cache: bool,
}

/// A pinned input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dependency {
    name: String,
    digest: DigestSet,
    annotations: Annotations,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Annotations {
    role: Role,
    version: String,
    /// How well it is vouched for, as `rung` in `sources.toml` has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evidence: Option<String>,
    /// Whose signatures were accepted; nobody's, if there is a digest only.
    signed_by: Vec<Signer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    Source,
    Toolchain,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signer {
    name: String,
    /// Of the primary key.
    fingerprint: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RunDetails {
    builder: Builder,
    /// What each component gave: the digest of its files' list, as in `hashes/`.
    byproducts: Vec<Artifact>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Builder {
    id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Artifact {
    name: String,
    digest: DigestSet,
}

/// A digest as in-toto writes it: `{"sha256": "<hex>"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct DigestSet(Digest);

impl Serialize for DigestSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.0.algorithm(), self.0.hex())])
    }
}

impl<'de> Deserialize<'de> for DigestSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let set = BTreeMap::<String, String>::deserialize(deserializer)?;
        let mut entries = set.iter();
        let (Some((algorithm, hex)), None) = (entries.next(), entries.next()) else {
            return Err(serde::de::Error::custom("expected one digest"));
        };
        let digest = format!("{algorithm}:{hex}").parse();
        digest.map(Self).map_err(serde::de::Error::custom)
    }
}

impl Statement {
    /// What was `made`, at this site.
    pub fn of(made: &Made, site: &Site) -> Option<Self> {
        let vouched = |name: &str| made.sources.get(name).map(vouched).unwrap_or_default();
        Self::new(&made.record, made.about.variant, site, vouched)
    }

    /// What a statement has to say to agree with `record` about the image `variant`; none, if
    /// that image is not in it.
    pub fn recorded(record: &Record, variant: Variant) -> Option<Self> {
        Self::new(record, variant, &Site::default(), |_| Default::default())
    }

    fn new(
        record: &Record,
        variant: Variant,
        site: &Site,
        vouched: impl Fn(&str) -> (Option<String>, Vec<Signer>),
    ) -> Option<Self> {
        let record = record.only(variant)?;
        let image = record.images.get(&variant)?;
        let artifact = |name: String, digest| Artifact {
            name,
            digest: DigestSet(digest),
        };
        let mut subject = vec![
            artifact(variant.to_string(), image.manifest),
            artifact(config(variant), image.config),
        ];
        let layers = image.layers.iter();
        subject.extend(layers.map(|it| artifact(layer(variant) + &it.name, it.digest)));
        let dependency = |role, name: &str, version: &str, digest| {
            let (evidence, signed_by) = vouched(name);
            Dependency {
                name: name.to_owned(),
                digest: DigestSet(digest),
                annotations: Annotations {
                    role,
                    version: version.to_owned(),
                    evidence,
                    signed_by,
                },
            }
        };
        let sources = record.sources.iter();
        let sources =
            sources.map(|(name, pin)| dependency(Role::Source, name, &pin.version, pin.digest));
        let tools = [&record.toolchain].into_iter().chain(&image.go);
        let tools =
            tools.map(|tool| dependency(Role::Toolchain, &tool.name, &tool.version, tool.digest));
        let components = record.components.iter();
        Some(Self {
            kind: STATEMENT.to_owned(),
            subject,
            predicate_type: PROVENANCE.to_owned(),
            predicate: Predicate {
                build_definition: BuildDefinition {
                    build_type: BUILD_TYPE.to_owned(),
                    external_parameters: Wanted {
                        tor: record.tor.clone(),
                        target: record.target,
                        variant,
                        uid: record.uid,
                    },
                    internal_parameters: Internal {
                        image_format: record.image_format,
                        source_date_epoch: record.source_date_epoch,
                        engine: site.engine.clone(),
                        root: site.root.clone(),
                        toolchain: site.toolchain.clone(),
                        from_cache: site.from_cache,
                    },
                    resolved_dependencies: sources.chain(tools).collect(),
                },
                run_details: RunDetails {
                    builder: Builder {
                        id: BUILDER.to_owned(),
                    },
                    byproducts: components
                        .map(|part| artifact(part.name.clone(), part.tree()))
                        .collect(),
                },
            },
        })
    }

    /// The release that it is about: `0.4.9.11-x86_64-linux-musl`. Statements about one lie in
    /// a folder of that name.
    pub fn release(&self) -> String {
        let wanted = &self.predicate.build_definition.external_parameters;
        About::release(&wanted.tor, wanted.target, wanted.variant)
    }

    /// The digest of the image's manifest.
    pub fn image(&self) -> Option<Digest> {
        let variant = self.variant().to_string();
        let mut subject = self.subject.iter();
        Some(subject.find(|it| it.name == variant)?.digest.0)
    }

    /// Whether it is about outputs of earlier builds, which somebody may have put there.
    pub fn from_cache(&self) -> bool {
        let definition = &self.predicate.build_definition;
        definition.internal_parameters.from_cache
    }

    fn variant(&self) -> Variant {
        let definition = &self.predicate.build_definition;
        definition.external_parameters.variant
    }

    /// The bytes that are signed.
    pub fn to_json(&self) -> Result<String, Error> {
        let mut text = serde_json::to_string_pretty(self).map_err(std::io::Error::from)?;
        text.push('\n');
        Ok(text)
    }

    /// Reads what somebody signed, as strictly as it is written: to the byte.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let wrong = |problem: String| Error::Statement {
            path: path.to_owned(),
            problem,
        };
        let statement: Self = serde_json::from_slice(bytes)
            .map_err(|error| wrong(shown::shown(error.to_string().as_bytes())))?;
        statement.check().map_err(wrong)?;
        if statement.to_json()?.as_bytes() != bytes {
            let problem = "the order, the spelling or the layout is not as it is written";
            return Err(wrong(problem.to_owned()));
        }
        Ok(statement)
    }

    /// What serde cannot say: fixed values, names that are there once, and no more than they
    /// have to be.
    fn check(&self) -> Result<(), String> {
        let definition = &self.predicate.build_definition;
        for (what, expected, got) in [
            ("_type", STATEMENT, &self.kind),
            ("predicateType", PROVENANCE, &self.predicate_type),
            ("buildType", BUILD_TYPE, &definition.build_type),
        ] {
            if got != expected {
                return Err(format!("`{what}`: expected {expected}, got {got:?}"));
            }
        }
        let sources = &definition.resolved_dependencies;
        let byproducts = &self.predicate.run_details.byproducts;
        for (what, names) in [
            ("subject", each(&self.subject, |it| &it.name)),
            ("resolvedDependencies", each(sources, |it| &it.name)),
            ("byproducts", each(byproducts, |it| &it.name)),
        ] {
            let mut seen = BTreeSet::new();
            for name in names {
                if name.is_empty() || name.contains(|c: char| c.is_control()) {
                    return Err(format!("`{what}`: {name:?} is not a name"));
                }
                if !seen.insert(name) {
                    return Err(format!("`{what}`: `{name}` is in it twice"));
                }
            }
        }
        match self.subject.iter().find(|it| self.part(&it.name).is_none()) {
            Some(artifact) => Err(format!(
                "`subject`: `{}` is no part of the image `{}`",
                artifact.name,
                self.variant()
            )),
            None if self.image().is_none() => Err(format!(
                "`subject`: the image `{}` is not in it",
                self.variant()
            )),
            None => Ok(()),
        }
    }

    /// What part of the image a subject is, and its name there.
    fn part<'a>(&self, name: &'a str) -> Option<(Stage, &'a str)> {
        let variant = self.variant();
        if name == variant.to_string() {
            return Some((Stage::Manifest, "manifest"));
        }
        if name == config(variant) {
            return Some((Stage::Config, "config"));
        }
        Some((Stage::Layer, name.strip_prefix(&layer(variant))?))
    }

    /// Compares what `got` says with what was `expected`, in the order of the flow. How a
    /// source was signed and where the build ran are left out, and so are toolchains that are not
    /// the same one: what comes out of them must be the same all the more.
    pub fn compare(expected: &Self, got: &Self) -> Comparison {
        let (expected, got) = (expected.facts(), got.facts());
        let find = |facts: &[Fact], key: &Key| {
            let fact = facts.iter().find(|fact| fact.key == *key);
            fact.map(|fact| fact.value.clone())
        };
        let unexpected = got.iter().filter(|it| find(&expected, &it.key).is_none());
        let mut keys: Vec<&Key> = expected
            .iter()
            .chain(unexpected)
            .map(|it| &it.key)
            .collect();
        // What is unexpected stands with its kind.
        keys.sort_by_key(|key| key.stage);
        let mut all = Comparison::default();
        for key in keys {
            let (expected, got) = (find(&expected, key), find(&got, key));
            if key.stage == Stage::Toolchain && (expected.is_none() || got.is_none()) {
                continue;
            }
            all.push(key.stage, key.of.as_deref(), &key.name, expected, got);
        }
        all
    }

    fn facts(&self) -> Vec<Fact> {
        let definition = &self.predicate.build_definition;
        let wanted = &definition.external_parameters;
        let internal = &definition.internal_parameters;
        let settings = [
            ("tor", wanted.tor.clone()),
            ("target", wanted.target.to_string()),
            ("uid", wanted.uid.to_string()),
            ("source_date_epoch", internal.source_date_epoch.to_string()),
            ("image_format", internal.image_format.to_string()),
        ];
        let settings = settings
            .into_iter()
            .map(|(name, value)| fact(Stage::Setting, None, name, value));
        let pins = definition.resolved_dependencies.iter().map(|it| {
            let stage = match it.annotations.role {
                Role::Source => Stage::Source,
                Role::Toolchain => Stage::Toolchain,
            };
            let value = format!("{} {}", it.annotations.version, it.digest.0);
            fact(stage, None, &it.name, value)
        });
        let components = self.predicate.run_details.byproducts.iter();
        let components =
            components.map(|it| fact(Stage::Component, None, &it.name, it.digest.0.to_string()));
        let variant = self.variant().to_string();
        let parts = self.subject.iter().filter_map(|it| {
            let (stage, name) = self.part(&it.name)?;
            let value = it.digest.0.to_string();
            Some(fact(stage, Some(variant.clone()), name, value))
        });
        let inputs = settings.chain(pins);
        inputs.chain(components).chain(parts).collect()
    }
}

/// One thing that a statement says.
struct Fact {
    key: Key,
    value: String,
}

/// What a fact is about.
#[derive(PartialEq, Eq)]
struct Key {
    stage: Stage,
    of: Option<String>,
    name: String,
}

fn fact(stage: Stage, of: Option<String>, name: &str, value: String) -> Fact {
    let name = name.to_owned();
    let key = Key { stage, of, name };
    Fact { key, value }
}

fn config(variant: Variant) -> String {
    format!("{variant}/config")
}

/// What the names of an image's layers start with.
fn layer(variant: Variant) -> String {
    format!("{variant}/layer/")
}

fn each<T>(items: &[T], name: impl Fn(&T) -> &String) -> Vec<&str> {
    items.iter().map(|item| name(item).as_str()).collect()
}

/// The kind of evidence for a source, and those who signed it.
fn vouched(verified: &Verified) -> (Option<String>, Vec<Signer>) {
    let rung = verified.verdict().rung().name();
    (Some(rung.to_owned()), signers(verified))
}

/// Those whose signature over a source was accepted, each once.
fn signers(verified: &Verified) -> Vec<Signer> {
    let mut signers: Vec<Signer> = Vec::new();
    let findings = verified.verdict().signatures().iter();
    for finding in findings.filter(|finding| finding.counts) {
        if let (Some(name), Some(fingerprint)) = (&finding.signer, &finding.primary)
            && !signers.iter().any(|it| it.fingerprint == *fingerprint)
        {
            signers.push(Signer {
                name: name.clone(),
                fingerprint: fingerprint.clone(),
            });
        }
    }
    signers.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
    signers
}
