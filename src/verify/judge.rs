//! From signatures and a rule to the verdict on a file.

use std::fmt;
use std::path::Path;

use sequoia_openpgp::crypto::hash::Context;
use sequoia_openpgp::packet::Signature;

use super::error::Error;
use super::policy::{Allowance, Allowed, Rule, TrustPolicy};
use super::signature::{self, Judged};
use super::status::{Status, Weakness};
use super::verdict::{Conclusion, JudgedSignature, Verdict};
use super::{evidence, minisign};
use crate::pins::Rung;

impl Verdict {
    /// This verdict on `what`, if it is not a refusal.
    pub fn require(self, what: &dyn fmt::Display) -> Result<Self, Error> {
        let what = what.to_string();
        match self.conclusion() {
            Conclusion::Signed { .. }
            | Conclusion::Published { .. }
            | Conclusion::DigestOnly { .. } => Ok(self),
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
}

/// Judges any file by a detached signature over it, of OpenPGP or of minisign, as the rule for a source has it or,
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
    if minisign::is_one(signature)? {
        return minisign::judge(policy, file, signature, source);
    }
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
        developers: Vec::new(),
        minisign: Vec::new(),
        allowances: Vec::new(),
        digest_only: None,
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
    let findings: Vec<JudgedSignature> = judged
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
    Verdict::new(Rung::Upstream, conclusion, findings)
}

/// Puts the rule to one signature.
fn finding(
    rule: &Rule,
    signature: &Signature,
    judged: Judged<'_>,
    beside: Beside,
) -> JudgedSignature {
    let Judged { signer, .. } = judged;
    let mut finding = JudgedSignature {
        rung: Rung::Upstream,
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
        let names = |a: &&Allowance| match &a.what {
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
