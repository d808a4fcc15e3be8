//! Each rule by its name, the guide's files of 2016, and tor's own word where it is there.

use std::collections::BTreeSet;
use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::{ExitPolicy, Role, tor_is_here, tor_program};

/// A torrc in which nothing is found, for each role.
fn sound(role: Role) -> String {
    let own = match role {
        Role::Bridge => "BridgeRelay 1\nExitRelay 0\n",
        Role::Middle => "ExitRelay 0\n",
        Role::Exit => "ExitRelay 1\nReducedExitPolicy 1\n",
    };
    format!(
        "Nickname relay1\nContactInfo Ada <ada@example.org>\nORPort 9001\nSocksPort 0\n\
         DataDirectory /tordata\n{own}"
    )
}

fn checked(text: &str, role: Role) -> Vec<Finding> {
    check("torrc", text.as_bytes(), Some(role), &Memory::default()).findings
}

fn rules(findings: &[Finding]) -> Vec<String> {
    let shown = |finding: &Finding| {
        let line = finding.line.map_or("-".to_owned(), |line| line.to_string());
        format!("{line} {} {}", finding.severity, finding.rule)
    };
    findings.iter().map(shown).collect()
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    for role in Role::ALL {
        assert_eq!(rules(&checked(&sound(role), role)), [""; 0], "{role}");
    }
}

