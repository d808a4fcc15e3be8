//! What the files in `keys/` may hold, and what they may not.

use std::sync::Arc;

use insta::assert_snapshot;
use relaysmith::fetch::Fetched;
use relaysmith::pins::Signature as Evidence;
use relaysmith::verify::verify;
use sequoia_openpgp::Packet;
use sequoia_openpgp::armor::{Kind, Writer};
use sequoia_openpgp::packet::Literal;
use sequoia_openpgp::serialize::SerializeInto;
use sequoia_openpgp::types::{HashAlgorithm, SignatureType};

use crate::material::{FILE, Keys, Recipe, armored, signed, thing, year};

fn rows(rows: &[(&str, String)]) -> String {
    let rows: Vec<String> = rows
        .iter()
        .map(|(name, seen)| format!("{name}\n  {seen}"))
        .collect();
    rows.join("\n")
}

/// The text without the lines from the `from`th on.
fn cut(armored: &[u8], from: usize) -> Vec<u8> {
    let lines: Vec<&[u8]> = armored.split_inclusive(|&b| b == b'\n').collect();
    lines[..from].concat()
}

/// The text without the `line`th line.
fn without(armored: &[u8], line: usize) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = armored.split_inclusive(|&b| b == b'\n').collect();
    lines.remove(line);
    lines.concat()
}

