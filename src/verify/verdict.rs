//! The verdict on a file: what was found about each signature, and what follows.

use std::collections::BTreeSet;
use std::fmt;
use std::time::SystemTime;

use serde::{Serialize, Serializer};

use super::status::{Status, Weakness};
use crate::base::date;
use crate::pins::Rung;

/// What was found about a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    rung: Rung,
    conclusion: Conclusion,
    signatures: Vec<JudgedSignature>,
}

/// What was found about one signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JudgedSignature {
    /// What the signature is over, as a kind of evidence.
    pub rung: Rung,
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
    pub(super) fatal: bool,
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
    /// Nobody signed, but these publishers, independent of each other, deliver the same files.
    Published {
        /// What they call them.
        by: Vec<String>,
    },
    /// Nobody signed, and nobody needs to: the pinned digest is all there is.
    DigestOnly {
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
    pub(super) fn new(
        rung: Rung,
        conclusion: Conclusion,
        signatures: Vec<JudgedSignature>,
    ) -> Self {
        Self {
            rung,
            conclusion,
            signatures,
        }
    }

    /// One entry a signature, in the order of the file.
    pub fn signatures(&self) -> &[JudgedSignature] {
        &self.signatures
    }

    /// The best evidence that there is.
    pub fn rung(&self) -> Rung {
        self.rung
    }

    /// What follows from them.
    pub fn conclusion(&self) -> &Conclusion {
        &self.conclusion
    }

    /// Whether the file may be used.
    pub fn accepted(&self) -> bool {
        matches!(
            self.conclusion,
            Conclusion::Signed { .. }
                | Conclusion::Published { .. }
                | Conclusion::DigestOnly { .. }
        )
    }

    /// No signature, for this reason.
    pub(crate) fn digest_only(why: &str) -> Self {
        Self {
            rung: Rung::Digest,
            conclusion: Conclusion::DigestOnly {
                why: why.to_owned(),
            },
            signatures: Vec::new(),
        }
    }

    /// No signature, but the same files from two publishers.
    pub(super) fn published(by: &[String]) -> Self {
        Self {
            rung: Rung::Publishers,
            conclusion: Conclusion::Published { by: by.to_vec() },
            signatures: Vec::new(),
        }
    }

    /// The same, said of another kind of evidence than upstream's signature.
    pub(super) fn at(mut self, rung: Rung) -> Self {
        self.rung = rung;
        for finding in &mut self.signatures {
            finding.rung = rung;
        }
        self
    }

    /// This verdict with the signatures of `other`, which says less, after its own.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.signatures.extend(other.signatures);
        self
    }
}

impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signed { by, of } => write!(f, "signed by {} of {of}", by.len()),
            Self::Published { by } => {
                write!(f, "the same files are published as {}", by.join(" and "))
            }
            Self::DigestOnly { why } => write!(f, "digest only: {why}"),
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

/// A status and what follows from it: `stale: our copy … (allowed: …)`.
impl fmt::Display for JudgedSignature {
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
