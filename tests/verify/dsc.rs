//! A Debian developer's `.dsc` as evidence: one lie a row.

use std::sync::Arc;

use insta::assert_snapshot;
use relaysmith::base::digest::Digest;
use relaysmith::fetch::Fetched;
use relaysmith::pins::{Evidence, Rung, Signature, Source};
use relaysmith::verify::{Verified, verify};
use sequoia_openpgp::types::{HashAlgorithm, SignatureType};

use crate::material::{FILE, Keys, Person, Recipe, armored, signed, thing, year};

/// What is signed: `HEX` stands for the digest of the file, `SIZE` for its size.
const TEXT: &str = "Format: 3.0 (quilt)\nSource: thing\nChecksums-Sha1:\n \
     0000000000000000000000000000000000000000 SIZE thing-1.tar.gz\nChecksums-Sha256:\n \
     HEX SIZE thing-1.tar.gz\n HEX 7 thing_1-1.debian.tar.xz\nFiles:\n \
     00000000000000000000000000000000 SIZE thing-1.tar.gz\n";

fn filled(text: &str) -> String {
    text.replace("HEX", &Digest::sha256(FILE).hex())
        .replace("SIZE", &FILE.len().to_string())
}

/// `text` as its signer puts it between the lines of a cleartext signature.
fn clear(person: &Person, hash: HashAlgorithm, kind: SignatureType, text: &str) -> String {
    let text = filled(text);
    let lines: Vec<&str> = text.split('\n').map(|line| line.trim_end()).collect();
    let over = lines.join("\r\n");
    let signature = signed(&person.subkey, year(2020), hash, kind, over.as_bytes());
    let escaped = |line: &&str| match line.starts_with('-') {
        true => format!("- {line}"),
        false => (*line).to_owned(),
    };
    let escaped: Vec<String> = lines.iter().map(escaped).collect();
    format!(
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{}\n{}",
        escaped.join("\n"),
        String::from_utf8(armored([&signature])).unwrap()
    )
}

fn good(person: &Person, text: &str) -> String {
    clear(person, HashAlgorithm::SHA512, SignatureType::Text, text)
}

/// The rules for `thing`: `a` is the developer, and upstream signs nothing.
fn keys(people: &[&Person]) -> Keys {
    let mut keys = Keys::pin(people, 1);
    keys.rule = "[[source]]\nname = \"thing\"\ndevelopers = [\"a\"]\n".to_owned();
    keys
}

fn pinned(rung: Rung) -> Source {
    Source {
        evidence: Evidence {
            rung,
            dsc: Some("thing.dsc".to_owned()),
            ..Evidence::default()
        },
        ..thing(Signature::None)
    }
}

fn seen(keys: &Keys, source: Source, dsc: &str) -> String {
    keys.evidence("thing.dsc", dsc.as_bytes());
    let path = keys.dir.path().join("thing-1.tar.gz");
    fs_err::write(&path, FILE).unwrap();
    let fetched = Fetched::check(&Arc::new(source), &path).unwrap();
    let result = keys.policy().and_then(|policy| verify(&policy, fetched));
    let verdict = result.as_ref().map(Verified::verdict);
    let rung = verdict.map_or_else(|_| String::new(), |it| format!("{}: ", it.rung()));
    format!("{rung}{}", keys.shown(verdict))
}

