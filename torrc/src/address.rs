//! Where a relay is found.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::Error;

/// The address a relay publishes: an IPv4 address, or a name that resolves to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A public IPv4 address.
    V4(Ipv4Addr),
    /// A fully qualified domain name.
    Name(String),
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |reason: &str| Error::Address {
            given: text.to_owned(),
            reason: reason.to_owned(),
        };
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return if is_public_v4(address) {
                Ok(Self::V4(address))
            } else {
                Err(refuse("it is not reachable from the Internet"))
            };
        }
        if text.parse::<Ipv6Addr>().is_ok() {
            return Err(refuse(
                "an IPv6 address goes into --ipv6, beside an IPv4 one",
            ));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let well_formed = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // The last label of a name is not a number: that would be a bad IPv4 address.
        let last = name.rsplit('.').next().unwrap_or_default();
        let numeric = last.bytes().all(|byte| byte.is_ascii_digit());
        if numeric || name.len() > 253 || !name.contains('.') || !name.split('.').all(well_formed) {
            return Err(refuse(
                "it is neither an IPv4 address nor a full domain name",
            ));
        }
        Ok(Self::Name(name.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// A public IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicV6(Ipv6Addr);

impl FromStr for PublicV6 {
    type Err = Error;

    /// With or without square brackets.
    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |reason: &str| Error::Address {
            given: text.to_owned(),
            reason: reason.to_owned(),
        };
        let bare = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        let address = bare.unwrap_or(text).parse::<Ipv6Addr>();
        match address.map_err(|_| refuse("it is not an IPv6 address"))? {
            address if is_public_v6(address) => Ok(Self(address)),
            _ => Err(refuse("it is not reachable from the Internet")),
        }
    }
}

impl fmt::Display for PublicV6 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether tor takes it for an address on the Internet (`tor_addr_is_internal`).
pub(super) fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    !(a == 0
        || a >= 224
        || shared
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local())
}

/// Whether tor takes it for an address on the Internet.
pub(super) fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.to_ipv4_mapped() {
        Some(address) => is_public_v4(address),
        // What is handed out is 2000::/3.
        None => address.segments()[0] >> 13 == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["203.0.113.7", "relay.example.org", "1and1.example", "a-b.c"] {
            assert_eq!(good.parse::<Address>().unwrap().to_string(), good);
        }
        let bad = [
            "",
            "localhost",
            "127.0.0.1",
            "10.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "0.0.0.0",
            "169.254.1.1",
            "100.64.0.1",
            "224.0.0.1",
            "256.1.1.1",
            "1.2.3",
            "2001:db8::1",
            "-a.org",
            "a..org",
            "a_b.org",
            "relay.example.org:9001",
            "relay example.org",
        ];
        for bad in bad {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
        for good in ["2001:db8::1", "[2001:db8::1]"] {
            assert_eq!(good.parse::<PublicV6>().unwrap().to_string(), "2001:db8::1");
        }
        for bad in [
            "",
            "::1",
            "fe80::1",
            "fd00::1",
            "203.0.113.7",
            "[2001:db8::1]:9001",
        ] {
            assert!(bad.parse::<PublicV6>().is_err(), "{bad}");
        }
    }
}