/// Lines to put after a sound torrc of a role, and the rules that find something then.
/// `-Option` takes a line of the sound torrc away.
const CASES: &[(Role, &str, &[&str])] = &[
    // Names and values.
    (Role::Middle, "MakeCoffee 1", &["unknown-option"]),
    (
        Role::Middle,
        "ORListenAddress 0.0.0.0",
        &["obsolete-option"],
    ),
    (Role::Middle, "ORBindAddress 0.0.0.0", &["obsolete-option"]),
    (Role::Middle, "StrictExitNode 1", &["obsolete-option"]),
    (Role::Middle, "Num 2", &["abbreviation"]),
    (Role::Middle, "MaxConn 2000", &["old-name"]),
    (
        Role::Middle,
        "ClientPreferIPv6DirPort 1",
        &["deprecated-option"],
    ),
    (Role::Middle, "AvoidDiskWrites yes", &["bad-value"]),
    (Role::Middle, "MaxMemInQueues 1 GiB", &["bad-value"]),
    (Role::Middle, "HeartbeatPeriod 1 fortnight", &["bad-value"]),
    (Role::Middle, "NumCPUs two", &["bad-value"]),
    (Role::Middle, "Nickname relay2", &["repeated-option"]),
    (Role::Middle, "MyFamily", &["empty-value"]),
    (Role::Middle, "Address \"x", &["syntax"]),
    (
        Role::Middle,
        "%include /usr/local/etc/tor/none",
        &["include-missing"],
    ),
    (
        Role::Middle,
        "NumCPU 2\nnumcpus 0\n/NumCPUs",
        &["repeated-option"],
    ),
    // Who.
    (Role::Middle, "-Nickname\nNickname my-relay", &["nickname"]),
    (Role::Middle, "-Nickname", &["nickname-missing"]),
    (Role::Middle, "-ContactInfo", &["contact-missing"]),
    (
        Role::Middle,
        "-ContactInfo\nContactInfo ${NAME}",
        &["placeholder"],
    ),
    (Role::Middle, "Address 192.168.1.2", &["address-private"]),
    (Role::Middle, "Address [fd00::1]", &["address-private"]),
    (Role::Middle, "MyFamily other", &["family-by-name"]),
    (Role::Middle, "MyFamily $zzz", &["family-member"]),
    (Role::Middle, "FamilyId abc", &["family-id"]),
    (
        Role::Bridge,
        "MyFamily 65E45DB4F4C312B8B23790937E6EB819204F67F3",
        &["family-on-bridge"],
    ),
    (Role::Bridge, "FamilyId *", &["family-on-bridge"]),
    // Ports.
    (Role::Middle, "-ORPort", &["orport-missing"]),
    (Role::Middle, "-ORPort\nORPort 0", &["orport-missing"]),
    (
        Role::Middle,
        "-ORPort\nORPort 9001 NoAdvertise",
        &["orport-not-published"],
    ),
    (
        Role::Middle,
        "-ORPort\nORPort 9001 NoListen",
        &["orport-not-listening"],
    ),
    (
        Role::Middle,
        "-ORPort\nORPort [::]:9001",
        &["orport-ipv6-only"],
    ),
    (Role::Middle, "-ORPort\nORPort auto", &["orport-auto"]),
    (Role::Middle, "-ORPort\nORPort 70000", &["port-syntax"]),
    (Role::Middle, "ORPort 0", &["port-conflict"]),
    (Role::Middle, "DirPort 9030", &["dirport"]),
    (Role::Bridge, "DirPort 9030", &["dirport"]),
    (Role::Middle, "DirPort 0", &[]),
    (
        Role::Exit,
        "DirPortFrontPage /etc/hostname",
        &["dirport-front-page"],
    ),
    (Role::Middle, "-SocksPort", &["socks-port"]),
    (
        Role::Middle,
        "-SocksPort\nSocksPort 0.0.0.0:9050",
        &["socks-port-public"],
    ),
    (
        Role::Middle,
        "ControlPort 0.0.0.0:9051\nCookieAuthentication 1",
        &["control-port-public"],
    ),
    (
        Role::Middle,
        "ControlPort 9051\nCookieAuthentication 0",
        &["control-port-unlocked"],
    ),
    (Role::Middle, "ControlPort unix:/tordata/control", &[]),
    (
        Role::Middle,
        "ControlPort unix:/tordata/control WorldWritable\nCookieAuthentication 0",
        &["control-port-unlocked"],
    ),
    (
        Role::Middle,
        "ControlSocket /tordata/control WorldWritable\nCookieAuthentication 0",
        &["control-port-unlocked"],
    ),
    (Role::Middle, "ControlSocket /tordata/control", &[]),
    (
        Role::Middle,
        "HashedControlPassword secret",
        &["hashed-password"],
    ),
    (
        Role::Middle,
        "MetricsPort 9035",
        &["metrics-policy-missing"],
    ),
    (
        Role::Middle,
        "MetricsPort 0.0.0.0:9035\nMetricsPortPolicy accept 127.0.0.1",
        &["metrics-port-public"],
    ),
    (
        Role::Middle,
        "MetricsPort 0.0.0.0:9035\nMetricsPortPolicy accept 10.90.35.0/24",
        &[],
    ),
    (
        Role::Middle,
        "MetricsPort 0.0.0.0:9035\nMetricsPortPolicy accept 10.90.35.0/24,accept 203.0.113.7",
        &["metrics-port-public"],
    ),
    (
        Role::Middle,
        "MetricsPort 0.0.0.0:9035\nMetricsPortPolicy accept 10.0.0.0/4",
        &["metrics-port-public"],
    ),
    (
        Role::Middle,
        "MetricsPort 9035\nMetricsPortPolicy accept *",
        &["metrics-policy-open"],
    ),
    (
        Role::Middle,
        "MetricsPort 9035\nMetricsPortPolicy allow all",
        &["metrics-policy-syntax"],
    ),
    (
        Role::Bridge,
        "ExtORPort 0.0.0.0:9003",
        &["ext-or-port-public"],
    ),
    (
        Role::Middle,
        "PublishServerDescriptor 0",
        &["not-published"],
    ),
    (
        Role::Bridge,
        "PublishServerDescriptor v3",
        &["bridge-published"],
    ),
    // Bandwidth.
    (
        Role::Middle,
        "RelayBandwidthRate 74 KBytes",
        &["bandwidth-below-minimum"],
    ),
    (Role::Middle, "RelayBandwidthRate 75 KBytes", &[]),
    (Role::Bridge, "RelayBandwidthRate 50 KBytes", &[]),
    (
        Role::Bridge,
        "RelayBandwidthRate 49 KBytes",
        &["bandwidth-below-minimum"],
    ),
    (
        Role::Middle,
        "MaxAdvertisedBandwidth 37 KBytes",
        &["bandwidth-below-minimum"],
    ),
    (
        Role::Middle,
        "RelayBandwidthRate 100000",
        &["bandwidth-without-unit"],
    ),
    (Role::Middle, "RelayBandwidthRate 0", &[]),
    (Role::Middle, "RelayBandwidthRate 2 GBytes", &[]),
    (
        Role::Middle,
        "RelayBandwidthRate 3 GBytes",
        &["bandwidth-too-high"],
    ),
    (
        Role::Middle,
        "RelayBandwidthRate 2 MBytes\nRelayBandwidthBurst 1 MBytes",
        &["burst-below-rate"],
    ),
    (
        Role::Middle,
        "BandwidthRate 2 MBytes\nBandwidthBurst 1 MBytes",
        &["bandwidth-of-all", "burst-below-rate"],
    ),
    (
        Role::Middle,
        "BandwidthBurst 1 MBytes",
        &["burst-below-rate"],
    ),
    (
        Role::Middle,
        "AccountingStart month 1 00:00",
        &["accounting-start-alone"],
    ),
    (
        Role::Middle,
        "AccountingMax 1 TBytes\nAccountingStart month 31 00:00",
        &["accounting-start"],
    ),
    (
        Role::Middle,
        "AccountingMax 1 TBytes\nAccountingRule both",
        &["accounting-rule"],
    ),
    (
        Role::Middle,
        "AccountingMax 1000000000",
        &["accounting-without-unit"],
    ),
    (
        Role::Middle,
        "AccountingMax 1 TBytes\nRelayBandwidthRate 12 MBytes",
        &["accounting-hibernates"],
    ),
    (
        Role::Middle,
        "AccountingMax 100 TBytes\nRelayBandwidthRate 12 MBytes",
        &[],
    ),
    (
        Role::Middle,
        "AccountingMax 11 TBytes\nRelayBandwidthRate 12 MBytes\nAccountingRule sum",
        &["accounting-hibernates"],
    ),
    // Exits.
    (Role::Middle, "-ExitRelay\nExitRelay 1", &["role-mismatch"]),
    (
        Role::Middle,
        "-ExitRelay\nExitPolicy accept *:80",
        &["role-mismatch"],
    ),
    (
        Role::Middle,
        "-ExitRelay\nReducedExitPolicy 1",
        &["role-mismatch"],
    ),
    (Role::Middle, "-ExitRelay", &["exit-relay-unset"]),
    (Role::Bridge, "-ExitRelay\nExitRelay 1", &["role-mismatch"]),
    (Role::Bridge, "-ExitRelay", &[]),
    (Role::Exit, "-ExitRelay", &["exit-relay-unset"]),
    (Role::Exit, "-ExitRelay\nExitRelay 0", &["role-mismatch"]),
    (Role::Exit, "-ReducedExitPolicy", &["exit-policy-missing"]),
    (
        Role::Exit,
        "-ReducedExitPolicy\nExitPolicy accept *:443",
        &["exit-policy-unfinished"],
    ),
    (
        Role::Exit,
        "-ReducedExitPolicy\nExitPolicy reject *:*",
        &["exit-rejects-all"],
    ),
    (
        Role::Exit,
        "-ReducedExitPolicy\nExitPolicy accept *:443,reject *:*",
        &["exit-without-web"],
    ),
    (
        Role::Exit,
        "-ReducedExitPolicy\nExitPolicy accept *:*",
        &["exit-to-smtp"],
    ),
    (
        Role::Exit,
        "-ReducedExitPolicy\nExitPolicy accept *:80,accept *:443\nExitPolicy reject *:*\nExitPolicy accept *:22",
        &["exit-policy-unreachable"],
    ),
    (
        Role::Exit,
        "ExitPolicy accept *:80,accept *:443,reject *:*",
        &["reduced-policy-unused"],
    ),
    (
        Role::Exit,
        "ExitPolicy permit *:80",
        &["exit-policy-syntax"],
    ),
    (
        Role::Exit,
        "ExitPolicyRejectPrivate 0",
        &["exit-to-private"],
    ),
    // Bridges.
    (Role::Bridge, "-BridgeRelay", &["role-mismatch"]),
    (Role::Middle, "BridgeRelay 1", &["role-mismatch"]),
    (
        Role::Middle,
        "BridgeDistribution any",
        &["bridge-distribution"],
    ),
    (
        Role::Bridge,
        "BridgeDistribution moat",
        &["bridge-distribution"],
    ),
    (
        Role::Bridge,
        "BridgeDistribution by hand",
        &["bridge-distribution"],
    ),
    (Role::Bridge, "DirCache 0", &["dir-cache-off"]),
    (Role::Middle, "DirCache 0", &["dir-cache-off"]),
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4 exec /usr/local/bin/tor\nServerTransportListenAddr obfs4 0.0.0.0:9002",
        &["ext-or-port-missing"],
    ),
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4 exec /usr/local/bin/tor\nExtORPort auto",
        &["transport-port"],
    ),
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4 exec /usr/local/bin/tor\nExtORPort auto\n\
         ServerTransportListenAddr obfs4 0.0.0.0:9002\nServerTransportListenAddr obfs4 0.0.0.0:9003",
        &["transport-twice"],
    ),
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4 exec /usr/local/bin/tor\nExtORPort auto\n\
         ServerTransportListenAddr obfs4 0.0.0.0:9002\nNoExec 1",
        &["transport-not-started"],
    ),
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4\nExtORPort auto",
        &["transport-syntax"],
    ),
    (
        Role::Bridge,
        "ServerTransportListenAddr obfs4 0.0.0.0:9002",
        &["transport-missing"],
    ),
    (
        Role::Bridge,
        "ServerTransportListenAddr obfs4",
        &["transport-syntax"],
    ),
    // Containers.
    (Role::Middle, "-DataDirectory", &["data-directory"]),
    (
        Role::Middle,
        "-DataDirectory\nDataDirectory /var/lib/tor",
        &["data-directory"],
    ),
    (
        Role::Middle,
        "-DataDirectory\nDataDirectory /tordata/../x",
        &["data-directory"],
    ),
    (
        Role::Middle,
        "-DataDirectory\nDataDirectory /tordata2",
        &["data-directory"],
    ),
    (
        Role::Middle,
        "-DataDirectory\nDataDirectory /tordata/one",
        &[],
    ),
    (Role::Middle, "RunAsDaemon 1", &["daemon"]),
    (
        Role::Middle,
        "Log notice file /tordata/log",
        &["log-hidden"],
    ),
    (Role::Middle, "Log notice syslog\nLog warn stderr", &[]),
    (Role::Middle, "Log debug", &[]),
    (Role::Middle, "DisableNetwork 1", &["network-off"]),
    (Role::Middle, "ClientOnly 1", &["client-option"]),
    (Role::Middle, "ReachableAddresses *:443", &["client-option"]),
    (Role::Middle, "FascistFirewall 1", &["client-option"]),
    (Role::Middle, "UseBridges 1", &["client-option"]),
    (Role::Middle, "ClientUseIPv4 0", &["client-option"]),
    (Role::Middle, "ConnectionPadding 1", &["padding"]),
    (Role::Middle, "CircuitPadding 0", &["padding"]),
    (Role::Middle, "ReducedConnectionPadding 1", &["padding"]),
    (Role::Middle, "ReducedCircuitPadding 1", &["padding"]),
    (Role::Middle, "SafeLogging 0", &["unsafe-logging"]),
    (Role::Middle, "AssumeReachable 1", &["assume-reachable"]),
    (
        Role::Middle,
        "TestingTorNetwork 1\nDirAuthority orport=1 v3ident=0000000000000000000000000000000000000001 127.0.0.1:1 0000000000000000000000000000000000000002",
        &["testing-network"],
    ),
    (
        Role::Middle,
        "HiddenServiceDir /tordata/onion\nHiddenServicePort 80",
        &["onion-service"],
    ),
    (
        Role::Middle,
        "ShutdownWaitLength 2 minutes",
        &["shutdown-wait"],
    ),
];

