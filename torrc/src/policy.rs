//! The rules of a policy, as tor reads them (`policies.c`).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::metrics::MetricsNetwork;

/// One rule of a policy (tor's manual, `ExitPolicy`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// Whether traffic that matches may pass.
    pub(super) accept: bool,
    /// Whom it is about.
    pub(super) hosts: Hosts,
    /// The ports, from and to.
    pub(super) ports: (u16, u16),
}

/// The addresses a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hosts {
    /// `*`: all of them.
    All,
    /// `*4`: all of IPv4.
    AllV4,
    /// `*6`, and `*` after `accept6` or `reject6`: all of IPv6.
    AllV6,
    /// `private`: networks that are not on the Internet.
    Private,
    /// A network of IPv4 and the number of leading bits that count.
    V4(Ipv4Addr, u8),
    /// A network of IPv6 and the number of leading bits that count.
    V6(Ipv6Addr, u8),
}

impl Hosts {
    /// Whether they are of one private network, as containers on a host are.
    pub(super) fn are_of_containers(self) -> bool {
        match self {
            Self::V4(address, bits) => MetricsNetwork::is_private(address, bits),
            Self::V6(address, bits) => address.is_unique_local() && bits >= 8,
            _ => false,
        }
    }
}

impl Rule {
    /// Whether it ends a policy: nothing gets past it.
    pub(super) fn is_last(&self) -> bool {
        self.hosts == Hosts::All && self.all_ports()
    }

    fn all_ports(&self) -> bool {
        self.ports.0 <= 1 && self.ports.1 == u16::MAX
    }

    /// Whether it is about `port` everywhere on the Internet, as far as IPv4 goes.
    fn is_about(&self, port: u16) -> bool {
        matches!(self.hosts, Hosts::All | Hosts::AllV4)
            && (self.ports.0..=self.ports.1).contains(&port)
    }
}

/// Whether `rules` let any traffic through.
pub(crate) fn accepts_something(rules: &[Rule]) -> bool {
    let reachable = rules
        .iter()
        .take_while(|rule| rule.accept || !rule.is_last());
    reachable.into_iter().any(|rule| rule.accept)
}

/// Whether `rules` let nothing through, whatever follows them. IPv6 is rejected before them
/// unless `ipv6`.
pub(super) fn rejects_all(rules: &[Rule], ipv6: bool) -> bool {
    let (mut v4, mut v6) = (false, !ipv6);
    for rule in rules {
        let (to_v4, to_v6) = match rule.hosts {
            Hosts::All | Hosts::Private => (true, true),
            Hosts::AllV4 | Hosts::V4(..) => (true, false),
            Hosts::AllV6 | Hosts::V6(..) => (false, true),
        };
        if rule.accept && ((to_v4 && !v4) || (to_v6 && !v6)) {
            return false;
        }
        let all = matches!(rule.hosts, Hosts::All | Hosts::AllV4 | Hosts::AllV6);
        if !rule.accept && all && rule.all_ports() {
            v4 |= to_v4;
            v6 |= to_v6;
        }
        if v4 && v6 {
            return true;
        }
    }
    false
}

/// Whether `rules` let traffic to `port` through; absent where no rule decides.
pub(super) fn accepts_port(rules: &[Rule], port: u16) -> Option<bool> {
    let decisive = rules.iter().find(|rule| rule.is_about(port));
    decisive.map(|rule| rule.accept)
}

/// The rules of one value of `ExitPolicy`, or what is wrong with it.
pub(super) fn parse(value: &str) -> Result<Vec<Rule>, String> {
    let rules = entries(value).map(|text| Ok((text, rule(text)?)));
    let rules: Vec<(&str, Rule)> = rules.collect::<Result<_, String>>()?;
    if rules.is_empty() {
        return Err("there is no rule in it".to_owned());
    }
    let read = rules.into_iter().filter(|(text, rule)| !skips(text, rule));
    Ok(read.map(|(_, rule)| rule).collect())
}

fn entries(value: &str) -> impl Iterator<Item = &str> {
    let entries = value.split(',').map(str::trim);
    entries.filter(|entry| !entry.is_empty())
}

