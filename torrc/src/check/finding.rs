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

/// What to do about a finding: for the operator in words and, where it is sure what is right, as
/// a change of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fix {
    text: String,
    edit: Option<Edit>,
}

/// A change of a torrc.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Edit {
    /// The line goes.
    Delete,
    /// The line becomes this one, or these.
    Replace(String),
    /// This line is added at the end.
    Add(String),
}

/// What deleting a line is called wherever that is all there is to do.
const DELETE: &str = "delete the line";

impl Fix {
    /// The line goes, and `text` says so.
    pub(super) fn delete(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            edit: Some(Edit::Delete),
        }
    }

    /// The line becomes `line`.
    pub(super) fn write(line: impl Into<String>) -> Self {
        let line = line.into();
        Self {
            text: format!("write `{}`", line.replace('\n', "` and `")),
            edit: Some(Edit::Replace(line)),
        }
    }

    /// The file gets `line` at its end.
    pub(super) fn add(line: impl Into<String>) -> Self {
        let line = line.into();
        Self {
            text: format!("add `{line}`"),
            edit: Some(Edit::Add(line)),
        }
    }

    /// The same change, explained by `text`.
    pub(super) fn said(self, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..self
        }
    }

    /// Both parts.
    pub(super) fn parts(self) -> (String, Option<Edit>) {
        (self.text, self.edit)
    }
}

impl From<&str> for Fix {
    fn from(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            edit: (text == DELETE).then_some(Edit::Delete),
        }
    }
}

impl From<String> for Fix {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

/// The most characters of a line that are shown.
const SHOWN: usize = 500;

/// The most characters of what is said of it, and of what to do: both may quote it.
const SAID: usize = 2000;

/// A line of a torrc and the part of it that a finding is about, in characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Excerpt {
    /// The line.
    pub text: String,
    /// Where the part begins.
    pub from: usize,
    /// How long it is.
    pub length: usize,
}

impl Excerpt {
    /// Of `text`, what `what` quotes first and `text` has too; else all but blanks and a comment.
    pub(super) fn of(text: &str, what: &str) -> Self {
        let whole = text.trim_start_matches('\u{feff}').trim_end();
        let mut text: String = whole
            .chars()
            .take(SHOWN)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        if whole.len() > text.len() {
            text.push('…');
        }
        let quoted = what.split('`').skip(1).step_by(2);
        let found = quoted
            .filter(|part| !part.is_empty())
            .find_map(|part| Some((text.find(part)?, part.len())));
        let (start, bytes) = found.unwrap_or_else(|| {
            let start = text.len() - text.trim_start().len();
            let end = text.find(" #").filter(|&end| end > start);
            let bytes = text[start..end.unwrap_or(text.len())].trim_end().len();
            (start, bytes)
        });
        let from = text[..start].chars().count();
        let length = text[start..start + bytes].chars().count().max(1);
        Self { text, from, length }
    }
}

/// One thing to fix or to know. Displayed on four lines at most.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
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
    pub fix: String,
    /// The change of the file that does it, where it is sure what is right.
    pub edit: Option<Edit>,
    /// The line it is about.
    pub excerpt: Option<Excerpt>,
    /// Where tor's manual explains it: the section and the option.
    pub manual: Option<String>,
}

impl Finding {
    /// As it is displayed, in pieces. Those with `true` are to catch the eye: the severity, and the
    /// marks under the line.
    pub fn pieces(&self) -> Vec<(bool, String)> {
        let place = Place {
            file: self.file.as_str().into(),
            line: self.line.unwrap_or(0),
        };
        // A value may hold the end of a line, and what looks like a finding after it.
        let (what, fix) = (said(&self.what), said(&self.fix));
        let mut pieces = vec![
            (false, format!("{place}: ")),
            (true, self.severity.to_string()),
            (false, format!(": {what} [{}]", self.rule)),
        ];
        if let Some(excerpt) = &self.excerpt {
            let (line, before) = (shown::line(&excerpt.text), " ".repeat(excerpt.from));
            pieces.push((false, format!("\n    | {line}\n    | {before}")));
            pieces.push((true, "^".repeat(excerpt.length)));
        }
        pieces.push((false, format!("\n    fix: {fix}")));
        let manual = self.manual.iter();
        pieces.extend(manual.map(|manual| (false, format!("\n    manual: {manual}"))));
        pieces
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pieces = self.pieces().into_iter();
        pieces.try_for_each(|(_, piece)| f.write_str(&piece))
    }
}

/// Words with words of others in them, which may be as long as a torrc.
fn said(words: &str) -> String {
    match words.char_indices().nth(SAID) {
        Some((end, _)) => format!("{}…", shown::line(&words[..end])),
        None => shown::line(words),
    }
}
