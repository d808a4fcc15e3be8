//! One signature: who made it, with which key, and what that is worth.
//!
//! Certificates are read as they stand today (`TrustPolicy`'s clock), by their latest
//! statements; the time a signature gives for itself is only compared with what they
//! say. It never is the clock, or an old key and an old date would bring back old rules.

use std::collections::BTreeSet;
use std::time::SystemTime;

use sequoia_openpgp::cert::amalgamation::key::{ErasedKeyAmalgamation, SubordinateKeyAmalgamation};
use sequoia_openpgp::cert::amalgamation::{ValidAmalgamation, ValidateAmalgamation};
use sequoia_openpgp::crypto::hash::Context;
use sequoia_openpgp::packet::Signature;
use sequoia_openpgp::packet::key::PublicParts;
use sequoia_openpgp::policy::{AsymmetricAlgorithm, HashAlgoSecurity, Policy, StandardPolicy};
use sequoia_openpgp::types::{HashAlgorithm, RevocationStatus, SignatureType};

use super::policy::{Signer, TrustPolicy};
use super::revocation::{self, Credulous, revoked};
use super::status::{Status, Weakness};
use crate::base::date::day_of;

/// A signature's status and what it follows from.
#[derive(Debug)]
pub(super) struct Judged<'p> {
    /// Whose key it is, if it is a pinned signer's.
    pub(super) signer: Option<&'p Signer>,
    /// The fingerprint of the key, or what the signature says of it.
    pub(super) key: Option<String>,
    pub(super) status: Status,
    /// Whether it fails the source, whatever else there is.
    pub(super) fatal: bool,
    /// Whether it is stale, whatever else it is.
    pub(super) stale: bool,
    /// What it depends on.
    pub(super) weaknesses: BTreeSet<Weakness>,
    /// What is to be said about it, each in some words.
    pub(super) details: Vec<String>,
}

/// A key of a pinned signer that made a signature, or may have.
struct Candidate<'p> {
    signer: &'p Signer,
    key: ErasedKeyAmalgamation<'p, PublicParts>,
}

/// Judges one signature over bytes that were hashed for it.
pub(super) fn judge<'p>(
    policy: &'p TrustPolicy,
    signature: &Signature,
    hashed: Option<&Context>,
) -> Judged<'p> {
    let issuers = signature.get_issuers();
    let named = |signer: &'p Signer| {
        let certificate = signer.certificate.iter();
        let keys = certificate.flat_map(|it| it.cert().keys());
        let keys = keys.filter(|key| issuers.iter().any(|i| i.aliases(key.key().key_handle())));
        keys.map(move |key| Candidate { signer, key })
    };
    let candidates: Vec<Candidate<'p>> = policy.signers.iter().flat_map(named).collect();
    let Some(first) = candidates.first() else {
        return Judged {
            signer: None,
            key: issuers.first().map(ToString::to_string),
            status: Status::UnknownSigner,
            fatal: false,
            stale: false,
            weaknesses: BTreeSet::new(),
            details: vec!["no certificate in keys/ has this key".to_owned()],
        };
    };
    // Two keys may share a key ID: the one that made it is the one that verifies it.
    let verifies = |candidate: &&Candidate<'p>| {
        let hashed = hashed.cloned();
        hashed.is_some_and(|hashed| signature.verify_hash(candidate.key.key(), hashed).is_ok())
    };
    let found = candidates.iter().find(verifies);
    let Candidate { signer, key } = found.unwrap_or(first);
    let mut judged = Judged {
        signer: Some(signer),
        key: Some(key.key().fingerprint().to_hex()),
        status: Status::Good,
        fatal: false,
        stale: false,
        weaknesses: BTreeSet::new(),
        details: Vec::new(),
    };
    let verdict = invalid(policy, signature, key, hashed.is_some(), found.is_some())
        .map_or_else(|| trust(policy, signature, key, &mut judged), Err);
    if let Err(fault) = verdict {
        judged.status = fault.status;
        judged.fatal = fault.fatal;
        judged.details = vec![fault.detail];
    }
    judged
}

/// Why a signature counts nothing.
struct Fault {
    status: Status,
    fatal: bool,
    detail: String,
}

fn bad(detail: impl Into<String>) -> Fault {
    Fault {
        status: Status::Bad,
        fatal: true,
        detail: detail.into(),
    }
}

/// What makes the signature invalid by itself, whoever made it.
fn invalid(
    policy: &TrustPolicy,
    signature: &Signature,
    key: &ErasedKeyAmalgamation<'_, PublicParts>,
    hashed: bool,
    verified: bool,
) -> Option<Fault> {
    if !matches!(signature.typ(), SignatureType::Binary | SignatureType::Text) {
        return Some(bad(format!(
            "it is a {} signature, not one over a file",
            signature.typ()
        )));
    }
    if signature.version() < 4 {
        // RFC 9580, section 5.2.2: what it says of itself is hardly covered by it.
        return Some(bad(format!(
            "it is a version {} signature, a format from the 1990s that is not accepted",
            signature.version()
        )));
    }
    let Some(made) = signature.signature_creation_time() else {
        return Some(bad("it does not say when it was made"));
    };
    if !hashed {
        let algorithm = signature.hash_algo();
        return Some(bad(format!("unknown hash algorithm {algorithm}")));
    }
    let created = key.key().creation_time();
    if created > made {
        return Some(bad(format!(
            "made on {}, before its key was created on {}",
            day_of(made),
            day_of(created)
        )));
    }
    if !verified {
        return Some(bad("it does not match the file"));
    }
    if made > policy.now {
        return Some(bad(format!(
            "made on {}, but this machine's clock says {}",
            day_of(made),
            day_of(policy.now)
        )));
    }
    let ends = signature.signature_expiration_time();
    ends.filter(|&ends| ends <= policy.now)
        .map(|ends| bad(format!("the signature itself expired on {}", day_of(ends))))
}

