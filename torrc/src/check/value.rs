//! Values, read as tor reads them (`type_defs.c`, `unitparse.c`).

use super::kind::Kind;
use super::listener::past_blanks;

/// What is wrong with a value of that kind, if anything.
pub(super) fn fault(kind: Kind, value: &str) -> Option<&'static str> {
    let whole = |value: &str| past_blanks(value).parse::<i32>().ok();
    let auto = value.eq_ignore_ascii_case("auto");
    let fits = match kind {
        Kind::Bool => matches!(value, "0" | "1"),
        Kind::AutoBool => auto || matches!(value, "0" | "1"),
        Kind::Integer => whole(value).is_some(),
        Kind::Positive => whole(value).is_some_and(|number| number >= 0),
        Kind::Float => past_blanks(value).parse::<f64>().is_ok(),
        Kind::Memory => memory(value).is_some(),
        Kind::Interval => interval(value, &SECONDS).is_some(),
        Kind::Milliseconds => interval(value, &MILLISECONDS).is_some(),
        Kind::Text | Kind::List | Kind::Obsolete => true,
    };
    let wanted = match kind {
        _ if fits => return None,
        Kind::Bool => "0 or 1",
        Kind::AutoBool => "0, 1 or auto",
        Kind::Integer | Kind::Positive | Kind::Float => "a number",
        Kind::Memory => "a number and a unit such as KBytes, MBytes or GBytes",
        Kind::Interval | Kind::Milliseconds => "a number and a unit such as minutes or days",
        Kind::Text | Kind::List | Kind::Obsolete => return None,
    };
    Some(wanted)
}

/// What is meant by a value that is faulty, as tor writes it.
pub(super) fn meant(kind: Kind, value: &str) -> Option<String> {
    let lower = value.trim().to_ascii_lowercase();
    match kind {
        Kind::Bool | Kind::AutoBool => match lower.as_str() {
            "yes" | "true" | "on" | "enable" | "enabled" => Some("1".to_owned()),
            "no" | "false" | "off" | "disable" | "disabled" => Some("0".to_owned()),
            _ => None,
        },
        Kind::Memory => {
            let lower = lower.replace(',', ".");
            let (number, unit) = split(&lower)?;
            let unit = unit
                .strip_suffix("/s")
                .or_else(|| unit.strip_suffix("ps"))
                .unwrap_or(unit);
            let unit = unit.strip_suffix("/sec").unwrap_or(unit);
            let (prefix, rest) = match unit.chars().next()? {
                'k' => ("K", &unit[1..]),
                'm' => ("M", &unit[1..]),
                'g' => ("G", &unit[1..]),
                't' => ("T", &unit[1..]),
                _ => return None,
            };
            let rest = rest
                .strip_prefix('i')
                .filter(|rest| !rest.starts_with('t'))
                .unwrap_or(rest);
            // `Mbps` is bits, whatever the case of its letters.
            let bits = rest.starts_with("bit") || (rest == "b" && lower.ends_with("ps"));
            Some(format!(
                "{number} {prefix}{}",
                if bits { "Bits" } else { "Bytes" }
            ))
        }
        Kind::Interval => {
            let (number, unit) = split(&lower)?;
            let unit = ["seconds", "minutes", "hours", "days", "weeks", "months"]
                .into_iter()
                .find(|own| !unit.is_empty() && own.starts_with(unit))
                .or_else(|| (unit == "hrs" || unit == "hr").then_some("hours"))?;
            Some(format!("{number} {unit}"))
        }
        _ => None,
    }
    .filter(|meant| fault(kind, meant).is_none())
}

/// A number of bytes.
pub(super) fn memory(value: &str) -> Option<u64> {
    let (number, unit) = split(value)?;
    let unit = unit.to_ascii_lowercase();
    let bytes = match unit.as_str() {
        "" | "b" | "byte" | "bytes" => 1,
        // Tor knows `m` alone, and no other letter.
        "m" => 1 << 20,
        _ => {
            let plain = unit.strip_suffix('s').unwrap_or(&unit);
            let (prefix, bits) = if let Some(prefix) = plain.strip_suffix("bit") {
                (prefix, true)
            } else if let Some(prefix) = plain.strip_suffix("byte") {
                (prefix, false)
            } else {
                // `kb` has no plural.
                (unit.strip_suffix('b')?, false)
            };
            let short = unit.ends_with('b');
            let shift = match prefix {
                "k" => 10,
                "m" => 20,
                "g" => 30,
                "t" => 40,
                "kilo" if !short => 10,
                "mega" if !short => 20,
                "giga" if !short => 30,
                "tera" if !short => 40,
                _ => return None,
            };
            if bits { 1 << (shift - 3) } else { 1 << shift }
        }
    };
    times(number, bytes)
}

/// Whether an amount is a bare number, which tor takes for bytes.
pub(super) fn has_no_unit(value: &str) -> bool {
    split(value).is_some_and(|(_, unit)| unit.is_empty())
}

/// A length of time in seconds.
pub(super) fn seconds(value: &str) -> Option<u64> {
    interval(value, &SECONDS)
}

/// A length of time in milliseconds.
pub(super) fn milliseconds(value: &str) -> Option<u64> {
    interval(value, &MILLISECONDS)
}

