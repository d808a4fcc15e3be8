//! Pluggable transports: what starts them, where they listen, and what they are told.

use std::collections::HashSet;

use super::config::{Config, Setting};
use super::conflict::{free_port, used_ports};
use super::finding::Fix;
use super::finding::Severity::{Error, Warning};
use super::lies::whole;
use super::listener::{At, Host, Listener};
use super::starts::Starts;

/// The programs that an image of this project has; of them, the first is a transport.
const PROGRAMS: &[&str] = &[
    crate::LYREBIRD,
    "/usr/local/bin/tor",
    "/usr/local/sbin/tor",
    "/usr/local/sbin/relay-health",
    "/usr/local/bin/nyx",
    "/usr/local/bin/arm",
];

/// What a transport is offered, or the next that is free.
const USUAL: u16 = 8443;

/// What the Tor Project's guide for bridges says to avoid.
const TORS_OWN: u16 = 9001;

/// The ports that transports are offered, each once.
struct Offered {
    used: HashSet<u16>,
    next: u16,
}

impl Offered {
    fn port(&mut self) -> u16 {
        let port = free_port(&self.used, self.next);
        self.next = port.saturating_add(1);
        port
    }
}

pub(super) fn check(config: &mut Config, starts: Starts) {
    let plugins = config.all("ServerTransportPlugin");
    let listens = config.all("ServerTransportListenAddr");
    let addressed: HashSet<String> = (listens.iter())
        .flat_map(|listen| names(&listen.value))
        .collect();
    let mut started: HashSet<String> = HashSet::new();
    // Each that has none is offered one of its own: the lines are pasted together.
    let mut offered = Offered {
        used: used_ports(config),
        next: USUAL,
    };
    for setting in &plugins {
        plugin(
            config,
            setting,
            &addressed,
            starts,
            &mut started,
            &mut offered,
        );
    }
    let mut placed: HashSet<String> = HashSet::new();
    for setting in &listens {
        address(config, setting, &started, &mut placed, &mut offered);
    }
    for setting in config.all("ServerTransportOptions") {
        options(config, &setting, &started);
    }
    if let (Some(setting), true) = (plugins.first(), config.ports("ExtORPort").is_empty())
        && !config.is_unknown("ExtORPort")
    {
        config.find(
            Warning,
            "ext-or-port-missing",
            setting,
            "without ExtORPort the transport cannot tell tor who uses it",
            Fix::add("ExtORPort auto"),
        );
    }
}

