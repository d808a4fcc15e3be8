//! Whether an owner took a certificate or a key back.
//!
//! To believe one revocation too many is the safe side, so no rule about algorithms or subpackets
//! is put to them: only that the owner made them, or somebody whom the owner named for it and who
//! is pinned here.

use std::time::SystemTime;

use sequoia_openpgp::Result;
use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::cert::amalgamation::key::ValidErasedKeyAmalgamation;
use sequoia_openpgp::packet::Signature;
use sequoia_openpgp::packet::key::PublicParts;
use sequoia_openpgp::policy::{HashAlgoSecurity, Policy};
use sequoia_openpgp::types::{RevocationStatus, RevocationType};

use crate::base::date::day_of;

/// Takes every algorithm, and every critical subpacket whether known or not. Signatures are
/// verified before any policy is asked.
#[derive(Debug)]
pub(super) struct Credulous;

impl Policy for Credulous {
    fn signature(&self, _: &Signature, _: HashAlgoSecurity) -> Result<()> {
        Ok(())
    }

    fn key(&self, _: &ValidErasedKeyAmalgamation<'_, PublicParts>) -> Result<()> {
        Ok(())
    }
}

/// The revocations of the whole certificate that hold at the time `at`; `pinned` are those who
/// may have been named to revoke it.
pub(super) fn of_certificate<'c>(
    cert: &'c Cert,
    pinned: &[&Cert],
    at: SystemTime,
) -> Vec<&'c Signature> {
    match cert.revocation_status(&Credulous, at) {
        RevocationStatus::Revoked(revocations) => revocations,
        RevocationStatus::CouldBe(revocations) => revocations
            .into_iter()
            .filter(|revocation| is_designated(cert, revocation, pinned))
            .collect(),
        RevocationStatus::NotAsFarAsWeKnow => Vec::new(),
    }
}

/// Whether `revocation` was made for `cert` by one of `pinned` whom its owner named as a revoker
/// (RFC 9580, section 5.2.3.23).
pub(super) fn is_designated(cert: &Cert, revocation: &Signature, pinned: &[&Cert]) -> bool {
    let named: Vec<_> = cert
        .revocation_keys(&Credulous)
        .map(|key| key.revoker().1.clone())
        .collect();
    let mut keys = pinned
        .iter()
        .filter(|revoker| named.contains(&revoker.fingerprint()))
        .flat_map(|revoker| revoker.keys());
    keys.any(|key| {
        let primary = cert.primary_key().key();
        let verified = revocation.verify_primary_key_revocation(key.key(), primary);
        verified.is_ok()
    })
}

/// Whether a key was revoked for good, when and why: the hardest of its revocations.
pub(super) fn revoked(revocations: &[&Signature]) -> (bool, String, String) {
    let hard = |signature: &&&Signature| {
        let reason = signature.reason_for_revocation();
        reason.is_none_or(|(reason, _)| reason.revocation_type() == RevocationType::Hard)
    };
    let hardest = revocations.iter().find(hard);
    let signature = hardest.or(revocations.first());
    let reason = signature.and_then(|signature| signature.reason_for_revocation());
    let reason = reason.map_or_else(
        || "no reason given".to_owned(),
        |(reason, _)| reason.to_string().to_lowercase(),
    );
    let how = if hardest.is_some() {
        "revoked"
    } else {
        "retired"
    };
    let time = signature.and_then(|signature| signature.signature_creation_time());
    let time = time.map_or_else(String::new, |time| format!(" on {}", day_of(time)));
    (hardest.is_some(), format!("{how}{time}"), reason)
}
