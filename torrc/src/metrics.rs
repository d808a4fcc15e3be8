//! Where Prometheus asks for what tor counts.

use std::fmt;
use std::net::Ipv4Addr;
use std::num::NonZeroU16;
use std::str::FromStr;

use super::Error;

/// The port for Prometheus unless another is given.
pub const METRICS_PORT: NonZeroU16 = match NonZeroU16::new(9035) {
    Some(port) => port,
    None => NonZeroU16::MIN,
};

/// What answers Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metrics {
    /// The port in the container.
    pub port: NonZeroU16,
    /// The network of containers that may ask; without one the container itself alone.
    pub network: Option<MetricsNetwork>,
}

/// A private network of IPv4 addresses, in which relays and their Prometheus are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricsNetwork {
    address: Ipv4Addr,
    bits: u8,
}

impl MetricsNetwork {
    /// One that neither Docker nor the usual clouds and routers give away.
    pub const USUAL: &str = "10.90.35.0/24";

    /// Whether `address` with as many leading `bits` is a private network, alone with those who
    /// are in it.
    pub(crate) fn is_private(address: Ipv4Addr, bits: u8) -> bool {
        let [first, second, ..] = address.octets();
        match first {
            10 => bits >= 8,
            172 if second & 0xf0 == 16 => bits >= 12,
            192 if second == 168 => bits >= 16,
            _ => false,
        }
    }
}

impl FromStr for MetricsNetwork {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = || Error::MetricsNetwork {
            given: text.to_owned(),
        };
        let (address, bits) = text.split_once('/').ok_or_else(refuse)?;
        let address: Ipv4Addr = address.parse().map_err(|_| refuse())?;
        let bits: u8 = bits.parse().map_err(|_| refuse())?;
        // Room for an engine's own address, Prometheus and a few relays.
        let fits = (8..=28).contains(&bits) && address.to_bits() << bits == 0;
        if fits && Self::is_private(address, bits) {
            Ok(Self { address, bits })
        } else {
            Err(refuse())
        }
    }
}

impl fmt::Display for MetricsNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for good in [MetricsNetwork::USUAL, "192.168.7.0/24", "172.16.0.0/12"] {
            let read: MetricsNetwork = good.parse().unwrap();
            assert_eq!(read.to_string(), good);
        }
        for bad in [
            "",
            "10.90.35.0",
            "10.90.35.1/24",
            "10.0.0.0/7",
            "10.90.35.0/30",
            "8.8.8.0/24",
            "172.32.0.0/16",
            "fd00::/64",
            "0.0.0.0/0",
        ] {
            assert!(bad.parse::<MetricsNetwork>().is_err(), "{bad}");
        }
    }
}
