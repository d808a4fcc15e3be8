use std::path::Path;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::parse;

const GOOD: &str = r#"version = 1

[[signer]]
id = "alice"
name = "Alice"
fingerprint = "0123456789ABCDEF0123456789ABCDEF01234567"
certificate = "alice.asc"

[[signer]]
id = "bob"
name = "Bob"
fingerprint = "89ABCDEF0123456789ABCDEF0123456789ABCDEF"
certificate = "bob.asc"

[[source]]
name = "thing"
signers = ["alice", "bob"]
threshold = 2

[[source.allow]]
signer = "alice"
status = "weak"
algorithms = ["dsa1024", "sha1-binding"]
reason = "we know"

[[source]]
name = "zlib"
digest-only = "nobody signs it"
"#;

fn read(text: &str) -> String {
    match parse(Path::new("trust.toml"), text) {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn one_mistake_a_row() {
    let rows = [
        ("", ""),
        ("version = 1", "version = 2"),
        ("version = 1\n", ""),
        ("version = 1", "version = 1\ncolour = 1"),
        ("[[signer]]\nid = \"bob\"", "[[signer]\nid = \"bob\""),
        ("id = \"bob\"", "id = \"alice\""),
        ("id = \"bob\"", "id = \"aaron\""),
        ("id = \"bob\"", "id = \"Bob\""),
        ("name = \"Bob\"\n", ""),
        ("name = \"Bob\"", "name = \" \""),
        ("name = \"Bob\"", "name = \"Bob\\u001b[2J\""),
        ("name = \"Bob\"", "name = \"Alice\""),
        (
            "89ABCDEF0123456789ABCDEF0123456789ABCDEF",
            "0123456789ABCDEF0123456789ABCDEF01234567",
        ),
        (
            "89ABCDEF0123456789ABCDEF0123456789ABCDEF",
            "89ABCDEF01234567",
        ),
        (
            "89ABCDEF0123456789ABCDEF0123456789ABCDEF",
            "89abcdef0123456789abcdef0123456789abcdef",
        ),
        ("bob.asc", "../bob.asc"),
        ("bob.asc", ""),
        (
            "signers = [\"alice\", \"bob\"]",
            "signers = [\"alice\", \"carol\"]",
        ),
        (
            "signers = [\"alice\", \"bob\"]",
            "signers = [\"bob\", \"alice\"]",
        ),
        (
            "signers = [\"alice\", \"bob\"]",
            "signers = [\"alice\", \"alice\"]",
        ),
        ("signers = [\"alice\", \"bob\"]", "signers = []"),
        ("threshold = 2\n", ""),
        ("threshold = 2", "threshold = 0"),
        ("threshold = 2", "threshold = 3"),
        ("threshold = 2", "threshold = -1"),
        ("signer = \"alice\"", "signer = \"carol\""),
        ("\"weak\"", "\"bad\""),
        ("\"weak\"", "\"stale\""),
        ("algorithms = [\"dsa1024\", \"sha1-binding\"]\n", ""),
        ("[\"dsa1024\", \"sha1-binding\"]", "[]"),
        ("[\"dsa1024\", \"sha1-binding\"]", "[\"md5\"]"),
        (
            "[\"dsa1024\", \"sha1-binding\"]",
            "[\"sha1-binding\", \"dsa1024\"]",
        ),
        ("reason = \"we know\"\n", ""),
        ("reason = \"we know\"", "reason = \"\""),
        (
            "reason = \"we know\"\n",
            "reason = \"we know\"\n[[source.allow]]\nsigner = \"alice\"\nstatus = \"weak\"\nalgorithms = [\"sha1-data\"]\nreason = \"too\"\n",
        ),
        ("digest-only = \"nobody signs it\"", "digest-only = \"\""),
        ("digest-only = \"nobody signs it\"", "threshold = 1"),
        ("name = \"zlib\"", "name = \"thing\""),
        ("name = \"zlib\"", "name = \"a\""),
    ];
    let seen: Vec<String> = rows
        .iter()
        .map(|(from, to)| {
            assert!(GOOD.contains(from), "{from}");
            let text = GOOD.replacen(from, to, 1);
            format!("{from:?} => {to:?}\n{}", read(&text))
        })
        .collect();
    assert_snapshot!(seen.join("\n\n"), @r#"
    "" => ""
    ok

    "version = 1" => "version = 2"
    trust.toml:1: format version 2 is not supported
      1 | version = 2
      help: use a relaysmith that knows it, or write `version = 1`

    "version = 1\n" => ""
    trust.toml:1: missing field `version`
      1 | 
      help: fix the line; the head of the file says how it is written

    "version = 1" => "version = 1\ncolour = 1"
    trust.toml:2: unknown field `colour`, expected one of `version`, `signer`, `source`
      2 | colour = 1
      help: fix the line; the head of the file says how it is written

    "[[signer]]\nid = \"bob\"" => "[[signer]\nid = \"bob\""
    trust.toml:9: unclosed array table, expected `]`
      9 | [[signer]
      help: fix the line; the head of the file says how it is written

    "id = \"bob\"" => "id = \"alice\""
    trust.toml:10: `alice` is listed twice
      10 | id = "alice"
      help: leave one of them out
    trust.toml:17: no signer `bob` is pinned
      17 | signers = ["alice", "bob"]
      help: pin the signer in a `[[signer]]` of this file

    "id = \"bob\"" => "id = \"aaron\""
    trust.toml:10: `aaron` stands after `alice`
      10 | id = "aaron"
      help: sort them
    trust.toml:17: no signer `bob` is pinned
      17 | signers = ["alice", "bob"]
      help: pin the signer in a `[[signer]]` of this file

    "id = \"bob\"" => "id = \"Bob\""
    trust.toml:10: `Bob` is not a name
      10 | id = "Bob"
      help: use lower-case letters, digits and `-`
    trust.toml:10: `Bob` stands after `alice`
      10 | id = "Bob"
      help: sort them
    trust.toml:17: no signer `bob` is pinned
      17 | signers = ["alice", "bob"]
      help: pin the signer in a `[[signer]]` of this file

    "name = \"Bob\"\n" => ""
    trust.toml:9: missing field `name`
      9 | [[signer]]
      help: fix the line; the head of the file says how it is written

    "name = \"Bob\"" => "name = \" \""
    trust.toml:11: `name` says nothing
      11 | name = " "
      help: write a line of text

    "name = \"Bob\"" => "name = \"Bob\\u001b[2J\""
    trust.toml:11: `name` says nothing
      11 | name = "Bob\u001b[2J"
      help: write a line of text

    "name = \"Bob\"" => "name = \"Alice\""
    trust.toml:17: Alice would count twice
      17 | signers = ["alice", "bob"]
      help: name one certificate of each signer

    "89ABCDEF0123456789ABCDEF0123456789ABCDEF" => "0123456789ABCDEF0123456789ABCDEF01234567"
    trust.toml:12: another signer has this fingerprint, too
      12 | fingerprint = "0123456789ABCDEF0123456789ABCDEF01234567"
      help: leave one of them out

    "89ABCDEF0123456789ABCDEF0123456789ABCDEF" => "89ABCDEF01234567"
    trust.toml:12: `89ABCDEF01234567` is not a whole fingerprint
      12 | fingerprint = "89ABCDEF01234567"
      help: write the primary key's 40 or 64 hexadecimal digits, in upper case
    trust.toml:17: no signer `bob` is pinned
      17 | signers = ["alice", "bob"]
      help: pin the signer in a `[[signer]]` of this file

    "89ABCDEF0123456789ABCDEF0123456789ABCDEF" => "89abcdef0123456789abcdef0123456789abcdef"
    trust.toml:12: `89abcdef0123456789abcdef0123456789abcdef` is not a whole fingerprint
      12 | fingerprint = "89abcdef0123456789abcdef0123456789abcdef"
      help: write the primary key's 40 or 64 hexadecimal digits, in upper case
    trust.toml:17: no signer `bob` is pinned
      17 | signers = ["alice", "bob"]
      help: pin the signer in a `[[signer]]` of this file

    "bob.asc" => "../bob.asc"
    trust.toml:13: `../bob.asc` is not the name of a file in keys/
      13 | certificate = "../bob.asc"
      help: write the name alone, without a folder

    "bob.asc" => ""
    trust.toml:13: `` is not the name of a file in keys/
      13 | certificate = ""
      help: write the name alone, without a folder

    "signers = [\"alice\", \"bob\"]" => "signers = [\"alice\", \"carol\"]"
    trust.toml:17: no signer `carol` is pinned
      17 | signers = ["alice", "carol"]
      help: pin the signer in a `[[signer]]` of this file

    "signers = [\"alice\", \"bob\"]" => "signers = [\"bob\", \"alice\"]"
    trust.toml:17: `alice` stands after `bob`
      17 | signers = ["bob", "alice"]
      help: sort them

    "signers = [\"alice\", \"bob\"]" => "signers = [\"alice\", \"alice\"]"
    trust.toml:17: `alice` is listed twice
      17 | signers = ["alice", "alice"]
      help: leave one of them out
    trust.toml:17: Alice would count twice
      17 | signers = ["alice", "alice"]
      help: name one certificate of each signer

    "signers = [\"alice\", \"bob\"]" => "signers = []"
    trust.toml:16: nobody signs thing
      16 | name = "thing"
      help: name its `signers` or `developers`, or give the reason in `digest-only`
    trust.toml:18: 2 of 0 signers cannot be needed
      18 | threshold = 2
      help: write how many of the `signers` must have signed, at least 1
    trust.toml:21: `alice` is not a signer of this source
      21 | signer = "alice"
      help: name one of its `signers`

    "threshold = 2\n" => ""
    trust.toml:16: `signers` without `threshold`
      16 | name = "thing"
      help: write how many of them must have signed

    "threshold = 2" => "threshold = 0"
    trust.toml:18: 0 of 2 signers cannot be needed
      18 | threshold = 0
      help: write how many of the `signers` must have signed, at least 1

    "threshold = 2" => "threshold = 3"
    trust.toml:18: 3 of 2 signers cannot be needed
      18 | threshold = 3
      help: write how many of the `signers` must have signed, at least 1

    "threshold = 2" => "threshold = -1"
    trust.toml:18: invalid value: integer `-1`, expected usize
      18 | threshold = -1
      help: fix the line; the head of the file says how it is written

    "signer = \"alice\"" => "signer = \"carol\""
    trust.toml:21: `carol` is not a signer of this source
      21 | signer = "carol"
      help: name one of its `signers`

    "\"weak\"" => "\"bad\""
    trust.toml:22: status `bad` cannot be allowed
      22 | status = "bad"
      help: only `stale` and `weak` can

    "\"weak\"" => "\"stale\""
    trust.toml:23: `algorithms` says nothing about `stale`
      23 | algorithms = ["dsa1024", "sha1-binding"]
      help: leave it out, or allow `weak` on its own

    "algorithms = [\"dsa1024\", \"sha1-binding\"]\n" => ""
    trust.toml:22: `weak` without `algorithms`
      22 | status = "weak"
      help: name those it needs, of `dsa1024`, `sha1-binding`, `sha1-data`

    "[\"dsa1024\", \"sha1-binding\"]" => "[]"
    trust.toml:23: no algorithm is named
      23 | algorithms = []
      help: name those it needs, of `dsa1024`, `sha1-binding`, `sha1-data`

    "[\"dsa1024\", \"sha1-binding\"]" => "[\"md5\"]"
    trust.toml:23: algorithm `md5` cannot be allowed
      23 | algorithms = ["md5"]
      help: only `dsa1024`, `sha1-binding`, `sha1-data` can

    "[\"dsa1024\", \"sha1-binding\"]" => "[\"sha1-binding\", \"dsa1024\"]"
    trust.toml:23: `dsa1024` stands after `sha1-binding`
      23 | algorithms = ["sha1-binding", "dsa1024"]
      help: sort them

    "reason = \"we know\"\n" => ""
    trust.toml:20: missing field `reason`
      20 | [[source.allow]]
      help: fix the line; the head of the file says how it is written

    "reason = \"we know\"" => "reason = \"\""
    trust.toml:24: `reason` says nothing
      24 | reason = ""
      help: write a line of text

    "reason = \"we know\"\n" => "reason = \"we know\"\n[[source.allow]]\nsigner = \"alice\"\nstatus = \"weak\"\nalgorithms = [\"sha1-data\"]\nreason = \"too\"\n"
    trust.toml:26: the same status is allowed for this signer already
      26 | signer = "alice"
      help: leave one of them out

    "digest-only = \"nobody signs it\"" => "digest-only = \"\""
    trust.toml:28: `digest-only` says nothing
      28 | digest-only = ""
      help: write a line of text

    "digest-only = \"nobody signs it\"" => "threshold = 1"
    trust.toml:27: nobody signs zlib
      27 | name = "zlib"
      help: name its `signers` or `developers`, or give the reason in `digest-only`
    trust.toml:28: 1 of 0 signers cannot be needed
      28 | threshold = 1
      help: write how many of the `signers` must have signed, at least 1

    "name = \"zlib\"" => "name = \"thing\""
    trust.toml:27: `thing` is listed twice
      27 | name = "thing"
      help: leave one of them out

    "name = \"zlib\"" => "name = \"a\""
    trust.toml:27: `a` stands after `thing`
      27 | name = "a"
      help: sort them
    "#);
}

#[test]
fn all_mistakes_at_once() {
    let text = GOOD
        .replace("threshold = 2", "threshold = 9")
        .replace("we know", "");
    assert_snapshot!(read(&text), @r#"
    trust.toml:18: 9 of 2 signers cannot be needed
      18 | threshold = 9
      help: write how many of the `signers` must have signed, at least 1
    trust.toml:24: `reason` says nothing
      24 | reason = ""
      help: write a line of text
    "#);
}

proptest! {
    /// Whatever is cut out: an answer, and never a rule that asks for less.
    #[test]
    fn cuts(from in 0..GOOD.len(), count in 1..60usize) {
        let text = [&GOOD[..from], GOOD.get(from + count..).unwrap_or("")].concat();
        if let Ok(policy) = parse(Path::new("trust.toml"), &text) {
            for rule in policy.rules {
                prop_assert!(rule.threshold > 0 || rule.digest_only.is_some());
            }
        }
    }
}
