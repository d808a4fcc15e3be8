//! Asking upstream for evidence that is not in this repository.
//!
//! What comes is kept only if it verifies. Whoever says nothing, or something that is no
//! signature at all, is passed over: a captive portal must not stop a build. A signature that
//! is bad, or somebody else's, is an error.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::Url;
use reqwest::header::HeaderMap;

use super::git::Objects;
use super::policy::TrustPolicy;
use super::{Error, checksums, evidence, git_host, judge, tag};
use crate::base::progress::Progress;
use crate::fetch::{Http, Patience};
use crate::pins::{Signature, Source};

/// The most bytes of an answer: signed checksums have some hundred.
const LONGEST: u64 = 64 << 10;

/// How long nobody is asked again after nobody had an answer.
const PAUSE: Duration = Duration::from_secs(86_400);

/// What became of asking for a source's evidence.
#[derive(Debug)]
pub struct Asked {
    /// The source.
    pub source: Arc<Source>,
    /// The files that were kept, in the folder; empty if nobody had them.
    pub kept: Vec<PathBuf>,
    /// What each folder that was asked said instead.
    pub silent: Vec<String>,
}

/// Asks for the evidence of those of `wanted` that lack some, and keeps it in `folder`. Who had
/// no answer is not asked again for a day, unless `again`.
///
/// # Errors
/// When what was sent is a signature, but not the right one.
pub fn ask(
    policy: &TrustPolicy,
    wanted: &[Arc<Source>],
    folder: &Path,
    again: bool,
    patience: Patience,
    progress: &dyn Progress,
) -> Result<Vec<Asked>, Error> {
    let http = Http::new(patience);
    let lacking = |source: &&Arc<Source>| {
        let missing = missing(policy, source);
        let here = missing.iter().all(|name| folder.join(name).exists());
        let lately = !again && recent(&marker(folder, source));
        !missing.is_empty() && !here && !lately
    };
    let wanted: Vec<&Arc<Source>> = wanted.iter().filter(lacking).collect();
    // Side by side: where nobody answers, each takes as long as its patience.
    let all = std::thread::scope(|scope| {
        let http = &http;
        let begin = |source| scope.spawn(move || one(policy, source, folder, http));
        let threads: Vec<_> = wanted.into_iter().map(begin).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        let all: Vec<Result<Asked, Error>> = threads.into_iter().map(join).collect();
        all
    });
    let all: Vec<Asked> = all.into_iter().collect::<Result<_, _>>()?;
    for asked in &all {
        let source = &asked.source;
        if asked.kept.is_empty() {
            fs_err::write(marker(folder, source), b"")?;
            progress.note(&format!(
                "{source}: upstream's signature is missing and could not be fetched: {}",
                asked.silent.join("; ")
            ));
        } else {
            progress.note(&format!("{source}: upstream's signature was fetched"));
        }
    }
    Ok(all)
}

/// Removes from `folder` what was brought for `source`: it does not verify beside the file
/// itself, which was not here when it came. Whoever sent it may have something better next time.
///
/// # Errors
/// When it cannot be removed.
pub fn forget(source: &Source, folder: &Path) -> Result<(), Error> {
    for name in source.evidence_files() {
        let place = evidence::locate(folder, name)?;
        if place.exists() {
            fs_err::remove_file(place)?;
        }
    }
    Ok(())
}

/// That nobody had an answer.
fn marker(folder: &Path, source: &Source) -> PathBuf {
    folder.join(format!("{}.asked", source.file))
}

/// The names of upstream's evidence for `source` that is not committed and may be asked for.
fn missing(policy: &TrustPolicy, source: &Source) -> Vec<String> {
    let mut names = signature_files(source);
    names.extend(source.evidence.tag.as_ref().map(|tag| &tag.objects));
    let absent = |name: &&String| {
        source.may_be_asked_for(name) && !policy.evidence.join(name.as_str()).exists()
    };
    names.into_iter().filter(absent).cloned().collect()
}

fn signature_files(source: &Source) -> Vec<&String> {
    match &source.signature {
        Signature::None => Vec::new(),
        Signature::Detached { signature } => vec![signature],
        Signature::Checksum {
            checksums,
            signature,
        } => vec![checksums, signature],
    }
}

/// Whether it was written within the last day.
fn recent(marker: &Path) -> bool {
    let written = fs_err::metadata(marker).and_then(|it| it.modified()).ok();
    let age = written.and_then(|then| SystemTime::now().duration_since(then).ok());
    age.is_some_and(|age| age < PAUSE)
}

