//! A new pin in the text of a manifest: every other line stays as it is.

use std::cmp::Ordering;
use std::fmt::Write;
use std::path::Path;

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, Value};

use super::error::Error;
use super::parse::by_version;
use super::rung::Rung;
use super::source::{Signature, Size, Source};
use crate::base::LineError;
use crate::base::date;

/// What begins each table.
const HEADER: &str = "[[source]]";

/// The manifest `text` with `source` in it as the default version of its name, in place of
/// what was pinned for that version, if anything was. It is source text: for no machine.
pub(super) fn pinned(text: &str, path: &Path, source: &Source) -> Result<String, Error> {
    let mut document = document(text, path)?;
    let known = document.remove("source").map(Item::into_array_of_tables);
    let mut tables: Vec<Table> = Vec::new();
    let mut place = None;
    for mut table in known.and_then(Result::ok).into_iter().flatten() {
        let name = word(&table, "name").to_owned();
        let order = by_version(word(&table, "version"), &source.version);
        if (&*name, order) > (&source.name, Ordering::Less) && place.is_none() {
            place = Some(tables.len());
        }
        if name == source.name {
            if order.is_eq() {
                continue;
            }
            table.remove("default");
        }
        tables.push(table);
    }
    let mut new = self::document(&table(source), path)?;
    let new = new.remove("source").map(Item::into_array_of_tables);
    let new = new.and_then(Result::ok).into_iter().flatten();
    let place = place.unwrap_or(tables.len());
    tables.splice(
        place..place,
        new.map(|mut table| {
            table.decor_mut().set_prefix("\n");
            table
        }),
    );
    // They are written in the order of their places.
    for (place, table) in (0..).zip(&mut tables) {
        table.set_position(Some(place));
    }
    let tables: ArrayOfTables = tables.into_iter().collect();
    document.insert("source", Item::ArrayOfTables(tables));
    Ok(document.to_string())
}

/// The manifest `text` with another rung for `source`.
pub(super) fn raised(
    text: &str,
    path: &Path,
    source: &Source,
    rung: Rung,
) -> Result<String, Error> {
    let mut document = document(text, path)?;
    let tables = document.get_mut("source");
    let tables = tables.and_then(Item::as_array_of_tables_mut);
    for table in tables.into_iter().flat_map(ArrayOfTables::iter_mut) {
        let own = ["name", "version", "machine"].map(|key| word(table, key));
        let machine = source.machine.as_deref().unwrap_or_default();
        if own != [&*source.name, &*source.version, machine] {
            continue;
        }
        if let Some(value) = table.get_mut("rung").and_then(Item::as_value_mut) {
            let around = value.decor().clone();
            *value = Value::from(rung.name());
            *value.decor_mut() = around;
        }
    }
    Ok(document.to_string())
}

fn document(text: &str, path: &Path) -> Result<DocumentMut, Error> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let at = error.span().map_or(0, |span| span.start);
        let line = LineError::at(path, text, at, error.message(), "fix it");
        Error::Manifest(vec![line])
    })
}

/// What `key` says, if it is text.
fn word<'t>(table: &'t Table, key: &str) -> &'t str {
    table.get(key).and_then(Item::as_str).unwrap_or_default()
}

