//! One fault, one finding; and what is left of the file once it is fixed.

use super::*;

/// A change of a sound torrc, each finding but notes, and the lines that `--fix` puts in the
/// place of those that were changed, if it does.
const ONCE: &[(Role, &str, &[&str], Option<&str>)] = &[
    // What cannot be read is not missing.
    (
        Role::Middle,
        "-ContactInfo\nContactInfo \"Ada <a@b.org>",
        &["error syntax"],
        Some("ContactInfo \"Ada <a@b.org>\""),
    ),
    (
        Role::Middle,
        "-ContactInfo\nContactInfo \"Ada\" <a@b.org>",
        &["error syntax"],
        Some("ContactInfo Ada <a@b.org>"),
    ),
    (
        Role::Middle,
        "-ContactInfo\nContactInfo \"Ada \\q\"",
        &["error syntax"],
        Some("ContactInfo \"Ada \\\\q\""),
    ),
    (
        Role::Middle,
        "-ContactInfo\nContactInfo \"Ada \\\n <a@b.org>\"",
        &["error syntax"],
        None,
    ),
    (
        Role::Middle,
        "-ORPort\nORPort \"9001\" IPv4Only",
        &["error syntax"],
        Some("ORPort 9001 IPv4Only"),
    ),
    (
        Role::Middle,
        "-Nickname\nNickname \"relay1",
        &["error syntax"],
        Some("Nickname \"relay1\""),
    ),
    (
        Role::Middle,
        "-ORPort\n%include /usr/local/etc/tor/ports.conf",
        &["error include-missing"],
        None,
    ),
    // A backslash before a blank does not go on.
    (
        Role::Middle,
        "MyFamily $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA, \\ \n$BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB",
        &["error syntax"],
        Some(
            "MyFamily $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA, \\\n$BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB",
        ),
    ),
    (
        Role::Middle,
        "-ContactInfo\nContactInfo Ada <a@b.org> \\\t\nNumCPUs 2",
        &["warning syntax"],
        Some("ContactInfo Ada <a@b.org>\nNumCPUs 2"),
    ),
    // Options of clients and of networks of one's own.
    (
        Role::Middle,
        "TestingTorNetwork 1",
        &["error testing-network"],
        Some(""),
    ),
    (
        Role::Middle,
        "ReachableAddresses foo",
        &["error client-option"],
        Some(""),
    ),
    (
        Role::Middle,
        "ReachableDirAddresses *:80",
        &["error client-option"],
        Some(""),
    ),
    (
        Role::Middle,
        "Socks5ProxyUsername x",
        &["error option-alone"],
        Some(""),
    ),
    // A policy that cannot be read comes to nothing that is known.
    (
        Role::Exit,
        "-ReducedExitPolicy\nExitPolicy accept *:http",
        &["error exit-policy-syntax"],
        None,
    ),
    (
        Role::Exit,
        "-ReducedExitPolicy\nExitPolicy accept *:80 accept *:443 reject *:*",
        &["error exit-policy-syntax"],
        Some("ExitPolicy accept *:80,accept *:443,reject *:*"),
    ),
    (
        Role::Exit,
        "-ReducedExitPolicy\nExitPolicy accept6 1.2.3.4:80,accept *:80-443,reject *:*",
        &["warning exit-policy-family"],
        Some("ExitPolicy accept 1.2.3.4:80,accept *:80-443,reject *:*"),
    ),
    (
        Role::Exit,
        "-ReducedExitPolicy\nExitPolicy reject *:25",
        &["warning exit-policy-unfinished"],
        None,
    ),
    (
        Role::Middle,
        "MetricsPort 0.0.0.0:9035\nMetricsPortPolicy accept ::1",
        &["error metrics-policy-syntax"],
        None,
    ),
    // Ports.
    (
        Role::Middle,
        "-ORPort\nORPort 9001\nORPort [::]:9001",
        &["warning orport-superseded"],
        Some("ORPort 9001 IPv4Only\nORPort [::]:9001"),
    ),
    (
        Role::Middle,
        "-ORPort\nORPort 9001\nORPort 9001 IPv4Only",
        &["warning orport-superseded"],
        Some("ORPort 9001"),
    ),
    (
        Role::Middle,
        "-ORPort\nORPort 9001 NoListen\nORPort 9001 NoAdvertise",
        &["error orport-superseded"],
        None,
    ),
    (Role::Middle, "-ORPort\nORPort 9001\nORPort 9001", &[], None),
    (
        Role::Middle,
        "-ORPort\nORPort 9001\nORPort [2001:db8::1]:9001",
        &["error orport-address"],
        Some("ORPort 9001\nAddress [2001:db8::1]"),
    ),
    (
        Role::Middle,
        "-ORPort\nORPort 172.17.0.2:9001",
        &["warning orport-address"],
        Some("ORPort 9001"),
    ),
    (
        Role::Middle,
        "-ORPort\nORPort 0",
        &["error orport-missing"],
        Some("ORPort 9001"),
    ),
    (
        Role::Middle,
        "-ORPort\nORPort example.org:443",
        &["error port-syntax"],
        Some("Address example.org\nORPort 443"),
    ),
    (
        Role::Middle,
        "ControlPort 203.0.113.5:9051",
        &["error control-port-public"],
        Some("ControlPort 9051"),
    ),
    (
        Role::Middle,
        "DirPort host:9030 what",
        &["error port-syntax"],
        Some(""),
    ),
    (
        Role::Middle,
        "DirPort 9030\nDirPort 9030",
        &["warning dirport", "error dirport"],
        Some(""),
    ),
    (
        Role::Middle,
        "-SocksPort\nSocksPort host:9050",
        &["error port-syntax"],
        Some("SocksPort 9050"),
    ),
    (
        Role::Middle,
        "ControlPort 9051\nControlPort 9051",
        &["error port-conflict"],
        Some("ControlPort 9051"),
    ),
    (
        Role::Middle,
        "MetricsPort 9035\nMetricsPortPolicy accept 127.0.0.1\nMetricsPort 9036",
        &["warning metrics-port-second"],
        Some("MetricsPort 9035\nMetricsPortPolicy accept 127.0.0.1"),
    ),
    (
        Role::Middle,
        "ControlSocket 0\nControlSocket /tordata/x.sock",
        &["error port-conflict"],
        None,
    ),
    (
        Role::Middle,
        "HTTPTunnelPort unix:/tordata/x",
        &["error port-flags"],
        None,
    ),
    // The port that is offered is free.
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4 exec /usr/local/bin/lyrebird\nExtORPort auto\nControlPort 8443\nMetricsPort 8444\nMetricsPortPolicy accept 127.0.0.1",
        &["error transport-port"],
        Some(
            "ServerTransportPlugin obfs4 exec /usr/local/bin/lyrebird\nExtORPort auto\nControlPort 8443\nMetricsPort 8444\nMetricsPortPolicy accept 127.0.0.1\nServerTransportListenAddr obfs4 0.0.0.0:8445",
        ),
    ),
    (
        Role::Bridge,
        "-ORPort\nORPort 8443\nServerTransportPlugin obfs4 exec /usr/local/bin/lyrebird\nServerTransportListenAddr obfs4 0.0.0.0:9001\nExtORPort auto",
        &["warning transport-usual-port"],
        Some(
            "ORPort 8443\nServerTransportPlugin obfs4 exec /usr/local/bin/lyrebird\nServerTransportListenAddr obfs4 0.0.0.0:8444\nExtORPort auto",
        ),
    ),
    // Families.
    (
        Role::Middle,
        "MyFamily foo,bar",
        &["warning family-by-name"],
        None,
    ),
    (
        Role::Middle,
        "MyFamily $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA;$BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB",
        &["error family-member"],
        Some(
            "MyFamily AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA,BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB",
        ),
    ),
    (
        Role::Middle,
        "MyFamily 0xAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA,foo,x-y",
        &["error family-member"],
        None,
    ),
    (
        Role::Middle,
        "NodeFamily {de}",
        &["warning node-family"],
        None,
    ),
    (
        Role::Middle,
        "NodeFamily foo",
        &["warning node-family"],
        None,
    ),
    (Role::Middle, "NodeFamily $x", &["error node-list"], None),
    (
        Role::Middle,
        "NodeFamily $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        &["warning node-family"],
        Some("MyFamily $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    ),
    // Amounts and times.
    (
        Role::Middle,
        "AccountingStart day",
        &["error accounting-start"],
        None,
    ),
    (
        Role::Middle,
        "BandwidthRate 10 GB",
        &["error bandwidth-too-high"],
        Some(""),
    ),
    (
        Role::Middle,
        "BandwidthBurst 10",
        &["error bandwidth-without-unit"],
        Some("RelayBandwidthBurst 1220 KBytes"),
    ),
    (
        Role::Middle,
        "RelayBandwidthBurst 10 KB",
        &["error bandwidth-below-minimum"],
        Some("RelayBandwidthBurst 75 KBytes"),
    ),
    (
        Role::Middle,
        "MaxAdvertisedBandwidth 10 KB",
        &["error bandwidth-below-minimum"],
        Some("MaxAdvertisedBandwidth 38 KBytes"),
    ),
    (
        Role::Middle,
        "MaxMemInQueues 128 MB",
        &["warning memory-too-small"],
        None,
    ),
    (
        Role::Middle,
        "LogTimeGranularity 0",
        &["error log-granularity"],
        Some(""),
    ),
    (
        Role::Middle,
        "LogTimeGranularity 7",
        &["warning log-granularity"],
        Some(""),
    ),
    (
        Role::Middle,
        "MaxCircuitDirtiness 1 month",
        &["warning too-long"],
        Some(""),
    ),
    // Logs.
    (
        Role::Middle,
        "Log file /tordata/x",
        &["error log-syntax"],
        Some("Log notice stdout"),
    ),
    (
        Role::Middle,
        "Log notice stdout\nLog notice file /tordata/",
        &["error path-outside"],
        Some("Log notice stdout"),
    ),
    (
        Role::Middle,
        "SafeLogging relay",
        &["warning unsafe-logging"],
        Some(""),
    ),
    // Transports.
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4 exec /usr/local/bin/lyrebird\nExtORPort auto\nServerTransportListenAddr obfs4 0.0.0.0:9001",
        &["error port-conflict"],
        Some(
            "ServerTransportPlugin obfs4 exec /usr/local/bin/lyrebird\nExtORPort auto\nServerTransportListenAddr obfs4 0.0.0.0:8443",
        ),
    ),
    (Role::Bridge, "PublishServerDescriptor bridge", &[], None),
    (
        Role::Bridge,
        "PublishServerDescriptor 1,bridge",
        &["warning obsolete-value"],
        Some(""),
    ),
    // Onion services.
    (
        Role::Middle,
        "HiddenServiceDir /tordata/onion\nHiddenServicePort 80 127.0.0.1:80 x",
        &["warning onion-service", "error onion-service-lines"],
        None,
    ),
    (
        Role::Middle,
        "HiddenServiceDir /tordata/onion\nHiddenServicePort 80 localhost:80",
        &["warning onion-service"],
        None,
    ),
    (
        Role::Middle,
        "HiddenServiceDir /tordata/onion\nHiddenServicePort 80 127.0.0.1:80\nHiddenServicePoWDefensesEnabled 1",
        &["warning onion-service", "error onion-service-lines"],
        Some("HiddenServiceDir /tordata/onion\nHiddenServicePort 80 127.0.0.1:80"),
    ),
    (
        Role::Middle,
        "HiddenServiceDir /tordata/onion\nHiddenServicePort 80 127.0.0.1:80\nHiddenServiceEnableIntroDoSDefense 1\nHiddenServiceEnableIntroDoSBurstPerSec 1",
        &["warning onion-service", "error onion-service-lines"],
        None,
    ),
    (
        Role::Middle,
        "HiddenServiceDir /tordata/onion\nHiddenServicePort 80 127.0.0.1:80\nHiddenServiceMaxStreams 5\nHiddenServiceMaxStreams 6",
        &["warning onion-service", "warning repeated-option"],
        Some(
            "HiddenServiceDir /tordata/onion\nHiddenServicePort 80 127.0.0.1:80\nHiddenServiceMaxStreams 6",
        ),
    ),
    (
        Role::Middle,
        "HiddenServiceDir /tordata/onion\nHiddenServicePort 80 127.0.0.1:80\nHiddenServiceExportCircuitID HAProxy",
        &["warning onion-service"],
        None,
    ),
    // Paths.
    (
        Role::Middle,
        "CookieAuthFile /dev/null",
        &["error path-outside"],
        Some(""),
    ),
    (Role::Middle, "PidFile /dev/null", &[], None),
    (
        Role::Middle,
        "ControlPortWriteToFile /tmp",
        &["warning path-outside"],
        Some(""),
    ),
    (
        Role::Middle,
        "KeyDirectory ~/x",
        &["warning path-relative"],
        Some("KeyDirectory /tordata/x"),
    ),
    (
        Role::Middle,
        "ClientOnionAuthDir /var/lib/tor/auth",
        &["error path-outside"],
        None,
    ),
    (
        Role::Middle,
        "DirPortFrontPage /etc/tor/notice.html",
        &["warning dirport-front-page"],
        None,
    ),
    (
        Role::Middle,
        "-DataDirectory\nDataDirectory /var/lib/tor",
        &["error data-directory"],
        Some("DataDirectory /tordata"),
    ),
    // Names.
    (
        Role::Middle,
        "Nickname2 foo",
        &["error unknown-option"],
        None,
    ),
    (
        Role::Middle,
        "PortForward 1",
        &["warning obsolete-option"],
        Some(""),
    ),
    (
        Role::Middle,
        "%include /dev/null",
        &["error include-outside"],
        None,
    ),
    (
        Role::Middle,
        "OutboundBindAddress [192.0.2.1]",
        &["error outbound-address"],
        Some(""),
    ),
    // What the image cannot do.
    (
        Role::Middle,
        "DataDirectoryGroupReadable 1",
        &["error group-readable"],
        Some(""),
    ),
    (
        Role::Middle,
        "DataDirectoryGroupReadable 1\nControlSocket 0",
        &[],
        None,
    ),
    (
        Role::Middle,
        "HardwareAccel 1",
        &["warning hardware"],
        Some(""),
    ),
    (
        Role::Middle,
        "ClientDNSRejectInternalAddresses 0",
        &["error client-option"],
        Some(""),
    ),
    (
        Role::Middle,
        "CircuitStreamTimeout 5",
        &["warning too-short"],
        Some(""),
    ),
    (
        Role::Middle,
        "MinUptimeHidServDirectoryV2 1",
        &["warning authority"],
        Some(""),
    ),
    (
        Role::Bridge,
        "MyFamily foo",
        &["error family-on-bridge"],
        Some(""),
    ),
    // In quotes a value may hold what else begins a comment.
    (Role::Middle, "-SocksPort\nSocksPort \"0#no\"", &[], None),
    (Role::Middle, "-ORPort\nORPort \"9001 # no\"", &[], None),
    (Role::Middle, "NumCPUs \" 2\"", &[], None),
];

#[test]
fn one_finding_a_fault() {
    let mut wrong = Vec::new();
    for (role, change, expected, left) in ONCE {
        let text = text_of(*role, change);
        let findings = checked(&text, *role);
        let found: Vec<String> = findings
            .iter()
            .filter(|finding| finding.severity > Severity::Note)
            .map(|finding| format!("{} {}", finding.severity, finding.rule))
            .collect();
        if found != *expected {
            wrong.push(format!("{role}: {change:?}\n  found {found:?}"));
        }
        let fixed = fixed("torrc", text.as_bytes(), Some(*role), &Memory::default());
        let added: Vec<&str> = change
            .lines()
            .filter(|line| !line.starts_with('-'))
            .collect();
        let meant = match left {
            Some("") => text.replace(&format!("{}\n", added.join("\n")), ""),
            Some(left) => text.replace(&added.join("\n"), left),
            None => text.clone(),
        };
        if fixed != meant {
            wrong.push(format!("{role}: {change:?}\n  fixed {fixed:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
