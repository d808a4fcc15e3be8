//! Signatures by minisign, which zig's releases have: an Ed25519 key over the file's BLAKE2b hash,
//! and over a trusted comment that says which file it is, and when it was signed.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use fs_err::File;
use minisign_verify::{Error as Refused, Signature};

use super::armor;
use super::error::Error;
use super::minisign_key::Key;
use super::policy::TrustPolicy;
use super::status::Status;
use super::verdict::{Conclusion, JudgedSignature, Verdict};
use crate::pins::Rung;

/// How every signature of this kind begins, and none of OpenPGP does.
const BEGIN: &[u8] = b"untrusted comment:";

/// The most bytes of a signature: it has some 300.
const LIMIT: u64 = 4 << 10;

/// The lines of one.
const LINES: usize = 4;

/// Whether the file at `path` is such a signature.
pub(super) fn is_one(path: &Path) -> Result<bool, Error> {
    let mut begin = Vec::new();
    let length = BEGIN.len() as u64;
    File::open(path)?.take(length).read_to_end(&mut begin)?;
    Ok(begin == BEGIN)
}

/// Judges `file` by the signature at `path`: by one of the keys pinned for `source`, or by any
/// pinned key.
pub(super) fn judge(
    policy: &TrustPolicy,
    file: &Path,
    path: &Path,
    source: Option<&str>,
) -> Result<Verdict, Error> {
    let keys: Vec<&Key> = match source {
        Some(source) => policy.rule(source)?.minisign.iter().collect(),
        None => policy
            .rules
            .iter()
            .flat_map(|rule| &rule.minisign)
            .collect(),
    };
    let text = armor::read(path, LIMIT)?;
    let malformed = |why: &str| Error::Minisign {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    let text = std::str::from_utf8(&text).map_err(|_| malformed("it is not UTF-8"))?;
    // The reader takes the first four, and nobody signed what follows.
    if text.lines().count() != LINES {
        return Err(malformed("expected four lines"));
    }
    let signature = Signature::decode(text).map_err(|error| malformed(&error.to_string()))?;
    let comment = signature.trusted_comment();
    let mut finding = JudgedSignature {
        rung: Rung::Upstream,
        signer: None,
        primary: None,
        key: None,
        made: None,
        hash: "BLAKE2b".to_owned(),
        status: Status::UnknownSigner,
        weaknesses: BTreeSet::new(),
        detail: "it was not made by a pinned key".to_owned(),
        counts: false,
        allowed: None,
        fatal: false,
    };
    for key in keys {
        let mut verifier = match key.key.verify_stream(&signature) {
            Ok(verifier) => verifier,
            Err(Refused::UnexpectedKeyId) => continue,
            Err(error) => {
                finding.detail = error.to_string();
                break;
            }
        };
        let mut file = File::open(file)?;
        let mut buffer = vec![0; 128 << 10];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                count => verifier.update(&buffer[..count]),
            }
        }
        let good = verifier.finalize().is_ok();
        let is_for = is_for(comment, path_name(file.path()));
        finding.signer = Some(key.name.clone());
        finding.primary = Some(key.text.clone());
        finding.key = Some(key.text.clone());
        finding.counts = good && is_for;
        (finding.status, finding.detail) = match (good, is_for) {
            (true, true) => (Status::Good, String::new()),
            (true, false) => (Status::Bad, "it is for a file of another name".to_owned()),
            (false, _) => (Status::Bad, "it does not match the file".to_owned()),
        };
        finding.fatal = !finding.counts;
        // What is not signed says nothing.
        finding.made = timestamp(comment).filter(|_| good);
        break;
    }
    let conclusion = match (&finding.signer, finding.counts) {
        (Some(signer), true) => Conclusion::Signed {
            by: vec![signer.clone()],
            of: 1,
        },
        (Some(signer), false) => Conclusion::Broken {
            signer: signer.clone(),
            why: finding.to_string(),
        },
        (None, _) => Conclusion::TooFew {
            by: Vec::new(),
            needed: 1,
        },
    };
    Ok(Verdict::new(Rung::Upstream, conclusion, vec![finding]))
}

fn path_name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

/// The fields of a trusted comment: `timestamp:1755707121<tab>file:zig-….tar.xz<tab>hashed`.
fn field<'c>(comment: &'c str, name: &str) -> Option<&'c str> {
    let mut fields = comment.split('\t');
    fields.find_map(|field| field.strip_prefix(name)?.strip_prefix(':'))
}

/// Whether the comment names the file: of the same key, another release's signature is as good.
fn is_for(comment: &str, file: &str) -> bool {
    field(comment, "file") == Some(file)
}

fn timestamp(comment: &str) -> Option<std::time::SystemTime> {
    let seconds = field(comment, "timestamp")?.parse().ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests;