#[test]
fn what_is_signed_and_what_is_around_it() {
    let (alice, bob) = (Recipe::default().make(), Recipe::default().make());
    let keys = keys(&[&alice, &bob]);
    let plain = good(&alice, TEXT);
    let other = good(&alice, "Source: other\n");
    let sum = filled(" HEX SIZE thing-1.tar.gz\n");
    let without = TEXT.replace(" HEX SIZE thing-1.tar.gz\n", "");
    let rows = [
        ("as it should be", plain.clone()),
        ("with CR LF", plain.replace('\n', "\r\n")),
        (
            "spaces after lines",
            plain.replace("quilt)\n", "quilt) \t\n"),
        ),
        (
            "a dash, escaped",
            good(&alice, &format!("{TEXT}X-Dash: 1\nDash:\n -\n")),
        ),
        ("an escaped field", plain.replace("Source:", "- Source:")),
        ("a dash, not escaped", plain.replace("Source:", "-Source:")),
        ("text before", format!("Hello!\n{plain}")),
        ("an empty line before", format!("\n{plain}")),
        ("text after", format!("{plain}\nHello!\n")),
        (
            "a checksum after",
            format!("{}{}", good(&alice, &without), sum),
        ),
        (
            "a checksum in the head",
            good(&alice, &without).replace("Hash: SHA512\n", &format!("Hash: SHA512\n{sum}")),
        ),
        (
            "a field in the head",
            plain.replace("Hash: SHA512\n", "Hash: SHA512\nComment: x\n"),
        ),
        ("no head", plain.replace("Hash: SHA512\n", "")),
        ("two signed parts", format!("{other}{plain}")),
        (
            "one signed part in another",
            plain.replace("Format", &other),
        ),
        ("a line changed", plain.replace("quilt", "native")),
        ("a line added", plain.replace("Files:", "X: y\nFiles:")),
        ("cut off", plain[..plain.len() - 30].to_owned()),
        (
            "no signature",
            plain[..plain.find("-----BEGIN PGP SIG").unwrap()].to_owned(),
        ),
        ("a bare list", filled(TEXT)),
        (
            "a carriage return in a line",
            plain.replace("Source", "So\rurce"),
        ),
        ("by somebody else", good(&bob, TEXT)),
        (
            "a binary signature",
            clear(&alice, HashAlgorithm::SHA512, SignatureType::Binary, TEXT),
        ),
        (
            "a signature's first line in the text, escaped",
            good(
                &alice,
                &format!("{TEXT}X:\n-----BEGIN PGP SIGNATURE-----\n"),
            ),
        ),
        (
            "a signature's first line in the text, not escaped",
            plain.replace("Source:", "-----BEGIN PGP SIGNATURE-----\nSource:"),
        ),
        (
            "a second signature behind the first",
            plain.clone() + &plain[plain.find("-----BEGIN PGP SIG").unwrap()..],
        ),
        (
            "a checksum in the head of the signature",
            good(&alice, &without).replace(
                "-----BEGIN PGP SIGNATURE-----\n",
                &format!("-----BEGIN PGP SIGNATURE-----\nComment:{sum}"),
            ),
        ),
        ("a byte-order mark", format!("\u{feff}{plain}")),
        ("a NUL", plain.replace("quilt", "qu\0ilt")),
        (
            "a form feed for a line end",
            plain.replace("Source", "\u{c}Source"),
        ),
        (
            "a line end of Unicode's",
            good(
                &alice,
                &without.replace("Source:", &format!("Source:\u{2028}{sum}X:")),
            ),
        ),
        (
            "a space that is not trimmed",
            plain.replace("quilt)\n", "quilt)\u{a0}\n"),
        ),
        (
            "no empty line before the signature",
            plain.replacen("\n\n", "\n", 1),
        ),
        (
            "another kind of message",
            plain.replace("SIGNED MESSAGE", "MESSAGE"),
        ),
        (
            "a certificate for a signature",
            format!(
                "{}{}",
                &plain[..plain.find("-----BEGIN PGP SIG").unwrap()],
                String::from_utf8(alice.armored()).unwrap()
            ),
        ),
        ("more than a list may have", "\n".repeat((1 << 20) + 1)),
        (
            "signed with SHA-1",
            clear(&alice, HashAlgorithm::SHA1, SignatureType::Text, TEXT),
        ),
    ];
    let rows: Vec<String> = rows
        .iter()
        .map(|(name, dsc)| format!("{name}\n  {}", seen(&keys, pinned(Rung::Debian), dsc)))
        .collect();
    let rows = rows.join("\n");
    assert_snapshot!(rows);
}

#[test]
fn what_the_text_lists() {
    let alice = Recipe::default().make();
    let keys = keys(&[&alice]);
    let list = "Checksums-Sha256:\n";
    let line = " HEX SIZE thing-1.tar.gz\n";
    let sha256 = TEXT.find(list).unwrap()..TEXT.find("Files:").unwrap();
    let sha1_only = format!("{}{}", &TEXT[..sha256.start], &TEXT[sha256.end..]);
    let rows = [
        ("SHA-1 only", sha1_only.clone()),
        ("another file", TEXT.replace("thing-1.tar", "thing-2.tar")),
        ("a path", TEXT.replace("thing-1.tar", "./thing-1.tar")),
        (
            "another digest",
            TEXT.replace(line, " 00HEX SIZE thing-1.tar.gz\n"),
        ),
        (
            "the digest of another file",
            TEXT.replace(line, &format!(" {} SIZE thing-1.tar.gz\n", "0".repeat(64))),
        ),
        (
            "another size",
            TEXT.replace(line, " HEX 9 thing-1.tar.gz\n"),
        ),
        ("no size", TEXT.replace(line, " HEX thing-1.tar.gz\n")),
        (
            "a size with a sign",
            TEXT.replace(line, " HEX +SIZE thing-1.tar.gz\n"),
        ),
        (
            "two spaces",
            TEXT.replace(line, " HEX  SIZE thing-1.tar.gz\n"),
        ),
        (
            "four words",
            TEXT.replace(line, " HEX SIZE thing-1.tar.gz x\n"),
        ),
        ("listed twice", TEXT.replace(line, &line.repeat(2))),
        (
            "listed twice, differently",
            TEXT.replace(
                line,
                &format!("{line} {} SIZE thing-1.tar.gz\n", "0".repeat(64)),
            ),
        ),
        ("the list twice", format!("{TEXT}{list}{line}")),
        (
            "the list twice, in capitals",
            format!("{TEXT}CHECKSUMS-SHA256:\n{line}"),
        ),
        ("another field twice", format!("{TEXT}Source: other\n")),
        ("a second paragraph", format!("{sha1_only}\n{list}{line}")),
        (
            "a checksum beside the name",
            TEXT.replace(list, &format!("Checksums-Sha256:{line}")),
        ),
        ("a checksum before any field", format!("{line}{TEXT}")),
        ("a comment", format!("# {TEXT}")),
        ("no field", format!("{TEXT}hello\n")),
        (
            "upper-case digits",
            TEXT.replace(line, &line.replace("HEX", "ABHEX")),
        ),
        (
            "a list within another field",
            sha1_only.replace("Files:", &format!("Comment:\n {list}{line}Files:")),
        ),
        (
            "a list under a name like it",
            TEXT.replace(list, "Checksums-Sha2560:\n"),
        ),
        (
            "a list whose name has a space",
            TEXT.replace(list, "Checksums-Sha256 :\n"),
        ),
        ("SHA-512 only", TEXT.replace(list, "Checksums-Sha512:\n")),
        (
            "a tab before the checksum",
            TEXT.replace(line, "\tHEX SIZE thing-1.tar.gz\n"),
        ),
        (
            "a name with a control character's picture",
            TEXT.replace("thing-1.tar.gz\n HEX", "thing-1.tar.gz\u{200b}\n HEX"),
        ),
        (
            "upper case in the name",
            TEXT.replace(line, &line.replace("thing", "Thing")),
        ),
        (
            "a size beyond all numbers",
            TEXT.replace(line, " HEX 99999999999999999999999 thing-1.tar.gz\n"),
        ),
        (
            "the right line under the wrong digest's",
            TEXT.replace(
                line,
                &format!(" {} SIZE thing-1.tar.gz\n{line}", "0".repeat(64)),
            ),
        ),
        ("nothing", String::new()),
    ];
    let rows: Vec<String> = rows
        .iter()
        .map(|(name, text)| {
            format!(
                "{name}\n  {}",
                seen(&keys, pinned(Rung::Debian), &good(&alice, text))
            )
        })
        .collect();
    assert_snapshot!(rows.join("\n"));
}

