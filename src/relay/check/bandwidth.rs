//! How much the relay may carry.

use super::config::{Config, Setting};
use super::finding::Severity::{Error, Note, Warning};
use super::value;
use crate::relay::accounting::{lasts, span, steady};
use crate::relay::bandwidth::{HIGHEST, lowest};
use crate::relay::{Bandwidth, Role, Start};

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
    if let Some(setting) = config.one("BandwidthRate")
        && config.one("RelayBandwidthRate").is_none()
    {
        config.find(
            Note,
            "bandwidth-of-all",
            &setting,
            "it also slows down what tor fetches for itself",
            "write `RelayBandwidthRate` and `RelayBandwidthBurst`",
        );
    }
    accounting(config);
}

fn rate(config: &mut Config, role: Role, name: &str, setting: &Setting, bytes: u64) {
    if value::has_no_unit(&setting.value) && bytes > 0 {
        config.find(
            Warning,
            "bandwidth-without-unit",
            setting,
            format!(
                "`{}` is a number of bytes per second, as it has no unit",
                setting.value
            ),
            "write the unit: KBytes, MBytes, MBits",
        );
    }
    let least = match name {
        "BandwidthRate" | "RelayBandwidthRate" => lowest(role),
        "MaxAdvertisedBandwidth" => lowest(role) / 2,
        _ => 0,
    };
    // Zero is no limit where the option is about relayed traffic.
    let unlimited = bytes == 0 && name == "RelayBandwidthRate";
    if bytes < least && !unlimited {
        config.find(
            Error,
            "bandwidth-below-minimum",
            setting,
            format!(
                "`{}` is {bytes} bytes per second: tor does not start with less than {least}",
                setting.value
            ),
            format!("write {} KBytes at least", least >> 10),
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
            "write 2 GBytes at most, or delete the line",
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
                format!("set {burst_name} at least as high as {rate_name}"),
            );
        }
    }
}

fn accounting(config: &mut Config) {
    let mut period = Start::default().period();
    if let Some(setting) = config.one("AccountingStart") {
        match setting.value.parse::<Start>() {
            Ok(start) => period = start.period(),
            Err(error) => config.find(
                Error,
                "accounting-start",
                &setting,
                format!("{error}: tor does not start"),
                "write it like `month 1 00:00`, `week 1 00:00` or `day 00:00`",
            ),
        }
        if config.one("AccountingMax").is_none() {
            config.find(
                Warning,
                "accounting-start-alone",
                &setting,
                "it does nothing without `AccountingMax`",
                "add `AccountingMax`, or delete the line",
            );
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
            format!("`{}` is no way to count: tor does not start", setting.value),
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
            "write the unit: GBytes, TBytes",
        );
    }
    let rates = ["RelayBandwidthRate", "BandwidthRate"].map(|name| config.memory(name));
    let given = rates.into_iter().flatten().map(|(_, bytes)| bytes);
    let Some(rate) = given.filter(|&bytes| bytes > 0).min() else {
        return;
    };
    // Both directions are counted together by `sum`, and each may run at the full rate.
    let summed = rule.is_some_and(|setting| setting.value == "sum");
    let max = if summed { max / 2 } else { max };
    let rate = Bandwidth::from_bytes(rate);
    if lasts(max, rate) < period.seconds() / 4 {
        config.find(
            Note,
            "accounting-hibernates",
            &setting,
            format!(
                "at {rate} it is used up in {}; the relay then sleeps for the rest of the {}",
                span(lasts(max, rate)),
                period.name()
            ),
            format!(
                "nothing, if that is meant; {} would last the whole {}",
                steady(max, period),
                period.name()
            ),
        );
    }
}