/// What the certificate says about the key that made a valid signature.
fn trust(
    policy: &TrustPolicy,
    signature: &Signature,
    key: &ErasedKeyAmalgamation<'_, PublicParts>,
    judged: &mut Judged<'_>,
) -> Result<(), Fault> {
    let now = policy.now;
    let made = signature.signature_creation_time().unwrap_or(now);
    judged.details.extend(self::revocation(policy, key, made)?);

    let strict = lenient(now, &[]);
    if let Err(error) = strict.signature(signature, HashAlgoSecurity::CollisionResistance) {
        let sha1 = lenient(now, &[Weakness::Sha1Data]);
        if sha1
            .signature(signature, HashAlgoSecurity::CollisionResistance)
            .is_err()
        {
            return Err(bad(error.root_cause().to_string()));
        }
        judged.weaknesses.insert(Weakness::Sha1Data);
    }

    let mut refused = None;
    let valid = BINDINGS.iter().find_map(|weaknesses| {
        let allowing = lenient(now, weaknesses);
        let valid = key
            .with_policy(&allowing, now)
            .map_err(|error| refused = Some(error))
            .ok()?;
        let primary = valid.valid_cert().primary_key().key_expiration_time();
        let ends = primary.into_iter().chain(valid.key_expiration_time()).min();
        Some((*weaknesses, valid.for_signing(), ends))
    });
    let Some((weaknesses, may_sign, ends)) = valid else {
        let why = refused.map(|error| error.root_cause().to_string());
        return Err(bad(unbound(key, why)));
    };
    if !may_sign {
        return Err(bad("its key is not for signing"));
    }
    judged.weaknesses.extend(weaknesses);

    match ends {
        Some(ends) if ends <= made => {
            judged.stale = true;
            judged.status = Status::Stale;
            judged
                .details
                .push(format!("our copy says the key expired on {}", day_of(ends)));
        }
        Some(ends) if ends <= now => {
            judged.status = Status::ExpiredSince;
            judged
                .details
                .push(format!("the key expired on {}", day_of(ends)));
        }
        _ => {}
    }
    if !judged.weaknesses.is_empty() {
        judged.status = Status::Weak;
        let names: Vec<&str> = judged
            .weaknesses
            .iter()
            .map(|weakness| weakness.name())
            .collect();
        judged
            .details
            .insert(0, format!("needs {}", names.join(" and ")));
    }
    Ok(())
}

/// What a certificate may depend on, least first.
const BINDINGS: [&[Weakness]; 4] = [
    &[],
    &[Weakness::Sha1Binding],
    &[Weakness::Dsa1024],
    &[Weakness::Dsa1024, Weakness::Sha1Binding],
];

/// The rules of today, but for what is named.
pub(super) fn lenient(now: SystemTime, weaknesses: &[Weakness]) -> StandardPolicy<'static> {
    let mut policy = StandardPolicy::at(now);
    for weakness in weaknesses {
        match weakness {
            Weakness::Dsa1024 => policy.accept_asymmetric_algo(AsymmetricAlgorithm::DSA1024),
            Weakness::Sha1Binding => policy.accept_hash_property(
                HashAlgorithm::SHA1,
                HashAlgoSecurity::SecondPreImageResistance,
            ),
            Weakness::Sha1Data => policy.accept_hash(HashAlgorithm::SHA1),
        }
    }
    policy
}

/// Whether the key or its certificate was revoked when the signature was made, for any
/// time if the owner no longer vouches for it.
fn revocation(
    policy: &TrustPolicy,
    key: &ErasedKeyAmalgamation<'_, PublicParts>,
    made: SystemTime,
) -> Result<Option<String>, Fault> {
    let now = policy.now;
    let cert = key.cert();
    let same = |subkey: &SubordinateKeyAmalgamation<'_, _>| {
        subkey.key().fingerprint() == key.key().fingerprint()
    };
    let subkey = cert.keys().subkeys().find(same);
    let pinned = policy.certificates();
    let whole = |at| revocation::of_certificate(cert, &pinned, at);
    let mut states = vec![("the certificate", whole(made), whole(now))];
    if let Some(subkey) = &subkey {
        let alone = |at| match subkey.revocation_status(&Credulous, at) {
            RevocationStatus::Revoked(revocations) => revocations,
            _ => Vec::new(),
        };
        states.push(("its subkey", alone(made), alone(now)));
    }
    let mut note = None;
    for (what, then, today) in states {
        if !then.is_empty() {
            let (fatal, how, why) = revoked(&then);
            return Err(Fault {
                status: Status::Revoked,
                fatal,
                detail: format!("{what} was {how}: {why}"),
            });
        }
        if !today.is_empty() {
            let (_, how, why) = revoked(&today);
            note.get_or_insert(format!("{what} was {how}, after this signature: {why}"));
        }
    }
    Ok(note)
}

/// Why a key does not belong to its certificate.
fn unbound(key: &ErasedKeyAmalgamation<'_, PublicParts>, why: Option<String>) -> String {
    let one_sided = |signature: &Signature| {
        signature.typ() == SignatureType::SubkeyBinding
            && signature
                .key_flags()
                .is_some_and(|flags| flags.for_signing())
            && signature.embedded_signatures().next().is_none()
    };
    let unsigned = key.bundle().self_signatures().next().is_none();
    if unsigned && key.cert().bad_signatures().any(one_sided) {
        // Else anybody could take another's signing key into their certificate.
        return "its subkey is not cross-signed (no primary key binding)".to_owned();
    }
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    format!("its key is not bound to the certificate{why}")
}
