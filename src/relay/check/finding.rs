//! What the check has to say.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It works; worth knowing.
    Note,
    /// It runs, but not as a relay should.
    Warning,
    /// Tor does not start, or the relay is of no use or a danger.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A place in a torrc.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// One thing to mend or to know. Displayed on three lines at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1; absent for the file as a whole.
    pub line: Option<usize>,
    /// How much it matters.
    pub severity: Severity,
    /// The name of the rule, which stays the same.
    pub rule: &'static str,
    /// The option it is about.
    pub option: Option<String>,
    /// What is wrong, and why.
    pub what: String,
    /// What to do.
    pub mend: String,
    /// Where tor's manual explains it: the section and the option.
    pub manual: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = Place {
            file: self.file.as_str().into(),
            line: self.line.unwrap_or(0),
        };
        let Self {
            severity,
            rule,
            what,
            mend,
            ..
        } = self;
        write!(f, "{place}: {severity}: {what} [{rule}]\n    mend: {mend}")?;
        match &self.manual {
            Some(manual) => write!(f, "\n    manual: {manual}"),
            None => Ok(()),
        }
    }
}
