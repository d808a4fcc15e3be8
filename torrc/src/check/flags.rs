//! What comes after the port in an option that listens.

use super::config::Config;
use super::finding::Severity::{Error, Warning};
use super::listener::{At, Host, Listener};

/// Options that listen. `ControlSocket` names a socket without `unix:` before it.
const LISTENING: &[&str] = &[
    "ORPort",
    "DirPort",
    "ExtORPort",
    "ControlPort",
    "ControlSocket",
    "SocksPort",
    "HTTPTunnelPort",
    "TransPort",
    "NATDPort",
    "DNSPort",
    "MetricsPort",
];

/// Flags of the ports that serve other relays.
const SERVER: &[&str] = &["NoAdvertise", "NoListen", "IPv4Only", "IPv6Only"];

/// Flags of Unix sockets, each also with `No` before it.
const SOCKET: &[&str] = &["GroupWritable", "WorldWritable", "RelaxDirModeCheck"];

/// Flags of the ports that are told host names, each also with `No` before it.
const NAMED: &[&str] = &[
    "IPv4Traffic",
    "IPv6Traffic",
    "PreferIPv6",
    "DNSRequest",
    "OnionTraffic",
];

/// Flags that tor warns of as deprecated, unless `No` stands before them.
const DEPRECATED: &[&str] = &[
    "CacheIPv4DNS",
    "CacheIPv6DNS",
    "CacheDNS",
    "UseIPv4Cache",
    "UseIPv6Cache",
    "UseDNSCache",
];

/// Flags of all ports for tor's own users, each also with `No` before it; those that begin with
/// `Isolate` also with an `s` at the end.
const CLIENT: &[&str] = &[
    "PreferIPv6Automap",
    "PreferSOCKSNoAuth",
    "KeepAliveIsolateSOCKSAuth",
    "ExtendedErrors",
    "IsolateDestPort",
    "IsolateDestAddr",
    "IsolateSOCKSAuth",
    "IsolateClientProtocol",
    "IsolateClientAddr",
];

/// What comes after a port: tor refuses some of it and warns of the rest.
pub(super) fn check(config: &mut Config) {
    for name in LISTENING {
        for setting in config.ports(name) {
            let read = match *name {
                "ControlSocket" => Listener::socket(&setting.value),
                _ => Listener::read(&setting.value),
            };
            let Some(listener) = read else { continue };
            if let Some((wrong, fix)) = refused(name, &listener) {
                let what = format!("{wrong}: tor does not start");
                config.find(Error, "port-flags", &setting, what, fix);
                continue;
            }
            if let Some((what, fix)) = warned(name, &listener) {
                config.find(Warning, "port-flags", &setting, what, fix);
            }
        }
    }
}

/// Whether the option serves other relays, by flags of its own.
fn serves(name: &str) -> bool {
    ["ORPort", "DirPort", "ExtORPort"].contains(&name)
}

/// Whether the option is about the relay's operator, who has no streams.
fn controls(name: &str) -> bool {
    ["ControlPort", "ControlSocket"].contains(&name)
}

/// Whether tor takes host names on the port.
fn takes_names(name: &str) -> bool {
    ["SocksPort", "HTTPTunnelPort", "DNSPort"].contains(&name)
}

fn among(flags: &[&str], flag: &str) -> bool {
    flags.iter().any(|own| own.eq_ignore_ascii_case(flag))
}

/// A flag without `No` before it, and whether there was one.
fn positive(flag: &str) -> (&str, bool) {
    match flag.get(..2) {
        Some(no) if no.eq_ignore_ascii_case("no") => (&flag[2..], true),
        _ => (flag, false),
    }
}

/// The number in `SessionGroup=`, if that is what the flag is.
fn group(flag: &str) -> Option<&str> {
    let start = flag.get(..13)?;
    start
        .eq_ignore_ascii_case("SessionGroup=")
        .then(|| &flag[13..])
}

