//! Values that have a syntax of their own, which tor refuses when it is broken.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::config::{Config, Setting};
use super::exit::policy_meant;
use super::finding::Fix;
use super::finding::Severity::{Error, Warning};
use super::paths::log_file;
use crate::policy;
use crate::{Fingerprint, Nickname};

pub(super) fn check(config: &mut Config) {
    for setting in config.all("Log") {
        log(config, &setting);
    }
    for name in [
        "EntryNodes",
        "ExitNodes",
        "MiddleNodes",
        "ExcludeNodes",
        "ExcludeExitNodes",
        "HSLayer2Nodes",
        "HSLayer3Nodes",
        "NodeFamily",
    ] {
        for setting in config.all(name) {
            nodes(config, &setting);
        }
    }
    for name in ["SocksPolicy", "DirPolicy", "MetricsPortPolicy"] {
        for setting in config.all(name) {
            address_policy(config, &setting);
        }
    }
    for name in [
        "FirewallPorts",
        "LongLivedPorts",
        "RejectPlaintextPorts",
        "WarnPlaintextPorts",
    ] {
        for setting in config.all(name) {
            ports(config, &setting);
        }
    }
    if let Some(setting) = config.one("ContactInfo")
        && setting.value.contains('\u{fffd}')
    {
        config.find(
            Error,
            "not-utf8",
            &setting,
            "it is not UTF-8: tor does not start",
            "save the file as UTF-8",
        );
    }
    if let Some(setting) = config.one("Schedulers") {
        let known = |kind: &str| {
            ["KIST", "KISTLite", "Vanilla"]
                .iter()
                .any(|own| own.eq_ignore_ascii_case(kind))
        };
        if let Some(bad) = setting
            .value
            .split(',')
            .map(str::trim)
            .find(|kind| !known(kind))
        {
            let what = format!("`{bad}` is not a scheduler: tor does not start");
            config.find(Error, "bad-value", &setting, what, "delete the line");
        }
    }
    if let Some(setting) = config.one("SafeLogging")
        && !["0", "1", "relay"]
            .iter()
            .any(|own| own.eq_ignore_ascii_case(&setting.value))
    {
        let what = format!(
            "`{}` is not 0, 1 or relay: tor does not start",
            setting.value
        );
        config.find(
            Error,
            "bad-value",
            &setting,
            what,
            Fix::write("SafeLogging 1"),
        );
    }
    alone(config);
}

fn log(config: &mut Config, setting: &Setting) {
    const LEVELS: [&str; 5] = ["debug", "info", "notice", "warn", "err"];
    const TARGETS: [&str; 3] = ["stdout", "stderr", "syslog"];
    let any = |list: &[&str], word: &str| list.iter().any(|own| own.eq_ignore_ascii_case(word));
    let mut rest = setting.value.trim();
    let mut levels = 0;
    let mut plain = 0;
    let wrong = loop {
        if rest.is_empty() {
            break None;
        }
        let domains = rest.strip_prefix('[');
        if let Some(after) = domains {
            let Some((inside, after)) = after.split_once(']') else {
                break Some("`[` is not closed".to_owned());
            };
            let domain = |name: &str| {
                let name = name.trim();
                let name = name.strip_prefix('~').unwrap_or(name);
                name == "*" || any(DOMAINS, name)
            };
            if let Some(bad) = inside.split(',').find(|name| !domain(name)) {
                break Some(format!("`{bad}` is not one of tor's log domains"));
            }
            rest = after.trim_start();
        }
        let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let target = |word: &str| {
            let word = word.to_ascii_lowercase();
            ["file", "stdout", "stderr", "syslog"]
                .iter()
                .any(|own| word.starts_with(own))
        };
        if target(word) {
            break None;
        }
        if domains.is_none() {
            plain += 1;
        }
        let (low, high) = word.split_once('-').unwrap_or((word, "err"));
        if let Some(bad) = [low, high].into_iter().find(|level| !any(&LEVELS, level)) {
            break Some(format!("`{bad}` is not a log level"));
        }
        // Of two levels for all domains the second has to be where the log goes.
        if plain > 1 {
            break Some(format!("`{word}` is a second level"));
        }
        levels += 1;
        rest = after.trim_start();
    };
    let target = rest.trim();
    let wrong = wrong.or_else(|| {
        if levels == 0 {
            return Some("the log level is missing".to_owned());
        }
        let first = target.split_ascii_whitespace().next().unwrap_or_default();
        let fits = target.is_empty()
            || any(&TARGETS, target)
            || (first.eq_ignore_ascii_case("file") && log_file(&setting.value).is_some());
        (!fits).then(|| format!("`{target}` is not a place that tor can log to"))
    });
    if let Some(wrong) = wrong {
        let level = setting
            .value
            .split_ascii_whitespace()
            .next()
            .unwrap_or_default();
        let meant = match level.to_ascii_lowercase().as_str() {
            "warning" | "warnings" => "warn",
            "error" | "errors" | "crit" | "critical" => "err",
            "information" => "info",
            level if LEVELS.contains(&level) => LEVELS
                .iter()
                .copied()
                .find(|own| *own == level)
                .unwrap_or("notice"),
            _ => "notice",
        };
        config.find(
            Error,
            "log-syntax",
            setting,
            format!(
                "{wrong}: tor does not start; the levels are debug, info, notice, warn and err"
            ),
            Fix::write(format!("Log {meant} stdout")),
        );
    }
}

