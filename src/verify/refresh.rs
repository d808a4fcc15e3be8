//! Newer copies of the pinned certificates.
//!
//! A server can keep news from us, and nothing else: of what it sends, only the certificate
//! with the pinned fingerprint is looked at, and of that only what its owner signed, which is
//! added to our copy. Nothing is ever taken away from it.

use std::fmt;
use std::path::{Path, PathBuf};

use reqwest::Url;
use reqwest::header::HeaderMap;
use sequoia_openpgp::armor::Kind;
use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::parse::{PacketParser, PacketParserResult, Parse};
use sequoia_openpgp::serialize::SerializeInto;
use sequoia_openpgp::{Fingerprint, KeyHandle, Packet};
use serde::{Serialize, Serializer};

use super::certificate::{Certificate, LIMIT};
use super::directory::Directory;
use super::owner::{self, Statement};
use super::policy::{Signer, TrustPolicy};
use super::{Error, armor};
use crate::base::progress::Progress;
use crate::base::replace;
use crate::fetch::{Http, Patience, Reason};

/// The most bytes of an answer: certificates with many certifications by others have some
/// hundred thousand.
const LONGEST: u64 = 1 << 20;

/// The most packets of a certificate that may matter. Ours have some hundred at most; to put
/// signatures where they belong each may be tried on each name: with a thousand that took four
/// seconds.
const PACKETS: usize = 400;

/// How many other certificates of an answer are named.
const OTHERS: usize = 5;

/// A signer whose certificate is pinned.
#[derive(Debug, Clone, Serialize)]
pub struct Pinned {
    /// The name within `trust.toml`.
    pub id: String,
    /// The name in reports.
    pub name: String,
    /// The fingerprint.
    pub fingerprint: String,
    /// The sources whose rule names the signer.
    pub sources: Vec<String>,
    /// What our copy says.
    pub statement: Statement,
}

/// What became of one pinned certificate.
#[derive(Debug, Serialize)]
pub struct Refreshed {
    /// The signer, with what the certificate says now.
    #[serde(flatten)]
    pub pinned: Pinned,
    /// What was answered, by address.
    pub answers: Vec<(String, Answer)>,
    /// What is new, a line each; empty if nothing is.
    pub news: Vec<String>,
    /// The file and its new bytes.
    #[serde(skip)]
    file: Option<(PathBuf, Vec<u8>)>,
}

/// What one directory answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The certificate.
    Found,
    /// That it has none.
    Absent,
    /// Certificates, but not the pinned one.
    Others(Vec<String>),
    /// Nothing that can be used.
    Failed(String),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found => f.write_str("has it"),
            Self::Absent => f.write_str("does not have it"),
            Self::Others(found) => {
                write!(f, "has another certificate, ignored: {}", found.join(", "))
            }
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Refreshed {
    /// Whether any directory could say whether it has the certificate.
    pub fn answered(&self) -> bool {
        let failed = |(_, answer): &(String, Answer)| matches!(answer, Answer::Failed(_));
        !self.answers.iter().all(failed)
    }
}

impl TrustPolicy {
    /// The certificates of all signers.
    pub(super) fn certificates(&self) -> Vec<&Cert> {
        let signers = self.signers.iter();
        let certificates = signers.filter_map(|signer| signer.certificate.as_ref());
        certificates.map(Certificate::cert).collect()
    }

    /// The signers and what our copies of their certificates say.
    pub fn pinned(&self) -> Vec<Pinned> {
        self.signers.iter().map(|s| self.describe(s)).collect()
    }

    fn statement(&self, cert: Option<&Cert>) -> Statement {
        cert.map_or_else(Statement::absent, |cert| {
            Statement::of(cert, &self.certificates(), self.now)
        })
    }

    fn describe(&self, signer: &Signer) -> Pinned {
        let rules = self.rules.iter();
        let sources = rules.filter(|rule| rule.signers.contains(&signer.id));
        Pinned {
            id: signer.id.clone(),
            name: signer.name.clone(),
            fingerprint: signer.fingerprint.to_hex(),
            sources: sources.map(|rule| rule.source.clone()).collect(),
            statement: self.statement(signer.certificate.as_ref().map(Certificate::cert)),
        }
    }
}

