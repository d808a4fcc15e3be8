#![allow(clippy::unwrap_used, reason = "tests")]

use std::os::unix::fs::symlink;
use std::process::Command;

use tempfile::TempDir;

use super::*;

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A data directory with a relay's files and others.
fn relay() -> TempDir {
    let folder = TempDir::new().unwrap();
    for (path, text) in [
        ("keys/secret_id_key", "secret"),
        ("keys/ed25519_master_id_secret_key", "master"),
        ("pt_state/obfs4_state.json", "{}"),
        ("fingerprint", "relay1 65E45D\n"),
        ("state", "TorVersion x\n"),
        ("cached-microdescs.new", "much"),
        ("lock", ""),
        ("control_auth_cookie", "cookie"),
        ("hidden_service/hostname", "x.onion"),
        ("notes.txt", "mine"),
    ] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

const KEPT: [&str; 5] = [
    "fingerprint",
    "keys/ed25519_master_id_secret_key",
    "keys/secret_id_key",
    "pt_state/obfs4_state.json",
    "state",
];

#[test]
fn what_is_kept_and_what_is_not() {
    let relay = relay();
    let identity = Identity::of_stopped(relay.path()).unwrap();
    let paths: Vec<String> = identity
        .paths()
        .map(|path| path.display().to_string())
        .collect();
    assert_eq!(paths, KEPT);
    assert_eq!(
        identity.left_behind,
        ["cached-microdescs.new", "control_auth_cookie", "lock"]
    );
    assert_eq!(identity.unknown, ["hidden_service", "notes.txt"]);
    assert_eq!(identity.fingerprint().unwrap(), "relay1 65E45D");
    assert!(!identity.lacks_master_key());
}

#[test]
fn through_a_backup_and_back() {
    let relay = relay();
    let backup = Identity::of(relay.path()).unwrap().archive(45553).unwrap();
    assert_eq!(
        backup,
        Identity::of(relay.path()).unwrap().archive(45553).unwrap()
    );
    let place = Path::new("backup.tar");
    let identity = Identity::from_archive(place, &backup).unwrap();
    let target = TempDir::new().unwrap();
    let data = target.path().join("data/relay1");
    identity.place(&data, me()).unwrap();
    for name in KEPT {
        let (from, to) = (relay.path().join(name), data.join(name));
        assert_eq!(fs::read(from).unwrap(), fs::read(&to).unwrap());
        assert_eq!(fs::metadata(&to).unwrap().mode() & 0o777, 0o600, "{name}");
    }
    for folder in ["", "keys", "pt_state"] {
        let mode = fs::metadata(data.join(folder)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700, "{folder}");
    }
    // Never over another.
    let again = identity.place(&data, me()).unwrap_err();
    assert!(
        again
            .to_string()
            .ends_with("has a relay already: keys/secret_id_key"),
        "{again}"
    );
    assert!(again.hint().unwrap().contains("two relays"), "{again}");
}

#[test]
fn what_is_no_relay() {
    let empty = TempDir::new().unwrap();
    let error = Identity::of(empty.path()).unwrap_err();
    assert!(
        error.to_string().contains("has no keys/secret_id_key"),
        "{error}"
    );
    for make in [
        |path: &Path| symlink("/etc/passwd", path).unwrap(),
        |path: &Path| {
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        },
    ] {
        let relay = relay();
        make(&relay.path().join("keys/other"));
        let error = Identity::of(relay.path()).unwrap_err();
        assert!(
            error.to_string().contains("keys/other: not a file"),
            "{error}"
        );
    }
    let relay = relay();
    let file = fs::File::create(relay.path().join("state")).unwrap();
    file.set_len(LONGEST + 1).unwrap();
    let error = Identity::of(relay.path()).unwrap_err();
    assert!(
        error.to_string().contains("more than a relay has"),
        "{error}"
    );
}

#[test]
fn a_tor_that_runs() {
    let relay = relay();
    let lock = fs::File::open(relay.path().join("lock")).unwrap();
    lock.file().lock().unwrap();
    let error = Identity::of_stopped(relay.path()).unwrap_err();
    assert!(
        error.to_string().starts_with("a tor is running with "),
        "{error}"
    );
    // A backup needs no stop: keys do not change.
    Identity::of(relay.path()).unwrap();
}

#[test]
fn hostile_backups() {
    let archive = |entries: &[(&[u8], tar::EntryType)]| {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, kind) in entries {
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..path.len()].copy_from_slice(path);
            header.set_entry_type(*kind);
            header.set_mode(0o600);
            header.set_size(1);
            header.set_cksum();
            archive.append(&header, &b"x"[..]).unwrap();
        }
        archive.into_inner().unwrap()
    };
    let file = tar::EntryType::Regular;
    for (entries, expected) in [
        (
            &[(&b"../keys/secret_id_key"[..], file)][..],
            "../keys/secret_id_key does not belong in a backup",
        ),
        (
            &[(b"/etc/shadow", file)],
            "/etc/shadow does not belong in a backup",
        ),
        (
            &[(b"keys/../../x", file)],
            "keys/../../x does not belong in a backup",
        ),
        (&[(b"torrc", file)], "torrc does not belong in a backup"),
        (&[(b"keys", file)], "keys does not belong in a backup"),
        (
            &[(b"keys/\x1b[2J", tar::EntryType::Symlink)],
            "keys/\\u{1b}[2J is not a file",
        ),
        (
            &[(b"state", file), (b"state", file)],
            "state is in it twice",
        ),
        (&[(b"state", file)], "has no keys/secret_id_key"),
        (&[], "has no keys/secret_id_key"),
    ] {
        let error = Identity::from_archive(Path::new("b.tar"), &archive(entries)).unwrap_err();
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
    assert!(Identity::from_archive(Path::new("b.tar"), b"no archive").is_err());
}

#[test]
fn for_another_user() {
    let relay = relay();
    let identity = Identity::of(relay.path()).unwrap();
    let target = TempDir::new().unwrap();
    let data = target.path().join("data");
    let placed = identity.place(&data, 45553);
    if me() == 0 {
        placed.unwrap();
        let key = fs::metadata(data.join(KEY)).unwrap();
        assert_eq!((key.uid(), key.gid()), (45553, 45553));
    } else {
        let error = placed.unwrap_err();
        assert!(error.to_string().contains("cannot give"), "{error}");
        assert_eq!(error.hint().unwrap(), "run it with sudo");
    }
}
