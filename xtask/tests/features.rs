//! No dependency is compiled twice: `cargo test`, whole or of one package, finds what
//! `cargo xtask` compiled. It does as long as each crate has the same features in all of them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use xshell::{Shell, cmd};

/// Each crate that a command compiles, with its features. One that build scripts and macros
/// need too may be there with two sets.
fn compiled(arguments: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let shell = Shell::new().unwrap();
    shell.change_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
    let format = "{p}|{f}";
    let tree = cmd!(
        shell,
        "cargo tree --locked --offline --quiet --prefix none --no-dedupe --format {format} {arguments...}"
    );
    let mut crates: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in tree.quiet().read().unwrap().lines() {
        if let Some((name, features)) = line.replace(" (proc-macro)", "").split_once('|') {
            crates
                .entry(name.to_owned())
                .or_default()
                .insert(features.to_owned());
        }
    }
    crates
}

#[test]
fn every_command_compiles_the_same_crates() {
    let all = compiled(&["--workspace", "--edges", "normal,build,dev"]);
    assert!(all.len() > 100, "only {} crates", all.len());
    let mut offences = Vec::new();
    for (command, arguments) in [
        (
            "cargo xtask",
            &["--package", "xtask", "--edges", "normal,build"][..],
        ),
        ("cargo test", &["--edges", "normal,build,dev"]),
        (
            "cargo test --package relaysmith",
            &["--package", "relaysmith", "--edges", "normal,build,dev"],
        ),
        (
            "cargo test --package xtask",
            &["--package", "xtask", "--edges", "normal,build,dev"],
        ),
    ] {
        for (name, features) in compiled(arguments) {
            for set in &features - &all[&name] {
                let others = &all[&name];
                offences.push(format!(
                    "{command}: {name} has `{set}`, elsewhere {others:?}"
                ));
            }
        }
    }
    assert!(
        offences.is_empty(),
        "{}\nhelp: turn the missing features on in Cargo.toml, below `For their features alone`",
        offences.join("\n")
    );
}