/// Asks for each pinned certificate where `directories` says, by fingerprint and e-mail
/// addresses; see [`super::directories`]. Nothing is written.
///
/// # Errors
/// When a certificate with its news is larger than one may be.
pub fn refresh(
    policy: &TrustPolicy,
    directories: &dyn Fn(&str, &[String]) -> Vec<Directory>,
    patience: Patience,
    progress: &dyn Progress,
) -> Result<Vec<Refreshed>, Error> {
    let http = Http::new(patience);
    let one = |signer: &Signer| {
        let task = progress.begin(&signer.name, None);
        let refreshed = one(policy, signer, directories, &http)?;
        task.finish(match refreshed.news.len() {
            0 => "nothing new",
            _ => "has news",
        });
        Ok(refreshed)
    };
    policy.signers.iter().map(one).collect()
}

/// Writes the certificates that have news: all of them, or none. Returns their files.
///
/// # Errors
/// When one cannot be written.
pub fn keep(refreshed: &[Refreshed]) -> Result<Vec<PathBuf>, Error> {
    let files: Vec<(PathBuf, Vec<u8>)> = refreshed
        .iter()
        .filter_map(|one| one.file.clone())
        .collect();
    Ok(replace::all(&files)?)
}

fn one(
    policy: &TrustPolicy,
    signer: &Signer,
    directories: &dyn Fn(&str, &[String]) -> Vec<Directory>,
    http: &Http,
) -> Result<Refreshed, Error> {
    let ours = signer.certificate.as_ref().map(Certificate::cert);
    let mut merged = ours.cloned();
    let mut answers = Vec::new();
    let emails = ours.map(owner::emails).unwrap_or_default();
    for directory in directories(&signer.fingerprint.to_hex(), &emails) {
        let Some((address, answer)) = ask(http, &directory) else {
            continue;
        };
        let answer = match answer {
            Ok(bytes) => take(&address, &bytes, policy, &signer.fingerprint, &mut merged),
            Err(Reason::Status(404 | 410)) => Answer::Absent,
            Err(reason) => Answer::Failed(reason.to_string()),
        };
        answers.push((address.to_string(), answer));
    }
    let mut pinned = policy.describe(signer);
    let before = pinned.statement;
    pinned.statement = policy.statement(merged.as_ref());
    let mut news = pinned.statement.since(&before);
    let mut file = None;
    // What servers may change on the way, outside of what is signed, is no news.
    if let Some(merged) = merged.filter(|merged| count(merged) > ours.map_or(0, count)) {
        if news.is_empty() {
            news.push("newer signatures of the owner that change nothing today".to_owned());
        }
        let malformed = |error| Error::malformed(&signer.file, error);
        let bytes = merged.armored().to_vec().map_err(malformed)?;
        if bytes.len() as u64 > LIMIT {
            return Err(Error::TooLarge {
                path: signer.file.clone(),
                limit: LIMIT,
            });
        }
        file = Some((signer.file.clone(), bytes));
    }
    Ok(Refreshed {
        pinned,
        answers,
        news,
        file,
    })
}

/// The answer of the first address where anybody does.
fn ask(http: &Http, directory: &Directory) -> Option<(Url, Result<Vec<u8>, Reason>)> {
    let mut last = None;
    for address in directory {
        let answer = http.page(address, &HeaderMap::new(), LONGEST);
        let reached = !matches!(answer, Err(Reason::Unreachable(_)));
        last = Some((address.clone(), answer.map(|(_, bytes)| bytes)));
        if reached {
            break;
        }
    }
    last
}

/// Adds to `ours` what the owner of the pinned certificate signed among `bytes`.
fn take(
    address: &Url,
    bytes: &[u8],
    policy: &TrustPolicy,
    pinned: &Fingerprint,
    ours: &mut Option<Cert>,
) -> Answer {
    let Sent { certs, others } = match read(Path::new(address.as_str()), bytes, policy, pinned) {
        Ok(sent) => sent,
        Err(why) => return Answer::Failed(why),
    };
    let mut found = false;
    for cert in certs {
        let public = cert.strip_secret_key_material();
        let own = owner::own(&public, &policy.certificates());
        let merged = own.and_then(|own| match ours.clone() {
            Some(ours) => ours.merge_public(own),
            None => Ok(own),
        });
        match merged {
            Ok(merged) => *ours = Some(merged),
            Err(error) => return Answer::Failed(error.root_cause().to_string()),
        }
        found = true;
    }
    match (found, others.is_empty()) {
        (true, _) => Answer::Found,
        (false, true) => Answer::Failed("its answer holds no certificate".to_owned()),
        (false, false) => Answer::Others(others),
    }
}

