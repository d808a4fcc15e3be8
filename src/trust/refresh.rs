//! Newer copies of the pinned certificates.
//!
//! A server can keep news from us, and nothing else: of what it sends, only the certificate
//! with the pinned fingerprint is looked at, and of that only what its owner signed, which is
//! added to our copy. Nothing is ever taken away from it.

use std::fmt;
use std::path::{Path, PathBuf};

use reqwest::Url;
use reqwest::header::HeaderMap;
use sequoia_openpgp::Fingerprint;
use sequoia_openpgp::armor::Kind;
use sequoia_openpgp::cert::{Cert, CertParser};
use sequoia_openpgp::parse::Parse;
use sequoia_openpgp::serialize::SerializeInto;
use serde::{Serialize, Serializer};

use super::certificate::LIMIT;
use super::directory::Directory;
use super::owner::{self, Statement};
use super::policy::{Signer, TrustPolicy};
use super::{Error, armor};
use crate::progress::Progress;
use crate::replace;
use crate::source::{Http, Patience, Reason};

/// The most bytes of an answer: certificates with many certifications by others have some
/// hundred thousand.
const LONGEST: u64 = 4 << 20;

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
                write!(
                    f,
                    "has another certificate, left aside: {}",
                    found.join(", ")
                )
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
    /// The signers and what our copies of their certificates say.
    pub fn pinned(&self) -> Vec<Pinned> {
        self.signers.iter().map(|s| self.describe(s)).collect()
    }

    fn describe(&self, signer: &Signer) -> Pinned {
        let rules = self.rules.iter();
        let sources = rules.filter(|rule| rule.signers.contains(&signer.id));
        Pinned {
            id: signer.id.clone(),
            name: signer.name.clone(),
            fingerprint: signer.fingerprint.to_hex(),
            sources: sources.map(|rule| rule.source.clone()).collect(),
            statement: Statement::of(signer.certificate.cert(), self.now),
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
    let ours = signer.certificate.cert();
    let mut merged = ours.clone();
    let mut answers = Vec::new();
    for directory in directories(&signer.fingerprint.to_hex(), &owner::emails(ours)) {
        let Some((address, answer)) = ask(http, &directory) else {
            continue;
        };
        let answer = match answer {
            Ok(bytes) => take(&address, &bytes, &signer.fingerprint, &mut merged),
            Err(Reason::Status(404 | 410)) => Answer::Absent,
            Err(reason) => Answer::Failed(reason.to_string()),
        };
        answers.push((address.to_string(), answer));
    }
    let mut pinned = policy.describe(signer);
    let before = pinned.statement;
    pinned.statement = Statement::of(&merged, policy.now);
    let mut news = pinned.statement.since(&before);
    let mut file = None;
    // What servers may change on the way, outside of what is signed, is no news.
    if count(&merged) > count(ours) {
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
fn take(address: &Url, bytes: &[u8], pinned: &Fingerprint, ours: &mut Cert) -> Answer {
    let certs = match read(Path::new(address.as_str()), bytes) {
        Ok(certs) => certs,
        Err(why) => return Answer::Failed(why),
    };
    let mut others = Vec::new();
    let mut found = false;
    for cert in certs {
        if cert.fingerprint() != *pinned {
            others.push(cert.fingerprint().to_hex());
            continue;
        }
        let public = cert.strip_secret_key_material();
        let merged = owner::own(&public).and_then(|own| ours.clone().merge_public(own));
        match merged {
            Ok(merged) => *ours = merged,
            Err(error) => return Answer::Failed(error.root_cause().to_string()),
        }
        found = true;
    }
    match (found, others.is_empty()) {
        (true, _) => Answer::Found,
        (false, true) => Answer::Failed("what it sends holds no certificate".to_owned()),
        (false, false) => Answer::Others(others),
    }
}

/// The certificates in `bytes`, armored or binary.
fn read(from: &Path, bytes: &[u8]) -> Result<Vec<Cert>, String> {
    // Every OpenPGP packet starts with a byte beyond ASCII, and armor never does.
    let blocks = if bytes.first().is_some_and(|&byte| byte >= 0x80) {
        vec![bytes.to_vec()]
    } else {
        armor::blocks(from, bytes, Kind::PublicKey).map_err(|error| match error {
            Error::TruncatedArmor { .. } => "what it sends is cut off".to_owned(),
            _ => "what it sends is no certificate".to_owned(),
        })?
    };
    let broken = |error: sequoia_openpgp::anyhow::Error| {
        format!("what it sends is broken: {}", error.root_cause())
    };
    let mut certs = Vec::new();
    for block in &blocks {
        for cert in CertParser::from_bytes(block).map_err(broken)? {
            certs.push(cert.map_err(broken)?);
        }
    }
    Ok(certs)
}

fn count(cert: &Cert) -> usize {
    cert.clone().into_packets().count()
}
