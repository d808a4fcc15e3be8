//! Numbers and lengths of time with limits of tor's own.

use super::config::Config;
use super::finding::Fix;
use super::finding::Severity::{Error, Warning};
use super::value;

pub(super) fn check(config: &mut Config) {
    lengths(config);
    numbers(config);
}

/// Times below which tor refuses, in seconds.
fn lengths(config: &mut Config) {
    let table = [
        // Twice TestingSigningKeySlop.
        ("SigningKeyLifetime", 2 * 86_400, "30 days"),
        ("DormantClientTimeout", 600, "24 hours"),
        ("KeepalivePeriod", 1, "5 minutes"),
    ];
    for (name, least, usual) in table {
        if let Some(setting) = config.one(name)
            && value::seconds(&setting.value).is_some_and(|seconds| seconds < least)
        {
            config.find(
                Error,
                "too-short",
                &setting,
                format!(
                    "`{}` is less than {least} seconds: tor does not start",
                    setting.value
                ),
                Fix::write(format!("{name} {usual}")),
            );
        }
    }
    if let Some(setting) = config.one("LogTimeGranularity")
        && let Some(length) = value::milliseconds(&setting.value)
    {
        if length == 0 {
            let what = format!(
                "`{}` is not greater than 0: tor does not start",
                setting.value
            );
            config.find(Error, "log-granularity", &setting, what, "delete the line");
        } else if 1000 % length != 0 && length % 1000 != 0 {
            let what = format!(
                "`{}` msec is neither a divisor nor a multiple of a second: tor warns and uses another value",
                setting.value
            );
            config.find(
                Warning,
                "log-granularity",
                &setting,
                what,
                "delete the line",
            );
        }
    }
    if let Some(setting) = config.one("CircuitStreamTimeout")
        && value::seconds(&setting.value).is_some_and(|seconds| (1..10).contains(&seconds))
    {
        let what = format!(
            "`{}` is less than 10 seconds: tor warns, and takes that",
            setting.value
        );
        config.find(Warning, "too-short", &setting, what, "delete the line");
    }
    if let Some(setting) = config.one("MaxCircuitDirtiness")
        && let Some(seconds) = value::seconds(&setting.value)
        && !(10..=2_592_000).contains(&seconds)
    {
        let (rule, what) = match seconds < 10 {
            true => ("too-short", "is less than 10 seconds"),
            false => ("too-long", "is more than 30 days"),
        };
        let what = format!("`{}` {what}: tor warns, and takes that", setting.value);
        config.find(Warning, rule, &setting, what, "delete the line");
    }
    if let Some(setting) = config.one("CircuitsAvailableTimeout")
        && value::seconds(&setting.value).is_some_and(|seconds| seconds > 86_400)
    {
        let what = format!("`{}` is more than a day: tor does not start", setting.value);
        config.find(Error, "too-long", &setting, what, "delete the line");
    }
    if let Some(setting) = config.one("HeartbeatPeriod")
        && value::seconds(&setting.value).is_some_and(|seconds| (1..1800).contains(&seconds))
    {
        config.find(
            Warning,
            "too-short",
            &setting,
            format!(
                "`{}` is less than half an hour: tor warns, and takes that",
                setting.value
            ),
            Fix::write("HeartbeatPeriod 30 minutes"),
        );
    }
}

/// Numbers that have limits.
fn numbers(config: &mut Config) {
    for name in ["PerConnBWRate", "PerConnBWBurst"] {
        if let Some((setting, bytes)) = config.memory(name)
            && bytes > i32::MAX as u64 + 1
        {
            let what = format!(
                "`{}` is more than tor takes: it does not start",
                setting.value
            );
            config.find(
                Error,
                "bandwidth-too-high",
                &setting,
                what,
                "delete the line",
            );
        }
    }
    if let Some(setting) = config.one("KISTSchedRunInterval")
        && value::milliseconds(&setting.value).is_some_and(|length| length > 100)
    {
        let what = format!(
            "`{}` is more than 100 msec: tor does not start",
            setting.value
        );
        config.find(Error, "too-long", &setting, what, "delete the line");
    }
    let table: [(&str, i64, i64); 4] = [
        ("ConnLimit", 1, i64::MAX),
        ("MaxClientCircuitsPending", 1, 1024),
        ("TokenBucketRefillInterval", 1, 1000),
        ("ClientBootstrapConsensusMaxInProgressTries", 1, i64::MAX),
    ];
    for (name, least, most) in table {
        if let Some(setting) = config.one(name)
            && let Some(number) = setting.value.split_ascii_whitespace().next()
            && let Ok(number) = number.parse::<i64>()
            && !(least..=most).contains(&number)
        {
            let what = format!("`{}` is out of range: tor does not start", setting.value);
            config.find(Error, "bad-value", &setting, what, "delete the line");
        }
    }
    if let Some((setting, bytes)) = config.memory("MaxMemInQueues")
        && (1..64 << 20).contains(&bytes)
    {
        config.find(
            Warning,
            "memory-too-small",
            &setting,
            format!(
                "`{}` is less than the 64 MB that a relay needs: tor warns",
                setting.value
            ),
            Fix::write("MaxMemInQueues 256 MB"),
        );
    }
    if let Some((setting, bytes)) = config.memory("MaxMemInQueues")
        && (64 << 20..256 << 20).contains(&bytes)
    {
        let what = format!(
            "`{}` is less than the 256 MB that tor recommends for a relay: it warns",
            setting.value
        );
        let fix = "write 256 MB or more, if the container gets as much";
        config.find(Warning, "memory-too-small", &setting, what, fix);
    }
    if let Some((setting, bytes)) = config.memory("ConstrainedSockSize")
        && config.on("ConstrainedSockets").is_some()
        && (!(2048..=262_144).contains(&bytes) || !bytes.is_multiple_of(1024))
    {
        let what = format!(
            "`{}` is not 2 to 256 KBytes: tor does not start",
            setting.value
        );
        config.find(Error, "bad-value", &setting, what, "delete the line");
    }
}
