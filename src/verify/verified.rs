//! The verdict on a source, and what passes it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cleartext::Cleartext;
use super::git::{Id, Objects};
use super::judge::{Beside, conclude, judge};
use super::policy::{Rule, TrustPolicy};
use super::verdict::Verdict;
use super::{Error, checksums, dsc, evidence, tag};
use crate::base::digest::Digest;
use crate::fetch::Fetched;
use crate::pins::{Rung, Signature, Source};

/// A source that passed the trust policy: the only one that is ever unpacked. Only
/// `verify` makes it.
#[derive(Debug, Clone)]
pub struct Verified {
    fetched: Fetched,
    verdict: Verdict,
    /// The files of upstream's signed tag, if that vouches for it.
    tagged: Option<Arc<BTreeMap<String, Id>>>,
}

impl Verified {
    /// The source, if `verdict` accepts it; there is no other way to make a `Verified`.
    pub(super) fn new(fetched: Fetched, verdict: Verdict, tagged: Tagged) -> Result<Self, Error> {
        Ok(Self {
            verdict: verdict.require(fetched.source())?,
            fetched,
            tagged: tagged.map(Arc::new),
        })
    }

    /// The pin.
    pub fn source(&self) -> &Arc<Source> {
        self.fetched.source()
    }

    /// The file that holds the bytes.
    pub fn path(&self) -> &Path {
        self.fetched.path()
    }

    /// The files of upstream's signed tag with the names of their blobs, if it vouches for the
    /// source: what is unpacked has to be these, whoever reads the archive.
    pub(crate) fn tagged(&self) -> Option<&BTreeMap<String, [u8; 20]>> {
        self.tagged.as_deref()
    }

