//! What verification found, for people and for machines: one table, drawn everywhere.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde::Serialize;

use super::{Conclusion, Error, JudgedSignature, Status, Verdict, Verified};
use crate::base::date::day_of;
use crate::base::digest::Digest;
use crate::pins::{Origin, Rung, Signature, Source};

/// What is said of a key that expired after it signed.
const EXPIRED_SINCE: &str = "good; has expired since";

/// What was found about some sources, in the order in which they were added.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    sources: Vec<Entry>,
}

/// What was found about one source.
#[derive(Debug, Serialize)]
struct Entry {
    name: String,
    version: String,
    file: String,
    digest: Digest,
    accepted: bool,
    /// Absent if it did not come to a verdict.
    verdict: Option<Verdict>,
    error: Option<String>,
    #[serde(skip)]
    source: Source,
}

impl Report {
    /// What the cells of `rows` are.
    pub const HEADER: [&str; 6] = ["input", "version", "evidence", "who", "when", "key"];

    /// Takes in what `verify` said of a source.
    pub fn add(&mut self, source: &Source, result: Result<&Verified, &Error>) {
        let verdict = match result {
            Ok(verified) => Some(verified.verdict()),
            Err(error) => error.verdict(),
        };
        self.sources.push(Entry {
            name: source.name.clone(),
            version: source.version.clone(),
            file: source.file.clone(),
            digest: source.digest,
            accepted: result.is_ok(),
            verdict: verdict.cloned(),
            error: result.err().map(ToString::to_string),
            source: source.clone(),
        });
    }

    /// Takes in a source that was refused for another reason.
    pub fn refuse(&mut self, source: &Source, why: &str) {
        self.sources.push(Entry {
            name: source.name.clone(),
            version: source.version.clone(),
            file: source.file.clone(),
            digest: source.digest,
            accepted: false,
            verdict: None,
            error: Some(why.to_owned()),
            source: source.clone(),
        });
    }

    /// The names of those whose copy of the key had expired when they signed, each once.
    pub fn stale(&self) -> BTreeSet<&str> {
        let verdicts = self
            .sources
            .iter()
            .filter_map(|entry| entry.verdict.as_ref());
        let findings = verdicts.flat_map(Verdict::signatures);
        findings
            .filter(|finding| finding.counts && finding.status == Status::Stale)
            .filter_map(|finding| finding.signer.as_deref())
            .collect()
    }

    /// Whether every source passed.
    pub fn accepted(&self) -> bool {
        self.sources.iter().all(|entry| entry.accepted)
    }

    /// How many sources have which evidence, and how many were refused.
    pub fn summary(&self) -> String {
        let accepted = self.sources.iter().filter(|entry| entry.accepted);
        let rungs: Vec<Rung> = accepted
            .filter_map(|entry| Some(entry.verdict.as_ref()?.rung()))
            .collect();
        let mut parts: Vec<String> = Vec::new();
        for rung in Rung::ALL.into_iter().rev() {
            match rungs.iter().filter(|other| **other == rung).count() {
                0 => {}
                count => parts.push(format!("{count} {rung}")),
            }
        }
        match self.sources.len() - rungs.len() {
            0 => {}
            count => parts.push(format!("{count} refused")),
        }
        parts.join(", ")
    }

    /// A line for each signature, or for a source that has none.
    pub fn rows(&self) -> Vec<[String; 6]> {
        let mut rows = Vec::new();
        for entry in &self.sources {
            let mut name = [entry.name.clone(), entry.version.clone()];
            for [evidence, who, when, key] in entry.cells() {
                let [name, version] = std::mem::take(&mut name);
                rows.push([name, version, evidence, who, when, key]);
            }
        }
        rows
    }

    /// `rows` as a table in Markdown, in words that stay true: not what the clock says.
    pub fn markdown(&self) -> String {
        let line = |cells: [&str; 6]| format!("| {} |\n", cells.join(" | "));
        let mut text = line(Self::HEADER) + &line(["---"; 6]);
        for row in self.rows() {
            let cells = row.each_ref().map(String::as_str);
            text += &line(cells.map(|cell| match cell {
                EXPIRED_SINCE => "good",
                cell => cell,
            }));
        }
        text
    }

    /// The whole chain of each source, as one would tell it to an auditor.
    pub fn explained(&self) -> String {
        let all: Vec<String> = self.sources.iter().map(Entry::explained).collect();
        all.join("\n\n")
    }
}

impl Entry {
    fn cells(&self) -> Vec<[String; 4]> {
        let nobody = |what: String, why: &str| vec![[what, "-".into(), "-".into(), why.into()]];
        match (&self.verdict, &self.error) {
            (Some(verdict), _) if !verdict.signatures().is_empty() => {
                let mut last = None;
                let cells = verdict.signatures().iter().map(|finding| {
                    let same = last.replace(finding.rung) == Some(finding.rung);
                    let evidence = match (same, finding.counts) {
                        (true, _) => String::new(),
                        (false, true) => finding.rung.to_string(),
                        (false, false) => "refused".to_owned(),
                    };
                    let who = finding.signer.as_deref().unwrap_or("-").to_owned();
                    let when = finding.made.map_or_else(|| "-".to_owned(), day_of);
                    [evidence, who, when, key_state(finding)]
                });
                cells.collect()
            }
            (Some(verdict), _) => match verdict.conclusion() {
                Conclusion::DigestOnly { why } => nobody(verdict.rung().to_string(), why),
                Conclusion::Published { by } => vec![[
                    verdict.rung().to_string(),
                    by.join(", "),
                    "-".to_owned(),
                    "neither signs; both deliver the same files".to_owned(),
                ]],
                other => nobody(verdict.rung().to_string(), &other.to_string()),
            },
            (None, error) => nobody("refused".to_owned(), error.as_deref().unwrap_or("?")),
        }
    }

