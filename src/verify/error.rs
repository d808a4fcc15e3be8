//! What can be wrong with the policy, a certificate, the evidence or the signatures.

use std::io;
use std::path::PathBuf;

use super::status::Status;
use super::verdict::Verdict;
use crate::base::LineError;
use crate::pins::Rung;

/// Why a source or a file cannot be trusted, or could not be judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read; the cause names it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The policy file is wrong: all that is.
    #[error("{}", lines(.0))]
    Policy(Vec<LineError>),
    /// A file is larger than any of its kind.
    #[error("{path}: larger than {limit} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read, in bytes.
        limit: u64,
    },
    /// Something of Debian's archive does not say what it should.
    #[error("{path}: {what}")]
    Archive {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The armor of a file stops before its end.
    #[error("{path}: truncated: the ASCII armor does not end as it began")]
    TruncatedArmor {
        /// The file.
        path: PathBuf,
    },
    /// A file holds something else than it should.
    #[error("{path}: expected `PGP {expected}`, got `PGP {found}`")]
    WrongArmor {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// What it holds.
        found: String,
    },
    /// A file is not OpenPGP, or broken.
    #[error("{path}: not readable as OpenPGP")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file of certificates does not hold exactly one.
    #[error("{path}: expected one certificate, got {found}")]
    NotOneCertificate {
        /// The file.
        path: PathBuf,
        /// How many it holds.
        found: usize,
    },
    /// A certificate is another than the pinned one.
    #[error("{path}: expected fingerprint {pinned}, got {found}")]
    WrongFingerprint {
        /// The file.
        path: PathBuf,
        /// The fingerprint in the policy.
        pinned: String,
        /// The fingerprint of the certificate.
        found: String,
    },
    /// A certificate comes with secret keys.
    #[error("{path}: holds a secret key")]
    SecretKey {
        /// The file.
        path: PathBuf,
    },
    /// The manifest's name for some evidence is not one.
    #[error("`{name}` is not the name of a file in keys/evidence/")]
    EvidenceName {
        /// The name.
        name: String,
    },
    /// A file of signatures holds none.
    #[error("{path}: holds no signature")]
    NoSignature {
        /// The file.
        path: PathBuf,
    },
    /// A file holds too many signatures.
    #[error("{path}: more than {limit} signatures")]
    TooManySignatures {
        /// The file.
        path: PathBuf,
        /// The most that are read.
        limit: usize,
    },
    /// A file holds more than signatures.
    #[error("{path}: not a detached signature: it holds a packet of type `{found}`")]
    NotDetached {
        /// The file.
        path: PathBuf,
        /// The type of the first other packet.
        found: String,
    },
    /// A list of checksums has a line that is none.
    #[error("{path}:{line}: not a checksum: expected `<hex>  <file>`")]
    ListSyntax {
        /// The list.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// A list of checksums has another digest for the file.
    #[error("{path}:{line}: {file}: expected {pinned}, listed as {listed}")]
    ListedDigest {
        /// The list.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The file.
        file: String,
        /// The digest in the list.
        listed: String,
        /// The pin.
        pinned: String,
    },
    /// A list of checksums does not name the file.
    #[error(
        "{path}: expected a checksum of {file}, got those of: {}",
        names(named)
    )]
    NotListed {
        /// The list.
        path: PathBuf,
        /// The file.
        file: String,
        /// What the list names.
        named: Vec<String>,
    },
    /// A cleartext-signed file is not written as one should be.
    #[error("{path}:{line}: not one cleartext-signed text: {why}")]
    Cleartext {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// A `.dsc` does not list the file, or could be read in two ways.
    #[error("{path}: line {line} of the signed text: {why}")]
    Dsc {
        /// The file.
        path: PathBuf,
        /// The line of the signed text, counted from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// A signature of minisign is not written as one should be.
    #[error("{path}: not a minisign signature: {why}")]
    Minisign {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The objects of a git tag are not whole, or not what they are called.
    #[error("{path}: not the objects of one signed tag: {why}")]
    GitObjects {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A file of an archive is not in the tree of upstream's tag.
    #[error("{what}: {file}: {why}")]
    NotInTag {
        /// The source.
        what: String,
        /// The file in the archive.
        file: String,
        /// What is wrong.
        why: &'static str,
    },
    /// An archive could not be compared with upstream's tag.
    #[error("{path}: cannot be read as an archive")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        source: io::Error,
    },
    /// There is less evidence than there once was.
    #[error("{what}: expected `{was}`, got `{now}`{}", lacking(missing))]
    RungFell {
        /// The source.
        what: String,
        /// The evidence that was reached once.
        was: Rung,
        /// The evidence that there is.
        now: Rung,
        /// The files of evidence that are not here.
        missing: Vec<String>,
    },
    /// The policy says nothing about a source.
    #[error(
        "{policy}: no rule for source `{source_name}`; there are rules for {}",
        known.join(", ")
    )]
    NoRule {
        /// The source.
        source_name: String,
        /// Those there are rules for.
        known: Vec<String>,
        /// The policy file.
        policy: PathBuf,
    },
    /// The manifest names no signature, but the policy wants some.
    #[error("{what}: the manifest names no signature, and {policy} does not allow that")]
    Unsigned {
        /// The source.
        what: String,
        /// The policy file.
        policy: PathBuf,
    },
    /// The manifest names a signature, but the policy no signer.
    #[error("{what}: the manifest names a signature, but {policy} no signer")]
    NoSigners {
        /// The source.
        what: String,
        /// The policy file.
        policy: PathBuf,
    },
    /// The bytes are others than those that were fetched.
    #[error("{what}: {path} changed after it was checked")]
    Changed {
        /// The source.
        what: String,
        /// The file.
        path: PathBuf,
    },
    /// A pinned signer's signature is bad or revoked.
    #[error("{what}: {}", verdict.conclusion())]
    Broken {
        /// The source.
        what: String,
        /// All that was found.
        verdict: Verdict,
    },
    /// Not enough pinned signers signed.
    #[error("{what}: {}{}", verdict.conclusion(), why(verdict))]
    TooFew {
        /// The source.
        what: String,
        /// All that was found.
        verdict: Verdict,
    },
}

