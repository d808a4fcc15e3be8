//! `keys/trust.toml`: read strictly, with the line of whatever is wrong.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;
use std::path::{Component, Path};
use std::time::SystemTime;

use sequoia_openpgp::Fingerprint;
use serde::Deserialize;
use toml::Spanned;

use super::certificate::Certificate;
use super::error::Error;
use super::minisign_key::Key;
use super::policy::{Allowance, Allowed, Rule, Signer, TrustPolicy};
use super::status::Weakness;
use crate::base::LineError;

/// What the file says, before any certificate is read.
#[derive(Debug)]
pub(super) struct PolicyFile {
    pub(super) signers: Vec<PinnedSigner>,
    pub(super) rules: Vec<Rule>,
}

/// A signer and the certificate pinned for them.
#[derive(Debug)]
pub(super) struct PinnedSigner {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) fingerprint: Fingerprint,
    pub(super) certificate: String,
    /// Whether the certificate may be absent, until somebody fetches it.
    pub(super) wanted: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    version: Spanned<u64>,
    #[serde(default, rename = "signer")]
    signers: Vec<RawSigner>,
    #[serde(default, rename = "source")]
    sources: Vec<RawSource>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSigner {
    id: Spanned<String>,
    name: Spanned<String>,
    fingerprint: Spanned<String>,
    certificate: Option<Spanned<String>>,
    wanted: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSource {
    name: Spanned<String>,
    #[serde(default)]
    signers: Vec<Spanned<String>>,
    threshold: Option<Spanned<usize>>,
    #[serde(default)]
    developers: Vec<Spanned<String>>,
    minisign: Option<RawMinisign>,
    #[serde(rename = "digest-only")]
    digest_only: Option<Spanned<String>>,
    #[serde(default, rename = "allow")]
    allowances: Vec<RawAllowance>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMinisign {
    name: Spanned<String>,
    key: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAllowance {
    signer: Spanned<String>,
    status: Spanned<String>,
    algorithms: Option<Spanned<Vec<Spanned<String>>>>,
    reason: Spanned<String>,
}

/// The version of the format that this code reads.
const FORMAT: u64 = 1;

impl TrustPolicy {
    /// Reads `trust.toml` and the certificates it pins from `dir` (the repository's
    /// `keys/`). What is out of date is judged by this machine's clock.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        Self::load_at(dir, SystemTime::now())
    }

    /// As `load`, with `now` for the clock. It must not come from a signature: its maker
    /// would choose the rules.
    pub fn load_at(dir: &Path, now: SystemTime) -> Result<Self, Error> {
        let path = dir.join("trust.toml");
        let text = fs_err::read_to_string(&path)?;
        let policy = parse(&path, &text)?;
        let mut signers = Vec::new();
        for pin in policy.signers {
            let file = dir.join(&pin.certificate);
            let certificate = match pin.wanted && !file.exists() {
                true => None,
                false => Some(Certificate::load(&file, &pin.fingerprint)?),
            };
            signers.push(Signer {
                id: pin.id,
                name: pin.name,
                fingerprint: pin.fingerprint,
                certificate,
                file,
            });
        }
        Ok(Self {
            dir: dir.to_owned(),
            evidence: dir.join("evidence"),
            asked: None,
            now,
            signers,
            rules: policy.rules,
        })
    }
}

/// Reads the policy, or says all that is wrong with it.
pub(super) fn parse(path: &Path, text: &str) -> Result<PolicyFile, Error> {
    let mut check = Check {
        text,
        path,
        findings: Vec::new(),
    };
    let policy = match toml::from_str::<RawFile>(text) {
        Ok(raw) => check.file(raw),
        Err(error) => {
            check.refuse(
                error.span().unwrap_or(0..0),
                error.message().replace('\n', ", "),
                "fix the line; the head of the file says how it is written",
            );
            None
        }
    };
    check.findings.sort_by_key(|finding| finding.line);
    match policy {
        Some(policy) if check.findings.is_empty() => Ok(policy),
        _ => Err(Error::Policy(check.findings)),
    }
}

struct Check<'a> {
    text: &'a str,
    path: &'a Path,
    findings: Vec<LineError>,
}

impl Check<'_> {
    fn refuse(&mut self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        let finding = LineError::at(self.path, self.text, span.start, message, help);
        self.findings.push(finding);
    }

    /// What can be made of the file; it is used only if nothing is refused.
    fn file(&mut self, raw: RawFile) -> Option<PolicyFile> {
        if *raw.version.get_ref() != FORMAT {
            self.refuse(
                raw.version.span(),
                format!("format version {} is not supported", raw.version.get_ref()),
                "use a relaysmith that knows it, or write `version = 1`",
            );
            return None;
        }
        self.sorted(raw.signers.iter().map(|signer| &signer.id));
        self.sorted(raw.sources.iter().map(|source| &source.name));
        let mut fingerprints = HashSet::new();
        let mut signers = Vec::new();
        for signer in raw.signers {
            let span = signer.fingerprint.span();
            let Some(pin) = self.signer(signer) else {
                continue;
            };
            if !fingerprints.insert(pin.fingerprint.clone()) {
                self.refuse(
                    span,
                    "another signer has this fingerprint, too",
                    "leave one of them out",
                );
            }
            signers.push(pin);
        }
        let rules = raw.sources.into_iter();
        let rules = rules.map(|source| self.rule(source, &signers)).collect();
        Some(PolicyFile { signers, rules })
    }

    fn signer(&mut self, raw: RawSigner) -> Option<PinnedSigner> {
        self.written("name", &raw.name);
        let (certificate, wanted) = match (raw.certificate, raw.wanted) {
            (Some(certificate), None) => (certificate, false),
            (None, Some(wanted)) => (wanted, true),
            _ => {
                self.refuse(
                    raw.id.span(),
                    "a signer needs `certificate` or `wanted`, and not both",
                    "write the file of the certificate; as `wanted` if it is not here yet",
                );
                return None;
            }
        };
        if !is_file_name(certificate.get_ref()) {
            self.refuse(
                certificate.span(),
                format!(
                    "`{}` is not the name of a file in keys/",
                    certificate.get_ref()
                ),
                "write the name alone, without a folder",
            );
        }
        let text = raw.fingerprint.get_ref();
        // Version 4 has 20 bytes, version 6 has 32; anything shorter can be imitated.
        let whole = [40, 64].contains(&text.len())
            && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'));
        let fingerprint = Fingerprint::from_hex(text).ok().filter(|_| whole);
        if fingerprint.is_none() {
            self.refuse(
                raw.fingerprint.span(),
                format!("`{text}` is not a whole fingerprint"),
                "write the primary key's 40 or 64 hexadecimal digits, in upper case",
            );
        }
        Some(PinnedSigner {
            id: raw.id.into_inner(),
            name: raw.name.into_inner(),
            fingerprint: fingerprint?,
            certificate: certificate.into_inner(),
            wanted,
        })
    }

    fn rule(&mut self, raw: RawSource, pins: &[PinnedSigner]) -> Rule {
        self.sorted(raw.signers.iter());
        self.signers(&raw.signers, pins);
        self.sorted(raw.developers.iter());
        self.signers(&raw.developers, pins);
        if let Some(reason) = &raw.digest_only {
            self.written("digest-only", reason);
        } else if raw.signers.is_empty() && raw.developers.is_empty() {
            self.refuse(
                raw.name.span(),
                format!("nobody signs {}", raw.name.get_ref()),
                "name its `signers` or `developers`, or give the reason in `digest-only`",
            );
        }
        let signers: Vec<String> = raw.signers.into_iter().map(Spanned::into_inner).collect();
        let developers: Vec<String> = raw
            .developers
            .into_iter()
            .map(Spanned::into_inner)
            .collect();
        let threshold = match &raw.threshold {
            Some(threshold) => {
                let needed = *threshold.get_ref();
                if needed == 0 || needed > signers.len() {
                    self.refuse(
                        threshold.span(),
                        format!("{needed} of {} signers cannot be needed", signers.len()),
                        "write how many of the `signers` must have signed, at least 1",
                    );
                }
                needed
            }
            None => {
                if !signers.is_empty() {
                    self.refuse(
                        raw.name.span(),
                        "`signers` without `threshold`",
                        "write how many of them must have signed",
                    );
                }
                0
            }
        };
        let minisign = raw.minisign.and_then(|raw| {
            self.written("name", &raw.name);
            let key = Key::parse(raw.name.get_ref(), raw.key.get_ref());
            if key.is_none() {
                self.refuse(
                    raw.key.span(),
                    format!("`{}` is not a key of minisign", raw.key.get_ref()),
                    "write the second line of upstream's file `.pub`",
                );
            }
            key
        });
        let mut allowances: Vec<Allowance> = Vec::new();
        for raw in raw.allowances {
            let span = raw.signer.span();
            let Some(allowance) = self.allowance(raw, &signers, &developers) else {
                continue;
            };
            let stale = |allowance: &Allowance| allowance.what == Allowed::Stale;
            let same = |other: &Allowance| {
                other.signer == allowance.signer && stale(other) == stale(&allowance)
            };
            if allowances.iter().any(same) {
                self.refuse(
                    span,
                    "the same status is allowed for this signer already",
                    "leave one of them out",
                );
            }
            allowances.push(allowance);
        }
        Rule {
            source: raw.name.into_inner(),
            signers,
            threshold,
            developers,
            minisign: minisign.into_iter().collect(),
            allowances,
            digest_only: raw.digest_only.map(Spanned::into_inner),
        }
    }

    /// Pinned, and each person once: the threshold would count two keys as two people.
    fn signers(&mut self, signers: &[Spanned<String>], pins: &[PinnedSigner]) {
        let mut people = HashSet::new();
        for signer in signers {
            match pins.iter().find(|pin| pin.id == *signer.get_ref()) {
                None => self.refuse(
                    signer.span(),
                    format!("no signer `{}` is pinned", signer.get_ref()),
                    "pin the signer in a `[[signer]]` of this file",
                ),
                Some(pin) if !people.insert(&pin.name) => self.refuse(
                    signer.span(),
                    format!("{} would count twice", pin.name),
                    "name one certificate of each signer",
                ),
                Some(_) => {}
            }
        }
    }

    fn allowance(
        &mut self,
        raw: RawAllowance,
        signers: &[String],
        developers: &[String],
    ) -> Option<Allowance> {
        let signer = raw.signer.get_ref();
        if !signers.contains(signer) && !developers.contains(signer) {
            self.refuse(
                raw.signer.span(),
                format!("`{signer}` is not a signer of this source"),
                "name one of its `signers`",
            );
        }
        self.written("reason", &raw.reason);
        let what = match (raw.status.get_ref().as_str(), raw.algorithms) {
            ("stale", None) => Some(Allowed::Stale),
            ("stale", Some(algorithms)) => {
                self.refuse(
                    algorithms.span(),
                    "`algorithms` says nothing about `stale`",
                    "leave it out, or allow `weak` on its own",
                );
                None
            }
            ("weak", Some(algorithms)) => self.algorithms(&algorithms).map(Allowed::Weak),
            ("weak", None) => {
                self.refuse(
                    raw.status.span(),
                    "`weak` without `algorithms`",
                    format!("name those it needs, of {}", known()),
                );
                None
            }
            (other, _) => {
                self.refuse(
                    raw.status.span(),
                    format!("status `{other}` cannot be allowed"),
                    "only `stale` and `weak` can",
                );
                None
            }
        };
        Some(Allowance {
            signer: raw.signer.into_inner(),
            what: what?,
            reason: raw.reason.into_inner(),
        })
    }

    fn algorithms(&mut self, raw: &Spanned<Vec<Spanned<String>>>) -> Option<BTreeSet<Weakness>> {
        if raw.get_ref().is_empty() {
            self.refuse(
                raw.span(),
                "no algorithm is named",
                format!("name those it needs, of {}", known()),
            );
        }
        self.sorted(raw.get_ref().iter());
        let mut named = BTreeSet::new();
        for name in raw.get_ref() {
            let same = |weakness: &Weakness| weakness.name() == name.get_ref();
            match Weakness::ALL.into_iter().find(same) {
                Some(weakness) => {
                    named.insert(weakness);
                }
                None => self.refuse(
                    name.span(),
                    format!("algorithm `{}` cannot be allowed", name.get_ref()),
                    format!("only {} can", known()),
                ),
            }
        }
        Some(named).filter(|named| !named.is_empty())
    }

    /// Nobody can check a reason but a reader, who needs one to read.
    fn written(&mut self, what: &str, text: &Spanned<String>) {
        let value = text.get_ref();
        if value.trim().is_empty() || value.contains(char::is_control) {
            self.refuse(
                text.span(),
                format!("`{what}` says nothing"),
                "write a line of text",
            );
        }
    }

    /// One order, so that a change shows as a change, and no name twice.
    fn sorted<'a>(&mut self, names: impl Iterator<Item = &'a Spanned<String>>) {
        let mut last: Option<&str> = None;
        for name in names {
            let text = name.get_ref().as_str();
            let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            if text.is_empty() || !text.bytes().all(allowed) {
                self.refuse(
                    name.span(),
                    format!("`{text}` is not a name"),
                    "use lower-case letters, digits and `-`",
                );
            }
            match last {
                Some(last) if last == text => self.refuse(
                    name.span(),
                    format!("`{text}` is listed twice"),
                    "leave one of them out",
                ),
                Some(last) if last > text => self.refuse(
                    name.span(),
                    format!("`{text}` stands after `{last}`"),
                    "sort them",
                ),
                _ => {}
            }
            last = Some(text);
        }
    }
}

fn known() -> String {
    Weakness::ALL
        .map(|weakness| format!("`{weakness}`"))
        .join(", ")
}

/// Whether `name` is a file's name and no path.
pub(super) fn is_file_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(part)), None) if part == name
    )
}

#[cfg(test)]
mod tests;