#[test]
fn signature_files() {
    let alice = Recipe::default().make();
    let keys = Keys::pin(&[&alice], 1);
    let good = alice.sign(year(2020));
    let text = armored([&good]);
    let binary = Packet::from(good.clone()).to_vec().unwrap();
    let mut literal = Literal::new(sequoia_openpgp::types::DataFormat::Binary);
    literal.set_body(FILE.to_vec());
    let literal = Packet::from(literal).to_vec().unwrap();
    let in_armor = |kind, content: &[u8]| {
        let mut writer = Writer::new(Vec::new(), kind).unwrap();
        std::io::Write::write_all(&mut writer, content).unwrap();
        writer.finalize().unwrap()
    };
    let clear = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nhello\n";
    let crlf = String::from_utf8(text.clone())
        .unwrap()
        .replace('\n', "\r\n");
    let seen = [
        ("armored", keys.verify(&text)),
        ("armored, with CR LF", keys.verify(crlf.as_bytes())),
        (
            "armored, after some text",
            keys.verify(&[b"Hello!\n\n", &text[..]].concat()),
        ),
        ("binary", keys.verify(&binary)),
        (
            "two in binary",
            keys.verify(&[&binary[..], &binary].concat()),
        ),
        ("empty", keys.verify(b"")),
        ("not armor", keys.verify(b"a signature\n")),
        (
            "armor around nothing",
            keys.verify(&in_armor(Kind::Signature, b"")),
        ),
        ("cut off before the end line", keys.verify(&cut(&text, 4))),
        ("cut off after the first line", keys.verify(&cut(&text, 1))),
        (
            "cut off, and another after it",
            keys.verify(&[cut(&text, 4), text.clone()].concat()),
        ),
        (
            "good, and another cut off",
            keys.verify(&[text.clone(), cut(&text, 4)].concat()),
        ),
        ("a line lost", keys.verify(&without(&text, 3))),
        ("binary, cut off", keys.verify(&binary[..binary.len() - 9])),
        ("noise", keys.verify(&[0xff; 100])),
        ("a certificate", keys.verify(&alice.armored())),
        (
            "a signed message",
            keys.verify(&in_armor(Kind::Message, &[&literal[..], &binary].concat())),
        ),
        (
            "a message called a signature",
            keys.verify(&in_armor(Kind::Signature, &literal)),
        ),
        ("clear text", keys.verify(&[clear, &text[..]].concat())),
        ("seventeen", keys.verify(&binary.repeat(17))),
        ("large", keys.verify(&vec![b'\n'; 70_000])),
        (
            "in a folder",
            keys.verify_by(Evidence::Detached {
                signature: "../a.asc".to_owned(),
            }),
        ),
        (
            "missing",
            keys.verify_by(Evidence::Detached {
                signature: "none.asc".to_owned(),
            }),
        ),
    ];
    assert_snapshot!(rows(&seen), @r"
    armored
      signed by 1 of 1; A: good
    armored, with CR LF
      signed by 1 of 1; A: good
    armored, after some text
      signed by 1 of 1; A: good
    binary
      signed by 1 of 1; A: good
    two in binary
      signed by 1 of 1; A: good; A: good
    empty
      REFUSED keys/evidence/thing.asc: holds no signature
    not armor
      REFUSED keys/evidence/thing.asc: holds no signature
    armor around nothing
      REFUSED keys/evidence/thing.asc: holds no signature
    cut off before the end line
      REFUSED keys/evidence/thing.asc: truncated: the ASCII armor does not end as it began
    cut off after the first line
      REFUSED keys/evidence/thing.asc: truncated: the ASCII armor does not end as it began
    cut off, and another after it
      REFUSED keys/evidence/thing.asc: truncated: the ASCII armor does not end as it began
    good, and another cut off
      REFUSED keys/evidence/thing.asc: truncated: the ASCII armor does not end as it began
    a line lost
      REFUSED keys/evidence/thing.asc: not readable as OpenPGP
    binary, cut off
      REFUSED keys/evidence/thing.asc: not readable as OpenPGP
    noise
      REFUSED keys/evidence/thing.asc: not readable as OpenPGP
    a certificate
      REFUSED keys/evidence/thing.asc: expected `PGP SIGNATURE`, got `PGP PUBLIC KEY BLOCK`
    a signed message
      REFUSED keys/evidence/thing.asc: expected `PGP SIGNATURE`, got `PGP MESSAGE`
    a message called a signature
      REFUSED keys/evidence/thing.asc: not a detached signature: it holds a packet of type `Literal Data Packet`
    clear text
      REFUSED keys/evidence/thing.asc: expected `PGP SIGNATURE`, got `PGP SIGNED MESSAGE`
    seventeen
      REFUSED keys/evidence/thing.asc: more than 16 signatures
    large
      REFUSED keys/evidence/thing.asc: larger than 65536 bytes
    in a folder
      REFUSED `../a.asc` is not the name of a file in keys/evidence/
    missing
      REFUSED failed to open file `keys/evidence/none.asc`: No such file or directory (os error 2)
    ");
}

/// A signature of the format's third version, which covers hardly anything that it says of itself.
#[test]
fn signatures_of_the_nineties_are_named() {
    let recipe = Recipe {
        rsa: true,
        ..Recipe::default()
    };
    let alice = recipe.make();
    let keys = Keys::pin(&[&alice], 1);
    let id = alice.subkey.public().keyid();
    let body = [
        &[3, 5, 0][..],
        // 2020-01-01
        &1_577_836_800_u32.to_be_bytes(),
        id.as_bytes(),
        // RSA and SHA-256, the start of the hash, and a number of one bit.
        &[1, 8, 0, 0, 0, 1, 1],
    ]
    .concat();
    let packet = [&[0x88, u8::try_from(body.len()).unwrap()][..], &body].concat();
    assert_eq!(
        keys.verify(&packet),
        "REFUSED thing 1: signature by A: bad: it is a version 3 signature, a format from the \
         1990s that is not accepted"
    );
}

#[test]
fn certificate_files() {
    let alice = Recipe::default().make();
    let bob = Recipe::default().make();
    let signature = armored(&[alice.sign(year(2020))]);
    let text = alice.armored();
    let held = |bytes: &[u8]| {
        let seen = Keys::pin_files(&[(alice.fingerprint(), bytes.to_vec())], 1).verify(&signature);
        seen.replace(&alice.fingerprint(), "ALICE")
            .replace(&bob.fingerprint(), "BOB")
            .replace(
                &alice.subkey.public().fingerprint().to_hex(),
                "ALICE'S SUBKEY",
            )
    };
    let secret = alice.cert.as_tsk().armored().to_vec().unwrap();
    let disguised = String::from_utf8(secret.clone()).unwrap();
    let disguised = disguised.replace("PRIVATE KEY", "PUBLIC KEY");
    let by_subkey = Keys::pin_files(
        &[(alice.subkey.public().fingerprint().to_hex(), text.clone())],
        1,
    );
    let by_subkey = by_subkey.verify(&signature);
    let seen = [
        ("as pinned", held(&text)),
        ("another's", held(&bob.armored())),
        (
            "pinned by its subkey",
            by_subkey
                .split_inclusive("fingerprint")
                .next()
                .unwrap()
                .to_owned(),
        ),
        ("two", held(&[text.clone(), bob.armored()].concat())),
        ("none", held(b"")),
        ("cut off", held(&cut(&text, 6))),
        ("a line lost", held(&without(&text, 3))[..7].to_owned()),
        ("with secret keys", held(&secret)),
        ("with secret keys, disguised", held(disguised.as_bytes())),
        ("a signature", held(&signature)),
        ("large", held(&vec![b'\n'; 300_000])),
    ];
    assert_snapshot!(rows(&seen), @r"
    as pinned
      signed by 1 of 1; A: good
    another's
      REFUSED keys/a.asc: expected fingerprint ALICE, got BOB
    pinned by its subkey
      REFUSED keys/a.asc: expected fingerprint
    two
      REFUSED keys/a.asc: expected one certificate, got 2
    none
      REFUSED keys/a.asc: expected one certificate, got 0
    cut off
      REFUSED keys/a.asc: truncated: the ASCII armor does not end as it began
    a line lost
      REFUSED
    with secret keys
      REFUSED keys/a.asc: holds a secret key
    with secret keys, disguised
      REFUSED keys/a.asc: holds a secret key
    a signature
      REFUSED keys/a.asc: expected `PGP PUBLIC KEY BLOCK`, got `PGP SIGNATURE`
    large
      REFUSED keys/a.asc: larger than 262144 bytes
    ");
}

#[test]
fn checksum_lists() {
    let alice = Recipe::default().make();
    let keys = Keys::pin(&[&alice], 1);
    let kind = SignatureType::Binary;
    let hex = thing(Evidence::None).digest.hex();
    let good = format!("{hex}  thing-1.tar.gz\n");
    let verify = |signed_list: &str, list: &str| {
        let list_bytes = signed_list.as_bytes();
        let signature = signed(
            &alice.subkey,
            year(2020),
            HashAlgorithm::SHA256,
            kind,
            list_bytes,
        );
        keys.evidence("list", list.as_bytes());
        keys.evidence("list.asc", &armored(&[signature]));
        keys.verify_by(Evidence::Checksum {
            checksums: "list".to_owned(),
            signature: "list.asc".to_owned(),
        })
        .replace(&hex, "HEX")
    };
    let other = good.replace("thing-1", "thing-0");
    let zeros = good.replace(&hex, &"0".repeat(64));
    let both = format!("{good}{zeros}");
    let seen = [
        ("as signed", verify(&good, &good)),
        (
            "for binary mode",
            verify(&good.replace("  ", " *"), &good.replace("  ", " *")),
        ),
        ("tampered with", verify(&zeros, &good)),
        ("a line added", verify(&good, &format!("{good}{other}"))),
        ("names another file", verify(&other, &other)),
        ("another digest", verify(&zeros, &zeros)),
        ("another digest, too", verify(&both, &both)),
        ("empty", verify("", "")),
        ("large", verify(&good, &good.repeat(20_000))),
        (
            "in a folder",
            keys.verify_by(Evidence::Checksum {
                checksums: "../a.asc".to_owned(),
                signature: "list.asc".to_owned(),
            }),
        ),
    ];
    assert_snapshot!(rows(&seen), @r"
    as signed
      signed by 1 of 1; A: good
    for binary mode
      signed by 1 of 1; A: good
    tampered with
      REFUSED thing 1: signature by A: bad: it does not match the file
    a line added
      REFUSED thing 1: signature by A: bad: it does not match the file
    names another file
      REFUSED keys/evidence/list: expected a checksum of thing-1.tar.gz, got those of: thing-0.tar.gz
    another digest
      REFUSED keys/evidence/list:1: thing-1.tar.gz: expected sha256:HEX, listed as 0000000000000000000000000000000000000000000000000000000000000000
    another digest, too
      REFUSED keys/evidence/list:2: thing-1.tar.gz: expected sha256:HEX, listed as 0000000000000000000000000000000000000000000000000000000000000000
    empty
      REFUSED keys/evidence/list: expected a checksum of thing-1.tar.gz, got those of: nothing
    large
      REFUSED keys/evidence/list: larger than 1048576 bytes
    in a folder
      REFUSED `../a.asc` is not the name of a file in keys/evidence/
    ");
}

// Guards: U1.
#[test]
fn rules() {
    let alice = Recipe::default().make();
    let signature = armored(&[alice.sign(year(2020))]);
    let by = |rule: &str, signed: bool| {
        let mut keys = Keys::pin(&[&alice], 1);
        keys.rule = rule.to_owned();
        if signed {
            keys.verify(&signature)
        } else {
            keys.verify_by(Evidence::None)
        }
    };
    const SIGNED: &str = "[[source]]\nname = \"thing\"\nsigners = [\"a\"]\nthreshold = 1\n";
    const EITHER: &str = "[[source]]\nname = \"thing\"\nsigners = [\"a\"]\nthreshold = 1\ndigest-only = \"not available\"\n";
    const UNSIGNED: &str = "[[source]]\nname = \"thing\"\ndigest-only = \"nobody signs it\"\n";
    let seen = [
        ("no rule", by("", true)),
        ("signature needed, given", by(SIGNED, true)),
        ("signature needed, none", by(SIGNED, false)),
        ("either, given", by(EITHER, true)),
        ("either, none", by(EITHER, false)),
        ("no signer, given", by(UNSIGNED, true)),
        ("no signer, none", by(UNSIGNED, false)),
    ];
    assert_snapshot!(rows(&seen), @r"
    no rule
      REFUSED keys/trust.toml: no rule for source `thing`; there are rules for 
    signature needed, given
      signed by 1 of 1; A: good
    signature needed, none
      REFUSED thing 1: the manifest names no signature, and keys/trust.toml does not allow that
    either, given
      signed by 1 of 1; A: good
    either, none
      digest only: not available
    no signer, given
      REFUSED thing 1: the manifest names a signature, but keys/trust.toml no signer
    no signer, none
      digest only: nobody signs it
    ");
}

#[test]
fn a_file_that_changes_under_our_hands() {
    let alice = Recipe::default().make();
    let keys = Keys::pin(&[&alice], 1);
    let other = b"another tarball, also signed";
    let kind = SignatureType::Binary;
    let signature = signed(
        &alice.subkey,
        year(2020),
        HashAlgorithm::SHA256,
        kind,
        other,
    );
    keys.evidence("thing.asc", &armored(&[signature]));
    let path = keys.dir.path().join("thing-1.tar.gz");
    fs_err::write(&path, FILE).unwrap();
    let evidence = Evidence::Detached {
        signature: "thing.asc".to_owned(),
    };
    let fetched = Fetched::check(&Arc::new(thing(evidence)), &path).unwrap();
    fs_err::write(&path, other).unwrap();
    let error = verify(&keys.policy().unwrap(), fetched).unwrap_err();
    assert_snapshot!(keys.shown(Err(&error)), @"REFUSED thing 1: keys/thing-1.tar.gz changed after it was checked");
}
