//! When somebody is told, and of what.

use std::fmt::Write as _;

/// When it is true for so long, somebody is told.
struct Alert {
    name: &'static str,
    expression: &'static str,
    lasting: &'static str,
    severity: &'static str,
    summary: &'static str,
    what_to_do: &'static str,
}

/// What stops a relay is critical; what makes it less useful, a warning. A relay that sleeps because
/// its quota is used up is reported as one without traffic, which it is.
const ALERTS: [Alert; 10] = [
    Alert {
        name: "TorDoesNotAnswer",
        expression: "up{job=\"tor\"} == 0",
        lasting: "5m",
        severity: "critical",
        summary: "{{ $labels.relay }} does not answer Prometheus",
        what_to_do: "check whether its container runs, and what `docker logs` says",
    },
    Alert {
        name: "TorNotRunning",
        // A bridge is in no consensus, so that it never has a flag.
        expression: "tor_relay_flag{type=\"Running\", role!=\"bridge\"} == 0",
        lasting: "3h",
        severity: "critical",
        summary: "the authorities do not list {{ $labels.relay }} as running",
        what_to_do: "check whether its ORPort can be reached from outside; a new relay is listed after a few hours",
    },
    Alert {
        name: "TorWithoutTraffic",
        expression: "rate(tor_relay_traffic_bytes{direction=\"read\"}[30m]) == 0",
        lasting: "30m",
        severity: "critical",
        summary: "{{ $labels.relay }} receives nothing",
        what_to_do: "check its network, and whether its quota is used up",
    },
    Alert {
        name: "TorSigningKeyEnds",
        expression: "tor_relay_signing_cert_expiry_timestamp - time() < 14 * 86400",
        lasting: "1h",
        severity: "warning",
        summary: "the signing key of {{ $labels.relay }} expires within two weeks",
        what_to_do: "renew it where the master key is kept",
    },
    Alert {
        name: "TorBug",
        expression: "increase(tor_bug_reached_count[1h]) > 0",
        lasting: "0m",
        severity: "warning",
        summary: "tor reported a bug in {{ $labels.relay }}",
        what_to_do: "look for `Bug:` in its log, and report it to the Tor Project",
    },
    Alert {
        name: "TorOutOfMemory",
        expression: "sum by (relay) (increase(tor_relay_load_oom_bytes_total[1h])) > 0",
        lasting: "0m",
        severity: "warning",
        summary: "{{ $labels.relay }} is short of memory and closes circuits to free some",
        what_to_do: "give the container more memory, or set MaxMemInQueues higher",
    },
    Alert {
        name: "TorOutOfPorts",
        expression: "increase(tor_relay_load_tcp_exhaustion_total[1h]) > 0",
        lasting: "0m",
        severity: "warning",
        summary: "{{ $labels.relay }} has no local ports left for connections",
        what_to_do: "widen net.ipv4.ip_local_port_range on the host",
    },
    Alert {
        name: "TorOutOfSockets",
        expression: "tor_relay_load_socket_total{state=\"opened\"} / ignoring(state) tor_relay_load_socket_total{state=\"\"} > 0.9",
        lasting: "15m",
        severity: "warning",
        summary: "{{ $labels.relay }} is using 90 % of its sockets",
        what_to_do: "write the compose file with a higher --open-files",
    },
    Alert {
        name: "TorOverloaded",
        expression: "sum by (relay) (rate(tor_relay_load_onionskins_total{action=\"dropped\"}[15m])) / sum by (relay) (rate(tor_relay_load_onionskins_total[15m])) > 0.01",
        lasting: "30m",
        severity: "warning",
        summary: "{{ $labels.relay }} drops more than 1 % of new circuits for lack of processor time",
        what_to_do: "give it more processors, or a lower rate",
    },
    Alert {
        name: "TorExitResolverFails",
        expression: "sum by (relay) (rate(tor_relay_exit_dns_error_total{reason=\"tor_timeout\"}[15m])) / sum by (relay) (rate(tor_relay_exit_dns_query_total[15m])) > 0.05",
        lasting: "30m",
        severity: "warning",
        summary: "5 % of the names that {{ $labels.relay }} looks up get no answer",
        what_to_do: "check the resolver that its container uses",
    },
];

/// The file of rules.
pub(super) fn rules() -> String {
    let mut text =
        String::from("# Written by relaysmith.\ngroups:\n  - name: \"tor\"\n    rules:\n");
    for alert in ALERTS {
        // Writing to a string does not fail.
        let _ = write(&mut text, &alert);
    }
    text
}

fn write(text: &mut String, alert: &Alert) -> std::fmt::Result {
    writeln!(text, "      - alert: \"{}\"", alert.name)?;
    writeln!(text, "        expr: '{}'", alert.expression)?;
    writeln!(text, "        for: \"{}\"", alert.lasting)?;
    writeln!(text, "        labels: {{severity: \"{}\"}}", alert.severity)?;
    writeln!(text, "        annotations:")?;
    writeln!(text, "          summary: '{}'", alert.summary)?;
    writeln!(text, "          description: '{}'", alert.what_to_do)
}
