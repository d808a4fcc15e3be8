//! What the owner of a certificate says in it, for people; and what has changed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::cert::amalgamation::ValidateAmalgamation;
use sequoia_openpgp::packet::Signature;
use sequoia_openpgp::types::RevocationStatus;
use sequoia_openpgp::{Packet, Result};
use serde::Serialize;

use super::Weakness;
use super::revocation::{self, Credulous, revoked};
use super::signature::lenient;
use crate::base::date::day_of;

/// How much of a name is shown, in characters.
const LONGEST_NAME: usize = 200;

/// The state of a certificate at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// The certificate itself.
    pub validity: Validity,
    /// The subkeys that sign, by fingerprint.
    pub signing: BTreeMap<String, Validity>,
    /// Other subkeys, by fingerprint.
    pub other: BTreeMap<String, Validity>,
    /// The names and e-mail addresses, and whether they still hold.
    pub users: BTreeMap<String, bool>,
}

/// How long a key is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Validity {
    /// Without an end.
    Unlimited,
    /// Until this day.
    Until(String),
    /// Its time was over on this day.
    Expired(String),
    /// The owner took it back: when, and why.
    Revoked(String),
    /// Nothing that the owner says of it is valid today.
    Unbound,
    /// We have no copy.
    Absent,
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => f.write_str("no expiry"),
            Self::Until(day) => write!(f, "expires on {day}"),
            Self::Expired(day) => write!(f, "expired on {day}"),
            Self::Revoked(how) => f.write_str(how),
            Self::Unbound => f.write_str("not valid"),
            Self::Absent => f.write_str("missing; `cargo xtask keys refresh` fetches it"),
        }
    }
}

impl Statement {
    /// Of a certificate that is not here.
    pub(super) fn absent() -> Self {
        Self {
            validity: Validity::Absent,
            signing: BTreeMap::new(),
            other: BTreeMap::new(),
            users: BTreeMap::new(),
        }
    }

    /// What `cert` says of itself at `now`; `pinned` may have been named to revoke it.
    pub(super) fn of(cert: &Cert, pinned: &[&Cert], now: SystemTime) -> Self {
        // Whether an algorithm may be overlooked is for the policy of a source to say.
        let rules = lenient(now, &[Weakness::Dsa1024, Weakness::Sha1Binding]);
        let valid = cert.with_policy(&rules, now).ok();
        let ends = valid
            .as_ref()
            .map(|valid| valid.primary_key().key_expiration_time());
        let whole = validity(&revocation::of_certificate(cert, pinned, now), ends, now);
        let (mut signing, mut other) = (BTreeMap::new(), BTreeMap::new());
        for key in cert.keys().subkeys() {
            let valid = key.clone().with_policy(&rules, now).ok();
            let signs = valid.as_ref().is_some_and(|valid| valid.for_signing());
            let ends = valid.map(|valid| valid.key_expiration_time());
            let revocations = match key.revocation_status(&Credulous, now) {
                RevocationStatus::Revoked(revocations) => revocations,
                _ => Vec::new(),
            };
            let alone = validity(&revocations, ends, now);
            let keys = if signs { &mut signing } else { &mut other };
            keys.insert(key.key().fingerprint().to_hex(), alone);
        }
        let users = cert.userids().map(|user| {
            let status = user.revocation_status(&Credulous, now);
            let holds = !matches!(status, RevocationStatus::Revoked(_));
            (
                shown::shown_up_to(LONGEST_NAME, user.userid().value()),
                holds,
            )
        });
        Self {
            validity: whole,
            signing,
            other,
            users: users.collect(),
        }
    }

    /// What is new since `before`, a line each.
    pub(super) fn since(&self, before: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.validity != before.validity {
            lines.push(format!("{}; before: {}", self.validity, before.validity));
        }
        let keys = [
            ("signing subkey", &self.signing, &before.signing),
            ("subkey", &self.other, &before.other),
        ];
        for (what, now, then) in keys {
            for (key, validity) in now {
                match then.get(key) {
                    None => lines.push(format!("new {what} {key}: {validity}")),
                    Some(then) if then != validity => {
                        lines.push(format!("{what} {key}: {validity}; before: {then}"));
                    }
                    Some(_) => {}
                }
            }
        }
        for (user, holds) in &self.users {
            match (before.users.get(user), holds) {
                (None, true) => lines.push(format!("new user ID {user}")),
                (None | Some(true), false) => lines.push(format!("user ID {user} is revoked")),
                _ => {}
            }
        }
        lines
    }
}

fn validity(
    revocations: &[&Signature],
    ends: Option<Option<SystemTime>>,
    now: SystemTime,
) -> Validity {
    if !revocations.is_empty() {
        let (_, how, why) = revoked(revocations);
        return Validity::Revoked(format!("{how}: {why}"));
    }
    match ends {
        None => Validity::Unbound,
        Some(None) => Validity::Unlimited,
        Some(Some(end)) if end <= now => Validity::Expired(day_of(end)),
        Some(Some(end)) => Validity::Until(day_of(end)),
    }
}

/// The e-mail addresses in names that the owner signed, each once.
pub(super) fn emails(cert: &Cert) -> Vec<String> {
    let own = cert
        .userids()
        .filter(|user| user.self_signatures().next().is_some());
    let mut emails: Vec<String> = own
        .filter_map(|user| Some(user.userid().email().ok()??.to_owned()))
        .collect();
    emails.sort_unstable();
    emails.dedup();
    emails
}

/// The certificate without anything that its owner did not sign: neither others'
/// certifications, which servers let anybody add, nor keys and names without a signature. What
/// one of `pinned` revoked, whom the owner named for that, counts as signed by the owner.
pub(super) fn own(certificate: &Cert, pinned: &[&Cert]) -> Result<Cert> {
    fn signed<'a>(
        packets: &mut Vec<Packet>,
        what: impl Into<Packet>,
        signatures: impl Iterator<Item = &'a Signature>,
    ) {
        let mut signatures = signatures.cloned().map(Packet::from).peekable();
        if signatures.peek().is_some() {
            packets.push(what.into());
            packets.extend(signatures);
        }
    }
    let primary = certificate.primary_key();
    let mut packets = vec![Packet::from(primary.key().clone())];
    let bundle = primary.bundle();
    let of_primary = bundle.self_signatures().chain(bundle.self_revocations());
    packets.extend(of_primary.cloned().map(Packet::from));
    let by_others = bundle.other_revocations();
    let designated = by_others.filter(|it| revocation::is_designated(certificate, it, pinned));
    packets.extend(designated.cloned().map(Packet::from));
    for user in certificate.userids() {
        let signatures = user.self_signatures().chain(user.self_revocations());
        signed(&mut packets, user.userid().clone(), signatures);
    }
    for key in certificate.keys().subkeys() {
        let signatures = key.self_signatures().chain(key.self_revocations());
        signed(&mut packets, key.key().clone(), signatures);
    }
    Cert::from_packets(packets.into_iter())
}
