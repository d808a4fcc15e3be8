//! What must hold all over the repository, whoever edits it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;

use xshell::{Shell, cmd};

/// The most lines of a source file: one concept each. Tables of tests may be longer.
const LONGEST: usize = 500;

/// The repository's files with one of `endings`, as git knows them, and their text.
fn files(endings: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let shell = Shell::new().unwrap();
    shell.change_dir(root);
    let listed = cmd!(shell, "git ls-files").quiet().read().unwrap();
    let wanted = |name: &&str| endings.iter().any(|ending| name.ends_with(ending));
    listed
        .lines()
        .filter(wanted)
        .filter_map(|name| Some((name.to_owned(), shell.read_file(name).ok()?)))
        .collect()
}

fn fail_if_any(offences: &[String], help: &str) {
    assert!(offences.is_empty(), "{}\nhelp: {help}", offences.join("\n"));
}

/// Which registries a machine uses is the machine's business: apt, pip and cargo know.
#[test]
fn no_registry_is_named() {
    // In pieces, so that this file does not name them either.
    let hosts = [
        ["deb.", "debian.org"],
        ["security.", "debian.org"],
        ["ftp.", "debian.org"],
        ["snapshot.", "debian.org"],
        ["pypi.", "org"],
        ["files.python", "hosted.org"],
        ["static.", "crates.io"],
        ["index.", "crates.io"],
        ["registry.", "npmjs"],
    ]
    .map(|pieces| pieces.concat());
    let mut offences = Vec::new();
    for (name, text) in files(&["", ".rs", ".toml", ".md", ".sh", ".yml", ".patch"]) {
        if name == "Cargo.lock" {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            offences.extend(
                hosts
                    .iter()
                    .filter(|host| line.contains(*host))
                    .map(|host| format!("{name}:{}: names {host}", number + 1)),
            );
        }
    }
    fail_if_any(
        &offences,
        "ask apt, pip or cargo for what it is configured with",
    );
}

#[test]
fn source_files_hold_one_concept() {
    let offences: Vec<String> = files(&[".rs"])
        .iter()
        .filter(|(name, _)| !name.contains("tests"))
        .map(|(name, text)| (name, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(name, lines)| format!("{name}: {lines} lines, the most is {LONGEST}"))
        .collect();
    fail_if_any(&offences, "split the file where its subject changes");
}

#[test]
fn nothing_is_left_for_later() {
    let marks = ["TO", "FIX", "XX"].map(|half| match half {
        "TO" => "TODO".to_owned(),
        "FIX" => ["FIX", "ME"].concat(),
        _ => "X".repeat(3),
    });
    let mut offences = Vec::new();
    for (name, text) in files(&[".rs", ".sh", ".toml"]) {
        if name.ends_with("tidy.rs") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            if marks.iter().any(|mark| {
                line.split(|c: char| !c.is_alphanumeric())
                    .any(|word| word == mark)
            }) {
                offences.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    fail_if_any(&offences, "do it, or open an issue");
}

/// Every script parses; a recipe by the shell that runs it.
#[test]
fn scripts_parse() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let shell = Shell::new().unwrap();
    shell.change_dir(root);
    for (name, text) in files(&[".sh", ".ci/run"]) {
        let interpreter = if text.starts_with("#!/usr/bin/env bash") {
            "bash"
        } else {
            "sh"
        };
        cmd!(shell, "{interpreter} -n {name}")
            .quiet()
            .run()
            .unwrap();
    }
}

/// The layer order of the house: a room further down the flow is not used further up.
#[test]
fn the_flow_goes_one_way() {
    let rooms = [
        "source", "trust", "unpack", "builder", "plan", "store", "build", "image", "flow",
    ];
    // A plan's step is what a store keeps; an image's description names its folder there.
    let allowed = [("store", "image")];
    let mut offences = Vec::new();
    for (name, text) in files(&[".rs"]) {
        let Some(room) = name
            .strip_prefix("src/")
            .and_then(|rest| rest.split(['/', '.']).next())
        else {
            continue;
        };
        let Some(at) = rooms.iter().position(|other| *other == room) else {
            continue;
        };
        for later in &rooms[at + 1..] {
            let used = text.lines().any(|line| {
                line.starts_with("use ") && line.contains(&format!("crate::{later}::"))
            });
            if used && !allowed.contains(&(room, *later)) {
                offences.push(format!("{name}: uses `crate::{later}`"));
            }
        }
    }
    fail_if_any(&offences, "see the flow in src/lib.rs");
}
