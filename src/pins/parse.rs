//! From the manifest's text to sources: what can be wrong is found here, all of it at once.

mod evidence;
mod whole;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;
use toml::value::{Datetime, Offset};

pub(super) use self::whole::by_version;
use super::origin::is_plain;
use super::pinned::Pinned;
use super::{Error, Origin, Signature, Size, Source};
use crate::base::LineError;
use crate::base::date;
use crate::base::digest::Digest;

/// The version of the format that this code reads.
const FORMAT: u64 = 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: Spanned<u64>,
    source: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    name: Spanned<String>,
    version: Spanned<String>,
    machine: Option<Spanned<String>>,
    default: Option<Spanned<bool>>,
    file: Spanned<String>,
    sha256: Option<Spanned<String>>,
    sha512: Option<Spanned<String>>,
    size: Option<Spanned<u64>>,
    max_size: Option<Spanned<u64>>,
    max_unpacked: Spanned<u64>,
    released: Option<Spanned<Datetime>>,
    license: Spanned<String>,
    signature: Spanned<String>,
    checksums: Option<Spanned<String>>,
    dsc: Option<Spanned<String>>,
    tag: Option<Spanned<String>>,
    tag_name: Option<Spanned<String>>,
    #[serde(default)]
    tag_origins: Vec<Spanned<String>>,
    #[serde(default)]
    tag_lacks: Vec<Spanned<String>>,
    twin: Option<Spanned<String>>,
    /// Not optional: what was reached once is written down, whatever else is taken away.
    rung: Spanned<String>,
    #[serde(default)]
    evidence_origins: Vec<Spanned<String>>,
    #[serde(default)]
    patches: Vec<Spanned<String>>,
    origins: Spanned<Vec<Spanned<String>>>,
}

/// The sources that `text` pins, or everything that is wrong with it.
pub(super) fn sources(text: &str, path: &Path) -> Result<Vec<Pinned>, Error> {
    let mut check = Check {
        text,
        path,
        findings: Vec::new(),
    };
    let document: Document = toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        check.refuse(
            span,
            error.message().replace('\n', ", "),
            "fix the line; src/pins/mod.rs lists the fields",
        );
        Error::Manifest(std::mem::take(&mut check.findings))
    })?;
    if *document.version.get_ref() != FORMAT {
        check.refuse(
            document.version.span(),
            format!(
                "format version {} is not supported",
                document.version.get_ref()
            ),
            "use a relaysmith that knows it, or write `version = 1`",
        );
    }
    let mut sources: Vec<Source> = document
        .source
        .iter()
        .map(|entry| check.entry(entry))
        .collect();
    check.twins(&document.source, &mut sources);
    check.order(&document.source);
    check.duplicates(&document.source);
    check.defaults(&document.source);
    if check.findings.is_empty() {
        let marks = document.source.iter();
        // Whether a mark is missing or superfluous was for `defaults` to say.
        let marks = marks.map(|entry| entry.get_ref().default.is_some());
        let pinned = |(source, default)| Pinned {
            source: Arc::new(source),
            default,
        };
        Ok(sources.into_iter().zip(marks).map(pinned).collect())
    } else {
        check.findings.sort_by_key(|finding| finding.line);
        Err(Error::Manifest(check.findings))
    }
}

struct Check<'a> {
    text: &'a str,
    path: &'a Path,
    findings: Vec<LineError>,
}