impl Error {
    /// A file that the OpenPGP library could not read.
    pub(super) fn malformed(
        path: &std::path::Path,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Malformed {
            path: path.to_owned(),
            source: source.into(),
        }
    }

    /// What was found about the signatures, if it came to that.
    pub fn verdict(&self) -> Option<&Verdict> {
        match self {
            Self::Broken { verdict, .. } | Self::TooFew { verdict, .. } => Some(verdict),
            _ => None,
        }
    }

    /// What fixes it, where something does.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::SecretKey { path } => format!(
                "remove {} and consider the key compromised; export the certificate alone \
                 with `gpg --export --armor FINGERPRINT`",
                path.display()
            ),
            Self::WrongFingerprint { path, .. } => format!(
                "fetch the certificate again, or, if the signer has a new key and says so \
                 where you can check it, pin that; `gpg --show-keys {}` shows it",
                path.display()
            ),
            Self::TooLarge { .. } => {
                "if it is a certificate, cut it down with `gpg --export-options export-minimal \
                 --export --armor FINGERPRINT`"
                    .to_owned()
            }
            Self::TruncatedArmor { .. } | Self::NoSignature { .. } | Self::Malformed { .. } => {
                "download the file again from where upstream publishes it".to_owned()
            }
            Self::WrongArmor { found, .. } if found == "SIGNED MESSAGE" => {
                "only detached signatures are accepted, in a separate file beside the signed one"
                    .to_owned()
            }
            Self::ListedDigest { .. } => {
                "either the pin in sources.toml or the list is not upstream's".to_owned()
            }
            Self::NoRule {
                source_name,
                policy,
                ..
            } => format!(
                "add to {}: `[[source]]`, `name = \"{source_name}\"` and `signers` with \
                 `threshold`, or `digest-only` with the reason",
                policy.display()
            ),
            Self::Unsigned { .. } => {
                "name the signature in sources.toml, or give the reason as `digest-only` in \
                 keys/trust.toml"
                    .to_owned()
            }
            Self::RungFell { .. } => {
                "put the evidence back that sources.toml names; write a lower `rung` there only \
                 if upstream does not sign any more, and say so in the commit"
                    .to_owned()
            }
            Self::Minisign { .. } => {
                "download the file again from where upstream publishes it".to_owned()
            }
            Self::Cleartext { .. } | Self::Dsc { .. } | Self::GitObjects { .. } => {
                "do not use the file; compare the evidence with what its signer publishes"
                    .to_owned()
            }
            Self::NotInTag { .. } => {
                "do not use the file; if it is generated and never used, list it in `tag-lacks` \
                 in sources.toml"
                    .to_owned()
            }
            Self::Changed { .. } => "run `cargo xtask fetch` again".to_owned(),
            Self::Broken { .. } => {
                "do not use the file; compare it and its signature with what upstream publishes"
                    .to_owned()
            }
            Self::TooFew { verdict, .. } => {
                let of = |status| verdict.signatures().iter().any(|f| f.status == status);
                if of(Status::Stale) || of(Status::Weak) {
                    "refresh the certificates with `cargo xtask keys refresh`, or allow the status \
                     for that signer and source in keys/trust.toml, with a reason"
                } else if of(Status::UnknownSigner) {
                    "pin the signer in keys/trust.toml, once the fingerprint is checked through \
                     another channel than the one that brought the signature"
                } else {
                    return None;
                }
                .to_owned()
            }
            _ => return None,
        })
    }
}

fn lacking(missing: &[String]) -> String {
    match missing {
        [] => String::new(),
        missing => format!(": {} is missing", missing.join(", ")),
    }
}

fn lines(findings: &[LineError]) -> String {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn names(named: &[String]) -> String {
    const SHOWN: usize = 5;
    match named.len() {
        0 => "nothing".to_owned(),
        count if count > SHOWN => {
            format!("{} and {} more", named[..SHOWN].join(", "), count - SHOWN)
        }
        _ => named.join(", "),
    }
}

/// The signatures that do not count.
fn why(verdict: &Verdict) -> String {
    let others = verdict
        .signatures()
        .iter()
        .filter(|finding| !finding.counts);
    others
        .map(|finding| {
            let name = finding.signer.as_deref().or(finding.key.as_deref());
            format!("; {}: {finding}", name.unwrap_or("someone"))
        })
        .collect()
}
