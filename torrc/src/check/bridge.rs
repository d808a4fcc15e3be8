//! What only bridges have.

use super::config::Config;
use super::finding::Fix;
use super::finding::Severity::{Error, Warning};
use crate::{Distribution, Role};

pub(super) fn check(config: &mut Config, role: Role) {
    let bridge = config.on("BridgeRelay");
    match (role, &bridge) {
        // A line that tor cannot read is a fault of its own.
        (Role::Bridge, None)
            if config.off("BridgeRelay").is_some() || config.one("BridgeRelay").is_none() =>
        {
            config.missing(
                Error,
                "role-mismatch",
                "BridgeRelay",
                "a bridge is meant, and without this line it is a public relay",
                Fix::add("BridgeRelay 1"),
            )
        }
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
            "only a bridge can be distributed: tor does not start without `BridgeRelay 1`",
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
            format!(
                "`{}` is not a way to distribute a bridge{end}",
                setting.value
            ),
            "write any, none, https, email or settings; tor's own choice is any",
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