/// The developer's own state counts as everybody's does.
#[test]
fn who_signed_and_when() {
    let now = |recipe: &Recipe| recipe.make();
    let expired = now(&Recipe {
        expires: Some(year(2019)),
        ..Recipe::default()
    });
    let later = now(&Recipe {
        expires: Some(year(2021)),
        ..Recipe::default()
    });
    let weak = now(&Recipe {
        bindings: HashAlgorithm::SHA1,
        ..Recipe::default()
    });
    let plain = now(&Recipe::default());
    use sequoia_openpgp::types::ReasonForRevocation::{KeyCompromised, KeyRetired};
    let rows = [
        ("expired before it signed", expired, ""),
        ("expired after it signed", later, ""),
        ("bound by SHA-1", weak.clone(), ""),
        (
            "bound by SHA-1, which is allowed",
            weak,
            "[[source.allow]]\nsigner = \"a\"\nstatus = \"weak\"\n\
             algorithms = [\"sha1-binding\"]\nreason = \"we know\"\n",
        ),
        (
            "retired later",
            plain.clone().revoked(year(2022), KeyRetired),
            "",
        ),
        (
            "retired before",
            plain.clone().revoked(year(2019), KeyRetired),
            "",
        ),
        (
            "stolen later",
            plain.revoked(year(2022), KeyCompromised),
            "",
        ),
    ];
    let rows: Vec<String> = rows
        .into_iter()
        .map(|(name, person, more)| {
            let mut keys = keys(&[&person]);
            keys.rule += more;
            let dsc = good(&person, TEXT);
            format!("{name}\n  {}", seen(&keys, pinned(Rung::Debian), &dsc))
        })
        .collect();
    assert_snapshot!(rows.join("\n"));
}

/// A rung never falls silently.
#[test]
fn what_was_reached_is_demanded() {
    let alice = Recipe::default().make();
    let mut keys = keys(&[&alice]);
    keys.rule += "digest-only = \"nobody knows\"\n";
    let dsc = good(&alice, TEXT);
    let without = Source {
        evidence: Evidence {
            rung: Rung::Debian,
            ..Evidence::default()
        },
        ..thing(Signature::None)
    };
    let asked = Source {
        signature: Signature::Detached {
            signature: "thing.asc".to_owned(),
        },
        evidence: Evidence {
            origins: vec!["https://example.org/".to_owned()],
            ..pinned(Rung::Upstream).evidence
        },
        ..pinned(Rung::Upstream)
    };
    let once = Source {
        evidence: Evidence {
            rung: Rung::Debian,
            ..asked.evidence.clone()
        },
        ..asked.clone()
    };
    let mut rows = vec![
        ("as it was", seen(&keys, pinned(Rung::Debian), &dsc)),
        (
            "better than it was",
            seen(&keys, pinned(Rung::Digest), &dsc),
        ),
        ("the evidence is gone", seen(&keys, without, &dsc)),
    ];
    keys.rule = keys
        .rule
        .replace("developers", "signers = [\"a\"]\nthreshold = 1\ndevelopers");
    rows.push(("it has to be asked for", seen(&keys, once, &dsc)));
    rows.push(("it was here once", seen(&keys, asked, &dsc)));
    let rows: Vec<String> = rows
        .iter()
        .map(|(name, it)| format!("{name}\n  {it}"))
        .collect();
    assert_snapshot!(rows.join("\n"));
}
