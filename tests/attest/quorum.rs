//! Who counts, one case a row.

use std::os::unix::fs::symlink;
use std::path::Path;

use insta::assert_snapshot;
use relaysmith::verify::TrustPolicy;
use sequoia_openpgp::types::ReasonForRevocation;

use crate::material::{Person, Recipe, year};
use crate::scene::{Scene, over, statement};

fn rows(rows: &[(&str, Scene)]) -> String {
    let rows: Vec<String> = rows
        .iter()
        .map(|(name, scene)| format!("{name}: {}", scene.seen()))
        .collect();
    rows.join("\n")
}

fn person() -> Person {
    Recipe::default().make()
}

/// Alice and Bob are pinned, and Bob agrees.
fn with_bob(alice: &Person, bob: &Person) -> Scene {
    Scene::new(&[("Alice", alice), ("Bob", bob)]).says(&bob.subkey, &statement(""))
}

/// Who signs for what lay in a cache says so, and counts for nobody.
// Guards: A1.
#[test]
fn what_came_from_a_cache_does_not_count() {
    let alice = person();
    let text = statement("").to_json().unwrap();
    let cached = text.replace(
        "\"toolchain\": \"\"",
        "\"toolchain\": \"\",\n        \"from_cache\": true",
    );
    assert_ne!(cached, text);
    let scene = Scene::new(&[("Alice", &alice)]).put(&cached, &[over(&alice.subkey, &cached)]);
    let quorum = scene.quorum().unwrap();
    assert!(quorum.agree().is_empty());
    assert!(
        scene.seen().contains("by [Alice]: of a cache"),
        "{}",
        scene.seen()
    );
}

/// A quorum may have builds by several toolchains in it: what comes out is what has to agree.
#[test]
fn another_toolchain_agrees() {
    let alice = person();
    let text = statement("").to_json().unwrap();
    let other = text.replace("\"name\": \"zig\"", "\"name\": \"debian\"");
    assert_ne!(other, text);
    let scene = Scene::new(&[("Alice", &alice)]).put(&other, &[over(&alice.subkey, &other)]);
    assert_eq!(scene.quorum().unwrap().agree(), ["Alice"]);
}

// Guards: A1.
#[test]
fn people() {
    let [alice, bob, mallory] = [(); 3].map(|()| person());
    let same = statement("");
    let text = same.to_json().unwrap();
    let scene = || with_bob(&alice, &bob);
    let both = [over(&alice.subkey, &text), over(&bob.subkey, &text)];
    let (twice, first) = alice.clone().with_another_subkey(&Recipe::default());
    let two_keys = Scene::new(&[("Alice", &alice), ("Alice", &bob)]);
    assert_snapshot!(rows(&[
        ("nobody", Scene::new(&[("Alice", &alice)])),
        ("two people", scene().says(&alice.subkey, &same)),
        ("by a primary key", scene().says(&alice.primary, &same)),
        ("in one file", Scene::new(&[("Alice", &alice), ("Bob", &bob)]).put(&text, &both)),
        ("one person twice", scene().says(&bob.subkey, &same)),
        ("a primary key and its subkey", scene().says(&bob.primary, &same)),
        ("two subkeys", Scene::new(&[("Alice", &twice)]).says(&twice.subkey, &same).says(&first, &same)),
        ("two certificates of one person", two_keys.says(&alice.subkey, &same).says(&bob.subkey, &same)),
        ("somebody unknown", scene().says(&mallory.subkey, &same)),
        ("somebody unknown who disagrees", scene().says(&mallory.subkey, &statement("manifest"))),
        ("nobody signed it", scene().put(&text, &[])),
    ]), @r#"
    nobody: REFUSED 0 of 2 attesters agree with the record of RELEASE
    two people: reached by Alice, Bob
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: agrees; differs in []
    by a primary key: reached by Alice, Bob
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: agrees; differs in []
    in one file: reached by Alice, Bob
      1.json by [Alice, Bob]: agrees; differs in []
    one person twice: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Bob]: agrees; differs in []
    a primary key and its subkey: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Bob]: agrees; differs in []
    two subkeys: REFUSED 1 of 2 attesters agree with the record of RELEASE (Alice)
      1.json by [Alice]: agrees; differs in []
      2.json by [Alice]: agrees; differs in []
    two certificates of one person: REFUSED 1 of 2 attesters agree with the record of RELEASE (Alice)
      1.json by [Alice]: agrees; differs in []
      2.json by [Alice]: agrees; differs in []
    somebody unknown: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by []: nothing that counts
    somebody unknown who disagrees: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by []: nothing that counts
    nobody signed it: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by []: nothing that counts
    "#);
}