/// What an answer holds.
#[derive(Default)]
struct Sent {
    /// The certificates with the pinned fingerprint.
    certs: Vec<Cert>,
    /// The fingerprints of others, the first few.
    others: Vec<String>,
}

/// The certificates in `bytes`, armored or binary, without what nobody who is pinned can have
/// signed.
fn read(
    from: &Path,
    bytes: &[u8],
    policy: &TrustPolicy,
    pinned: &Fingerprint,
) -> Result<Sent, String> {
    // Every OpenPGP packet starts with a byte beyond ASCII, and armor never does.
    let blocks = if bytes.first().is_some_and(|&byte| byte >= 0x80) {
        vec![bytes.to_vec()]
    } else {
        armor::blocks(from, bytes, Kind::PublicKey).map_err(|error| match error {
            Error::TruncatedArmor { .. } => "its answer is cut off".to_owned(),
            _ => "its answer is not a certificate".to_owned(),
        })?
    };
    let broken = |error: sequoia_openpgp::anyhow::Error| {
        let why = shown::shown_up_to(200, error.root_cause().to_string().as_bytes());
        format!("its answer is broken: {why}")
    };
    let mut sent = Sent::default();
    for block in &blocks {
        let mut kept = Kept::new(policy, pinned);
        let mut state = PacketParser::from_bytes(block).map_err(broken)?;
        while let PacketParserResult::Some(parser) = state {
            let (packet, next) = parser.next().map_err(broken)?;
            kept.take(packet)?;
            state = next;
        }
        sent.others.extend(kept.others);
        for packets in kept.certs {
            let cert = Cert::from_packets(packets.into_iter()).map_err(broken)?;
            sent.certs.push(cert);
        }
    }
    Ok(sent)
}

/// The packets of an answer that may matter, read in one pass: whoever fills a certificate with
/// names and signatures of others costs nobody the time to try each on each.
struct Kept<'p> {
    pinned: &'p Fingerprint,
    /// The keys whose signatures may matter.
    signers: Vec<KeyHandle>,
    certs: Vec<Vec<Packet>>,
    others: Vec<String>,
    /// Whether what comes belongs to the pinned certificate.
    ours: bool,
    /// A name or a subkey that nobody has signed yet.
    unsigned: Option<Packet>,
    count: usize,
}

impl<'p> Kept<'p> {
    fn new(policy: &TrustPolicy, pinned: &'p Fingerprint) -> Self {
        let certs = policy.certificates();
        let keys = certs.iter().flat_map(|cert| cert.keys());
        let mut signers: Vec<KeyHandle> = keys.map(|key| key.key().key_handle()).collect();
        // Of a certificate that is not here yet, the owner's own key is known by its fingerprint.
        signers.push(KeyHandle::from(pinned));
        Self {
            pinned,
            signers,
            certs: Vec::new(),
            others: Vec::new(),
            ours: false,
            unsigned: None,
            count: 0,
        }
    }

    fn take(&mut self, packet: Packet) -> Result<(), String> {
        let primary = match &packet {
            Packet::PublicKey(key) => Some(key.fingerprint()),
            Packet::SecretKey(key) => Some(key.fingerprint()),
            _ => None,
        };
        if let Some(fingerprint) = primary {
            self.unsigned = None;
            self.ours = fingerprint == *self.pinned;
            if self.ours {
                self.certs.push(vec![packet]);
            } else if self.others.len() < OTHERS {
                self.others.push(fingerprint.to_hex());
            }
            return Ok(());
        }
        let Some(cert) = self.certs.last_mut().filter(|_| self.ours) else {
            return Ok(());
        };
        match packet {
            Packet::Signature(signature) => {
                let issuers = signature.get_issuers();
                let known = |issuer: &KeyHandle| self.signers.iter().any(|it| it.aliases(issuer));
                if issuers.iter().any(known) {
                    self.count += 1 + usize::from(self.unsigned.is_some());
                    cert.extend(self.unsigned.take());
                    cert.push(Packet::from(signature));
                }
            }
            Packet::UserID(_)
            | Packet::UserAttribute(_)
            | Packet::PublicSubkey(_)
            | Packet::SecretSubkey(_) => self.unsigned = Some(packet),
            _ => {}
        }
        match self.count > PACKETS {
            true => Err(format!(
                "its answer has more than {PACKETS} signatures by the owner"
            )),
            false => Ok(()),
        }
    }
}

fn count(cert: &Cert) -> usize {
    cert.clone().into_packets().count()
}
