//! What Grafana draws: a dashboard, as JSON.

use serde_json::{Value, json};

/// A graph of some lines.
struct Graph {
    title: &'static str,
    unit: &'static str,
    /// Each line's expression and its name.
    lines: &'static [(&'static str, &'static str)],
}

const GRAPHS: &[Graph] = &[
    Graph {
        title: "Traffic",
        unit: "Bps",
        lines: &[(
            "rate(tor_relay_traffic_bytes{relay=~\"$relay\"}[5m])",
            "{{relay}} {{direction}}",
        )],
    },
    Graph {
        title: "Flags in the consensus",
        unit: "bool",
        lines: &[(
            "tor_relay_flag{relay=~\"$relay\", type=~\"Running|Fast|Stable|Guard|Exit|HSDir\"}",
            "{{relay}} {{type}}",
        )],
    },
    Graph {
        title: "Connections to other relays and users",
        unit: "short",
        lines: &[(
            "sum by (relay, direction, family) (tor_relay_connections{relay=~\"$relay\", type=\"OR\"})",
            "{{relay}} {{direction}} {{family}}",
        )],
    },
    Graph {
        title: "Circuits",
        unit: "short",
        lines: &[(
            "tor_relay_circuits_total{relay=~\"$relay\"}",
            "{{relay}} {{state}}",
        )],
    },
    Graph {
        title: "Onionskins",
        unit: "ops",
        lines: &[(
            "sum by (relay, type, action) (rate(tor_relay_load_onionskins_total{relay=~\"$relay\"}[5m]))",
            "{{relay}} {{type}} {{action}}",
        )],
    },
    Graph {
        title: "Sockets",
        unit: "short",
        lines: &[
            (
                "tor_relay_load_socket_total{relay=~\"$relay\", state=\"opened\"}",
                "{{relay}} open",
            ),
            (
                "tor_relay_load_socket_total{relay=~\"$relay\", state=\"\"}",
                "{{relay}} at most",
            ),
        ],
    },
    Graph {
        title: "Rate limit reached",
        unit: "ops",
        lines: &[(
            "rate(tor_relay_load_global_rate_limit_reached_total{relay=~\"$relay\"}[5m])",
            "{{relay}} {{side}}",
        )],
    },
    Graph {
        title: "Memory freed under pressure",
        unit: "Bps",
        lines: &[(
            "rate(tor_relay_load_oom_bytes_total{relay=~\"$relay\"}[5m])",
            "{{relay}} {{subsys}}",
        )],
    },
    Graph {
        title: "Defences against denial of service",
        unit: "ops",
        lines: &[(
            "rate(tor_relay_dos_total{relay=~\"$relay\"}[5m])",
            "{{relay}} {{type}}",
        )],
    },
    Graph {
        title: "Streams that leave",
        unit: "ops",
        lines: &[(
            "rate(tor_relay_streams_total{relay=~\"$relay\"}[5m])",
            "{{relay}} {{type}}",
        )],
    },
    Graph {
        title: "Names looked up, and errors",
        unit: "ops",
        lines: &[
            (
                "rate(tor_relay_exit_dns_query_total{relay=~\"$relay\"}[5m])",
                "{{relay}} queries",
            ),
            (
                "rate(tor_relay_exit_dns_error_total{relay=~\"$relay\", reason!=\"success\"}[5m])",
                "{{relay}} {{reason}}",
            ),
        ],
    },
    Graph {
        title: "Days until the signing key expires, if the master key is offline",
        unit: "d",
        lines: &[(
            "(tor_relay_signing_cert_expiry_timestamp{relay=~\"$relay\"} - time()) / 86400",
            "{{relay}}",
        )],
    },
];

/// The dashboard: two graphs a row.
pub(super) fn dashboard() -> String {
    let panels: Vec<Value> = GRAPHS.iter().enumerate().map(panel).collect();
    let dashboard = json!({
        "uid": "relaysmith-tor",
        "title": "Tor relays",
        "tags": ["tor"],
        "timezone": "utc",
        "editable": false,
        "schemaVersion": 39,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": [{
            "name": "relay",
            "label": "Relay",
            "type": "query",
            "datasource": data_source(),
            "query": "label_values(up{job=\"tor\"}, relay)",
            "refresh": 2,
            "multi": true,
            "includeAll": true,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        }]},
        "panels": panels,
    });
    format!("{dashboard:#}\n")
}

fn data_source() -> Value {
    json!({"type": "prometheus", "uid": "prometheus"})
}

fn panel((index, graph): (usize, &Graph)) -> Value {
    const HEIGHT: usize = 8;
    const WIDTH: usize = 12;
    let targets: Vec<Value> = (b'A'..)
        .zip(graph.lines)
        .map(|(id, (expression, name))| {
            json!({
                "refId": char::from(id).to_string(),
                "datasource": data_source(),
                "expr": expression,
                "legendFormat": name,
            })
        })
        .collect();
    json!({
        "id": index + 1,
        "type": "timeseries",
        "title": graph.title,
        "datasource": data_source(),
        "gridPos": {
            "x": index % 2 * WIDTH,
            "y": index / 2 * HEIGHT,
            "w": WIDTH,
            "h": HEIGHT,
        },
        "fieldConfig": {"defaults": {"unit": graph.unit, "min": 0}, "overrides": []},
        "targets": targets,
    })
}
