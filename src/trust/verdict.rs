//! The verdict on a file: what each signature is worth, and whether they are enough.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::time::SystemTime;

use sequoia_openpgp::crypto::hash::Context;
use sequoia_openpgp::packet::Signature;
use serde::{Serialize, Serializer};

use super::policy::{Allowed, Rule, TrustPolicy, Weakness};
use super::signature::{self, Judged, Status};
use super::{Error, evidence};
use crate::date;

/// What was found about a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    conclusion: Conclusion,
    signatures: Vec<Finding>,
}

/// What was found about one signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The pinned signer's name.
    pub signer: Option<String>,
    /// The fingerprint of their primary key, which is what is pinned.
    pub primary: Option<String>,
    /// The fingerprint of the key used. If it is unknown: what the signature says of it,
    /// if anything.
    pub key: Option<String>,
    /// When the signature says that it was made.
    #[serde(serialize_with = "time")]
    pub made: Option<SystemTime>,
    /// The hash algorithm of the signature.
    pub hash: String,
    /// What it is worth by itself.
    pub status: Status,
    /// What it depends on that is refused unless named.
    pub weaknesses: BTreeSet<Weakness>,
    /// What the status follows from; empty for a plain good one.
    pub detail: String,
    /// Whether it counts towards the threshold.
    pub counts: bool,
    /// The policy's reasons for counting it all the same, if it needs any.
    pub allowed: Option<String>,
    #[serde(skip)]
    fatal: bool,
}

/// Whether the signatures are enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conclusion {
    /// Enough pinned signers signed.
    Signed {
        /// Those whose signature counts.
        by: Vec<String>,
        /// How many signers could have.
        of: usize,
    },
    /// Nobody signed, and nobody needs to: the pinned digest is all there is.
    HashOnly {
        /// The policy's reason.
        why: String,
    },
    /// Not enough pinned signers signed.
    TooFew {
        /// Those whose signature counts.
        by: Vec<String>,
        /// How many are needed.
        needed: usize,
    },
    /// A signature by a pinned signer is bad or revoked.
    Broken {
        /// The signer.
        signer: String,
        /// What is wrong.
        why: String,
    },
}

impl Verdict {
    /// One entry a signature, in the order of the file.
    pub fn signatures(&self) -> &[Finding] {
        &self.signatures
    }

    /// What follows from them.
    pub fn conclusion(&self) -> &Conclusion {
        &self.conclusion
    }

    /// Whether the file may be used.
    pub fn accepted(&self) -> bool {
        matches!(
            self.conclusion,
            Conclusion::Signed { .. } | Conclusion::HashOnly { .. }
        )
    }

    /// This verdict on `what`, if it is not a refusal.
    pub fn require(self, what: &dyn fmt::Display) -> Result<Self, Error> {
        let what = what.to_string();
        match self.conclusion {
            Conclusion::Signed { .. } | Conclusion::HashOnly { .. } => Ok(self),
            Conclusion::Broken { .. } => Err(Error::Broken {
                what,
                verdict: self,
            }),
            Conclusion::TooFew { .. } => Err(Error::TooFew {
                what,
                verdict: self,
            }),
        }
    }

    /// No signature, for this reason.
    pub(crate) fn hash_only(why: &str) -> Self {
        Self {
            conclusion: Conclusion::HashOnly {
                why: why.to_owned(),
            },
            signatures: Vec::new(),
        }
    }
}

impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signed { by, of } => write!(f, "signed by {} of {of}", by.len()),
            Self::HashOnly { why } => write!(f, "hash only: {why}"),
            Self::TooFew { by, needed } => {
                write!(f, "signed by {} of {needed} needed", by.len())?;
                match by.as_slice() {
                    [] => Ok(()),
                    by => write!(f, " ({})", by.join(", ")),
                }
            }
            Self::Broken { signer, why } => write!(f, "signature by {signer}: {why}"),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "good",
            Self::ExpiredSince => "expired-since",
            Self::Stale => "stale",
            Self::Weak => "weak",
            Self::UnknownSigner => "unknown signer",
            Self::Bad => "bad",
            Self::Revoked => "revoked",
        })
    }
}

/// A status and what follows from it: `stale: our copy … (allowed: …)`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        match (&self.allowed, self.status) {
            (Some(reason), _) => write!(f, " (allowed: {reason})"),
            (None, Status::Stale | Status::Weak) => f.write_str(" (not allowed)"),
            (None, _) => Ok(()),
        }
    }
}

fn time<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    let text = time.map(|time| date::rfc3339(date::epoch(time)));
    text.serialize(serializer)
}

