//! What tor itself said of a torrc, beside what the check found: each fault once, and with what to
//! do.

use super::finding::{Edit, Finding, Severity};
use super::kind::Kind;
use super::options::exact;
use super::parse::parse;
use super::table::OPTIONS;

/// What tor logs of its environment, not of the torrc.
const NOT_OF_THE_FILE: &[&str] = &[
    "You are running Tor as root",
    "Reading config failed",
    "Configuration was valid",
    "Tor was compiled with",
    "Tor was built with",
    "options_init_from_torrc",
    // The volume and what the image's defaults put there, as there is none to ask with.
    "Directory /tordata",
    "Unable to make /tordata",
    "Fixing permissions on directory /tordata",
    "Couldn't open \"/tordata/control-ports",
    "Writing /tordata/control-ports failed",
    "Unable to make an IPv6 socket",
    "It is also possible that your relay might",
];

/// What tor says, and the rules that find the same.
const SAME: &[(&str, &[&str])] = &[
    ("ContactInfo config option is not set", &["contact-missing"]),
    ("MyFamily is set but ContactInfo", &["contact-missing"]),
    (
        "is deprecated, and will most likely be removed",
        &[
            "deprecated-option",
            "abbreviation",
            "old-name",
            "port-flags",
        ],
    ),
    ("The abbreviation", &["abbreviation", "old-name"]),
    ("is obsolete", &["obsolete-option"]),
    (
        "Skipping obsolete configuration option",
        &["obsolete-option"],
    ),
    (
        "used more than once; all but the last",
        &["repeated-option"],
    ),
    ("has no value", &["empty-value"]),
    ("DirCache is disabled", &["dir-cache-off"]),
    ("BridgeRelay is 1, but ExitRelay is 1", &["role-mismatch"]),
    ("Listing a family for a bridge", &["family-on-bridge"]),
    ("Can't set a DirPort on a bridge", &["dirport"]),
    (
        "configured as a relay and a hidden service",
        &["onion-service"],
    ),
    ("Using accounting with", &["onion-service"]),
    ("Unrecognized BridgeDistribution", &["bridge-distribution"]),
    (
        "no authentication method",
        &["control-port-unlocked", "control-port-public"],
    ),
    (
        "set to accept connections from a non-local",
        &["control-port-public"],
    ),
    (
        "set to accept unauthenticated connections",
        &["control-port-public", "control-port-unlocked"],
    ),
    ("built without support for sandboxing", &["sandbox"]),
    ("Sandbox", &["sandbox", "transport-not-started"]),
    ("NoExec mode", &["transport-not-started"]),
    ("MaxMemInQueues must be at least", &["memory-too-small"]),
    (
        "Being a directory cache (default) with",
        &["memory-too-small"],
    ),
    ("Running a Bridge with less than", &["memory-too-small"]),
    ("disabled SafeLogging", &["unsafe-logging"]),
    ("No OpenSSL hardware acceleration", &["hardware"]),
    ("Log time granularity", &["log-granularity"]),
    ("MaxMemInQueues value is too low", &["memory-too-small"]),
    ("HeartbeatPeriod option is too short", &["too-short"]),
    (
        "is relative and will resolve",
        &[
            "path-outside",
            "data-directory",
            "path-absent",
            "path-relative",
        ],
    ),
    ("Port option '", &["port-flags"]),
    ("superseded by", &["orport-superseded"]),
    (
        "non-local",
        &[
            "socks-port-public",
            "proxy-port-public",
            "ext-or-port-public",
            "metrics-port-public",
        ],
    ),
    ("open proxy", &["socks-port-public", "proxy-port-public"]),
    ("including configuration file", &["include-"]),
    ("included configuration file", &["include-"]),
    ("Error while parsing configuration", &["syntax", "include-"]),
    ("Error parsing configuration file", &["syntax", "include-"]),
    ("Could not open", &["include-", "dirport-front-page"]),
    ("Couldn't open \"", &["path-outside", "path-not-made"]),
    (" failed: ", &["path-outside", "path-not-made"]),
    ("NON-ANONYMOUS", &["onion-not-anonymous"]),
    ("in a non-anonymous mode", &["onion-not-anonymous"]),
    (
        "multiple arguments to the PublishServerDescriptor",
        &["obsolete-value"],
    ),
    ("Recursion level", &["include-"]),
    ("SafeLogging", &["unsafe-logging"]),
    ("TestingTorNetwork", &["testing-network"]),
    (
        "built without support for the option",
        &["authority", "testing-network"],
    ),
    (
        "to specify alternate directory authorities",
        &["authority", "testing-network"],
    ),
    ("with accept6/reject6 field type", &["exit-policy-family"]),
    ("Managed proxies", &["transport-not-started"]),
    ("AccountingMax", &["accounting-low-port"]),
    ("CookieAuthFileGroupReadable", &["option-alone"]),
    ("PublishServerDescriptor", &["obsolete-value"]),
];

