//! The end of life of tor's series, as `tor-series.toml` has it.

use std::fmt;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::value::Datetime;

use super::vulnerable::{self, Vulnerability};
use super::{Error, Series, Version};
use crate::base::LineError;
use crate::base::date;

/// The version of the format that this code reads.
const FORMAT: u64 = 1;

/// A version whose series is not maintained any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndOfLife {
    /// The version.
    pub version: String,
    /// Its series.
    pub series: Series,
    /// The day since when, in UTC.
    pub ended: String,
    /// What happened on it.
    pub why: String,
    /// Where that can be read.
    pub source: String,
}

impl fmt::Display for EndOfLife {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tor {} is past its end of life: ", self.version)?;
        write!(f, "{}.x ended on {}, {}", self.series, self.ended, self.why)?;
        write!(f, " ({})", self.source)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: Spanned<u64>,
    series: Vec<Entry>,
    #[serde(default)]
    vulnerable: Vec<vulnerable::Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    ended: Spanned<Datetime>,
    why: String,
    source: String,
}

/// Whether the series of `version` has ended by `now`, as the file at `path` has it. A
/// series that is not there has not, unless it is older than the first.
///
/// # Errors
/// When the file cannot be read, or says what cannot be; all of that at once.
pub fn end_of_life(
    path: &Path,
    version: &str,
    now: SystemTime,
) -> Result<Option<EndOfLife>, Error> {
    let (ends, _) = read(&fs_err::read_to_string(path)?, path)?;
    let Some(series) = series(version) else {
        return Ok(None);
    };
    let older = |end: &&End| series < end.series;
    let known = ends.iter().find(|end| end.series == series);
    let end = known.or_else(|| ends.first().filter(older));
    Ok(end
        .filter(|end| end.ended <= date::epoch(now))
        .map(|end| EndOfLife {
            version: version.to_owned(),
            series: end.series,
            ended: date::day(end.ended),
            why: end.why.clone(),
            source: end.source.clone(),
        }))
}

/// What is known of `version`, by the file at `path`: what every later release fixed.
///
/// # Errors
/// When the file cannot be read, or says what cannot be; all of that at once.
pub fn vulnerabilities(path: &Path, version: &str) -> Result<Vec<Vulnerability>, Error> {
    let (_, mut known) = read(&fs_err::read_to_string(path)?, path)?;
    let Ok(version) = version.parse::<Version>() else {
        return Ok(Vec::new());
    };
    known.retain(|one| version < one.fixed);
    Ok(known)
}

/// The series of any version, whatever follows its third number.
fn series(version: &str) -> Option<Series> {
    let numbers: Vec<&str> = version.split(['.', '-']).take(3).collect();
    numbers.join(".").parse().ok()
}

/// The end of one series.
pub(super) struct End {
    series: Series,
    /// In seconds since 1970.
    ended: u64,
    why: String,
    source: String,
}

/// The ends of series and the vulnerabilities, or everything that is wrong with them.
fn read(text: &str, path: &Path) -> Result<(Vec<End>, Vec<Vulnerability>), Error> {
    let mut findings = Vec::new();
    let mut refuse = |at: usize, message: String, help: &str| {
        findings.push(LineError::at(path, text, at, message, help));
    };
    let document = match toml::from_str::<Document>(text) {
        Ok(document) => document,
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            let message = error.message().replace('\n', ", ");
            refuse(
                at,
                message,
                "fix the line; the head of the file says how it is written",
            );
            return Err(Error::Series(findings));
        }
    };
    let format = *document.version.get_ref();
    if format != FORMAT {
        refuse(
            document.version.span().start,
            format!("format version {format} is not supported"),
            "use a relaysmith that knows it, or write `version = 1`",
        );
    }
    let mut ends: Vec<End> = Vec::new();
    for entry in document.series {
        let (name, at) = (entry.name.get_ref(), entry.name.span().start);
        let Ok(series) = name.parse::<Series>() else {
            refuse(
                at,
                format!("`{name}` is not a series"),
                "write it like 0.4.8",
            );
            continue;
        };
        if ends.last().is_some_and(|before| before.series >= series) {
            refuse(
                at,
                format!("`{name}` is out of order"),
                "sort them, each once",
            );
        }
        let ended = entry.ended.get_ref();
        let Some(ended) = day(ended) else {
            refuse(
                entry.ended.span().start,
                format!("`{ended}` is not a day since 1970"),
                "write it like 2026-09-08",
            );
            continue;
        };
        ends.push(End {
            series,
            ended,
            why: entry.why,
            source: entry.source,
        });
    }
    let mut known: Vec<Vulnerability> = Vec::new();
    for entry in document.vulnerable {
        match entry.read() {
            Ok(one) => known.push(one),
            Err((at, message, help)) => refuse(at, message, help),
        }
    }
    if findings.is_empty() {
        Ok((ends, known))
    } else {
        Err(Error::Series(findings))
    }
}

