//! Which listeners cannot be opened: two of one port, and addresses that a container does not
//! have.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::config::{Config, Setting};
use super::finding::Fix;
use super::finding::Severity::{Error, Warning};
use super::listener::{At, Host, Listener};
use crate::address::{is_public_v4, is_public_v6};

/// One address and port that something listens on.
struct Bound {
    setting: Option<Setting>,
    /// What it is called: an option or a transport.
    name: String,
    ip: IpAddr,
    port: u16,
    udp: bool,
}

/// Options that listen, and what they listen on without an address.
const LISTENING: &[&str] = &[
    "ORPort",
    "DirPort",
    "ExtORPort",
    "ControlPort",
    "MetricsPort",
    "SocksPort",
    "HTTPTunnelPort",
    "TransPort",
    "NATDPort",
    "DNSPort",
];

/// How many listeners of one port are compared with a further one: no relay has as many, and a
/// torrc that does is not to cost the square of its length.
const COMPARED: usize = 100;

/// Where tor listens for its own users unless told otherwise.
const SOCKS: u16 = 9050;

pub(super) fn check(config: &mut Config) {
    let bound = bound(config);
    let mut of_port: HashMap<(u16, bool), Vec<&Bound>> = HashMap::new();
    for second in &bound {
        let earlier = of_port.entry((second.port, second.udp)).or_default();
        let first = earlier.iter().copied().find(|first| clash(first, second));
        if earlier.len() < COMPARED {
            earlier.push(second);
        }
        let Some(first) = first else { continue };
        let setting = second.setting.as_ref().or(first.setting.as_ref());
        let Some(setting) = setting else { continue };
        let (one, other) = (&first.name, &second.name);
        let end = match is_transport(first) || is_transport(second) {
            true => "the transport cannot listen, and nobody can use it",
            false => "tor does not start",
        };
        let what = match (&first.setting, &second.setting) {
            (Some(place), Some(_)) => format!(
                "port `{}` is given to {other} here and to {one} on {}: {end}",
                second.port, place.place
            ),
            _ => format!(
                "port `{}` is given to {one} and, by default, to {other}: {end}",
                second.port
            ),
        };
        let fix = match second.setting {
            Some(_) if one == other && !one.starts_with("the transport") => {
                "delete the line".into()
            }
            Some(_) => Fix::from("write another port for one of the two"),
            None => Fix::add("SocksPort 0"),
        };
        config.find(Error, "port-conflict", setting, what, fix);
    }
    addresses(config);
    outbound(config);
}

/// The first port from `from` on that is none of `used`.
pub(super) fn free_port(used: &HashSet<u16>, from: u16) -> u16 {
    (from..=u16::MAX)
        .find(|port| !used.contains(port))
        .unwrap_or(from)
}

/// The ports that something in the torrc listens on, by its line or by default.
pub(super) fn used_ports(config: &Config) -> HashSet<u16> {
    let mut used: HashSet<u16> = HashSet::from([SOCKS]);
    for name in LISTENING {
        let settings = config.ports(name);
        let read = settings.iter().filter_map(|it| Listener::read(&it.value));
        used.extend(read.filter_map(|listener| listener.number()));
    }
    for setting in config.all("ServerTransportListenAddr") {
        let address = setting.value.split_ascii_whitespace().nth(1);
        let port = address.and_then(|address| address.rsplit(':').next());
        used.extend(port.and_then(|port| port.parse::<u16>().ok()));
    }
    used
}

