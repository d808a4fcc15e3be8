//! README's table of evidence is what the program draws.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::Write;
use std::path::Path;

use relaysmith::pins::Manifest;
use xshell::{Shell, cmd};

/// The rows of the table, each with its cells.
fn rows(text: &str) -> Vec<Vec<String>> {
    let table = text
        .lines()
        .skip_while(|line| !line.starts_with("| input |"));
    let lines = table.skip(2).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect();
    lines.map(cells).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Without any source here: its inputs, versions and evidence are those of the manifest.
#[test]
fn the_table_is_that_of_the_manifest() {
    let shell = Shell::new().unwrap();
    let readme = shell.read_file(root().join("README.md")).unwrap();
    let manifest = Manifest::load(&root().join("sources.toml")).unwrap();
    let named = manifest.names().into_iter();
    let expected: Vec<[String; 3]> = named
        .filter_map(|name| manifest.get(name, None).ok())
        .map(|pin| {
            [
                pin.name.clone(),
                pin.version.clone(),
                pin.evidence.rung.to_string(),
            ]
        })
        .collect();
    let rows = rows(&readme);
    let named = rows.iter().filter(|row| !row[1].is_empty());
    let seen: Vec<[String; 3]> = named
        .map(|row| [row[1].clone(), row[2].clone(), row[3].clone()])
        .collect();
    assert_eq!(seen, expected);
}

/// With the sources in the cache, every cell.
#[test]
fn the_table_is_what_is_drawn() {
    let shell = Shell::new().unwrap();
    shell.change_dir(root());
    let readme = shell.read_file("README.md").unwrap();
    let xtask = env!("CARGO_BIN_EXE_xtask");
    let drawn = cmd!(shell, "{xtask} verify --sources --offline --markdown all");
    let Ok(drawn) = drawn.quiet().ignore_stderr().read() else {
        let line = "SKIPPED the_table_is_what_is_drawn: not all sources are in the cache\n";
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return;
    };
    // Upstream may have been asked on this machine, and then says more of tor.
    let without = |rows: Vec<Vec<String>>| -> Vec<Vec<String>> {
        rows.into_iter().filter(|row| row[1] != "tor").collect()
    };
    assert_eq!(without(rows(&readme)), without(rows(&drawn)));
}