/// Whether tor warns of the rule and goes on without it.
fn skips(text: &str, rule: &Rule) -> bool {
    let v6_only = text.starts_with("accept6") || text.starts_with("reject6");
    v6_only && matches!(rule.hosts, Hosts::AllV4 | Hosts::V4(..))
}

/// The first rule that tor warns of and goes on without: of IPv6 by its name, of IPv4 by its
/// address.
pub(super) fn skipped(value: &str) -> Option<&str> {
    entries(value).find(|text| rule(text).is_ok_and(|rule| skips(text, &rule)))
}

/// What is meant by a value that tor does not take, where that is sure.
pub(super) fn meant(value: &str) -> Option<String> {
    let mut meant: Vec<String> = Vec::new();
    for entry in value.split([',', ';']).map(str::trim) {
        if entry.is_empty() {
            continue;
        }
        // The next action begins a rule of its own, with or without a comma before.
        for word in entry.split_ascii_whitespace() {
            let lower = word.to_ascii_lowercase();
            if ["accept", "reject", "accept6", "reject6"].contains(&lower.as_str()) {
                meant.push(lower);
            } else {
                let last = meant.last_mut()?;
                // Blanks around the colon are none of tor's.
                let glued = last.ends_with(':') || (last.contains(' ') && word.starts_with(':'));
                if !last.contains(' ') {
                    last.push(' ');
                } else if !glued {
                    return None;
                }
                last.push_str(word);
            }
        }
    }
    for entry in &mut meant {
        if let Some((action, "private")) = entry.split_once(' ') {
            *entry = format!("{action} private:*");
        }
    }
    let meant = meant.join(",");
    (meant != value && parse(&meant).is_ok()).then_some(meant)
}

fn rule(text: &str) -> Result<Rule, String> {
    let (action, pattern) = text
        .split_once([' ', '\t'])
        .ok_or_else(|| format!("`{text}` is not like `accept *:80`"))?;
    let pattern = pattern.trim();
    let (accept, v6_only) = match action {
        "accept" => (true, false),
        "reject" => (false, false),
        "accept6" => (true, true),
        "reject6" => (false, true),
        _ if ["accept", "reject", "accept6", "reject6"]
            .iter()
            .any(|own| own.eq_ignore_ascii_case(action)) =>
        {
            return Err(format!("`{action}` is not in small letters"));
        }
        _ => return Err(format!("`{action}` is neither accept nor reject")),
    };
    // The first colon after a bracket or the length of a network begins the ports, where there
    // are any.
    let bracket = pattern.rfind([']', '/']).unwrap_or(0);
    let (host, ports) = match pattern[bracket..].find(':') {
        Some(colon) => (&pattern[..bracket + colon], &pattern[bracket + colon + 1..]),
        None if pattern == "private" => return Err("`private` is without ports".to_owned()),
        None => (pattern, "*"),
    };
    let bare = pattern.split('/').next().unwrap_or_default();
    let hosts = hosts(host, v6_only).ok_or_else(|| {
        match bracket == 0 && bare.matches(':').count() > 1 {
            true => format!("`{pattern}` is an IPv6 address without brackets"),
            false if host.is_empty() => format!("`{pattern}` has no address before the port"),
            false => format!("`{host}` is not an address"),
        }
    })?;
    let ports = port_range(ports).ok_or_else(|| format!("`{ports}` is not a port or a range"))?;
    Ok(Rule {
        accept,
        hosts,
        ports,
    })
}

fn hosts(text: &str, v6_only: bool) -> Option<Hosts> {
    match text.to_ascii_lowercase().as_str() {
        "*" if v6_only => return Some(Hosts::AllV6),
        "*" => return Some(Hosts::All),
        "*4" => return Some(Hosts::AllV4),
        "*6" => return Some(Hosts::AllV6),
        "private" => return Some(Hosts::Private),
        _ => {}
    }
    let (address, mask) = match text.split_once('/') {
        Some((address, mask)) => (address, Some(mask)),
        None => (text, None),
    };
    if let Ok(address) = address.parse::<Ipv4Addr>() {
        let bits = match mask {
            None => 32,
            Some(mask) => match mask.parse::<Ipv4Addr>() {
                Ok(mask) => {
                    let mask = u32::from(mask);
                    let bits = mask.leading_ones();
                    (mask.count_ones() == bits).then_some(bits as u8)?
                }
                Err(_) => bits(mask, 32)?,
            },
        };
        return Some(Hosts::V4(address, bits));
    }
    // Without brackets tor takes the first colon for the port's, unless a `/` comes before.
    let bare = match address.strip_prefix('[') {
        Some(text) => text.strip_suffix(']')?,
        None => mask.map(|_| address)?,
    };
    let address = bare.parse::<Ipv6Addr>().ok()?;
    let bits = mask.map_or(Some(128), |mask| bits(mask, 128))?;
    Some(Hosts::V6(address, bits))
}

