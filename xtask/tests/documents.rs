//! The commands that documents show exist, with the options that they are given.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Lines of `sh` blocks, put together where they are continued.
fn commands(text: &str) -> Vec<String> {
    let mut shell = false;
    let mut commands = vec![String::new()];
    for line in text.lines() {
        match line {
            "```sh" => shell = true,
            "```" => shell = false,
            _ if shell => {
                let continued = line.strip_suffix('\\');
                commands
                    .last_mut()
                    .unwrap()
                    .push_str(continued.unwrap_or(line));
                if continued.is_none() {
                    commands.push(String::new());
                }
            }
            _ => {}
        }
    }
    commands
}

/// The arguments of `cargo xtask` in a line; what the shell would put in is made up.
fn arguments(line: &str) -> Option<Vec<String>> {
    let (_, arguments) = line
        .split_once("cargo xtask ")
        .or_else(|| line.split_once("target/debug/xtask "))?;
    let (arguments, _) = arguments.split_once(" || ").unwrap_or((arguments, ""));
    let filled = arguments
        .replace("$IMAGE", &format!("sha256:{}", "0".repeat(64)))
        .replace("$FAMILY", "*")
        .replace("$number", "1");
    let words = filled.split_whitespace();
    Some(words.map(|word| word.replace('"', "")).collect())
}

#[test]
fn every_command_exists() {
    let documents = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let mut seen = 0;
    for entry in fs_err::read_dir(documents).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = fs_err::read_to_string(&path).unwrap();
        for arguments in commands(&text).iter().filter_map(|line| arguments(line)) {
            seen += 1;
            // What stands before it is read first, and refused first.
            let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
                .args(&arguments)
                .arg("--help")
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success(),
                "{}: {arguments:?}: {said}",
                path.display()
            );
        }
    }
    assert!(seen > 8, "{seen} commands");
}

/// The tests that say `// Guards: ID, ….` above their `#[test]`, by what they guard.
fn guards(root: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let listed = Command::new("git")
        .args(["ls-files", "-co", "--exclude-standard", "*.rs"])
        .current_dir(root)
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let mut guards: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in listed.lines() {
        let Ok(text) = fs_err::read_to_string(root.join(file)) else {
            continue;
        };
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            let Some(threats) = line.strip_prefix("// Guards: ") else {
                continue;
            };
            let mut is_test = false;
            let name = lines
                .by_ref()
                .inspect(|line| is_test |= *line == "#[test]")
                .find_map(|line| line.strip_prefix("fn ")?.split('(').next())
                .unwrap();
            assert!(is_test, "{file}: `{name}` is no test");
            for threat in threats.trim_end_matches('.').split(", ") {
                guards
                    .entry(threat.to_owned())
                    .or_default()
                    .insert(name.to_owned());
            }
        }
    }
    guards
}

/// A promise without a test is a wish: the last column of the threat model is made of the names of
/// the tests. Run with `WRITE_THREATS=1`, this writes it.
#[test]
fn every_threat_has_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut guards = guards(&root);
    let document = root.join("docs/threat-model.md");
    let model = fs_err::read_to_string(&document).unwrap();
    let mut rows = 0;
    let generated: String = model
        .lines()
        .map(|line| {
            let id = line.split('|').nth(1).unwrap_or_default().trim();
            if !line.starts_with("| ") || id == "id" {
                return format!("{line}\n");
            }
            rows += 1;
            let tests = guards.remove(id).unwrap_or_default();
            assert!(!tests.is_empty(), "no test says `// Guards: {id}.`");
            let names: Vec<String> = tests.iter().map(|name| format!("`{name}`")).collect();
            let (others, _) = line.trim_end_matches(" |").rsplit_once('|').unwrap();
            format!("{others}| {} |\n", names.join(", "))
        })
        .collect();
    assert!(rows > 10, "{rows} rows");
    assert!(guards.is_empty(), "no such threat: {guards:?}");
    if std::env::var_os("WRITE_THREATS").is_some() {
        fs_err::write(&document, &generated).unwrap();
        return;
    }
    assert!(
        model == generated,
        "docs/threat-model.md does not name its tests as they are; write it with \
         `WRITE_THREATS=1 cargo test --package xtask --test documents`"
    );
}

/// What the picture of a build shows is what the build of today gives: `ci/pictures.sh` draws it.
#[test]
fn the_picture_of_a_build_shows_the_recorded_image() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let picture = fs_err::read_to_string(root.join("docs/pictures/build.svg")).unwrap();
    let digest = picture.split("sha256:").nth(1).unwrap();
    let digest = format!("sha256:{}", &digest[..64]);
    let version = picture.split("dist/tor-").nth(1).unwrap();
    let version = version.split("-x86_64-linux-musl-arm.tar").next().unwrap();
    let record = root.join(format!("hashes/{version}-x86_64-linux-musl.json"));
    let record = fs_err::read_to_string(record).unwrap();
    assert!(record.contains(&digest), "{version} has no {digest}");
}

/// The paths of the repository that a text names, from `heads` on.
fn paths<'a>(text: &'a str, heads: &[&str]) -> BTreeSet<&'a str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "_-./*<>".contains(c)));
    let words = words.map(|word| word.trim_end_matches(['.', '/']));
    words
        .filter(|word| heads.iter().any(|head| word.starts_with(head)))
        .filter(|word| !word.contains(['*', '<', '>']))
        .collect()
}

#[test]
fn every_path_that_is_pointed_at_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let heads = ["src/", "xtask/", "ci/", ".ci/", "docs/", "tests/", "torrc/"];
    let mut seen = 0;
    let mut stale = Vec::new();
    for file in ["ARCHITECTURE.md", "CONTRIBUTING.md", "sources.toml"] {
        let text = fs_err::read_to_string(root.join(file)).unwrap();
        // What is in a source that is pinned is not in the repository.
        let lines = text
            .lines()
            .filter(|line| file.ends_with(".md") || line.starts_with('#'));
        for path in lines.flat_map(|line| paths(line, &heads)) {
            seen += 1;
            if !root.join(path).exists() {
                stale.push(format!("{file}: {path}"));
            }
        }
    }
    assert!(stale.is_empty(), "these do not exist: {stale:#?}");
    assert!(seen > 10, "{seen} paths");
}
