//! A new pin in the text of a manifest: every other line stays as it is.

use std::fmt::Write;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;

use super::whole::by_version;
use super::{Document, Entry, Error, Finding};
use crate::date;
use crate::source::{Signature, Size, Source};

/// What begins each table.
const HEADER: &str = "[[source]]";

/// The manifest `text` with `source` in it as the default version of its name, in place of
/// what was pinned for that version, if anything was. It is source text: for no machine.
pub(in super::super) fn pinned(text: &str, path: &Path, source: &Source) -> Result<String, Error> {
    let document: Document = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        Error::Manifest(vec![Finding::at(
            path,
            text,
            at,
            error.message(),
            "mend it",
        )])
    })?;
    let starts: Vec<usize> = document.source.iter().map(|e| start(text, e)).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let ranges = starts.iter().zip(ends).map(|(&start, end)| start..end);
    let head = &text[..starts.first().copied().unwrap_or(text.len())];
    let mut tables: Vec<String> = vec![head.trim_end().to_owned()];
    let mut place = None;
    for (range, entry) in ranges.zip(document.source.iter().map(Spanned::get_ref)) {
        let name = entry.name.get_ref().as_str();
        let order = by_version(entry.version.get_ref(), &source.version);
        let here = (name, order) > (&source.name, std::cmp::Ordering::Less);
        if here && place.is_none() {
            place = Some(tables.len());
        }
        if name != source.name {
            tables.push(text[range].trim_end().to_owned());
        } else if order.is_ne() {
            tables.push(unmarked(text, range, entry).trim_end().to_owned());
        }
    }
    tables.insert(place.unwrap_or(tables.len()), table(source));
    Ok(tables.join("\n\n") + "\n")
}

/// Where the table begins, with the comment right above it.
fn start(text: &str, entry: &Spanned<Entry>) -> usize {
    let name = entry.get_ref().name.span().start;
    let mut start = text[..name].rfind(HEADER).unwrap_or(0);
    for line in text[..start].split_inclusive('\n').rev() {
        if !line.starts_with('#') {
            break;
        }
        start -= line.len();
    }
    start
}

/// The table without its mark as the default.
fn unmarked(text: &str, range: Range<usize>, entry: &Entry) -> String {
    let Some(mark) = &entry.default else {
        return text[range].to_owned();
    };
    let at = mark.span().start;
    let line = text[..at].rfind('\n').map_or(0, |before| before + 1);
    let next = text[at..].find('\n').map_or(text.len(), |end| at + end + 1);
    format!("{}{}", &text[range.start..line], &text[next..range.end])
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
    fact("licence", &quoted(&source.licence));
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
    let list = |items: &mut dyn Iterator<Item = String>| -> String {
        let items: String = items
            .map(|item| format!("    {},\n", quoted(&item)))
            .collect();
        format!("[\n{items}]")
    };
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
    use super::super::super::Manifest;
    use super::*;

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
licence = "BSD-3-Clause"
signature = "none"
origins = ["https://dist.torproject.org/tor-0.4.9.9.tar.gz"] # where else

# Not in hand.
[[source]]
name = "tor"
version = "0.4.9.13"
file = "tor-0.4.9.13.tar.gz"
sha256 = "1313131313131313131313131313131313131313131313131313131313131313"
max-size = 20_000_000
max-unpacked = 70_000_000
licence = "BSD-3-Clause"
signature = "none"
origins = ["https://dist.torproject.org/tor-0.4.9.13.tar.gz"]

# A crate.
[[source]]
name = "zlib"
version = "1.3.2"
file = "libz-sys-1.1.31.crate"
sha256 = "ff20308ecabd635a2dc1dd5834a86c462cca20efba1d5d3ddab1f8aea3455cb2"
size = 888048
max-unpacked = 5_000_000
licence = "Zlib"
signature = "none"
origins = ["crate:libz-sys@1.1.31"]
"#;

    fn tor(version: &str) -> Source {
        let file = format!("tor-{version}.tar.gz");
        Source {
            name: "tor".to_owned(),
            version: version.to_owned(),
            machine: None,
            digest: crate::digest::Digest::sha256(version.as_bytes()),
            size: Size::Exactly(12_345_678),
            unpacked: 70_000_000,
            released: Some(1_790_000_000),
            licence: "BSD-3-Clause AND CC-BY-SA-4.0".to_owned(),
            signature: Signature::Checksum {
                checksums: format!("{file}.sha256sum"),
                signature: format!("{file}.sha256sum.asc"),
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
        let hex = crate::digest::Digest::sha256(version.as_bytes()).hex();
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
licence = "BSD-3-Clause AND CC-BY-SA-4.0"
checksums = "tor-{version}.tar.gz.sha256sum"
signature = "tor-{version}.tar.gz.sha256sum.asc"
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
        let old =
            &unmarked[unmarked.find("# Not in").unwrap()..unmarked.find("# A crate").unwrap()];
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
