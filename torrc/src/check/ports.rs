//! What the relay listens on, and who may reach it.

use super::config::{Config, Setting};
use super::conflict::{free_port, used_ports};
use super::finding::Fix;
use super::finding::Severity::{Error, Note, Warning};
use super::listener::{At, Host, Listener};
use super::syntax::{is_host, is_ip};
use crate::policy::{self, Hosts};
use crate::{HashedPassword, Role};

pub(super) fn check(config: &mut Config, role: Role) {
    or_port(config, role);
    dir_port(config, role);
    socks_port(config);
    proxies(config);
    control(config);
    metrics(config);
    for (setting, listener) in listeners(config, "ExtORPort") {
        if listener.is_open() {
            config.find(
                Error,
                "ext-or-port-public",
                &setting,
                "the ExtORPort is open to others than this machine's transports",
                Fix::write("ExtORPort auto"),
            );
        }
    }
    published(config, role);
}

/// The values of a port option that can be read; the others are found faulty.
fn listeners(config: &mut Config, name: &str) -> Vec<(Setting, Listener)> {
    let mut read = Vec::new();
    for setting in config.ports(name) {
        match Listener::read(&setting.value) {
            Some(listener) if name != "ORPort" && listener.is_named() => {
                let what = format!(
                    "`{}` has a name, not an address that the container has: tor does not start",
                    setting.value
                );
                let port = listener
                    .number()
                    .map_or("auto".to_owned(), |port| port.to_string());
                let fix = Fix::write(format!("{name} {port}"))
                    .said("write the port alone, which tor then opens on the loopback interface");
                config.find(Error, "port-syntax", &setting, what, fix);
                read.push((setting, listener));
            }
            Some(listener) => read.push((setting, listener)),
            // Of this one option tor takes an address alone.
            None if name == "MetricsPort"
                && is_ip(&setting.value)
                && (setting.value.starts_with('[') || !setting.value.contains(':')) =>
            {
                config.find(
                    Warning,
                    "metrics-port-auto",
                    &setting,
                    "without a port tor chooses one",
                    Fix::write(format!("MetricsPort {}:9035", setting.value)),
                )
            }
            None => config.find(
                Error,
                "port-syntax",
                &setting,
                format!("`{}` is not a port: tor does not start", setting.value),
                "write a port, or an address and a port: 9001, 127.0.0.1:9001, [::]:9001",
            ),
        }
    }
    zero_and_more(config, name, &read);
    read
}

/// Finds a port that is turned off on one line and opened on another.
fn zero_and_more(config: &mut Config, name: &str, read: &[(Setting, Listener)]) {
    let nowhere = |(_, listener): &&(Setting, Listener)| listener.at == At::Nowhere;
    if let Some((setting, _)) = read.iter().find(nowhere)
        && !read.iter().all(|it| nowhere(&it))
    {
        config.find(
            Error,
            "port-conflict",
            setting,
            format!("`{name}` is 0 here and a port elsewhere: tor does not start"),
            "delete one of the two",
        );
    }
}

fn or_port(config: &mut Config, role: Role) {
    let read = listeners(config, "ORPort");
    let used: Vec<&(Setting, Listener)> =
        read.iter().filter(|(_, l)| l.at != At::Nowhere).collect();
    let Some((first, _)) = used.first() else {
        let what = match role {
            Role::Bridge => "there is no ORPort, and a bridge needs one: tor does not start",
            Role::Middle | Role::Exit => "there is no ORPort: without one tor is not a relay",
        };
        let line = format!("ORPort {}", free_port(&used_ports(config), 9001));
        if let Some((setting, _)) = read.first() {
            config.find(Error, "orport-missing", setting, what, Fix::write(line));
        } else if config.ports("ORPort").is_empty() {
            config.missing(Error, "orport-missing", "ORPort", what, Fix::add(line));
        }
        return;
    };
    if !used.iter().any(|(_, listener)| listener.advertises()) {
        config.find(
            Error,
            "orport-not-published",
            first,
            "no ORPort is advertised: nobody finds the relay, and tor does not start",
            "delete `NoAdvertise`",
        );
    } else if role != Role::Bridge && !used.iter().any(|(_, l)| l.advertises() && l.is_v4()) {
        config.find(
            Error,
            "orport-ipv6-only",
            first,
            "a relay has to be reachable by IPv4: tor does not start",
            "add `ORPort 9001 IPv4Only`",
        );
    }
    if !used.iter().any(|(_, listener)| listener.listens()) {
        config.find(
            Error,
            "orport-not-listening",
            first,
            "no ORPort listens: tor does not start",
            "delete `NoListen`, or add an ORPort with `NoAdvertise`",
        );
    }
    for (setting, listener) in used {
        if let At::Port(Some(host @ Host::Name(name)), _) = &listener.at
            && listener.listens()
            && !host.is_loopback()
        {
            config.find(
                Error,
                "port-syntax",
                setting,
                format!(
                    "`{name}` is a name, not an address that the container has: tor does not start"
                ),
                match listener.number() {
                    Some(port) if is_host(name) && name.contains('.') => {
                        Fix::write(format!("Address {name}\nORPort {port}"))
                            .said("write `Address` for the name, and here the port alone")
                    }
                    _ => "write `Address` for the name, and here the port alone".into(),
                },
            );
        }
        // A bridge behind a transport may hide its ORPort.
        let hidden = role == Role::Bridge && !listener.is_open();
        let chosen_by_tor =
            matches!(&listener.at, At::Port(host, None) if host.is_none() || !hidden);
        if chosen_by_tor {
            config.find(
                Warning,
                "orport-auto",
                setting,
                "tor chooses a port that the container does not publish",
                "write a fixed port",
            );
        }
    }
}

