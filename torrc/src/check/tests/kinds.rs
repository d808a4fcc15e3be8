//! Faults that were missed, and torrcs that were faulted without reason, by their kinds: lines
//! put after a sound torrc, and what is found of each.

use std::collections::BTreeSet;

use super::*;

/// As in `CASES`, with the severity before each rule.
pub(super) const KINDS: &[(Role, &str, &[&str])] = &[
    // Paths that the container cannot write.
    (
        Role::Middle,
        "Log notice stdout\nLog notice file /var/log/tor/notices.log",
        &["error path-outside"],
    ),
    (
        Role::Middle,
        "Log notice file /var/log/tor/notices.log",
        &["error path-outside"],
    ),
    (
        Role::Middle,
        "Log notice file notices.log",
        &["error path-outside"],
    ),
    (
        Role::Middle,
        "Log [net]debug file /root/x",
        &["error path-outside"],
    ),
    (
        Role::Middle,
        "Log notice stdout\nLog debug file /tmp/debug.log",
        &[],
    ),
    (
        Role::Middle,
        "Log notice stdout\nLog notice file ~/log",
        &[],
    ),
    (Role::Middle, "Log notice file /dev/stdout", &[]),
    (
        Role::Middle,
        "Log notice stdout\nLog notice file /tordata/logs/notices.log",
        &["note path-not-made"],
    ),
    (
        Role::Middle,
        "PidFile /var/run/tor/tor.pid",
        &["error path-outside"],
    ),
    (Role::Middle, "PidFile tor.pid", &["error path-outside"]),
    (
        Role::Middle,
        "PidFile /usr/local/etc/tor/tor.pid",
        &["error path-outside"],
    ),
    (
        Role::Middle,
        "PidFile /tordata/../run/tor.pid",
        &["error path-outside"],
    ),
    (
        Role::Middle,
        "PidFile /tmp/run/tor.pid",
        &["error path-outside"],
    ),
    (Role::Middle, "PidFile /tordata/tor.pid", &[]),
    (Role::Middle, "PidFile /tmp/tor.pid", &[]),
    (
        Role::Middle,
        "ControlSocket /var/run/tor/control\nCookieAuthentication 1",
        &["error path-outside"],
    ),
    (
        Role::Middle,
        "ControlPort unix:/run/tor/control",
        &["error path-outside"],
    ),
    (
        Role::Middle,
        "ControlPort unix:\"/run/tor/a b\" GroupWritable",
        &["error path-outside"],
    ),
    (Role::Middle, "ControlSocket 0", &[]),
    (Role::Middle, "ControlSocket /tordata/control.sock", &[]),
    (
        Role::Middle,
        "CookieAuthFile /run/tor/control.authcookie",
        &["error path-outside"],
    ),
    (Role::Middle, "CookieAuthFile /tordata/cookie", &[]),
    (
        Role::Bridge,
        "ExtORPortCookieAuthFile /run/tor/ext",
        &["error path-outside"],
    ),
    (
        Role::Middle,
        "ControlPortWriteToFile /run/tor/port",
        &["warning path-outside"],
    ),
    (
        Role::Middle,
        "KeyDirectory /var/lib/tor/keys",
        &["error path-outside"],
    ),
    (Role::Middle, "KeyDirectory /tordata/keys", &[]),
    (
        Role::Middle,
        "CacheDirectory /var/cache/tor",
        &["error path-outside"],
    ),
    (
        Role::Middle,
        "CacheDirectory /tmp/cache",
        &["note path-in-memory"],
    ),
    (
        Role::Middle,
        "HiddenServiceDir /var/lib/tor/onion\nHiddenServicePort 80",
        &["error path-outside", "warning onion-service"],
    ),
    (
        Role::Middle,
        "GeoIPFile /usr/share/tor/geoip",
        &["warning path-absent"],
    ),
    (Role::Middle, "GeoIPFile /usr/local/share/tor/geoip", &[]),
    (
        Role::Exit,
        "ServerDNSResolvConfFile /etc/tor/resolv.conf",
        &["warning path-absent"],
    ),
    (Role::Exit, "ServerDNSResolvConfFile /etc/resolv.conf", &[]),
    (Role::Middle, "-DataDirectory\nDataDirectory ~/x", &[]),
    // The image's own defaults.
    (Role::Middle, "-DataDirectory", &["note data-directory"]),
    (Role::Middle, "ControlPort 9051", &[]),
    (
        Role::Middle,
        "ControlPort 9051\nCookieAuthentication 0",
        &["error control-port-unlocked"],
    ),
    // Whoever it runs as.
    (Role::Middle, "User debian-tor", &["error user"]),
    (Role::Middle, "User tor", &["error user"]),
    (Role::Middle, "DisableAllSwap 1", &["error swap"]),
    (Role::Middle, "Sandbox 1", &["warning sandbox"]),
    (Role::Middle, "Sandbox 0", &[]),
    // Two listeners of one port.
    (Role::Middle, "ControlPort 9001", &["error port-conflict"]),
    (
        Role::Middle,
        "ControlPort 9051\nMetricsPort 9051\nMetricsPortPolicy accept 127.0.0.1",
        &["error port-conflict"],
    ),
    (
        Role::Middle,
        "-SocksPort\nControlPort 9050",
        &["error port-conflict", "note socks-port"],
    ),
    (
        Role::Middle,
        "-SocksPort\nSocksPort 9001",
        &["error port-conflict"],
    ),
    (Role::Middle, "ORPort 9001", &[]),
    (
        Role::Middle,
        "ORPort [::]:9001",
        &["warning orport-superseded"],
    ),
    (Role::Middle, "ORPort 9002 NoAdvertise", &[]),
    (
        Role::Middle,
        "-ORPort\nORPort 9001 IPv4Only\nORPort 9001 IPv6Only",
        &[],
    ),
    (
        Role::Middle,
        "-ORPort\nORPort 127.0.0.1:9001 NoAdvertise\nORPort 9051 NoListen\nControlPort 9051",
        &[],
    ),
    (
        Role::Middle,
        "ControlPort 9051\nControlPort 9051",
        &["error port-conflict"],
    ),
    (Role::Middle, "DNSPort 9001", &[]),
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4 exec /usr/bin/lyrebird\nServerTransportListenAddr obfs4 0.0.0.0:9001\nExtORPort auto",
        &["error transport-program", "error port-conflict"],
    ),
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4 exec /usr/bin/lyrebird\nServerTransportListenAddr obfs4 [::]:9001\nExtORPort auto",
        &["error transport-program", "error port-conflict"],
    ),
    (
        Role::Bridge,
        "ServerTransportPlugin a,b exec /usr/bin/lyrebird\nServerTransportListenAddr a 0.0.0.0:9002\nServerTransportListenAddr b 0.0.0.0:9002\nExtORPort auto",
        &["error transport-program", "error port-conflict"],
    ),
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4 exec /usr/bin/lyrebird\nServerTransportListenAddr obfs4 0.0.0.0:9002\nExtORPort 9002",
        &["error transport-program", "error port-conflict"],
    ),
    // Addresses that a container does not have.
    (
        Role::Middle,
        "-ORPort\nORPort 203.0.113.7:9001",
        &["error orport-address"],
    ),
    (
        Role::Middle,
        "ORPort [2001:db8::1]:9001",
        &["error orport-address"],
    ),
    (
        Role::Middle,
        "-ORPort\nORPort 172.17.0.2:9001",
        &["warning orport-address"],
    ),
    (
        Role::Middle,
        "-ORPort\nORPort 203.0.113.7:9001 NoListen\nORPort 0.0.0.0:9001 NoAdvertise",
        &[],
    ),
    (
        Role::Middle,
        "-ORPort\nORPort relay.example.org:9001",
        &["error port-syntax"],
    ),
    (
        Role::Middle,
        "OutboundBindAddress 203.0.113.5",
        &["error outbound-address"],
    ),
    (
        Role::Middle,
        "OutboundBindAddressOR 10.0.0.5",
        &["error outbound-address"],
    ),
    (
        Role::Exit,
        "OutboundBindAddressExit [2001:db8::1]",
        &["error outbound-address"],
    ),
    (Role::Middle, "OutboundBindAddress 0.0.0.0", &[]),
    (Role::Middle, "OutboundBindAddress 127.0.0.1", &[]),
    (
        Role::Middle,
        "OutboundBindAddress eth0",
        &["error outbound-address"],
    ),
    (
        Role::Middle,
        "OutboundBindAddress 127.0.0.1\nOutboundBindAddress 127.0.0.2",
        &["error outbound-address"],
    ),
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4 exec /usr/bin/lyrebird\nServerTransportListenAddr obfs4 203.0.113.5:9002\nExtORPort auto",
        &["error transport-program", "error listen-address"],
    ),
    // Includes.
    (
        Role::Middle,
        "%include /etc/torrc.d/10.conf",
        &["error include-outside"],
    ),
    (
        Role::Middle,
        "%include /etc/torrc.d/",
        &["error include-outside"],
    ),
    (
        Role::Middle,
        "%include /etc/torrc.d/*.conf",
        &["warning include-outside"],
    ),
    (
        Role::Middle,
        "%include /usr/local/etc/tor/../x.conf",
        &["error include-outside"],
    ),
    (
        Role::Middle,
        "%include /usr/local/etc/tor/torrc.d/*.conf",
        &["note include-empty"],
    ),
    (
        Role::Middle,
        "%include /tordata/more",
        &["warning include-unchecked"],
    ),
    // Transports.
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4 exec /usr/bin/lyrebird\nServerTransportListenAddr obfs4 0.0.0.0:9002\nExtORPort auto",
        &["error transport-program"],
    ),
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4 exec /usr/local/bin/lyrebird\nServerTransportListenAddr obfs4 0.0.0.0:9002\nExtORPort auto",
        &[],
    ),
    (
        Role::Bridge,
        "ServerTransportPlugin meek_lite exec /usr/local/bin/lyrebird\nServerTransportListenAddr meek_lite 0.0.0.0:9002\nExtORPort auto",
        &["error transport-program"],
    ),
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4 exec /usr/bin/lyrebird\nServerTransportListenAddr obfs4 0.0.0.0:TODO2\nExtORPort auto",
        &["error transport-program", "error placeholder"],
    ),
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4 exec /usr/bin/lyrebird\nServerTransportListenAddr obfs4 0.0.0.0:http\nExtORPort auto",
        &["error transport-program", "error transport-syntax"],
    ),
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4 exec /usr/bin/lyrebird\nServerTransportListenAddr obfs4 0.0.0.0\nExtORPort auto",
        &["error transport-program", "error transport-syntax"],
    ),
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4 exec /usr/bin/lyrebird\nServerTransportListenAddr obfs4 443\nExtORPort auto",
        &["error transport-program", "error transport-syntax"],
    ),
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4 exec /usr/bin/lyrebird\nServerTransportListenAddr obfs4 0.0.0.0:0\nExtORPort auto",
        &["error transport-program", "error transport-syntax"],
    ),
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4 exec /usr/bin/lyrebird\nServerTransportListenAddr obfs4 host:443\nExtORPort auto",
        &["error transport-program", "error transport-syntax"],
    ),
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4 run /usr/bin/lyrebird\nExtORPort auto",
        &["error transport-syntax"],
    ),
    (
        Role::Bridge,
        "ServerTransportPlugin obfs-4 exec /usr/bin/lyrebird\nExtORPort auto",
        &["error transport-syntax"],
    ),
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4 exec /usr/bin/lyrebird\nServerTransportListenAddr obfs4 0.0.0.0:9002\nExtORPort auto\nServerTransportOptions obfs4 iat-mode",
        &["error transport-program", "error transport-options"],
    ),
    (
        Role::Bridge,
        "ServerTransportPlugin obfs4 exec /usr/bin/lyrebird\nServerTransportListenAddr obfs4 0.0.0.0:9002\nExtORPort auto\nServerTransportOptions obfs4 iat-mode=1",
        &["error transport-program"],
    ),
    // Open proxies.
    (
        Role::Middle,
        "HTTPTunnelPort 0.0.0.0:8118",
        &["error proxy-port-public"],
    ),
    (
        Role::Middle,
        "TransPort 0.0.0.0:9040",
        &["error proxy-port-public"],
    ),
    (
        Role::Middle,
        "DNSPort [::]:5353",
        &["error proxy-port-public"],
    ),
    (
        Role::Middle,
        "NATDPort 0.0.0.0:9041",
        &["error proxy-port-public"],
    ),
    (Role::Middle, "DNSPort 5353", &[]),
    (Role::Middle, "DNSPort localhost:5353", &[]),
    // Samples, and values that a comment sign cut.
    (
        Role::Middle,
        "-Nickname\nNickname ididnteditheconfig",
        &["error placeholder"],
    ),
    (
        Role::Middle,
        "-Nickname\nNickname myNiceRelay",
        &["error placeholder"],
    ),
    (
        Role::Middle,
        "-ContactInfo\nContactInfo <address@email.com>",
        &["error placeholder"],
    ),
    (
        Role::Middle,
        "-ContactInfo\nContactInfo 0xFFFFFFFF Random Person <nobody AT example dot com>",
        &["error placeholder"],
    ),
    (
        Role::Middle,
        "-ContactInfo\nContactInfo your@e-mail",
        &["error placeholder"],
    ),
    (
        Role::Middle,
        "Address noname.example.com",
        &["error placeholder"],
    ),
    (
        Role::Middle,
        "MyFamily $keyid,$keyid",
        &["error placeholder"],
    ),
    (
        Role::Middle,
        "-ORPort\nORPort TODO1",
        &["error placeholder"],
    ),
    (
        Role::Middle,
        "-ContactInfo\nContactInfo Ada <ada@mastodon.example>",
        &[],
    ),
    (
        Role::Middle,
        "-ContactInfo\nContactInfo https://example.org/#contact",
        &["warning comment-sign"],
    ),
    (
        Role::Middle,
        "-ContactInfo\nContactInfo Ada # ada@example.org",
        &["warning comment-sign"],
    ),
    (
        Role::Middle,
        "-ContactInfo\nContactInfo ada@example.org # my relay",
        &["note comment-sign"],
    ),
    (
        Role::Middle,
        "-ContactInfo\nContactInfo \"https://example.org/#contact\"",
        &[],
    ),
    (Role::Middle, "NumCPUs 2 # two", &[]),
    (Role::Middle, "NumCPUs 2#two", &[]),
    // Families and addresses.
    (
        Role::Middle,
        "MyFamily AAAA AAAA AAAA AAAA AAAA AAAA AAAA AAAA AAAA AAAA",
        &[],
    ),
    (
        Role::Middle,
        "MyFamily $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA~relay2",
        &[],
    ),
    (
        Role::Middle,
        "MyFamily AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB",
        &["error family-member"],
    ),
    (
        Role::Middle,
        "NodeFamily AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        &["warning node-family"],
    ),
    (
        Role::Middle,
        "Address 203.0.113.5:9001",
        &["error address-syntax"],
    ),
    (
        Role::Middle,
        "Address https://relay.example.org/",
        &["error address-syntax"],
    ),
    (Role::Middle, "Address my relay", &["error address-syntax"]),
    (Role::Middle, "Address relay", &["error address-syntax"]),
    (Role::Middle, "Address relay.example.org", &[]),
    (Role::Middle, "Address 203.0.113.5", &[]),
    (Role::Middle, "Address [2001:db8::1]", &[]),
    // Exits that are none, and policies that are not read.
    (
        Role::Middle,
        "-ExitRelay\nExitPolicy reject *:*",
        &["note exit-relay-unset"],
    ),
    (
        Role::Middle,
        "-ExitRelay\nExitPolicy reject6 *:*, reject *:*",
        &["note exit-relay-unset"],
    ),
    (
        Role::Middle,
        "-ExitRelay\nExitPolicy reject *4:*\nExitPolicy reject *6:*",
        &["note exit-relay-unset"],
    ),
    (
        Role::Middle,
        "-ExitRelay\nExitRelay 1\nExitPolicy reject *:*",
        &["note exit-relay-on"],
    ),
    (Role::Middle, "ExitPolicy reject *:*", &[]),
    (
        Role::Middle,
        "ExitPolicy accept irc.example.org:6667",
        &["warning exit-policy-syntax"],
    ),
    (
        Role::Middle,
        "ExitPolicy accept *:80",
        &["warning exit-policy-ignored"],
    ),
    (
        Role::Exit,
        "ExitPolicy accept irc.example.org:6667",
        &["error exit-policy-syntax"],
    ),
    // Who is told of it.
    (
        Role::Bridge,
        "PublishServerDescriptor 0\nBridgeDistribution none",
        &["note not-published"],
    ),
    (
        Role::Middle,
        "PublishServerDescriptor 0",
        &["error not-published"],
    ),
    (
        Role::Middle,
        "PublishServerDescriptor yes",
        &["error bad-value"],
    ),
    (
        Role::Middle,
        "PublishServerDescriptor v2",
        &["warning obsolete-value"],
    ),
    (Role::Middle, "PublishServerDescriptor 1", &[]),
    // Values that tor refuses.
    (
        Role::Middle,
        "-ORPort\nORPort host:443",
        &["error port-syntax"],
    ),
    (
        Role::Middle,
        "ORPort 0.0.0.0:443 IPv6Only",
        &["error port-flags"],
    ),
    (
        Role::Middle,
        "ORPort 443 NoListen NoAdvertise",
        &["error port-flags"],
    ),
    (Role::Middle, "ORPort 443 Fast", &["warning port-flags"]),
    (
        Role::Middle,
        "ControlPort 9051 GroupWritable",
        &["error port-flags"],
    ),
    (
        Role::Bridge,
        "ExtORPort unix:/tordata/ext",
        &["error port-flags"],
    ),
    (Role::Middle, "Log warning stdout", &["error log-syntax"]),
    (Role::Middle, "Log notice", &[]),
    (Role::Middle, "Log notice-err stdout", &[]),
    (
        Role::Middle,
        "Log [handshake,~net]debug [*]notice stdout",
        &[],
    ),
    (Role::Middle, "Log notice console", &["error log-syntax"]),
    (Role::Middle, "Log notice file", &["error log-syntax"]),
    (Role::Middle, "ExitNodes {de", &["error node-list"]),
    (
        Role::Middle,
        "ExitNodes Germany and France",
        &["error node-list"],
    ),
    (
        Role::Middle,
        "ExitNodes {de},{fr},203.0.113.0/24,relay7",
        &[],
    ),
    (
        Role::Middle,
        "SocksPolicy accept localhost",
        &["error policy-syntax"],
    ),
    (Role::Middle, "SocksPolicy accept 127.0.0.1,reject *", &[]),
    (
        Role::Middle,
        "SigningKeyLifetime 1 hour",
        &["error too-short"],
    ),
    (Role::Middle, "SigningKeyLifetime 30 days", &[]),
    (
        Role::Middle,
        "ControlSocketsGroupWritable 1",
        &["warning control-socket-missing"],
    ),
    (
        Role::Exit,
        "-ReducedExitPolicy\nExitPolicy reject 2001:db8::1:*\nExitPolicy accept *:80,accept *:443,reject *:*",
        &["error exit-policy-syntax"],
    ),
    (
        Role::Exit,
        "-ReducedExitPolicy\nExitPolicy reject *:0\nExitPolicy accept *:80,accept *:443,reject *:*",
        &["error exit-policy-syntax"],
    ),
    (
        Role::Middle,
        "AssumeReachable 1\nAssumeReachableIPv6 0",
        &["error assume-reachable", "note assume-reachable"],
    ),
    (Role::Middle, "KeepalivePeriod 0", &["error too-short"]),
    (
        Role::Middle,
        "DormantClientTimeout 5 minutes",
        &["error too-short"],
    ),
    (
        Role::Middle,
        "MaxMemInQueues 10 MB",
        &["warning memory-too-small"],
    ),
    (Role::Middle, "Schedulers Fast", &["error bad-value"]),
    (Role::Middle, "ConnLimit 0", &["error bad-value"]),
    (
        Role::Middle,
        "TestingSigningKeySlop 1 hour",
        &["error testing-option"],
    ),
    // What the built tor refused, and the check did not.
    (
        Role::Middle,
        "MetricsPort auto\nMetricsPortPolicy accept 127.0.0.1",
        &["error port-flags"],
    ),
    (
        Role::Middle,
        "MetricsPort 9035 prometheus\nMetricsPortPolicy accept 127.0.0.1",
        &[],
    ),
    (
        Role::Middle,
        "MetricsPort 127.0.0.1\nMetricsPortPolicy accept 127.0.0.1",
        &["warning metrics-port-auto"],
    ),
    (
        Role::Middle,
        "DNSPort unix:/tordata/dns",
        &["error port-flags"],
    ),
    (
        Role::Middle,
        "ControlPort 256.0.0.1:9051",
        &["error port-syntax"],
    ),
    (Role::Middle, "ControlPort localhost:9051", &[]),
    (Role::Middle, "DirPort [::1]:9030", &["error dirport"]),
    (Role::Middle, "KeepalivePeriod", &["error too-short"]),
    (
        Role::Middle,
        "PerConnBWRate 1 TB",
        &["error bandwidth-too-high"],
    ),
    (Role::Middle, "SafeLogging auto", &["error bad-value"]),
    (
        Role::Middle,
        "KISTSchedRunInterval 200 msec",
        &["error too-long"],
    ),
    (
        Role::Middle,
        "MyFamily $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA~my-name",
        &["error family-member"],
    ),
    (Role::Middle, "ExitNodes {de} {se}", &["warning node-list"]),
    (
        Role::Exit,
        "-ReducedExitPolicy\nExitPolicy Accept *:80\nExitPolicy accept *:443,reject *:*",
        &["error exit-policy-syntax"],
    ),
    (
        Role::Exit,
        "-ReducedExitPolicy\nExitPolicy accept 2001:db8::/32:80,accept *:80,accept *:443,reject *:*",
        &[],
    ),
    (
        Role::Middle,
        "AuthoritativeDirectory 1",
        &["error authority"],
    ),
    (Role::Middle, "DirAuthority x", &["error authority"]),
    (
        Role::Middle,
        "TestingTorNetwork 1",
        &["error testing-network"],
    ),
    (Role::Middle, "TestingAuthKeyLifetime 2 days", &[]),
    (
        Role::Middle,
        "HiddenServicePort 80",
        &["error onion-service-lines"],
    ),
    (
        Role::Middle,
        "HiddenServiceDir /tordata/onion",
        &["error onion-service-lines", "warning onion-service"],
    ),
    (
        Role::Middle,
        "HiddenServiceDir /tordata/a/b\nHiddenServicePort 80",
        &["note path-not-made", "warning onion-service"],
    ),
    (
        Role::Middle,
        "Socks5Proxy 192.0.2.1:1080\nSocks5ProxyUsername a",
        &["error option-alone"],
    ),
    (
        Role::Middle,
        "Socks5Proxy 192.0.2.1:1080\nSocks4Proxy 192.0.2.1:1080",
        &["error proxy"],
    ),
    (
        Role::Middle,
        "VirtualAddrNetworkIPv4 10.192.0.0/33",
        &["error bad-value"],
    ),
    (
        Role::Middle,
        "EntryNodes {de}\nUseEntryGuards 0",
        &["error option-alone"],
    ),
    (
        Role::Middle,
        "ControlSocket /tmp/control",
        &["warning socket-in-tmp"],
    ),
    (
        Role::Bridge,
        "-BridgeRelay\nBridgeRelay true",
        &["error bad-value"],
    ),
    (
        Role::Middle,
        "PublishServerDescriptor 1,bridge",
        &["error bridge-published"],
    ),
    (
        Role::Middle,
        "HiddenServiceDir /tordata/onion\nHiddenServicePort 22 host:22",
        &["error onion-service-lines", "warning onion-service"],
    ),
    (
        Role::Middle,
        "HiddenServiceDir /tordata/onion\nHiddenServicePort 22 127.0.0.1:22\nHiddenServiceExportCircuitID foo",
        &["error onion-service-lines", "warning onion-service"],
    ),
    (
        Role::Middle,
        "Bridge nonsense line here",
        &["error client-option"],
    ),
    (
        Role::Middle,
        "AuthDirMaxServersPerAddr 2",
        &["warning authority"],
    ),
    (
        Role::Middle,
        "-ORPort\nORPort 9001 NoListen NoAdvertise",
        &["error port-flags"],
    ),
];

