//! What only bridges have.

use super::config::Config;
use super::finding::Severity::{Error, Warning};
use crate::relay::{Distribution, Role};

pub(super) fn check(config: &mut Config, role: Role) {
    let bridge = config.on("BridgeRelay");
    match (role, &bridge) {
        (Role::Bridge, None) => config.missing(
            Error,
            "role-mismatch",
            "BridgeRelay",
            "a bridge is meant, and without this line it is a public relay",
            "add `BridgeRelay 1`",
        ),
        (Role::Middle | Role::Exit, Some(setting)) => config.find(
            Error,
            "role-mismatch",
            setting,
            format!("a public {role} relay is meant, and this makes it a bridge"),
            "delete the line",
        ),
        _ => {}
    }
    distribution(config, bridge.is_some());
    dir_cache(config, role);
    transports(config);
}

fn distribution(config: &mut Config, bridge: bool) {
    let Some(setting) = config.one("BridgeDistribution") else {
        return;
    };
    let value = setting.value.to_ascii_lowercase();
    if !bridge {
        config.find(
            Error,
            "bridge-distribution",
            &setting,
            "only bridges are handed out: tor does not start",
            "delete the line",
        );
    } else if value.parse::<Distribution>().is_err() {
        let known = value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        let (severity, end) = if known {
            (Warning, "")
        } else {
            (Error, ": tor does not start")
        };
        config.find(
            severity,
            "bridge-distribution",
            &setting,
            format!("`{}` is no way to hand out a bridge{end}", setting.value),
            "write any, none, https, email or settings",
        );
    }
}

fn dir_cache(config: &mut Config, role: Role) {
    if let Some(setting) = config.off("DirCache") {
        let (severity, what) = if role == Role::Bridge {
            (
                Error,
                "a bridge has to serve the directory: tor does not start",
            )
        } else {
            (
                Warning,
                "a relay that does not serve the directory never becomes a guard",
            )
        };
        config.find(severity, "dir-cache-off", &setting, what, "delete the line");
    }
}

fn transports(config: &mut Config) {
    let plugins = config.all("ServerTransportPlugin");
    let listens = config.all("ServerTransportListenAddr");
    let names = |value: &str| -> Vec<String> {
        let names = value.split_whitespace().next().unwrap_or_default();
        names.split(',').map(str::to_owned).collect()
    };
    let mut started: Vec<String> = Vec::new();
    for setting in &plugins {
        let words: Vec<&str> = setting.value.split_whitespace().collect();
        if words.len() < 3 || words[1] != "exec" {
            config.find(
                Error,
                "transport-syntax",
                setting,
                "tor does not start with such a line",
                "write it like `obfs4 exec /usr/bin/lyrebird`",
            );
            continue;
        }
        for name in names(&setting.value) {
            if started.contains(&name) {
                config.find(
                    Warning,
                    "transport-twice",
                    setting,
                    format!("`{name}` is started by an earlier line: this one is ignored"),
                    "delete one of the two",
                );
            } else if !listens
                .iter()
                .any(|listen| names(&listen.value).contains(&name))
            {
                config.find(
                    Warning,
                    "transport-port",
                    setting,
                    format!("`{name}` listens on a port that the container does not publish"),
                    format!("add `ServerTransportListenAddr {name} 0.0.0.0:9002`"),
                );
            }
            started.push(name);
        }
        for blocker in ["NoExec", "Sandbox"] {
            if let Some(blocked) = config.on(blocker) {
                config.find(
                    Error,
                    "transport-not-started",
                    &blocked,
                    format!("with `{blocker} 1` tor starts no transport"),
                    "delete the line, or the transport's",
                );
            }
        }
    }
    let mut placed: Vec<String> = Vec::new();
    for setting in &listens {
        let name = names(&setting.value).join(",");
        let rule = if setting.value.split_whitespace().count() < 2 {
            Some((
                Error,
                "transport-syntax",
                "tor does not start with such a line".to_owned(),
            ))
        } else if !started.contains(&name) {
            let what = format!("nothing starts `{name}`: the line does nothing");
            Some((Warning, "transport-missing", what))
        } else if placed.contains(&name) {
            let what = format!("`{name}` has an address already: this one is ignored");
            Some((Warning, "transport-twice", what))
        } else {
            None
        };
        if let Some((severity, rule, what)) = rule {
            let mend = "write one line a transport, like `obfs4 0.0.0.0:9002`";
            config.find(severity, rule, setting, what, mend);
        }
        placed.push(name);
    }
    if let (Some(setting), true) = (plugins.first(), config.ports("ExtORPort").is_empty()) {
        config.find(
            Warning,
            "ext-or-port-missing",
            setting,
            "without it the transport cannot tell tor who uses it",
            "add `ExtORPort auto`",
        );
    }
}