/// All that is listened on at a fixed port.
fn bound(config: &Config) -> Vec<Bound> {
    let mut bound = Vec::new();
    for name in LISTENING {
        let settings = config.ports(name);
        // Of this one tor reads the first line alone.
        let most = match *name {
            "MetricsPort" => 1,
            _ => usize::MAX,
        };
        let read: Vec<(Setting, Listener)> = settings
            .into_iter()
            .take(most)
            .filter_map(|setting| {
                let listener = Listener::read(&setting.value)?;
                Some((setting, listener))
            })
            .collect();
        // Explicit addresses take the place of those that a bare ORPort implies.
        let explicit: HashSet<(bool, u16)> = (read.iter())
            .filter_map(|(_, other)| match &other.at {
                At::Port(Some(Host::Ip(ip)), Some(own)) => Some((ip.is_ipv4(), *own)),
                _ => None,
            })
            .collect();
        let mut seen: HashSet<(IpAddr, u16)> = HashSet::new();
        for (setting, listener) in &read {
            let At::Port(host, Some(port)) = &listener.at else {
                continue;
            };
            if !listener.listens() {
                continue;
            }
            let relay = ["ORPort", "DirPort"].contains(name);
            let ips: Vec<IpAddr> = match host {
                Some(Host::Ip(ip)) => vec![*ip],
                Some(Host::Name(name)) if name.eq_ignore_ascii_case("localhost") => {
                    vec![Ipv4Addr::LOCALHOST.into()]
                }
                Some(Host::Name(_)) => continue,
                None if *name == "ORPort" => {
                    let mut ips: Vec<IpAddr> = Vec::new();
                    if !listener.has("IPv6Only") && !explicit.contains(&(true, *port)) {
                        ips.push(Ipv4Addr::UNSPECIFIED.into());
                    }
                    if !listener.has("IPv4Only") && !explicit.contains(&(false, *port)) {
                        ips.push(Ipv6Addr::UNSPECIFIED.into());
                    }
                    ips
                }
                None if relay => vec![Ipv4Addr::UNSPECIFIED.into()],
                None => vec![Ipv4Addr::LOCALHOST.into()],
            };
            for ip in ips {
                // Of these tor takes the same listener twice for once.
                if !seen.insert((ip, *port)) && ["ORPort", "DNSPort"].contains(name) {
                    continue;
                }
                bound.push(Bound {
                    setting: Some(setting.clone()),
                    name: (*name).to_owned(),
                    ip,
                    port: *port,
                    udp: *name == "DNSPort",
                });
            }
        }
    }
    for setting in config.all("ServerTransportListenAddr") {
        let mut words = setting.value.split_ascii_whitespace();
        let (Some(name), Some(address)) = (words.next(), words.next()) else {
            continue;
        };
        let name = name.to_owned();
        if let Some(Listener {
            at: At::Port(Some(Host::Ip(ip)), Some(port)),
            ..
        }) = Listener::read(address)
        {
            bound.push(Bound {
                name: format!("the transport {name}"),
                setting: Some(setting.clone()),
                ip,
                port,
                udp: false,
            });
        }
    }
    if config.ports("SocksPort").is_empty() && !config.is_unknown("SocksPort") {
        bound.push(Bound {
            setting: None,
            name: "SocksPort".to_owned(),
            ip: Ipv4Addr::LOCALHOST.into(),
            port: SOCKS,
            udp: false,
        });
    }
    bound
}

fn is_transport(bound: &Bound) -> bool {
    bound.name.starts_with("the transport")
}

/// Whether both cannot be opened. Tor keeps IPv6 listeners to IPv6, transports do not.
fn clash(a: &Bound, b: &Bound) -> bool {
    let wide =
        |bound: &Bound| is_transport(bound) && bound.ip.is_unspecified() && bound.ip.is_ipv6();
    let same_family = a.ip.is_ipv4() == b.ip.is_ipv4();
    let overlap = match same_family {
        true => a.ip == b.ip || a.ip.is_unspecified() || b.ip.is_unspecified(),
        false => wide(a) || wide(b),
    };
    a.port == b.port && a.udp == b.udp && overlap
}