#[test]
fn every_kind() {
    let mut wrong = Vec::new();
    for (role, change, expected) in KINDS {
        let findings = checked(&text_of(*role, change), *role);
        let found: BTreeSet<String> = findings
            .iter()
            .map(|finding| format!("{} {}", finding.severity, finding.rule))
            .collect();
        let expected: BTreeSet<String> = expected.iter().map(|rule| (*rule).to_owned()).collect();
        if found != expected {
            wrong.push(format!(
                "{role}: {change:?}\n  found {found:?}\n  expected {expected:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Bytes that are no text of a program's: what is said of them, and the line to write.
#[test]
fn what_to_write_instead() {
    let table: &[(&[u8], &str, &str)] = &[
        (b"Nickname=foo\n", "unknown-option", "Nickname foo"),
        (b"Nickname: foo\n", "unknown-option", "Nickname foo"),
        (b"nickname =foo\n", "nickname", "Nickname foo"),
        (b"ORPort=9001\n", "unknown-option", "ORPort 9001"),
        (b"ORPort\xc2\xa09001\n", "unknown-option", "ORPort 9001"),
        (
            b"\xef\xbb\xbfNickname foo\n",
            "unknown-option",
            "Nickname foo",
        ),
        (
            b"RelayBandwithRate 10 MB\n",
            "unknown-option",
            "RelayBandwidthRate 10 MB",
        ),
        (
            b"BandwidthRate 10\n",
            "bandwidth-without-unit",
            "RelayBandwidthRate 1220 KBytes",
        ),
        (
            b"RelayBandwidthRate 100\n",
            "bandwidth-without-unit",
            "RelayBandwidthRate 12207 KBytes",
        ),
        (
            b"RelayBandwidthRate 10 Mbit/s\n",
            "bad-value",
            "RelayBandwidthRate 10 MBits",
        ),
        (
            b"AccountingMax 500\n",
            "accounting-without-unit",
            "AccountingMax 500 GBytes",
        ),
        (b"AvoidDiskWrites yes\n", "bad-value", "AvoidDiskWrites 1"),
        (b"Log warning stdout\n", "log-syntax", "Log warn stdout"),
        (
            b"Log info file /var/log/x\n",
            "path-outside",
            "Log info stdout",
        ),
        (
            b"ControlSocket /run/tor/x\n",
            "path-outside",
            "ControlSocket /tordata/control.sock",
        ),
        (b"Nickname my-relay\n", "nickname", "Nickname myrelay"),
        (
            b"Address 203.0.113.5:9001\n",
            "address-syntax",
            "Address 203.0.113.5",
        ),
        (b"ContactInfo a#b\n", "comment-sign", "ContactInfo \"a#b\""),
        (
            b"SocksPort 0.0.0.0:9050\n",
            "socks-port-public",
            "SocksPort 0",
        ),
    ];
    for (text, rule, line) in table {
        let findings = check("torrc", text, Some(Role::Middle), &Memory::default()).findings;
        let shown = String::from_utf8_lossy(text);
        let found = findings
            .iter()
            .find(|finding| finding.rule == *rule && finding.line == Some(1));
        let edit = found.and_then(|finding| finding.edit.clone());
        assert_eq!(
            edit,
            Some(Edit::Replace((*line).to_owned())),
            "{shown}: {findings:?}"
        );
    }
    let latin = b"ContactInfo J\xf6rg <a@example.org>\n";
    let findings = check("torrc", latin, Some(Role::Middle), &Memory::default()).findings;
    assert_eq!(findings[0].rule, "not-utf8");
}

/// What is pasted together must not collide.
#[test]
fn transports_without_an_address_get_a_port_each() {
    let text = b"BridgeRelay 1\nServerTransportPlugin meek,obfs4 exec /usr/local/bin/lyrebird\n";
    let findings = check("torrc", text, Some(Role::Bridge), &Memory::default()).findings;
    let edits: Vec<_> = findings
        .iter()
        .filter(|finding| finding.rule == "transport-port")
        .filter_map(|finding| finding.edit.clone())
        .collect();
    let line = |name, port| Edit::Add(format!("ServerTransportListenAddr {name} 0.0.0.0:{port}"));
    assert_eq!(edits, [line("meek", 8443), line("obfs4", 8444)]);
}

#[test]
fn a_range_of_one_number_is_said_as_that_number() {
    let text = b"HiddenServiceDir /tordata/hs\nHiddenServiceVersion 2\nHiddenServicePort 80\n";
    let findings = check("torrc", text, Some(Role::Middle), &Memory::default()).findings;
    let what = "`2` is not 3: tor does not start";
    assert!(
        findings.iter().any(|finding| finding.what == what),
        "{findings:?}"
    );
}

/// A fix speaks of what is on the line.
#[test]
fn what_to_do_about_the_words_after_a_port() {
    let fix_of = |line: &str| {
        let checked = check(
            "torrc",
            line.as_bytes(),
            Some(Role::Middle),
            &Memory::default(),
        );
        let mut findings = checked.findings.into_iter();
        let found = findings.find(|it| it.rule == "port-flags");
        found.map(|it| it.fix.as_str().to_owned())
    };
    for (line, fix) in [
        (
            "ORPort unix:/tmp/x",
            "write a port, or an address and a port",
        ),
        ("MetricsPort auto", "write a port number"),
        ("MetricsPort 9035 what", "delete that flag"),
        (
            "SocksPort 9050 SessionGroup=x",
            "write a number after `SessionGroup=`, or delete that flag",
        ),
        (
            "SocksPort 9050 SessionGroup=1 SessionGroup=2",
            "delete all but one",
        ),
        ("ControlPort 9051 SessionGroup=1", "delete that flag"),
        (
            "SocksPort 9050 WorldWritable",
            "delete the flags that are for Unix sockets",
        ),
        (
            "SocksPort 9050 NoIPv4Traffic NoIPv6Traffic",
            "add `NoDNSRequest`, or delete one of the flags",
        ),
        (
            "DNSPort 5353 OnionTrafficOnly",
            "delete the flag that turns DNS off",
        ),
        (
            "SocksPort 9050 KeepAliveIsolateSOCKSAuth NoIsolateSOCKSAuth",
            "delete one of the two flags",
        ),
        (
            "ORPort 9001 IPv4Only IPv6Only",
            "delete one of the two flags",
        ),
        (
            "ORPort 9001 NoListen NoAdvertise",
            "delete one of the two flags",
        ),
        (
            "ORPort 0.0.0.0:9001 IPv6Only",
            "delete that flag, or write an address of the other kind",
        ),
        ("SocksPort 9050 IsolateAll", "delete that flag"),
        ("SocksPort 9050 CacheDNS", "delete that flag"),
        ("TransPort 9040 IPv4Traffic", "delete that flag"),
        ("ControlSocket /tordata/x.sock what", "delete that flag"),
    ] {
        assert_eq!(fix_of(line).as_deref(), Some(fix), "{line}");
    }
    for line in [
        "SocksPort 9050 NoIPv4Traffic NoIPv6Traffic NoDNSRequest",
        "SocksPort 9050 OnionTrafficOnly",
        "SocksPort 9050 IsolateDestPorts NoIsolateSOCKSAuths PreferIPv6",
        "SocksPort 9050 NoCacheDNS ExtendedErrors SessionGroup=7",
        "SocksPort unix:/tordata/socks WorldWritable",
        "ControlSocket /tordata/control.sock GroupWritable",
        "ControlSocket 0",
        "TransPort 9040 IsolateDestAddr",
    ] {
        assert_eq!(fix_of(line), None, "{line}");
    }
}
