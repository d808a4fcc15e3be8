//! Prometheus and Grafana beside the relays of a compose file: what is scraped, when somebody is
//! told, and what is drawn.

mod dashboard;
mod rules;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use torrc::Metrics;

use super::Error;
use super::service::{HostPath, Service};
use super::yaml::quoted;

/// The image of Prometheus unless another is named: its release with long-term support.
pub const PROMETHEUS: &str = "docker.io/prom/prometheus:v3.5.0";

/// The image of Grafana unless another is named.
pub const GRAFANA: &str = "docker.io/grafana/grafana:12.1.0";

/// Which images, and where their configuration lies.
#[derive(Debug, Clone)]
pub struct Monitoring {
    /// The image of Prometheus.
    pub prometheus: String,
    /// The image of Grafana.
    pub grafana: String,
    /// The directory on the host that has the files of [`Monitoring::files`].
    pub directory: HostPath,
}

impl Monitoring {
    /// The files that Prometheus and Grafana read, by their paths in the directory.
    ///
    /// # Errors
    /// If a torrc answers no Prometheus, or two of them answer different networks.
    pub fn files(services: &[Service]) -> Result<Vec<(PathBuf, String)>, Error> {
        network(services)?;
        Ok([
            ("prometheus/prometheus.yml", scrape(services)),
            ("prometheus/tor.rules.yml", rules::rules()),
            ("grafana/datasources/prometheus.yml", DATA_SOURCE.to_owned()),
            ("grafana/dashboards/tor.yml", PROVIDER.to_owned()),
            ("grafana/dashboards/tor.json", dashboard::dashboard()),
        ]
        .map(|(path, text)| (PathBuf::from(path), text))
        .into())
    }

    /// What stands among the services of the compose file.
    pub(super) fn services(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let folder = |below: &str| {
            let path = Path::new(self.directory.as_str()).join(below);
            quoted(&path.display().to_string())
        };
        writeln!(text, "  prometheus:")?;
        writeln!(text, "    image: {}", quoted(&self.prometheus))?;
        writeln!(text, "    command:")?;
        for argument in [
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            "--storage.tsdb.retention.time=90d",
        ] {
            writeln!(text, "      - {}", quoted(argument))?;
        }
        confined(text)?;
        writeln!(text, "    networks: [\"metrics\", \"view\"]")?;
        writeln!(
            text,
            "    # For this machine only: `ssh -L` makes it available on yours."
        )?;
        writeln!(text, "    ports: [\"127.0.0.1:9090:9090\"]")?;
        writeln!(text, "    volumes:")?;
        bind(text, &folder("prometheus"), "/etc/prometheus")?;
        volume(text, "prometheus", "/prometheus")?;
        writeln!(text, "  grafana:")?;
        writeln!(text, "    image: {}", quoted(&self.grafana))?;
        writeln!(text, "    environment:")?;
        writeln!(text, "      GF_ANALYTICS_REPORTING_ENABLED: \"false\"")?;
        writeln!(text, "      GF_ANALYTICS_CHECK_FOR_UPDATES: \"false\"")?;
        writeln!(text, "      GF_USERS_ALLOW_SIGN_UP: \"false\"")?;
        confined(text)?;
        writeln!(text, "    networks: [\"view\"]")?;
        writeln!(text, "    ports: [\"127.0.0.1:3000:3000\"]")?;
        writeln!(text, "    volumes:")?;
        let provisioning = "/etc/grafana/provisioning";
        for below in ["datasources", "dashboards"] {
            let inside = format!("{provisioning}/{below}");
            bind(text, &folder(&format!("grafana/{below}")), &inside)?;
        }
        volume(text, "grafana", "/var/lib/grafana")
    }

    /// What stands after the services: the networks, which `ipv6` continues, and the volumes.
    pub(super) fn around(services: &[Service], ipv6: &str) -> Result<String, Error> {
        let network = network(services)?;
        let networks = match ipv6 {
            "" => "networks:\n",
            networks => networks,
        };
        Ok(format!(
            "{networks}  # The relays and Prometheus, with no way out.\n  \
             metrics:\n    internal: true\n    ipam:\n      config:\n        - subnet: {}\n  \
             # Prometheus, Grafana and this machine.\n  view: {{}}\n\
             volumes:\n  prometheus: {{}}\n  grafana: {{}}\n",
            quoted(&network)
        ))
    }
}

/// What they may do: what the relays may.
fn confined(text: &mut String) -> std::fmt::Result {
    writeln!(text, "    restart: \"unless-stopped\"")?;
    writeln!(text, "    read_only: true")?;
    writeln!(text, "    cap_drop: [\"ALL\"]")?;
    writeln!(text, "    security_opt: [\"no-new-privileges:true\"]")?;
    writeln!(
        text,
        "    tmpfs: [\"/tmp:rw,noexec,nosuid,nodev,size=64m\"]"
    )
}

fn bind(text: &mut String, host: &str, inside: &str) -> std::fmt::Result {
    writeln!(text, "      - type: \"bind\"")?;
    writeln!(text, "        source: {host}")?;
    writeln!(text, "        target: {}", quoted(inside))?;
    writeln!(text, "        read_only: true")
}

fn volume(text: &mut String, name: &str, inside: &str) -> std::fmt::Result {
    writeln!(text, "      - type: \"volume\"")?;
    writeln!(text, "        source: {}", quoted(name))?;
    writeln!(text, "        target: {}", quoted(inside))
}

/// The one network that all of them answer.
fn network(services: &[Service]) -> Result<String, Error> {
    let mut wanted: Option<(String, String)> = None;
    for service in services {
        let Some(Metrics {
            network: Some(network),
            ..
        }) = service.metrics
        else {
            return Err(Error::NoMetrics {
                relay: service.name.clone(),
            });
        };
        let network = network.to_string();
        match &wanted {
            Some((first, other)) if *other != network => {
                return Err(Error::MetricsNetworks {
                    first: first.clone(),
                    second: service.name.clone(),
                });
            }
            Some(_) => {}
            None => wanted = Some((service.name.clone(), network)),
        }
    }
    wanted
        .map(|(_, network)| network)
        .ok_or_else(|| Error::NoMetrics {
            relay: String::new(),
        })
}

/// What Prometheus asks, and how often. A relay goes by its container's name, which is its name in
/// the network, too.
fn scrape(services: &[Service]) -> String {
    let mut text = String::from(
        "# Written by relaysmith.\n\
         global:\n  scrape_interval: 60s\n  evaluation_interval: 60s\n\
         rule_files: [\"tor.rules.yml\"]\n\
         scrape_configs:\n  - job_name: \"tor\"\n    static_configs:\n",
    );
    for service in services {
        let Some(metrics) = service.metrics else {
            continue;
        };
        let _ = write!(
            text,
            "      - targets: [\"{0}:{1}\"]\n        labels: {{relay: \"{0}\", role: \"{2}\"}}\n",
            service.name, metrics.port, service.role
        );
    }
    text
}

const DATA_SOURCE: &str = "\
# Written by relaysmith.
apiVersion: 1
datasources:
  - name: \"Prometheus\"
    uid: \"prometheus\"
    type: \"prometheus\"
    access: \"proxy\"
    url: \"http://prometheus:9090\"
    isDefault: true
";

const PROVIDER: &str = "\
# Written by relaysmith.
apiVersion: 1
providers:
  - name: \"tor\"
    type: \"file\"
    options: {path: \"/etc/grafana/provisioning/dashboards\"}
";
