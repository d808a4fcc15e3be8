//! The certificates and signatures of this repository.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use relaysmith::fetch::Fetched;
use relaysmith::pins::Manifest;
use relaysmith::pins::debian::Packages;
use relaysmith::verify::{Error, TrustPolicy, Verdict, Verified, judge, verify};

/// 2026-11-22: what is out of date now stays so in these tests.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_305_600)
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn policy() -> TrustPolicy {
    TrustPolicy::load_at(&repository().join("keys"), now()).unwrap()
}

fn shown(result: Result<&Verdict, &Error>) -> String {
    let verdict = match result {
        Ok(verdict) => verdict,
        Err(error) => match error.verdict() {
            Some(verdict) => verdict,
            None => return error.to_string(),
        },
    };
    let mut text = verdict.conclusion().to_string();
    for finding in verdict.signatures() {
        let signer = finding.signer.as_deref().unwrap_or("-");
        let key = finding.key.as_deref().unwrap_or("-");
        text += &format!("\n  {signer}, {key}, {}: {finding}", finding.hash);
    }
    text
}

fn judged(file: &Path, signature: &Path, source: Option<&str>) -> String {
    let result = judge(&policy(), file, signature, source);
    shown(result.as_ref())
}

#[test]
fn tor_checksums() {
    let evidence = repository().join("keys/evidence");
    let mut seen = String::new();
    for version in ["0.4.9.11", "0.4.9.13"] {
        let list = evidence.join(format!("tor-{version}.tar.gz.sha256sum"));
        let signature = evidence.join(format!("tor-{version}.tar.gz.sha256sum.asc"));
        for source in [Some("tor"), None] {
            seen += &format!(
                "{version} {source:?}: {}\n",
                judged(&list, &signature, source)
            );
        }
    }
    insta::assert_snapshot!(seen, @r#"
    0.4.9.11 Some("tor"): signed by 2 of 2
      David Goulet, B74417EDDF22AC9F9E90F49142E86A2A11F48D36, SHA256: stale: our copy says the key expired on 2023-04-07 (allowed: our copy is old; later ones extend the expiry)
      Alexander Færøy, 514102454D0A87DB0767A1EBBE6A0531C18A9179, SHA512: stale: our copy says the key expired on 2024-12-02 (allowed: our copy is old; later ones extend the expiry)
    0.4.9.11 None: signed by 0 of 1 needed
      David Goulet, B74417EDDF22AC9F9E90F49142E86A2A11F48D36, SHA256: stale: our copy says the key expired on 2023-04-07 (not allowed)
      Alexander Færøy, 514102454D0A87DB0767A1EBBE6A0531C18A9179, SHA512: stale: our copy says the key expired on 2024-12-02 (not allowed)
    0.4.9.13 Some("tor"): signed by 2 of 2
      David Goulet, B74417EDDF22AC9F9E90F49142E86A2A11F48D36, SHA256: stale: our copy says the key expired on 2023-04-07 (allowed: our copy is old; later ones extend the expiry)
      Alexander Færøy, 514102454D0A87DB0767A1EBBE6A0531C18A9179, SHA512: stale: our copy says the key expired on 2024-12-02 (allowed: our copy is old; later ones extend the expiry)
    0.4.9.13 None: signed by 0 of 1 needed
      David Goulet, B74417EDDF22AC9F9E90F49142E86A2A11F48D36, SHA256: stale: our copy says the key expired on 2023-04-07 (not allowed)
      Alexander Færøy, 514102454D0A87DB0767A1EBBE6A0531C18A9179, SHA512: stale: our copy says the key expired on 2024-12-02 (not allowed)
    "#);
}

/// Past the test runner, which swallows what a passing test prints.
fn skipped(why: &str) {
    let line = format!("SKIPPED tarballs_in_hand: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// What is available of the signed sources, from a folder that has them: they are too large
/// to be committed.
#[test]
fn tarballs_in_hand() {
    let Some(folder) = std::env::var_os("RELAYSMITH_TARBALLS").map(PathBuf::from) else {
        skipped("RELAYSMITH_TARBALLS names no folder with the pinned sources");
        return;
    };
    let manifest = Manifest::load(&repository().join("sources.toml")).unwrap();
    let verdict = |name: &str| {
        let source = manifest.get(name, None).unwrap();
        let path = folder.join(&source.file);
        if !path.exists() {
            skipped(&format!("{} is missing", path.display()));
            return None;
        }
        let verified = verify(&policy(), Fetched::check(&source, &path).unwrap());
        Some(shown(verified.as_ref().map(Verified::verdict)))
    };
    if let Some(seen) = verdict("libevent") {
        insta::assert_snapshot!(seen, @r"
        signed by 1 of 1
          Nick Mathewson, 7A02B3521DC75C542BA015456AFEE6D49E92B601, SHA512: stale: our copy says the key expired on 2025-10-04 (allowed: our copy ends in 2025; later ones extend the expiry)
        ");
    }
    if let Some(seen) = verdict("ncurses") {
        insta::assert_snapshot!(seen, @r"
        signed by 1 of 1
          Thomas Dickey, 19882D92DDA4C400C22C0D56CC2AF4472167BE03, SHA512: good
        ");
    }
    if let Some(seen) = verdict("openssl") {
        insta::assert_snapshot!(seen, @r"
        signed by 1 of 1
          OpenSSL, BA5473A2B0587B07FB27CF2D216094DFD0CB81EF, SHA512: expired-since: the key expired on 2026-09-08
        ");
    }
    if let Some(seen) = verdict("python") {
        insta::assert_snapshot!(seen, @r"
        signed by 1 of 1
          Thomas Wouters, 7169605F62C751356D054A26A821E680E5FA6305, SHA512: expired-since: the key expired on 2026-07-02
          Moritz Mühlenhoff, B6E62F3D12AC38495C0DA90510C293B6C37C4E36, SHA512: weak: needs sha1-binding (allowed: his certificate, of 2009, binds by SHA-1)
        ");
    }
    if let Some(seen) = verdict("nyx") {
        insta::assert_snapshot!(seen, @r"
        signed by 1 of 1
          Nilesh Patra, A095B66EE09024BEE6A2F0722A27904BD7243EDA, SHA256: good
        ");
    }
    if let Some(seen) = verdict("tor") {
        insta::assert_snapshot!(seen, @r"
        signed by 1 of 1
          Moritz Mühlenhoff, B6E62F3D12AC38495C0DA90510C293B6C37C4E36, SHA512: weak: needs sha1-binding (allowed: his certificate, of 2009, binds by SHA-1)
        ");
    }
}

/// Loading checks each fingerprint, and that there are no secret keys.
#[test]
fn every_certificate_is_pinned() {
    let text = fs_err::read_to_string(repository().join("keys/trust.toml")).unwrap();
    policy();
    let mut count = 0;
    for entry in fs_err::read_dir(repository().join("keys")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".asc") {
            // One that was wanted stays so named: whoever has no copy yet can do without.
            let named = ["certificate", "wanted"].map(|field| format!("{field} = \"{name}\""));
            assert!(named.iter().any(|line| text.contains(line)), "{name}");
            let pinned = name.trim_end_matches(".asc").rsplit_once('-').unwrap().1;
            assert!(
                text.contains(&format!("fingerprint = \"{pinned}\"")),
                "{name}"
            );
            count += 1;
        } else {
            assert!(
                ["attesters", "evidence", "trust.toml"].contains(&name.as_str()),
                "{name}"
            );
        }
    }
    let named = text.matches("\ncertificate = ").count();
    assert!(count >= named, "{count} of {named}");
}

#[test]
fn every_source_has_a_rule() {
    let manifest = Manifest::load(&repository().join("sources.toml")).unwrap();
    let mut sources: BTreeSet<&str> = manifest
        .sources()
        .map(|source| source.name.as_str())
        .collect();
    // Its rule is for the packages of the second toolchain, which have a manifest of their own.
    sources.insert("debian");
    let policy = policy();
    let rules: BTreeSet<&str> = policy.sources().collect();
    assert_eq!(sources, rules);
}

#[test]
fn all_evidence_is_used() {
    let manifest = Manifest::load(&repository().join("sources.toml")).unwrap();
    let sources: Vec<_> = manifest.sources().collect();
    let named = sources.iter().flat_map(|source| source.evidence_files());
    let mut named: BTreeSet<&str> = named.collect();
    let packages = Packages::load(&repository().join("toolchain-debian.toml")).unwrap();
    named.insert(&packages.release);
    for entry in fs_err::read_dir(repository().join("keys/evidence")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(named.contains(&*name), "{name}");
    }
}