/// Judges any file by a detached signature over it, as the rule for a source has it or,
/// without one, if any pinned signer's signature is good and none is broken.
///
/// An error means that the evidence could not be read. Whether the file is to be trusted
/// is for the verdict to say.
pub fn judge(
    policy: &TrustPolicy,
    file: &Path,
    signature: &Path,
    source: Option<&str>,
) -> Result<Verdict, Error> {
    let rule = match source {
        Some(source) => policy.rule(source)?.clone(),
        None => anybody(policy),
    };
    let signatures = evidence::signatures(signature)?;
    let hashed = evidence::hash_file(file, &signatures, None)?;
    let (contexts, beside) = (&hashed.contexts, Beside::Nothing);
    Ok(conclude(policy, &rule, &signatures, contexts, beside))
}

/// As `judge` without a rule, for bytes that are in memory; `name` is what to call the
/// signature in errors.
pub fn judge_bytes(
    policy: &TrustPolicy,
    bytes: &[u8],
    name: &Path,
    signature: Vec<u8>,
) -> Result<Verdict, Error> {
    let signatures = evidence::parse(name, signature)?;
    let hashed = evidence::hash_bytes(bytes, &signatures);
    let (contexts, beside) = (&hashed.contexts, Beside::Nothing);
    let rule = anybody(policy);
    Ok(conclude(policy, &rule, &signatures, contexts, beside))
}

/// One good signature by any pinned signer.
fn anybody(policy: &TrustPolicy) -> Rule {
    Rule {
        source: String::new(),
        signers: policy.signers.iter().map(|it| it.id.clone()).collect(),
        threshold: 1,
        allowances: Vec::new(),
        hash_only: None,
    }
}

/// What else is known of the bytes that a signature is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    /// A pinned digest.
    Pin,
    /// Nothing.
    Nothing,
}

/// Judges each signature and puts the rule to them.
pub(super) fn conclude(
    policy: &TrustPolicy,
    rule: &Rule,
    signatures: &[Signature],
    contexts: &[Option<Context>],
    beside: Beside,
) -> Verdict {
    let judged = signatures.iter().zip(contexts);
    let findings: Vec<Finding> = judged
        .map(|(signature, context)| {
            let judged = signature::judge(policy, signature, context.as_ref());
            finding(rule, signature, judged, beside)
        })
        .collect();
    let mut by: Vec<(&str, &str)> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.counts) {
        if let (Some(primary), Some(name)) = (&finding.primary, &finding.signer) {
            // However many keys a certificate has, it is one signer.
            if !by.iter().any(|(other, _)| other == primary) {
                by.push((primary, name));
            }
        }
    }
    let by: Vec<String> = by.into_iter().map(|(_, name)| name.to_owned()).collect();
    let conclusion = if let Some(broken) = findings.iter().find(|finding| finding.fatal) {
        Conclusion::Broken {
            signer: broken.signer.clone().unwrap_or_default(),
            why: broken.to_string(),
        }
    } else if by.len() < rule.threshold.max(1) {
        Conclusion::TooFew {
            by,
            needed: rule.threshold.max(1),
        }
    } else {
        Conclusion::Signed {
            by,
            of: rule.signers.len(),
        }
    };
    Verdict {
        conclusion,
        signatures: findings,
    }
}

/// Puts the rule to one signature.
fn finding(rule: &Rule, signature: &Signature, judged: Judged<'_>, beside: Beside) -> Finding {
    let Judged { signer, .. } = judged;
    let mut finding = Finding {
        signer: signer.map(|signer| signer.name.clone()),
        primary: signer.map(|signer| signer.fingerprint.to_hex()),
        key: judged.key,
        made: signature.signature_creation_time(),
        hash: signature.hash_algo().to_string(),
        status: judged.status,
        weaknesses: judged.weaknesses,
        detail: judged.details.join("; "),
        counts: false,
        allowed: None,
        fatal: judged.fatal,
    };
    let Some(signer) = signer.filter(|_| !finding.fatal) else {
        return finding;
    };
    if !rule.signers.contains(&signer.id) {
        finding.status = Status::UnknownSigner;
        finding.detail = format!("pinned, but not a signer of {}", rule.source);
        return finding;
    }
    if finding.status == Status::Revoked {
        return finding;
    }
    let of_signer = || rule.allowances.iter().filter(|a| a.signer == signer.id);
    let mut reasons = Vec::new();
    let mut granted = true;
    if judged.stale {
        let allowance = of_signer().find(|a| a.what == Allowed::Stale);
        granted &= allowance.is_some();
        reasons.extend(allowance.map(|allowance| allowance.reason.as_str()));
    }
    if !finding.weaknesses.is_empty() {
        let names = |a: &&super::policy::Allowance| match &a.what {
            Allowed::Weak(named) => finding.weaknesses.is_subset(named),
            Allowed::Stale => false,
        };
        let allowance = of_signer().find(names);
        granted &= allowance.is_some();
        reasons.extend(allowance.map(|allowance| allowance.reason.as_str()));
        if beside == Beside::Nothing && finding.weaknesses.contains(&Weakness::Sha1Data) {
            granted = false;
        }
    }
    finding.counts = granted;
    finding.allowed = (granted && !reasons.is_empty()).then(|| reasons.join("; "));
    finding
}
