//! Keeping current: what upstream has released since the pins were written, verified, and the
//! pins for it.
//!
//! Upstream's list is only looked at; what is on it counts for nothing until it is signed by
//! those whom `keys/trust.toml` names, under its own file name. Nothing in the project is
//! changed before all of it is, and then all at once.

mod changelog;
mod error;
mod evidence;
mod list;
mod series;
mod version;
mod vulnerable;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use reqwest::Url;
use reqwest::header::HeaderMap;

pub use self::changelog::Changes;
pub use self::error::Error;
pub use self::evidence::{Found, evidence, lacking};
pub use self::series::{EndOfLife, end_of_life, vulnerabilities};
pub use self::version::{Series, Version};
pub use self::vulnerable::Vulnerability;
use crate::base::progress::Progress;
use crate::base::replace;
use crate::fetch::{self, Http};
use crate::pins::{Evidence, Manifest, Origin, Rung, Signature, Size, Source};
use crate::unpack;
use crate::verify::{self, TrustPolicy, Verdict, Verified};

/// What the component is called.
const TOR: &str = "tor";

/// The most bytes of the list of releases; today's has some 60 kB.
const LONGEST_LIST: u64 = 4 << 20;

/// How many of the newest versions on the list are tried: the list is not signed, and a name on
/// it that nobody signed must not hide the release below.
const TRIED: usize = 8;

/// The most bytes of a signed checksum or its signature; they have some hundreds.
const LONGEST_EVIDENCE: u64 = 64 << 10;

/// The most bytes of a tarball; today's have 11 MB.
const LARGEST: u64 = 20_000_000;

/// How the pins stand beside what upstream lists.
#[derive(Debug)]
pub struct Outlook {
    /// The version that is built when none is asked for.
    pub pinned: Version,
    /// The newest version that upstream lists, if it is a newer one.
    pub newer: Option<Newer>,
}

/// A newer release, here and verified.
#[derive(Debug)]
pub struct Newer {
    /// The release.
    pub version: Version,
    /// Its pin.
    pub source: Source,
    /// Who signed it.
    pub verdict: Verdict,
    /// What upstream says of it and of each release since the pinned one, newest first.
    pub changes: Vec<Changes>,
    /// What goes into `keys/evidence/`, by name.
    evidence: Vec<(String, Vec<u8>)>,
}

/// Upstream's folder of releases, as the pins name it.
///
/// # Errors
/// When the manifest is wrong, or names none.
pub fn upstream(project: &Path) -> Result<Url, Error> {
    let pin = manifest(project)?.get(TOR, None)?;
    let folder = |origin: &Origin| match origin {
        Origin::Https(address) => Url::parse(address).ok()?.join(".").ok(),
        _ => None,
    };
    let found = pin.origins.iter().find_map(folder);
    found.ok_or_else(|| Error::NoUpstream {
        version: pin.version.clone(),
    })
}

/// Looks for a newer tor in the folder `upstream`; if there is one, brings it here and
/// verifies it. Nothing in `project` is changed.
///
/// # Errors
/// When the list or a file cannot be had, is not what it should be, or is not signed by
/// those whose signatures are demanded.
pub fn look(
    project: &Path,
    upstream: &Url,
    options: &fetch::Options,
    progress: &dyn Progress,
) -> Result<Outlook, Error> {
    let manifest = manifest(project)?;
    let pin = manifest.get(TOR, None)?;
    let pinned: Version = pin.version.parse().map_err(|()| Error::NoVersion {
        version: pin.version.clone(),
    })?;
    let all = manifest.sources().filter(|source| source.name == TOR);
    let last = all.filter_map(|source| source.version.parse().ok()).max();
    let upstream = Upstream {
        folder: upstream,
        http: Http::new(options.patience),
    };
    let mut first = None;
    let listed = upstream.listed(last.unwrap_or(pinned))?;
    for version in listed.into_iter().rev().take(TRIED) {
        if version <= pinned {
            break;
        }
        progress.note(&format!("tor {version} is listed, {pinned} is pinned"));
        let known = manifest.get(TOR, Some(&version.to_string())).ok();
        let wanted = Wanted {
            version,
            known: known.as_deref(),
            pin: &pin,
            keys: &project.join("keys"),
        };
        match wanted.bring(&upstream, options, progress) {
            Ok(newer) => {
                return Ok(Outlook {
                    pinned,
                    newer: Some(newer),
                });
            }
            // Nothing of it is signed: anybody who can write the list can have put it there.
            Err(error @ (Error::Untrusted { .. } | Error::Unreadable { .. })) => {
                progress.note(&format!("tor {version} is skipped: {error}"));
                first.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    match first {
        Some(error) => Err(error),
        None => Ok(Outlook {
            pinned,
            newer: None,
        }),
    }
}

fn manifest(project: &Path) -> Result<Manifest, Error> {
    Ok(Manifest::load(&project.join("sources.toml"))?)
}

/// The folder of releases.
struct Upstream<'a> {
    folder: &'a Url,
    http: Http,
}

impl Upstream<'_> {
    fn address(&self, name: &str) -> Result<Url, Error> {
        let joined = self.folder.join(name);
        joined.map_err(|error| Error::Unreadable {
            address: format!("{}{name}", self.folder),
            reason: fetch::Reason::Unavailable(error.to_string()),
        })
    }

    fn read(&self, name: &str, longest: u64) -> Result<Vec<u8>, Error> {
        let address = self.address(name)?;
        let page = self.http.page(&address, &HeaderMap::new(), longest);
        let page = page.map_err(|reason| Error::Unreadable {
            address: address.to_string(),
            reason,
        })?;
        Ok(page.1)
    }

    /// The releases on the list, sorted; it must not end before `last`.
    fn listed(&self, last: Version) -> Result<Vec<Version>, Error> {
        let page = self.read("", LONGEST_LIST)?;
        let versions = list::versions(&String::from_utf8_lossy(&page));
        let address = self.folder.to_string();
        match versions.last() {
            None => Err(Error::NotAList { address }),
            Some(&newest) if newest < last => Err(Error::Downgrade {
                address,
                newest,
                pinned: last,
            }),
            Some(_) => Ok(versions),
        }
    }
}

/// The release that is to be brought here.
struct Wanted<'a> {
    version: Version,
    /// What is pinned for it already.
    known: Option<&'a Source>,
    /// The pin that the new one is to be like.
    pin: &'a Source,
    keys: &'a Path,
}