/// What tor says, and what to do; where none fits, the options that it names are looked up.
const FIXES: &[(&str, &str)] = &[
    (
        "could not be resolved",
        "write the address itself, or a name that the Internet knows",
    ),
    (
        "relative",
        "write the path from the root on, as the container sees it",
    ),
    (
        "AccountingMax",
        "take an ORPort of 1024 or above, or publish one: `compose` does it for `ORPort 443 NoListen` and `ORPort 9001 NoAdvertise`",
    ),
    ("clock", "set the machine's clock"),
    (
        "ExcludeNodes",
        "delete the line: a relay is asked to serve all",
    ),
    ("DirAuthority", "delete the line: tor knows the authorities"),
];

/// Adds to `findings` what tor said of the torrc `text`, which `name` stands for, in `output`;
/// `valid` is whether it takes the file. A fault that is in `findings` already is not said again.
pub fn with_what_tor_said(
    findings: Vec<Finding>,
    name: &str,
    text: &[u8],
    valid: bool,
    output: &str,
) -> Vec<Finding> {
    let ours = findings;
    let said = output.lines().filter_map(|line| {
        let warned = line
            .split_once("[warn] ")
            .or_else(|| line.split_once("[err] "))?;
        let what = warned.1.trim();
        (!NOT_OF_THE_FILE.iter().any(|other| what.starts_with(other))).then_some(what)
    });
    let mut lines: Vec<&str> = Vec::new();
    for what in said {
        if !lines.contains(&what) {
            lines.push(what);
        }
    }
    let mut new: Vec<Finding> = Vec::new();
    // What keeps it from starting is the last that it says; what comes right before explains it.
    let refused = (!valid).then(|| lines.pop());
    for what in lines {
        if valid && !known(what, &ours, text) {
            new.push(finding(name, text, Severity::Warning, what));
        }
    }
    if let Some(what) = refused {
        let what = what.unwrap_or("it does not take the file");
        let refusal = |finding: &Finding| {
            finding.severity == Severity::Error && finding.what.contains("does not start")
        };
        if !ours.iter().any(refusal) {
            let shown = what
                .strip_prefix("Failed to parse/validate config: ")
                .unwrap_or(what);
            new.push(finding(name, text, Severity::Error, shown));
        }
    }
    ours.into_iter().chain(new).collect()
}

/// Whether one of `ours` is the fault that tor speaks of.
fn known(what: &str, ours: &[Finding], text: &[u8]) -> bool {
    let same = SAME.iter().filter(|(said, _)| what.contains(said));
    let mut rules = same.flat_map(|(_, rules)| rules.iter());
    if rules.any(|rule| ours.iter().any(|finding| finding.rule.starts_with(rule))) {
        return true;
    }
    // It names the option that a finding is about, or its value.
    let options = named(what);
    let settings = parse(text).0;
    ours.iter().any(|finding| {
        let option = finding.option.as_deref().unwrap_or_default();
        let about = options.iter().any(|name| name.eq_ignore_ascii_case(option));
        let value = settings.iter().any(|line| {
            Some(line.number) == finding.line && line.value.len() > 3 && what.contains(&line.value)
        });
        finding.severity > Severity::Note && (about || value)
    })
}

/// The options that tor names, as it writes them.
fn named(what: &str) -> Vec<&'static str> {
    let words: Vec<&str> = what
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .collect();
    let current = OPTIONS
        .iter()
        .filter(|(_, kind, _)| *kind != Kind::Obsolete);
    current
        .map(|(name, ..)| *name)
        .filter(|name| words.iter().any(|word| word == name))
        .collect()
}