/// A table with one fact a line.
fn table(source: &Source) -> String {
    let mut lines = format!("{HEADER}\n");
    let mut fact = |name: &str, value: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(lines, "{name} = {value}");
    };
    let quoted = |text: &str| format!("{text:?}");
    fact("name", &quoted(&source.name));
    fact("version", &quoted(&source.version));
    fact("default", "true");
    fact("file", &quoted(&source.file));
    fact(source.digest.algorithm(), &quoted(&source.digest.hex()));
    match source.size {
        Size::Exactly(size) => fact("size", &size.to_string()),
        Size::AtMost(size) => fact("max-size", &grouped(size)),
    }
    fact("max-unpacked", &grouped(source.unpacked));
    if let Some(time) = source.released {
        fact("released", &date::rfc3339(time));
    }
    fact("license", &quoted(&source.license));
    match &source.signature {
        Signature::None => fact("signature", &quoted("none")),
        Signature::Detached { signature } => fact("signature", &quoted(signature)),
        Signature::Checksum {
            checksums,
            signature,
        } => {
            fact("checksums", &quoted(checksums));
            fact("signature", &quoted(signature));
        }
    }
    let evidence = &source.evidence;
    if let Some(dsc) = &evidence.dsc {
        fact("dsc", &quoted(dsc));
    }
    if let Some(tag) = &evidence.tag {
        fact("tag", &quoted(&tag.objects));
        fact("tag-name", &quoted(&tag.name));
    }
    if let Some(twin) = &evidence.twin {
        fact("twin", &quoted(&twin.name));
    }
    fact("rung", &quoted(evidence.rung.name()));
    let list = |items: &mut dyn Iterator<Item = String>| -> String {
        let items: String = items
            .map(|item| format!("    {},\n", quoted(&item)))
            .collect();
        format!("[\n{items}]")
    };
    let generated = evidence.tag.iter().flat_map(|tag| &tag.generated);
    let repositories = evidence.tag.iter().flat_map(|tag| &tag.origins);
    for (name, items) in [
        ("tag-origins", repositories.cloned().collect::<Vec<_>>()),
        ("tag-lacks", generated.cloned().collect()),
        ("evidence-origins", evidence.origins.clone()),
    ] {
        if !items.is_empty() {
            fact(name, &list(&mut items.into_iter()));
        }
    }
    if !source.patches.is_empty() {
        fact("patches", &list(&mut source.patches.iter().cloned()));
    }
    let origins = &mut source.origins.iter().map(ToString::to_string);
    fact("origins", &list(origins));
    lines.trim_end().to_owned()
}

/// A limit, its digits in threes: nobody counted the bytes.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    groups.join("_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pins::Manifest;

    const MANIFEST: &str = r#"# Every input.

version = 1

# Of the relay.
[[source]]
name = "tor"
version = "0.4.9.9"
default = true
file = "tor-0.4.9.9.tar.gz"
sha256 = "9999999999999999999999999999999999999999999999999999999999999999"
size = 10859160
max-unpacked = 70_000_000
license = "BSD-3-Clause"
signature = "none"
rung = "digest"
origins = ["https://dist.torproject.org/tor-0.4.9.9.tar.gz"] # where else

# Not available.
[[source]]
name = "tor"
version = "0.4.9.13"
file = "tor-0.4.9.13.tar.gz"
sha256 = "1313131313131313131313131313131313131313131313131313131313131313"
max-size = 20_000_000
max-unpacked = 70_000_000
license = "BSD-3-Clause"
signature = "none"
rung = "digest"
origins = ["https://dist.torproject.org/tor-0.4.9.13.tar.gz"]

