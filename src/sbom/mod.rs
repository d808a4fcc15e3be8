//! The bill of materials of an image, for machines: what it was compiled from, under which
//! licences, who signed that, how it was patched. In two formats, SPDX 2.3 and CycloneDX 1.6.
//!
//! It is made from the plan and the verdicts alone, so that equal images have equal bills. It
//! lies beside the image, or is attached to it by reference; the image does not change.

mod cyclonedx;
mod purl;
mod spdx;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::digest::Digest;
use crate::flow::Made;
use crate::image::About;
use crate::plan::{Plan, Step, Work};
use crate::replace;
use crate::source::Source;
use crate::trust::{Conclusion, Finding, Status, Verdict};

/// What made the bill.
const TOOL: (&str, &str) = ("relaysmith", env!("CARGO_PKG_VERSION"));

/// The licence of what is ours.
const OWN_LICENCE: &str = env!("CARGO_PKG_LICENSE");

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// SPDX 2.3 (ISO/IEC 5962 and after), as JSON.
    Spdx,
    /// CycloneDX 1.6 (ECMA-424), as JSON.
    CycloneDx,
}

impl Format {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Spdx, Self::CycloneDx];

    /// How the names of its files end.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Spdx => "spdx.json",
            Self::CycloneDx => "cdx.json",
        }
    }

    /// Its registered media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Spdx => "application/spdx+json",
            Self::CycloneDx => "application/vnd.cyclonedx+json",
        }
    }
}

/// What an image was made from.
#[derive(Debug)]
pub struct Bill<'a> {
    about: &'a About,
    /// The digest of the manifest.
    image: Digest,
    /// What is in it, in the order of the build.
    parts: Vec<Part<'a>>,
    /// What compiled it.
    compiler: Part<'a>,
}

/// One source that went in, or a component whose source is in this repository.
#[derive(Debug)]
struct Part<'a> {
    name: &'a str,
    version: &'a str,
    licence: &'a str,
    source: Option<&'a Source>,
    verdict: Option<&'a Verdict>,
    /// The paths of the patches in this repository, and their digests.
    patches: Vec<(String, Digest)>,
    /// The names of the parts that it was built with.
    needs: Vec<&'a str>,
}

impl<'a> Bill<'a> {
    /// The bill of what was built; patches are read from the folder `project`.
    ///
    /// # Errors
    /// When a patch cannot be read.
    pub fn new(made: &'a Made, project: &Path) -> io::Result<Self> {
        let verdicts = made.sources.iter();
        let verdicts = verdicts.map(|(name, verified)| (&**name, verified.verdict()));
        let image = made.image.manifest();
        Self::of(&made.about, image, &made.plan, &verdicts.collect(), project)
    }

    fn of(
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
                licence: &source.licence,
                source: Some(source),
                verdict: verdicts.get(&*source.name).copied(),
                patches: patches(source, project)?,
                needs: Vec::new(),
            })
        };
        let mut parts: Vec<Part<'a>> = Vec::new();
        for step in plan.components() {
            let name = part_of(step);
            let needs = step.needs.iter().map(|&need| &plan.steps[need]);
            let needs = needs.filter(|need| matches!(need.work, Work::Component(..)));
            let needs: Vec<&str> = needs.map(part_of).collect();
            if parts.iter().all(|part| part.name != name) {
                parts.push(match step.source() {
                    Some(source) => of_source(source)?,
                    None => Part {
                        name,
                        version: TOOL.1,
                        licence: OWN_LICENCE,
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
        Ok(Self {
            about,
            image,
            parts,
            compiler: of_source(&plan.zig)?,
        })
    }

    /// The bill in `format`, as its file has it.
    pub fn document(&self, format: Format) -> String {
        let document = match format {
            Format::Spdx => spdx::document(self),
            Format::CycloneDx => cyclonedx::document(self),
        };
        format!("{document:#}\n")
    }

    /// The name of its file in `format`: that of the loadable image, with another ending.
    pub fn file_name(&self, format: Format) -> String {
        let image = self.about.file_name();
        let stem = image.strip_suffix(".tar").unwrap_or(&image);
        format!("{stem}.{}", format.ending())
    }

    /// Writes it in both formats into the directory `dist`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, dist: &Path) -> io::Result<()> {
        for format in Format::ALL {
            let path = dist.join(self.file_name(format));
            replace::with_bytes(&path, self.document(format).as_bytes())?;
        }
        Ok(())
    }

    /// Whether another part was built with `part`.
    fn is_needed(&self, part: &Part<'_>) -> bool {
        self.parts
            .iter()
            .any(|other| other.needs.contains(&part.name))
    }
}

/// The name of the part that a step is of: its source's, or its own.
fn part_of(step: &Step) -> &str {
    step.source().map_or(step.name, |source| &source.name)
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
    fn signed(&self) -> Vec<String> {
        let Some(verdict) = self.verdict else {
            return vec!["its source is in the repository of relaysmith".to_owned()];
        };
        if let Conclusion::HashOnly { why } = verdict.conclusion() {
            return vec![format!("hash only: {why}")];
        }
        let counted = verdict.signatures().iter().filter(|found| found.counts);
        counted.map(signature).collect()
    }
}

fn signature(found: &Finding) -> String {
    let signer = found.signer.as_deref().unwrap_or_default();
    let primary = found.primary.as_deref().unwrap_or_default();
    let status = match found.status {
        Status::ExpiredSince => Status::Good,
        status => status,
    };
    let allowed = found.allowed.as_deref();
    let allowed = allowed.map_or_else(String::new, |why| format!(", allowed: {why}"));
    format!("signed by {signer} ({primary}): {status}{allowed}")
}

/// The identifier of a document: a UUID of version 8 (RFC 9562), from the digest of all that it
/// says. Equal documents have equal ones, and only they.
fn uuid(document: &Value) -> String {
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

#[cfg(test)]
mod tests;