    fn explained(&self) -> String {
        let source = &self.source;
        let mut text = source.to_string();
        // Writing to a string does not fail.
        let mut line = |what: &str, says: &str| {
            let _ = write!(text, "\n  {what:<11}{says}");
        };
        line("file", &format!("{}, {}", source.file, source.size));
        let origins: Vec<String> = source.origins.iter().map(Origin::to_string).collect();
        line("origins", &origins.join(" or "));
        line(
            "digest",
            &format!("{}, pinned in sources.toml", source.digest),
        );
        line("expected", &format!("{}, or more", source.evidence.rung));
        for named in self.named() {
            line("evidence", &named);
        }
        let signatures = self.verdict.iter().flat_map(Verdict::signatures);
        for finding in signatures {
            let unknown = || "-".to_owned();
            line(
                "signature",
                &format!(
                    "{} by {} on {}, {}",
                    finding.rung,
                    finding.signer.as_deref().unwrap_or("somebody unknown"),
                    finding.made.map_or_else(unknown, day_of),
                    finding.hash,
                ),
            );
            let primary = finding.primary.as_deref().unwrap_or("not in keys/");
            let key = finding.key.as_deref().unwrap_or("not named");
            line("key", &format!("{key}, of the certificate {primary}"));
            line("judged", &finding.to_string());
        }
        match (&self.verdict, &self.error) {
            (_, Some(error)) => line("refused", error),
            (Some(verdict), None) => {
                let conclusion = verdict.conclusion();
                line(
                    "policy",
                    &format!("{conclusion} (keys/trust.toml, `{}`)", self.name),
                );
                line("result", &format!("accepted: {}", verdict.rung()));
            }
            (None, None) => {}
        }
        text
    }

    /// What each file of evidence is.
    fn named(&self) -> Vec<String> {
        let source = &self.source;
        // Whether it is here is for the signatures below to show.
        let asked = |name: &String| match source.may_be_asked_for(name) {
            true => ", where upstream was asked and had it",
            false => "",
        };
        let mut named = match &source.signature {
            Signature::None => Vec::new(),
            Signature::Detached { signature } => {
                vec![format!(
                    "keys/evidence/{signature}, upstream's signature of the file{}",
                    asked(signature)
                )]
            }
            Signature::Checksum {
                checksums,
                signature,
            } => vec![
                format!("keys/evidence/{checksums}, upstream's list of checksums"),
                format!(
                    "keys/evidence/{signature}, upstream's signature of the list{}",
                    asked(signature)
                ),
            ],
        };
        if let Some(tag) = &source.evidence.tag {
            let objects = &tag.objects;
            named.push(format!(
                "keys/evidence/{objects}, upstream's signed tag and its trees{}",
                asked(objects)
            ));
        }
        if let Some(twin) = &source.evidence.twin {
            named.push(format!(
                "{} {}, another publisher's: what the build uses of both is the same",
                twin.name, source.version
            ));
        }
        if let Some(dsc) = &source.evidence.dsc {
            named.push(format!(
                "keys/evidence/{dsc}, a Debian developer's list with this file"
            ));
        }
        let repositories = source.evidence.tag.iter().flat_map(|tag| &tag.origins);
        for folder in source.evidence.origins.iter().chain(repositories) {
            named.push(format!("{folder} is asked for missing evidence"));
        }
        named
    }
}

/// What is to be said of the key that made a signature, in words that need no manual.
fn key_state(finding: &JudgedSignature) -> String {
    match finding.status {
        Status::Good => "good".to_owned(),
        Status::ExpiredSince => EXPIRED_SINCE.to_owned(),
        Status::Stale if finding.counts => {
            "key copy expired, `cargo xtask keys refresh` fetches the current one".to_owned()
        }
        Status::Weak if finding.counts => {
            let names: BTreeSet<&str> = finding.weaknesses.iter().map(|it| it.plain()).collect();
            let names: Vec<&str> = names.into_iter().collect();
            format!("good, by an old method ({})", names.join(", "))
        }
        _ => finding.to_string(),
    }
}

impl Verdict {
    /// What the cells of `rows` are.
    pub const HEADER: [&str; 4] = ["signed by", "key", "made", "status"];

    /// A line for each signature.
    pub fn rows(&self) -> Vec<[String; 4]> {
        self.signatures().iter().map(cells).collect()
    }
}

fn cells(finding: &JudgedSignature) -> [String; 4] {
    let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
    [
        or_dash(finding.signer.as_deref()),
        or_dash(finding.key.as_deref().map(brief)),
        finding.made.map_or_else(|| "-".to_owned(), day_of),
        finding.to_string(),
    ]
}

/// The key ID: of a key that was matched by its whole fingerprint, enough to recognise it.
fn brief(key: &str) -> &str {
    match key.len() {
        40 => &key[24..],
        _ => key.get(..16).unwrap_or(key),
    }
}
