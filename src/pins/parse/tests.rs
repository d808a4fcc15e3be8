use super::*;
use crate::pins::{Manifest, Rung, Twin};

const ZLIB: &str = r#"version = 1

[[source]]
name = "zlib"
version = "1.3.2"
file = "zlib-1.3.2.tar.gz"
sha256 = "ff20308ecabd635a2dc1dd5834a86c462cca20efba1d5d3ddab1f8aea3455cb2"
size = 888048
max-unpacked = 5_000_000
released = 2026-02-17T00:00:00Z
license = "Zlib"
signature = "none"
rung = "digest"
origins = ["crate:libz-sys@1.1.31"]
"#;

/// Another table of a name and version, with a digest of its own.
fn table(name: &str, version: &str, more: &str) -> String {
    let digest = Digest::sha256(format!("{name} {version} {more}").as_bytes()).hex();
    format!(
        "[[source]]\nname = \"{name}\"\nversion = \"{version}\"\n{more}\nfile = \"f\"\n\
         sha256 = \"{digest}\"\nsize = 1\nmax-unpacked = 1\nlicense = \"MIT\"\n\
         signature = \"none\"\nrung = \"digest\"\norigins = [\"pypi:f\"]\n"
    )
}

fn parse(text: &str) -> Result<Manifest, String> {
    Manifest::parse(text, Path::new("sources.toml")).map_err(|error| error.to_string())
}

#[test]
fn the_smallest_manifest() {
    let zlib = parse(ZLIB).unwrap().get("zlib", None).unwrap();
    assert_eq!(zlib.to_string(), "zlib 1.3.2");
    assert_eq!(zlib.size, Size::Exactly(888_048));
    assert_eq!(zlib.signature, Signature::None);
    // date -u -d 2026-02-17 +%s
    assert_eq!(zlib.released, Some(1_771_286_400));
}