/// What tor refuses, and what to do.
fn refused(name: &str, listener: &Listener) -> Option<(String, &'static str)> {
    let flags = listener.flags();
    let unix = listener.at == At::Unix;
    let both = |one, other| listener.has(one) && listener.has(other);
    let either = |what: &str| Some((what.to_owned(), "delete one of the two flags"));
    let sockets = ["ControlPort", "ControlSocket", "SocksPort"].contains(&name);
    if unix && !sockets {
        let what = format!("`{name}` cannot listen on a Unix socket");
        return Some((what, "write a port, or an address and a port"));
    }
    if name == "MetricsPort" {
        if matches!(listener.at, At::Port(_, None)) {
            let what = "`MetricsPort` needs a port number, and does not take `auto`";
            return Some((what.to_owned(), "write a port number"));
        }
        let stray = flags
            .iter()
            .find(|flag| !flag.eq_ignore_ascii_case("prometheus"));
        return stray.map(|flag| {
            let what = format!("`{flag}` is not a flag of `MetricsPort`");
            (what, "delete that flag")
        });
    }
    if serves(name) {
        if both("NoListen", "NoAdvertise") {
            return either("`NoListen` and `NoAdvertise` together leave the port without a use");
        }
        if both("IPv4Only", "IPv6Only") {
            return either("`IPv4Only` and `IPv6Only` exclude each other");
        }
        let v4 = match &listener.at {
            At::Port(Some(Host::Ip(ip)), _) => Some(ip.is_ipv4()),
            _ => None,
        };
        let other = "delete that flag, or write an address of the other kind";
        return match v4 {
            Some(true) if listener.has("IPv6Only") => {
                Some(("`IPv6Only` contradicts the IPv4 address".to_owned(), other))
            }
            Some(false) if listener.has("IPv4Only") => {
                Some(("`IPv4Only` contradicts the IPv6 address".to_owned(), other))
            }
            _ => None,
        };
    }
    let groups: Vec<(&String, &str)> = flags
        .iter()
        .filter_map(|flag| Some((flag, group(flag)?)))
        .collect();
    if let (true, Some((flag, _))) = (controls(name), groups.first()) {
        let what = format!("`{flag}` is not a flag of `{name}`");
        return Some((what, "delete that flag"));
    }
    let bad = groups
        .iter()
        .find(|(_, number)| !number.parse::<i32>().is_ok_and(|number| number >= 0));
    if let Some((flag, _)) = bad {
        let what = format!("`{flag}` has no number that tor can read");
        let fix = "write a number after `SessionGroup=`, or delete that flag";
        return Some((what, fix));
    }
    if groups.len() > 1 {
        let what = "`SessionGroup=` is given more than once";
        return Some((what.to_owned(), "delete all but one"));
    }
    let socket = |flag: &String| among(SOCKET, positive(flag).0);
    if let (false, Some(flag)) = (
        unix || listener.at == At::Nowhere,
        flags.iter().find(|flag| socket(flag)),
    ) {
        let what = format!("`{flag}` is for Unix sockets, and this is a port");
        return Some((what, "delete the flags that are for Unix sockets"));
    }
    streams(name, flags)
}

/// What the flags leave of the streams on a port, each flag on top of those before it.
fn streams(name: &str, flags: &[String]) -> Option<(String, &'static str)> {
    if controls(name) {
        return None;
    }
    let (mut v4, mut v6, mut onion, mut dns) = (true, true, true, true);
    let (mut isolated, mut alive) = (true, false);
    for flag in flags {
        let (flag, no) = positive(flag);
        let flag = flag.to_ascii_lowercase();
        match flag.as_str() {
            "keepaliveisolatesocksauth" => alive = !no,
            "isolatesocksauth" | "isolatesocksauths" => isolated = !no,
            _ if !takes_names(name) => {}
            "ipv4traffic" => v4 = !no,
            "ipv6traffic" => v6 = !no,
            "oniontraffic" => onion = !no,
            "dnsrequest" => dns = !no,
            "oniontrafficonly" if !no => (v4, v6, dns) = (false, false, false),
            _ => {}
        }
    }
    let of_names = name == "DNSPort";
    let (what, fix) = if of_names && !dns {
        (
            "the flags turn DNS off on a `DNSPort`",
            "delete the flag that turns DNS off",
        )
    } else if !of_names && !v4 && !v6 && !onion {
        (
            "the flags turn off IPv4, IPv6 and onion services",
            "delete one of these flags",
        )
    } else if !of_names && dns && !v4 && !v6 {
        (
            "the flags turn IPv4 and IPv6 off but leave DNS on",
            "add `NoDNSRequest`, or delete one of the flags",
        )
    } else if alive && !isolated {
        (
            "`KeepAliveIsolateSOCKSAuth` contradicts `NoIsolateSOCKSAuth`",
            "delete one of the two flags",
        )
    } else {
        return None;
    };
    Some((what.to_owned(), fix))
}

/// What tor warns of and skips, and what to do.
fn warned(name: &str, listener: &Listener) -> Option<(String, &'static str)> {
    let known = |flag: &String| {
        let (plain, no) = positive(flag);
        let singular = plain.strip_suffix(['s', 'S']).unwrap_or(plain);
        let socket = among(SOCKET, plain);
        match name {
            "MetricsPort" => true,
            _ if serves(name) => among(SERVER, flag),
            _ if controls(name) => socket,
            _ => {
                let named = among(NAMED, plain) || (!no && among(&["OnionTrafficOnly"], plain));
                socket
                    || group(flag).is_some()
                    || among(CLIENT, plain)
                    || among(DEPRECATED, plain)
                    || (takes_names(name) && named)
                    || (among(CLIENT, singular)
                        && singular
                            .get(..7)
                            .is_some_and(|start| among(&["Isolate"], start)))
            }
        }
    };
    let flags = listener.flags();
    if let Some(flag) = flags.iter().find(|flag| !known(flag)) {
        let what = format!("`{flag}` is not a flag of `{name}`: tor warns and skips it");
        return Some((what, "delete that flag"));
    }
    let deprecated = flags.iter().find(|flag| among(DEPRECATED, flag))?;
    let what =
        format!("`{deprecated}` is deprecated: a wrong DNS answer of one exit would be used again");
    (!serves(name) && !controls(name)).then_some((what, "delete that flag"))
}
