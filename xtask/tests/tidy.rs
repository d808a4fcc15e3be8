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

/// What others wrote is escaped on its way to a terminal, and there is one way: `ui.rs` in Rust,
/// `shown.h` in C. This finds what goes around it.
// Guards: S1.
#[test]
fn all_output_goes_one_way() {
    let ways = [
        "io::stdout()",
        "io::stderr()",
        "stdout().lock",
        "stderr().lock",
        "println!",
        "eprint",
        "/dev/tty",
        "/dev/stderr",
        "/dev/stdout",
    ];
    // A program that inherits the terminal prints what it likes.
    let programs = [".status()", "Stdio::inherit()"];
    let allowed = [
        // The one way itself.
        ("xtask/src/ui.rs", "io::"),
        // A question without a line's end, of fixed words.
        ("xtask/src/password.rs", "io::stderr()"),
        // This program again, which escapes what it prints.
        ("xtask/src/vary.rs", "Stdio::inherit()"),
        // The status of an answer.
        ("http.rs", "response.status()"),
        ("download.rs", "response.status()"),
        // What a build step has, not what this program prints to.
        ("namespaces/mounts.rs", "/proc/self/fd/"),
        ("doctor/host.rs", "legacy_tiocsti"),
        // Whether colour is for it.
        ("check_torrc.rs", "is_terminal()"),
    ];
    let mut offences = Vec::new();
    for (name, text) in files(&[".rs"]) {
        let product = ["src/", "xtask/src/", "torrc/src/", "shown/src/"];
        if !product.iter().any(|folder| name.starts_with(folder)) || name.contains("tests") {
            continue;
        }
        // Tests stand at the end of a file.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let around = ways.iter().chain(&programs).any(|way| line.contains(way));
            let known = |(file, what): &(&str, &str)| name.ends_with(file) && line.contains(what);
            if around && !line.trim_start().starts_with("//") && !allowed.iter().any(known) {
                offences.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    for (name, text) in files(&["container/start.c", "container/health.c"]) {
        for (number, line) in text.lines().enumerate() {
            let prints = ["printf(", "puts(", "fputs(", "perror(", "write(STD"];
            let prints =
                prints.iter().any(|call| line.contains(call)) && !line.contains("snprintf(");
            // What is printed is `fit`, which `shown` filled, or says nothing of others.
            let safe = line.contains("fit)")
                || line.contains("fputs(help, ")
                || line.contains("strerror(errno));");
            if prints && !safe {
                offences.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    fail_if_any(&offences, "print through `Ui`, or through `shown` in C");
}

/// There is one function that makes text fit for a terminal.
#[test]
fn text_is_escaped_in_one_place() {
    let mut offences = Vec::new();
    for (name, text) in files(&[".rs"]) {
        let tests = name.contains("tests") || name.starts_with("shown/");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let own = [
                ".escape_debug()",
                ".escape_default()",
                "replace(char::is_control",
            ];
            if !tests && own.iter().any(|way| line.contains(way)) {
                offences.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    fail_if_any(&offences, "use `shown::shown`");
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

/// Nobody should run a tor that is known to be vulnerable: the default may be one only while no
/// version that is safer could be built where the pins are written, which is in `hashes/`.
#[test]
fn the_default_tor_is_the_safest_that_can_be_had() {
    use relaysmith::pins::Manifest;
    use relaysmith::update::{Version, vulnerabilities};
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let manifest = Manifest::load(&root.join("sources.toml")).unwrap();
    let table = root.join("tor-series.toml");
    let faults = |version: &str| vulnerabilities(&table, version).unwrap().len();
    let default = manifest.get("tor", None).unwrap();
    let newest = |version: &str| version.parse::<Version>().unwrap();
    for other in manifest.sources().filter(|source| source.name == "tor") {
        let record = format!("hashes/{}-x86_64-linux-musl.json", other.version);
        let was_here = root.join(record).is_file();
        let safer = faults(&other.version) < faults(&default.version);
        assert!(
            !(was_here && safer),
            "{other} is safer than {default}, the default"
        );
        assert!(
            !was_here || newest(&other.version) <= newest(&default.version),
            "{other} can be had and is newer than {default}, the default"
        );
    }
}