impl Wanted<'_> {
    fn bring(
        &self,
        upstream: &Upstream<'_>,
        options: &fetch::Options,
        progress: &dyn Progress,
    ) -> Result<Newer, Error> {
        let file = list::tarball(self.version);
        let address = upstream.address(&file)?.to_string();
        let untrusted = |source: verify::Error| Error::Untrusted {
            version: self.version,
            address: address.clone(),
            source: Box::new(source),
        };
        // Beside the downloads: a folder that only this user can write to.
        let staging = tempfile::tempdir_in(options.cache.directory("update")?)?;
        let [checksums, signature] =
            [".sha256sum", ".sha256sum.asc"].map(|ending| format!("{file}{ending}"));
        let mut evidence = Vec::new();
        for name in [&checksums, &signature] {
            let bytes = upstream.read(name, LONGEST_EVIDENCE)?;
            fs_err::write(staging.path().join(name), &bytes)?;
            evidence.push((name.clone(), bytes));
        }
        let policy = TrustPolicy::load(self.keys)?.with_evidence(staging.path());
        // Who signed the list is asked before the tarball is.
        let digest =
            verify::listed(&policy, &checksums, &signature, TOR, &file).map_err(untrusted)?;
        if let Some(known) = self.known.filter(|known| known.digest != digest) {
            return Err(Error::Changed {
                version: self.version,
                address,
                pinned: Box::new(known.digest),
                listed: Box::new(digest),
            });
        }
        let mut source = Source {
            version: self.version.to_string(),
            digest,
            size: Size::AtMost(LARGEST),
            signature: Signature::Checksum {
                checksums,
                signature,
            },
            evidence: Evidence {
                rung: Rung::Upstream,
                ..Evidence::default()
            },
            origins: vec![Origin::Https(address.clone())],
            file,
            ..self.pin.clone()
        };
        let mut fetched = fetch::fetch(&[Arc::new(source.clone())], options, progress)?;
        let verified = verify::verify(&policy, fetched.remove(0)).map_err(untrusted)?;
        source.size = Size::Exactly(fs_err::metadata(verified.path())?.len());
        source.released = signed(verified.verdict());
        source.origins = self.origins()?;
        Ok(Newer {
            version: self.version,
            changes: self.changes(&verified, &staging.path().join("tree"))?,
            verdict: verified.verdict().clone(),
            source,
            evidence,
        })
    }

    /// The pin's origins, for the new version.
    fn origins(&self) -> Result<Vec<Origin>, Error> {
        let version = self.version.to_string();
        let renamed = |origin: &Origin| {
            let origin = origin.to_string().replace(&self.pin.version, &version);
            origin.parse().map_err(|_| Error::NotEdited {
                version: self.version,
            })
        };
        self.pin.origins.iter().map(renamed).collect()
    }

    /// What the verified tarball says of the releases since the pinned one.
    fn changes(&self, verified: &Verified, dest: &Path) -> Result<Vec<Changes>, Error> {
        let only = |path: &Path| path.ends_with("ChangeLog");
        let tree = unpack::unpack(verified, 0, dest, &only)?;
        let text = fs_err::read(tree.root().join("ChangeLog"))?;
        let mut changes = changelog::read(&String::from_utf8_lossy(&text));
        let pinned: Option<Version> = self.pin.version.parse().ok();
        changes.retain(|part| Some(part.version) > pinned && part.version <= self.version);
        Ok(changes)
    }
}

/// When the first of those who count signed it, in seconds since 1970.
fn signed(verdict: &Verdict) -> Option<u64> {
    let counting = verdict.signatures().iter().filter(|finding| finding.counts);
    let first = counting.filter_map(|finding| finding.made).min()?;
    Some(first.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

impl Newer {
    /// Pins the release in `project`, as the default version of tor: its table in
    /// `sources.toml`, and upstream's signature in `keys/evidence/`. Returns what was written;
    /// if anything fails, nothing is.
    ///
    /// # Errors
    /// When the manifest cannot be edited, or a file not be written.
    pub fn pin(&self, project: &Path) -> Result<Vec<PathBuf>, Error> {
        let path = project.join("sources.toml");
        // Read again: whoever edited it meanwhile keeps what they wrote.
        let text = Manifest::pinned(&fs_err::read_to_string(&path)?, &path, &self.source)?;
        let written = Manifest::parse(&text, &path)?.get(TOR, None)?;
        if *written != self.source {
            return Err(Error::NotEdited {
                version: self.version,
            });
        }
        let folder = project.join("keys/evidence");
        let evidence = self.evidence.iter();
        let mut files: Vec<(PathBuf, Vec<u8>)> = evidence
            .map(|(name, bytes)| (folder.join(name), bytes.clone()))
            .collect();
        // Last: until it is there, nothing refers to the others.
        files.push((path, text.into_bytes()));
        Ok(replace::all(&files)?)
    }
}
