//! Port options: `[address:]port flags`.

use std::net::IpAddr;

impl Host {
    /// Whether only the machine itself reaches it.
    pub(crate) fn is_loopback(&self) -> bool {
        match self {
            Self::Ip(ip) => ip.is_loopback(),
            Self::Name(name) => name.eq_ignore_ascii_case("localhost"),
        }
    }
}

/// What a port option says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listener {
    /// Where it listens.
    pub(crate) at: At,
    flags: Vec<String>,
}

/// Where something listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum At {
    /// Nowhere: port 0.
    Nowhere,
    /// A Unix socket.
    Unix,
    /// A port; without an address it is the option's default, without a number tor chooses.
    Port(Option<Host>, Option<u16>),
}

/// An address as it is written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    /// A number.
    Ip(IpAddr),
    /// A name.
    Name(String),
}

impl Listener {
    /// Reads a value; absent where tor refuses it.
    pub(crate) fn read(value: &str) -> Option<Self> {
        let value = past_blanks(value);
        if let Some(path) = value.strip_prefix("unix:") {
            return Self::socket(path);
        }
        let (address, rest) = first_word(value);
        Some(Self {
            at: at(address)?,
            flags: words(rest),
        })
    }

    /// Reads the path of a Unix socket and what comes after it.
    pub(crate) fn socket(value: &str) -> Option<Self> {
        // A path with blanks is quoted.
        let (path, rest) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => first_word(past_blanks(value)),
        };
        (!path.is_empty()).then(|| Self {
            at: if path == "0" { At::Nowhere } else { At::Unix },
            flags: words(rest),
        })
    }

    /// Whether a name stands where an address belongs, and not the machine's own.
    pub(crate) fn is_named(&self) -> bool {
        match &self.at {
            At::Port(Some(host @ Host::Name(_)), _) => !host.is_loopback(),
            _ => false,
        }
    }

    /// Whether it has that flag.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|own| own.eq_ignore_ascii_case(flag))
    }

    /// Whether it listens at all.
    pub(crate) fn listens(&self) -> bool {
        self.at != At::Nowhere && !self.has("NoListen")
    }

    /// Whether others are told of it.
    pub(crate) fn advertises(&self) -> bool {
        self.at != At::Nowhere && !self.has("NoAdvertise")
    }

    /// The number of the port that others than the machine itself reach, if it is fixed.
    pub(crate) fn port(&self) -> Option<u16> {
        match &self.at {
            At::Port(Some(host), _) if host.is_loopback() => None,
            At::Port(_, port) => *port,
            At::Nowhere | At::Unix => None,
        }
    }

    /// The number of its port, if it is fixed.
    pub(crate) fn number(&self) -> Option<u16> {
        match &self.at {
            At::Port(_, port) => *port,
            At::Nowhere | At::Unix => None,
        }
    }

    /// What comes after the port.
    pub(crate) fn flags(&self) -> &[String] {
        &self.flags
    }

    /// Whether it has to do with IPv4: by default all do.
    pub(crate) fn is_v4(&self) -> bool {
        match &self.at {
            At::Port(Some(Host::Ip(ip)), _) => ip.is_ipv4(),
            _ => !self.has("IPv6Only"),
        }
    }

    /// Whether others than the machine itself may reach it, if the default may not.
    pub(crate) fn is_open(&self) -> bool {
        match &self.at {
            At::Port(Some(host), _) => !host.is_loopback(),
            _ => false,
        }
    }

    /// The address it binds to, where that is one that a container does not have.
    pub(crate) fn foreign_address(&self) -> Option<IpAddr> {
        match &self.at {
            At::Port(Some(Host::Ip(ip)), _) if self.listens() => {
                Some(*ip).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
            }
            _ => None,
        }
    }
}

/// What follows blanks and comments: in quotes a value may hold a `#`, which here begins a comment
/// all the same.
pub(super) fn past_blanks(text: &str) -> &str {
    let mut rest = text.trim_start_matches([' ', '\t', '\n', '\r']);
    while rest.starts_with('#') {
        let end = rest.find('\n').unwrap_or(rest.len());
        rest = rest[end..].trim_start_matches([' ', '\t', '\n', '\r']);
    }
    rest
}

/// The first word, which a comment ends too, and what follows it.
fn first_word(text: &str) -> (&str, &str) {
    let end = text.find([' ', '\t', '\n', '\r', '#']);
    text.split_at(end.unwrap_or(text.len()))
}

/// The flags after a port; only where they begin may a comment stand.
fn words(text: &str) -> Vec<String> {
    let words = past_blanks(text).split_ascii_whitespace();
    words.map(str::to_owned).collect()
}

fn at(text: &str) -> Option<At> {
    if let Some(port) = port(text) {
        return Some(match port {
            Some(0) => At::Nowhere,
            port => At::Port(None, port),
        });
    }
    let (host, number) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(rest) => Host::Ip(IpAddr::V6(rest.strip_suffix(']')?.parse().ok()?)),
        None if host.is_empty() || host.contains(':') => return None,
        None => host.parse().map_or(Host::Name(host.to_owned()), Host::Ip),
    };
    match port(number)? {
        // An address and no port.
        Some(0) => None,
        port => Some(At::Port(Some(host), port)),
    }
}

/// A port's number, or nothing inside for `auto`.
fn port(text: &str) -> Option<Option<u16>> {
    if text.eq_ignore_ascii_case("auto") {
        return Some(None);
    }
    // Tor takes a sign before it, and minus zero for zero.
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let fits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u16 = digits.parse().ok().filter(|_| fits)?;
    (number == 0 || !text.starts_with('-')).then_some(Some(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners() {
        let ip = |text: &str| Some(Host::Ip(text.parse().unwrap()));
        let table = [
            ("9001", At::Port(None, Some(9001))),
            ("+9001", At::Port(None, Some(9001))),
            ("0", At::Nowhere),
            ("-0", At::Nowhere),
            ("0#no", At::Nowhere),
            (" 0 # no", At::Nowhere),
            ("# no\n9001#x", At::Port(None, Some(9001))),
            ("auto", At::Port(None, None)),
            ("127.0.0.1:9001", At::Port(ip("127.0.0.1"), Some(9001))),
            ("127.0.0.1:auto", At::Port(ip("127.0.0.1"), None)),
            (
                "[2001:db8::1]:9001 NoListen",
                At::Port(ip("2001:db8::1"), Some(9001)),
            ),
            (
                "localhost:9051",
                At::Port(Some(Host::Name("localhost".into())), Some(9051)),
            ),
            ("unix:/run/tor/control GroupWritable", At::Unix),
        ];
        for (value, expected) in table {
            assert_eq!(Listener::read(value).unwrap().at, expected, "{value}");
        }
        for bad in [
            "",
            "x",
            "70000",
            "-9001",
            "# 9001",
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:0",
            ":9001",
            "::1:9001",
            "[::1",
            "[::1]",
            "[1.2.3.4]:1",
        ] {
            assert_eq!(Listener::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn who_reaches_them() {
        let read = |value| Listener::read(value).unwrap();
        for open in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.org:1"] {
            assert!(read(open).is_open(), "{open}");
        }
        for closed in ["1", "127.0.0.1:1", "[::1]:1", "localhost:1", "unix:/a", "0"] {
            assert!(!read(closed).is_open(), "{closed}");
        }
        assert!(!read("[::]:1").is_v4() && !read("1 IPv6Only").is_v4() && read("1").is_v4());
        assert!(!read("1 nolisten").listens() && !read("1 NoAdvertise").advertises());
    }
}
