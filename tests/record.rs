//! Records: their file, and what two of them say of each other.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;

use relaysmith::base::digest::Digest;
use relaysmith::base::listing::{Listing, Node};
use relaysmith::base::target::Target;
use relaysmith::compare::{ComparisonVerdict, Stage, compare, compare_images};
use relaysmith::image::{LayerDigests, Variant};
use relaysmith::record::{ComponentRecord, Facts, ImageRecord, PinRecord, Record, ToolchainRecord};

fn digest(of: &str) -> Digest {
    Digest::sha256(of.as_bytes())
}

fn file(bytes: &str, executable: bool) -> Node {
    Node::File {
        digest: digest(bytes),
        executable,
    }
}

fn component(name: &str, files: &[(&str, Node)]) -> ComponentRecord {
    let files = files
        .iter()
        .map(|(path, node)| ((*path).to_owned(), node.clone()));
    ComponentRecord::new(name, Listing(files.collect()))
}

fn layer(name: &str, content: &str, compressed: &str) -> LayerDigests {
    LayerDigests {
        name: name.to_owned(),
        diff_id: digest(content),
        digest: digest(compressed),
        size: 10,
    }
}

/// tor needs zlib, and so comes after it.
fn facts() -> Facts {
    let toolchain = ToolchainRecord {
        name: "zig".to_owned(),
        version: "0.15.2".to_owned(),
        digest: digest("zig"),
    };
    let mut facts = Facts::new("0.4.9.11", Target::X86_64, 45_553, 1_782_403_099, toolchain);
    for (name, version) in [("tor", "0.4.9.11"), ("zlib", "1.3.2")] {
        let pin = PinRecord {
            version: version.to_owned(),
            digest: digest(name),
        };
        facts.sources.insert(name.to_owned(), pin);
    }
    let link = Node::Link {
        target: "libz.a".to_owned(),
    };
    facts.components = vec![
        component(
            "zlib",
            &[
                ("include/zlib.h", file("h", false)),
                ("lib/libz.a", file("z", false)),
                ("lib/z.a", link),
            ],
        ),
        component(
            "tor",
            &[("bin/tor", file("tor", true)), ("var", Node::Directory)],
        ),
    ];
    let image = ImageRecord {
        components: ["tor", "zlib"].map(str::to_owned).into(),
        layers: vec![layer("geoip", "g", "G"), layer("tor", "t", "T")],
        config: digest("config"),
        manifest: digest("manifest"),
        go: None,
    };
    facts.images = BTreeMap::from([(Variant::Relay, image)]);
    facts
}

fn record() -> Record {
    changed(|_| ())
}

/// The same record after `change`.
fn changed(change: impl FnOnce(&mut Facts)) -> Record {
    let mut facts = facts();
    change(&mut facts);
    Record::new(facts).unwrap()
}

/// The same record after `change`, as text for people.
fn report(change: impl Fn(&mut Facts)) -> String {
    let got = changed(change);
    compare(&record(), &got).text("the record", "this build")
}

fn relay(record: &mut Facts) -> &mut ImageRecord {
    record.images.get_mut(&Variant::Relay).unwrap()
}

