//! A project to keep current: pins, a policy and certificates, in a folder of their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use relaysmith::base::cache::Cache;
use relaysmith::base::progress::Silent;
use relaysmith::fetch::Options;
use relaysmith::update::{Outlook, look};
use relaysmith::verify::Report;
use tempfile::TempDir;

use crate::material::Person;
use crate::server::Server;
use crate::site::PATIENCE;

pub(crate) struct Project {
    dir: TempDir,
}

/// A pin of tor whose digest nothing has.
fn pin(version: &str, mark: &str) -> String {
    let hex: String = format!("{:x<64}", version.replace('.', "")).replace('x', "0");
    format!(
        r#"
[[source]]
name = "tor"
version = "{version}"{mark}
file = "tor-{version}.tar.gz"
sha256 = "{hex}"
size = 1000
max-unpacked = 70_000_000
released = 2026-06-25T17:58:14Z
license = "BSD-3-Clause"
checksums = "tor-{version}.tar.gz.sha256sum"
signature = "tor-{version}.tar.gz.sha256sum.asc"
rung = "upstream"
origins = [
    "https://dist.torproject.org/tor-{version}.tar.gz",
    "debian:pool/main/t/tor/tor_{version}.orig.tar.gz",
]
"#
    )
}

impl Project {
    /// Pins tor 0.4.9.11, the default, and 0.4.9.13; both of `people` must sign.
    pub(crate) fn new(people: [&Person; 2]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs_err::create_dir_all(at("keys/evidence")).unwrap();
        let pins = [pin("0.4.9.11", "\ndefault = true"), pin("0.4.9.13", "")];
        let manifest = format!("# Every input.\n\nversion = 1\n{}", pins.concat());
        fs_err::write(at("sources.toml"), manifest).unwrap();
        let mut policy = "version = 1\n".to_owned();
        for (id, person) in ["a", "b"].into_iter().zip(people) {
            fs_err::write(at(&format!("keys/{id}.asc")), person.armored()).unwrap();
            policy += &format!(
                "[[signer]]\nid = \"{id}\"\nname = \"{}\"\nfingerprint = \"{}\"\n\
                 certificate = \"{id}.asc\"\n",
                id.to_uppercase(),
                person.fingerprint(),
            );
        }
        policy += "[[source]]\nname = \"tor\"\nsigners = [\"a\", \"b\"]\nthreshold = 2\n";
        fs_err::write(at("keys/trust.toml"), policy).unwrap();
        Self { dir }
    }

    /// The folder that holds it.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Its downloads are kept in a folder beside it.
    pub(crate) fn options(&self) -> Options {
        let cache = Cache::open(Some(&self.path().join("cache"))).unwrap();
        Options {
            patience: PATIENCE,
            ..Options::new(cache)
        }
    }

    /// Looks for a newer tor on `server`, and pins it if there is one.
    pub(crate) fn update(&self, server: &Server) -> Result<(Outlook, Vec<PathBuf>), String> {
        let folder = server.url.parse().unwrap();
        let told = |error: relaysmith::update::Error| {
            let cause = std::error::Error::source(&error);
            let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
            format!("{error}{cause}").replace(&server.url, "http://upstream/")
        };
        let outlook = look(self.path(), &folder, &self.options(), &Silent).map_err(told)?;
        let written = match &outlook.newer {
            Some(newer) => newer.pin(self.path()).map_err(told)?,
            None => Vec::new(),
        };
        Ok((outlook, written))
    }

    /// Every file of the project, the downloads left out.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs_err::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(self.path()).unwrap();
                let name = name.to_str().unwrap().to_owned();
                if path.is_dir() && name != "cache" {
                    folders.push(path);
                } else if path.is_file() {
                    files.insert(name, fs_err::read(&path).unwrap());
                }
            }
        }
        files
    }

    /// What was found about the default tor, by the project's own pins, keys and evidence.
    pub(crate) fn verdict(&self) -> String {
        let manifest = relaysmith::pins::Manifest::load(&self.path().join("sources.toml")).unwrap();
        let tor = manifest.get("tor", None).unwrap();
        let options = self.options();
        let fetched =
            relaysmith::fetch::fetch(std::slice::from_ref(&tor), &options, &Silent).unwrap();
        let policy = relaysmith::verify::TrustPolicy::load(&self.path().join("keys")).unwrap();
        let mut report = Report::default();
        for one in fetched {
            report.add(&tor, relaysmith::verify::verify(&policy, one).as_ref());
        }
        report.summary()
    }
}