fn one(
    policy: &TrustPolicy,
    source: &Arc<Source>,
    folder: &Path,
    http: &Http,
) -> Result<Asked, Error> {
    let mut asked = Asked {
        source: Arc::clone(source),
        kept: Vec::new(),
        silent: Vec::new(),
    };
    let rule = policy.rule(&source.name)?;
    let absent = policy.without_certificate(&rule.signers);
    if rule.signers.len() - absent.len() < rule.threshold {
        // Nobody could tell whether what comes is right.
        let why = format!(
            "the certificate of {} is missing; `cargo xtask keys refresh` fetches it",
            absent.join(" and ")
        );
        asked.silent.push(why);
        return Ok(asked);
    }
    let missing = missing(policy, source);
    let signatures = signature_files(source);
    if missing.iter().any(|name| signatures.contains(&name)) {
        for origin in &source.evidence.origins {
            let staging = tempfile::tempdir_in(folder)?;
            let brought = brought(policy, source, origin, staging.path(), http)?;
            if asked.take(folder, staging.path(), origin, brought)? {
                break;
            }
        }
    }
    if let Some(tag) = &source.evidence.tag
        && missing.contains(&tag.objects)
    {
        for origin in &tag.origins {
            let staging = tempfile::tempdir_in(folder)?;
            let brought = tagged(policy, source, origin, staging.path())?;
            if asked.take(folder, staging.path(), origin, brought)? {
                break;
            }
        }
    }
    Ok(asked)
}

/// What one place had: the names of the files, or why it is of no use.
type Brought = Result<Vec<String>, String>;

impl Asked {
    /// Keeps what was brought, if anything was.
    fn take(
        &mut self,
        folder: &Path,
        staging: &Path,
        origin: &str,
        brought: Brought,
    ) -> Result<bool, Error> {
        match brought {
            Err(why) => {
                self.silent.push(format!("{origin}: {why}"));
                Ok(false)
            }
            Ok(names) => {
                for name in names {
                    let place = folder.join(&name);
                    fs_err::rename(staging.join(&name), &place)?;
                    self.kept.push(place);
                }
                Ok(true)
            }
        }
    }
}

/// Brings the objects of upstream's tag from one repository, signed as they must be. Whether its
/// files are those of the source is found out when the source is here.
fn tagged(
    policy: &TrustPolicy,
    source: &Source,
    origin: &str,
    staging: &Path,
) -> Result<Brought, Error> {
    let Some(named) = &source.evidence.tag else {
        return Ok(Ok(Vec::new()));
    };
    let scratch = tempfile::tempdir_in(staging)?;
    let bytes = match git_host::bring(origin, &named.name, scratch.path()) {
        Ok(bytes) => bytes,
        Err(why) => return Ok(Err(why)),
    };
    let place = evidence::locate(staging, &named.objects)?;
    fs_err::write(&place, &bytes)?;
    let objects = Objects::parse(&place, &bytes)?;
    objects.files()?;
    let verdict = tag::judge(
        policy,
        policy.rule(&source.name)?,
        &place,
        &objects,
        &named.name,
    )?;
    verdict.require(&format!("{source}: {origin}"))?;
    Ok(Ok(vec![named.objects.clone()]))
}

/// Brings upstream's signature from one folder.
fn brought(
    policy: &TrustPolicy,
    source: &Source,
    origin: &str,
    staging: &Path,
    http: &Http,
) -> Result<Brought, Error> {
    let mut names = missing(policy, source);
    let signatures = signature_files(source);
    names.retain(|name| signatures.contains(&name));
    for name in &names {
        let address = match Url::parse(origin).and_then(|base| base.join(name)) {
            Ok(address) => address,
            Err(error) => return Ok(Err(error.to_string())),
        };
        match http.page(&address, &HeaderMap::new(), LONGEST) {
            Ok((_, bytes)) => fs_err::write(staging.join(name), bytes)?,
            Err(reason) => return Ok(Err(reason.to_string())),
        }
    }
    let here = |name: &String| match names.contains(name) {
        true => staging.join(name),
        false => policy.evidence.join(name),
    };
    match &source.signature {
        Signature::Checksum {
            checksums,
            signature,
        } => {
            let (list, signature) = (here(checksums), here(signature));
            if let Err(error) = evidence::signatures(&signature) {
                return Ok(Err(error.to_string()));
            }
            let verdict = judge::judge(policy, &list, &signature, Some(&source.name))?;
            verdict.require(&format!("{source}: {origin}"))?;
            checksums::require(&list, &evidence::list(&list)?, &source.file, &source.digest)?;
        }
        // Whether it is over the file is found out when the file is here.
        Signature::Detached { signature } => {
            if let Err(error) = evidence::signatures(&here(signature)) {
                return Ok(Err(error.to_string()));
            }
        }
        Signature::None => {}
    }
    Ok(Ok(names))
}
