//! What does not go together with a container, or with being a relay at all.

use std::path::Path;

use super::config::{Config, Setting};
use super::finding::Fix;
use super::finding::Severity::{Error, Note, Warning};
use super::lies::{Lies, lies, whole};
use super::listener::Listener;
use super::paths::log_file;
use super::value;
use crate::DATA_DIRECTORY;

/// The longest that the containers written here are given to stop, in seconds.
pub(crate) const LONGEST_SHUTDOWN: u64 = 30;

pub(super) fn check(config: &mut Config) {
    logs(config);
    for (name, value, severity, rule, what, fix) in SWITCHES {
        if let Some(setting) = config.one(name).filter(|setting| setting.value == *value) {
            config.find(*severity, rule, &setting, *what, *fix);
        }
    }
    for name in CLIENT_ONLY {
        let switch = !name.starts_with("Reachable");
        for setting in config.all(name) {
            if switch && setting.value == "0" {
                continue;
            }
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
            Error,
            "user",
            &setting,
            "the container's user may not become another, nor itself again: tor does not start",
            "delete the line",
        );
    }
    group_readable(config);
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

/// The image's control socket lies in the data directory, and tor makes none where the group may
/// read.
fn group_readable(config: &mut Config) {
    let sockets = config.all("ControlSocket");
    let beside = |setting: &Setting| {
        let path = setting.value.split_ascii_whitespace().next();
        let path = path.map(whole).unwrap_or_default();
        let relaxed =
            Listener::socket(&setting.value).is_some_and(|it| it.has("RelaxDirModeCheck"));
        Path::new(&path).parent() == Some(Path::new(DATA_DIRECTORY)) && !relaxed
    };
    if !sockets.is_empty() && !sockets.iter().any(beside) {
        return;
    }
    let cache = config.one("CacheDirectory").is_none();
    for name in ["DataDirectoryGroupReadable", "CacheDirectoryGroupReadable"] {
        if let Some(setting) = config.on(name)
            && (cache || name.starts_with("Data"))
        {
            config.find(
                Error,
                "group-readable",
                &setting,
                "tor makes no control socket in a directory that the group can read, and the image's is in /tordata: tor does not start",
                "delete the line",
            );
        }
    }
}

/// Options of clients, with which tor refuses to be a relay.
const CLIENT_ONLY: &[&str] = &[
    "ReachableAddresses",
    "ReachableORAddresses",
    "ReachableDirAddresses",
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
        "Sandbox",
        "1",
        Warning,
        "sandbox",
        "the image's tor is built without `Sandbox`: it warns and runs without it",
        "delete the line",
    ),
    (
        "DisableAllSwap",
        "1",
        Error,
        "swap",
        "the container has no right to lock memory: tor does not start",
        "delete the line",
    ),
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
        "with it tor is a client and not a relay",
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
        "ClientDNSRejectInternalAddresses",
        "0",
        Error,
        "client-option",
        "it is for private test networks only: tor does not start",
        "delete the line",
    ),
    (
        "HardwareAccel",
        "1",
        Warning,
        "hardware",
        "the image's OpenSSL has no engines to turn on: tor warns",
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
        "SafeLogging",
        "relay",
        Warning,
        "unsafe-logging",
        "addresses are kept out of the log only where tor acts as a relay: tor warns",
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

fn logs(config: &mut Config) {
    let logs = config.all("Log");
    // What goes to a file elsewhere, or cannot be read, has its own finding.
    let hidden = |value: &str| {
        let file = log_file(value)
            .is_some_and(|file| lies(&file) == Lies::Volume || file.starts_with('~'));
        file || value.to_ascii_lowercase().trim_end().ends_with("syslog")
    };
    if let Some(setting) = logs.first()
        && logs.iter().all(|setting| hidden(&setting.value))
    {
        config.find(
            Warning,
            "log-hidden",
            setting,
            "the container's log stays empty: `docker logs` shows nothing",
            Fix::add("Log notice stdout"),
        );
    }
}
