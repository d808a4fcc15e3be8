//! `fetch` as it is run: what goes where, and the exit code.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::{Command, Output};

fn xtask(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).output().unwrap()
}

#[test]
fn exit_codes_and_streams() {
    let temp = tempfile::tempdir().unwrap();
    let cache = temp.path().join("cache");
    let cache = cache.to_str().unwrap();
    let offline = ["fetch", "--offline", "--cache-dir", cache];
    // Arguments, exit code, and how standard error begins.
    for (more, code, begins) in [
        (
            &[][..],
            1,
            "error: not available without a network:\n  libevent 2.1.13: ",
        ),
        (
            &["--quiet", "tor"],
            1,
            "error: not available without a network:\n  tor 0.4.9.12: ",
        ),
        (
            &["--json", "tor@0.4.9.13"],
            1,
            "error: not available without a network:\n  tor 0.4.9.13: ",
        ),
        (
            &["gcc"],
            1,
            "error: no source named `gcc` is pinned; there are `alpine`, ",
        ),
        (
            &["--tor-version", "0.4.8.1"],
            1,
            "error: tor 0.4.8.1 is not pinned; pinned versions: 0.4.9.11, 0.4.9.12 (default), ",
        ),
        (
            &["--nonsense"],
            2,
            "error: unexpected argument '--nonsense' found",
        ),
        (
            &["--quiet", "--verbose"],
            2,
            "error: the argument '--quiet' cannot be used with '--verbose'",
        ),
    ] {
        let output = xtask(&[&offline, more].concat());
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{more:?}: {complaint}");
        assert!(complaint.starts_with(begins), "{more:?}: {complaint}");
        // With `--json` the error is the result.
        let json = output.stdout.starts_with(b"{") && more.contains(&"--json");
        assert!(output.stdout.is_empty() || json, "{more:?}");
    }
}

#[test]
fn help_goes_to_standard_output() {
    let output = xtask(&["fetch", "--help"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("--source-dir <DIR>")
    );
}
