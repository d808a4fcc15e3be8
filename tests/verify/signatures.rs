//! What a detached signature is worth, one flaw a row.

use std::time::Duration;

use insta::assert_snapshot;
use relaysmith::verify::judge;
use sequoia_openpgp::packet::Signature;
use sequoia_openpgp::types::{HashAlgorithm, KeyFlags, ReasonForRevocation, SignatureType};

use crate::material::{FILE, Keys, Person, Recipe, armored, builder, now, signed, year};

const STALE: &str = "status = \"stale\"";
const SHA1_BINDING: &str = "status = \"weak\"\nalgorithms = [\"sha1-binding\"]";
const SHA1_DATA: &str = "status = \"weak\"\nalgorithms = [\"sha1-data\"]";
const DSA1024: &str = "status = \"weak\"\nalgorithms = [\"dsa1024\"]";
const BOTH: &str = "status = \"weak\"\nalgorithms = [\"dsa1024\", \"sha1-binding\"]";

/// One pinned signer, one signature.
fn one(person: &Person, signature: &[u8]) -> String {
    Keys::pin(&[person], 1).verify(signature)
}

fn rows(rows: &[(&str, String)]) -> String {
    let rows: Vec<String> = rows
        .iter()
        .map(|(name, seen)| format!("{name}\n  {seen}"))
        .collect();
    rows.join("\n")
}

