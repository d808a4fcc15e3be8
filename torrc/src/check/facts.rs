//! What whoever starts a relay has to know of its torrc.

use std::num::NonZeroU16;

use serde::Serialize;

use super::config::Config;
use super::exit::exits;
use super::lies::whole;
use super::listener::Listener;
use super::{Files, read, value};
use crate::{FamilyId, Metrics, MetricsNetwork};

/// A port that others reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Published {
    /// Its number on the host, of which others are told.
    pub outside: u16,
    /// Its number in the container, where tor listens.
    pub inside: u16,
}

/// What a torrc says that matters outside of tor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The relay's name, if it has one.
    pub nickname: Option<String>,
    /// The families that it names.
    pub families: Vec<FamilyId>,
    /// Whether it lists other relays by `MyFamily`.
    pub lists_family: bool,
    /// The ports on which others than the machine itself reach the relay, sorted.
    pub ports: Vec<Published>,
    /// Where Prometheus asks, if other containers may.
    pub metrics: Option<Metrics>,
    /// Whether traffic leaves the network there.
    pub exits: bool,
    /// `ShutdownWaitLength` in seconds, if it is set.
    pub shutdown_wait: Option<u64>,
    /// Whether it starts the program that only the image with obfs4 has.
    pub wants_obfs4: bool,
    /// An option of it that says a password, or what one can be guessed from.
    pub secret: Option<&'static str>,
}

/// Options whose values nobody else may see.
const SECRETS: [&str; 4] = [
    "HashedControlPassword",
    "HTTPProxyAuthenticator",
    "HTTPSProxyAuthenticator",
    "Socks5ProxyPassword",
];

/// Reads `text`, which `name` stands for, and what it includes of `files`.
pub fn facts(name: &str, text: &[u8], files: &dyn Files) -> Facts {
    let config = read(name, text, files);
    let families = config.all("FamilyId").into_iter();
    let wait = config.one("ShutdownWaitLength");
    Facts {
        nickname: config.one("Nickname").map(|setting| setting.value),
        families: families
            .filter_map(|setting| setting.value.parse().ok())
            .collect(),
        lists_family: !config.all("MyFamily").is_empty(),
        ports: published_ports(&config),
        metrics: metrics(&config),
        exits: config.on("BridgeRelay").is_none() && exits(&config),
        wants_obfs4: config.all("ServerTransportPlugin").iter().any(|setting| {
            let program = setting.value.split_ascii_whitespace().nth(2);
            program.is_some_and(|program| whole(program) == crate::LYREBIRD)
        }),
        secret: SECRETS
            .into_iter()
            .find(|name| !config.all(name).is_empty()),
        shutdown_wait: wait.and_then(|setting| value::seconds(&setting.value)),
    }
}

/// What answers a Prometheus beside it: a port on every address, for one private network.
fn metrics(config: &Config) -> Option<Metrics> {
    let ports = config.all("MetricsPort").into_iter();
    let mut open = ports
        .filter_map(|setting| Listener::read(&setting.value))
        .filter(Listener::is_open);
    let port = open.find_map(|listener| NonZeroU16::new(listener.number()?))?;
    let policies = config.all("MetricsPortPolicy").into_iter();
    let mut networks = policies.flat_map(|setting| {
        let rules = setting.value.split(',').map(str::trim);
        let accepted = rules.filter_map(|rule| rule.strip_prefix("accept ")?.trim().parse().ok());
        accepted.collect::<Vec<MetricsNetwork>>()
    });
    let network = networks.next();
    network.map(|_| Metrics { port, network })
}

/// Pairs what others reach with what listens: `ORPort 443 NoListen` and `ORPort 9001 NoAdvertise`
/// are one port, 443 outside and 9001 inside.
fn published_ports(config: &Config) -> Vec<Published> {
    let or_ports: Vec<Listener> = config
        .ports("ORPort")
        .iter()
        .filter_map(|setting| Listener::read(&setting.value))
        .collect();
    let mut ports: Vec<Published> = Vec::new();
    for listener in or_ports.iter().filter(|listener| listener.listens()) {
        let Some(inside) = listener.port() else {
            continue;
        };
        let outside = match listener.advertises() {
            true => inside,
            false => told(&or_ports, listener).unwrap_or(inside),
        };
        ports.push(Published { outside, inside });
    }
    for setting in config.all("ServerTransportListenAddr") {
        let address = setting.value.split_ascii_whitespace().nth(1);
        if let Some(port) = address.and_then(|address| Listener::read(address)?.port()) {
            ports.push(Published {
                outside: port,
                inside: port,
            });
        }
    }
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// The port that others are told of for one that listens unseen: of the same family if there is
/// one.
fn told(or_ports: &[Listener], listener: &Listener) -> Option<u16> {
    let told = or_ports
        .iter()
        .filter(|other| other.advertises() && !other.listens());
    let same = told.clone().find(|other| other.is_v4() == listener.is_v4());
    same.or_else(|| told.clone().next())?.number()
}

#[cfg(test)]
mod tests {
    use super::super::Memory;
    use super::*;

    #[test]
    fn ports_outside_and_inside() {
        let table: &[(&str, &[(u16, u16)])] = &[
            ("ORPort 9001", &[(9001, 9001)]),
            (
                "ORPort 443 NoListen\nORPort 9001 NoAdvertise",
                &[(443, 9001)],
            ),
            (
                "ORPort 9001 NoAdvertise\nORPort 203.0.113.5:443 NoListen",
                &[(443, 9001)],
            ),
            (
                "ORPort 443 NoListen IPv4Only\nORPort 9001 NoAdvertise IPv4Only\n\
                 ORPort [2001:db8::1]:8443 NoListen\nORPort [::]:9002 NoAdvertise",
                &[(443, 9001), (8443, 9002)],
            ),
            (
                "ORPort 9001\nORPort 443 NoAdvertise",
                &[(443, 443), (9001, 9001)],
            ),
            ("ORPort 127.0.0.1:9001\nORPort localhost:9002", &[]),
            (
                "ORPort 127.0.0.1:auto\nServerTransportListenAddr obfs4 0.0.0.0:8443",
                &[(8443, 8443)],
            ),
        ];
        for (text, expected) in table {
            let found = facts("torrc", text.as_bytes(), &Memory::default()).ports;
            let found: Vec<(u16, u16)> = found
                .iter()
                .map(|port| (port.outside, port.inside))
                .collect();
            assert_eq!(found, *expected, "{text}");
        }
    }
}
