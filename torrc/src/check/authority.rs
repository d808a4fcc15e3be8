//! What is for directory authorities and for networks of one's own, which a relay has no use for.

use std::net::SocketAddrV4;

use super::config::{Config, Setting};
use super::finding::Severity::{Error, Warning};
use super::value;
use crate::Fingerprint;

pub(super) fn check(config: &mut Config) {
    if let Some(setting) = config.on("AuthoritativeDirectory") {
        config.find(
            Error,
            "authority",
            &setting,
            "the image's tor is built without what an authority needs: tor does not start",
            "delete the line",
        );
    }
    for name in [
        "DirAuthority",
        "AlternateDirAuthority",
        "AlternateBridgeAuthority",
    ] {
        for setting in config.all(name) {
            if let Some(wrong) = directory(&setting) {
                let what = format!("{wrong}: tor does not start");
                let fix = "delete the line: tor knows the authorities";
                config.find(Error, "authority", &setting, what, fix);
            } else if config.on("TestingTorNetwork").is_none() {
                config.find(
                    Warning,
                    "authority",
                    &setting,
                    "with other authorities than tor's own this is not a relay of the public network",
                    "delete the line: tor knows the authorities",
                );
            }
        }
    }
    for setting in config.every() {
        let own = [
            "AuthDir",
            "V3Auth",
            "V3Bandwidths",
            "Recommended",
            "VersioningAuthoritativeDirectory",
            "MinUptimeHidServDirectoryV2",
        ];
        let name = setting.option.name;
        if own.iter().any(|start| name.starts_with(start)) {
            let what =
                "the image's tor is built without what an authority needs: it skips the line";
            config.find(Warning, "authority", &setting, what, "delete the line");
        }
    }
    for setting in config.all("FallbackDir") {
        let identity = |word: &str| {
            let id = word.strip_prefix("id=");
            id.is_some_and(|id| id.parse::<Fingerprint>().is_ok())
        };
        if !setting.value.split_ascii_whitespace().any(identity) {
            config.find(
                Error,
                "authority",
                &setting,
                "it has no `id=` with a fingerprint: tor does not start",
                "delete the line: tor knows where to ask first",
            );
        }
    }
    testing(config);
}

/// What is wrong with the line of an authority: flags, an address with a port, a fingerprint.
fn directory(setting: &Setting) -> Option<String> {
    let words: Vec<&str> = setting.value.split_ascii_whitespace().collect();
    let Some(place) = words
        .iter()
        .position(|word| word.parse::<SocketAddrV4>().is_ok())
    else {
        return Some("there is no address with a port".to_owned());
    };
    let digits = words[place + 1..].concat();
    let whole = digits.parse::<Fingerprint>().is_ok();
    (!whole).then(|| format!("`{digits}` is not a fingerprint"))
}

/// What may be changed in networks of one's own only, and its own value in milliseconds, if it is
/// a length of time (`CHECK_DEFAULT`).
const TESTING: &[(&str, u64)] = &[
    ("TestingV3AuthInitialVotingInterval", 1_800_000),
    ("TestingV3AuthInitialVoteDelay", 300_000),
    ("TestingV3AuthInitialDistDelay", 300_000),
    ("TestingV3AuthVotingStartOffset", 0),
    ("TestingAuthDirTimeToLearnReachability", 1_800_000),
    ("TestingServerDownloadInitialDelay", 0),
    ("TestingClientDownloadInitialDelay", 0),
    ("TestingServerConsensusDownloadInitialDelay", 0),
    ("TestingClientConsensusDownloadInitialDelay", 0),
    ("TestingBridgeDownloadInitialDelay", 10_800_000),
    ("TestingBridgeBootstrapDownloadInitialDelay", 0),
    ("TestingClientMaxIntervalWithoutRequest", 600_000),
    ("TestingDirConnectionMaxStall", 300_000),
    ("TestingAuthKeyLifetime", 172_800_000),
    ("TestingLinkCertLifetime", 172_800_000),
    ("TestingSigningKeySlop", 86_400_000),
    ("TestingAuthKeySlop", 10_800_000),
    ("TestingLinkKeySlop", 10_800_000),
    ("TestingMinTimeToReportBandwidth", 86_400_000),
];

fn testing(config: &mut Config) {
    if let Some(setting) = config.on("TestingTorNetwork") {
        let alternate = ["AlternateDirAuthority", "AlternateBridgeAuthority"];
        let own = !config.all("DirAuthority").is_empty()
            || alternate.iter().all(|name| !config.all(name).is_empty());
        // With authorities it is a network of its own, and whether that is meant is not known here.
        match own {
            true => config.find(
                Warning,
                "testing-network",
                &setting,
                "this is for a private test network: nobody in the public one can use the relay",
                "for a relay of the public network, delete this line and those of the authorities",
            ),
            false => config.find(
                Error,
                "testing-network",
                &setting,
                "this is for a private test network, which needs `DirAuthority` lines: tor does not start",
                "delete the line",
            ),
        }
        return;
    }
    for (name, own) in TESTING {
        if let Some(setting) = config.one(name)
            && value::seconds(&setting.value).is_none_or(|length| length * 1000 != *own)
        {
            config.find(
                Error,
                "testing-option",
                &setting,
                "it is for private test networks: with any value but the default tor does not start",
                "delete the line",
            );
        }
    }
}
