//! `relay-health bridge-line`: what a bridge's operator hands on, and what is refused.

use std::process::Command;

use fs_err as fs;
use tempfile::TempDir;

use super::health::program;
use super::{Said, run};

const LINE: &str =
    "obfs4 203.0.113.7:8443 65E45DB4F4C312B8B23790937E6EB819204F67F3 cert=ss/H+9 iat-mode=0";

/// What is said of a data directory whose `bridgelines` is `text`.
fn of(text: Option<&str>) -> Said {
    let folder = TempDir::new().unwrap();
    if let Some(text) = text {
        fs::write(folder.path().join("bridgelines"), text).unwrap();
    }
    run(Command::new(program())
        .arg("bridge-line")
        .arg(folder.path()))
}

#[test]
fn the_line_is_printed_as_it_is_pasted() {
    let said = of(Some(&format!("Bridge {LINE}\n")));
    assert_eq!((said.code, &*said.err), (Some(0), ""));
    assert_eq!(said.out, format!("{LINE}\n"));
    // One for each transport.
    let said = of(Some(&format!("Bridge {LINE}\nBridge other{LINE}\n")));
    assert_eq!(said.out, format!("{LINE}\nother{LINE}\n"));
}

#[test]
fn what_is_of_no_use_is_refused() {
    for (text, what) in [
        (None, "there is no bridge line: "),
        (Some(""), "there is no bridge line: "),
        (
            Some("Bridge obfs4 <IP ADDRESS>:8443 65E45DB4F4C312B8B23790937E6EB819204F67F3\n"),
            "the bridge line in ",
        ),
    ] {
        let said = of(text);
        assert_eq!((said.code, &*said.out), (Some(1), ""), "{text:?}");
        let start = format!("error: {what}");
        assert!(said.err.starts_with(&start), "{}", said.err);
        assert!(said.err.contains("\nhint: "), "{}", said.err);
    }
}

/// What a transport made up reaches no terminal as it is, and fits whatever its length.
#[test]
fn what_a_transport_says_is_escaped() {
    let said = of(Some("Bridge obfs4 \u{1b}[2J\u{7}\n"));
    assert_eq!(said.code, Some(0));
    assert!(
        !said.out.contains('\u{1b}') && !said.out.contains('\u{7}'),
        "{}",
        said.out
    );
    let long = "\u{1b}".repeat(100_000);
    assert_eq!(of(Some(&long)).code, Some(0));
}

#[test]
fn it_takes_a_folder_and_nothing_else() {
    for arguments in [
        &["bridge-line", "folder"][..],
        &["bridge-line", "/a", "/b"],
        &["--json", "bridge-line", "x"],
    ] {
        let said = run(Command::new(program()).args(arguments));
        assert_eq!(said.code, Some(2), "{arguments:?}");
    }
}