fn dir_port(config: &mut Config, role: Role) {
    let mut advertised = false;
    for (setting, listener) in listeners(config, "DirPort") {
        if listener.at == At::Nowhere {
            continue;
        }
        let cacheless = config.off("DirCache").is_some();
        let second = listener.advertises() && std::mem::replace(&mut advertised, true);
        let v6 = matches!(&listener.at, At::Port(Some(Host::Ip(ip)), _) if ip.is_ipv6());
        if v6 || second || cacheless || !listener.listens() {
            let what = match (second, cacheless) {
                (true, _) => "a second advertised DirPort",
                (_, true) => "a DirPort with `DirCache 0`",
                _ => "a DirPort for IPv6 only, or one that does not listen",
            };
            config.find(
                Error,
                "dirport",
                &setting,
                format!("{what}: tor does not start"),
                Fix::delete("delete the line, and do not publish the port"),
            );
            continue;
        }
        let what = if role == Role::Bridge {
            "a bridge has no DirPort: tor turns it off"
        } else {
            "relays have had no DirPort since tor 0.4.6: nobody uses it"
        };
        let fix = Fix::delete("delete the line, and do not publish the port");
        config.find(Warning, "dirport", &setting, what, fix);
    }
    if let Some(setting) = config.one("DirPortFrontPage") {
        config.find(
            Warning,
            "dirport-front-page",
            &setting,
            "the page needs a DirPort, which relays no longer have",
            "serve the page with a web server on port 80, and delete the line",
        );
    }
}

fn socks_port(config: &mut Config) {
    let read = listeners(config, "SocksPort");
    if config.ports("SocksPort").is_empty() {
        config.missing(
            Note,
            "socks-port",
            "SocksPort",
            "tor opens port 9050 for its own users, which a relay does not have",
            Fix::add("SocksPort 0"),
        );
    }
    for (setting, listener) in read {
        if listener.is_open() {
            config.find(
                Error,
                "socks-port-public",
                &setting,
                "anyone who reaches this port uses tor through it",
                Fix::write("SocksPort 0"),
            );
        }
    }
}

fn control(config: &mut Config) {
    // The image's defaults turn the cookie on.
    let locked = config.off("CookieAuthentication").is_none()
        || !config.all("HashedControlPassword").is_empty();
    for (setting, listener) in listeners(config, "ControlPort") {
        if listener.is_open() {
            config.find(
                Error,
                "control-port-public",
                &setting,
                "anyone who reaches the control port can do anything with the relay",
                alone("ControlPort", &listener),
            );
        }
        // A socket has the permissions of its file.
        let guarded = listener.at == At::Unix && !listener.has("WorldWritable");
        if !locked && !guarded && listener.at != At::Nowhere {
            config.find(
                Error,
                "control-port-unlocked",
                &setting,
                "every program in the container may do anything with the relay",
                Fix::add("CookieAuthentication 1"),
            );
        }
    }
    let sockets: Vec<(Setting, Listener)> = (config.all("ControlSocket").into_iter())
        .filter_map(|setting| {
            let listener = Listener::socket(&setting.value)?;
            Some((setting, listener))
        })
        .collect();
    zero_and_more(config, "ControlSocket", &sockets);
    for (setting, _) in sockets {
        if !locked && setting.value.to_ascii_lowercase().contains("worldwritable") {
            config.find(
                Error,
                "control-port-unlocked",
                &setting,
                "every program in the container may do anything with the relay",
                "delete `WorldWritable`, or add `CookieAuthentication 1`",
            );
        }
    }
    for setting in config.all("HashedControlPassword") {
        // Tor takes base64 too, of the same 29 bytes; nothing prints it.
        let hashed = setting.value.parse::<HashedPassword>().is_ok();
        let base64 = setting.value.len() == 40 && setting.value.ends_with('=');
        if !hashed && !base64 {
            config.find(
                Error,
                "hashed-password",
                &setting,
                "it is not a hashed password: tor does not start",
                "write what `tor --hash-password` prints, never the password itself",
            );
        }
    }
}