    /// Who signed what.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

/// Puts the policy to a source whose bytes match their pin, with the evidence that the
/// manifest names for it.
pub fn verify(policy: &TrustPolicy, fetched: Fetched) -> Result<Verified, Error> {
    let mut tagged = None;
    let verdict = examine(policy, &fetched, &mut tagged)?;
    Verified::new(fetched, verdict, tagged)
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

/// Looks for one kind of evidence.
type Seek<'a> = dyn FnMut(&TrustPolicy, &Rule, &Fetched) -> Result<Sought, Error> + 'a;

/// What the files of a signed tag are, where one is found.
pub(super) type Tagged = Option<BTreeMap<String, Id>>;

fn examine(policy: &TrustPolicy, fetched: &Fetched, tagged: &mut Tagged) -> Result<Verdict, Error> {
    let source = fetched.source();
    let rule = policy.rule(&source.name)?;
    let mut best: Option<Verdict> = None;
    let (mut missing, mut named) = (Vec::new(), false);
    let mut by_tag = |policy: &TrustPolicy, rule: &Rule, fetched: &Fetched| {
        by_tag(policy, rule, fetched, tagged)
    };
    let kinds: [&mut Seek<'_>; 4] = [
        &mut by_upstream,
        &mut by_tag,
        &mut by_developer,
        &mut by_publishers,
    ];
    for evidence in kinds {
        match evidence(policy, rule, fetched)? {
            Sought::NotNamed => continue,
            Sought::Missing(file) => missing.push(file),
            // What is named must be good, whatever else there is.
            Sought::Found(verdict) if !verdict.accepted() => return Ok(verdict),
            Sought::Found(verdict) => {
                best = Some(match best {
                    Some(better) => better.and(verdict),
                    None => verdict,
                });
            }
        }
        named = true;
    }
    let verdict = match (best, &rule.digest_only) {
        (Some(verdict), _) => verdict,
        (None, Some(why)) => Verdict::digest_only(why),
        (None, None) if named => return Err(fell(source, Rung::Digest, &missing)),
        (None, None) => {
            return Err(Error::Unsigned {
                what: source.to_string(),
                policy: policy.file(),
            });
        }
    };
    if verdict.rung() < source.evidence.rung {
        return Err(fell(source, verdict.rung(), &missing));
    }
    Ok(verdict)
}

fn fell(source: &Source, now: Rung, missing: &[String]) -> Error {
    Error::RungFell {
        what: source.to_string(),
        was: source.evidence.rung,
        now,
        missing: missing.to_vec(),
    }
}

/// What came of looking for one kind of evidence.
enum Sought {
    /// The manifest names none.
    NotNamed,
    /// The manifest says where to ask for it, and it is not here: the name of a file.
    Missing(String),
    /// It is here, and this is what it says.
    Found(Verdict),
}

/// A file of evidence: where it is, or that it has to be asked for.
fn find(policy: &TrustPolicy, source: &Source, name: &str) -> Result<Option<PathBuf>, Error> {
    let committed = evidence::locate(&policy.evidence, name)?;
    if committed.exists() || !source.may_be_asked_for(name) {
        return Ok(Some(committed));
    }
    let asked = policy.asked.as_ref().map(|folder| folder.join(name));
    Ok(asked.filter(|path| path.exists()))
}

/// By upstream's signature over the file, or over a list of checksums.
fn by_upstream(policy: &TrustPolicy, rule: &Rule, fetched: &Fetched) -> Result<Sought, Error> {
    let source = fetched.source();
    let (checksums, signature) = match &source.signature {
        Signature::None => return Ok(Sought::NotNamed),
        Signature::Detached { signature } => (None, signature),
        Signature::Checksum {
            checksums,
            signature,
        } => (Some(checksums), signature),
    };
    signed_by_somebody(policy, source, &rule.signers)?;
    let Some(path) = find(policy, source, signature)? else {
        return Ok(Sought::Missing(signature.clone()));
    };
    let signatures = evidence::signatures(&path)?;
    let Some(checksums) = checksums else {
        // The same pass over the bytes for the pin and for the signatures: nobody can show
        // each of them a file of its own.
        let hashed = evidence::hash_file(fetched.path(), &signatures, Some(&source.digest))?;
        if hashed.digest != Some(source.digest) {
            return Err(changed(fetched));
        }
        let verdict = conclude(policy, rule, &signatures, &hashed.contexts, Beside::Pin);
        return Ok(Sought::Found(verdict));
    };
    let Some(path) = find(policy, source, checksums)? else {
        return Ok(Sought::Missing(checksums.clone()));
    };
    let list = evidence::list(&path)?;
    let hashed = evidence::hash_bytes(&list, &signatures);
    let verdict = conclude(policy, rule, &signatures, &hashed.contexts, Beside::Pin);
    if verdict.accepted() {
        checksums::require(&path, &list, &source.file, &source.digest)?;
    }
    Ok(Sought::Found(verdict))
}

/// By upstream's signed git tag, whose tree has every file of the archive.
fn by_tag(
    policy: &TrustPolicy,
    rule: &Rule,
    fetched: &Fetched,
    tagged: &mut Tagged,
) -> Result<Sought, Error> {
    let source = fetched.source();
    let Some(named) = &source.evidence.tag else {
        return Ok(Sought::NotNamed);
    };
    signed_by_somebody(policy, source, &rule.signers)?;
    let Some(path) = find(policy, source, &named.objects)? else {
        return Ok(Sought::Missing(named.objects.clone()));
    };
    let bytes = tag::read(&path)?;
    let objects = Objects::parse(&path, &bytes)?;
    let verdict = tag::judge(policy, rule, &path, &objects, &named.name)?;
    if verdict.accepted() {
        let files = objects.files()?;
        tag::require(&files, source, &named.generated, fetched.path())?;
        *tagged = Some(files);
        // The file that was read is the one that is pinned.
        let again = evidence::hash_file(fetched.path(), &[], Some(&source.digest))?;
        if again.digest != Some(source.digest) {
            return Err(changed(fetched));
        }
    }
    Ok(Sought::Found(verdict))
}

/// By a Debian developer's `.dsc`, which lists the very file.
fn by_developer(policy: &TrustPolicy, rule: &Rule, fetched: &Fetched) -> Result<Sought, Error> {
    let source = fetched.source();
    let Some(name) = &source.evidence.dsc else {
        return Ok(Sought::NotNamed);
    };
    signed_by_somebody(policy, source, &rule.developers)?;
    let Some(path) = find(policy, source, name)? else {
        return Ok(Sought::Missing(name.clone()));
    };
    let text = Cleartext::parse(&path, &evidence::list(&path)?)?;
    let hashed = evidence::hash_bytes(&text.signed(), &text.signatures);
    let rule = Rule {
        signers: rule.developers.clone(),
        threshold: 1,
        ..rule.clone()
    };
    let verdict = conclude(
        policy,
        &rule,
        &text.signatures,
        &hashed.contexts,
        Beside::Pin,
    );
    if verdict.accepted() {
        dsc::require(&path, &text.lines, source)?;
    }
    Ok(Sought::Found(verdict.at(Rung::Debian)))
}

/// By another publisher's file with the same in it. Which files are the same was found out when
/// both were pinned, and is by `verify --sources`, which has both: a build has one of them.
fn by_publishers(_: &TrustPolicy, _: &Rule, fetched: &Fetched) -> Result<Sought, Error> {
    Ok(match &fetched.source().evidence.twin {
        None => Sought::NotNamed,
        Some(twin) => Sought::Found(Verdict::published(&twin.publishers)),
    })
}

fn signed_by_somebody(policy: &TrustPolicy, source: &Source, who: &[String]) -> Result<(), Error> {
    if who.is_empty() {
        return Err(Error::NoSigners {
            what: source.to_string(),
            policy: policy.file(),
        });
    }
    Ok(())
}

fn changed(fetched: &Fetched) -> Error {
    Error::Changed {
        what: fetched.source().to_string(),
        path: fetched.path().to_owned(),
    }
}
