//! The lines of onion services, each of which tor reads together with those before it.

use std::collections::{HashMap, HashSet};

use super::config::{Config, Setting};
use super::finding::Fix;
use super::finding::Severity::{Error, Note, Warning};
use super::syntax::is_ip;

/// Numbers of a service that have limits.
const LIMITS: &[(&str, u64, u64)] = &[
    ("HiddenServiceMaxStreams", 0, 65_535),
    ("HiddenServiceNumIntroductionPoints", 3, 20),
    ("HiddenServiceVersion", 3, 3),
    ("HiddenServiceEnableIntroDoSRatePerSec", 0, MOST),
    ("HiddenServiceEnableIntroDoSBurstPerSec", 0, MOST),
    ("HiddenServicePoWQueueRate", 0, MOST),
    ("HiddenServicePoWQueueBurst", 0, MOST),
];

/// The highest number that tor reads (`INT32_MAX`).
const MOST: u64 = 0x7fff_ffff;

/// How often a client may introduce itself, unless it is said: on the average and at once.
const INTRODUCTIONS: (u64, u64) = (25, 200);

/// A service while its lines are read.
struct Service {
    setting: Setting,
    ports: bool,
    /// Options that are there once for a service.
    once: HashMap<&'static str, Setting>,
}

/// Whether a service can be there: a port, an address with or without one, or a socket.
fn is_target(text: &str) -> bool {
    let port = |text: &str| text.parse::<u16>().is_ok_and(|port| port > 0);
    let placed = text.rsplit_once(':').is_some_and(|(host, number)| {
        (is_ip(host) || host.eq_ignore_ascii_case("localhost")) && port(number)
    });
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
    if let (Some(setting), Some(_)) = (config.on(both[1]), config.on(both[0])) {
        config.find(
            Warning,
            "onion-not-anonymous",
            &setting,
            "it does not hide where this tor's onion services run: tor warns",
            "delete the line and that of `HiddenServiceSingleHopMode`, unless that is what you want",
        );
    }
    let of_services = |setting: &Setting| {
        let name = setting.option.name;
        name.starts_with("HiddenService")
            && !both.contains(&name)
            && name != "HiddenServiceStatistics"
    };
    let lines: Vec<Setting> = config.every().into_iter().filter(of_services).collect();
    let mut services: Vec<Service> = Vec::new();
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
            services.push(Service {
                setting,
                ports: false,
                once: HashMap::new(),
            });
            continue;
        }
        let Some(service) = services.last_mut() else {
            let what = format!("`{name}` stands before any `HiddenServiceDir`: tor does not start");
            let fix = "delete the line, or move it after the `HiddenServiceDir` that it belongs to";
            config.find(Error, "onion-service-lines", &setting, what, fix);
            continue;
        };
        let mut words = setting.value.split_ascii_whitespace();
        if name == "HiddenServicePort" {
            service.ports = true;
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
            } else if let Some(more) = words.next()
                && !setting.value.contains('"')
            {
                let what = format!("`{more}` follows the address: tor does not start");
                let fix = "write it like `HiddenServicePort 80 127.0.0.1:8080`";
                config.find(Error, "onion-service-lines", &setting, what, fix);
            }
        } else if let Some(earlier) = service.once.insert(name, setting.clone()) {
            let what = format!(
                "`{name}` is set again on {}: only the last counts",
                setting.place
            );
            let fix = Fix::delete("delete all but one");
            config.find(Warning, "repeated-option", &earlier, what, fix);
        }
        if name == "HiddenServicePoWDefensesEnabled" && setting.value == "1" {
            config.find(
                Error,
                "onion-service-lines",
                &setting,
                "the image's tor is built without these defenses: it does not start",
                "delete the line",
            );
            continue;
        }
        if name == "HiddenServiceOnionBalanceInstance" && setting.value == "1" {
            config.find(
                Note,
                "path-not-made",
                &setting,
                "tor reads `ob_config` in the service's directory: without it tor does not start",
                "write the file before the first start, or delete the line",
            );
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
        let known = |word: &&str| word.eq_ignore_ascii_case(&setting.value);
        if !words.is_empty() && !words.iter().any(known) {
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
    for service in services {
        let number = |name: &str, usual: u64| {
            let set = service.once.get(name);
            set.map_or(Some(usual), |setting| setting.value.parse().ok())
        };
        let on = service.once.get("HiddenServiceEnableIntroDoSDefense");
        let rate = number("HiddenServiceEnableIntroDoSRatePerSec", INTRODUCTIONS.0);
        let burst = number("HiddenServiceEnableIntroDoSBurstPerSec", INTRODUCTIONS.1);
        if let (Some(setting), Some(rate), Some(burst)) = (on, rate, burst)
            && setting.value == "1"
            && burst < rate
        {
            let names = [
                "HiddenServiceEnableIntroDoSBurstPerSec",
                "HiddenServiceEnableIntroDoSRatePerSec",
            ];
            let given = names.iter().find_map(|name| service.once.get(name));
            let what = format!(
                "the burst of introductions is {burst}, the rate {rate}: tor does not start"
            );
            let fix = "set the burst at least as high as the rate";
            config.find(
                Error,
                "onion-service-lines",
                given.unwrap_or(setting),
                what,
                fix,
            );
        }
        let Service { setting, ports, .. } = service;
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
