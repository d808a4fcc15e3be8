//! Amounts of data and rates: as an operator gives them, in powers of ten, and as tor
//! takes them, in powers of two.

use std::fmt;
use std::str::FromStr;

use super::{Error, Role};

/// A rate in bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bandwidth(u64);

/// An amount of data in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Volume(u64);

/// The highest rate that tor takes, in bytes per second (`ROUTER_MAX_DECLARED_BANDWIDTH`).
pub(super) const HIGHEST: u64 = i32::MAX as u64;

/// The lowest rate with which tor starts, in bytes per second: 75 KBytes for a relay,
/// 50 KBytes for a bridge (`RELAY_` and `BRIDGE_REQUIRED_MIN_BANDWIDTH`).
pub(super) fn lowest(role: Role) -> u64 {
    match role {
        Role::Bridge => 50 << 10,
        Role::Middle | Role::Exit => 75 << 10,
    }
}

impl Bandwidth {
    /// A rate of so many bytes per second.
    pub fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// In bytes per second.
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// Written for `RelayBandwidthRate` and the like: a whole number of tor's units, never
    /// more than this rate.
    pub fn for_tor(self) -> String {
        for_tor(self.0)
    }
}

impl Volume {
    /// In bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// Written for `AccountingMax`: a whole number of tor's units, never more than this.
    pub fn for_tor(self) -> String {
        for_tor(self.0)
    }
}

/// Tor's units are powers of two (tor's manual, `BandwidthRate`). The largest that keeps
/// the amount exact, or else three digits of it.
fn for_tor(bytes: u64) -> String {
    let units = [(30, "GBytes"), (20, "MBytes"), (10, "KBytes")];
    let fitting = units.into_iter().find(|&(shift, _)| {
        let count = bytes >> shift;
        count >= 1000 || (count > 0 && count << shift == bytes)
    });
    match fitting {
        Some((shift, unit)) => format!("{} {unit}", bytes >> shift),
        None => format!("{bytes} bytes"),
    }
}

/// As network operators say it: `100 Mbit/s`.
impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.0 * 8, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"])
    }
}

/// As providers say it: `1 TB`.
impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.0, ["bytes", "kB", "MB", "GB", "TB", "PB"])
    }
}

/// With two decimals at most, rounded.
fn write_decimal<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    count: u64,
    units: [&str; N],
) -> fmt::Result {
    let mut scale = 1;
    let mut chosen = 0;
    while chosen + 1 < N && count / scale >= 1000 {
        scale *= 1000;
        chosen += 1;
    }
    let hundredths = (u128::from(count) * 100 + u128::from(scale) / 2) / u128::from(scale);
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    write!(f, "{text} {}", units[chosen])
}

impl FromStr for Bandwidth {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |reason: &str| Error::Bandwidth {
            given: text.to_owned(),
            reason: reason.to_owned(),
        };
        let (number, unit) = split(text).map_err(&refuse)?;
        // Who writes `bps`, in whatever case, counts bits; `MBps` alone is bytes.
        let lower = unit.to_ascii_lowercase();
        let prefix = lower.strip_suffix("bps").filter(|_| !unit.ends_with("Bps"));
        let bits = prefix.map(|prefix| format!("{prefix}bit"));
        let plain = || ["/s", "ps"].iter().find_map(|end| unit.strip_suffix(end));
        let unit = match &bits {
            Some(bits) => bits,
            None => plain().unwrap_or(unit),
        };
        match scale(unit).map_err(&refuse)? {
            Scale::Bits(factor) => multiply(number, factor, 8),
            Scale::Bytes(factor) => multiply(number, factor, 1),
        }
        .map(Self)
        .map_err(&refuse)
    }
}

impl FromStr for Volume {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |reason: &str| Error::Volume {
            given: text.to_owned(),
            reason: reason.to_owned(),
        };
        let (number, unit) = split(text).map_err(&refuse)?;
        match scale(unit).map_err(&refuse)? {
            Scale::Bits(_) => Err(refuse("data is counted in bytes, not in bits")),
            Scale::Bytes(factor) => multiply(number, factor, 1).map(Self).map_err(&refuse),
        }
    }
}

/// How many bits or bytes a unit is.
enum Scale {
    Bits(u64),
    Bytes(u64),
}

fn split(text: &str) -> Result<(&str, &str), &'static str> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = (&text[..end], text[end..].trim_start());
    if number.is_empty() {
        return Err("it does not begin with a number");
    }
    Ok((number, unit))
}

