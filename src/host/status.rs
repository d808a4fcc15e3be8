//! What a running relay says of itself, for people: the answer of the image's `relay-health
//! --json`.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::date;

/// The one version of the answer that is known here.
const FORMAT: u64 = 1;

/// The answer of `relay-health --json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// Which version of the answer this is.
    pub format: u64,
    /// `healthy`, `starting` or `unhealthy`.
    pub state: String,
    /// Why.
    pub text: String,
    /// What does not stop the relay.
    pub warnings: Vec<String>,
    /// What tor knows of itself, as tor says it.
    pub facts: Map<String, Value>,
}

/// Why an answer cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is no such object.
    #[error("not an answer from `relay-health --json`: {text}")]
    Unreadable {
        /// What was said instead, escaped.
        text: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It is of another version.
    #[error("an answer in format {got}; this program reads format {FORMAT}")]
    Format {
        /// Its version.
        got: u64,
    },
}

impl Error {
    /// What fixes it.
    pub fn hint(&self) -> Option<String> {
        Some(
            "the image in the container is older or newer than this clone: `cargo xtask \
             build-image`, load it, and start the relay with it"
                .to_owned(),
        )
    }
}

impl Status {
    /// Reads an answer.
    ///
    /// # Errors
    /// When it is none, or one of a format that is not known here.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let status: Self = serde_json::from_str(text).map_err(|source| {
            let short: String = text.trim().chars().take(200).collect();
            Error::Unreadable {
                text: escaped(&short),
                source,
            }
        })?;
        match status.format {
            FORMAT => Ok(status),
            got => Err(Error::Format { got }),
        }
    }

    /// Whether nothing is wrong with the relay.
    pub fn is_healthy(&self) -> bool {
        self.state == "healthy"
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.facts.get(name)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(escaped(text.trim())),
            other => Some(other.to_string()),
        }
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.facts.get(name)?.as_u64()
    }

    fn yes(&self, name: &str) -> Option<&'static str> {
        Some(if self.number(name)? == 1 {
            "yes"
        } else {
            "not yet"
        })
    }

    /// What is known, a row each: what it is, and what it is like.
    /// `now` is in seconds since 1970.
    pub fn rows(&self, now: u64) -> Vec<[String; 2]> {
        let is_bridge = self.facts.get("bridge") == Some(&Value::Bool(true));
        let accounting = self.number("accounting") == Some(1);
        let rate = || {
            let one = |name| self.number_of(name).filter(|rate| *rate > 0);
            let rate = one("rate")?;
            let burst = one("burst").unwrap_or(rate);
            Some(format!("{} a second, {} at most", size(rate), size(burst)))
        };
        let version = || {
            let version = self.text("version")?;
            Some(match self.text("version_status").as_deref() {
                None | Some("unknown") => version,
                Some(status) => format!("{version}, which the authorities call {status}"),
            })
        };
        let key = || {
            let master = match self.facts.get("master_key_here")? {
                Value::Bool(true) => "tor renews it",
                _ => "the master key is kept offline: renew it there",
            };
            Some(format!(
                "until {}; {master}",
                self.text("signing_key_until")?
            ))
        };
        let traffic = || {
            let (read, written) = (self.number("bytes_read")?, self.number("bytes_written")?);
            Some(format!(
                "{} read, {} written since its start",
                size(read),
                size(written)
            ))
        };
        let quota = || {
            let left = self.text("accounting_left")?;
            let (read, written) = left.split_once(' ')?;
            let (read, written) = (read.parse().ok()?, written.parse().ok()?);
            let end = self.text("accounting_end")?;
            Some(format!(
                "{} to read, {} to write until {end} UTC",
                size(read),
                size(written)
            ))
        };
        let family = || self.text("family_id").or_else(|| self.text("my_family"));
        let rows = [
            (
                "state",
                Some(format!("{}: {}", escaped(&self.state), escaped(&self.text))),
            ),
            ("nickname", self.text("nickname")),
            ("fingerprint", self.text("fingerprint")),
            (
                "ed25519",
                self.text("fingerprint_ed25519")
                    .and_then(|text| Some(text.split_once(' ')?.1.to_owned())),
            ),
            ("tor", version()),
            ("uptime", self.number("uptime").map(duration)),
            (
                "bootstrapped",
                self.number("bootstrapped").map(|part| format!("{part} %")),
            ),
            ("reachable", self.yes("reachable").map(str::to_owned)),
            (
                "descriptor accepted",
                self.yes("descriptor_accepted").map(str::to_owned),
            ),
            ("address", self.text("address")),
            ("address (IPv6)", self.text("address_v6")),
            ("ORPort", self.text("or_port")),
            ("flags", if is_bridge { None } else { self.text("flags") }),
            (
                "consensus weight",
                if is_bridge {
                    None
                } else {
                    self.text("consensus_weight")
                },
            ),
            ("rate", rate()),
            ("traffic", traffic()),
            ("quota left", if accounting { quota() } else { None }),
            ("family", family()),
            (
                "bridge line",
                if is_bridge {
                    self.text("bridge_lines")
                } else {
                    None
                },
            ),
            ("signing key", key()),
            (
                "memory for queues",
                self.number("max_mem_in_queues").map(size),
            ),
        ];
        let known = rows
            .into_iter()
            .filter_map(|(name, value)| Some([name.to_owned(), value?]));
        let renewal = self.renewal(now);
        // The health check says the same in the last week, without the commands that are here.
        let said = |text: &&String| renewal.is_none() || !text.starts_with("the signing key ");
        let warnings = self.warnings.iter().filter(said);
        let warnings: Vec<_> = warnings
            .map(|text| ["warning".to_owned(), escaped(text)])
            .collect();
        let renewal = renewal.map(|text| ["warning".to_owned(), text]);
        known.chain(warnings).chain(renewal).collect()
    }

    /// That a signing key has to be renewed by hand, two weeks before it lapses.
    fn renewal(&self, now: u64) -> Option<String> {
        const SOON: u64 = 14 * 86_400;
        if self.facts.get("master_key_here") != Some(&Value::Bool(false)) {
            return None;
        }
        let until = self.text("signing_key_until")?;
        let ends = minutes(&until)?;
        let left = ends.saturating_sub(now);
        (left < SOON).then(|| {
            let when = match left {
                0 => "has expired".to_owned(),
                _ => format!("expires in {}", duration(left)),
            };
            format!(
                "the signing key {when}: `cargo xtask master-key make DIR` where the master key is \
                 kept, then `cargo xtask master-key install DIR --to DATA` here"
            )
        })
    }

    fn number_of(&self, name: &str) -> Option<u64> {
        self.facts.get(name)?.as_str()?.parse().ok()
    }
}

