//! The lines of onion services, each of which tor reads together with those before it.

use std::collections::HashSet;

use super::config::{Config, Setting};
use super::finding::Severity::Error;
use super::syntax::is_ip;

/// Numbers of a service that have limits.
const LIMITS: &[(&str, u64, u64)] = &[
    ("HiddenServiceMaxStreams", 0, 65_535),
    ("HiddenServiceNumIntroductionPoints", 3, 20),
    ("HiddenServiceVersion", 3, 3),
];

/// Whether a service can be there: a port, an address with or without one, or a socket.
fn is_target(text: &str) -> bool {
    let port = |text: &str| text.parse::<u16>().is_ok_and(|port| port > 0);
    let placed = text
        .rsplit_once(':')
        .is_some_and(|(host, number)| is_ip(host) && port(number));
    port(text) || is_ip(text) || placed || text.starts_with("unix:")
}

pub(super) fn check(config: &mut Config) {
    let both = [
        "HiddenServiceSingleHopMode",
        "HiddenServiceNonAnonymousMode",
    ];
    for (one, other) in [(both[0], both[1]), (both[1], both[0])] {
        if let (Some(setting), None) = (config.on(one), config.on(other)) {
            config.find(
                Error,
                "option-alone",
                &setting,
                format!("it needs `{other} 1`: tor does not start"),
                "delete the line",
            );
        }
    }
    let of_services = |setting: &Setting| {
        let name = setting.option.name;
        name.starts_with("HiddenService")
            && !both.contains(&name)
            && name != "HiddenServiceStatistics"
    };
    let lines: Vec<Setting> = config.every().into_iter().filter(of_services).collect();
    let mut services: Vec<(Setting, bool)> = Vec::new();
    let mut directories: HashSet<String> = HashSet::new();
    for setting in lines {
        let name = setting.option.name;
        if name == "HiddenServiceDir" {
            if !directories.insert(setting.value.clone()) {
                let what = format!(
                    "`{}` is given to two services: tor does not start",
                    setting.value
                );
                config.find(
                    Error,
                    "onion-service-lines",
                    &setting,
                    what,
                    "write a directory of its own",
                );
            }
            services.push((setting, false));
            continue;
        }
        let Some((_, ports)) = services.last_mut() else {
            let what = format!("`{name}` stands before any `HiddenServiceDir`: tor does not start");
            let fix = "delete the line, or move it behind the `HiddenServiceDir` it is for";
            config.find(Error, "onion-service-lines", &setting, what, fix);
            continue;
        };
        let mut words = setting.value.split_ascii_whitespace();
        if name == "HiddenServicePort" {
            *ports = true;
            let port = words.next().unwrap_or_default();
            if !port.parse::<u16>().is_ok_and(|port| port > 0) {
                let what = format!("`{port}` is not a port: tor does not start");
                let fix = "write it like `HiddenServicePort 80 127.0.0.1:8080`";
                config.find(Error, "onion-service-lines", &setting, what, fix);
            } else if let Some(target) = words.next()
                && !is_target(target)
            {
                let what = format!("`{target}` is not an address and a port: tor does not start");
                let fix = "write it like `HiddenServicePort 80 127.0.0.1:8080`";
                config.find(Error, "onion-service-lines", &setting, what, fix);
            }
        }
        let words: &[&str] = match name {
            "HiddenServiceEnableIntroDoSDefense"
            | "HiddenServicePoWDefensesEnabled"
            | "HiddenServiceAllowUnknownPorts"
            | "HiddenServiceDirGroupReadable"
            | "HiddenServiceMaxStreamsCloseCircuit"
            | "HiddenServiceOnionBalanceInstance" => &["0", "1"],
            "HiddenServiceExportCircuitID" => &["none", "haproxy"],
            _ => &[],
        };
        if !words.is_empty() && !words.contains(&&*setting.value) {
            let what = format!(
                "`{}` is not {}: tor does not start",
                setting.value,
                words.join(" or ")
            );
            config.find(
                Error,
                "onion-service-lines",
                &setting,
                what,
                "delete the line",
            );
        }
        if let Some((_, least, most)) = LIMITS.iter().find(|(own, ..)| *own == name)
            && !setting
                .value
                .parse::<u64>()
                .is_ok_and(|number| (*least..=*most).contains(&number))
        {
            let range = match least == most {
                true => least.to_string(),
                false => format!("{least} to {most}"),
            };
            let what = format!("`{}` is not {range}: tor does not start", setting.value);
            config.find(
                Error,
                "onion-service-lines",
                &setting,
                what,
                "delete the line",
            );
        }
    }
    for (setting, ports) in services {
        if !ports {
            config.find(
                Error,
                "onion-service-lines",
                &setting,
                "the service has no `HiddenServicePort`: tor does not start",
                "delete the line",
            );
        }
    }
}
