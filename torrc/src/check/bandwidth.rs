//! How much the relay may carry.

use super::config::{Config, Setting};
use super::finding::Fix;
use super::finding::Severity::{Error, Note, Warning};
use super::value;
use crate::accounting::{Rule, lasts, span, steady};
use crate::bandwidth::{HIGHEST, lowest};
use crate::{Bandwidth, Role, Start};

/// Tor's default for `BandwidthRate` and `BandwidthBurst`, in bytes.
const DEFAULT: u64 = 1 << 30;

pub(super) fn check(config: &mut Config, role: Role) {
    for name in [
        "BandwidthRate",
        "BandwidthBurst",
        "RelayBandwidthRate",
        "RelayBandwidthBurst",
        "MaxAdvertisedBandwidth",
    ] {
        if let Some((setting, bytes)) = config.memory(name) {
            rate(config, role, name, &setting, bytes);
        }
    }
    bursts(config);
    // Where the unit is missing, the fix is the other option already.
    if let Some(setting) = config.one("BandwidthRate")
        && config.one("RelayBandwidthRate").is_none()
        && !value::has_no_unit(&setting.value)
    {
        config.find(
            Note,
            "bandwidth-of-all",
            &setting,
            "it also slows down what tor fetches for itself",
            Fix::write(format!("RelayBandwidthRate {}", setting.value))
                .said("write `RelayBandwidthRate` and `RelayBandwidthBurst`"),
        );
    }
    accounting(config);
}

fn rate(config: &mut Config, role: Role, name: &str, setting: &Setting, bytes: u64) {
    // Tor takes the burst for the rate where that is not given.
    let rate = config.memory("RelayBandwidthRate").map(|(_, rate)| rate);
    let alone = name == "RelayBandwidthBurst" && rate.is_none_or(|rate| rate == 0);
    let least = match name {
        "RelayBandwidthBurst" if alone => lowest(role),
        "BandwidthRate" | "RelayBandwidthRate" => lowest(role),
        "MaxAdvertisedBandwidth" => lowest(role) / 2,
        _ => 0,
    };
    if value::has_no_unit(&setting.value) && bytes > 0 {
        // That it is too little is the same fault.
        let (severity, end) = match bytes < least {
            true => (Error, ": it is too little, and tor does not start"),
            false => (Warning, ""),
        };
        config.find(
            severity,
            "bandwidth-without-unit",
            setting,
            format!(
                "`{}` is a number of bytes per second, as it has no unit{end}",
                setting.value
            ),
            rate_meant(role, name, bytes),
        );
        if bytes < lowest(role) {
            return;
        }
    }
    // Zero is no limit where the option is about relayed traffic.
    let unlimited = bytes == 0 && name.starts_with("Relay");
    if bytes < least && !unlimited {
        config.find(
            Error,
            "bandwidth-below-minimum",
            setting,
            format!(
                "`{}` is {bytes} bytes per second: tor does not start with less than {least}",
                setting.value
            ),
            Fix::write(format!("{name} {} KBytes", least.div_ceil(1024)))
                .said(format!("write {} KBytes at least", least.div_ceil(1024))),
        );
    }
    // Tor forgives one byte: 2 GBytes are one too many.
    if bytes > HIGHEST + 1 {
        config.find(
            Error,
            "bandwidth-too-high",
            setting,
            format!(
                "`{}` is more than tor takes: it does not start",
                setting.value
            ),
            Fix::delete("write 2 GBytes at most, or delete the line"),
        );
    }
}

fn bursts(config: &mut Config) {
    let bytes = |config: &Config, name| config.memory(name).map(|(_, bytes)| bytes);
    let relay_rate = bytes(config, "RelayBandwidthRate").unwrap_or(0);
    let relay_burst = bytes(config, "RelayBandwidthBurst").unwrap_or(0);
    // Each is the other where only one is given, and both raise the general ones.
    let (relay_rate, relay_burst) = match (relay_rate, relay_burst) {
        (rate, 0) => (rate, rate),
        (0, burst) => (burst, burst),
        both => both,
    };
    let rate = bytes(config, "BandwidthRate")
        .unwrap_or(DEFAULT)
        .max(relay_rate);
    let burst = bytes(config, "BandwidthBurst")
        .unwrap_or(DEFAULT)
        .max(relay_burst);
    let pairs = [
        (
            "RelayBandwidthRate",
            "RelayBandwidthBurst",
            relay_rate,
            relay_burst,
        ),
        ("BandwidthRate", "BandwidthBurst", rate, burst),
    ];
    for (rate_name, burst_name, rate, burst) in pairs {
        if burst >= rate {
            continue;
        }
        if let Some(setting) = config.one(burst_name).or_else(|| config.one(rate_name)) {
            config.find(
                Error,
                "burst-below-rate",
                &setting,
                format!("{burst_name} is {burst}, {rate_name} is {rate}: tor does not start"),
                match config.one(burst_name) {
                    Some(_) => Fix::delete(format!(
                        "set {burst_name} at least as high as {rate_name}, or delete the line"
                    )),
                    None => format!("set {burst_name} at least as high as {rate_name}").into(),
                },
            );
        }
    }
}