// Guards: A1.
#[test]
fn what_is_said() {
    let [alice, bob] = [(); 2].map(|()| person());
    let says = |odd: &str| with_bob(&alice, &bob).says(&alice.subkey, &statement(odd));
    let twice = |odd: &str| says(odd).says(&alice.subkey, &statement(""));
    assert_snapshot!(rows(&[
        ("another layer", says("tor layer")),
        ("another manifest", says("manifest")),
        ("another config", says("config")),
        ("another file of a component", says("zlib's file")),
        ("another user", says("uid")),
        ("the same from another source", says("zlib")),
        ("the same by another compiler", says("zig")),
        ("another version", says("version")),
        ("another target", says("target")),
        ("another variant", says("variant")),
        ("both this and that", twice("manifest")),
        ("this, and something about another version", twice("version")),
    ]), @r#"
    another layer: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: disagrees; differs in [image `relay`, layer `tor`]
    another manifest: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: disagrees; differs in [image `relay`, manifest]
    another config: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: disagrees; differs in [image `relay`, config]
    another file of a component: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: disagrees; differs in [component `zlib`]
    another user: reached by Alice, Bob
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: agrees; differs in [setting `uid`]
    the same from another source: reached by Alice, Bob
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: agrees; differs in [source `zlib`]
    the same by another compiler: reached by Alice, Bob
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: agrees; differs in [toolchain `zig`]
    another version: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: about 0.4.9.12-x86_64-linux-musl
    another target: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: about 0.4.9.11-aarch64-linux-musl
    another variant: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: about RELEASE-arm
    both this and that: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: disagrees; differs in [image `relay`, manifest]
      3.json by [Alice]: agrees; differs in []
    this, and something about another version: reached by Alice, Bob
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: about 0.4.9.12-x86_64-linux-musl
      3.json by [Alice]: agrees; differs in []
    "#);
}

#[test]
fn signatures_that_fail_loudly() {
    let [alice, bob] = [(); 2].map(|()| person());
    let same = statement("");
    let text = same.to_json().unwrap();
    let by = |alice: &Person| with_bob(alice, &bob).says(&alice.subkey, &same);
    let revoked = |year_of, reason| alice.clone().revoked(year(year_of), reason);
    let compromised = alice
        .clone()
        .subkey_revoked(year(2022), ReasonForRevocation::KeyCompromised);
    let stale = Recipe {
        expires: Some(year(2019)),
        ..Recipe::default()
    };
    let file = |bytes: &[u8]| {
        let scene = with_bob(&alice, &bob).put(&text, &[]);
        fs_err::write(scene.folder().join("2.json.asc"), bytes).unwrap();
        scene
    };
    let other = over(&alice.subkey, &statement("manifest").to_json().unwrap());
    let armor = crate::material::armored(&[over(&alice.subkey, &text)]);
    assert_snapshot!(rows(&[
        ("over something else", with_bob(&alice, &bob).put(&text, std::slice::from_ref(&other))),
        ("beside a good one", with_bob(&alice, &bob).put(&text, &[over(&alice.subkey, &text), other])),
        ("revoked later for good", by(&revoked(2022, ReasonForRevocation::KeyCompromised))),
        ("retired before", by(&revoked(2019, ReasonForRevocation::KeyRetired))),
        ("retired later", by(&revoked(2022, ReasonForRevocation::KeyRetired))),
        ("its subkey was revoked", by(&compromised)),
        ("our copy had expired", by(&stale.make())),
        ("no signature at all", file(b"")),
        ("garbage", file(b"\x99garbage")),
        ("cut off", file(&armor[..armor.len() / 2])),
        ("a certificate", file(&alice.armored())),
    ]), @r#"
    over something else: REFUSED attestations/RELEASE/2.json: signature by Alice: bad: it does not match the file
      1.json by [Bob]: agrees; differs in []
      2.json by []: nothing that counts
    beside a good one: REFUSED attestations/RELEASE/2.json: signature by Alice: bad: it does not match the file
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: agrees; differs in []
    revoked later for good: REFUSED attestations/RELEASE/2.json: signature by Alice: revoked: the certificate was revoked on 2022-01-01: key material has been compromised
      1.json by [Bob]: agrees; differs in []
      2.json by []: nothing that counts
    retired before: REFUSED attestations/RELEASE/2.json: signature by Alice: revoked: the certificate was retired on 2019-01-01: key is retired and no longer used
      1.json by [Bob]: agrees; differs in []
      2.json by []: nothing that counts
    retired later: reached by Alice, Bob
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: agrees; differs in []
    its subkey was revoked: REFUSED attestations/RELEASE/2.json: signature by Alice: revoked: its subkey was revoked on 2022-01-01: key material has been compromised
      1.json by [Bob]: agrees; differs in []
      2.json by []: nothing that counts
    our copy had expired: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by []: nothing that counts
    no signature at all: REFUSED attestations/RELEASE/2.json: attestations/RELEASE/2.json.asc: holds no signature
      1.json by [Bob]: agrees; differs in []
      2.json by []: nothing that counts
    garbage: REFUSED attestations/RELEASE/2.json: attestations/RELEASE/2.json.asc: not a detached signature: it holds a packet of type `Public-Key Packet`
      1.json by [Bob]: agrees; differs in []
      2.json by []: nothing that counts
    cut off: REFUSED attestations/RELEASE/2.json: attestations/RELEASE/2.json.asc: truncated: the ASCII armor does not end as it began
      1.json by [Bob]: agrees; differs in []
      2.json by []: nothing that counts
    a certificate: REFUSED attestations/RELEASE/2.json: attestations/RELEASE/2.json.asc: expected `PGP SIGNATURE`, got `PGP PUBLIC KEY BLOCK`
      1.json by [Bob]: agrees; differs in []
      2.json by []: nothing that counts
    "#);
}

// Guards: A1.
#[test]
fn statements_by_liars() {
    let [alice, bob] = [(); 2].map(|()| person());
    let text = statement("").to_json().unwrap();
    let signed = |text: &str| {
        let signature = over(&alice.subkey, text);
        with_bob(&alice, &bob).put(text, &[signature])
    };
    let replaced = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        signed(&text.replacen(from, to, 1))
    };
    assert_snapshot!(rows(&[
        ("not JSON", signed("yes, I agree\n")),
        ("one line", signed(&text.replace('\n', ""))),
        ("a field more", replaced("\"subject\"", "\"note\": \"\",\n  \"subject\"")),
        ("a field twice", replaced("\"subject\"", "\"_type\": \"\",\n  \"subject\"")),
        ("another type", replaced("Statement/v1", "Statement/v2")),
        ("another predicate", replaced("provenance/v1", "provenance/v2")),
        ("another build type", replaced("build-type-1", "build-type-2")),
        ("a layer twice", replaced("relay/layer/tor", "relay/layer/geoip")),
        ("a part of another image", replaced("relay/layer/tor", "relay+arm/layer/tor")),
        ("no image", replaced("\"relay\"", "\"relay/layer/relay\"")),
        ("an escape", replaced("relay/layer/tor", "relay/layer/\\u001b[2J")),
        ("no digest", replaced("\"sha256\"", "\"crc32\"")),
        ("a negative user", replaced("45553", "-1")),
    ]), @r#"
    not JSON: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: attestations/RELEASE/2.json: expected value at line 1 column 1
    one line: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: attestations/RELEASE/2.json: the order, the spelling or the layout is not as it is written
    a field more: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: attestations/RELEASE/2.json: unknown field `note`, expected one of `_type`, `subject`, `predicateType`, `predicate` at line 3 column 8
    a field twice: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: attestations/RELEASE/2.json: duplicate field `_type` at line 3 column 9
    another type: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: attestations/RELEASE/2.json: `_type`: expected https://in-toto.io/Statement/v1, got "https://in-toto.io/Statement/v2"
    another predicate: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: attestations/RELEASE/2.json: `predicateType`: expected https://slsa.dev/provenance/v1, got "https://slsa.dev/provenance/v2"
    another build type: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: attestations/RELEASE/2.json: `buildType`: expected https://github.com/relaysmith/relaysmith/blob/main/docs/verifying.md#build-type-1, got "https://github.com/relaysmith/relaysmith/blob/main/docs/verifying.md#build-type-2"
    a layer twice: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: attestations/RELEASE/2.json: `subject`: `relay/layer/geoip` is in it twice
    a part of another image: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: attestations/RELEASE/2.json: `subject`: `relay+arm/layer/tor` is no part of the image `relay`
    no image: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: attestations/RELEASE/2.json: `subject`: the image `relay` is not in it
    an escape: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: attestations/RELEASE/2.json: `subject`: "relay/layer/\u{1b}[2J" is not a name
    no digest: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: attestations/RELEASE/2.json: `crc32:05b3abf2579a5eb66403cd78be557fd860633a1fe2103c7642030defe32c657f` is not a digest: expected `sha256:` and 64 or `sha512:` and 128 lower-case hexadecimal digits at line 9 column 5
    a negative user: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
      2.json by [Alice]: attestations/RELEASE/2.json: invalid value: integer `-1`, expected u32 at line 37 column 17
    "#);
}

#[test]
fn files_that_are_none() {
    let [alice, bob] = [(); 2].map(|()| person());
    let scene = || with_bob(&alice, &bob);
    let link = scene();
    symlink("/dev/zero", link.folder().join("2.json")).unwrap();
    let signature = scene().put(&statement("").to_json().unwrap(), &[]);
    symlink("/dev/zero", signature.folder().join("2.json.asc")).unwrap();
    let folder = scene();
    fs_err::create_dir(folder.folder().join("2.json")).unwrap();
    let large = scene().put(&" ".repeat(1 << 20), &[]);
    let other = scene();
    fs_err::write(other.folder().join("notes.txt"), "").unwrap();
    assert_snapshot!(rows(&[
        ("a link", link),
        ("a link for a signature", signature),
        ("a folder", folder),
        ("larger than any", large),
        ("something else", other),
    ]), @r#"
    a link: CANNOT READ root/attestations/RELEASE/2.json: expected a plain file
    a link for a signature: CANNOT READ root/attestations/RELEASE/2.json.asc: expected a plain file
    a folder: CANNOT READ root/attestations/RELEASE/2.json: expected a plain file
    larger than any: CANNOT READ root/attestations/RELEASE/2.json: larger than 262144 bytes
    something else: REFUSED 1 of 2 attesters agree with the record of RELEASE (Bob)
      1.json by [Bob]: agrees; differs in []
    "#);
}

/// Loading checks each fingerprint; a certificate that is not pinned helps nobody.
#[test]
fn the_certificates_of_this_repository_are_pinned() {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys/attesters");
    TrustPolicy::load(&keys).unwrap();
    let text = fs_err::read_to_string(keys.join("trust.toml")).unwrap();
    for entry in fs_err::read_dir(keys).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let pinned = text.contains(&format!("certificate = \"{name}\""));
        assert!(pinned || name == "trust.toml", "{name}");
    }
}
