//! The command line holds together, and takes every command that this program tells people to run.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use clap::CommandFactory as _;
use clap::error::ErrorKind;
use xshell::{Shell, cmd};

use super::Cli;

#[test]
fn the_command_line_holds_together() {
    Cli::command().debug_assert();
}

/// The commands of this program between backticks in `text`, whose lines are continued by a
/// backslash where a string of Rust or C is.
fn told(text: &str) -> Vec<String> {
    let mut joined = String::new();
    let mut continued = false;
    for line in text.lines() {
        let line = match continued {
            true => line.trim_start(),
            false => line,
        };
        // A comment goes on behind its sign.
        let line = line.trim_start_matches(' ');
        let line = line.trim_start_matches("/// ").trim_start_matches("//! ");
        continued = line.ends_with('\\');
        joined.push_str(line.strip_suffix('\\').unwrap_or(line));
        if !continued {
            joined.push(' ');
        }
    }
    let programs = ["cargo xtask ", "target/debug/xtask "];
    let starts = programs.iter().flat_map(|program| {
        let quoted = [format!("`{program}"), format!("`sudo {program}")];
        quoted
            .iter()
            .flat_map(|start| joined.split(start.as_str()).skip(1))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    starts
        .filter_map(|rest| Some(rest.split_once('`')?.0.to_owned()))
        .collect()
}

/// Its words, with something in place of what is filled in when it is said.
fn words(command: &str) -> Vec<String> {
    let mut filled = String::new();
    let mut rest = command;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        filled.push('1');
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    filled.push_str(rest);
    let words = filled.split_whitespace();
    words
        .map(|word| word.trim_matches(['\'', '"', '\\']))
        // One of several, and what stands for a number.
        .map(|word| word.split('|').next().unwrap_or(word))
        .map(|word| {
            if ["N", "PORT"].contains(&word) {
                "1"
            } else {
                word
            }
            .to_owned()
        })
        .collect()
}

/// Whether it would write a torrc and say that the relay has no name, which is no mistake of the
/// command line alone.
fn lacks_name(line: &[String]) -> bool {
    let more = line.len() > 3 && line[1] == "torrc" && line.iter().any(|word| word == "--out");
    more && !line
        .iter()
        .any(|word| ["--nickname", "--from"].contains(&word.as_str()))
}

/// A hint that the command line refuses would be worse than none.
#[test]
fn what_people_are_told_to_run_is_taken() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let shell = Shell::new().unwrap();
    shell.change_dir(root);
    let files = cmd!(shell, "git ls-files *.rs *.c *.h *.md");
    let mut faults = Vec::new();
    let (mut complete, mut mentioned) = (0, 0);
    for file in files.quiet().read().unwrap().lines() {
        // What was.
        if file == "CHANGELOG.md" {
            continue;
        }
        let Ok(text) = fs_err::read_to_string(root.join(file)) else {
            continue;
        };
        for command in told(&text) {
            let words = words(&command);
            // `...` and its like: an example of any of them.
            if words
                .iter()
                .any(|word| ["...", "…"].contains(&word.as_str()))
            {
                continue;
            }
            let known = words
                .first()
                .is_some_and(|name| Cli::command().find_subcommand(name).is_some());
            if known && words.len() == 1 {
                // Its name alone is spoken of.
                mentioned += 1;
                continue;
            }
            let line: Vec<String> = std::iter::once("cargo xtask".to_owned())
                .chain(words)
                .collect();
            match Cli::command().try_get_matches_from(&line) {
                Ok(_) if lacks_name(&line) => {
                    faults.push(format!("{file}: `{command}`: without --nickname"));
                }
                Ok(_) => complete += 1,
                Err(error) if error.kind() == ErrorKind::DisplayHelp => complete += 1,
                Err(error) => {
                    let first = error.to_string();
                    let first = first.lines().next().unwrap_or_default().to_owned();
                    faults.push(format!("{file}: `{command}`: {first}"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(complete > 30 && mentioned > 10, "{complete}, {mentioned}");
}
