//! What tor knows of each option: its name, its kind and where the manual explains it.

use super::kind::{Kind, Section};
use super::table::OPTIONS;

/// An option that tor knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its name as tor writes it.
    pub(super) name: &'static str,
    /// What it takes.
    pub(super) kind: Kind,
    section: Section,
}

impl Known {
    /// Where the manual explains it.
    pub(super) fn manual(&self) -> Option<String> {
        let title = self.section.title()?;
        // The manual has the plain name of `__ORPort` and its like.
        Some(format!("{title}, {}", self.name.trim_start_matches('_')))
    }
}

/// How a name led to an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// It is the option's name, whatever the case of its letters, or another name for it that
    /// tor takes without a word.
    Named(Known),
    /// It is an old name for the option; tor warns.
    OldName(Known),
    /// It is the beginning of the option's name; tor warns.
    CutShort(Known),
    /// Tor refuses it; the option whose name is nearest, if one is near.
    Unknown(Option<Known>),
}

/// Other names that tor takes in a file, the name it takes them for, and whether it warns
/// (`option_abbrevs_` in `config.c`).
const OTHER_NAMES: &[(&str, &str, bool)] = &[
    ("AuthDirBadDirCC", "AuthDirBadDirCCs", false),
    ("AuthDirBadExitCC", "AuthDirBadExitCCs", false),
    ("AuthDirInvalidCC", "AuthDirInvalidCCs", false),
    ("AuthDirMiddleOnlyCC", "AuthDirMiddleOnlyCCs", false),
    ("AuthDirRejectCC", "AuthDirRejectCCs", false),
    ("EntryNode", "EntryNodes", false),
    ("ExcludeNode", "ExcludeNodes", false),
    ("FirewallPort", "FirewallPorts", false),
    ("LongLivedPort", "LongLivedPorts", false),
    ("HiddenServiceNode", "HiddenServiceNodes", false),
    (
        "HiddenServiceExcludeNode",
        "HiddenServiceExcludeNodes",
        false,
    ),
    ("NumCPU", "NumCPUs", false),
    ("RendNode", "RendNodes", false),
    ("RecommendedPackage", "RecommendedPackages", false),
    ("RendExcludeNode", "RendExcludeNodes", false),
    ("StrictEntryNode", "StrictEntryNodes", false),
    ("StrictExitNode", "StrictExitNodes", false),
    ("StrictNode", "StrictNodes", false),
    ("AllowUnverifiedNodes", "AllowInvalidNodes", false),
    ("AutomapHostSuffixes", "AutomapHostsSuffixes", false),
    ("AutomapHostOnResolve", "AutomapHostsOnResolve", false),
    ("BandwidthRateBytes", "BandwidthRate", false),
    ("BandwidthBurstBytes", "BandwidthBurst", false),
    ("DirFetchPostPeriod", "StatusFetchPeriod", false),
    ("DirServer", "DirAuthority", false),
    ("MaxConn", "ConnLimit", true),
    ("MaxMemInCellQueues", "MaxMemInQueues", false),
    ("ORBindAddress", "ORListenAddress", false),
    ("DirBindAddress", "DirListenAddress", false),
    ("SocksBindAddress", "SocksListenAddress", false),
    ("UseHelperNodes", "UseEntryGuards", false),
    ("NumHelperNodes", "NumEntryGuards", false),
    ("UseEntryNodes", "UseEntryGuards", false),
    ("NumEntryNodes", "NumEntryGuards", false),
    ("ResolvConf", "ServerDNSResolvConfFile", true),
    ("SearchDomains", "ServerDNSSearchDomains", true),
    (
        "ServerDNSAllowBrokenResolvConf",
        "ServerDNSAllowBrokenConfig",
        false,
    ),
    ("PreferTunnelledDirConns", "PreferTunneledDirConns", false),
    (
        "BridgeAuthoritativeDirectory",
        "BridgeAuthoritativeDir",
        false,
    ),
    ("VirtualAddrNetwork", "VirtualAddrNetworkIPv4", false),
    ("SocksSocketsGroupWritable", "UnixSocksGroupWritable", true),
    ("_HSLayer2Nodes", "HSLayer2Nodes", true),
    ("_HSLayer3Nodes", "HSLayer3Nodes", true),
];

/// Schedules that became delays; tor warns of each old name.
const OLD_ENDING: (&str, &str) = ("DownloadSchedule", "DownloadInitialDelay");

