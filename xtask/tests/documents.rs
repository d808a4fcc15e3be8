//! The commands that documents show exist, with the options that they are given.

#![allow(clippy::unwrap_used, reason = "tests")]

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
    let (_, arguments) = line.split_once("cargo xtask ")?;
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
