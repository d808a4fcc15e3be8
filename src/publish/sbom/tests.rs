use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;
use crate::base::digest::Digest;
use crate::base::target::Target;
use crate::build::plan::{Plan, Step};
use crate::build::recipe::StepId;
use crate::build::sandbox::root::Userland;
use crate::image::{About, Component, Variant};
use crate::pins::Manifest;
use crate::verify::{self, TrustPolicy, Verdict};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// What is pinned in this repository, as it would go into an image. tor's verdict is real;
/// the others' files are not there to be judged.
struct Pinned {
    about: About,
    plan: Plan,
    tor: Verdict,
    others: Verdict,
}

impl Pinned {
    fn new(wanted: &[StepId], variant: Variant) -> Self {
        let manifest = Manifest::load(&root().join("sources.toml")).unwrap();
        let manifest = manifest.on("x86_64");
        // The one whose evidence the snapshots speak of.
        let version = |name: &str| (name == "tor").then_some("0.4.9.11");
        let pin = |name: &str| manifest.get(name, version(name)).ok();
        let plan = Plan::new(wanted, Target::X86_64, &Userland::Host, &root(), pin).unwrap();
        let sources = plan.component_sources(Target::X86_64);
        let about = About {
            version: plan.tor.version.clone(),
            target: Target::X86_64,
            variant,
            uid: 45_553,
            epoch: plan.epoch,
            components: sources.iter().map(|it| Component::from(&**it)).collect(),
        };
        // Long after every certificate has expired: an SBOM says the same.
        let policy = TrustPolicy::load(&root().join("keys")).unwrap();
        let evidence = |name: &str| root().join("keys/evidence").join(name);
        let list = format!("{}.sha256sum", plan.tor.file);
        let signature = evidence(&format!("{list}.asc"));
        Self {
            tor: verify::judge(&policy, &evidence(&list), &signature, Some("tor")).unwrap(),
            others: Verdict::digest_only("the test has no file"),
            about,
            plan,
        }
    }

    fn sbom(&self, image: &str) -> Sbom<'_> {
        let mut verdicts = BTreeMap::from([("zig", &self.others)]);
        for source in self.plan.component_sources(Target::X86_64) {
            let name = source.name.clone();
            let step = self.plan.steps.iter().filter_map(Step::source);
            let name = step.into_iter().find(|it| it.name == name).unwrap();
            let verdict = match &*name.name {
                "tor" => &self.tor,
                _ => &self.others,
            };
            verdicts.insert(&name.name, verdict);
        }
        let image = Digest::sha256(image.as_bytes());
        Sbom::of(&self.about, image, &self.plan, &verdicts, &root()).unwrap()
    }
}

/// Says what is wrong with `document` by the schema in `file`.
fn problem(file: &str, document: &str) -> Option<String> {
    let folder = root().join("tests/data/schemas");
    let read = |name: &str| -> Value {
        serde_json::from_slice(&fs_err::read(folder.join(name)).unwrap()).unwrap()
    };
    let mut compiler = boon::Compiler::new();
    for name in ["spdx.schema.json", "jsf-0.82.schema.json"] {
        let address = format!("http://cyclonedx.org/schema/{name}");
        compiler.add_resource(&address, read(name)).unwrap();
    }
    let schema = read(file);
    let address = schema["$id"].as_str().unwrap().to_owned();
    compiler.add_resource(&address, schema).unwrap();
    compiler.enable_format_assertions();
    let mut schemas = boon::Schemas::new();
    let index = compiler.compile(&address, &mut schemas).unwrap();
    let document = serde_json::from_str(document).unwrap();
    let outcome = schemas.validate(&document, index);
    outcome.err().map(|error| format!("{error:#}"))
}

const SCHEMAS: [(Format, &str); 2] = [
    (Format::Spdx, "spdx-2.3.schema.json"),
    (Format::CycloneDx, "bom-1.6.schema.json"),
];

