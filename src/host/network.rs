//! A network with IPv6 for the containers of a compose file: an engine gives them none unasked.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use super::Error;

/// A network of IPv6 addresses that the engine may give away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    address: Ipv6Addr,
    bits: u8,
}

impl Subnet {
    /// A private one (RFC 4193) that the same name always gets and another hardly ever.
    pub fn of(name: &str) -> Self {
        // FNV-1a: it spreads, and nobody has to trust it.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let prefix = 0xfd_u128 << 40 | u128::from(hash >> 24);
        Self {
            address: Ipv6Addr::from_bits(prefix << 80),
            bits: 64,
        }
    }

    /// What stands in the compose file, after the services.
    pub fn compose(self) -> String {
        format!(
            "networks:\n  default:\n    enable_ipv6: true\n    ipam:\n      config:\n        - subnet: \"{self}\"\n"
        )
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl FromStr for Subnet {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = || Error::Subnet {
            given: text.to_owned(),
        };
        let (address, bits) = text.split_once('/').ok_or_else(refuse)?;
        let address: Ipv6Addr = address.parse().map_err(|_| refuse())?;
        let bits: u8 = bits.parse().map_err(|_| refuse())?;
        // Room for a few containers, and no address within it.
        let inside = (8..=120).contains(&bits) && address.to_bits() << bits == 0;
        if inside {
            Ok(Self { address, bits })
        } else {
            Err(refuse())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        let one = Subnet::of("tor-relay1").to_string();
        assert!(one.starts_with("fd") && one.ends_with("::/64"), "{one}");
        assert_eq!(one.parse::<Subnet>().unwrap(), Subnet::of("tor-relay1"));
        assert_ne!(Subnet::of("tor-relay2").to_string(), one);
        for bad in [
            "",
            "fd00::",
            "fd00::1/64",
            "fd00::/128",
            "10.0.0.0/8",
            "fd00::/0",
        ] {
            assert!(bad.parse::<Subnet>().is_err(), "{bad}");
        }
    }
}