mod costs;
mod kinds;
mod once;

/// Findings of which tor says nothing when it only verifies: they are about the container.
const OF_THE_CONTAINER: &[&str] = &[
    "data-directory",
    "group-readable",
    "path-outside",
    "include-outside",
    "orport-address",
    "listen-address",
    "outbound-address",
    "port-conflict",
    "user",
    "swap",
    // What is in the volume is not known before the container runs.
    "include-unchecked",
    // The image's defaults have a socket.
    "control-socket-missing",
];

fn text_of(role: Role, change: &str) -> String {
    let removed = |line: &str| {
        let mut options = change.lines().filter_map(|line| line.strip_prefix('-'));
        options.any(|option| line.split(' ').next() == Some(option))
    };
    let sound = sound(role);
    let kept = sound.lines().filter(|line| !removed(line));
    let added = change.lines().filter(|line| !line.starts_with('-'));
    kept.chain(added).map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_rule_by_its_name() {
    for (role, change, expected) in CASES {
        let text = text_of(*role, change);
        let findings = checked(&text, *role);
        let found: BTreeSet<&str> = findings.iter().map(|finding| finding.rule).collect();
        let expected: BTreeSet<&str> = expected.iter().copied().collect();
        assert_eq!(found, expected, "{role}: {change}");
    }
}

/// What we say of tor is what tor does: it starts, or it does not. Only where tor is there.
#[test]
fn tor_agrees() {
    if !tor_is_here("tor_agrees", "0.4.9") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("torrc");
    let mut disagreements = Vec::new();
    // Each change in its own role and in another: some six hundred torrcs.
    let changes = CASES.iter().chain(kinds::KINDS);
    let each = changes.flat_map(|(role, change, _)| {
        let other = match role {
            Role::Bridge => Role::Middle,
            Role::Middle => Role::Exit,
            Role::Exit => Role::Bridge,
        };
        [(*role, *change), (other, *change)]
    });
    for (role, change) in each {
        let text = text_of(role, change);
        fs_err::write(&path, &text).unwrap();
        let output = Command::new(tor_program())
            .args(["--verify-config", "-f"])
            .arg(&path)
            .args(["--ignore-missing-torrc", "--defaults-torrc", "/dev/null"])
            // Nothing is to be made outside.
            .arg("--DataDirectory")
            .arg(directory.path().join("data"))
            .current_dir(directory.path())
            .output()
            .unwrap();
        let findings = checked(&text, role);
        // The policy of the metrics it reads only when it is started, and calls it a bug of its own.
        let later = |finding: &Finding| {
            OF_THE_CONTAINER.contains(&finding.rule) || finding.rule == "metrics-policy-syntax"
        };
        let refused = |finding: &&Finding| {
            finding.severity == Severity::Error && finding.what.contains("does not start")
        };
        let said = findings
            .iter()
            .filter(refused)
            .any(|finding| !later(finding));
        if !said && findings.iter().any(later) {
            continue;
        }
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        let started = output.contains("Configuration was valid");
        let filled_in = !findings.iter().any(|finding| finding.rule == "placeholder");
        // Of a bridge that is a client tor says that its port is missing.
        let client = role == Role::Bridge && change.starts_with("ClientOnly");
        if said == started && filled_in && !client {
            disagreements.push(format!("{role}: {change}\n{output}"));
        }
    }
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

/// The guide's files, filled in as its text says.
fn guide(role: Role) -> String {
    let mut text = "ORPort 9001\nDirPort 9030\nAddress relay.example.org\nBandwidthRate 100\n\
                    BandwidthBurst 200\nNickname relay1\nContactInfo Ada <ada@example.org>\n"
        .to_owned();
    match role {
        Role::Bridge => text.push_str("BridgeRelay 1\n"),
        Role::Middle => text.push_str("ExitPolicy reject *:*\n"),
        Role::Exit => {
            let ExitPolicy::Rules { rules, .. } = ExitPolicy::guide_2016() else {
                panic!("a list")
            };
            text.push_str("\n# Reduced exit policy from\n");
            for (rule, comment) in rules {
                text.push_str(&format!(
                    "ExitPolicy {rule:<20} # {}\n",
                    comment.unwrap_or_default()
                ));
            }
        }
    }
    text
}

#[test]
fn the_guide_of_2016() {
    let found = |role| rules(&checked(&guide(role), role)).join("\n");
    insta::assert_snapshot!(found(Role::Bridge), @r"
    2 warning dirport
    4 error bandwidth-without-unit
    5 warning bandwidth-without-unit
    - note socks-port
    - note data-directory
    ");
    insta::assert_snapshot!(found(Role::Middle), @r"
    2 warning dirport
    4 error bandwidth-without-unit
    5 warning bandwidth-without-unit
    - note socks-port
    - note exit-relay-unset
    - note data-directory
    ");
    insta::assert_snapshot!(found(Role::Exit), @r"
    2 warning dirport
    4 error bandwidth-without-unit
    5 warning bandwidth-without-unit
    - note socks-port
    - warning exit-relay-unset
    - note data-directory
    ");
    // As it is printed, nothing filled in.
    let raw = "Address ${ADDRESS}\nBandwidthRate ${BANDWITH_RATE}\nNickname ${NICKNAME}\n";
    insta::assert_snapshot!(rules(&checked(raw, Role::Middle)).join("\n"), @r"
    1 error placeholder
    2 error placeholder
    3 error placeholder
    - warning contact-missing
    - error orport-missing
    - note socks-port
    - note exit-relay-unset
    - note data-directory
    ");
}

#[test]
fn what_the_user_reads() {
    let text = text_of(
        Role::Middle,
        "RelayBandwithRate 10 MB\nDirPort 9030\n-ORPort\nORPort 9001 NoAdvertise\n-DataDirectory",
    );
    let shown: Vec<String> = checked(&text, Role::Middle)
        .iter()
        .map(Finding::to_string)
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    torrc:5: error: tor has no option `RelayBandwithRate`, and does not start [unknown-option]
        | RelayBandwithRate 10 MB
        | ^^^^^^^^^^^^^^^^^
        fix: `RelayBandwidthRate` is near; or delete the line
        manual: GENERAL OPTIONS, RelayBandwidthRate
    torrc:6: warning: relays have had no DirPort since tor 0.4.6: nobody uses it [dirport]
        | DirPort 9030
        | ^^^^^^^^^^^^
        fix: delete the line, and do not publish the port
        manual: DIRECTORY SERVER OPTIONS, DirPort
    torrc:7: error: no ORPort is advertised: nobody finds the relay, and tor does not start [orport-not-published]
        | ORPort 9001 NoAdvertise
        | ^^^^^^^^^^^^^^^^^^^^^^^
        fix: delete `NoAdvertise`
        manual: SERVER OPTIONS, ORPort
    torrc: note: the image's defaults put keys and state into /tordata; other images do not [data-directory]
        fix: add `DataDirectory /tordata`
        manual: GENERAL OPTIONS, DataDirectory
    ");
}

#[test]
fn the_role_a_torrc_comes_to() {
    for role in Role::ALL {
        let text = sound(role);
        let checked = check("torrc", text.as_bytes(), None, &Memory::default());
        assert_eq!((checked.role, checked.passes()), (role, true));
    }
}

#[test]
fn included_files_are_checked_too() {
    let mut files = Memory::default();
    files.0.insert(
        "/usr/local/etc/tor/ports".into(),
        b"ORPort 9001\n\nDirPort 80\n".to_vec(),
    );
    let text = text_of(Role::Middle, "-ORPort\n%include /usr/local/etc/tor/ports");
    let findings = check("torrc", text.as_bytes(), None, &files).findings;
    let places: Vec<String> = findings
        .iter()
        .map(|finding| format!("{}:{:?} {}", finding.file, finding.line, finding.rule))
        .collect();
    assert_eq!(places, ["/usr/local/etc/tor/ports:Some(3) dirport"]);
}

proptest! {
    /// Whatever the bytes are, there is an answer.
    #[test]
    fn any_bytes(text in proptest::collection::vec(any::<u8>(), 0..300)) {
        check("torrc", &text, None, &Memory::default());
    }

    /// Bytes that mean something in a torrc come more often.
    #[test]
    fn any_text(text in "([A-Za-z]{1,12}|ORPort|ExitPolicy|AccountingMax|%include|[ \t\n\r\"#\\\\+/:*\\[\\]0-9.,-]|\u{e9}){0,60}") {
        let (lines, _) = parse(text.as_bytes());
        let count = text.matches('\n').count() + 1;
        prop_assert!(lines.iter().all(|line| line.number <= count));
        check("torrc", text.as_bytes(), None, &Memory::default());
    }
}

#[test]
fn an_image_without_the_transport() {
    let with = |program: &str| {
        format!(
            "Nickname b\nContactInfo b@example.org\nBridgeRelay 1\nORPort 9443\nExtORPort auto\n\
             ServerTransportPlugin obfs4 exec {program}\nServerTransportListenAddr obfs4 0.0.0.0:8443\n"
        )
    };
    let errors = |starts, program: &str| -> Vec<String> {
        let text = with(program);
        let found = check_for(starts, "torrc", text.as_bytes(), None, &Memory::default());
        let findings = found.findings.into_iter();
        let errors = findings.filter(|finding| finding.severity == Severity::Error);
        errors.map(|finding| finding.what).collect()
    };
    assert_eq!(errors(Starts::Obfs4, crate::LYREBIRD), [""; 0]);
    let said = errors(Starts::Nothing, crate::LYREBIRD);
    assert!(
        said.len() == 1 && said[0].contains("this image has no `/usr/local/bin/lyrebird`"),
        "{said:?}"
    );
    let said = errors(Starts::Nothing, "/usr/bin/lyrebird");
    assert!(
        said.len() == 1 && said[0].contains("no image of this project has"),
        "{said:?}"
    );
}