fn scale(unit: &str) -> Result<Scale, &'static str> {
    // Letters that stand alone: here the case tells bits from bytes.
    match unit {
        "" => return Err("it has no unit"),
        "B" => return Ok(Scale::Bytes(1)),
        "kB" | "KB" => return Ok(Scale::Bytes(1000)),
        "MB" => return Ok(Scale::Bytes(1_000_000)),
        "GB" => return Ok(Scale::Bytes(1_000_000_000)),
        "TB" => return Ok(Scale::Bytes(1_000_000_000_000)),
        "KiB" => return Ok(Scale::Bytes(1 << 10)),
        "MiB" => return Ok(Scale::Bytes(1 << 20)),
        "GiB" => return Ok(Scale::Bytes(1 << 30)),
        "TiB" => return Ok(Scale::Bytes(1 << 40)),
        // Whoever has no capitals writes about bits or bytes, nobody knows.
        "mb" | "gb" | "tb" => return Err("`b` may be bits or bytes: write Mbit or MB"),
        // What is left of `kbps`, `Mbps` and `Gbps`, and plain `Mb`, which everyone who
        // counts network traffic means as bits.
        "kb" | "Kb" => return Ok(Scale::Bits(1000)),
        "Mb" => return Ok(Scale::Bits(1_000_000)),
        "Gb" => return Ok(Scale::Bits(1_000_000_000)),
        _ => {}
    }
    let lower = unit.to_ascii_lowercase();
    let lower = lower.strip_suffix('s').unwrap_or(&lower);
    let (prefix, bits) = match (lower.strip_suffix("bit"), lower.strip_suffix("byte")) {
        (Some(prefix), _) => (prefix, true),
        (_, Some(prefix)) => (prefix, false),
        (None, None) => return Err("it has a unit that is not known"),
    };
    let factor = match prefix {
        "" => 1,
        "k" | "kilo" => 1000,
        "m" | "mega" => 1_000_000,
        "g" | "giga" => 1_000_000_000,
        "t" | "tera" => 1_000_000_000_000,
        _ => return Err("it has a unit that is not known"),
    };
    Ok(if bits {
        Scale::Bits(factor)
    } else {
        Scale::Bytes(factor)
    })
}

/// `number`, which may have decimals, times `factor`, divided by `divisor`, rounded down.
fn multiply(number: &str, factor: u64, divisor: u64) -> Result<u64, &'static str> {
    const DECIMALS: usize = 6;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let well_formed = |digits: &str| !digits.is_empty() && !digits.contains('.');
    if !well_formed(whole) || !well_formed(fraction) || fraction.len() > DECIMALS {
        return Err("its number is not like `100` or `12.5`");
    }
    let digits: u128 = format!("{whole}{fraction:0<DECIMALS$}")
        .parse()
        .map_err(|_| "its number is too large")?;
    let amount = digits
        .checked_mul(u128::from(factor))
        .ok_or("its number is too large")?
        / (10u128.pow(DECIMALS as u32) * u128::from(divisor));
    // Tor refuses more than 63 bits.
    match i64::try_from(amount) {
        Ok(0) => Err("it is nothing"),
        Ok(amount) => Ok(amount.unsigned_abs()),
        Err(_) => Err("its number is too large"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_in_powers_of_ten_and_written_in_powers_of_two() {
        let table = [
            ("100Mbit", 12_500_000, "12207 KBytes", "100 Mbit/s"),
            ("100 Mbit/s", 12_500_000, "12207 KBytes", "100 Mbit/s"),
            ("100Mbps", 12_500_000, "12207 KBytes", "100 Mbit/s"),
            ("100mbits", 12_500_000, "12207 KBytes", "100 Mbit/s"),
            ("1gbps", 125_000_000, "122070 KBytes", "1 Gbit/s"),
            ("1GBPS", 125_000_000, "122070 KBytes", "1 Gbit/s"),
            ("12.5MBps", 12_500_000, "12207 KBytes", "100 Mbit/s"),
            ("1Gbit", 125_000_000, "122070 KBytes", "1 Gbit/s"),
            ("10Gbit", 1_250_000_000, "1192 MBytes", "10 Gbit/s"),
            ("12.5MB/s", 12_500_000, "12207 KBytes", "100 Mbit/s"),
            ("12.5MByte", 12_500_000, "12207 KBytes", "100 Mbit/s"),
            ("10MiB", 10 << 20, "10 MBytes", "83.89 Mbit/s"),
            ("600kbit", 75_000, "75000 bytes", "600 kbit/s"),
            ("75 KiB", 76_800, "75 KBytes", "614.4 kbit/s"),
            ("1.000001Mbit", 125_000, "125000 bytes", "1 Mbit/s"),
        ];
        for (text, bytes, for_tor, shown) in table {
            let rate: Bandwidth = text.parse().unwrap();
            let got = (rate.bytes(), rate.for_tor(), rate.to_string());
            assert_eq!(got, (bytes, for_tor.into(), shown.into()), "{text}");
        }
    }

    #[test]
    fn volumes() {
        let table = [
            ("1TB", 1_000_000_000_000, "953674 MBytes", "1 TB"),
            ("1 TiB", 1 << 40, "1024 GBytes", "1.1 TB"),
            ("500 GB", 500_000_000_000, "476837 MBytes", "500 GB"),
            ("1.5TByte", 1_500_000_000_000, "1396 GBytes", "1.5 TB"),
        ];
        for (text, bytes, for_tor, shown) in table {
            let volume: Volume = text.parse().unwrap();
            let got = (volume.bytes(), volume.for_tor(), volume.to_string());
            assert_eq!(got, (bytes, for_tor.into(), shown.into()), "{text}");
        }
    }

    #[test]
    fn what_is_no_rate() {
        let bad = [
            "",
            "Mbit",
            "100",
            "100 apples",
            "1.2.3Mbit",
            ".5Mbit",
            "5.Mbit",
            "-1Mbit",
            "0Mbit",
            "99999999999999999999TB",
            "1e3Mbit",
            "100 mb",
            "100Mbit/h",
        ];
        for text in bad {
            assert!(text.parse::<Bandwidth>().is_err(), "{text}");
        }
        insta::assert_snapshot!(
            "100".parse::<Bandwidth>().unwrap_err(),
            @"`100` is not a rate: it has no unit; write it like 100Mbit, 12.5MB or 10MiB, each per second"
        );
        insta::assert_snapshot!(
            "1Tbit".parse::<Volume>().unwrap_err(),
            @"`1Tbit` is not an amount of data: data is counted in bytes, not in bits; write it like 500GB, 1TB or 1TiB"
        );
    }
}
