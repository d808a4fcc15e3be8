//! The trust policy: whose signature counts for which source, and what is overlooked.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sequoia_openpgp::Fingerprint;
use serde::Serialize;

use super::certificate::Certificate;
use super::{Error, policy_file};

/// `keys/trust.toml` with the certificates it pins, as of one point in time.
#[derive(Debug, Clone)]
pub struct TrustPolicy {
    pub(super) dir: PathBuf,
    /// The folder of upstream's signatures.
    pub(super) evidence: PathBuf,
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
    pub(super) certificate: Certificate,
    /// The file that holds it.
    pub(super) file: PathBuf,
}

/// What one source needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// The name of the source.
    pub(super) source: String,
    /// The ids of those whose signatures count.
    pub(super) signers: Vec<String>,
    /// How many of them must have signed.
    pub(super) threshold: usize,
    /// What is overlooked in whose signature.
    pub(super) allowances: Vec<Allowance>,
    /// Why the source may come without any signature, if it may.
    pub(super) hash_only: Option<String>,
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

/// An algorithm that is refused unless it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weakness {
    /// A DSA key of 1024 bits.
    Dsa1024,
    /// SHA-1 in a signature that ties a key or a name to a certificate. To forge one
    /// takes a second pre-image, which nobody can find.
    Sha1Binding,
    /// SHA-1 in the signature over the file. Collisions can be made: the signer may have
    /// signed another file than ours, so it counts beside a pinned digest only.
    Sha1Data,
}

impl Weakness {
    pub(super) const ALL: [Self; 3] = [Self::Dsa1024, Self::Sha1Binding, Self::Sha1Data];

    /// The name that `trust.toml` uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dsa1024 => "dsa1024",
            Self::Sha1Binding => "sha1-binding",
            Self::Sha1Data => "sha1-data",
        }
    }
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

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
        let policy = policy_file::parse(&path, &text)?;
        let mut signers = Vec::new();
        for pin in policy.signers {
            let file = dir.join(&pin.certificate);
            let certificate = Certificate::load(&file, &pin.fingerprint)?;
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
            now,
            signers,
            rules: policy.rules,
        })
    }

    /// Pins one certificate, armored, that has just been exported for its owner `name`;
    /// `path` is what to call it in errors.
    pub fn only(path: &Path, bytes: &[u8], fingerprint: &str, name: &str) -> Result<Self, Error> {
        let malformed = |error| Error::malformed(path, error);
        let fingerprint = Fingerprint::from_hex(fingerprint).map_err(malformed)?;
        let certificate = Certificate::parse(path, bytes, &fingerprint)?;
        Ok(Self {
            dir: PathBuf::new(),
            evidence: PathBuf::new(),
            now: SystemTime::now(),
            signers: vec![Signer {
                id: name.to_owned(),
                name: name.to_owned(),
                fingerprint,
                certificate,
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

    /// The names of the sources there are rules for, sorted.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.source.as_str())
    }

    /// Where the policy was read from.
    pub(super) fn file(&self) -> PathBuf {
        self.dir.join("trust.toml")
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