#[test]
fn a_record_has_one_spelling() {
    insta::assert_snapshot!(record().to_json().unwrap(), @r#"
    {
      "format": 1,
      "image_format": 2,
      "tor": "0.4.9.11",
      "target": "x86_64-linux-musl",
      "uid": 45553,
      "source_date_epoch": 1782403099,
      "sources": {
        "tor": {
          "version": "0.4.9.11",
          "digest": "sha256:bd144d4b9250b5395989271bf922dc5efcc4f66c8ee2e180e1a29c96db47f8b5"
        },
        "zlib": {
          "version": "1.3.2",
          "digest": "sha256:0ea55c28f8014d8886b6248fe3da5d588f55c0823847a6b4579f1131b051b5e2"
        }
      },
      "toolchain": {
        "name": "zig",
        "version": "0.15.2",
        "digest": "sha256:77ebfe9993f116e089f21a982b4afcb67e3761529a29b52d5c88c65b467514e4"
      },
      "components": [
        {
          "name": "zlib",
          "tree": "sha256:c526add4b22a120d397152e2d207c9f33aaebcc8c4d4bf31e3dfa8b36d8e32cc",
          "files": {
            "include/zlib.h": "sha256:aaa9402664f1a41f40ebbc52c9993eb66aeb366602958fdfaa283b71e64db123",
            "lib/libz.a": "sha256:594e519ae499312b29433b7dd8a97ff068defcba9755b6d5d00e84c524d67b06",
            "lib/z.a": "-> libz.a"
          }
        },
        {
          "name": "tor",
          "tree": "sha256:77a248cd0023e5b37adc9d3dd4d09147d3ae231099a1f47a7f9ff3bae775bb23",
          "files": {
            "bin/tor": "sha256:bd144d4b9250b5395989271bf922dc5efcc4f66c8ee2e180e1a29c96db47f8b5 executable",
            "var": "directory"
          }
        }
      ],
      "images": {
        "relay": {
          "components": [
            "tor",
            "zlib"
          ],
          "layers": [
            {
              "name": "geoip",
              "diff_id": "sha256:cd0aa9856147b6c5b4ff2b7dfee5da20aa38253099ef1b4a64aced233c9afe29",
              "digest": "sha256:333e0a1e27815d0ceee55c473fe3dc93d56c63e3bee2b3b4aee8eed6d70191a3",
              "size": 10
            },
            {
              "name": "tor",
              "diff_id": "sha256:e3b98a4da31a127d4bde6e43033f66ba274cab0eb7eb1c70ec41402bf6273dd8",
              "digest": "sha256:e632b7095b0bf32c260fa4c539e9fd7b852d0de454e9be26f24d0d6f91d069d3",
              "size": 10
            }
          ],
          "config": "sha256:b79606fb3afea5bd1609ed40b622142f1c98125abcfe89a76a661b0e8e343910",
          "manifest": "sha256:05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f"
        }
      }
    }
    "#);
    let text = record().to_json().unwrap();
    assert_eq!(Record::parse(Path::new("r.json"), &text).unwrap(), record());
}

#[test]
fn a_record_is_kept_below_the_root() {
    let root = tempfile::tempdir().unwrap();
    let load = || Record::load(root.path(), "0.4.9.11", Target::X86_64).unwrap();
    assert_eq!(load(), None);
    assert!(record().save(root.path()).unwrap());
    assert!(!record().save(root.path()).unwrap());
    assert_eq!(load(), Some(record()));
    assert!(
        root.path()
            .join("hashes/0.4.9.11-x86_64-linux-musl.json")
            .exists()
    );
}

#[test]
fn a_wrong_record_is_refused_with_the_line() {
    let good = record().to_json().unwrap();
    let hex = digest("tor").hex();
    // Of two fields of one name, a JSON reader takes the last.
    let twice = format!(r#""sources": {{"tor": {{"version": "1", "digest": "sha256:{hex}"}},"#);
    let cases = [
        ("", "", "r.json:1: expected value: `}{`"),
        (
            r#""uid": 45553"#,
            r#""uid": "45553""#,
            "r.json:6: invalid type",
        ),
        (r#""uid": 45553,"#, "", "missing field `uid`: `}`"),
        (r#""uid""#, r#""user""#, "r.json:6: unknown field `user`"),
        (&hex[..], &hex[1..], "is not a digest"),
        ("x86_64-linux-musl", "sparc", "`sparc` is not a target"),
        (r#""relay""#, r#""bridge""#, "unknown variant `bridge`"),
        ("-> libz.a", "=> libz.a", "expected `sha256:<hex>`"),
        (
            r#""format": 1"#,
            r#""format": 2"#,
            "r.json has the format 2, and this program reads 1",
        ),
        (r#""format": 1,"#, "", "missing field `format`"),
        (
            "-> libz.a",
            "-> libz.so",
            "`tree` of the component `zlib` is",
        ),
        (
            r#""name": "tor""#,
            r#""name": "zlib""#,
            "the component `zlib` is in it twice",
        ),
        (
            r#""name": "geoip""#,
            r#""name": "tor""#,
            "the image `relay` has the layer `tor` twice",
        ),
        (
            "  \"tor\": \"0.4",
            "   \"tor\": \"0.4",
            "r.json:4: the order, the spelling or the layout",
        ),
        (r#""sources": {"#, &twice, "is not as it is written"),
        ("\n}\n", "\n}", "is not as it is written"),
    ];
    for (from, to, message) in cases {
        let bad = match from {
            "" => format!("}}{good}"),
            _ => good.replacen(from, to, 1),
        };
        assert_ne!(bad, good);
        let error = Record::parse(Path::new("r.json"), &bad).unwrap_err();
        assert!(
            error.to_string().contains(message),
            "{error}, not {message}"
        );
        assert!(error.hint().is_some());
    }
}

/// A record of two images, of which [`record`] is a part.
fn with_arm() -> Record {
    changed(|both| {
        let python = component("python", &[("bin/python", file("python", true))]);
        both.components.insert(0, python);
        let mut arm = relay(both).clone();
        arm.components.insert("python".to_owned());
        both.images.insert(Variant::RelayArm, arm);
    })
}

#[test]
fn one_image_is_recorded_beside_the_other() {
    let arm = with_arm().only(Variant::RelayArm).unwrap();
    // In either order, and in the order of the flow.
    assert_eq!(record().joined(Some(arm.clone())), with_arm());
    assert_eq!(arm.clone().joined(Some(record())), with_arm());
    assert_eq!(record().joined(None), record());
    // Not if what both are made of has changed.
    let zlib = component("zlib", &[("lib/libz.a", file("other", false))]);
    let other = changed(|facts| facts.components[0] = zlib);
    assert_eq!(other.clone().joined(Some(arm.clone())), other);
    let newer = changed(|facts| facts.tor = "0.4.9.13".to_owned());
    assert_eq!(newer.clone().joined(Some(arm)), newer);
}

#[test]
fn a_part_of_a_record_is_enough_for_a_part_of_the_images() {
    let both = with_arm();
    assert_eq!(both.only(Variant::Relay), Some(record()));
    assert_eq!(both.only(Variant::RelayArm).unwrap().components.len(), 3);
    assert_eq!(record().only(Variant::RelayArm), None);
}

#[test]
fn what_compiled_go_is_recorded_where_there_is_go() {
    assert!(!record().to_json().unwrap().contains("\"go\""));
    let go = |version: &str| {
        let go = ToolchainRecord {
            name: "go".to_owned(),
            version: version.to_owned(),
            digest: digest("go"),
        };
        changed(|facts| relay(facts).go = Some(go))
    };
    let text = go("1.27.1").to_json().unwrap();
    assert_eq!(
        Record::parse(Path::new("r.json"), &text).unwrap(),
        go("1.27.1")
    );
    let other = compare(&go("1.27.1"), &go("1.27.2"));
    let mut differences = other.differences();
    let first = differences.next().unwrap();
    assert_eq!((first.stage, &*first.name), (Stage::Toolchain, "go"));
    assert!(differences.next().is_none());
    assert_eq!(
        compare(&record(), &go("1.27.1")).verdict(),
        ComparisonVerdict::Absent
    );
}

#[test]
fn equal_records_are_the_same() {
    assert_eq!(
        compare(&record(), &record()).verdict(),
        ComparisonVerdict::Same
    );
    insta::assert_snapshot!(report(|_| {}), @r"
    settings     5 same
    sources      2 same
    toolchain    1 same
    components   2 same
    image parts  4 same
    ");
}

#[test]
fn the_first_difference_is_the_earliest_in_the_flow() {
    insta::assert_snapshot!(report(|got| {
        got.components = vec![
            component("zlib", &[("include/zlib.h", file("h", false)), ("lib/libz.a", file("other", false)), ("share/new", file("", false))]),
            component("tor", &[("bin/tor", file("other", true)), ("var", Node::Directory)]),
        ];
        relay(got).layers[1] = layer("tor", "t2", "T2");
        relay(got).config = digest("config 2");
        relay(got).manifest = digest("manifest 2");
    }), @r"
    settings     5 same
    sources      2 same
    toolchain    1 same
    components   2 different
    image parts  1 same, 3 different
    first difference: component `zlib`, file `lib/libz.a`: different
      the record  sha256:594e519ae499312b29433b7dd8a97ff068defcba9755b6d5d00e84c524d67b06
      this build  sha256:d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa
    after it, perhaps because of it:
      component `zlib`, file `lib/z.a`: absent from this build
      component `zlib`, file `share/new`: absent from the record
      component `tor`, file `bin/tor`: different
      image `relay`, layer `tor`: different
      image `relay`, config: different
      image `relay`, manifest: different
    ");
}

#[test]
fn what_was_asked_for_comes_before_what_came_out() {
    insta::assert_snapshot!(report(|got| {
        got.uid = 1000;
        got.sources.remove("zlib");
        got.toolchain.version = "0.16.0".to_owned();
        got.images.clear();
    }), @r"
    settings     4 same, 1 different
    sources      1 same, 1 absent on one side
    toolchain    1 different
    components   2 same
    image parts  4 absent on one side
    first difference: setting `uid`: different
      the record  45553
      this build  1000
    after it, perhaps because of it:
      source `zlib`: absent from this build
      toolchain `zig`: different
      image `relay`, layer `geoip`: absent from this build
      image `relay`, layer `tor`: absent from this build
      image `relay`, config: absent from this build
      image `relay`, manifest: absent from this build
    ");
}

/// What came out is compared, and is enough.
#[test]
fn another_toolchain_is_not_a_difference() {
    let debian = |got: &mut Facts| {
        got.toolchain.name = "debian".to_owned();
        got.toolchain.version = "1:22.1.8-1+b2".to_owned();
    };
    assert_eq!(
        compare(&record(), &changed(debian)).verdict(),
        ComparisonVerdict::Same
    );
    let without = changed(|got| {
        debian(got);
        got.images.clear();
    });
    assert_eq!(
        compare(&record(), &without).verdict(),
        ComparisonVerdict::Absent
    );
}

/// Another user number changes what names that user, and excuses nothing else.
// Guards: P2.
#[test]
fn another_user_excuses_only_what_names_them() {
    let unexpected = |change: &dyn Fn(&mut Facts)| {
        let got = changed(|got| {
            got.uid = 1000;
            let image = relay(got);
            image.layers[1] = layer("tor", "t of 1000", "T of 1000");
            image.config = digest("config of 1000");
            image.manifest = digest("manifest of 1000");
            change(got);
        });
        let comparison = compare(&record(), &got);
        let unexpected = comparison.unexpected().map(|item| item.subject());
        unexpected.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(unexpected(&|_| ()), "");
    let tampered = |got: &mut Facts| {
        got.components[1] = component(
            "tor",
            &[("bin/tor", file("evil", true)), ("var", Node::Directory)],
        );
    };
    assert!(unexpected(&tampered).contains("bin/tor"));
    let geoip = |got: &mut Facts| relay(got).layers[0] = layer("geoip", "other", "other");
    assert!(unexpected(&geoip).contains("geoip"));
    // Under the same user nothing is excused.
    let got = changed(|got| relay(got).config = digest("other"));
    assert_eq!(compare(&record(), &got).unexpected().count(), 1);
}

#[test]
fn compression_is_told_apart_from_content() {
    let change = |got: &mut Facts| {
        relay(got).layers[0].digest = digest("G, by another gzip");
        relay(got).manifest = digest("manifest 2");
    };
    insta::assert_snapshot!(report(change), @r"
    settings     5 same
    sources      2 same
    toolchain    1 same
    components   2 same
    image parts  2 same, 2 compressed differently
    first difference: image `relay`, layer `geoip`: same content, compressed differently
      the record  sha256:333e0a1e27815d0ceee55c473fe3dc93d56c63e3bee2b3b4aee8eed6d70191a3
      this build  sha256:950ba25fd045bf6f3beb07cb2d72ac7a3a1049759e5b9c83a73b3cb14f691162
    after it, perhaps because of it:
      image `relay`, manifest: same content, compressed differently
    ");
    let got = changed(change);
    let comparison = compare(&record(), &got);
    assert_eq!(comparison.verdict(), ComparisonVerdict::Recompressed);
    let images = compare_images(
        "relay",
        &record().images[&Variant::Relay],
        &got.images[&Variant::Relay],
    );
    assert_eq!(images.verdict(), ComparisonVerdict::Recompressed);
    insta::assert_snapshot!(serde_json::to_string_pretty(&images).unwrap(), @r#"
    {
      "verdict": "recompressed",
      "first": {
        "stage": "layer",
        "of": "relay",
        "name": "geoip",
        "verdict": "recompressed",
        "expected": "sha256:333e0a1e27815d0ceee55c473fe3dc93d56c63e3bee2b3b4aee8eed6d70191a3",
        "got": "sha256:950ba25fd045bf6f3beb07cb2d72ac7a3a1049759e5b9c83a73b3cb14f691162"
      },
      "items": [
        {
          "stage": "layer",
          "of": "relay",
          "name": "geoip",
          "verdict": "recompressed",
          "expected": "sha256:333e0a1e27815d0ceee55c473fe3dc93d56c63e3bee2b3b4aee8eed6d70191a3",
          "got": "sha256:950ba25fd045bf6f3beb07cb2d72ac7a3a1049759e5b9c83a73b3cb14f691162"
        },
        {
          "stage": "layer",
          "of": "relay",
          "name": "tor",
          "verdict": "same",
          "expected": "sha256:e632b7095b0bf32c260fa4c539e9fd7b852d0de454e9be26f24d0d6f91d069d3",
          "got": "sha256:e632b7095b0bf32c260fa4c539e9fd7b852d0de454e9be26f24d0d6f91d069d3"
        },
        {
          "stage": "config",
          "of": "relay",
          "name": "config",
          "verdict": "same",
          "expected": "sha256:b79606fb3afea5bd1609ed40b622142f1c98125abcfe89a76a661b0e8e343910",
          "got": "sha256:b79606fb3afea5bd1609ed40b622142f1c98125abcfe89a76a661b0e8e343910"
        },
        {
          "stage": "manifest",
          "of": "relay",
          "name": "manifest",
          "verdict": "recompressed",
          "expected": "sha256:05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f",
          "got": "sha256:bedbe217a47cf0b6f225dd3e539a0a1115cff37fd2a84355b41d4db8f0962fdb"
        }
      ]
    }
    "#);

    // A manifest that differs for another reason as well is different.
    let got = changed(|got| {
        change(got);
        relay(got).config = digest("config 2");
    });
    assert_eq!(
        compare(&record(), &got).verdict(),
        ComparisonVerdict::Different
    );
}

#[test]
fn a_report_stays_on_one_screen() {
    let text = report(|got| {
        let files: Vec<_> = (0..100).map(|n| format!("lib/{n:02}")).collect();
        let files: Vec<_> = files
            .iter()
            .map(|path| (&path[..], file(path, false)))
            .collect();
        got.components[0] = component("zlib", &files);
    });
    assert_eq!(text.lines().count(), 20, "{text}");
    assert!(
        text.contains("  and 92 more (`--json` lists all)\n"),
        "{text}"
    );
}
