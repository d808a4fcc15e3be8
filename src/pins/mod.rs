//! The manifest, `sources.toml`: every input, pinned.
//!
//! `version = 1`, then one `[[source]]` table for each input, sorted by name, version
//! and machine:
//!
//! | field | what it holds |
//! |---|---|
//! | `name` | the component, in lower case |
//! | `version` | upstream's version |
//! | `machine` | for what runs: the machine, in the words of `uname -m` |
//! | `default` | `true` at one of several versions of a name |
//! | `file` | upstream's file name |
//! | `sha256` or `sha512` | the digest of the file in lower-case hexadecimal digits |
//! | `size` or `max-size` | its size in bytes, or a limit where nobody had it |
//! | `max-unpacked` | the most bytes it may unpack to |
//! | `released` | when upstream released it, in UTC; for tor it is `SOURCE_DATE_EPOCH` |
//! | `license` | an SPDX expression |
//! | `signature` | `none`, or the signature's file under `keys/evidence/` |
//! | `checksums` | the file there that is signed instead of `file`, and names it |
//! | `dsc` | a Debian developer's signed `.dsc` there that lists `file` |
//! | `tag` | the objects of upstream's signed git tag there, as `git cat-file --batch` prints them |
//! | `tag-name` | the name of that tag |
//! | `tag-origins` | upstream's git repositories, `https://…`, to ask for these objects |
//! | `tag-lacks` | files that are not in the tag's tree and are generated: they are left out of what is unpacked |
//! | `twin` | the name of another pin of the same version and machine: another publisher's file with the same in it |
//! | `rung` | the evidence that was reached once, of which less is an error: `upstream`, `tag`, `debian`, `publishers` or `digest` |
//! | `evidence-origins` | folders to ask, `https://…/`, for evidence that is not there |
//! | `patches` | files under `patches/<name>/`, in the order to apply them |
//! | `origins` | where it may be found, in the order to try; see [`Origin`] |

pub mod debian;
mod edit;
mod error;
mod origin;
mod parse;
mod pinned;
mod rung;
mod source;

use std::path::Path;
use std::sync::Arc;

pub use error::Error;
pub use origin::{Origin, ParseOriginError};
pub use rung::Rung;
pub use source::{Evidence, Signature, Size, Source, Tag, Twin};

use self::pinned::Pinned;

/// What stands for the newest pinned version of a name.
pub const LATEST: &str = "latest";

/// The pinned sources, sorted by name, version and machine.
#[derive(Debug, Clone)]
pub struct Manifest {
    sources: Vec<Pinned>,
    machine: String,
}

impl Manifest {
    /// Reads and checks the manifest at `path`.
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::parse(&fs_err::read_to_string(path)?, path)
    }

    /// Checks the text of a manifest; `path` is for messages only.
    ///
    /// Fails with all findings at once, unless the text is not even TOML of the right shape.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        Ok(Self {
            sources: parse::sources(text, path)?,
            machine: std::env::consts::ARCH.to_owned(),
        })
    }

    /// The `text` of the manifest at `path` with `source` pinned in it as the default version
    /// of its name; every line on something else stays as it is.
    ///
    /// # Errors
    /// When the text is no manifest, or would be none then.
    pub fn pinned(text: &str, path: &Path, source: &Source) -> Result<String, Error> {
        let pinned = edit::pinned(text, path, source)?;
        Self::parse(&pinned, path).map(|_| pinned)
    }

    /// The `text` of the manifest at `path` with `rung` as what `source` has reached; every other
    /// line stays as it is.
    ///
    /// # Errors
    /// When the text is no manifest, or would be none then.
    pub fn raised(text: &str, path: &Path, source: &Source, rung: Rung) -> Result<String, Error> {
        let raised = edit::raised(text, path, source, rung)?;
        Self::parse(&raised, path).map(|_| raised)
    }

    /// The same pins, as a machine of another kind would choose among them: `x86_64`
    /// or `aarch64`.
    pub fn on(mut self, machine: &str) -> Self {
        machine.clone_into(&mut self.machine);
        self
    }

    /// All sources, for all machines.
    pub fn sources(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.sources.iter().map(|pinned| &pinned.source)
    }

    /// The names of all sources, each once.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.sources().map(|source| &*source.name).collect();
        names.dedup();
        names
    }

    /// The source of that name for this machine, in `version` or in the default one; `latest`
    /// is the newest that is pinned.
    pub fn get(&self, name: &str, version: Option<&str>) -> Result<Arc<Source>, Error> {
        let named: Vec<&Pinned> = self.named(name).collect();
        if named.is_empty() {
            return Err(Error::NotPinned {
                name: name.to_owned(),
                known: self.names().into_iter().map(str::to_owned).collect(),
            });
        }
        let unmarked = named.iter().all(|pinned| !pinned.default);
        // They are sorted.
        let newest = named.last().map(|pinned| pinned.source.version.clone());
        let version = match version {
            Some(LATEST) => newest.as_deref(),
            other => other,
        };
        let wanted = |pinned: &&&Pinned| match version {
            Some(version) => pinned.source.version == version,
            None => pinned.default || unmarked,
        };
        let versions: Vec<&&Pinned> = named.iter().filter(wanted).collect();
        let Some(first) = versions.first() else {
            return Err(Error::VersionNotPinned {
                name: name.to_owned(),
                version: version.unwrap_or("default").to_owned(),
                pinned: listed(&named),
            });
        };
        let runs = |pinned: &&&&Pinned| {
            let machine = pinned.source.machine.as_deref();
            machine.is_none_or(|machine| machine == self.machine)
        };
        match versions.iter().find(runs) {
            Some(found) => Ok(Arc::clone(&found.source)),
            None => Err(Error::MachineNotPinned {
                name: name.to_owned(),
                version: first.source.version.clone(),
                machine: self.machine.clone(),
                pinned: versions
                    .iter()
                    .filter_map(|pinned| pinned.source.machine.clone())
                    .collect(),
            }),
        }
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Pinned> {
        self.sources.iter().filter(move |p| p.source.name == name)
    }
}

/// The versions for a message, each once, the default one marked if there are several.
fn listed(named: &[&Pinned]) -> Vec<String> {
    let mut versions: Vec<(&str, bool)> = named
        .iter()
        .map(|pinned| (pinned.source.version.as_str(), pinned.default))
        .collect();
    versions.dedup();
    let several = versions.len() > 1;
    let marked = |(version, default): &(&str, bool)| match several && *default {
        true => format!("{version} (default)"),
        false => (*version).to_owned(),
    };
    versions.iter().map(marked).collect()
}