fn metrics(config: &mut Config) {
    let read = listeners(config, "MetricsPort");
    let policies = config.all("MetricsPortPolicy");
    let mut open_to_all = None;
    let mut accepted = Vec::new();
    for setting in &policies {
        if let Ok(rules) = policy::parse(&setting.value) {
            accepted.extend(rules.iter().filter(|r| r.accept).map(|r| r.hosts));
            let all = rules
                .iter()
                .any(|r| r.accept && matches!(r.hosts, Hosts::All | Hosts::AllV4 | Hosts::AllV6));
            open_to_all = open_to_all.or(all.then(|| setting.clone()));
        }
    }
    let readable = (policies.iter()).all(|setting| policy::parse(&setting.value).is_ok());
    // The container's network is where a Prometheus beside it asks from.
    let among_containers =
        !accepted.is_empty() && accepted.iter().all(|hosts| hosts.are_of_containers());
    let mut first = true;
    for (setting, listener) in read {
        if !std::mem::take(&mut first) {
            config.find(
                Warning,
                "metrics-port-second",
                &setting,
                "tor reads the first `MetricsPort` line alone: this one does nothing",
                "delete the line",
            );
            continue;
        }
        if listener.at == At::Nowhere {
            continue;
        }
        if policies.is_empty() && !config.is_unknown("MetricsPortPolicy") {
            config.find(
                Warning,
                "metrics-policy-missing",
                &setting,
                "without a policy every request is refused",
                Fix::add("MetricsPortPolicy accept 127.0.0.1"),
            );
        }
        if listener.is_open() && !among_containers && readable {
            config.find(
                Error,
                "metrics-port-public",
                &setting,
                "metrics that others can read harm the users of the network",
                alone("MetricsPort", &listener),
            );
        }
    }
    if let Some(setting) = open_to_all {
        config.find(
            Error,
            "metrics-policy-open",
            &setting,
            "everybody may read the metrics: it harms the users of the network",
            "accept the address of your Prometheus and nothing else",
        );
    }
}

fn published(config: &mut Config, role: Role) {
    let Some(setting) = config.one("PublishServerDescriptor") else {
        return;
    };
    let words: Vec<String> = setting
        .value
        .split(',')
        .map(|word| word.trim().to_ascii_lowercase())
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let bridge = config.on("BridgeRelay").is_some();
    const KNOWN: &[&str] = &["", "0", "1", "v3", "bridge"];
    const OLD: &[&str] = &["v1", "v2", "hidserv"];
    let unknown = words
        .iter()
        .find(|word| !KNOWN.contains(word) && !OLD.contains(word));
    if let Some(word) = unknown {
        let off = ["no", "false", "off", "none"].contains(word);
        let fix = match off {
            true => Fix::write("PublishServerDescriptor 0"),
            false => Fix::delete("delete the line: a relay is published"),
        };
        config.find(
            Error,
            "bad-value",
            &setting,
            format!("`{word}` is not 0, 1, v3 or bridge: tor does not start"),
            fix,
        );
    } else if let Some(word) = words.iter().find(|word| OLD.contains(word)) {
        config.find(
            Warning,
            "obsolete-value",
            &setting,
            format!("`{word}` has no effect any more: tor warns"),
            "delete the line",
        );
    } else if words.iter().all(|word| ["", "0"].contains(word)) && role == Role::Bridge {
        config.find(
            Note,
            "not-published",
            &setting,
            "this is a private bridge: it is not listed anywhere, and you give its bridge line to its users",
            "nothing, if that is what you want",
        );
    } else if words.iter().all(|word| ["", "0"].contains(word)) {
        config.find(
            Error,
            "not-published",
            &setting,
            "the relay is not published: nobody finds it",
            "delete the line",
        );
    } else if (role == Role::Bridge && words.contains(&"v3"))
        || (words.contains(&"bridge")
            && (words.contains(&"v3") || (words.contains(&"1") && !bridge)))
    {
        config.find(
            Error,
            "bridge-published",
            &setting,
            "a bridge would be published as a relay: tor does not start",
            "delete the line",
        );
    } else if words.len() > 1 && words.iter().any(|word| ["0", "1"].contains(word)) {
        config.find(
            Warning,
            "obsolete-value",
            &setting,
            "0 or 1 must be the only value: tor warns",
            Fix::delete("delete the line: a relay is published"),
        );
    }
}

/// The port alone, which tor then opens on the loopback interface.
fn alone(name: &str, listener: &Listener) -> Fix {
    let port = listener
        .number()
        .map_or("auto".to_owned(), |port| port.to_string());
    Fix::write(format!("{name} {port}")).said(format!(
        "write `{name} {port}`: tor then listens on 127.0.0.1"
    ))
}

/// Other ways than SOCKS to use tor from elsewhere.
fn proxies(config: &mut Config) {
    for name in ["HTTPTunnelPort", "TransPort", "DNSPort", "NATDPort"] {
        for (setting, listener) in listeners(config, name) {
            if listener.is_open() {
                config.find(
                    Error,
                    "proxy-port-public",
                    &setting,
                    format!("anyone who reaches this {name} uses tor through it"),
                    "delete the line",
                );
            }
        }
    }
}