/// What tor makes of `name` in a file.
pub(super) fn find(name: &str) -> Found {
    let other = OTHER_NAMES
        .iter()
        .find(|(other, _, _)| other.eq_ignore_ascii_case(name));
    if let Some(&(_, full, warns)) = other {
        return match exact(full) {
            Some(known) if warns => Found::OldName(known),
            Some(known) => Found::Named(known),
            None => Found::Unknown(None),
        };
    }
    if let Some(known) = exact(name) {
        return Found::Named(known);
    }
    if let Some(known) = renamed_schedule(name) {
        return Found::OldName(known);
    }
    let begins = |(full, _, _): &&(&'static str, Kind, Section)| {
        let start = full.as_bytes().get(..name.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
    };
    match OPTIONS.iter().find(begins).filter(|_| !name.is_empty()) {
        Some(&option) => Found::CutShort(known(option)),
        None => Found::Unknown(nearest(name)),
    }
}

/// The option of that name, in any case.
pub(super) fn exact(name: &str) -> Option<Known> {
    let found = OPTIONS
        .iter()
        .find(|(full, _, _)| full.eq_ignore_ascii_case(name));
    found.map(|&option| known(option))
}

fn known((name, kind, section): (&'static str, Kind, Section)) -> Known {
    Known {
        name,
        kind,
        section,
    }
}

fn renamed_schedule(name: &str) -> Option<Known> {
    let (old, new) = OLD_ENDING;
    let stem = name.len().checked_sub(old.len())?;
    let ending = name.get(stem..)?;
    exact(&format!("{}{new}", &name[..stem])).filter(|_| ending.eq_ignore_ascii_case(old))
}

/// The option whose name is a few keystrokes away: one in four letters may differ.
fn nearest(name: &str) -> Option<Known> {
    let name = name.to_ascii_lowercase();
    let (most, letters) = ((name.len() / 4).max(1), name.chars().count());
    // Each letter more or less is a keystroke, and to count them takes long.
    let alike = OPTIONS
        .iter()
        .filter(|option| option.0.len().abs_diff(letters) <= most);
    let distances = alike.map(|&option| {
        let distance = strsim::osa_distance(&name, &option.0.to_ascii_lowercase());
        (distance, option)
    });
    let (distance, option) = distances.min_by_key(|&(distance, _)| distance)?;
    (distance <= most).then(|| known(option))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::tor_is_here;

    #[test]
    fn names_as_tor_takes_them() {
        let name = |found: Found| match found {
            Found::Named(known) => format!("named {}", known.name),
            Found::OldName(known) => format!("old name of {}", known.name),
            Found::CutShort(known) => format!("cut short {}", known.name),
            Found::Unknown(Some(known)) => format!("unknown, near {}", known.name),
            Found::Unknown(None) => "unknown".to_owned(),
        };
        let table = [
            ("orport", "named ORPort"),
            ("__ORPort", "named __ORPort"),
            ("NumCPU", "named NumCPUs"),
            ("ORBindAddress", "named ORListenAddress"),
            ("MaxConn", "old name of ConnLimit"),
            (
                "TestingServerDownloadSchedule",
                "old name of TestingServerDownloadInitialDelay",
            ),
            ("Nick", "cut short Nickname"),
            ("Exit", "cut short ExitNodes"),
            ("NickName", "named Nickname"),
            ("Nikname", "unknown, near Nickname"),
            ("RelayBandwithRate", "unknown, near RelayBandwidthRate"),
            ("OPRort", "unknown, near ORPort"),
            ("HidenServiceDir", "unknown, near HiddenServiceDir"),
            ("MakeCoffee", "unknown"),
            ("", "unknown"),
            ("é", "unknown"),
        ];
        for (given, expected) in table {
            assert_eq!(name(find(given)), expected, "{given}");
        }
    }

    #[test]
    fn in_the_order_of_tor() {
        let lower: Vec<String> = OPTIONS
            .iter()
            .map(|option| option.0.to_ascii_lowercase())
            .collect();
        assert!(lower.is_sorted());
    }

    /// Tor itself is asked where there is one of the version that the table is drawn from.
    #[test]
    fn the_options_of_tor() {
        if !tor_is_here("the_options_of_tor", "0.4.9.11") {
            return;
        }
        let list = Command::new("tor")
            .arg("--list-torrc-options")
            .output()
            .unwrap();
        let theirs: Vec<String> = String::from_utf8(list.stdout)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect();
        let ours = OPTIONS.iter().filter(|option| option.1 != Kind::Obsolete);
        let ours: Vec<&str> = ours.map(|option| option.0).collect();
        assert_eq!(ours, theirs);
    }
}