# A crate.
[[source]]
name = "zlib"
version = "1.3.2"
file = "libz-sys-1.1.31.crate"
sha256 = "ff20308ecabd635a2dc1dd5834a86c462cca20efba1d5d3ddab1f8aea3455cb2"
size = 888048
max-unpacked = 5_000_000
license = "Zlib"
signature = "none"
rung = "digest"
origins = ["crate:libz-sys@1.1.31"]
"#;

    fn tor(version: &str) -> Source {
        let file = format!("tor-{version}.tar.gz");
        Source {
            name: "tor".to_owned(),
            version: version.to_owned(),
            machine: None,
            digest: crate::base::digest::Digest::sha256(version.as_bytes()),
            size: Size::Exactly(12_345_678),
            unpacked: 70_000_000,
            released: Some(1_790_000_000),
            license: "BSD-3-Clause AND CC-BY-SA-4.0".to_owned(),
            signature: Signature::Checksum {
                checksums: format!("{file}.sha256sum"),
                signature: format!("{file}.sha256sum.asc"),
            },
            evidence: crate::pins::Evidence {
                rung: crate::pins::Rung::Upstream,
                ..crate::pins::Evidence::default()
            },
            patches: Vec::new(),
            origins: vec![
                format!("https://dist.torproject.org/{file}")
                    .parse()
                    .unwrap(),
            ],
            file,
        }
    }

    /// The table of a version, as it is written.
    fn written(version: &str) -> String {
        let hex = crate::base::digest::Digest::sha256(version.as_bytes()).hex();
        format!(
            r#"[[source]]
name = "tor"
version = "{version}"
default = true
file = "tor-{version}.tar.gz"
sha256 = "{hex}"
size = 12345678
max-unpacked = 70_000_000
released = 2026-09-21T14:13:20Z
license = "BSD-3-Clause AND CC-BY-SA-4.0"
checksums = "tor-{version}.tar.gz.sha256sum"
signature = "tor-{version}.tar.gz.sha256sum.asc"
rung = "upstream"
origins = [
    "https://dist.torproject.org/tor-{version}.tar.gz",
]
"#
        )
    }

    /// The manifest with a version pinned, which must be what is read from it then.
    fn pin(text: &str, version: &str) -> String {
        let path = Path::new("sources.toml");
        let source = tor(version);
        let new = Manifest::pinned(text, path, &source).unwrap();
        let manifest = Manifest::parse(&new, path).unwrap();
        assert_eq!(*manifest.get("tor", None).unwrap(), source);
        assert_eq!(Manifest::pinned(&new, path, &source).unwrap(), new);
        new
    }

    #[test]
    fn nothing_else_changes() {
        let unmarked = MANIFEST.replace("default = true\n", "");
        let old = &unmarked
            [unmarked.find("# Not available").unwrap()..unmarked.find("# A crate").unwrap()];
        for (version, expected) in [
            (
                "0.4.9.10",
                unmarked.replace(old, &(written("0.4.9.10") + "\n" + old)),
            ),
            // Together with what its comment said of it.
            (
                "0.4.9.13",
                unmarked.replace(old, &(written("0.4.9.13") + "\n")),
            ),
            (
                "0.4.9.15",
                unmarked.replace(old, &(old.to_owned() + &written("0.4.9.15") + "\n")),
            ),
        ] {
            assert_eq!(pin(MANIFEST, version), expected);
        }
    }

    #[test]
    fn at_the_end_of_the_file() {
        let [text, expected] = [
            MANIFEST.to_owned(),
            MANIFEST.replace("default = true\n", ""),
        ]
        .map(|text| text[..text.find("\n# A crate.").unwrap()].to_owned());
        assert_eq!(
            pin(&text, "0.4.9.15"),
            expected + "\n" + &written("0.4.9.15")
        );
    }

    #[test]
    fn what_is_no_manifest_is_not_edited() {
        let path = Path::new("sources.toml");
        for text in [
            "",
            "version = 1",
            "[[source]]",
            &MANIFEST.replace("size = 888048", ""),
        ] {
            assert!(
                Manifest::pinned(text, path, &tor("0.4.9.15")).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_better_rung_changes_one_line() {
        let path = Path::new("sources.toml");
        let signed = MANIFEST.replace("signature = \"none\"", "signature = \"tor.asc\"");
        let raised = Manifest::raised(&signed, path, &tor("0.4.9.13"), Rung::Upstream).unwrap();
        let at = signed.find("version = \"0.4.9.13\"").unwrap();
        let (before, after) = signed.split_at(at);
        let expected = after.replacen("rung = \"digest\"", "rung = \"upstream\"", 1);
        assert_eq!(raised, format!("{before}{expected}"));
        // What nothing is named for cannot be reached.
        assert!(Manifest::raised(MANIFEST, path, &tor("0.4.9.13"), Rung::Upstream).is_err());
    }

    #[test]
    fn limits_are_grouped() {
        for (number, text) in [
            (7, "7"),
            (999, "999"),
            (1000, "1_000"),
            (70_000_000, "70_000_000"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