fn finding(name: &str, text: &[u8], severity: Severity, what: &str) -> Finding {
    let option = named(what).into_iter().next();
    let lines = parse(text).0;
    let of_option =
        |line: &&super::Line| option.is_some_and(|option| line.name.eq_ignore_ascii_case(option));
    let of_value = |line: &&super::Line| line.value.len() > 3 && what.contains(&line.value);
    let line = lines
        .iter()
        .find(of_value)
        .or_else(|| lines.iter().find(of_option));
    let shown = String::from_utf8_lossy(text);
    let excerpt = line.and_then(|line| {
        let text = shown.split('\n').nth(line.number - 1)?;
        Some(super::Excerpt::of(text, what))
    });
    let known = FIXES.iter().find(|(said, _)| what.contains(said));
    let fix = match (known, option, line) {
        (Some((_, fix)), ..) => (*fix).to_owned(),
        (None, Some(option), Some(_)) => {
            format!(
                "correct the value of `{option}`, or delete the line: tor then uses its default"
            )
        }
        (None, Some(option), None) => format!("add `{option}` with a value that tor accepts"),
        (None, None, Some(line)) => {
            format!("correct the value of `{}`, or delete the line", line.name)
        }
        (None, None, None) => {
            "change what tor names; `tor --list-torrc-options` prints what there is".to_owned()
        }
    };
    Finding {
        file: name.to_owned(),
        line: line.map(|line| line.number),
        severity,
        rule: "tor",
        option: option.map(str::to_owned),
        what: format!("tor says: {what}"),
        fix,
        edit: None::<Edit>,
        excerpt,
        manual: option.and_then(|option| exact(option)?.manual()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Memory, check};
    use super::*;
    use crate::Role;

    fn shown(text: &str, valid: bool, output: &str) -> Vec<String> {
        let ours = check(
            "torrc",
            text.as_bytes(),
            Some(Role::Middle),
            &Memory::default(),
        )
        .findings;
        let all = with_what_tor_said(ours, "torrc", text.as_bytes(), valid, output);
        let above = all
            .iter()
            .filter(|finding| finding.severity > Severity::Note);
        above
            .map(|finding| format!("{} {}", finding.severity, finding.rule))
            .collect()
    }

    const SOUND: &str = "Nickname a\nContactInfo b@example.org\nORPort 9001\nSocksPort 0\nExitRelay 0\nDataDirectory /tordata\n";

    /// A torrc, whether tor takes it, what it logs, and the findings above notes.
    const SAID: &[(&str, bool, &str, &[&str])] = &[
        ("", true, "[notice] x\nConfiguration was valid", &[]),
        ("", true, "[warn] You are running Tor as root.", &[]),
        (
            "",
            true,
            "[warn] Writing /tordata/control-ports failed: No such file or directory",
            &[],
        ),
        (
            "PidFile x\n",
            true,
            "[warn] Path for PidFile (x) is relative and will resolve to /x. Is this what you wanted?",
            &["error path-outside"],
        ),
        (
            "X 1\n",
            false,
            "[warn] Failed to parse/validate config: Unknown option 'X'.  Failing.\n[err] Reading config failed--see warnings above.",
            &["error unknown-option"],
        ),
        (
            "",
            true,
            "[warn] Something new about NumCPUs.",
            &["warning tor"],
        ),
        (
            "",
            true,
            "[warn] Something new.\n[warn] Something new.",
            &["warning tor"],
        ),
        (
            "",
            false,
            "[warn] Something new.\n[err] Reading config failed--see warnings above.",
            &["error tor"],
        ),
        ("", false, "", &["error tor"]),
    ];

    #[test]
    fn each_fault_once() {
        for (more, valid, output, expected) in SAID {
            let text = format!("{SOUND}{more}");
            assert_eq!(shown(&text, *valid, output), *expected, "{more} {output}");
        }
    }

    #[test]
    fn it_is_said_where_and_what_to_do() {
        let text = format!("{SOUND}NumCPUs 300\n");
        let output = "[warn] NumCPUs is 300, which is a lot.";
        let all = with_what_tor_said(Vec::new(), "torrc", text.as_bytes(), true, output);
        insta::assert_snapshot!(all[0].to_string(), @r"
        torrc:7: warning: tor says: NumCPUs is 300, which is a lot. [tor]
            | NumCPUs 300
            | ^^^^^^^^^^^
            fix: correct the value of `NumCPUs`, or delete the line: tor then uses its default
            manual: SERVER OPTIONS, NumCPUs
        ");
    }
}
