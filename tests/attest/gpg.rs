//! A real GnuPG with a home of its own makes the signature.

#[path = "../common/program.rs"]
mod program;

use std::path::{Path, PathBuf};

use relaysmith::publish::attest::{Error, Quorum, Signed, sign};
use relaysmith::verify::TrustPolicy;
use tempfile::TempDir;

use crate::scene::{RELEASE, statement};

use self::program::write_program;

/// A home of GnuPG, whose agent ends with it.
struct Gpg {
    home: TempDir,
}

impl Gpg {
    /// None, said aloud, where there is no GnuPG.
    fn new() -> Option<Self> {
        if duct::cmd!("gpg", "--version").stdout_null().run().is_err() {
            eprintln!("SKIPPED: there is no gpg here, so none has signed");
            return None;
        }
        let home = tempfile::tempdir().unwrap();
        // Without it, each start of the agent measures how many rounds take a while.
        fs_err::write(home.path().join("gpg-agent.conf"), "s2k-count 65536\n").unwrap();
        Some(Self { home })
    }

    /// A program that runs gpg in this home with more `options`.
    fn program(&self, name: &str, options: &str) -> String {
        let path = self.home.path().join(name);
        let home = self.home.path().display();
        let text = format!("#!/bin/sh\nexec gpg --homedir '{home}' {options} \"$@\"\n");
        write_program(&path, &text);
        path.to_str().unwrap().to_owned()
    }

    fn run(&self, arguments: &[&str]) -> String {
        let home = self.home.path().to_str().unwrap();
        let all = ["--homedir", home, "--batch", "--quiet"];
        let all = all.iter().chain(arguments).copied();
        duct::cmd("gpg", all).stderr_null().read().unwrap()
    }

    /// Makes a key and returns the fingerprints of the primary key and the subkeys.
    fn key(&self, who: &str, passphrase: &str) -> Vec<String> {
        let secret = ["--pinentry-mode", "loopback", "--passphrase", passphrase];
        let make = |more: &[&str]| self.run(&[&secret, more].concat());
        make(&["--quick-generate-key", who, "ed25519", "cert", "never"]);
        let primary = self.fingerprints(who).remove(0);
        make(&["--quick-add-key", &primary, "ed25519", "sign", "never"]);
        // Its agent would remember the passphrase.
        self.stop();
        self.fingerprints(who)
    }

    fn stop(&self) {
        let home = self.home.path();
        let _ = duct::cmd!("gpgconf", "--homedir", home, "--kill", "all").run();
    }

    fn fingerprints(&self, who: &str) -> Vec<String> {
        let listed = self.run(&["--with-colons", "--list-keys", who]);
        let lines = listed.lines().filter(|line| line.starts_with("fpr:"));
        lines
            .map(|line| line.split(':').nth(9).unwrap().to_owned())
            .collect()
    }

    /// Pins the key.
    fn pinned(&self, fingerprint: &str) -> TempDir {
        let keys = tempfile::tempdir().unwrap();
        let certificate = self.run(&["--armor", "--export", fingerprint]);
        fs_err::write(keys.path().join("a.asc"), certificate + "\n").unwrap();
        let text = format!(
            "version = 1\n[[signer]]\nid = \"a\"\nname = \"Alice\"\n\
             fingerprint = \"{fingerprint}\"\ncertificate = \"a.asc\"\n"
        );
        fs_err::write(keys.path().join("trust.toml"), text).unwrap();
        keys
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        self.stop();
    }
}

fn signed(root: &Path, keys: &TempDir, key: &str, program: &str) -> Result<Signed, Error> {
    let attesters = TrustPolicy::load(keys.path()).unwrap();
    sign(&statement(""), root, &attesters, key, program)
}

/// All files below a folder.
fn files(root: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs_err::read_dir(root) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(files(&path)),
            false => all.push(path),
        }
    }
    all.sort();
    all
}

#[test]
fn a_key_of_the_user_signs_and_counts() {
    let Some(gpg) = Gpg::new() else { return };
    let root = tempfile::tempdir().unwrap();
    let key = gpg.key("alice", "");
    let keys = gpg.pinned(&key[0]);
    let made = signed(root.path(), &keys, &key[0], &gpg.program("gpg", "")).unwrap();
    assert!(made.pinned);
    let folder = root.path().join("attestations").join(RELEASE);
    let statement_file = folder.join(format!("{}.json", key[0]));
    let signature_file = folder.join(format!("{}.json.asc", key[0]));
    assert_eq!(files(root.path()), [statement_file.clone(), signature_file]);
    assert_eq!(
        fs_err::read_to_string(statement_file).unwrap(),
        statement("").to_json().unwrap()
    );

    let attesters = TrustPolicy::load(keys.path()).unwrap();
    let quorum = Quorum::read(root.path(), &attesters, &statement("")).unwrap();
    assert_eq!(quorum.require(1).unwrap(), ["Alice"]);

    let other = gpg.key("bob", "");
    let made = signed(root.path(), &keys, &other[0], &gpg.program("gpg", "")).unwrap();
    assert!(!made.pinned);
    let quorum = Quorum::read(root.path(), &attesters, &statement("")).unwrap();
    assert_eq!(quorum.require(1).unwrap(), ["Alice"]);
}

#[test]
fn nothing_is_written_unless_the_signature_is_good() {
    let Some(gpg) = Gpg::new() else { return };
    let root = tempfile::tempdir().unwrap();
    let key = gpg.key("alice", "secret");
    let keys = gpg.pinned(&key[0]);
    let stranger = "0".repeat(40);
    let plain = gpg.program("plain", "");
    let cancelled = gpg.program("cancelled", "--pinentry-mode cancel");
    let open = "--pinentry-mode loopback --passphrase";
    let wrong = gpg.program("wrong", &format!("{open} guess"));
    let right = gpg.program("right", &format!("{open} secret"));
    let weak = gpg.program("weak", &format!("{open} secret --digest-algo SHA1"));
    for (what, key, program, expected) in [
        ("no such key", &stranger, &plain, "No secret key"),
        ("a pinentry that is closed", &key[0], &cancelled, "cancel"),
        ("a wrong passphrase", &key[0], &wrong, "Bad passphrase"),
        (
            "no such program",
            &key[0],
            &"/nowhere/gpg".to_owned(),
            "No such file",
        ),
        ("a subkey's fingerprint", &key[1], &right, "fingerprint"),
        ("SHA-1", &key[0], &weak, "needs sha1-data"),
    ] {
        let error = signed(root.path(), &keys, key, program).unwrap_err();
        assert!(error.to_string().contains(expected), "{what}: {error}");
        assert!(error.hint().is_some(), "{what}");
        assert_eq!(files(root.path()), Vec::<PathBuf>::new(), "{what}");
    }
    signed(root.path(), &keys, &key[0], &right).unwrap();
}
