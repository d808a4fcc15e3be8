//! `toolchain-debian.toml`: packages of Debian that together are a compiler, each pinned, and
//! the index of the archive that names them.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::{Error, Evidence, Origin, Signature, Size, Source};
use crate::base::LineError;

/// The machine that all of them are for, in the words of `uname -m`.
const MACHINE: &str = "x86_64";

/// The version of the format that this code reads.
const FORMAT: u64 = 1;

/// The most bytes that a package of this kind unpacks to: LLVM's library has 150 MB.
const UNPACKED: u64 = 400_000_000;

/// Packages of Debian, with what shows that its archive has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packages {
    /// The version of the compiler, as Debian spells it.
    pub version: String,
    /// The signed list of the archive's indices: a file in `keys/evidence/`.
    pub release: String,
    /// The name of the index in that list.
    pub index_name: String,
    /// The index, which names every package with its digest.
    pub index: Arc<Source>,
    /// The packages.
    pub packages: Vec<Arc<Source>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u64,
    compiler: String,
    release: String,
    index: Index,
    package: Vec<Package>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    name: String,
    suite: String,
    size: u64,
    sha256: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Package {
    name: String,
    version: String,
    file: String,
    size: u64,
    sha256: String,
}

impl Packages {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or is not what it should be.
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::parse(&fs_err::read_to_string(path)?, path)
    }

    /// The same packages, if they run on a `machine` of that kind.
    ///
    /// # Errors
    /// [`Error::DebianForOther`] if not.
    pub fn on(self, machine: &str) -> Result<Self, Error> {
        match machine {
            MACHINE => Ok(self),
            _ => Err(Error::DebianForOther {
                version: self.version,
                pinned: MACHINE.to_owned(),
                machine: machine.to_owned(),
            }),
        }
    }

    /// Reads `text`; `path` is for messages only.
    ///
    /// # Errors
    /// When it is not what it should be.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let wrong = |at: usize, message: String| {
            let help = "see the head of the file and the packages beside it";
            Error::Manifest(vec![LineError::at(path, text, at, message, help)])
        };
        let document: Document = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            wrong(at, error.message().to_owned())
        })?;
        if document.version != FORMAT {
            let message = format!("format version {} is not supported", document.version);
            return Err(wrong(0, message));
        }
        let source = |name: &str, version: &str, file: &str, size, sha256: &str, place: &str| {
            let place = format!("debian:{place}");
            let origin: Origin = place
                .parse()
                .map_err(|error| wrong(0, format!("{error}")))?;
            let digest = format!("sha256:{sha256}").parse();
            Ok::<_, Error>(Arc::new(Source {
                name: name.to_owned(),
                version: version.to_owned(),
                machine: Some(MACHINE.to_owned()),
                file: file.rsplit('/').next().unwrap_or(file).to_owned(),
                digest: digest.map_err(|error| wrong(0, format!("{name}: {error}")))?,
                size: Size::Exactly(size),
                unpacked: UNPACKED,
                released: None,
                license: String::new(),
                signature: Signature::None,
                evidence: Evidence::default(),
                patches: Vec::new(),
                origins: vec![origin],
            }))
        };
        let Index {
            name,
            suite,
            size,
            sha256,
        } = &document.index;
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        let place = format!("dists/{suite}/{folder}/by-hash/SHA256/{sha256}");
        let index = source("debian-index", suite, name, *size, sha256, &place)?;
        let packages = document.package.iter();
        let packages = packages.map(|it| {
            source(
                &it.name,
                &it.version,
                &it.file,
                it.size,
                &it.sha256,
                &it.file,
            )
        });
        let packages: Vec<Arc<Source>> = packages.collect::<Result<_, _>>()?;
        let compiler = packages.iter().find(|it| it.name == document.compiler);
        let Some(compiler) = compiler else {
            let message = format!("no package is named `{}`", document.compiler);
            return Err(wrong(0, message));
        };
        Ok(Self {
            version: compiler.version.clone(),
            release: document.release,
            index_name: name.clone(),
            index,
            packages,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn who_can_run_them() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("toolchain-debian.toml");
        let packages = || Packages::load(&path).unwrap();
        let (version, x86) = (packages().version, packages().on("x86_64"));
        assert_eq!(x86.unwrap(), packages());
        let error = packages().on("aarch64").unwrap_err();
        let says =
            format!("Debian's clang {version} is pinned for x86_64, and this machine is aarch64");
        assert_eq!(error.to_string(), says);
        assert!(error.hint().unwrap().contains("leave `--toolchain debian`"));
    }
}