#[test]
fn what_a_person_sees() {
    let wrong = ZLIB
        .replace("888048", "0")
        .replace("ff2030", "FF2030")
        .replace("crate:libz-sys@1.1.31", "http://zlib.net/zlib-1.3.2.tar.gz");
    insta::assert_snapshot!(parse(&wrong).unwrap_err(), @r#"
    sources.toml:7: `FF20308ecabd635a2dc1dd5834a86c462cca20efba1d5d3ddab1f8aea3455cb2` is not a sha256 digest
      7 | sha256 = "FF20308ecabd635a2dc1dd5834a86c462cca20efba1d5d3ddab1f8aea3455cb2"
      help: write 64 lower-case hexadecimal digits, as sha256sum prints
    sources.toml:8: a size of 0 bytes
      8 | size = 0
      help: write the size in bytes
    sources.toml:14: `http://zlib.net/zlib-1.3.2.tar.gz` is not an origin: plain http is not accepted, write https
      14 | origins = ["http://zlib.net/zlib-1.3.2.tar.gz"]
      help: write `https://…`, `debian:pool/…`, `pypi:project` or `crate:name@version`
    "#);
}

#[test]
fn one_wrong_field() {
    // What is replaced, by what; the line that is blamed and the beginning of the message.
    for (from, to, line, message) in [
        (
            "version = 1\n",
            "version = 2\n",
            1,
            "format version 2 is not",
        ),
        ("version = 1\n", "", 1, "missing field `version`"),
        (
            "version = 1\n",
            "version = 1\nfoo = 1\n",
            2,
            "unknown field `foo`",
        ),
        ("size = ", "sise = ", 8, "unknown field `sise`"),
        ("size = 888048", "size = 1\nsize = 2", 9, "duplicate key"),
        ("name = \"zlib\"", "name = 7", 4, "invalid type: integer"),
        ("name = \"zlib\"\n", "", 3, "missing field `name`"),
        ("\"zlib\"", "\"zlib", 4, "invalid basic string"),
        ("\"zlib\"", "\"\"", 4, "`` is not a name"),
        ("\"zlib\"", "\"Zlib\"", 4, "`Zlib` is not a name"),
        ("\"zlib\"", "\"../zlib\"", 4, "`../zlib` is not a name"),
        ("\"zlib\"", "\"a/b\"", 4, "`a/b` is not a name"),
        ("\"1.3.2\"", "\"1/3\"", 5, "`1/3` is not a version"),
        ("\"1.3.2\"", "\"\"", 5, "`` is not a version"),
        ("\"1.3.2\"", "\"-v\"", 5, "`-v` is not a version"),
        (
            "\"zlib-1",
            "\"../zlib-1",
            6,
            "`../zlib-1.3.2.tar.gz` is not a file name",
        ),
        (
            "\"zlib-1",
            "\"/zlib-1",
            6,
            "`/zlib-1.3.2.tar.gz` is not a file name",
        ),
        (
            "\"zlib-1",
            "\"zlib\\n1",
            6,
            "`zlib\n1.3.2.tar.gz` is not a file name",
        ),
        ("\"ff20", "\"FF20", 7, "`FF20308ecabd635a2dc1dd5834a8"),
        ("\"ff20", "\"f20", 7, "`f20308ecabd635a2dc1dd5834a8"),
        ("sha256 = ", "sha512 = ", 7, "`ff20308ecabd635a2dc1dd5834a8"),
        (
            "sha256 = ",
            "sha512 = \"00\"\nsha256 = ",
            3,
            "a source needs `sha256` or",
        ),
        ("sha256 = ", "md5 = ", 7, "unknown field `md5`"),
        ("888048", "0", 8, "a size of 0 bytes"),
        ("888048", "-1", 8, "invalid value: integer `-1`"),
        (
            "size = 888048\n",
            "",
            3,
            "a source needs `size` or `max-size`",
        ),
        (
            "size = ",
            "max-size = 1\nsize = ",
            3,
            "a source needs `size` or `max-size`",
        ),
        ("5_000_000", "0", 9, "a size of 0 bytes"),
        (
            "T00:00:00Z",
            "T00:00:00+01:00",
            10,
            "`2026-02-17T00:00:00+01:00` is not a time",
        ),
        ("T00:00:00Z", "", 10, "`2026-02-17` is not a time"),
        ("2026-", "1969-", 10, "`1969-02-17T00:00:00Z` is not a time"),
        (
            "\"Zlib\"",
            "\"Zlib and friends\"",
            11,
            "`Zlib and friends` is not an SPDX expression",
        ),
        (
            "\"Zlib\"",
            "\"Public Domain\"",
            11,
            "`Public Domain` is not an SPDX expression",
        ),
        (
            "\"Zlib\"",
            "\"GPL-2.0\"",
            11,
            "`GPL-2.0` is not an SPDX expression: ",
        ),
        (
            "\"Zlib\"",
            "\"zlib\"",
            11,
            "`zlib` is not an SPDX expression",
        ),
        (
            "\"Zlib\"",
            "\"(MIT OR Zlib\"",
            11,
            "`(MIT OR Zlib` is not an SPDX expression",
        ),
        (
            "\"Zlib\"",
            "\"Zlib WITH MIT\"",
            11,
            "`Zlib WITH MIT` is not an SPDX expression",
        ),
        ("\"Zlib\"", "\"\"", 11, "`` is not an SPDX expression"),
        (
            "\"Zlib\"",
            "\"Zlib; drop\"",
            11,
            "`Zlib; drop` is not an SPDX expression",
        ),
        (
            "\"none\"",
            "\"../x.asc\"",
            12,
            "`../x.asc` is not a file name",
        ),
        (
            "\"none\"",
            "\"none\"\nchecksums = \"x\"",
            13,
            "a list of checksums that nobody",
        ),
        (
            "\"none\"",
            "\"none\"\npatches = [\"a/b\"]",
            13,
            "`a/b` is not a file name",
        ),
        (
            "\"none\"",
            "\"none\"\nmachine = \"z80\"",
            13,
            "`z80` is not a machine",
        ),
        (
            "\"none\"",
            "\"none\"\ndefault = true",
            13,
            "zlib 1.3.2 is the only version",
        ),
        (
            "\"crate:libz-sys@1.1.31\"",
            "",
            14,
            "a source without origins",
        ),
        (
            "crate:libz-sys@1.1.31",
            "http://a/b",
            14,
            "`http://a/b` is not an origin: plain",
        ),
        (
            "[\"crate",
            "[\"pypi:z\", \"pypi:z\", \"crate",
            14,
            "`pypi:z` is listed twice",
        ),
    ] {
        let text = ZLIB.replacen(from, to, 1);
        assert_ne!(text, ZLIB, "{from}");
        let error = parse(&text).map(|_| ()).unwrap_err();
        let expected = format!("sources.toml:{line}: {message}");
        assert!(error.starts_with(&expected), "{from} → {to}:\n{error}");
        assert_eq!(
            error.matches("help: ").count(),
            1,
            "{from} → {to}:\n{error}"
        );
    }
}

#[test]
fn order_duplicates_and_defaults() {
    let default = "default = true";
    let (arm, x86) = ("machine = \"aarch64\"", "machine = \"x86_64\"");
    for (tables, message) in [
        (vec![("a", "1", ""), ("b", "1", "")], ""),
        (vec![("b", "1", ""), ("a", "1", "")], "a 1 stands after b 1"),
        (vec![("a", "1", ""), ("a", "1", "")], "a 1 is pinned twice"),
        (vec![("a", "1", arm), ("a", "1", x86)], ""),
        (
            vec![("a", "1", x86), ("a", "1", arm)],
            "a 1 for aarch64 stands after",
        ),
        (
            vec![("a", "1", arm), ("a", "1", arm)],
            "a 1 for aarch64 is pinned twice",
        ),
        (vec![("a", "1.9", ""), ("a", "1.10", default)], ""),
        (
            vec![("a", "1.10", ""), ("a", "1.9", default)],
            "a 1.9 stands after a 1.10",
        ),
        (
            vec![("a", "1", ""), ("a", "2", "")],
            "no version of a is the default",
        ),
        (
            vec![("a", "1", default), ("a", "2", default)],
            "a 1 is the default already",
        ),
        (
            vec![("a", "1", ""), ("a", "2", "default = false")],
            "`default = false` says",
        ),
    ] {
        let text: String = tables
            .iter()
            .map(|(n, v, more)| table(n, v, more))
            .collect();
        let error = parse(&format!("version = 1\n{text}")).map(|_| ()).err();
        let error = error.unwrap_or_default();
        assert_eq!(error.is_empty(), message.is_empty(), "{tables:?}: {error}");
        assert!(error.contains(message), "{tables:?}: {error}");
    }
    let twice = table("a", "1", "").replace("name = \"a\"", "name = \"b\"");
    let error = parse(&format!("version = 1\n{}{twice}", table("a", "1", ""))).unwrap_err();
    assert!(error.contains("a 1 has this digest, too"), "{error}");
}

#[test]
fn seconds_of_known_times() {
    // As `date -u -d … +%s` prints them.
    for (time, expected) in [
        ("1970-01-01T00:00:00Z", 0),
        ("2000-02-29T12:00:00Z", 951_825_600),
        ("2026-06-25T17:58:14Z", 1_782_410_294),
        ("2100-03-01T00:00:00Z", 4_107_542_400),
    ] {
        assert_eq!(seconds(&time.parse().unwrap()), Some(expected), "{time}");
    }
}

proptest::proptest! {
    #[test]
    fn whatever_it_says_it_does_not_panic(at in 0..ZLIB.len(), with in "\\PC{0,8}|\n|\"|\\[") {
        let mut text = ZLIB.to_owned();
        text.insert_str(at, &with);
        let _ = parse(&text);
    }
}

#[test]
fn evidence() {
    let tag = "tag = \"zlib.tag\"\ntag-name = \"v1.3.2\"";
    for (more, expected) in [
        ("", Err("missing field `rung`")),
        ("dsc = \"zlib.dsc\"", Err("missing field `rung`")),
        ("dsc = \"zlib.dsc\"\nrung = \"debian\"", Ok(Rung::Debian)),
        ("dsc = \"zlib.dsc\"\nrung = \"digest\"", Ok(Rung::Digest)),
        (
            &format!("{tag}\ntag-lacks = [\"PKG-INFO\"]\nrung = \"tag\""),
            Ok(Rung::Tag),
        ),
        ("rung = \"digest\"", Ok(Rung::Digest)),
        ("rung = \"gold\"", Err("`gold` is not a rung")),
        ("rung = \"debian\"", Err("rung `debian`, but no evidence")),
        ("rung = \"tag\"", Err("rung `tag`, but no evidence")),
        (
            "rung = \"publishers\"",
            Err("rung `publishers`, but no evidence"),
        ),
        (
            "rung = \"upstream\"",
            Err("rung `upstream`, but no evidence"),
        ),
        (
            "dsc = \"../zlib.dsc\"\nrung = \"debian\"",
            Err("`../zlib.dsc` is not a file name"),
        ),
        (
            "tag-lacks = [\"PKG-INFO\"]\nrung = \"digest\"",
            Err("without `tag`"),
        ),
        (
            "tag = \"zlib.tag\"\nrung = \"tag\"",
            Err("`tag` without `tag-name`"),
        ),
        (
            &format!("{tag}\ntag-lacks = [\"b\", \"a\"]\nrung = \"tag\""),
            Err("out of order"),
        ),
        (
            &format!("{tag}\ntag-lacks = [\"../a\"]\nrung = \"tag\""),
            Err("`../a` is not the path of a file"),
        ),
        (
            &format!("{tag}\ntag-origins = [\"http://zlib.net/zlib.git\"]\nrung = \"tag\""),
            Err("is not a repository of upstream's"),
        ),
        (
            "evidence-origins = [\"https://zlib.net/\"]\nrung = \"digest\"",
            Err("there is nothing to ask for"),
        ),
        (
            "twin = \"zlib-again\"\nrung = \"publishers\"",
            Err("`zlib-again` is not pinned in this version"),
        ),
        (
            "twin = \"zlib\"\nrung = \"publishers\"",
            Err("`zlib` is of the same publisher"),
        ),
    ] {
        let text = ZLIB.replace("rung = \"digest\"", more);
        match (parse(&text), expected) {
            (Ok(manifest), Ok(rung)) => {
                assert_eq!(
                    manifest.get("zlib", None).unwrap().evidence.rung,
                    rung,
                    "{more}"
                );
            }
            (Err(error), Err(message)) => assert!(error.contains(message), "{more}: {error}"),
            (result, _) => panic!("{more}: {:?}", result.err()),
        }
    }
    let signed = ZLIB.replace("signature = \"none\"", "signature = \"zlib.asc\"");
    for (folder, accepted) in [
        ("https://zlib.net/", true),
        ("https://zlib.net/fossils/", true),
        ("http://zlib.net/", false),
        ("https://zlib.net", false),
        ("https://zlib.net/x", false),
        ("https://me@zlib.net/", false),
        ("https:///", false),
        ("https://zlib.net/?x/", false),
        ("https://zlib .net/", false),
    ] {
        let more = format!("evidence-origins = [\"{folder}\"]\norigins = ");
        let result = parse(&signed.replace("origins = ", &more));
        assert_eq!(result.is_ok(), accepted, "{folder}");
    }
}

#[test]
fn two_publishers() {
    let own = ZLIB.replace(
        "rung = \"digest\"",
        "twin = \"zlib-too\"\nrung = \"publishers\"",
    );
    let twin = table("zlib-too", "1.3.2", "");
    let zlib = parse(&(own.clone() + &twin)).unwrap().get("zlib", None);
    let expected = Twin {
        name: "zlib-too".to_owned(),
        publishers: ["libz-sys".to_owned(), "f".to_owned()],
    };
    assert_eq!(zlib.unwrap().evidence.twin, Some(expected));
    for (from, to, message) in [
        ("1.3.2", "1.3.1", "is not pinned in this version"),
        (
            "name = \"zlib-too\"",
            "name = \"zlib-three\"",
            "is not pinned",
        ),
        ("pypi:f", "crate:libz-sys@1.0.0", "is of the same publisher"),
        (
            "version = \"1.3.2\"",
            "version = \"1.3.2\"\nmachine = \"aarch64\"",
            "is not pinned in this version",
        ),
    ] {
        let error = parse(&(own.clone() + &twin.replace(from, to))).unwrap_err();
        assert!(error.contains(message), "{to}: {error}");
    }
}

#[test]
fn the_newest_that_is_pinned() {
    let text = table("zlib", "1.3.9", "default = true") + &table("zlib", "1.3.10", "");
    let manifest = parse(&format!("version = 1\n{text}")).unwrap();
    let version = |wanted| manifest.get("zlib", wanted).unwrap().version.clone();
    assert_eq!(version(Some(crate::pins::LATEST)), "1.3.10");
    assert_eq!(version(None), "1.3.9");
}
