//! Proxies that tor goes through, and addresses that it makes up for its own users.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::config::{Config, Setting};
use super::finding::Severity::{Error, Warning};
use super::syntax::{is_host, is_ip};

/// Options of which tor takes one.
const KINDS: &[&str] = &["Socks4Proxy", "Socks5Proxy", "HTTPSProxy", "TCPProxy"];

pub(super) fn check(config: &mut Config) {
    for name in ["Socks4Proxy", "Socks5Proxy", "HTTPSProxy", "HTTPProxy"] {
        if let Some(setting) = config.one(name)
            && !is_place(&setting.value)
        {
            let what = format!(
                "`{}` is not an address and a port: tor does not start",
                setting.value
            );
            config.find(
                Error,
                "proxy",
                &setting,
                what,
                "delete the line: a relay needs no proxy",
            );
        }
    }
    if let Some(setting) = config.one("TCPProxy") {
        let words: Vec<&str> = setting.value.split_ascii_whitespace().collect();
        let fits = matches!(words[..], [kind, place] if kind == "haproxy" && is_place(place));
        if !fits {
            let what = format!(
                "`{}` is not `haproxy` with an address and a port: tor does not start",
                setting.value
            );
            config.find(
                Error,
                "proxy",
                &setting,
                what,
                "delete the line: a relay needs no proxy",
            );
        }
    }
    let given: Vec<Setting> = KINDS.iter().filter_map(|name| config.one(name)).collect();
    if let [_, .., second] = &given[..] {
        let what = "a second proxy of another kind: tor does not start";
        config.find(
            Error,
            "proxy",
            second,
            what,
            "delete the line: a relay needs no proxy",
        );
    }
    let pair = ["Socks5ProxyUsername", "Socks5ProxyPassword"];
    for (one, other) in [(pair[0], pair[1]), (pair[1], pair[0])] {
        if let (Some(setting), None) = (config.one(one), config.one(other)) {
            let what = format!("it needs `{other}`: tor does not start");
            config.find(Error, "option-alone", &setting, what, "delete the line");
        }
    }
    if let Some(setting) = config.one("TransProxyType") {
        let known = ["default", "TPROXY", "ipfw", "pf-divert"];
        if !known
            .iter()
            .any(|own| own.eq_ignore_ascii_case(&setting.value))
        {
            let what = format!(
                "`{}` is not a type of transparent proxy: tor does not start",
                setting.value
            );
            config.find(Error, "bad-value", &setting, what, "delete the line");
        } else if !setting.value.eq_ignore_ascii_case("default")
            && config
                .ports("TransPort")
                .iter()
                .all(|port| port.value == "0")
        {
            let what = "it needs a `TransPort`: tor does not start";
            config.find(Error, "option-alone", &setting, what, "delete the line");
        }
    }
    for setting in config.all("Bridge") {
        // The address may come after the name of a transport.
        let words = setting.value.split_ascii_whitespace().take(2);
        if !words
            .into_iter()
            .any(|word| word.parse::<SocketAddr>().is_ok() || is_ip(word))
        {
            let what = "there is no address in it: tor does not start";
            config.find(
                Error,
                "client-option",
                &setting,
                what,
                "delete the line: a relay uses no bridges",
            );
        }
    }
    for setting in config.all("ClientTransportPlugin") {
        if setting.value.split_ascii_whitespace().count() < 3 {
            let what = "it needs a name, `exec` and a program: tor does not start";
            config.find(
                Error,
                "client-option",
                &setting,
                what,
                "delete the line: a relay uses no bridges",
            );
        }
    }
    made_up(config, "VirtualAddrNetworkIPv4", 16);
    made_up(config, "VirtualAddrNetworkIPv6", 104);
}

/// An address or a name, and perhaps a port.
fn is_place(text: &str) -> bool {
    if is_ip(text) || (is_host(text) && text.contains('.')) {
        return true;
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    (is_ip(host) || is_host(host)) && port.parse::<u16>().is_ok()
}

/// A network with room for the addresses of onion services.
fn made_up(config: &mut Config, name: &str, most: u8) {
    let Some(setting) = config.one(name) else {
        return;
    };
    let (address, bits) = setting
        .value
        .split_once('/')
        .unwrap_or((&setting.value, ""));
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    let right = match most {
        16 => bare.parse::<Ipv4Addr>().is_ok(),
        _ => bare.parse::<Ipv6Addr>().is_ok(),
    };
    let widest = if most == 16 { 32 } else { 128 };
    let bits = bits.parse::<u8>().ok().filter(|&bits| bits <= widest);
    let (severity, end) = match (right, bits) {
        (true, Some(bits)) if bits <= most => return,
        (true, Some(_)) => (Warning, "is too small a network"),
        _ => (Error, "is not a network: tor does not start"),
    };
    let what = format!("`{}` {end}", setting.value);
    config.find(severity, "bad-value", &setting, what, "delete the line");
}
