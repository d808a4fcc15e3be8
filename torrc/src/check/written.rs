//! Lines that tor reads otherwise than they are meant, for a quote or a backslash.

use std::collections::HashSet;

use super::finding::Fix;
use super::finding::Severity::{self, Error, Warning};
use super::options::{Found, find as option};
use super::parse::{ESCAPE, FOLLOWED, Line, OPEN, SyntaxError};

/// What is wrong with how a file is written, and what is left of it.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The settings that can be read.
    pub(super) lines: Vec<Line>,
    /// The options of the others.
    pub(super) broken: Vec<&'static str>,
    /// What is wrong.
    pub(super) faults: Vec<Fault>,
    /// Whether tor reads no more than a part of the file, if that.
    pub(super) incomplete: bool,
}

/// One thing that is wrong.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) severity: Severity,
    pub(super) what: String,
    pub(super) fix: Fix,
}

/// What the reader made of `text`, judged by how it is written.
pub(super) fn written(text: &[u8], lines: Vec<Line>, errors: Vec<SyntaxError>) -> Written {
    if let Some(what) = unreadable(text) {
        let fault = Fault {
            line: 1,
            severity: Error,
            what: format!("{what}: tor does not start"),
            fix: "save the file as UTF-8, each line with a line feed at its end".into(),
        };
        return Written {
            faults: vec![fault],
            incomplete: true,
            ..Written::default()
        };
    }
    let text = String::from_utf8_lossy(text);
    let raw: Vec<&str> = text
        .split('\n')
        .map(|line| line.trim_end_matches('\r'))
        .collect();
    let mut written = Written::default();
    // The first line after a value that was to go on, where its rest stands.
    let mut rests: HashSet<usize> = HashSet::new();
    for error in errors {
        if let Some(known) = known(&error.name) {
            written.broken.push(known);
        }
        let line = error.number.checked_sub(1).and_then(|at| raw.get(at));
        written.incomplete |= error.name.is_empty();
        if error.reason == OPEN {
            rests.insert(error.number + 1);
        }
        written
            .faults
            .push(fault(&error, line.copied().unwrap_or_default()));
    }
    let mut lines = lines.into_iter().peekable();
    while let Some(mut line) = lines.next() {
        if rests.contains(&line.number) && known(&line.name).is_none() {
            rests.insert(line.last + 1);
            continue;
        }
        let last = raw.get(line.last - 1).copied().unwrap_or_default();
        let plain = last.trim_end();
        if plain != last && plain.ends_with('\\') && line.value.ends_with('\\') {
            let next = lines.peek().filter(|next| next.number == line.last + 1);
            let rest = next.is_some_and(|next| known(&next.name).is_none());
            let (severity, end, meant, fix) = match rest {
                true => (
                    Error,
                    "tor takes the next line for an option of its own and does not start",
                    plain,
                    "delete the blank after the backslash",
                ),
                false => (
                    Warning,
                    "the setting ends here, with the backslash in it",
                    plain.trim_end_matches('\\').trim_end(),
                    "delete the backslash",
                ),
            };
            let mut whole = raw[line.number - 1..line.last - 1].to_vec();
            whole.push(meant);
            written.faults.push(Fault {
                line: line.number,
                severity,
                what: format!("a blank follows the `\\` at the end of the line: {end}"),
                fix: Fix::write(whole.join("\n")).said(fix),
            });
            if rest {
                rests.insert(line.last + 1);
            }
            line.value.pop();
            line.value.truncate(line.value.trim_end().len());
        }
        written.lines.push(line);
    }
    written
}

/// What is wrong with a file of which tor reads nothing as it is meant.
fn unreadable(text: &[u8]) -> Option<&'static str> {
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        return Some("the file is UTF-16, which tor does not read");
    }
    let carriage_returns = text.iter().filter(|&&byte| byte == b'\r').count();
    (carriage_returns > 1 && !text.contains(&b'\n')).then_some(
        "its lines end with carriage returns alone, so that tor takes the file for one line",
    )
}

/// The option of that name, if tor has one.
fn known(name: &str) -> Option<&'static str> {
    let name = name
        .trim_start_matches('\u{feff}')
        .trim_start_matches(['+', '/']);
    match option(name) {
        Found::Named(known) | Found::OldName(known) | Found::CutShort(known) => Some(known.name),
        Found::Unknown(_) => (name == "%include").then_some("%include"),
    }
}

fn fault(error: &SyntaxError, line: &str) -> Fault {
    let SyntaxError {
        number,
        name,
        reason,
    } = error;
    let quotes = line.matches('"').count();
    let plain = !line.contains(['\\', '#']);
    let value = line
        .trim_start()
        .get(name.len()..)
        .unwrap_or_default()
        .trim();
    let (what, fix) = match *reason {
        OPEN if line.trim_end().ends_with('\\') => (
            format!(
                "{reason}, and a backslash does not carry it over to the next: tor does not start"
            ),
            "write all of it on one line, with a double quote at its end".into(),
        ),
        OPEN if quotes == 1 && plain => (
            format!("{reason}: tor does not start"),
            Fix::write(format!("{}\"", line.trim())).said("end the value with a double quote"),
        ),
        OPEN => (
            format!("{reason}: tor does not start"),
            "end the value with a double quote".into(),
        ),
        FOLLOWED if quotes == 2 && plain => (
            format!("{reason}: tor does not start"),
            Fix::write(format!("{name} {}", value.replace('"', ""))),
        ),
        FOLLOWED => (
            format!("{reason}: tor does not start"),
            "put all of the value between the double quotes, and write `\\\"` for one inside"
                .into(),
        ),
        ESCAPE if quotes == 2 && !line.contains('#') && value.ends_with('"') => (
            format!("{reason}: tor does not start"),
            Fix::write(format!("{name} {}", value.replace('\\', "\\\\")))
                .said("write `\\\\` for a backslash"),
        ),
        ESCAPE => (
            format!("{reason}: tor does not start"),
            "write `\\\\` for a backslash".into(),
        ),
        // What comes before a zero byte may be a torrc by itself.
        _ => (
            (*reason).to_owned(),
            "save the file as UTF-8, without zero bytes".into(),
        ),
    };
    Fault {
        line: *number,
        severity: Error,
        what,
        fix,
    }
}
