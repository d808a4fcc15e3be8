//! A repository with a record, pinned attesters and their statements.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use relaysmith::base::digest::Digest;
use relaysmith::base::listing::{Listing, Node};
use relaysmith::base::target::Target;
use relaysmith::image::{LayerDigests, Variant};
use relaysmith::publish::attest::{Quorum, Says, Statement};
use relaysmith::record::{ComponentRecord, Facts, ImageRecord, PinRecord, Record, ToolchainRecord};
use relaysmith::verify::TrustPolicy;
use sequoia_openpgp::crypto::KeyPair;
use sequoia_openpgp::packet::Signature;
use sequoia_openpgp::types::{HashAlgorithm, SignatureType};
use tempfile::TempDir;

use crate::material::{Person, armored, now, signed, year};

/// The release that the scenes are about.
pub(crate) const RELEASE: &str = "0.4.9.11-x86_64-linux-musl";

fn digest(of: &str) -> Digest {
    Digest::sha256(of.as_bytes())
}

/// A record of both images, in which `odd` is another than it should be.
pub(crate) fn record(odd: &str) -> Record {
    let value = |what: &str| digest(&format!("{what}{}", if what == odd { "!" } else { "" }));
    let toolchain = ToolchainRecord {
        name: "zig".into(),
        version: "0.15.2".into(),
        digest: value("zig"),
    };
    let tor = if odd == "version" {
        "0.4.9.12"
    } else {
        "0.4.9.11"
    };
    let target = match odd {
        "target" => Target::Aarch64,
        _ => Target::X86_64,
    };
    let uid = if odd == "uid" { 1 } else { 45553 };
    let mut facts = Facts::new(tor, target, uid, 1_782_410_294, toolchain);
    for name in ["tor", "zlib"] {
        let pin = PinRecord {
            version: "1".into(),
            digest: value(name),
        };
        facts.sources.insert(name.into(), pin);
        let node = Node::File {
            digest: value(&format!("{name}'s file")),
            executable: false,
        };
        let tree = Listing(BTreeMap::from([("file".to_owned(), node)]));
        facts.components.push(ComponentRecord::new(name, tree));
    }
    for variant in [Variant::Relay, Variant::RelayArm] {
        let layer = |name: &str| LayerDigests {
            name: name.into(),
            diff_id: value(&format!("{name} layer, plain")),
            digest: value(&format!("{name} layer")),
            size: 1,
        };
        let image = ImageRecord {
            components: BTreeSet::from(["tor".to_owned(), "zlib".to_owned()]),
            layers: vec![layer("geoip"), layer("tor")],
            config: value("config"),
            manifest: value("manifest"),
            go: None,
        };
        facts.images.insert(variant, image);
    }
    Record::new(facts).unwrap()
}

/// What an attester would state whose build gave `record(odd)`.
pub(crate) fn statement(odd: &str) -> Statement {
    let variant = match odd {
        "variant" => Variant::RelayArm,
        _ => Variant::Relay,
    };
    Statement::recorded(&record(odd), variant).unwrap()
}

/// A repository.
pub(crate) struct Scene {
    root: TempDir,
    attesters: TempDir,
    written: usize,
}

impl Scene {
    /// One whose attesters are these people, by their names.
    pub(crate) fn new(people: &[(&str, &Person)]) -> Self {
        let attesters = tempfile::tempdir().unwrap();
        let mut text = "version = 1\n".to_owned();
        for (id, (name, person)) in ('a'..).zip(people) {
            let file = attesters.path().join(format!("{id}.asc"));
            fs_err::write(file, person.armored()).unwrap();
            text += &format!(
                "[[signer]]\nid = \"{id}\"\nname = \"{name}\"\nfingerprint = \"{}\"\n\
                 certificate = \"{id}.asc\"\n",
                person.fingerprint()
            );
        }
        fs_err::write(attesters.path().join("trust.toml"), text).unwrap();
        Self {
            root: tempfile::tempdir().unwrap(),
            attesters,
            written: 0,
        }
    }

    pub(crate) fn attesters(&self) -> TrustPolicy {
        TrustPolicy::load_at(self.attesters.path(), now()).unwrap()
    }

    pub(crate) fn folder(&self) -> PathBuf {
        let folder = self.root.path().join("attestations").join(RELEASE);
        fs_err::create_dir_all(&folder).unwrap();
        folder
    }

    /// Puts a statement there, with a file of signatures unless there are none.
    pub(crate) fn put(mut self, statement: &str, signatures: &[Signature]) -> Self {
        self.written += 1;
        let name = format!("{}.json", self.written);
        fs_err::write(self.folder().join(&name), statement).unwrap();
        if !signatures.is_empty() {
            let name = format!("{name}.asc");
            fs_err::write(self.folder().join(name), armored(signatures)).unwrap();
        }
        self
    }

    /// Puts a statement there that `key` signed.
    pub(crate) fn says(self, key: &KeyPair, statement: &Statement) -> Self {
        let text = statement.to_json().unwrap();
        let signature = over(key, &text);
        self.put(&text, &[signature])
    }

    pub(crate) fn quorum(&self) -> Result<Quorum, relaysmith::publish::attest::Error> {
        Quorum::read(self.root.path(), &self.attesters(), &statement(""))
    }

    /// What a person who wants two attesters sees, a line each.
    pub(crate) fn seen(&self) -> String {
        let quorum = match self.quorum() {
            Ok(quorum) => quorum,
            Err(error) => return self.clean(&format!("CANNOT READ {error}")),
        };
        let mut lines = vec![match quorum.require(2) {
            Ok(agree) => format!("reached by {}", agree.join(", ")),
            Err(error) => format!("REFUSED {error}"),
        }];
        for one in quorum.attestations() {
            let name = one.path.file_name().unwrap().to_string_lossy();
            let signers: Vec<&str> = one.signers().collect();
            let says = match &one.says {
                Says::Nothing => "nothing that counts".to_owned(),
                Says::Unreadable(error) => error.to_string(),
                Says::OtherRelease(release) => format!("about {release}"),
                Says::FromCache => "of a cache".to_owned(),
                Says::Stated(comparison) => {
                    let other: Vec<String> =
                        comparison.differences().map(|it| it.subject()).collect();
                    let agrees = if one.says.agrees() {
                        "agrees"
                    } else {
                        "disagrees"
                    };
                    let other = other.join(", ");
                    format!("{agrees}; differs in [{other}]")
                }
            };
            lines.push(format!("  {name} by [{}]: {says}", signers.join(", ")));
        }
        self.clean(&lines.join("\n"))
    }

    fn clean(&self, text: &str) -> String {
        text.replace(&self.root.path().display().to_string(), "root")
            .replace(RELEASE, "RELEASE")
    }
}

/// A signature over a statement, of the year 2020.
pub(crate) fn over(key: &KeyPair, text: &str) -> Signature {
    let (hash, kind) = (HashAlgorithm::SHA512, SignatureType::Binary);
    signed(key, year(2020), hash, kind, text.as_bytes())
}
