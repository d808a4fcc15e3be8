//! The releases of tor that are known to be vulnerable, as `tor-series.toml` has them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Version;

/// What a later release fixed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Vulnerability {
    /// The first release without it.
    pub fixed: Version,
    /// How bad the worst of it is, in upstream's words: `low`, `medium`, `high` or `critical`.
    pub severity: Option<String>,
    /// tor's own numbers of them, such as `TROVE-2026-062`.
    pub numbers: Vec<String>,
    /// What can happen.
    pub what: String,
    /// Where that can be read.
    pub source: String,
    /// How it can happen to a relay, where that is known.
    pub reached: Option<String>,
}

impl fmt::Display for Vulnerability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.what)?;
        if let Some(severity) = &self.severity {
            write!(f, "{severity} severity; ")?;
        }
        if !self.numbers.is_empty() {
            write!(f, "{}; ", self.numbers.join(", "))?;
        }
        write!(f, "fixed in {})", self.fixed)
    }
}

/// One entry of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    fixed: toml::Spanned<String>,
    severity: Option<toml::Spanned<String>>,
    #[serde(default)]
    numbers: Vec<String>,
    what: String,
    source: String,
    reached: Option<String>,
}

impl Entry {
    /// The entry, or the place and the reason why it is none.
    pub(super) fn read(self) -> Result<Vulnerability, (usize, String, &'static str)> {
        let (fixed, at) = (self.fixed.get_ref(), self.fixed.span().start);
        let fixed = fixed.parse();
        let fixed = fixed.map_err(|()| {
            let text = self.fixed.get_ref();
            (
                at,
                format!("`{text}` is not a version"),
                "write it like 0.4.9.14",
            )
        })?;
        if let Some(severity) = &self.severity {
            let (word, at) = (severity.get_ref(), severity.span().start);
            if !["low", "medium", "high", "critical"].contains(&word.as_str()) {
                return Err((
                    at,
                    format!("`{word}` is not a severity"),
                    "write `low`, `medium`, `high` or `critical`, or leave it out",
                ));
            }
        }
        Ok(Vulnerability {
            fixed,
            severity: self.severity.map(toml::Spanned::into_inner),
            numbers: self.numbers,
            what: self.what,
            source: self.source,
            reached: self.reached,
        })
    }
}
