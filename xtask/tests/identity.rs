//! A relay of this machine's tor: imported, backed up, restored, and in a family.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../tests/common/program.rs"]
mod program;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use fs_err as fs;

use self::program::write_program;

fn xtask(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).current_dir(directory);
    command.output().unwrap()
}

/// Where tor 0.4.9 is on this machine.
fn tor() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut paths = std::env::split_paths(&folders).chain(["/usr/sbin".into()]);
    let found = paths.find_map(|folder| {
        let tor = folder.join("tor");
        let said = Command::new(&tor).arg("--version").output().ok()?;
        said.stdout.starts_with(b"Tor version 0.4.9").then_some(tor)
    });
    if found.is_none() {
        let line = b"SKIPPED identity: there is no tor 0.4.9 here\n";
        std::io::stderr().write_all(line).unwrap();
    }
    found
}

/// Has tor make a relay's keys in `data`, and returns its fingerprint.
fn list_fingerprint(tor: &Path, data: &Path) -> String {
    let empty = data.with_extension("torrc");
    fs::write(&empty, "").unwrap();
    let output = Command::new(tor)
        .args(["--defaults-torrc", "/dev/null", "--list-fingerprint", "-f"])
        .arg(&empty)
        .args(["--ORPort", "1", "--Nickname", "relay1", "--DataDirectory"])
        .arg(data)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .find(|line| line.starts_with("relay1 "))
        .unwrap()
        .to_owned()
}

fn ends(output: &Output, code: i32, error: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(code) && text.contains(error),
        "{code}, {error}: {output:?}"
    );
}

#[test]
fn a_relay_moves_and_stays_itself() {
    let Some(tor) = tor() else { return };
    let temp = tempfile::tempdir().unwrap();
    let here = temp.path();
    let uid = rustix::process::geteuid().as_raw().to_string();
    let uid = ["--uid", &uid];
    let before = list_fingerprint(&tor, &here.join("debian"));
    fs::create_dir(here.join("debian/hidden_service")).unwrap();

    let with = |arguments: &[&str]| xtask(here, &[arguments, &uid].concat());
    let said = with(&["import", "debian", "--to", "data/relay1"]);
    ends(&said, 0, "not part of a relay: debian/hidden_service\n");
    assert_eq!(list_fingerprint(&tor, &here.join("data/relay1")), before);
    let again = with(&["import", "debian", "--to", "data/relay1"]);
    ends(&again, 1, "hint: choose a directory without a relay");

    let said = with(&["backup", "data/relay1", "--out", "relay1.tar"]);
    ends(&said, 0, "backup: relay1.tar\n");
    let said = with(&["backup", "data/relay1", "--out", "relay1.tar"]);
    ends(&said, 1, "relay1.tar");
    let said = with(&["restore", "relay1.tar", "--to", "elsewhere"]);
    ends(&said, 0, "two relays with one identity harm each other");
    assert_eq!(list_fingerprint(&tor, &here.join("elsewhere")), before);
    let said = with(&["restore", "relay1.tar", "--to", "elsewhere"]);
    ends(&said, 1, "has a relay already");
    ends(
        &with(&["backup", ".", "--out", "none.tar"]),
        1,
        "not the data directory",
    );
}

