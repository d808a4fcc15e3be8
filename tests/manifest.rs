//! The manifest of this repository: what it pins and what it names.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use relaysmith::source::{Error, Manifest, Origin, Signature, Size};

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn manifest() -> Manifest {
    Manifest::load(&repository().join("sources.toml")).unwrap()
}

fn hint(error: &Error) -> String {
    format!("{error}\n{}", error.hint().unwrap_or_default())
}

#[test]
fn what_it_names_exists() {
    let evidence = repository().join("keys/evidence");
    let there = |path: &Path| assert!(path.is_file(), "{} is missing", path.display());
    for source in manifest().sources() {
        match &source.signature {
            Signature::None => {}
            Signature::Detached { signature } => there(&evidence.join(signature)),
            Signature::Checksum {
                checksums,
                signature,
            } => {
                there(&evidence.join(signature));
                // The pinned digest must be the one that upstream signed.
                let list = fs_err::read_to_string(evidence.join(checksums)).unwrap();
                let line = format!("{}  {}\n", source.digest.hex(), source.file);
                assert!(list.contains(&line), "{checksums} does not say {line}");
            }
        }
        for patch in &source.patches {
            there(&repository().join("patches").join(&source.name).join(patch));
        }
    }
}

#[test]
fn upstream_comes_first() {
    for source in manifest().sources() {
        let upstream: Vec<bool> = source
            .origins
            .iter()
            .map(|origin| matches!(origin, Origin::Https(_)))
            .collect();
        assert!(upstream.is_sorted_by(|a, b| a >= b), "{source}");
    }
}

#[test]
fn the_default_and_other_versions() {
    let manifest = manifest();
    let tor = manifest.get("tor", None).unwrap();
    assert_eq!(tor.version, "0.4.9.11");
    // The time of every entry of its tarball; it becomes SOURCE_DATE_EPOCH.
    assert_eq!(tor.released, Some(1_782_410_294));
    let newer = manifest.get("tor", Some("0.4.9.13")).unwrap();
    assert!(matches!(newer.size, Size::AtMost(_)));
    assert!(newer.released.is_some());
}

#[test]
fn every_machine_has_its_compiler() {
    for machine in ["aarch64", "x86_64"] {
        let zig = manifest().on(machine).get("zig", None).unwrap();
        assert!(zig.file.contains(machine), "{}", zig.file);
    }
}

#[test]
fn what_is_not_pinned() {
    let manifest = manifest();
    insta::assert_snapshot!(hint(&manifest.get("tor", Some("0.4.8.1")).unwrap_err()), @r"
    tor 0.4.8.1 is not pinned; pinned versions: 0.4.9.11 (default), 0.4.9.13
    choose one of these, or add a `[[source]]` for tor with its digest to sources.toml
    ");
    insta::assert_snapshot!(hint(&manifest.get("gcc", None).unwrap_err()), @"no source named `gcc` is pinned; there are `alpine`, `libevent`, `make`, `mimalloc`, `ncurses`, `nyx`, `openssl`, `perl`, `python`, `sqlite`, `stem`, `tor`, `zig`, `zlib`, `zstd`");
    insta::assert_snapshot!(hint(&manifest.on("riscv64").get("zig", None).unwrap_err()), @"zig 0.15.2 is not pinned for riscv64; pinned for aarch64, x86_64");
}