fn accounting(config: &mut Config) {
    let mut period = Start::default().period();
    if let Some(setting) = config.one("AccountingStart") {
        match setting.value.parse::<Start>() {
            Err(error) => config.find(
                Error,
                "accounting-start",
                &setting,
                format!("{error}: tor does not start"),
                "write it like `month 1 00:00`, `week 1 00:00` or `day 00:00`",
            ),
            Ok(_) if config.one("AccountingMax").is_none() => config.find(
                Warning,
                "accounting-start-alone",
                &setting,
                "it does nothing without `AccountingMax`",
                "add `AccountingMax`, or delete the line",
            ),
            Ok(start) => period = start.period(),
        }
    }
    let rule = config.one("AccountingRule");
    if let Some(setting) = &rule
        && !["sum", "max", "in", "out"].contains(&setting.value.as_str())
    {
        config.find(
            Error,
            "accounting-rule",
            setting,
            format!(
                "`{}` is not a way to count: tor does not start",
                setting.value
            ),
            "write sum, max, in or out",
        );
    }
    let Some((setting, max)) = config.memory("AccountingMax").filter(|&(_, max)| max > 0) else {
        return;
    };
    if value::has_no_unit(&setting.value) {
        config.find(
            Warning,
            "accounting-without-unit",
            &setting,
            format!(
                "`{}` is a number of bytes, as it has no unit",
                setting.value
            ),
            volume_meant(max),
        );
    }
    let rates = ["RelayBandwidthRate", "BandwidthRate"].map(|name| config.memory(name));
    let given = rates.into_iter().flatten().map(|(_, bytes)| bytes);
    let Some(rate) = given.filter(|&bytes| bytes > 0).min() else {
        return;
    };
    let max = rule
        .and_then(|setting| setting.value.parse::<Rule>().ok())
        .unwrap_or(Rule::Max)
        .each_way(max);
    let rate = Bandwidth::from_bytes(rate);
    if lasts(max, rate) < period.seconds() / 4 {
        config.find(
            Note,
            "accounting-hibernates",
            &setting,
            format!(
                "at {rate} it lasts {}; the relay then hibernates for the rest of the {}",
                span(lasts(max, rate)),
                period.name()
            ),
            format!(
                "nothing, if that is what you want; {} would last the whole {}",
                steady(max, period),
                period.name()
            ),
        );
    }
}

/// What a bare number was meant as: less than tor takes, in bytes, is Mbit/s, as providers say
/// it; more is bytes.
fn rate_meant(role: Role, name: &str, bytes: u64) -> Fix {
    let name = match name {
        "BandwidthRate" => "RelayBandwidthRate",
        "BandwidthBurst" => "RelayBandwidthBurst",
        name => name,
    };
    if bytes < lowest(role) {
        let kbytes = bytes.saturating_mul(1_000_000) / 8 / 1024;
        Fix::write(format!("{name} {kbytes} KBytes")).said(format!(
            "write `{name} {kbytes} KBytes` if it is Mbit/s, or the unit that it is"
        ))
    } else {
        let kbytes = (bytes >> 10).max(1);
        Fix::write(format!("{name} {kbytes} KBytes"))
    }
}

/// The same for an amount: few are gigabytes, many are bytes.
fn volume_meant(bytes: u64) -> Fix {
    let amount = match bytes {
        0..1_000_000 => format!("{bytes} GBytes"),
        1_000_000..1_000_000_000 => format!("{} MBytes", (bytes >> 20).max(1)),
        _ => format!("{} GBytes", (bytes >> 30).max(1)),
    };
    Fix::write(format!("AccountingMax {amount}"))
}
