//! What does not go together with a container, or with being a relay at all.

use std::path::Path;

use super::config::Config;
use super::finding::Severity::{Error, Note, Warning};
use super::value;
use crate::relay::DATA_DIRECTORY;

/// The longest that the containers written here are given to stop, in seconds.
pub(in crate::relay) const LONGEST_SHUTDOWN: u64 = 30;

pub(super) fn check(config: &mut Config) {
    directories(config);
    logs(config);
    for (name, value, severity, rule, what, mend) in SWITCHES {
        if let Some(setting) = config.one(name).filter(|setting| setting.value == *value) {
            config.find(*severity, rule, &setting, *what, *mend);
        }
    }
    for name in CLIENT_ONLY {
        if let Some(setting) = config.one(name).filter(|setting| setting.value != "0") {
            config.find(
                Error,
                "client-option",
                &setting,
                "a relay has to reach all others: tor does not start",
                "delete the line",
            );
        }
    }
    if let Some(setting) = config.one("User") {
        config.find(
            Warning,
            "user",
            &setting,
            "the container's user has no rights to give up: tor cannot become another",
            "delete the line",
        );
    }
    if let Some(setting) = config
        .one("ConnectionPadding")
        .filter(|s| s.value != "auto")
    {
        config.find(Error, "padding", &setting, NO_PADDING, "delete the line");
    }
    if let Some(setting) = config.all("HiddenServiceDir").first() {
        config.find(
            Warning,
            "onion-service",
            setting,
            "an onion service on a public relay can be found out when the relay is down",
            "run the service in a tor of its own",
        );
    }
    if let Some(setting) = config.one("ShutdownWaitLength")
        && value::seconds(&setting.value).is_some_and(|seconds| seconds > LONGEST_SHUTDOWN)
    {
        config.find(
            Note,
            "shutdown-wait",
            &setting,
            "containers are killed when they do not stop in time",
            "give the container more time to stop than this",
        );
    }
}

/// Options of clients, with which tor refuses to be a relay.
const CLIENT_ONLY: &[&str] = &[
    "ReachableAddresses",
    "ReachableORAddresses",
    "FascistFirewall",
    "UseBridges",
];

const NO_PADDING: &str = "relays may not change padding: tor does not start";

type Switch = (
    &'static str,
    &'static str,
    super::Severity,
    &'static str,
    &'static str,
    &'static str,
);

/// Options and the value of each that is wrong here.
const SWITCHES: &[Switch] = &[
    (
        "RunAsDaemon",
        "1",
        Error,
        "daemon",
        "tor goes to the background, and the container ends",
        "delete the line",
    ),
    (
        "DisableNetwork",
        "1",
        Error,
        "network-off",
        "tor makes no connection at all",
        "delete the line",
    ),
    (
        "ClientOnly",
        "1",
        Error,
        "client-option",
        "tor is no relay with it",
        "delete the line",
    ),
    (
        "ClientUseIPv4",
        "0",
        Error,
        "client-option",
        "a relay has to reach all others: tor does not start",
        "delete the line",
    ),
    (
        "CircuitPadding",
        "0",
        Error,
        "padding",
        NO_PADDING,
        "delete the line",
    ),
    (
        "ReducedCircuitPadding",
        "1",
        Error,
        "padding",
        NO_PADDING,
        "delete the line",
    ),
    (
        "ReducedConnectionPadding",
        "1",
        Error,
        "padding",
        NO_PADDING,
        "delete the line",
    ),
    (
        "SafeLogging",
        "0",
        Warning,
        "unsafe-logging",
        "addresses of users may end up in the log",
        "delete the line",
    ),
    (
        "TestingTorNetwork",
        "1",
        Warning,
        "testing-network",
        "it is for networks of one's own",
        "delete the line",
    ),
    (
        "AssumeReachable",
        "1",
        Note,
        "assume-reachable",
        "tor does not find out whether the relay can be reached",
        "delete the line, unless the ORPort is hidden behind a transport",
    ),
];

fn directories(config: &mut Config) {
    match config.one("DataDirectory") {
        // In this project's image that is in the volume, but not where it is looked for.
        None => config.missing(
            Warning,
            "data-directory",
            "DataDirectory",
            "keys and state go to the home of tor's user, which in most images is not in the volume",
            format!("add `DataDirectory {DATA_DIRECTORY}`"),
        ),
        Some(setting) if !in_volume(&setting.value) => config.find(
            Error,
            "data-directory",
            &setting,
            format!(
                "`{}` is not in the volume: with the container the relay's identity is lost",
                setting.value
            ),
            format!("write `DataDirectory {DATA_DIRECTORY}`"),
        ),
        Some(_) => {}
    }
    for name in ["KeyDirectory", "CacheDirectory"] {
        if let Some(setting) = config
            .one(name)
            .filter(|setting| !in_volume(&setting.value))
        {
            config.find(
                Warning,
                "directory-outside",
                &setting,
                format!(
                    "`{}` is not in the volume, and the container is read-only",
                    setting.value
                ),
                "delete the line: the data directory is the default",
            );
        }
    }
}

/// By its parts: what `..` leads to is not in it.
fn in_volume(path: &str) -> bool {
    let path = Path::new(path);
    let up = path.components().any(|part| part.as_os_str() == "..");
    path.starts_with(DATA_DIRECTORY) && !up
}

fn logs(config: &mut Config) {
    let logs = config.all("Log");
    let shown = |value: &str| {
        let mut words = value.split_whitespace().map(str::to_ascii_lowercase);
        // A level alone goes to standard output.
        words.clone().count() == 1 || words.any(|word| word == "stdout" || word == "stderr")
    };
    if let Some(setting) = logs.first()
        && !logs.iter().any(|setting| shown(&setting.value))
    {
        config.find(
            Warning,
            "log-hidden",
            setting,
            "the container's log stays empty: `docker logs` shows nothing",
            "write `Log notice stdout`, or delete the line",
        );
    }
}
