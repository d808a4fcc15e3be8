//! One finding a fault: what follows from another finding of the same line goes.

use std::collections::{HashMap, HashSet};

use super::finding::{Finding, Severity};

/// A value that was never filled in, or that cannot be read, has no other fault.
const WHOLE: &[&str] = &[
    "placeholder",
    "family-on-bridge",
    "syntax",
    "not-utf8",
    "bad-value",
    "port-syntax",
    "port-flags",
    "log-syntax",
    "node-list",
    "family-member",
    "bandwidth-too-high",
    "bandwidth-below-minimum",
];

/// What is about the option's name, whatever its value is.
const OF_THE_NAME: &[&str] = &[
    "old-name",
    "abbreviation",
    "repeated-option",
    "comment-sign",
];

/// What is open to all is to be closed, whether or not it can be opened.
const OPEN: &[&str] = &[
    "socks-port-public",
    "proxy-port-public",
    "control-port-public",
    "ext-or-port-public",
    "metrics-port-public",
];

pub(super) fn one_a_fault(findings: &mut Vec<Finding>) {
    placeholders(findings);
    let mut lines: HashMap<(String, usize), Vec<usize>> = HashMap::new();
    for (at, finding) in findings.iter().enumerate() {
        if let Some(line) = finding.line {
            let place = (finding.file.clone(), line);
            lines.entry(place).or_default().push(at);
        }
    }
    let mut gone: HashSet<usize> = HashSet::new();
    for places in lines.into_values().filter(|places| places.len() > 1) {
        of_one_line(findings, &places, &mut gone);
    }
    let mut at = 0;
    findings.retain(|_| {
        at += 1;
        !gone.contains(&(at - 1))
    });
    let mut seen: HashSet<Finding> = HashSet::new();
    findings.retain(|finding| seen.insert(finding.clone()));
}

/// Marks what follows from another finding among those at `places`, which are of one line.
fn of_one_line(findings: &mut [Finding], places: &[usize], gone: &mut HashSet<usize>) {
    let is_error = |at: &&usize| findings[**at].severity == Severity::Error;
    let named = |rule: &str| {
        places
            .iter()
            .find(|at| findings[**at].rule == rule)
            .copied()
    };
    let errors: Vec<usize> = places.iter().filter(is_error).copied().collect();
    let whole = WHOLE.iter().find_map(|rule| {
        let mut faults = errors.iter().filter(|at| findings[**at].rule == *rule);
        faults.next().copied()
    });
    // A port that no relay has goes as a whole, whatever else is wrong with it.
    if let Some(dirport) = named("dirport") {
        let told = errors.first().copied().unwrap_or(dirport);
        let (fix, edit) = (
            findings[dirport].fix.clone(),
            findings[dirport].edit.clone(),
        );
        (findings[told].fix, findings[told].edit) = (fix, edit);
        gone.extend(places.iter().filter(|at| **at != told));
        return;
    }
    if let (Some(conflict), Some(usual)) = (named("port-conflict"), named("transport-usual-port")) {
        let (fix, edit) = (findings[usual].fix.clone(), findings[usual].edit.clone());
        (findings[conflict].fix, findings[conflict].edit) = (fix, edit);
        gone.insert(usual);
        return;
    }
    if let Some(whole) = whole {
        let others = places.iter().filter(|at| {
            let other = &findings[**at];
            other.rule != findings[whole].rule && !OF_THE_NAME.contains(&other.rule)
        });
        gone.extend(others);
        return;
    }
    if named("obsolete-option").is_some() {
        gone.extend(named("abbreviation").into_iter().chain(named("old-name")));
    }
    if !errors.is_empty() {
        gone.extend(named("deprecated-option"));
    }
    let units = (named("bandwidth-without-unit"), named("burst-below-rate"));
    let empty = named("empty-value").filter(|_| !errors.is_empty());
    if OPEN.iter().any(|rule| named(rule).is_some()) {
        gone.extend(named("listen-address"));
    }
    if let (Some(address), Some(v6)) = (named("orport-address"), named("orport-ipv6-only")) {
        gone.insert(if errors.contains(&address) {
            v6
        } else {
            address
        });
    }
    if let (Some(empty), Some(error)) = (empty, errors.first()) {
        findings[*error]
            .what
            .push_str("; the line has no value, which tor takes for 0");
        gone.insert(empty);
    }
    // Without the unit it is too little: that is what is wrong.
    if let (Some(unit), Some(low)) = units {
        if findings[unit].severity != Severity::Error {
            findings[unit].severity = Severity::Error;
            let end = ": it is less than the rate, and tor does not start";
            findings[unit].what.push_str(end);
        }
        gone.insert(low);
    }
}

/// A sample's value is said with what it comes to.
fn placeholders(findings: &mut [Finding]) {
    let mut refused: HashMap<(String, Option<usize>), String> = HashMap::new();
    for finding in findings.iter() {
        if finding.severity == Severity::Error && finding.rule != "placeholder" {
            let place = (finding.file.clone(), finding.line);
            refused.entry(place).or_insert_with(|| finding.what.clone());
        }
    }
    for finding in findings
        .iter_mut()
        .filter(|finding| finding.rule == "placeholder")
    {
        if let Some(what) = refused.get(&(finding.file.clone(), finding.line)) {
            finding.what = format!("{what}; it is a placeholder from a sample");
        }
    }
}
