//! Lines of `ORPort` that another one takes the place of (`remove_duplicate_orports`).

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::config::{Config, Setting};
use super::finding::Fix;
use super::finding::Severity::{Error, Warning};
use super::listener::{At, Host, Listener};

/// What one line listens on: an address that it names, or all of a family.
struct Entry<'a> {
    line: usize,
    ip: Option<IpAddr>,
    flags: &'a [String],
}

pub(super) fn check(config: &mut Config) {
    let read: Vec<(Setting, Listener)> = (config.ports("ORPort").into_iter())
        .filter_map(|setting| {
            let listener = Listener::read(&setting.value)?;
            Some((setting, listener))
        })
        .collect();
    let mut groups: HashMap<(bool, u16), Vec<Entry<'_>>> = HashMap::new();
    for (line, (_, listener)) in read.iter().enumerate() {
        let At::Port(host, Some(port)) = &listener.at else {
            continue;
        };
        // What cannot be opened has a finding of its own.
        if listener.foreign_address().is_some() {
            continue;
        }
        let (v4, v6, ip) = match host {
            Some(Host::Ip(ip)) => (ip.is_ipv4(), ip.is_ipv6(), Some(*ip)),
            Some(Host::Name(_)) => continue,
            None => (!listener.has("IPv6Only"), !listener.has("IPv4Only"), None),
        };
        for (family, used) in [(true, v4), (false, v6)] {
            if used {
                let flags = listener.flags();
                let entry = Entry { line, ip, flags };
                groups.entry((family, *port)).or_default().push(entry);
            }
        }
    }
    // The families that each line loses, and the line that has them.
    let mut lost: HashMap<usize, (HashSet<bool>, usize)> = HashMap::new();
    for ((family, _), entries) in &groups {
        let named = entries.iter().find(|entry| entry.ip.is_some());
        let mut kept: HashMap<Option<IpAddr>, &Entry<'_>> = HashMap::new();
        for entry in entries {
            let first = *kept.entry(entry.ip).or_insert(entry);
            let winner = match (entry.ip, named) {
                (None, Some(named)) => Some(named),
                // Tor says nothing of a line that is there twice.
                _ if first.line != entry.line && first.flags != entry.flags => Some(first),
                _ => None,
            };
            if let Some(winner) = winner {
                let of_line = lost.entry(entry.line).or_default();
                of_line.0.insert(*family);
                of_line.1 = winner.line;
            }
        }
    }
    // What is left of the lines has to listen, and others have to be told of it.
    let left: Vec<&Listener> = (groups.iter())
        .flat_map(|((family, _), entries)| entries.iter().map(move |entry| (*family, entry.line)))
        .filter(|(family, line)| lost.get(line).is_none_or(|lost| !lost.0.contains(family)))
        .map(|(_, line)| &read[line].1)
        .collect();
    let works = left.iter().any(|it| it.listens()) && left.iter().any(|it| it.advertises());
    let worked =
        read.iter().any(|(_, it)| it.listens()) && read.iter().any(|(_, it)| it.advertises());
    for (line, (setting, listener)) in read.iter().enumerate() {
        let (Some((families, winner)), At::Port(_, Some(port))) = (lost.get(&line), &listener.at)
        else {
            continue;
        };
        let one = ["IPv4Only", "IPv6Only"]
            .iter()
            .any(|flag| listener.has(flag));
        let whole = one || families.len() == 2 || matches!(&listener.at, At::Port(Some(_), _));
        let (what, left) = match (whole, families.contains(&true)) {
            (true, _) => ("it", None),
            (false, true) => ("its IPv4 part", Some("IPv6Only")),
            (false, false) => ("its IPv6 part", Some("IPv4Only")),
        };
        if worked && !works {
            let what = format!(
                "{} takes the place of `{}`, and none is left that listens and is advertised: tor does not start",
                read[*winner].0.place, setting.value
            );
            let fix = format!("delete the line, and write `ORPort {port}` there");
            config.find(Error, "orport-superseded", setting, what, fix);
            continue;
        }
        let what = format!(
            "{} takes the place of `{}`: tor warns and skips {what}",
            read[*winner].0.place, setting.value
        );
        let fix = match left {
            Some(left) => {
                let flags = listener.flags().iter().map(String::as_str);
                let words: Vec<&str> = flags.chain([left]).collect();
                Fix::write(format!("ORPort {port} {}", words.join(" ")))
            }
            None => "delete the line".into(),
        };
        config.find(Warning, "orport-superseded", setting, what, fix);
    }
}