/// `parse_log_domain`.
const DOMAINS: &[&str] = &[
    "GENERAL",
    "CRYPTO",
    "NET",
    "CONFIG",
    "FS",
    "PROTOCOL",
    "MM",
    "HTTP",
    "APP",
    "CONTROL",
    "CIRC",
    "REND",
    "BUG",
    "DIR",
    "DIRSERV",
    "OR",
    "EDGE",
    "ACCT",
    "HIST",
    "HANDSHAKE",
    "HEARTBEAT",
    "CHANNEL",
    "SCHED",
    "GUARD",
    "CONSDIFF",
    "DOS",
    "PROCESS",
    "PT",
    "BTRACK",
    "MESG",
];

/// A list of relays, countries and networks (`routerset_parse`).
fn nodes(config: &mut Config, setting: &Setting) {
    let entries = setting.value.split(',').map(str::trim);
    let more = entries.clone().find_map(|entry| {
        let (country, more) = entry.strip_prefix('{')?.split_once('}')?;
        (country.len() == 2 && !more.is_empty()).then_some((entry, country))
    });
    if let Some((entry, country)) = more {
        let what = format!("of `{entry}` tor reads `{{{country}}}` and nothing after it");
        let fix = "write a comma between two";
        config.find(Warning, "node-list", setting, what, fix);
    }
    let fits = |entry: &str| {
        let country = entry
            .strip_prefix('{')
            .and_then(|text| text.split_once('}'));
        let country = country.map(|(code, _)| code);
        let digest = entry.split(['=', '~']).next().unwrap_or_default();
        let network = entry.contains(['.', ':', '*']);
        let whole = digest.parse::<Fingerprint>().is_ok();
        (whole && !digest.contains(' '))
            || entry.parse::<Nickname>().is_ok()
            || country.is_some_and(|code| code.len() == 2)
            || (network && policy::parse(&format!("reject {entry}")).is_ok())
    };
    let bad = entries
        .filter(|entry| !entry.is_empty())
        .find(|entry| !fits(entry));
    if let Some(bad) = bad {
        config.find(
            Error,
            "node-list",
            setting,
            format!("`{bad}` is neither a fingerprint, nor {{cc}} for a country, nor a network: tor does not start"),
            "write it with commas, like `{de},{se}` or `203.0.113.0/24`",
        );
    }
}

fn address_policy(config: &mut Config, setting: &Setting) {
    if let Err(reason) = policy::parse(&setting.value) {
        let rule = match setting.option.name {
            "MetricsPortPolicy" => "metrics-policy-syntax",
            _ => "policy-syntax",
        };
        let what = format!("{reason}: tor does not start");
        let fix = policy_meant(setting, &reason, "`accept 192.0.2.0/24` or `reject *`");
        config.find(Error, rule, setting, what, fix);
    }
}

fn ports(config: &mut Config, setting: &Setting) {
    let port = |text: &&str| {
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        text[..digits].parse::<u16>().is_ok_and(|port| port > 0)
    };
    let mut entries = setting
        .value
        .split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty());
    if let Some(bad) = entries.find(|text| !port(text)) {
        let what = format!("`{bad}` is not a port: tor does not start");
        config.find(
            Error,
            "bad-value",
            setting,
            what,
            "write ports with commas between",
        );
    }
}

/// Options that need another one.
fn alone(config: &mut Config) {
    if let Some(setting) = config.on("ControlSocketsGroupWritable")
        && config.all("ControlSocket").is_empty()
    {
        config.find(
            Warning,
            "control-socket-missing",
            &setting,
            "`ControlSocketsGroupWritable` without `ControlSocket`: tor does not start, but for this image's defaults",
            Fix::add("ControlSocket /tordata/control.sock"),
        );
    }
    if let (Some(setting), Some(_)) = (
        config.on("AssumeReachable"),
        config.off("AssumeReachableIPv6"),
    ) {
        config.find(
            Error,
            "assume-reachable",
            &setting,
            "`AssumeReachable 1` and `AssumeReachableIPv6 0` contradict each other: tor does not start",
            "delete the line",
        );
    }
    if let Some(setting) = config.off("UseEntryGuards")
        && config.one("EntryNodes").is_some()
    {
        config.find(
            Error,
            "option-alone",
            &setting,
            "`EntryNodes` needs entry guards: tor does not start",
            "delete the line",
        );
    }
    if let Some(setting) = config.on("FetchDirInfoExtraEarly")
        && config.on("FetchDirInfoEarly").is_none()
    {
        config.find(
            Error,
            "option-alone",
            &setting,
            "it needs `FetchDirInfoEarly 1`: tor does not start",
            "delete the line",
        );
    }
    if let Some(setting) = config.on("CookieAuthFileGroupReadable")
        && config.one("CookieAuthFile").is_none()
    {
        config.find(
            Warning,
            "option-alone",
            &setting,
            "it does nothing without `CookieAuthFile`: tor warns",
            "delete the line",
        );
    }
}

/// Whether `text` is a host's name: letters, digits, `-` and `_` between dots.
pub(super) fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let text = text.strip_suffix('.').unwrap_or(text);
    let last = text.rsplit('.').next().unwrap_or_default();
    let number = last.bytes().all(|byte| byte.is_ascii_digit());
    !number && text.len() <= 253 && text.split('.').all(label)
}

/// Whether `text` is an address, in brackets or not.
pub(super) fn is_ip(text: &str) -> bool {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    text.parse::<Ipv4Addr>().is_ok() || bare.unwrap_or(text).parse::<Ipv6Addr>().is_ok()
}