/// The transports that a line is about.
fn names(value: &str) -> Vec<String> {
    let names = value.split_ascii_whitespace().next().unwrap_or_default();
    names
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Whether it is a name as C has it, which tor wants of a transport's.
fn is_identifier(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

fn plugin(
    config: &mut Config,
    setting: &Setting,
    addressed: &HashSet<String>,
    starts: Starts,
    started: &mut HashSet<String>,
    offered: &mut Offered,
) {
    let words: Vec<&str> = setting.value.split_ascii_whitespace().collect();
    let own = names(&setting.value);
    let kind = words.get(1).copied().unwrap_or_default();
    let proxy_is_at = |address: &str| {
        matches!(
            Listener::read(address).map(|listener| listener.at),
            Some(At::Port(Some(Host::Ip(_)), Some(_)))
        )
    };
    let wrong = if words.len() < 3 {
        Some("it needs a name, `exec` and a program".to_owned())
    } else if let Some(name) = own.iter().find(|name| !is_identifier(name)) {
        Some(format!("`{name}` is not a valid name for a transport"))
    } else if kind != "exec" && kind != "proxy" {
        Some(format!("`{kind}` is not `exec`"))
    } else if kind == "proxy" && (own.len() != 1 || !proxy_is_at(words[2])) {
        Some(format!(
            "`{}` is not the address and port of one transport",
            words[2]
        ))
    } else {
        None
    };
    if let Some(wrong) = wrong {
        config.find(
            Error,
            "transport-syntax",
            setting,
            format!("{wrong}: tor does not start"),
            "write it like `obfs4 exec /usr/local/bin/lyrebird`",
        );
        started.extend(own);
        return;
    }
    for name in own.clone() {
        if started.contains(&name) {
            config.find(
                Error,
                "transport-twice",
                setting,
                format!("`{name}` is started by an earlier line: this one is ignored"),
                "delete the line",
            );
        } else if !addressed.contains(&name) && !config.is_unknown("ServerTransportListenAddr") {
            let port = offered.port();
            config.find(
                Error,
                "transport-port",
                setting,
                format!(
                    "`{name}` has no address: it listens on a port that the container does not publish, and on another one after each start"
                ),
                Fix::add(format!("ServerTransportListenAddr {name} 0.0.0.0:{port}")),
            );
        }
        started.insert(name);
    }
    if kind == "exec" && starts == Starts::Nothing && whole(words[2]) == crate::LYREBIRD {
        config.find(
            Error,
            "transport-program",
            setting,
            format!(
                "this image has no `{}`: the transport exits at once, and nobody can use it",
                words[2]
            ),
            "run the image of `cargo xtask build-image --with obfs4`, or delete the transport's lines",
        );
    } else if kind == "exec" && !PROGRAMS.contains(&whole(words[2]).as_str()) {
        config.find(
            Error,
            "transport-program",
            setting,
            format!(
                "no image of this project has `{}`: the transport exits at once, and nobody can use it",
                words[2]
            ),
            match own.as_slice() {
                [name] if name == "obfs4" => Fix::write(format!(
                    "ServerTransportPlugin obfs4 exec {}",
                    crate::LYREBIRD
                )),
                _ => "write obfs4, which the image of `cargo xtask build-image --with obfs4` has, or delete the transport's lines".into(),
            },
        );
    } else if kind == "exec" && whole(words[2]) == crate::LYREBIRD {
        lyrebird(config, setting, &own);
    }
    if kind != "exec" {
        return;
    }
    if let Some(blocked) = config.on("NoExec") {
        config.find(
            Error,
            "transport-not-started",
            &blocked,
            "with `NoExec 1` tor starts no transport",
            "delete the line",
        );
    }
    if let Some(blocked) = config.on("Sandbox") {
        config.find(
            Error,
            "transport-not-started",
            &blocked,
            "with `Sandbox 1` and a transport tor does not start",
            "delete the line",
        );
    }
}

/// What the image's own program is not able to do.
fn lyrebird(config: &mut Config, setting: &Setting, names: &[String]) {
    for name in names.iter().filter(|name| *name != "obfs4") {
        config.find(
            Error,
            "transport-program",
            setting,
            format!("the image's lyrebird supports obfs4 only: nobody can use `{name}`"),
            Fix::write(format!(
                "ServerTransportPlugin obfs4 exec {}",
                crate::LYREBIRD
            )),
        );
    }
}

/// Where a transport listens: an address and a port, and nothing less.
fn address(
    config: &mut Config,
    setting: &Setting,
    started: &HashSet<String>,
    placed: &mut HashSet<String>,
    offered: &mut Offered,
) {
    let words: Vec<&str> = setting.value.split_ascii_whitespace().collect();
    let name = words.first().copied().unwrap_or_default();
    let read = words.get(1).and_then(|address| Listener::read(address));
    let port = read.as_ref().and_then(Listener::port);
    let fits = matches!(
        read.map(|listener| listener.at),
        Some(At::Port(Some(Host::Ip(_)), Some(_)))
    );
    if !fits {
        let given = words.get(1).copied();
        let port = given.and_then(|given| given.rsplit(':').next()?.parse::<u16>().ok());
        let what = match given {
            Some(given) => format!("`{given}` is not an address and a port: tor does not start"),
            None => "an address and a port are missing: tor does not start".to_owned(),
        };
        let fix = match port.filter(|&port| port > 0) {
            Some(port) => Fix::write(format!("ServerTransportListenAddr {name} 0.0.0.0:{port}")),
            None => format!("write it like `ServerTransportListenAddr {name} 0.0.0.0:9002`").into(),
        };
        config.find(Error, "transport-syntax", setting, what, fix);
    } else if !started.contains(name) {
        config.find(
            Warning,
            "transport-missing",
            setting,
            format!("nothing starts `{name}`: the line does nothing"),
            "delete the line",
        );
    } else if placed.contains(name) {
        config.find(
            Error,
            "transport-twice",
            setting,
            format!("`{name}` has an address already: this one is ignored"),
            "delete the line",
        );
    } else if port == Some(TORS_OWN) {
        config.find(
            Warning,
            "transport-usual-port",
            setting,
            format!("`{name}` listens on {TORS_OWN}, which is tor's usual port and what censors try first"),
            Fix::write(format!(
                "ServerTransportListenAddr {name} 0.0.0.0:{}",
                offered.port()
            )),
        );
    }
    placed.insert(name.to_owned());
}

fn options(config: &mut Config, setting: &Setting, started: &HashSet<String>) {
    let words: Vec<&str> = setting.value.split_ascii_whitespace().collect();
    let bare = words
        .iter()
        .skip(1)
        .find(|word| word.find('=').is_none_or(|at| at == 0));
    let wrong = match (words.len() < 2, bare) {
        (true, _) => Some("it needs the name of a transport and its options".to_owned()),
        (_, Some(bare)) => Some(format!("`{bare}` is not like `key=value`")),
        _ => None,
    };
    if let Some(wrong) = wrong {
        config.find(
            Error,
            "transport-options",
            setting,
            format!("{wrong}: tor does not start"),
            "write it like `obfs4 iat-mode=0`",
        );
    } else if !started.contains(words[0]) {
        config.find(
            Warning,
            "transport-missing",
            setting,
            format!("nothing starts `{}`: the line does nothing", words[0]),
            "delete the line",
        );
    }
}
