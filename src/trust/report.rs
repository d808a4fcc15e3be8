//! What verification found, for people and for machines.

use serde::Serialize;

use super::{Conclusion, Error, Finding, Verdict, Verified};
use crate::date::day_of;
use crate::digest::Digest;
use crate::source::Source;

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
}

impl Report {
    /// What the cells of `rows` are.
    pub const HEADER: [&str; 6] = ["component", "version", "signed by", "key", "made", "status"];

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
        });
    }

    /// Whether every source passed.
    pub fn accepted(&self) -> bool {
        self.sources.iter().all(|entry| entry.accepted)
    }

    /// How many sources were signed, came by their hash only, and were refused.
    pub fn summary(&self) -> String {
        let refused = self.sources.iter().filter(|entry| !entry.accepted).count();
        let hash_only = |entry: &&Entry| {
            let conclusion = entry.verdict.as_ref().map(Verdict::conclusion);
            matches!(conclusion, Some(Conclusion::HashOnly { .. }))
        };
        let hash_only = self.sources.iter().filter(hash_only).count();
        let signed = self.sources.len() - refused - hash_only;
        let mut summary = format!("{signed} signed, {hash_only} by hash only");
        if refused > 0 {
            summary += &format!(", {refused} refused");
        }
        summary
    }

    /// A line for each signature, or for a source that has none.
    pub fn rows(&self) -> Vec<[String; 6]> {
        let mut rows = Vec::new();
        for entry in &self.sources {
            let mut name = [entry.name.clone(), entry.version.clone()];
            for [by, key, made, status] in entry.cells() {
                let [name, version] = std::mem::take(&mut name);
                rows.push([name, version, by, key, made, status]);
            }
        }
        rows
    }
}

impl Entry {
    fn cells(&self) -> Vec<[String; 4]> {
        let nobody = |status: String| vec![["-", "-", "-", &status].map(str::to_owned)];
        match (&self.verdict, &self.error) {
            (Some(verdict), _) if !verdict.signatures().is_empty() => verdict.rows(),
            (Some(verdict), _) => nobody(verdict.conclusion().to_string()),
            (None, error) => nobody(format!("refused: {}", error.as_deref().unwrap_or("?"))),
        }
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

fn cells(finding: &Finding) -> [String; 4] {
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
