//! Who says the same as the record: distinct people, each by a good signature.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use fs_err::File;

use super::sign::FOLDER;
use super::{Error, Statement};
use crate::compare::{Comparison, ComparisonVerdict, Stage};
use crate::verify::{self, Status, TrustPolicy, Verdict, judge_bytes};

/// The most bytes of a statement or of its signatures; a statement has about 4 kB.
const LIMIT: u64 = 256 << 10;

/// All that was stated about a release, put beside its record.
#[derive(Debug)]
pub struct Quorum {
    release: String,
    attestations: Vec<Attestation>,
}

/// One file in the folder of a release.
#[derive(Debug)]
pub struct Attestation {
    /// The file, below the repository's root.
    pub path: PathBuf,
    /// Who signed it; none, if it has no signature.
    pub verdict: Option<Result<Verdict, verify::Error>>,
    /// What it says.
    pub says: Says,
}

/// What somebody states.
#[derive(Debug)]
pub enum Says {
    /// Nothing: no pinned attester's good signature is on it, and so it was not read.
    Nothing,
    /// Something that cannot be understood.
    Unreadable(Error),
    /// Something about this other release.
    OtherRelease(String),
    /// Something about outputs that its signer had in a cache, and did not build from sources.
    FromCache,
    /// How it compares with the record.
    Stated(Comparison),
}

impl Says {
    /// Whether everything that the build gave is as recorded. What went in and differs shows in
    /// the comparison; if the same came out, it does not matter.
    pub fn agrees(&self) -> bool {
        let Self::Stated(comparison) = self else {
            return false;
        };
        let outputs = comparison
            .items
            .iter()
            .filter(|it| it.stage >= Stage::Component);
        outputs
            .into_iter()
            .all(|it| it.verdict == ComparisonVerdict::Same)
    }
}

impl Attestation {
    /// The people whose signature on it is good.
    pub fn signers(&self) -> impl Iterator<Item = &str> {
        let findings = self.verdict.iter().flatten().flat_map(Verdict::signatures);
        let good = findings.filter(|finding| finding.counts);
        good.filter_map(|finding| finding.signer.as_deref())
    }

    /// What is wrong with a signature on it, if that must not be passed over: that is all but
    /// unknown signers and keys that are out of date.
    pub fn broken(&self) -> Option<String> {
        match self.verdict.as_ref()? {
            Err(error) => Some(error.to_string()),
            Ok(verdict) => {
                let mut findings = verdict.signatures().iter();
                let broken = |status| matches!(status, Status::Bad | Status::Revoked);
                let finding = findings.find(|finding| broken(finding.status))?;
                let signer = finding.signer.as_deref().unwrap_or("somebody");
                Some(format!("signature by {signer}: {finding}"))
            }
        }
    }
}

impl Quorum {
    /// Reads what is stated below `root` about the release that `expected` is about.
    pub fn read(root: &Path, attesters: &TrustPolicy, expected: &Statement) -> Result<Self, Error> {
        let release = expected.release();
        let folder = Path::new(FOLDER).join(&release);
        let mut names = Vec::new();
        match fs_err::read_dir(root.join(&folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
            Ok(entries) => {
                for entry in entries {
                    let name = entry?.file_name();
                    let name = Path::new(&name);
                    if name
                        .extension()
                        .is_some_and(|extension| extension == "json")
                    {
                        names.push(folder.join(name));
                    }
                }
            }
        }
        names.sort();
        let one = |path| attestation(root, path, attesters, expected);
        Ok(Self {
            release,
            attestations: names.into_iter().map(one).collect::<Result<_, _>>()?,
        })
    }

    /// One entry a file, sorted by name.
    pub fn attestations(&self) -> &[Attestation] {
        &self.attestations
    }

    /// The people who agree with the record, sorted; each once, however many keys and files
    /// they have. One who also states something else agrees with nobody.
    pub fn agree(&self) -> Vec<String> {
        let of = |agrees: bool| {
            let about = |it: &&Attestation| matches!(it.says, Says::Stated(_));
            let files = self.attestations.iter().filter(about);
            let files = files.filter(move |it| it.says.agrees() == agrees);
            files.flat_map(Attestation::signers)
        };
        let mut people: Vec<String> = of(true)
            .filter(|name| !of(false).any(|other| other == *name))
            .map(str::to_owned)
            .collect();
        people.sort();
        people.dedup();
        people
    }

    /// Those who agree, if they are `needed` at least and no signature is broken.
    pub fn require(&self, needed: usize) -> Result<Vec<String>, Error> {
        for attestation in &self.attestations {
            if let Some(why) = attestation.broken() {
                let path = attestation.path.clone();
                return Err(Error::Broken { path, why });
            }
        }
        let agree = self.agree();
        if agree.len() < needed {
            let release = self.release.clone();
            return Err(Error::TooFew {
                agree,
                needed,
                release,
            });
        }
        Ok(agree)
    }
}

fn attestation(
    root: &Path,
    path: PathBuf,
    attesters: &TrustPolicy,
    expected: &Statement,
) -> Result<Attestation, Error> {
    let bytes = read(&root.join(&path))?;
    let mut beside = path.clone().into_os_string();
    beside.push(".asc");
    let beside = PathBuf::from(beside);
    let verdict = match read(&root.join(&beside)) {
        Ok(signature) => Some(judge_bytes(attesters, &bytes, &beside, signature)),
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let mut attestation = Attestation {
        path,
        verdict,
        says: Says::Nothing,
    };
    // The bytes of those who do not count are not even parsed.
    if attestation.signers().next().is_some() {
        attestation.says = match Statement::parse(&attestation.path, &bytes) {
            Err(error) => Says::Unreadable(error),
            Ok(it) if it.release() != expected.release() => Says::OtherRelease(it.release()),
            Ok(it) if it.from_cache() => Says::FromCache,
            Ok(it) => Says::Stated(Statement::compare(expected, &it)),
        };
    }
    Ok(attestation)
}

/// The bytes of a plain file: a link may lead anywhere, and a FIFO to waiting for ever.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let wrong = |problem: String| Error::Statement {
        path: path.to_owned(),
        problem,
    };
    if !fs_err::symlink_metadata(path)?.is_file() {
        return Err(wrong("expected a plain file".to_owned()));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT {
        return Err(wrong(format!("larger than {LIMIT} bytes")));
    }
    Ok(bytes)
}
