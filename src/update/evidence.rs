//! Evidence that upstream was asked for, to be committed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Error;
use crate::base::progress::Progress;
use crate::base::replace;
use crate::fetch;
use crate::pins::{Manifest, Rung, Signature, Source};
use crate::verify::{self, TrustPolicy};

/// What was found for one source.
#[derive(Debug)]
pub struct Found {
    /// The source.
    pub source: Arc<Source>,
    /// The names of the files that are in `keys/evidence/` now.
    pub files: Vec<String>,
    /// What vouches for it with them; nothing new, if none were found.
    pub rung: Option<Rung>,
    /// Why nothing was found, or not all.
    pub silent: Vec<String>,
}

/// The files of evidence that the manifest names for `source`, may be asked for and are not in
/// `keys/evidence/` of `project`.
pub fn lacking(project: &Path, source: &Source) -> Vec<String> {
    let folder = project.join("keys/evidence");
    let names = source.evidence_files().into_iter();
    let absent = names.filter(|name| source.may_be_asked_for(name) && !folder.join(name).exists());
    absent.map(str::to_owned).collect()
}

/// Asks upstream for what of the evidence of `wanted` is not in `keys/evidence/` of `project`, and
/// writes there what verifies; a better rung is written to `sources.toml`. Returns what was found
/// and which files were written: all of them, or none.
///
/// # Errors
/// When what was sent is not what it should be; nothing is written then.
pub fn evidence(
    project: &Path,
    wanted: &[Arc<Source>],
    options: &fetch::Options,
    progress: &dyn Progress,
) -> Result<(Vec<Found>, Vec<PathBuf>), Error> {
    let folder = tempfile::tempdir_in(options.cache.directory("evidence")?)?;
    let policy = TrustPolicy::load(&project.join("keys"))?;
    let asked = verify::ask(
        &policy,
        wanted,
        folder.path(),
        true,
        options.patience,
        progress,
    )?;
    let policy = policy.with_asked(folder.path());
    let manifest = project.join("sources.toml");
    let before = fs_err::read_to_string(&manifest)?;
    let mut text = before.clone();
    let (mut all, mut written) = (Vec::new(), Vec::new());
    for asked in asked {
        let source = asked.source;
        let mut found = Found {
            files: Vec::new(),
            rung: None,
            silent: asked.silent,
            source,
        };
        let rung = match reached(&policy, &found.source, &asked.kept, options, progress)? {
            Ok(rung) => rung,
            Err(why) => {
                found.silent.push(why);
                all.push(found);
                continue;
            }
        };
        for path in &asked.kept {
            let name = path.file_name().unwrap_or_default();
            let place = project.join("keys/evidence").join(name);
            written.push((place, fs_err::read(path)?));
            found.files.push(name.to_string_lossy().into_owned());
        }
        found.rung = (!asked.kept.is_empty()).then_some(rung);
        if rung > found.source.evidence.rung {
            text = Manifest::raised(&text, &manifest, &found.source, rung)?;
        }
        all.push(found);
    }
    if text != before {
        // Last: until it is there, less is demanded than there is.
        written.push((manifest, text.into_bytes()));
    }
    Ok((all, replace::all(&written)?))
}

/// The rung that `source` reaches with the files `kept`, or why that cannot be said.
fn reached(
    policy: &TrustPolicy,
    source: &Arc<Source>,
    kept: &[PathBuf],
    options: &fetch::Options,
    progress: &dyn Progress,
) -> Result<Result<Rung, String>, Error> {
    if kept.is_empty() {
        return Ok(Ok(source.evidence.rung));
    }
    let of_list = |path: &PathBuf| match &source.signature {
        Signature::Checksum { signature, .. } => path.ends_with(signature),
        Signature::None | Signature::Detached { .. } => false,
    };
    // A signed list of checksums was held against the pin already; the rest needs the file.
    if source.evidence.tag.is_none() && kept.iter().any(of_list) {
        return Ok(Ok(Rung::Upstream));
    }
    let fetched = match fetch::fetch(&[Arc::clone(source)], options, progress) {
        Ok(mut fetched) => fetched.remove(0),
        Err(error) => {
            let why = error.to_string().replace('\n', " ");
            return Ok(Err(format!("found, but not kept without the file: {why}")));
        }
    };
    Ok(Ok(verify::verify(policy, fetched)?.verdict().rung()))
}
