//! The verdict on a source, and what passes it.

use std::path::Path;
use std::sync::Arc;

use super::policy::TrustPolicy;
use super::verdict::{Beside, Verdict, conclude, judge};
use super::{Error, checksums, evidence};
use crate::digest::Digest;
use crate::source::{Fetched, Signature, Source};

/// A source that passed the trust policy: the only one that is ever unpacked. Only
/// `verify` makes it.
#[derive(Debug, Clone)]
pub struct Verified {
    fetched: Fetched,
    verdict: Verdict,
}

impl Verified {
    /// The pin.
    pub fn source(&self) -> &Arc<Source> {
        self.fetched.source()
    }

    /// The file that holds the bytes.
    pub fn path(&self) -> &Path {
        self.fetched.path()
    }

    /// Who signed what.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

/// Puts the policy to a source whose bytes match their pin, with the evidence that the
/// manifest names for it.
pub fn verify(policy: &TrustPolicy, fetched: Fetched) -> Result<Verified, Error> {
    let verdict = examine(policy, &fetched)?.require(fetched.source())?;
    Ok(Verified { fetched, verdict })
}

/// The digest of `file` by a list of checksums, if the list is signed as the rule for `source`
/// demands. Both are files in the folder of evidence.
///
/// # Errors
/// When it is not, or the list does not name the file.
pub fn listed(
    policy: &TrustPolicy,
    checksums: &str,
    signature: &str,
    source: &str,
    file: &str,
) -> Result<Digest, Error> {
    let list = evidence::locate(&policy.evidence, checksums)?;
    let signature = evidence::locate(&policy.evidence, signature)?;
    judge(policy, &list, &signature, Some(source))?.require(&list.display())?;
    checksums::listed(&list, &evidence::list(&list)?, file)
}

fn examine(policy: &TrustPolicy, fetched: &Fetched) -> Result<Verdict, Error> {
    let source = fetched.source();
    let rule = policy.rule(&source.name)?;
    let signature = match (&source.signature, &rule.hash_only) {
        (Signature::None, Some(why)) => return Ok(Verdict::hash_only(why)),
        (Signature::None, None) => {
            return Err(Error::Unsigned {
                what: source.to_string(),
                policy: policy.file(),
            });
        }
        (Signature::Detached { signature } | Signature::Checksum { signature, .. }, _) => signature,
    };
    if rule.signers.is_empty() {
        return Err(Error::NoSigners {
            what: source.to_string(),
            policy: policy.file(),
        });
    }
    let signatures = evidence::signatures(&evidence::locate(&policy.evidence, signature)?)?;
    let Signature::Checksum { checksums, .. } = &source.signature else {
        // The same pass over the bytes for the pin and for the signatures: nobody can show
        // each of them a file of its own.
        let hashed = evidence::hash_file(fetched.path(), &signatures, Some(&source.digest))?;
        if hashed.digest != Some(source.digest) {
            return Err(Error::Changed {
                what: source.to_string(),
                path: fetched.path().to_owned(),
            });
        }
        return Ok(conclude(
            policy,
            rule,
            &signatures,
            &hashed.contexts,
            Beside::Pin,
        ));
    };
    let path = evidence::locate(&policy.evidence, checksums)?;
    let list = evidence::list(&path)?;
    let hashed = evidence::hash_bytes(&list, &signatures);
    let verdict = conclude(policy, rule, &signatures, &hashed.contexts, Beside::Pin);
    if verdict.accepted() {
        checksums::require(&path, &list, &source.file, &source.digest)?;
    }
    Ok(verdict)
}