const SECONDS: [(&str, u64); 7] = [
    ("", 1),
    ("second", 1),
    ("minute", 60),
    ("hour", 3_600),
    ("day", 86_400),
    ("week", 604_800),
    ("month", 2_629_728),
];

const MILLISECONDS: [(&str, u64); 8] = [
    ("", 1),
    ("msec", 1),
    ("millisecond", 1),
    ("second", 1_000),
    ("minute", 60_000),
    ("hour", 3_600_000),
    ("day", 86_400_000),
    ("week", 604_800_000),
];

fn interval(value: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = split(value)?;
    let unit = unit.to_ascii_lowercase();
    let singular = |name: &str| {
        unit == name || (!name.is_empty() && name != "msec" && unit.strip_suffix('s') == Some(name))
    };
    let (_, factor) = units.iter().find(|(name, _)| singular(name))?;
    times(number, *factor).filter(|&length| length <= i32::MAX as u64)
}

/// A number and what follows it.
fn split(value: &str) -> Option<(&str, &str)> {
    let value = past_blanks(value);
    let value = value.strip_prefix('+').unwrap_or(value);
    let end = value
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(value.len());
    let (number, unit) = value.split_at(end);
    let digits = number.bytes().any(|byte| byte.is_ascii_digit());
    (digits && number.matches('.').count() <= 1).then(|| (number, past_blanks(unit)))
}

fn times(number: &str, factor: u64) -> Option<u64> {
    let product = match number.parse::<u64>() {
        Ok(number) => number.checked_mul(factor)?,
        // As tor does it, and as exact.
        Err(_) => {
            let product = number.parse::<f64>().ok()? * factor as f64;
            (product <= i64::MAX as f64).then_some(product as u64)?
        }
    };
    (product <= i64::MAX as u64).then_some(product)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        let table = [
            ("100", Some(100)),
            ("100 bytes", Some(100)),
            ("75 KBytes", Some(76_800)),
            ("75KB", Some(76_800)),
            ("1 kilobyte", Some(1024)),
            ("2 megabytes", Some(2 << 20)),
            ("10 MBits", Some(10 << 17)),
            ("3 Gigabits", Some(3 << 27)),
            ("1 terabyte", Some(1 << 40)),
            ("1.5 MB", Some(3 << 19)),
            ("2 m", Some(2 << 20)),
            ("1 GByte", Some(1 << 30)),
            ("1 TBytes", Some(1 << 40)),
            ("0", Some(0)),
            ("", None),
            ("MB", None),
            (" 10 MB", Some(10 << 20)),
            ("10 # bytes", Some(10)),
            ("10 MB # x", None),
            ("10 k", None),
            ("10 MiB", None),
            ("10 Mbps", None),
            ("10 kbs", None),
            ("10 kilob", None),
            ("-1 MB", None),
            ("1.2.3 MB", None),
            ("99999999 TB", None),
            ("99999999999999999999", None),
        ];
        for (value, expected) in table {
            assert_eq!(memory(value), expected, "{value}");
        }
        assert!(has_no_unit("100") && !has_no_unit("100 KB") && !has_no_unit("x"));
    }

    #[test]
    fn what_is_meant() {
        let table = [
            (Kind::Bool, "yes", Some("1")),
            (Kind::Bool, "Off", Some("0")),
            (Kind::Bool, "maybe", None),
            (Kind::Memory, "10 MiB", Some("10 MBytes")),
            (Kind::Memory, "10 Mbit/s", Some("10 MBits")),
            (Kind::Memory, "10 Mbps", Some("10 MBits")),
            (Kind::Memory, "10 MB/s", Some("10 MBytes")),
            (Kind::Memory, "1,5 MB", Some("1.5 MBytes")),
            (Kind::Memory, "10 k", Some("10 KBytes")),
            (Kind::Memory, "lots", None),
            (Kind::Interval, "30d", Some("30 days")),
            (Kind::Interval, "x", None),
        ];
        for (kind, value, expected) in table {
            assert_eq!(meant(kind, value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn times_of() {
        let table = [
            ("30", Some(30)),
            ("30 seconds", Some(30)),
            ("1 Hour", Some(3_600)),
            ("2 months", Some(5_259_456)),
            ("1 fortnight", None),
            ("100000 weeks", None),
        ];
        for (value, expected) in table {
            assert_eq!(seconds(value), expected, "{value}");
        }
    }

    #[test]
    fn faults() {
        let table = [
            (Kind::Bool, "1", true),
            (Kind::Bool, "yes", false),
            (Kind::Bool, "auto", false),
            (Kind::AutoBool, "AUTO", true),
            (Kind::Positive, "-1", false),
            (Kind::Integer, "-1", true),
            (Kind::Integer, " 2", true),
            (Kind::Integer, "2 ", false),
            (Kind::Float, "0.5", true),
            (Kind::Float, "half", false),
            (Kind::Memory, "lots", false),
            (Kind::Interval, "1 day", true),
            (Kind::Milliseconds, "10 msec", true),
            (Kind::Milliseconds, "10 msecs", false),
            (Kind::Text, "anything", true),
        ];
        for (kind, value, fits) in table {
            assert_eq!(fault(kind, value).is_none(), fits, "{kind:?} {value}");
        }
    }
}
