//! The trust policy: whose signature counts for which source, and what is overlooked.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sequoia_openpgp::Fingerprint;

use super::certificate::Certificate;
use super::error::Error;
use super::minisign_key::Key;
use super::status::Weakness;

/// `keys/trust.toml` with the certificates it pins, as of one point in time.
#[derive(Debug, Clone)]
pub struct TrustPolicy {
    pub(super) dir: PathBuf,
    /// The folder of upstream's signatures.
    pub(super) evidence: PathBuf,
    /// The folder of signatures that upstream was asked for, if it may be.
    pub(super) asked: Option<PathBuf>,
    pub(super) now: SystemTime,
    pub(super) signers: Vec<Signer>,
    pub(super) rules: Vec<Rule>,
}

/// Somebody whose certificate is pinned.
#[derive(Debug, Clone)]
pub(super) struct Signer {
    /// The name within `trust.toml`.
    pub(super) id: String,
    /// The name in reports.
    pub(super) name: String,
    /// The primary key's fingerprint.
    pub(super) fingerprint: Fingerprint,
    /// Absent if it is wanted and not here yet.
    pub(super) certificate: Option<Certificate>,
    /// The file that holds it, or will.
    pub(super) file: PathBuf,
}

/// What one source needs.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// The name of the source.
    pub(super) source: String,
    /// The ids of those whose signatures count.
    pub(super) signers: Vec<String>,
    /// How many of them must have signed.
    pub(super) threshold: usize,
    /// The ids of the Debian developers whose `.dsc` counts; one is enough.
    pub(super) developers: Vec<String>,
    /// The keys of minisign whose signatures count, for files that are not pinned here.
    pub(super) minisign: Vec<Key>,
    /// What is overlooked in whose signature.
    pub(super) allowances: Vec<Allowance>,
    /// Why the source may come without any signature, if it may.
    pub(super) digest_only: Option<String>,
}

#[cfg(test)]
impl Rule {
    /// One that asks for no signature.
    pub(super) fn digest_only(source: &str, why: &str) -> Self {
        Self {
            source: source.to_owned(),
            signers: Vec::new(),
            threshold: 0,
            developers: Vec::new(),
            minisign: Vec::new(),
            allowances: Vec::new(),
            digest_only: Some(why.to_owned()),
        }
    }
}

/// One status that one signer's signature may have all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Allowance {
    pub(super) signer: String,
    pub(super) what: Allowed,
    pub(super) reason: String,
}

/// What an allowance overlooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Allowed {
    /// That our copy of the certificate had expired when the signature was made.
    Stale,
    /// That the signature depends on these, and no others.
    Weak(BTreeSet<Weakness>),
}

impl TrustPolicy {
    /// Pins one certificate, armored, that has just been exported for its owner `name`;
    /// `path` is what to call it in errors.
    pub fn only(path: &Path, bytes: &[u8], fingerprint: &str, name: &str) -> Result<Self, Error> {
        let malformed = |error| Error::malformed(path, error);
        let fingerprint = Fingerprint::from_hex(fingerprint).map_err(malformed)?;
        let certificate = Certificate::parse(path, bytes, &fingerprint)?;
        Ok(Self {
            dir: PathBuf::new(),
            evidence: PathBuf::new(),
            asked: None,
            now: SystemTime::now(),
            signers: vec![Signer {
                id: name.to_owned(),
                name: name.to_owned(),
                fingerprint,
                certificate: Some(certificate),
                file: path.to_owned(),
            }],
            rules: Vec::new(),
        })
    }

    /// Whether the certificate with this fingerprint, in upper case, is pinned.
    pub fn pins(&self, fingerprint: &str) -> bool {
        let mut signers = self.signers.iter();
        signers.any(|signer| signer.fingerprint.to_hex() == fingerprint)
    }

    /// The same policy, with upstream's signatures in another folder: those of what is not
    /// pinned yet.
    pub fn with_evidence(mut self, folder: &Path) -> Self {
        folder.clone_into(&mut self.evidence);
        self
    }

    /// The same policy, with the evidence in `folder` where there is none in `keys/`: what
    /// [`ask`](super::ask) brought.
    pub fn with_asked(mut self, folder: &Path) -> Self {
        self.asked = Some(folder.to_owned());
        self
    }

    /// The names of the sources there are rules for, sorted.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.source.as_str())
    }

    /// Where the policy was read from.
    pub(super) fn file(&self) -> PathBuf {
        self.dir.join("trust.toml")
    }

    /// The names of those of `ids` whose certificates are not here.
    pub(super) fn without_certificate(&self, ids: &[String]) -> Vec<&str> {
        let signers = self.signers.iter();
        let absent = signers.filter(|it| it.certificate.is_none() && ids.contains(&it.id));
        absent.map(|signer| signer.name.as_str()).collect()
    }

    pub(super) fn rule(&self, source: &str) -> Result<&Rule, Error> {
        let rule = self.rules.iter().find(|rule| rule.source == source);
        rule.ok_or_else(|| Error::NoRule {
            source_name: source.to_owned(),
            known: self.sources().map(str::to_owned).collect(),
            policy: self.file(),
        })
    }
}