/// As it may reach a terminal, on one line.
fn escaped(text: &str) -> String {
    shown::shown(text.replace('\n', "; ").as_bytes())
}

/// Seconds since 1970 of a time as the health check writes it: `2026-12-26 23:00 UTC`.
fn minutes(text: &str) -> Option<u64> {
    let (day, time) = text.strip_suffix(" UTC")?.split_once(' ')?;
    let mut parts = day.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let days = date::days(parts.next()??, parts.next()??, parts.next()??);
    let (hour, minute) = time.split_once(':')?;
    let seconds = hour.parse::<u64>().ok()? * 3600 + minute.parse::<u64>().ok()? * 60;
    Some(u64::try_from(days).ok()? * 86_400 + seconds)
}

/// Bytes, decimal.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{value:.2} {}", UNITS[unit])
    }
}

fn duration(seconds: u64) -> String {
    let mut text = String::new();
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    if days > 0 {
        let _ = write!(text, "{days} d ");
    }
    if days > 0 || hours > 0 {
        let _ = write!(text, "{hours} h ");
    }
    let _ = write!(text, "{minutes} min");
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_a_relay_says() {
        let answer = r#"{"format":1,"state":"healthy","text":"bootstrapped","warnings":["tor is \u001b[2Jold",
            "the signing key expires 2026-12-26 23:00 UTC: the master key is kept elsewhere"],
            "facts":{"nickname":"relay1","fingerprint":"65E4","fingerprint_ed25519":"relay1 abc\u000a",
            "version":"0.4.9.11","version_status":"obsolete","uptime":93784,"bootstrapped":100,
            "reachable":1,"descriptor_accepted":0,"flags":"Fast Running","rate":"12500000","burst":"0",
            "bytes_read":1500000,"bytes_written":0,"accounting":1,"accounting_left":"1000 2000000000",
            "accounting_end":"2026-12-01 00:00:00","my_family":"A\u000aB","family_id":"",
            "signing_key_until":"2026-12-26 23:00 UTC","master_key_here":false,"bridge":false,
            "bridge_lines":"not shown"}}"#;
        let rows: Vec<String> = Status::parse(answer)
            .unwrap()
            .rows(1_798_000_000)
            .iter()
            .map(|row| row.join(": "))
            .collect();
        assert_eq!(
            rows,
            [
                "state: healthy: bootstrapped",
                "nickname: relay1",
                "fingerprint: 65E4",
                "ed25519: abc",
                "tor: 0.4.9.11, which the authorities call obsolete",
                "uptime: 1 d 2 h 3 min",
                "bootstrapped: 100 %",
                "reachable: yes",
                "descriptor accepted: not yet",
                "flags: Fast Running",
                "rate: 12.50 MB a second, 12.50 MB at most",
                "traffic: 1.50 MB read, 0 B written since its start",
                "quota left: 1.00 kB to read, 2.00 GB to write until 2026-12-01 00:00:00 UTC",
                "family: A; B",
                "signing key: until 2026-12-26 23:00 UTC; the master key is kept offline: renew it there",
                "warning: tor is \\u{1b}[2Jold",
                "warning: the signing key expires in 3 d 18 h 33 min: `cargo xtask master-key make DIR` \
                 where the master key is kept, then `cargo xtask master-key install DIR --to DATA` here",
            ]
        );
    }

    #[test]
    fn what_is_no_answer() {
        for (text, expected) in [
            (
                "healthy: bootstrapped\n",
                "not an answer from `relay-health --json`: healthy: bootstrapped",
            ),
            (
                "\x1b[2J",
                "not an answer from `relay-health --json`: \\u{1b}[2J",
            ),
            ("", "not an answer from `relay-health --json`: "),
            (
                r#"{"format":2,"state":"healthy","text":"","warnings":[],"facts":{}}"#,
                "an answer in format 2; this program reads format 1",
            ),
        ] {
            assert_eq!(Status::parse(text).unwrap_err().to_string(), expected);
        }
    }
}
