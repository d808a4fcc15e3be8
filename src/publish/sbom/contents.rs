//! What an image was made from, in no format yet.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::known::{Known, known};
use crate::base::digest::Digest;
use crate::build::plan::{Plan, Step, Work};
use crate::image::About;
use crate::pins::Source;
use crate::pipeline::Made;
use crate::verify::{Conclusion, JudgedSignature, Status, Verdict};

/// What made the SBOM.
pub(super) const TOOL: (&str, &str) = ("relaysmith", env!("CARGO_PKG_VERSION"));

/// The license of what is ours.
const OWN_LICENSE: &str = env!("CARGO_PKG_LICENSE");

/// What an image was made from.
#[derive(Debug)]
pub struct Sbom<'a> {
    pub(super) about: &'a About,
    /// The digest of the manifest.
    pub(super) image: Digest,
    /// What is in it, in the order of the build.
    pub(super) parts: Vec<Part<'a>>,
    /// What compiled it.
    pub(super) compiler: Part<'a>,
    /// What is known against its parts.
    pub(super) known: Vec<Known>,
}

/// One source that went in, or a component whose source is in this repository.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) license: &'a str,
    pub(super) source: Option<&'a Source>,
    pub(super) verdict: Option<&'a Verdict>,
    /// The paths of the patches in this repository, and their digests.
    pub(super) patches: Vec<(String, Digest)>,
    /// The names of the parts that it was built with.
    pub(super) needs: Vec<&'a str>,
}

impl<'a> Sbom<'a> {
    /// The SBOM of what was built; patches are read from the folder `project`.
    ///
    /// # Errors
    /// When a patch cannot be read.
    pub fn new(made: &'a Made, project: &Path) -> io::Result<Self> {
        let verdicts = made.sources.iter();
        let verdicts = verdicts.map(|(name, verified)| (&**name, verified.verdict()));
        let image = made.image.manifest();
        Self::of(&made.about, image, &made.plan, &verdicts.collect(), project)
    }

    pub(super) fn of(
        about: &'a About,
        image: Digest,
        plan: &'a Plan,
        verdicts: &BTreeMap<&str, &'a Verdict>,
        project: &Path,
    ) -> io::Result<Self> {
        let of_source = |source: &'a Arc<Source>| -> io::Result<Part<'a>> {
            Ok(Part {
                name: &source.name,
                version: &source.version,
                license: &source.license,
                source: Some(source),
                verdict: verdicts.get(&*source.name).copied(),
                patches: patches(source, project)?,
                needs: Vec::new(),
            })
        };
        let mut parts: Vec<Part<'a>> = Vec::new();
        // Go is a part of what is written in it: its library is compiled in. What only helped to
        // build for another machine is no part.
        let is_part = |step: &Step| match step.work {
            Work::Go(_) => true,
            Work::Component(..) => step.target == about.target,
            Work::Toolchain(_) | Work::Root(_) | Work::Tool(..) => false,
        };
        for step in plan.steps.iter().filter(|step| is_part(step)) {
            let name = part_of(step);
            let needs = step.needs.iter().map(|&need| &plan.steps[need]);
            let needs = needs.filter(|need| is_part(need));
            let needs: Vec<&str> = needs.map(part_of).collect();
            if parts.iter().all(|part| part.name != name) {
                parts.push(match step.source() {
                    Some(source) => of_source(plan.named(source))?,
                    None => Part {
                        name,
                        version: TOOL.1,
                        license: OWN_LICENSE,
                        source: None,
                        verdict: None,
                        patches: Vec::new(),
                        needs: Vec::new(),
                    },
                });
            }
            if let Some(part) = parts.iter_mut().find(|part| part.name == name) {
                // Several steps may share a source, and need one another.
                let new = needs.into_iter().filter(|need| *need != name);
                part.needs.extend(new);
                part.needs.sort_unstable();
                part.needs.dedup();
            }
        }
        let known = known(project, parts.iter().map(|part| (part.name, part.version)))?;
        Ok(Self {
            about,
            image,
            parts,
            compiler: of_source(match &plan.packages {
                None => plan.named(&plan.zig),
                Some(packages) => packages.packages.first().unwrap_or(&plan.zig),
            })?,
            known,
        })
    }

    /// Whether another part was built with `part`.
    pub(super) fn is_needed(&self, part: &Part<'_>) -> bool {
        self.parts
            .iter()
            .any(|other| other.needs.contains(&part.name))
    }
}

/// The name of the part that a step is of: its source's, or its own.
fn part_of(step: &Step) -> &str {
    step.source()
        .map_or(step.name.as_str(), |source| &source.name)
}

fn patches(source: &Source, project: &Path) -> io::Result<Vec<(String, Digest)>> {
    let patches = source.patches.iter().map(|patch| {
        let path = format!("patches/{}/{patch}", source.name);
        let digest = Digest::sha256(&fs_err::read(project.join(&path))?);
        Ok((path, digest))
    });
    patches.collect()
}

impl Part<'_> {
    /// Who signed it, in words that stay true: whether a key expired since is told by the clock.
    pub(super) fn signed(&self) -> Vec<String> {
        let Some(verdict) = self.verdict else {
            return vec!["its source is in the repository of relaysmith".to_owned()];
        };
        match verdict.conclusion() {
            Conclusion::DigestOnly { why } => return vec![format!("digest only: {why}")],
            Conclusion::Published { by } => {
                return vec![format!("{}: {}", verdict.rung(), by.join(", "))];
            }
            _ => {}
        }
        let counted = verdict.signatures().iter().filter(|found| found.counts);
        counted.map(signature).collect()
    }
}

fn signature(found: &JudgedSignature) -> String {
    let signer = found.signer.as_deref().unwrap_or_default();
    let primary = found.primary.as_deref().unwrap_or_default();
    let status = match found.status {
        Status::ExpiredSince => Status::Good,
        status => status,
    };
    let allowed = found.allowed.as_deref();
    let allowed = allowed.map_or_else(String::new, |why| format!(", allowed: {why}"));
    let rung = found.rung;
    format!("{rung}: {signer} ({primary}): {status}{allowed}")
}

/// The identifier of a document: a UUID of version 8 (RFC 9562), from the digest of all that it
/// says. Equal documents have equal ones, and only they.
pub(super) fn uuid(document: &Value) -> String {
    let hex = Digest::sha256(document.to_string().as_bytes()).hex();
    format!(
        "urn:uuid:{}-{}-8{}-a{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..15],
        &hex[15..18],
        &hex[18..30]
    )
}