fn bits(text: &str, most: u8) -> Option<u8> {
    text.parse().ok().filter(|&bits| bits <= most)
}

fn port_range(text: &str) -> Option<(u16, u16)> {
    if text.is_empty() || text == "*" {
        return Some((1, u16::MAX));
    }
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (from.parse().ok()?, to.parse().ok()?);
    (1 <= from && from <= to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_as_tor_reads_them() {
        let table = [
            ("accept *:80", (true, Hosts::All, (80, 80))),
            ("reject  *:*", (false, Hosts::All, (1, 65535))),
            ("reject *", (false, Hosts::All, (1, 65535))),
            ("accept6 *:443", (true, Hosts::AllV6, (443, 443))),
            ("accept *4:20-23", (true, Hosts::AllV4, (20, 23))),
            ("reject private:*", (false, Hosts::Private, (1, 65535))),
            (
                "reject 18.0.0.0/8:*",
                (false, Hosts::V4([18, 0, 0, 0].into(), 8), (1, 65535)),
            ),
            (
                "reject 18.0.0.0/255.254.0.0:25",
                (false, Hosts::V4([18, 0, 0, 0].into(), 15), (25, 25)),
            ),
            (
                "reject6 [fc00::]/7:*",
                (false, Hosts::V6("fc00::".parse().unwrap(), 7), (1, 65535)),
            ),
        ];
        for (text, (accept, hosts, ports)) in table {
            let expected = Rule {
                accept,
                hosts,
                ports,
            };
            assert_eq!(parse(text).unwrap(), [expected], "{text}");
        }
        assert_eq!(parse("accept *:80,reject *:*").unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_rule() {
        let bad = [
            "",
            ",",
            "accept",
            "allow *:80",
            "accept *:70000",
            "accept *:80-20",
            "accept example.org:80",
            "accept 1.2.3.4/33:*",
            "accept 1.2.3.4/255.0.255.0:*",
            "accept [::1:80",
            "accept *:0",
            "reject 2001:db8::1:*",
            "accept *:80,foo",
        ];
        for text in bad {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_meant_by_a_policy() {
        let table = [
            ("Accept *:80", Some("accept *:80")),
            ("accept *:80;reject *:*", Some("accept *:80,reject *:*")),
            ("accept *:80 accept *:443", Some("accept *:80,accept *:443")),
            ("accept *: 80", Some("accept *:80")),
            ("accept * :80", Some("accept *:80")),
            ("reject private", Some("reject private:*")),
            ("accept *:80 443", None),
            ("accept ::1", None),
            ("*:80", None),
            ("accept", None),
            ("accept *:http", None),
        ];
        for (value, expected) in table {
            assert_eq!(meant(value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn what_is_skipped() {
        assert_eq!(
            skipped("accept *:80, accept6 1.2.3.4:80"),
            Some("accept6 1.2.3.4:80")
        );
        assert_eq!(skipped("accept6 *:80,reject6 [::1]:80"), None);
        assert_eq!(parse("accept6 1.2.3.4:80,accept *:80").unwrap().len(), 1);
        assert_eq!(parse("accept6 *4:80").unwrap(), []);
    }

    #[test]
    fn what_policies_let_through() {
        let rules = |text| parse(text).unwrap();
        assert!(!accepts_something(&rules("reject *:*,accept *:80")));
        assert!(accepts_something(&rules("accept *:80,reject *:*")));
        assert_eq!(
            accepts_port(&rules("reject 1.2.3.4:80,accept *:80"), 80),
            Some(true)
        );
        assert_eq!(accepts_port(&rules("accept *:80"), 443), None);
        assert_eq!(accepts_port(&rules("reject *:*"), 443), Some(false));
    }
}