#[test]
fn a_move_for_programs() {
    let temp = tempfile::tempdir().unwrap();
    let here = temp.path();
    fs::create_dir_all(here.join("old/keys")).unwrap();
    fs::create_dir(here.join("old/hidden_service")).unwrap();
    for (file, text) in [
        ("keys/secret_id_key", "x"),
        ("lock", ""),
        ("fingerprint", "a 65E4\n"),
    ] {
        fs::write(here.join("old").join(file), text).unwrap();
    }
    let uid = rustix::process::geteuid().as_raw().to_string();
    let with = |arguments: &[&str]| {
        let output = xtask(here, &[arguments, &["--json", "--uid", &uid]].concat());
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<serde_json::Value>(&output.stdout)
            .unwrap()
            .to_string()
    };
    let all = [
        with(&["import", "old", "--to", "new"]),
        with(&["backup", "new", "--out", "file.tar"]),
        with(&["restore", "file.tar", "--to", "newer"]),
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    {"format":1,"relay":"a 65E4","files":["fingerprint","keys/secret_id_key"],"left_out":["lock"],"unknown":["hidden_service"],"master_key_offline":true,"data":"new"}
    {"format":1,"relay":"a 65E4","files":["fingerprint","keys/secret_id_key"],"left_out":[],"unknown":[],"master_key_offline":true,"backup":"file.tar"}
    {"format":1,"relay":"a 65E4","files":["fingerprint","keys/secret_id_key"],"left_out":[],"unknown":[],"master_key_offline":true,"data":"newer"}
    "#);
}

#[test]
fn a_family_is_made_once() {
    let Some(tor) = tor() else { return };
    let temp = tempfile::tempdir().unwrap();
    let here = temp.path();
    fs::create_dir(here.join("one")).unwrap();
    let fingerprint = "65E45DB4F4C312B8B23790937E6EB819204F67F3";
    fs::write(
        here.join("one/fingerprint"),
        format!("relay1 {fingerprint}\n"),
    )
    .unwrap();
    let tor = tor.display().to_string();
    let family = |name: &str| {
        xtask(
            here,
            &[
                "family", name, "--out", "keys", "--tor", &tor, "--from", "one",
            ],
        )
    };
    let first = family("mine");
    ends(&first, 0, "mine.secret_family_key: written");
    let text = String::from_utf8(first.stdout.clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("FamilyId "), "{text}");
    assert_eq!(lines[1], format!("MyFamily ${fingerprint}"));
    // Tor takes the lines.
    let torrc =
        format!("ORPort 1\nNickname relay1\nSocksPort 0\nContactInfo a\nDataDirectory d\n{text}");
    fs::write(here.join("torrc"), torrc).unwrap();
    let checked = Command::new(&tor)
        .args([
            "--defaults-torrc",
            "/dev/null",
            "--verify-config",
            "-f",
            "torrc",
        ])
        .current_dir(here)
        .output()
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");
    let second = family("mine");
    ends(&second, 0, "mine.secret_family_key: there already");
    assert_eq!(first.stdout, second.stdout);
    ends(&family("../mine"), 1, "a family's name has 1 to 64 letters");
}

#[test]
fn status_of_nobody() {
    let temp = tempfile::tempdir().unwrap();
    for (answer, expected) in [
        (
            "echo healthy: bootstrapped",
            "not an answer from `relay-health --json`",
        ),
        ("echo >&2 No such container; exit 1", "No such container"),
    ] {
        let engine = temp.path().join("engine");
        write_program(&engine, &format!("#!/bin/sh\n{answer}\n"));
        let engine = engine.display().to_string();
        let said = xtask(temp.path(), &["status", "relay1", "--engine", &engine]);
        ends(&said, 1, expected);
    }
}

#[test]
fn status_of_a_relay() {
    let temp = tempfile::tempdir().unwrap();
    let engine = temp.path().join("engine");
    let answer = r#"{"format":1,"state":"starting","text":"no\u001b[2J","warnings":[],"facts":{"nickname":"relay1"}}"#;
    let script = format!(
        "#!/bin/sh\n[ \"$*\" = 'exec -- relay1 relay-health --json' ] || exit 9\ncat <<'E'\n{answer}\nE\nexit 1\n"
    );
    write_program(&engine, &script);
    let engine = engine.display().to_string();
    let said = xtask(temp.path(), &["status", "relay1", "--engine", &engine]);
    assert_eq!(said.status.code(), Some(1));
    let text = String::from_utf8(said.stdout).unwrap();
    assert_eq!(text, "state     starting: no\\u{1b}[2J\nnickname  relay1\n");
    let said = xtask(
        temp.path(),
        &["--json", "status", "relay1", "--engine", &engine],
    );
    let value: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(
        (&value["format"], &value["state"]),
        (&1.into(), &"starting".into())
    );
}

/// With a passphrase from standard input.
fn master_key(directory: &Path, arguments: &[&str], passphrase: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("master-key")
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // What asks for none does not read it.
    let _ = input.write_all(passphrase.as_bytes());
    drop(input);
    child.wait_with_output().unwrap()
}

/// Which ed25519 identity a tor without the master key has, or what it says instead.
fn starts_with(tor: &Path, data: &Path) -> Result<String, String> {
    let output = Command::new(tor)
        .args(["--defaults-torrc", "/dev/null", "-f", "/dev/null"])
        .args(["--ignore-missing-torrc", "--list-fingerprint", "ed25519"])
        .args(["--OfflineMasterKey", "1", "--ORPort", "1"])
        .args(["--Nickname", "relay1", "--DataDirectory"])
        .arg(data)
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = out.lines().find(|line| line.starts_with("relay1 "));
    found.map(str::to_owned).ok_or(out)
}

#[test]
fn a_master_key_is_kept_elsewhere() {
    let Some(tor) = tor() else { return };
    let temp = tempfile::tempdir().unwrap();
    let here = temp.path();
    let program = tor.to_str().unwrap();
    let uid = rustix::process::geteuid().as_raw().to_string();
    let make = |more: &[&str], passphrase: &str| {
        let arguments = [&["make", "usb", "--tor", program], more].concat();
        master_key(here, &arguments, passphrase)
    };
    let install = || {
        let carried = "usb/for-the-relay";
        master_key(
            here,
            &["install", carried, "--to", "data", "--uid", &uid],
            "",
        )
    };

    ends(&make(&[], "\n"), 1, "the passphrase is empty");
    let first = make(&["--days", "10"], "open sesame\n");
    ends(&first, 0, "master-key install for-the-relay");
    let keys = here.join("usb/keys");
    assert!(keys.join("ed25519_master_id_secret_key_encrypted").exists());
    assert!(!keys.join("ed25519_master_id_secret_key").exists());
    ends(&install(), 0, "a signing key, good until");
    let data = here.join("data");
    assert!(!data.join("keys/ed25519_master_id_secret_key").exists());
    let identity = starts_with(&tor, &data).unwrap();

    // Renewed, it is the same relay; with another passphrase it cannot be.
    let certificate = || fs::read(data.join("keys/ed25519_signing_cert")).unwrap();
    let before = certificate();
    ends(&make(&[], "wrong\n"), 1, "is this the right passphrase?");
    ends(&make(&["--days", "30"], "open sesame\n"), 0, "good until");
    ends(&install(), 0, "good until");
    assert_ne!(certificate(), before);
    assert_eq!(starts_with(&tor, &data).unwrap(), identity);

    // A relay that runs gives its master key away, in clear as it is; another relay's stays out.
    let running = here.join("running");
    list_fingerprint(&tor, &running);
    let arguments = ["make", "two", "--tor", program, "--from", "running"];
    let taken = master_key(here, &arguments, "");
    ends(&taken, 0, "the relay still has its master key");
    let arguments = [
        "install",
        "two/for-the-relay",
        "--to",
        "data",
        "--uid",
        &uid,
    ];
    ends(
        &master_key(here, &arguments, ""),
        1,
        "belongs to another relay than",
    );
    let arguments = [
        "install",
        "two/for-the-relay",
        "--to",
        "running",
        "--uid",
        &uid,
    ];
    ends(
        &master_key(here, &arguments, ""),
        0,
        "the master key is here, too",
    );
    ends(
        &master_key(here, &["install", "usb", "--to", "data"], ""),
        1,
        "hint: `cargo xtask master-key make",
    );
    assert_eq!(starts_with(&tor, &data).unwrap(), identity);
}
