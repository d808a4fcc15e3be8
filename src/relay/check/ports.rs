//! What the relay listens on, and who may reach it.

use super::config::{Config, Setting};
use super::finding::Severity::{Error, Note, Warning};
use super::listener::{At, Listener};
use crate::relay::policy::{self, Hosts};
use crate::relay::{HashedPassword, Role};

pub(super) fn check(config: &mut Config, role: Role) {
    or_port(config, role);
    dir_port(config, role);
    socks_port(config);
    control(config);
    metrics(config);
    for (setting, listener) in listeners(config, "ExtORPort") {
        if listener.is_open() {
            config.find(
                Error,
                "ext-or-port-public",
                &setting,
                "the ExtORPort is open to others than this machine's transports",
                "write `ExtORPort auto`",
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
            Some(listener) => read.push((setting, listener)),
            None => config.find(
                Error,
                "port-syntax",
                &setting,
                format!("`{}` is not a port: tor does not start", setting.value),
                "write a port, or an address and a port: 9001, 127.0.0.1:9001, [::]:9001",
            ),
        }
    }
    let nowhere = |(_, listener): &&(Setting, Listener)| listener.at == At::Nowhere;
    if let Some((setting, _)) = read.iter().find(nowhere)
        && !read.iter().all(|(_, listener)| listener.at == At::Nowhere)
    {
        config.find(
            Error,
            "port-conflict",
            setting,
            format!("`{name}` is 0 here and a port elsewhere: tor does not start"),
            "delete one of the two",
        );
    }
    read
}

fn or_port(config: &mut Config, role: Role) {
    let read = listeners(config, "ORPort");
    let used: Vec<&(Setting, Listener)> =
        read.iter().filter(|(_, l)| l.at != At::Nowhere).collect();
    let Some((first, _)) = used.first() else {
        if config.ports("ORPort").len() == read.len() {
            config.missing(
                Error,
                "orport-missing",
                "ORPort",
                "there is no ORPort: without it tor is no relay",
                "add `ORPort 9001`",
            );
        }
        return;
    };
    if !used.iter().any(|(_, listener)| listener.advertises()) {
        config.find(
            Error,
            "orport-not-published",
            first,
            "no ORPort is advertised: nobody finds the relay, and tor does not start",
            "take `NoAdvertise` away",
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
            "take `NoListen` away, or add an ORPort with `NoAdvertise`",
        );
    }
    for (setting, listener) in used {
        if let Some(address) = listener.foreign_address() {
            config.find(
                Warning,
                "orport-address",
                setting,
                format!("a container does not have the address {address} to listen on"),
                "write `Address` for the address, and here the port alone; or add `NoListen`",
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
    for (setting, listener) in listeners(config, "DirPort") {
        if listener.at == At::Nowhere {
            continue;
        }
        let what = if role == Role::Bridge {
            "a bridge has no DirPort: tor turns it off"
        } else {
            "relays have had no DirPort since tor 0.4.6: nobody uses it"
        };
        let mend = "delete the line, and do not publish the port";
        config.find(Warning, "dirport", &setting, what, mend);
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
            "add `SocksPort 0`",
        );
    }
    for (setting, listener) in read {
        if listener.is_open() {
            config.find(
                Error,
                "socks-port-public",
                &setting,
                "anyone who reaches this port uses tor through it",
                "write `SocksPort 0`",
            );
        }
    }
}

fn control(config: &mut Config) {
    let locked = config.on("CookieAuthentication").is_some()
        || !config.all("HashedControlPassword").is_empty();
    for (setting, listener) in listeners(config, "ControlPort") {
        if listener.is_open() {
            config.find(
                Error,
                "control-port-public",
                &setting,
                "who reaches the control port may do anything with the relay",
                "write the port alone: tor then listens on 127.0.0.1",
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
                "add `CookieAuthentication 1`, or `HashedControlPassword`",
            );
        }
    }
    for setting in config.all("ControlSocket") {
        if !locked && setting.value.to_ascii_lowercase().contains("worldwritable") {
            config.find(
                Error,
                "control-port-unlocked",
                &setting,
                "every program in the container may do anything with the relay",
                "take `WorldWritable` away, or add `CookieAuthentication 1`",
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
    for setting in &policies {
        match policy::parse(&setting.value) {
            Ok(rules) => {
                let all = rules.iter().any(|r| {
                    r.accept && matches!(r.hosts, Hosts::All | Hosts::AllV4 | Hosts::AllV6)
                });
                open_to_all = open_to_all.or(all.then(|| setting.clone()));
            }
            Err(reason) => config.find(
                Error,
                "metrics-policy-syntax",
                setting,
                format!("{reason}: tor does not start"),
                "write it like `accept 127.0.0.1`",
            ),
        }
    }
    for (setting, listener) in read {
        if listener.at == At::Nowhere {
            continue;
        }
        if policies.is_empty() {
            config.find(
                Warning,
                "metrics-policy-missing",
                &setting,
                "without a policy every request is refused",
                "add `MetricsPortPolicy accept 127.0.0.1`",
            );
        }
        if listener.is_open() {
            config.find(
                Error,
                "metrics-port-public",
                &setting,
                "metrics that others can read harm the users of the network",
                "write the port alone: tor then listens on 127.0.0.1",
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
    let words: Vec<&str> = setting.value.split(',').map(str::trim).collect();
    if words == ["0"] {
        config.find(
            Error,
            "not-published",
            &setting,
            "the relay is not published: nobody finds it",
            "delete the line",
        );
    } else if role == Role::Bridge && words.contains(&"v3") {
        config.find(
            Error,
            "bridge-published",
            &setting,
            "a bridge would be published as a relay: tor does not start",
            "delete the line",
        );
    }
}