#[test]
fn sboms_are_what_the_official_schemas_ask_for() {
    for (wanted, variant) in [
        (&[StepId::Tor][..], Variant::Relay),
        (&[StepId::Tor, StepId::Nyx], Variant::RelayArm),
        (&[StepId::Tor, StepId::Lyrebird], Variant::RelayObfs4),
    ] {
        let pinned = Pinned::new(wanted, variant);
        let sbom = pinned.sbom("image");
        for (format, schema) in SCHEMAS {
            let document = sbom.document(format);
            assert_eq!(problem(schema, &document), None, "{document}");
        }
    }
}

/// The check above can fail.
#[test]
fn the_schemas_refuse_what_is_no_sbom() {
    let pinned = Pinned::new(&[StepId::Tor], Variant::Relay);
    let sbom = pinned.sbom("image");
    for (format, schema) in SCHEMAS {
        let document = sbom.document(format);
        for (from, to) in [
            ("\"version\"", "\"versoin\""),
            ("\"SHA", "\"SAH"),
            ("\"CONTAINS\"", "\"HOLDS\""),
            ("\"SPDXID\"", "\"SPDX\""),
            ("urn:uuid:", "urn:uid:"),
        ] {
            let wrong = document.replace(from, to);
            let expected = match format {
                // Of its namespace, SPDX's schema says nothing.
                Format::Spdx if from.starts_with("urn") => continue,
                _ => wrong != document && from != "\"version\"",
            };
            let found = problem(schema, &wrong).is_some();
            let versions = from == "\"version\"" && format == Format::CycloneDx;
            assert_eq!(found, expected || versions, "{schema}: {from}");
        }
    }
}

#[test]
fn an_sbom_names_what_is_in_the_plan() {
    let pinned = Pinned::new(&[StepId::Tor, StepId::Nyx], Variant::RelayArm);
    let sbom = pinned.sbom("image");
    let spdx = sbom.document(Format::Spdx);
    let cyclonedx = sbom.document(Format::CycloneDx);
    for source in pinned
        .plan
        .component_sources(Target::X86_64)
        .iter()
        .chain([&pinned.plan.zig])
    {
        for document in [&spdx, &cyclonedx] {
            for text in [&source.name, &source.version, &source.license] {
                assert!(
                    document.contains(&format!("\"{text}\"")),
                    "{source}: {text}"
                );
            }
            assert!(document.contains(&source.digest.hex()), "{source}");
            for patch in &source.patches {
                let path = format!("patches/{}/{patch}", source.name);
                assert!(document.contains(&path), "{path}");
            }
        }
    }
    for step in pinned
        .plan
        .components(Target::X86_64)
        .filter(|step| step.source().is_none())
    {
        assert!(spdx.contains(&format!("\"name\": \"{}\"", step.name)));
    }
    for document in [&spdx, &cyclonedx] {
        let goulet =
            "signed by upstream: David Goulet (B74417EDDF22AC9F9E90F49142E86A2A11F48D36): ";
        assert!(document.contains(goulet));
        assert!(document.contains("digest only: the test has no file"));
        assert!(!document.contains("expired-since"));
    }
}

#[test]
fn equal_images_have_equal_sboms_and_others_have_others() {
    let pinned = Pinned::new(&[StepId::Tor], Variant::Relay);
    let id = |document: String| {
        let at = document.find("urn:uuid:").unwrap();
        document[at..at + 45].to_owned()
    };
    for format in Format::ALL {
        let document = |image: &str| pinned.sbom(image).document(format);
        assert_eq!(document("image"), document("image"));
        assert_eq!(
            document("image"),
            Pinned::new(&[StepId::Tor], Variant::Relay)
                .sbom("image")
                .document(format)
        );
        assert_ne!(id(document("image")), id(document("other")));
    }
}

#[test]
fn an_sbom_in_full() {
    let pinned = Pinned::new(&[StepId::Tor], Variant::Relay);
    let mut sbom = pinned.sbom("image");
    // One part says how all are written.
    sbom.parts
        .retain(|part| part.name == "tor" || part.name == "zlib");
    for part in &mut sbom.parts {
        part.needs.retain(|need| *need == "zlib");
    }
    insta::assert_snapshot!("spdx", sbom.document(Format::Spdx));
    insta::assert_snapshot!("cyclonedx", sbom.document(Format::CycloneDx));
}
