//! What people and machines are told.

use insta::assert_snapshot;
use relaysmith::pins::Signature as Evidence;
use relaysmith::verify::{Error, Report};
use sequoia_openpgp::types::{HashAlgorithm, ReasonForRevocation, SignatureType};

use crate::material::{FILE, Keys, Person, Recipe, armored, signed, thing, year};

fn detached() -> Evidence {
    Evidence::Detached {
        signature: "thing.asc".to_owned(),
    }
}

/// Every key has its own name in place of its fingerprint, which differs each time.
fn named(text: &str, people: &[(&str, &Person)]) -> String {
    let mut text = text.to_owned();
    for (name, person) in people {
        let subkey = person.subkey.public().fingerprint().to_hex();
        text = text
            .replace(&person.fingerprint(), &format!("{name:A<40}"))
            .replace(&subkey, &format!("{name:B<40}"))
            .replace(&subkey[24..], &format!("{name:B<16}"));
    }
    text
}

#[test]
fn a_report() {
    let alice = Recipe {
        expires: Some(year(2018)),
        ..Recipe::default()
    };
    let (alice, bob, carol) = (
        alice.make(),
        Recipe::default().make(),
        Recipe::default().make(),
    );
    let hash = HashAlgorithm::SHA256;
    let other = b"another tarball";
    let bad = signed(&bob.subkey, year(2020), hash, SignatureType::Binary, other);
    let good = bob.sign(year(2021));
    let keys = Keys::pin(&[&alice, &bob], 2).allow("status = \"stale\"");
    let mut report = Report::default();
    let mut add = |keys: &Keys, evidence: Evidence, signature: &[u8]| {
        keys.evidence("thing.asc", signature);
        let result = keys.result(evidence.clone());
        report.add(&thing(evidence), result.as_ref());
        if let Ok(verified) = result {
            assert_eq!(fs_err::read(verified.path()).unwrap(), FILE);
        }
    };
    let both = [alice.sign(year(2020)), carol.sign(year(2022)), good];
    add(&keys, detached(), &armored(&both));
    add(&keys, detached(), &armored([&bad]));
    add(&keys, detached(), b"");
    let mut unsigned = Keys::pin(&[&alice, &bob], 2);
    unsigned.rule = "[[source]]\nname = \"thing\"\ndigest-only = \"nobody signs it\"\n".to_owned();
    add(&unsigned, Evidence::None, b"");

    let people = [("ALICE", &alice), ("BOB", &bob), ("CAROL", &carol)];
    let rows: Vec<String> = report.rows().iter().map(|row| row.join(" | ")).collect();
    let rows = named(&rows.join("\n"), &people);
    let rows = rows.replace(&keys.dir.path().display().to_string(), "keys");
    assert_snapshot!(rows, @r"
    thing | 1 | signed by upstream | A | 2020-01-01 | key copy expired, `cargo xtask keys refresh` fetches the current one
     |  |  | - | 2022-01-01 | unknown signer: no certificate in keys/ has this key
     |  |  | B | 2021-01-01 | good
    thing | 1 | refused | B | 2020-01-01 | bad: it does not match the file
    thing | 1 | refused | - | - | keys/evidence/thing.asc: holds no signature
    thing | 1 | digest only | - | - | nobody signs it
    ");
    assert_snapshot!(report.summary(), @"1 signed by upstream, 1 digest only, 2 refused");
    assert!(!report.accepted());
    let json = named(&serde_json::to_string_pretty(&report).unwrap(), &people);
    let json = json.replace(&keys.dir.path().display().to_string(), "keys");
    assert_snapshot!(json, @r#"
    {
      "sources": [
        {
          "name": "thing",
          "version": "1",
          "file": "thing-1.tar.gz",
          "digest": "sha256:9e2b20337dd61bf722086f2aee629ab2f27253649617cad86c121ca78ce06231",
          "accepted": true,
          "verdict": {
            "rung": "upstream",
            "conclusion": {
              "signed": {
                "by": [
                  "A",
                  "B"
                ],
                "of": 2
              }
            },
            "signatures": [
              {
                "rung": "upstream",
                "signer": "A",
                "primary": "ALICEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "key": "ALICEBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB",
                "made": "2020-01-01T00:00:00Z",
                "hash": "SHA512",
                "status": "stale",
                "weaknesses": [],
                "detail": "our copy says the key expired on 2018-01-01",
                "counts": true,
                "allowed": "we know"
              },
              {
                "rung": "upstream",
                "signer": null,
                "primary": null,
                "key": "CAROLBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB",
                "made": "2022-01-01T00:00:00Z",
                "hash": "SHA512",
                "status": "unknown-signer",
                "weaknesses": [],
                "detail": "no certificate in keys/ has this key",
                "counts": false,
                "allowed": null
              },
              {
                "rung": "upstream",
                "signer": "B",
                "primary": "BOBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "key": "BOBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB",
                "made": "2021-01-01T00:00:00Z",
                "hash": "SHA512",
                "status": "good",
                "weaknesses": [],
                "detail": "",
                "counts": true,
                "allowed": null
              }
            ]
          },
          "error": null
        },
        {
          "name": "thing",
          "version": "1",
          "file": "thing-1.tar.gz",
          "digest": "sha256:9e2b20337dd61bf722086f2aee629ab2f27253649617cad86c121ca78ce06231",
          "accepted": false,
          "verdict": {
            "rung": "upstream",
            "conclusion": {
              "broken": {
                "signer": "B",
                "why": "bad: it does not match the file"
              }
            },
            "signatures": [
              {
                "rung": "upstream",
                "signer": "B",
                "primary": "BOBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "key": "BOBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB",
                "made": "2020-01-01T00:00:00Z",
                "hash": "SHA256",
                "status": "bad",
                "weaknesses": [],
                "detail": "it does not match the file",
                "counts": false,
                "allowed": null
              }
            ]
          },
          "error": "thing 1: signature by B: bad: it does not match the file"
        },
        {
          "name": "thing",
          "version": "1",
          "file": "thing-1.tar.gz",
          "digest": "sha256:9e2b20337dd61bf722086f2aee629ab2f27253649617cad86c121ca78ce06231",
          "accepted": false,
          "verdict": null,
          "error": "keys/evidence/thing.asc: holds no signature"
        },
        {
          "name": "thing",
          "version": "1",
          "file": "thing-1.tar.gz",
          "digest": "sha256:9e2b20337dd61bf722086f2aee629ab2f27253649617cad86c121ca78ce06231",
          "accepted": true,
          "verdict": {
            "rung": "digest",
            "conclusion": {
              "digest-only": {
                "why": "nobody signs it"
              }
            },
            "signatures": []
          },
          "error": null
        }
      ]
    }
    "#);
}

#[test]
fn hints() {
    let alice = Recipe::default().make();
    let bob = Recipe::default().make();
    let stale = Recipe {
        expires: Some(year(2018)),
        ..Recipe::default()
    };
    let stale = stale.make();
    let revoked = alice
        .clone()
        .revoked(year(2022), ReasonForRevocation::KeyCompromised);
    let secret = {
        use sequoia_openpgp::serialize::SerializeInto;
        alice.cert.as_tsk().armored().to_vec().unwrap()
    };
    let good = armored(&[alice.sign(year(2020))]);
    let hint = |keys: &Keys, evidence: Evidence, signature: &[u8]| {
        keys.evidence("thing.asc", signature);
        let error: Error = keys.result(evidence).unwrap_err();
        let hint = error.hint().unwrap_or_else(|| "(none)".to_owned());
        hint.replace(&keys.dir.path().display().to_string(), "keys")
    };
    let pinned = Keys::pin(&[&alice], 1);
    let mut no_rule = Keys::pin(&[&alice], 1);
    no_rule.rule.clear();
    let with_secret = Keys::pin_files(&[(alice.fingerprint(), secret)], 1);
    let another = Keys::pin_files(&[(alice.fingerprint(), bob.armored())], 1);
    let hints = [
        ("another's certificate", hint(&another, detached(), &good)),
        ("secret keys", hint(&with_secret, detached(), &good)),
        ("no rule", hint(&no_rule, detached(), &good)),
        ("unsigned", hint(&pinned, Evidence::None, &good)),
        ("cut off", hint(&pinned, detached(), &good[..100])),
        (
            "clear text",
            hint(&pinned, detached(), b"-----BEGIN PGP SIGNED MESSAGE-----\n"),
        ),
        (
            "stranger",
            hint(&pinned, detached(), &armored(&[bob.sign(year(2020))])),
        ),
        (
            "stale",
            hint(
                &Keys::pin(&[&stale], 1),
                detached(),
                &armored(&[stale.sign(year(2020))]),
            ),
        ),
        ("bad", hint(&Keys::pin(&[&revoked], 1), detached(), &good)),
        (
            "too few",
            hint(&Keys::pin(&[&alice, &bob], 2), detached(), &good),
        ),
    ];
    let hints: Vec<String> = hints
        .iter()
        .map(|(name, hint)| format!("{name}: {hint}"))
        .collect();
    assert_snapshot!(hints.join("\n"), @r#"
    another's certificate: fetch the certificate again, or, if the signer has a new key and says so where you can check it, pin that; `gpg --show-keys keys/a.asc` shows it
    secret keys: remove keys/a.asc and consider the key compromised; export the certificate alone with `gpg --export --armor FINGERPRINT`
    no rule: add to keys/trust.toml: `[[source]]`, `name = "thing"` and `signers` with `threshold`, or `digest-only` with the reason
    unsigned: name the signature in sources.toml, or give the reason as `digest-only` in keys/trust.toml
    cut off: download the file again from where upstream publishes it
    clear text: only detached signatures are accepted, in a separate file beside the signed one
    stranger: pin the signer in keys/trust.toml, once the fingerprint is checked through another channel than the one that brought the signature
    stale: refresh the certificates with `cargo xtask keys refresh`, or allow the status for that signer and source in keys/trust.toml, with a reason
    bad: do not use the file; compare it and its signature with what upstream publishes
    too few: (none)
    "#);
}
