//! Why nothing was signed, or why too few have.

use std::io;
use std::path::PathBuf;

use crate::verify;

/// What can go wrong with attestations.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written; the cause names it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The certificates or the policy in `keys/attesters/` are wrong.
    #[error(transparent)]
    Trust(#[from] verify::Error),
    /// A text that is not the fingerprint of a key.
    #[error("`{text}` is not a whole fingerprint: expected 40 or 64 hexadecimal digits")]
    Key {
        /// The text as it was given.
        text: String,
    },
    /// A file that is no statement, or that contradicts itself.
    #[error("{}: {problem}", path.display())]
    Statement {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The signing program is not there or cannot be started.
    #[error("cannot run `{program}`: {why}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        why: io::Error,
    },
    /// The signing program said no.
    #[error("`{program}` did not {what}: {}", or_nothing(said))]
    Refused {
        /// The program.
        program: String,
        /// What it was asked.
        what: &'static str,
        /// Its last words.
        said: String,
    },
    /// What the signing program made is not a good signature by the key.
    #[error("the signature that `{program}` made does not hold: {why}")]
    Worthless {
        /// The program.
        program: String,
        /// What is wrong with it.
        why: String,
    },
    /// A pinned attester's signature is not valid, or their key was revoked.
    #[error("{}: {why}", path.display())]
    Broken {
        /// The statement.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Not enough attesters agree.
    #[error("{} of {needed} attesters agree with the record of {release}{}", agree.len(), named(agree))]
    TooFew {
        /// Those who do.
        agree: Vec<String>,
        /// How many are needed.
        needed: usize,
        /// What they are asked about.
        release: String,
    },
}

impl Error {
    /// What fixes it, where something does.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Trust(error) => return error.hint(),
            Self::Key { .. } => {
                "`gpg --list-secret-keys --with-colons` lists yours, after `fpr`; take the primary \
                 key's"
                    .to_owned()
            }
            Self::Start { program, why } if why.kind() == io::ErrorKind::NotFound => format!(
                "install GnuPG, or name a program that understands its options: `--gpg PROGRAM` \
                 (not `{program}`)"
            ),
            Self::Refused { program, .. } => format!(
                "nothing was written; see that `{program} --clear-sign` works with this key in \
                 this terminal (`export GPG_TTY=$(tty)` for a pinentry there), then run it again"
            ),
            Self::Worthless { .. } => {
                "nothing was written; `--key` takes the primary key's fingerprint, and the key \
                 must be able to sign, not expired, with SHA-256 or better"
                    .to_owned()
            }
            Self::Broken { path, .. } => format!(
                "do not trust this copy of the repository before you know how it came about; \
                 `git log -- {}` says who put it there",
                path.display()
            ),
            Self::TooFew { .. } => {
                "build it yourself and compare: `cargo xtask verify`; `cargo xtask attest` adds \
                 your word to theirs"
                    .to_owned()
            }
            _ => return None,
        })
    }
}

fn or_nothing(said: &str) -> &str {
    match said {
        "" => "it gave no reason",
        said => said,
    }
}

fn named(people: &[String]) -> String {
    match people {
        [] => String::new(),
        people => format!(" ({})", people.join(", ")),
    }
}