// Guards: U1.
#[test]
fn the_file_and_the_time() {
    let alice = Recipe::default().make();
    let rsa = Recipe {
        rsa: true,
        ..Recipe::default()
    };
    let rsa = rsa.make();
    let over = |kind, data: &[u8]| {
        let signature = signed(&alice.subkey, year(2020), HashAlgorithm::SHA256, kind, data);
        one(&alice, &armored(&[signature]))
    };
    let typed = |kind| {
        let nothing = HashAlgorithm::SHA256.context().unwrap().for_signature(4);
        let signature = builder(year(2020), HashAlgorithm::SHA256, kind)
            .sign_hash(&mut alice.subkey.clone(), nothing)
            .unwrap();
        one(&alice, &armored(&[signature]))
    };
    let tomorrow = now() + Duration::from_secs(86_400);
    let expiring = builder(year(2020), HashAlgorithm::SHA256, SignatureType::Binary)
        .set_signature_validity_period(Duration::from_secs(86_400))
        .unwrap()
        .sign_message(&mut alice.subkey.clone(), FILE)
        .unwrap();
    let unknown = builder(year(2020), HashAlgorithm::SHA256, SignatureType::Binary)
        .set_notation("critical@example.org", b"", None, true)
        .unwrap()
        .sign_message(&mut alice.subkey.clone(), FILE)
        .unwrap();
    let by_primary = signed(
        &alice.primary,
        year(2020),
        HashAlgorithm::SHA256,
        SignatureType::Binary,
        FILE,
    );
    assert_snapshot!(rows(&[
        ("by a subkey", one(&alice, &armored(&[alice.sign(year(2020))]))),
        ("by the primary key", one(&alice, &armored(&[by_primary]))),
        ("by an RSA key", one(&rsa, &armored(&[rsa.sign(year(2020))]))),
        ("as text", over(SignatureType::Text, b"a tarball\r\nof two\r\nlines")),
        ("another file", over(SignatureType::Binary, b"another tarball")),
        ("another file as text", over(SignatureType::Text, b"a tarball\nof two\r\nlines")),
        ("a standalone signature", typed(SignatureType::Standalone)),
        ("a timestamp", typed(SignatureType::Timestamp)),
        ("a certification", typed(SignatureType::PositiveCertification)),
        ("made tomorrow", one(&alice, &armored(&[alice.sign(tomorrow)]))),
        ("before its key", one(&alice, &armored(&[alice.sign(year(2011))]))),
        ("itself expired", one(&alice, &armored(&[expiring]))),
        ("a critical notation", one(&alice, &armored(&[unknown]))),
    ]), @r#"
    by a subkey
      signed by 1 of 1; A: good
    by the primary key
      signed by 1 of 1; A: good
    by an RSA key
      signed by 1 of 1; A: good
    as text
      signed by 1 of 1; A: good
    another file
      REFUSED thing 1: signature by A: bad: it does not match the file
    another file as text
      REFUSED thing 1: signature by A: bad: it does not match the file
    a standalone signature
      REFUSED thing 1: signature by A: bad: it is a Standalone signature, not one over a file
    a timestamp
      REFUSED thing 1: signature by A: bad: it is a Timestamp signature, not one over a file
    a certification
      REFUSED thing 1: signature by A: bad: it is a PositiveCertification signature, not one over a file
    made tomorrow
      REFUSED thing 1: signature by A: bad: made on 2026-01-02, but this machine's clock says 2026-01-01
    before its key
      REFUSED thing 1: signature by A: bad: made on 2011-01-01, before its key was created on 2012-01-01
    itself expired
      REFUSED thing 1: signature by A: bad: the signature itself expired on 2020-01-02
    a critical notation
      REFUSED thing 1: signature by A: bad: Critical notation "critical@example.org" is not considered secure
    "#);
}

// Guards: U1.
#[test]
fn signers() {
    let [alice, bob, carol] = [(); 3].map(|()| Recipe::default().make());
    let (twice, first) = alice.clone().with_another_subkey(&Recipe::default());
    let of = |people: &[&Person], threshold, signatures: &[&Signature]| {
        let seen = Keys::pin(people, threshold).verify(&armored(signatures.iter().copied()));
        seen.replace(&carol.subkey.public().fingerprint().to_hex(), "CAROL")
            .replace(&alice.subkey.public().fingerprint().to_hex(), "ALICE")
    };
    let [a, b, c] = [&alice, &bob, &carol].map(|person| person.sign(year(2020)));
    let bad_a = signed(
        &alice.subkey,
        year(2020),
        HashAlgorithm::SHA512,
        SignatureType::Binary,
        b"another tarball",
    );
    let first = signed(
        &first,
        year(2020),
        HashAlgorithm::SHA512,
        SignatureType::Binary,
        FILE,
    );
    let also_b = Keys::pin(&[&alice, &bob], 1).only_a();
    let bad_b = signed(
        &bob.subkey,
        year(2020),
        HashAlgorithm::SHA512,
        SignatureType::Binary,
        b"another tarball",
    );
    let several = [armored([&a]), armored([&b])].concat();
    assert_snapshot!(rows(&[
        ("two of two", of(&[&alice, &bob], 2, &[&a, &b])),
        ("in two blocks of armor", Keys::pin(&[&alice, &bob], 2).verify(&several)),
        ("one of two is enough", of(&[&alice, &bob], 1, &[&b])),
        ("one of two needed", of(&[&alice, &bob], 2, &[&b])),
        ("the same signature twice", of(&[&alice, &bob], 2, &[&a, &a])),
        ("two subkeys of one signer", of(&[&twice, &bob], 2, &[&first, &twice.sign(year(2020))])),
        ("a stranger", of(&[&alice], 1, &[&c])),
        ("a stranger beside", of(&[&alice], 1, &[&c, &a])),
        ("one good, one bad", of(&[&alice, &bob], 1, &[&bad_a, &b])),
        ("good and bad by one", of(&[&alice, &bob], 1, &[&a, &bad_a])),
        ("pinned, but for other sources", also_b.verify(&armored([&b]))),
        ("bad by one who is pinned for others", also_b.verify(&armored([&a, &bad_b]))),
        ("unknown and bad", of(&[&carol], 1, &[&bad_a])),
    ]), @r"
    two of two
      signed by 2 of 2; A: good; B: good
    in two blocks of armor
      signed by 2 of 2; A: good; B: good
    one of two is enough
      signed by 1 of 2; B: good
    one of two needed
      REFUSED thing 1: signed by 1 of 2 needed (B)
    the same signature twice
      REFUSED thing 1: signed by 1 of 2 needed (A)
    two subkeys of one signer
      REFUSED thing 1: signed by 1 of 2 needed (A)
    a stranger
      REFUSED thing 1: signed by 0 of 1 needed; CAROL: unknown signer: no certificate in keys/ has this key
    a stranger beside
      signed by 1 of 1; CAROL: unknown signer: no certificate in keys/ has this key; A: good
    one good, one bad
      REFUSED thing 1: signature by A: bad: it does not match the file
    good and bad by one
      REFUSED thing 1: signature by A: bad: it does not match the file
    pinned, but for other sources
      REFUSED thing 1: signed by 0 of 1 needed; B: unknown signer: pinned, but not a signer of thing
    bad by one who is pinned for others
      REFUSED thing 1: signature by B: bad: it does not match the file
    unknown and bad
      REFUSED thing 1: signed by 0 of 1 needed; ALICE: unknown signer: no certificate in keys/ has this key
    ");
}

#[test]
fn expiry() {
    let primary = Recipe {
        expires: Some(year(2018)),
        ..Recipe::default()
    };
    let subkey = Recipe {
        sub_expires: Some(year(2018)),
        ..Recipe::default()
    };
    let later = Recipe {
        expires: Some(year(2030)),
        sub_expires: Some(year(2031)),
        ..Recipe::default()
    };
    let [primary, subkey, later] = [primary, subkey, later].map(|recipe| recipe.make());
    let at = |person: &Person, made| one(person, &armored(&[person.sign(made)]));
    let allowed = |person: &Person, what| {
        let signature = armored(&[person.sign(year(2020))]);
        Keys::pin(&[person], 1).allow(what).verify(&signature)
    };
    assert_snapshot!(rows(&[
        ("not yet", at(&later, year(2020))),
        ("primary key, signed before", at(&primary, year(2017))),
        ("primary key, signed the second it expired", at(&primary, year(2018))),
        ("primary key, signed after", at(&primary, year(2020))),
        ("subkey, signed before", at(&subkey, year(2017))),
        ("subkey, signed after", at(&subkey, year(2020))),
        ("allowed", allowed(&primary, STALE)),
        ("another status allowed", allowed(&primary, BOTH)),
        ("allowed for another signer", Keys::pin(&[&later, &primary], 1)
            .allow(STALE)
            .verify(&armored(&[primary.sign(year(2020))]))),
    ]), @r"
    not yet
      signed by 1 of 1; A: good
    primary key, signed before
      signed by 1 of 1; A: expired-since: the key expired on 2018-01-01
    primary key, signed the second it expired
      REFUSED thing 1: signed by 0 of 1 needed; A: stale: our copy says the key expired on 2018-01-01 (not allowed)
    primary key, signed after
      REFUSED thing 1: signed by 0 of 1 needed; A: stale: our copy says the key expired on 2018-01-01 (not allowed)
    subkey, signed before
      signed by 1 of 1; A: expired-since: the key expired on 2018-01-01
    subkey, signed after
      REFUSED thing 1: signed by 0 of 1 needed; A: stale: our copy says the key expired on 2018-01-01 (not allowed)
    allowed
      signed by 1 of 1; A: stale: our copy says the key expired on 2018-01-01 (allowed: we know)
    another status allowed
      REFUSED thing 1: signed by 0 of 1 needed; A: stale: our copy says the key expired on 2018-01-01 (not allowed)
    allowed for another signer
      REFUSED thing 1: signed by 0 of 1 needed; B: stale: our copy says the key expired on 2018-01-01 (not allowed)
    ");
}

/// What an owner named somebody for, and what no program has heard of, revokes all the same.
// Guards: U2.
#[test]
fn revocations_that_others_overlook() {
    let (alice, bob) = (Recipe::default().make(), Recipe::default().make());
    let lost = ReasonForRevocation::KeyCompromised;
    let by = |revoker: &Person, named: &Person| {
        let named = alice.clone().naming_revoker(named);
        named.revoked_by(revoker, year(2022), lost)
    };
    let unnamed = alice.clone().revoked_by(&bob, year(2022), lost);
    let critical = alice.clone().revoked_with_critical(year(2022));
    let mallory = Recipe::default().make();
    let at = |person: &Person, others: &[&Person]| {
        let people: Vec<&Person> = [person].into_iter().chain(others.iter().copied()).collect();
        Keys::pin(&people, 1)
            .only_a()
            .verify(&armored(&[person.sign(year(2020))]))
    };
    for (what, said, refused) in [
        ("a pinned revoker", at(&by(&bob, &bob), &[&bob]), true),
        (
            "a revoker who is not pinned",
            at(&by(&bob, &bob), &[&mallory]),
            false,
        ),
        (
            "somebody pinned who was not named",
            at(&unnamed, &[&bob]),
            false,
        ),
        (
            "another than the one named",
            at(&by(&mallory, &bob), &[&bob]),
            false,
        ),
        (
            "an unknown critical subpacket",
            at(&critical, &[&bob]),
            true,
        ),
    ] {
        let found = said.contains("the certificate was revoked on 2022-01-01");
        assert_eq!(found, refused, "{what}: {said}");
    }
}

// Guards: U2.
#[test]
fn revocation() {
    let alice = Recipe::default().make();
    let at = |person: &Person| one(person, &armored(&[person.sign(year(2020))]));
    let whole = |when, reason| at(&alice.clone().revoked(year(when), reason));
    let subkey = |when, reason| at(&alice.clone().subkey_revoked(year(when), reason));
    let revoked = alice
        .clone()
        .revoked(year(2022), ReasonForRevocation::KeyCompromised);
    let bob = Recipe::default().make();
    let beside = armored(&[revoked.sign(year(2020)), bob.sign(year(2020))]);
    let retired = alice
        .clone()
        .revoked(year(2018), ReasonForRevocation::KeyRetired);
    let beside_retired = armored(&[retired.sign(year(2020)), bob.sign(year(2020))]);
    assert_snapshot!(rows(&[
        ("compromised, later", whole(2022, ReasonForRevocation::KeyCompromised)),
        ("compromised, before", whole(2018, ReasonForRevocation::KeyCompromised)),
        ("no reason, later", whole(2022, ReasonForRevocation::Unspecified)),
        ("superseded, before", whole(2018, ReasonForRevocation::KeySuperseded)),
        ("superseded, later", whole(2022, ReasonForRevocation::KeySuperseded)),
        ("retired, later", whole(2022, ReasonForRevocation::KeyRetired)),
        ("subkey compromised, later", subkey(2022, ReasonForRevocation::KeyCompromised)),
        ("subkey retired, before", subkey(2018, ReasonForRevocation::KeyRetired)),
        ("subkey retired, later", subkey(2022, ReasonForRevocation::KeyRetired)),
        ("compromised, beside a good one", Keys::pin(&[&revoked, &bob], 1).verify(&beside)),
        ("retired, beside a good one", Keys::pin(&[&retired, &bob], 1).verify(&beside_retired)),
    ]), @r"
    compromised, later
      REFUSED thing 1: signature by A: revoked: the certificate was revoked on 2022-01-01: key material has been compromised
    compromised, before
      REFUSED thing 1: signature by A: revoked: the certificate was revoked on 2018-01-01: key material has been compromised
    no reason, later
      REFUSED thing 1: signature by A: revoked: the certificate was revoked on 2022-01-01: no reason specified
    superseded, before
      REFUSED thing 1: signed by 0 of 1 needed; A: revoked: the certificate was retired on 2018-01-01: key is superseded
    superseded, later
      signed by 1 of 1; A: good: the certificate was retired on 2022-01-01, after this signature: key is superseded
    retired, later
      signed by 1 of 1; A: good: the certificate was retired on 2022-01-01, after this signature: key is retired and no longer used
    subkey compromised, later
      REFUSED thing 1: signature by A: revoked: its subkey was revoked on 2022-01-01: key material has been compromised
    subkey retired, before
      REFUSED thing 1: signed by 0 of 1 needed; A: revoked: its subkey was retired on 2018-01-01: key is retired and no longer used
    subkey retired, later
      signed by 1 of 1; A: good: its subkey was retired on 2022-01-01, after this signature: key is retired and no longer used
    compromised, beside a good one
      REFUSED thing 1: signature by A: revoked: the certificate was revoked on 2022-01-01: key material has been compromised
    retired, beside a good one
      signed by 1 of 2; A: revoked: the certificate was retired on 2018-01-01: key is retired and no longer used; B: good
    ");
}

#[test]
fn subkeys() {
    let made = |recipe: Recipe| {
        let person = recipe.make();
        one(&person, &armored(&[person.sign(year(2020))]))
    };
    assert_snapshot!(rows(&[
        ("for authentication", made(Recipe {
            sub_flags: KeyFlags::empty().set_authentication(),
            ..Recipe::default()
        })),
        ("no back-signature", made(Recipe {
            back_signature: false,
            ..Recipe::default()
        })),
        ("older than its primary key", made(Recipe {
            created: year(2015),
            ..Recipe::default()
        })),
    ]), @r"
    for authentication
      REFUSED thing 1: signature by A: bad: its key is not for signing
    no back-signature
      REFUSED thing 1: signature by A: bad: its subkey is not cross-signed (no primary key binding)
    older than its primary key
      signed by 1 of 1; A: good
    ");
}

#[test]
fn weak_algorithms() {
    let alice = Recipe::default().make();
    let old = Recipe {
        bindings: HashAlgorithm::SHA1,
        ..Recipe::default()
    };
    let stale = Recipe {
        expires: Some(year(2018)),
        ..old.clone()
    };
    let older = Recipe {
        bindings: HashAlgorithm::MD5,
        ..Recipe::default()
    };
    let [old, stale, older] = [old, stale, older].map(|recipe| recipe.make());
    let hashed = |hash| {
        let kind = SignatureType::Binary;
        armored(&[signed(&alice.subkey, year(2012), hash, kind, FILE)])
    };
    let allowed = |person: &Person, what, signature: &[u8]| {
        Keys::pin(&[person], 1).allow(what).verify(signature)
    };
    // An old date does not bring back old rules.
    let (sha1, md5) = (hashed(HashAlgorithm::SHA1), hashed(HashAlgorithm::MD5));
    let in_2012 = armored(&[old.sign(year(2012))]);
    let in_2020 = armored(&[stale.sign(year(2020))]);
    assert_snapshot!(rows(&[
        ("SHA-1 over the file", one(&alice, &sha1)),
        ("SHA-1 over the file, allowed", allowed(&alice, SHA1_DATA, &sha1)),
        ("SHA-1 over the file, allowed in bindings", allowed(&alice, SHA1_BINDING, &sha1)),
        ("MD5 over the file", allowed(&alice, SHA1_DATA, &md5)),
        ("SHA-1 in bindings", one(&old, &in_2012)),
        ("SHA-1 in bindings, allowed", allowed(&old, SHA1_BINDING, &in_2012)),
        ("SHA-1 in bindings, allowed over the file", allowed(&old, SHA1_DATA, &in_2012)),
        ("MD5 in bindings", allowed(&older, SHA1_BINDING, &armored(&[older.sign(year(2012))]))),
        ("SHA-1 in bindings, and stale, one allowed", allowed(&stale, SHA1_BINDING, &in_2020)),
        ("SHA-1 in bindings, and stale, both allowed",
            Keys::pin(&[&stale], 1).allow(SHA1_BINDING).allow(STALE).verify(&in_2020)),
    ]), @r"
    SHA-1 over the file
      REFUSED thing 1: signed by 0 of 1 needed; A: weak: needs sha1-data (not allowed)
    SHA-1 over the file, allowed
      signed by 1 of 1; A: weak: needs sha1-data (allowed: we know)
    SHA-1 over the file, allowed in bindings
      REFUSED thing 1: signed by 0 of 1 needed; A: weak: needs sha1-data (not allowed)
    MD5 over the file
      REFUSED thing 1: signature by A: bad: MD5 is not considered secure since 1997-02-01T00:00:00Z
    SHA-1 in bindings
      REFUSED thing 1: signed by 0 of 1 needed; A: weak: needs sha1-binding (not allowed)
    SHA-1 in bindings, allowed
      signed by 1 of 1; A: weak: needs sha1-binding (allowed: we know)
    SHA-1 in bindings, allowed over the file
      REFUSED thing 1: signed by 0 of 1 needed; A: weak: needs sha1-binding (not allowed)
    MD5 in bindings
      REFUSED thing 1: signature by A: bad: its key is not bound to the certificate: MD5 is not considered secure since 2004-02-01T00:00:00Z
    SHA-1 in bindings, and stale, one allowed
      REFUSED thing 1: signed by 0 of 1 needed; A: weak: needs sha1-binding; our copy says the key expired on 2018-01-01 (not allowed)
    SHA-1 in bindings, and stale, both allowed
      signed by 1 of 1; A: weak: needs sha1-binding; our copy says the key expired on 2018-01-01 (allowed: we know; we know)
    ");

    // Without a pin beside it nobody knows which of two colliding files was signed.
    let keys = Keys::pin(&[&alice], 1).allow(SHA1_DATA);
    let (file, signature) = (
        keys.dir.path().join("file"),
        keys.dir.path().join("file.asc"),
    );
    fs_err::write(&file, FILE).unwrap();
    fs_err::write(&signature, &sha1).unwrap();
    let verdict = judge(&keys.policy().unwrap(), &file, &signature, Some("thing"));
    assert_snapshot!(keys.shown(verdict.as_ref()), @"signed by 0 of 1 needed; A: weak: needs sha1-data (not allowed)");
}

/// Material made by GnuPG: `dsa1024/make.sh`.
#[test]
fn dsa() {
    const SUBKEY: &[u8] = include_bytes!("dsa1024/subkey.asc");
    const SUBKEY_SIGNATURE: &[u8] = include_bytes!("dsa1024/subkey.sig.asc");
    const ALONE: &[u8] = include_bytes!("dsa1024/alone.asc");
    const ALONE_SIGNATURE: &[u8] = include_bytes!("dsa1024/alone.sig.asc");
    let pinned = |certificate: &[u8]| {
        use sequoia_openpgp::{Cert, parse::Parse};
        let fingerprint = Cert::from_bytes(certificate)
            .unwrap()
            .fingerprint()
            .to_hex();
        Keys::pin_files(&[(fingerprint, certificate.to_vec())], 1)
    };
    let subkey = |what: Option<&str>| {
        let keys = pinned(SUBKEY);
        what.into_iter()
            .fold(keys, Keys::allow)
            .verify(SUBKEY_SIGNATURE)
    };
    let alone = |what: Option<&str>| {
        let keys = pinned(ALONE);
        what.into_iter()
            .fold(keys, Keys::allow)
            .verify(ALONE_SIGNATURE)
    };
    assert_snapshot!(rows(&[
        ("DSA-1024 binds an RSA subkey", subkey(None)),
        ("only DSA-1024 allowed", subkey(Some(DSA1024))),
        ("only SHA-1 in bindings allowed", subkey(Some(SHA1_BINDING))),
        ("both allowed", subkey(Some(BOTH))),
        ("DSA-1024 signs", alone(None)),
        ("DSA-1024 signs, allowed", alone(Some(DSA1024))),
        ("DSA-1024 signs, more allowed than needed", alone(Some(BOTH))),
    ]), @r"
    DSA-1024 binds an RSA subkey
      REFUSED thing 1: signed by 0 of 1 needed; A: weak: needs dsa1024 and sha1-binding (not allowed)
    only DSA-1024 allowed
      REFUSED thing 1: signed by 0 of 1 needed; A: weak: needs dsa1024 and sha1-binding (not allowed)
    only SHA-1 in bindings allowed
      REFUSED thing 1: signed by 0 of 1 needed; A: weak: needs dsa1024 and sha1-binding (not allowed)
    both allowed
      signed by 1 of 1; A: weak: needs dsa1024 and sha1-binding (allowed: we know)
    DSA-1024 signs
      REFUSED thing 1: signed by 0 of 1 needed; A: weak: needs dsa1024 (not allowed)
    DSA-1024 signs, allowed
      signed by 1 of 1; A: weak: needs dsa1024 (allowed: we know)
    DSA-1024 signs, more allowed than needed
      signed by 1 of 1; A: weak: needs dsa1024 (allowed: we know)
    ");
}
