//! The two programs that the image has besides tor, compiled by this machine's own compiler
//! with its sanitizers: what they say in every case that they are for, and to hostile input.

#![allow(clippy::unwrap_used, reason = "tests")]

mod bridge;
mod health;
mod start;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fs_err as fs;

/// What a program said and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Compiles `name` to `to`.
fn compile(name: &str, defines: &[(&str, &str)], to: &Path) {
    // The few bytes that a program leaves to the kernel to free are no leak.
    let options = to.with_extension("c");
    let text = "const char *__asan_default_options(void) { return \"detect_leaks=0\"; }\n";
    fs::write(
        &options,
        format!("const char *__asan_default_options(void);\n{text}"),
    )
    .unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/build/recipe/container");
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror"])
        .args(["-O1", "-g", "-fsanitize=address,undefined"])
        .arg("-fno-sanitize-recover=all")
        .args(
            defines
                .iter()
                .map(|(name, value)| format!("-D{name}={value}")),
        )
        .arg(source.join(name).with_extension("c"))
        .arg(options)
        .arg("-o")
        .arg(to);
    let output = cc.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}

/// Runs a program to its end.
fn run(command: &mut Command) -> Said {
    command.output().unwrap().into()
}

/// Where tor 0.4.9 is on this machine, if it is; a test that does without says so, past the
/// test runner, which swallows what a passing test prints.
fn tor(test: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut paths = std::env::split_paths(&folders).chain(["/usr/sbin".into()]);
    let found = paths.find_map(|folder| {
        let tor = folder.join("tor");
        let said = Command::new(&tor).arg("--version").output().ok()?;
        let right = said.stdout.starts_with(b"Tor version 0.4.9");
        right.then_some(tor)
    });
    if found.is_none() {
        skip(test, "there is no tor 0.4.9 here");
    }
    found
}

fn skip(test: &str, why: &str) {
    let line = format!("SKIPPED {test}: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