impl Check<'_> {
    fn refuse(&mut self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        let finding = LineError::at(self.path, self.text, span.start, message, help);
        self.findings.push(finding);
    }

    /// Reads one table. After a finding the value does not matter: it is never returned.
    fn entry(&mut self, table: &Spanned<Entry>) -> Source {
        let entry = table.get_ref();
        Source {
            name: self.name(&entry.name),
            version: self.plain(&entry.version, "version"),
            machine: entry.machine.as_ref().map(|machine| self.machine(machine)),
            file: self.plain(&entry.file, "file name"),
            digest: self.digest(table),
            size: self.size(table),
            unpacked: self.nonzero(&entry.max_unpacked),
            released: entry.released.as_ref().map(|time| self.time(time)),
            license: self.license(&entry.license),
            signature: self.signature(entry),
            evidence: self.evidence(entry),
            patches: entry
                .patches
                .iter()
                .map(|patch| self.plain(patch, "file name"))
                .collect(),
            origins: self.origins(&entry.origins),
        }
    }

    fn name(&mut self, name: &Spanned<String>) -> String {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let text = name.get_ref();
        if !is_plain(text) || !text.bytes().all(allowed) {
            self.refuse(
                name.span(),
                format!("`{text}` is not a name"),
                "use lower-case letters, digits and `-`",
            );
        }
        text.clone()
    }

    fn plain(&mut self, value: &Spanned<String>, what: &str) -> String {
        let text = value.get_ref();
        if !is_plain(text) {
            self.refuse(
                value.span(),
                format!("`{text}` is not a {what}"),
                "use letters, digits, `.`, `_`, `+`, `~` and `-`, no `/`, and begin with none of `.-`",
            );
        }
        text.clone()
    }

    fn machine(&mut self, machine: &Spanned<String>) -> String {
        let text = machine.get_ref();
        if !["aarch64", "x86_64"].contains(&text.as_str()) {
            self.refuse(
                machine.span(),
                format!("`{text}` is not a machine that is supported"),
                "write `aarch64` or `x86_64`, or leave the field out for source text",
            );
        }
        text.clone()
    }

    fn digest(&mut self, table: &Spanned<Entry>) -> Digest {
        let entry = table.get_ref();
        let (algorithm, hex) = match (&entry.sha256, &entry.sha512) {
            (Some(hex), None) => ("sha256", hex),
            (None, Some(hex)) => ("sha512", hex),
            _ => {
                self.refuse(
                    table.span(),
                    "a source needs `sha256` or `sha512`, and not both",
                    "write the digest that upstream publishes",
                );
                return Digest::sha256(b"");
            }
        };
        let digest = format!("{algorithm}:{}", hex.get_ref()).parse();
        digest.unwrap_or_else(|_| {
            let digits = if algorithm == "sha256" { 64 } else { 128 };
            self.refuse(
                hex.span(),
                format!("`{}` is not a {algorithm} digest", hex.get_ref()),
                format!("write {digits} lower-case hexadecimal digits, as {algorithm}sum prints"),
            );
            Digest::sha256(b"")
        })
    }

    fn size(&mut self, table: &Spanned<Entry>) -> Size {
        let entry = table.get_ref();
        match (&entry.size, &entry.max_size) {
            (Some(size), None) => Size::Exactly(self.nonzero(size)),
            (None, Some(size)) => Size::AtMost(self.nonzero(size)),
            _ => {
                self.refuse(
                    table.span(),
                    "a source needs `size` or `max-size`, and not both",
                    "write `size` if the file is available, else a generous `max-size`",
                );
                Size::AtMost(0)
            }
        }
    }

    fn nonzero(&mut self, number: &Spanned<u64>) -> u64 {
        if *number.get_ref() == 0 {
            self.refuse(
                number.span(),
                "a size of 0 bytes",
                "write the size in bytes",
            );
        }
        *number.get_ref()
    }

    fn time(&mut self, time: &Spanned<Datetime>) -> u64 {
        seconds(time.get_ref()).unwrap_or_else(|| {
            self.refuse(
                time.span(),
                format!("`{}` is not a time in UTC since 1970", time.get_ref()),
                "write it like 2026-06-25T17:58:14Z",
            );
            0
        })
    }

    fn license(&mut self, license: &Spanned<String>) -> String {
        let text = license.get_ref();
        if let Err(error) = spdx::Expression::parse(text) {
            self.refuse(
                license.span(),
                format!("`{text}` is not an SPDX expression: {}", error.reason),
                "write it like `BSD-3-Clause` or `MIT AND Zlib`; spdx.org/licenses has the names",
            );
        }
        text.clone()
    }

    fn origins(&mut self, list: &Spanned<Vec<Spanned<String>>>) -> Vec<Origin> {
        let mut origins = Vec::new();
        if list.get_ref().is_empty() {
            self.refuse(
                list.span(),
                "a source without origins",
                "write at least one",
            );
        }
        for text in list.get_ref() {
            match text.get_ref().parse::<Origin>() {
                Ok(origin) if origins.contains(&origin) => self.refuse(
                    text.span(),
                    format!("`{origin}` is listed twice"),
                    "leave one of them out",
                ),
                Ok(origin) => origins.push(origin),
                Err(error) => self.refuse(
                    text.span(),
                    error.to_string(),
                    "write `https://…`, `debian:pool/…`, `pypi:project` or `crate:name@version`",
                ),
            }
        }
        origins
    }
}

/// Seconds since 1970, for a time that says it is UTC.
fn seconds(time: &Datetime) -> Option<u64> {
    let (day, clock) = (time.date?, time.time?);
    if time.offset? != Offset::Z {
        return None;
    }
    let days = date::days(day.year.into(), day.month.into(), day.day.into());
    let seconds = 3600 * i64::from(clock.hour)
        + 60 * i64::from(clock.minute)
        + i64::from(clock.second.unwrap_or(0));
    u64::try_from(86_400 * days + seconds).ok()
}

#[cfg(test)]
mod tests;