/// Addresses to listen on that a container does not have.
fn addresses(config: &mut Config) {
    for name in LISTENING {
        for setting in config.ports(name) {
            let Some(listener) = Listener::read(&setting.value) else {
                continue;
            };
            if let Some(ip) = listener.foreign_address() {
                let what = format!("a container does not have the address `{ip}` to listen on");
                let port = listener
                    .number()
                    .map_or("auto".to_owned(), |port| port.to_string());
                let public = is_public(ip);
                let told = public && config.one("Address").is_none();
                let covers = |other: &Setting| {
                    let read = Listener::read(&other.value);
                    read.is_some_and(|it| {
                        let family = if ip.is_ipv4() { "IPv6Only" } else { "IPv4Only" };
                        matches!(it.at, At::Port(None, _))
                            && it.number() == listener.number()
                            && !it.has(family)
                    })
                };
                let covered = config.ports(name).iter().any(covers);
                not_ours(config, &setting, ip, what, match *name {
                    "ORPort" if covered && !told => {
                        Fix::delete("delete the line: another one listens on that port already")
                    }
                    "ORPort" if covered => Fix::write(format!("Address {}", bare(ip))),
                    "ORPort" if !told => Fix::write(format!("ORPort {port}"))
                        .said(format!("write the port alone: `ORPort {port}`")),
                    "ORPort" => Fix::write(format!("Address {}\nORPort {port}", bare(ip)))
                        .said("write `Address` for the address and the port alone here, or add `NoListen`; `compose --bind` publishes on one address"),
                    name => Fix::write(format!("{name} {port}")).said(format!("write the port alone: `{name} {port}`")),
                });
            }
        }
    }
    for setting in config.all("ServerTransportListenAddr") {
        let Some(address) = setting.value.split_ascii_whitespace().nth(1) else {
            continue;
        };
        if let Some(Listener {
            at: At::Port(Some(Host::Ip(ip)), Some(port)),
            ..
        }) = Listener::read(address)
            && !ip.is_loopback()
            && !ip.is_unspecified()
        {
            let name = setting
                .value
                .split_ascii_whitespace()
                .next()
                .unwrap_or_default();
            let what = format!(
                "a container does not have the address `{ip}`: the transport does not listen"
            );
            let fix = Fix::write(format!("ServerTransportListenAddr {name} 0.0.0.0:{port}"));
            not_ours(config, &setting, ip, what, fix);
        }
    }
}

/// How an address is written in `Address`.
fn bare(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// A private address might be the container's own, as the engine chose it.
fn not_ours(config: &mut Config, setting: &Setting, ip: IpAddr, what: String, fix: Fix) {
    let public = is_public(ip);
    let transport = setting.option.name == "ServerTransportListenAddr";
    let rule = match setting.option.name {
        "ORPort" | "__ORPort" => "orport-address",
        _ => "listen-address",
    };
    if public && !transport {
        config.find(
            Error,
            rule,
            setting,
            format!("{what}: tor does not start"),
            fix,
        );
    } else if public {
        config.find(Error, rule, setting, what, fix);
    } else {
        let what = format!("{what}, unless the engine happens to give it that one");
        config.find(Warning, rule, setting, what, fix);
    }
}

/// Addresses to connect from: at most one of a family for each use, and none that a container
/// does not have.
fn outbound(config: &mut Config) {
    for name in [
        "OutboundBindAddress",
        "OutboundBindAddressOR",
        "OutboundBindAddressExit",
        "OutboundBindAddressPT",
    ] {
        let mut families: Vec<bool> = Vec::new();
        for setting in config.all(name) {
            let inner = setting.value.trim();
            let bracketed = inner
                .strip_prefix('[')
                .and_then(|text| text.strip_suffix(']'));
            let ip = match bracketed {
                Some(inner) => inner.parse().map(IpAddr::V6),
                None => inner.parse(),
            };
            let Ok(ip) = ip else {
                config.find(
                    Error,
                    "outbound-address",
                    &setting,
                    format!("`{inner}` is not an address: tor does not start"),
                    "delete the line",
                );
                continue;
            };
            if families.contains(&ip.is_ipv4()) {
                config.find(
                    Error,
                    "outbound-address",
                    &setting,
                    format!("`{inner}` is a second address of the same kind: tor does not start"),
                    "delete the line",
                );
                continue;
            }
            // An unspecified one changes nothing; from the loopback one nothing is reached.
            if !ip.is_unspecified() {
                families.push(ip.is_ipv4());
            }
            if !ip.is_unspecified() && !ip.is_loopback() {
                config.find(
                    Error,
                    "outbound-address",
                    &setting,
                    format!("a container does not have the address `{ip}`: every connection fails"),
                    "delete the line",
                );
            }
        }
    }
}