/// Seconds from 1970 to the day that `time` is, if it is one and nothing more.
fn day(time: &Datetime) -> Option<u64> {
    let day = time.date.filter(|_| time.time.is_none())?;
    let days = date::days(day.year.into(), day.month.into(), day.day.into());
    Some(86_400 * u64::try_from(days).ok()?)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// What is said of some versions at a time in seconds since 1970.
    fn said(versions: &[&str], now: u64) -> String {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tor-series.toml"));
        let now = UNIX_EPOCH + Duration::from_secs(now);
        let line = |version: &&str| match end_of_life(path, version, now).unwrap() {
            Some(end) => end.to_string(),
            None => format!("tor {version}: nothing known"),
        };
        versions.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_has_ended() {
        // 2026-09-08, the first second.
        let versions = [
            "0.2.9.1",
            "0.4.5.16",
            "0.4.6.12",
            "0.4.7.16",
            "0.4.8.25",
            "0.4.8.0-alpha-dev",
            "0.4.9.11",
            "0.5.0.1-alpha",
            "main",
        ];
        insta::assert_snapshot!(said(&versions, 1_788_825_600), @r"
        tor 0.2.9.1 is past its end of life: 0.4.5.x ended on 2023-02-15, as upstream had announced (ChangeLog, 0.4.5.16)
        tor 0.4.5.16 is past its end of life: 0.4.5.x ended on 2023-02-15, as upstream had announced (ChangeLog, 0.4.5.16)
        tor 0.4.6.12 is past its end of life: 0.4.6.x ended on 2022-08-01, as upstream had announced; directory authorities reject it since 0.4.7.13 (ChangeLog, 0.4.6.11 and 0.4.7.13)
        tor 0.4.7.16 is past its end of life: 0.4.7.x ended on 2024-04-10, directory authorities reject it since 0.4.8.11 (ChangeLog, 0.4.8.11, ticket 40896)
        tor 0.4.8.25 is past its end of life: 0.4.8.x ended on 2026-09-08, directory authorities reject it since 0.4.9.12 (ChangeLog, 0.4.9.12, ticket 41234)
        tor 0.4.8.0-alpha-dev is past its end of life: 0.4.8.x ended on 2026-09-08, directory authorities reject it since 0.4.9.12 (ChangeLog, 0.4.9.12, ticket 41234)
        tor 0.4.9.11: nothing known
        tor 0.5.0.1-alpha: nothing known
        tor main: nothing known
        ");
        // The second before.
        insta::assert_snapshot!(said(&["0.4.8.25"], 1_788_825_599), @"tor 0.4.8.25: nothing known");
    }

    #[test]
    fn what_the_file_may_not_say() {
        let entry = |name: &str, ended: &str| {
            format!("\n[[series]]\nname = \"{name}\"\nended = {ended}\nwhy = \"a\"\nsource = \"b\"")
        };
        let one = entry("0.4.8", "2026-09-08");
        let seen = [
            "version = 2\nseries = []".to_owned(),
            "version = 1".to_owned(),
            "version = 1\nseries = []\nother = 1".to_owned(),
            format!("version = 1{}", entry("0.4.8.1", "2026-09-08")),
            format!("version = 1{}", entry("0.4.8", "2026-09-31")),
            format!("version = 1{}", entry("0.4.8", "2026-09-08T00:00:00Z")),
            format!("version = 1{}", entry("0.4.8", "12:00:00")),
            format!("version = 1{}", entry("0.4.8", "1969-12-31")),
            format!("version = 1{one}{one}"),
            format!("version = 1{one}{}", entry("0.4.7", "2024-04-10")),
        ]
        .map(|text| match read(&text, Path::new("tor-series.toml")) {
            Ok(_) => "nothing is wrong".to_owned(),
            Err(error) => error.to_string(),
        });
        insta::assert_snapshot!(seen.join("\n"), @r#"
        tor-series.toml:1: format version 2 is not supported
          1 | version = 2
          help: use a relaysmith that knows it, or write `version = 1`
        tor-series.toml:1: missing field `series`
          1 | version = 1
          help: fix the line; the head of the file says how it is written
        tor-series.toml:3: unknown field `other`, expected one of `version`, `series`, `vulnerable`
          3 | other = 1
          help: fix the line; the head of the file says how it is written
        tor-series.toml:3: `0.4.8.1` is not a series
          3 | name = "0.4.8.1"
          help: write it like 0.4.8
        tor-series.toml:4: invalid date, expected day between 01 and 30
          4 | ended = 2026-09-31
          help: fix the line; the head of the file says how it is written
        tor-series.toml:4: `2026-09-08T00:00:00Z` is not a day since 1970
          4 | ended = 2026-09-08T00:00:00Z
          help: write it like 2026-09-08
        tor-series.toml:4: `12:00:00` is not a day since 1970
          4 | ended = 12:00:00
          help: write it like 2026-09-08
        tor-series.toml:4: `1969-12-31` is not a day since 1970
          4 | ended = 1969-12-31
          help: write it like 2026-09-08
        tor-series.toml:8: `0.4.8` is out of order
          8 | name = "0.4.8"
          help: sort them, each once
        tor-series.toml:8: `0.4.7` is out of order
          8 | name = "0.4.7"
          help: sort them, each once
        "#);
    }
}
