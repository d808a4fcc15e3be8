//! What comes after the port in an option that listens.

use super::config::Config;
use super::finding::Severity::{Error, Warning};
use super::listener::{At, Host, Listener};

/// What comes after a port: tor refuses some of it and warns of the rest.
pub(super) fn check(config: &mut Config) {
    let server = ["noadvertise", "nolisten", "ipv4only", "ipv6only"];
    let socket = ["groupwritable", "worldwritable", "relaxdirmodecheck"];
    for name in [
        "ORPort",
        "DirPort",
        "ExtORPort",
        "ControlPort",
        "SocksPort",
        "HTTPTunnelPort",
        "TransPort",
        "NATDPort",
        "DNSPort",
        "MetricsPort",
    ] {
        for setting in config.ports(name) {
            let Some(listener) = Listener::read(&setting.value) else {
                continue;
            };
            let serves = ["ORPort", "DirPort", "ExtORPort"].contains(&name);
            let both = |one, other| listener.has(one) && listener.has(other);
            let family = match &listener.at {
                At::Port(Some(Host::Ip(ip)), _) => Some(ip.is_ipv4()),
                _ => None,
            };
            let unix = listener.at == At::Unix;
            let is_socket = |flag: &String| {
                let flag = flag.to_ascii_lowercase();
                socket.contains(&flag.strip_prefix("no").unwrap_or(&flag))
            };
            let sockets = ["ControlPort", "SocksPort"].contains(&name);
            let metrics = name == "MetricsPort";
            let chosen = matches!(listener.at, At::Port(_, None));
            let group = |flag: &&String| {
                let group = flag
                    .get(..13)
                    .filter(|start| start.eq_ignore_ascii_case("SessionGroup="));
                group.is_some_and(|_| flag[13..].parse::<u32>().is_err())
            };
            let stray = |flag: &&String| !flag.eq_ignore_ascii_case("prometheus");
            let one = "take one of the two away";
            let wrong = if unix && !sockets {
                Some((
                    format!("`{name}` cannot be a socket"),
                    "write a port, or an address and a port",
                ))
            } else if metrics && chosen {
                Some((
                    "`auto` is nothing for this option".to_owned(),
                    "write the number of a port",
                ))
            } else if let (true, Some(flag)) = (metrics, listener.flags().iter().find(stray)) {
                Some((
                    format!("`{flag}` is nothing that tor knows of `{name}`"),
                    "delete that word",
                ))
            } else if let Some(flag) = listener.flags().iter().find(group) {
                Some((
                    format!("`{flag}` has no number"),
                    "write a number after `SessionGroup=`, or delete that word",
                ))
            } else if !serves
                && both("NoIPv4Traffic", "NoIPv6Traffic")
                && !listener.has("OnionTrafficOnly")
            {
                let what = "`NoIPv4Traffic` and `NoIPv6Traffic` leave nothing of the port";
                Some((what.to_owned(), one))
            } else if serves && both("NoListen", "NoAdvertise") {
                let what = "`NoListen` and `NoAdvertise` leave nothing of the port";
                Some((what.to_owned(), one))
            } else if serves && both("IPv4Only", "IPv6Only") {
                let what = "`IPv4Only` and `IPv6Only` leave nothing of the port";
                Some((what.to_owned(), one))
            } else if serves && listener.has("IPv6Only") && family == Some(true) {
                let what = "the address is of IPv4, and `IPv6Only` is said";
                Some((what.to_owned(), one))
            } else if serves && listener.has("IPv4Only") && family == Some(false) {
                let what = "the address is of IPv6, and `IPv4Only` is said";
                Some((what.to_owned(), one))
            } else if !serves && !unix && listener.flags().iter().any(is_socket) {
                let what = "the port is not a socket, and what is said is of sockets";
                Some((what.to_owned(), "delete the words about sockets"))
            } else {
                None
            };
            if let Some((wrong, fix)) = wrong {
                config.find(
                    Error,
                    "port-flags",
                    &setting,
                    format!("{wrong}: tor does not start"),
                    fix,
                );
                continue;
            }
            let known = |flag: &&String| {
                let flag = flag.to_ascii_lowercase();
                match name {
                    "ControlPort" => is_socket(&flag),
                    "MetricsPort" => true,
                    _ if serves => server.contains(&flag.as_str()),
                    // Those of a client's ports say how streams are kept apart.
                    _ => true,
                }
            };
            if let Some(flag) = listener.flags().iter().find(|flag| !known(flag)) {
                config.find(
                    Warning,
                    "port-flags",
                    &setting,
                    format!("`{flag}` is nothing that tor knows of `{name}`: it warns and goes on"),
                    "take it away",
                );
            }
        }
    }
}
