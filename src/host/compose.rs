//! A compose file, as the Compose specification has it and docker-compose 1.29 takes it too.

use std::fmt::Write as _;

use super::monitoring::Monitoring;
use super::notice::Notice;
use super::service::{LOG, LOW_PORTS, STOP_SIGNAL, Service, TMP};
use super::yaml::quoted;
use super::{Error, Subnet};
use crate::image::{Healthcheck, SECOND};

/// What stands beside the relays, if anything is wanted.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// A network with IPv6.
    pub ipv6: Option<Subnet>,
    /// Prometheus and Grafana.
    pub monitoring: Option<Monitoring>,
    /// What an exit is, for people who look at its address.
    pub notice: Option<Notice>,
}

/// The compose file of `services`. The image has its health check itself; it is
/// written out for engines that do not read it from an OCI image.
///
/// # Errors
/// If monitoring is wanted of a relay that answers no Prometheus, or a notice where there is no exit.
pub fn compose(services: &[Service], beside: &Beside) -> Result<String, Error> {
    let mut text = String::from("# Written by relaysmith. Before the first start:\n");
    for service in services {
        let _ = writeln!(text, "#   {}", service.preparation());
    }
    text.push_str("services:\n");
    for service in services {
        // Writing to a string does not fail.
        let _ = write(&mut text, service, Form::Compose);
        if beside.monitoring.is_some() {
            text.push_str("    networks: [\"default\", \"metrics\"]\n");
        }
    }
    if let Some(notice) = &beside.notice {
        text.push_str(&notice.service(services)?);
    }
    let ipv6 = beside.ipv6.map_or(String::new(), Subnet::compose);
    match &beside.monitoring {
        Some(monitoring) => {
            text.push_str(&monitoring.services());
            text.push_str(&Monitoring::around(services, &ipv6)?);
        }
        None => text.push_str(&ipv6),
    }
    Ok(text)
}

/// Who reads the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `docker compose` and its like.
    Compose,
    /// `docker stack deploy`, which refuses or ignores what is about one machine.
    Stack,
}

/// The same for a swarm: one task a relay, on the node that has its data.
///
/// # Errors
/// If the image is in no registry: each node has to get it.
pub fn stack(services: &[Service]) -> Result<String, Error> {
    let mut text = String::from(
        "# Written by relaysmith for a swarm. Before the first start, on each node:\n",
    );
    for service in services {
        if service.image.is_local() {
            return Err(Error::LocalImage {
                image: service.image.to_string(),
                for_what: "a swarm",
            });
        }
        let _ = writeln!(text, "#   {}", service.preparation());
    }
    text.push_str("version: \"3.8\"\nservices:\n");
    for service in services {
        let _ = write(&mut text, service, Form::Stack);
    }
    Ok(text)
}

fn write(text: &mut String, service: &Service, form: Form) -> std::fmt::Result {
    let list = |items: &[&str]| {
        let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
        format!("[{}]", items.join(", "))
    };
    writeln!(text, "  {}:", service.name)?;
    let one_machine = form == Form::Compose;
    if one_machine {
        writeln!(text, "    container_name: {}", quoted(&service.name))?;
    }
    writeln!(text, "    image: {}", quoted(&service.image.to_string()))?;
    if one_machine && service.image.is_local() {
        writeln!(text, "    pull_policy: \"never\"")?;
    }
    writeln!(text, "    command: {}", list(&service.arguments()))?;
    let user = format!("{0}:{0}", service.user);
    writeln!(text, "    user: {}", quoted(&user))?;
    if one_machine {
        writeln!(text, "    restart: \"unless-stopped\"")?;
        writeln!(text, "    mem_limit: \"{}m\"", service.memory)?;
    } else {
        writeln!(text, "    deploy:")?;
        writeln!(text, "      replicas: 1")?;
        // Two of one identity must never run at once.
        writeln!(text, "      update_config: {{order: \"stop-first\"}}")?;
        writeln!(text, "      restart_policy: {{condition: \"any\"}}")?;
        let memory = service.memory;
        writeln!(
            text,
            "      resources: {{limits: {{memory: \"{memory}m\"}}}}"
        )?;
    }
    writeln!(text, "    # Tor closes its circuits before it stops.")?;
    writeln!(text, "    stop_signal: {}", quoted(STOP_SIGNAL))?;
    writeln!(text, "    stop_grace_period: \"{}s\"", service.stop_seconds)?;
    writeln!(text, "    read_only: true")?;
    writeln!(text, "    cap_drop: [\"ALL\"]")?;
    if one_machine {
        writeln!(text, "    security_opt: [\"no-new-privileges:true\"]")?;
        writeln!(text, "    tmpfs: {}", list(&[TMP]))?;
    }
    writeln!(text, "    ports:")?;
    for port in &service.ports {
        if one_machine {
            writeln!(text, "      - {}", quoted(&port.to_string()))?;
        } else {
            // The addresses of those who connect stay as they are.
            writeln!(
                text,
                "      - {{target: {}, published: {}, protocol: \"tcp\", mode: \"host\"}}",
                port.inside, port.outside
            )?;
        }
    }
    if service.has_low_port() {
        writeln!(text, "    sysctls: {}", list(&[LOW_PORTS]))?;
    }
    writeln!(text, "    volumes:")?;
    for (host, inside, read_only) in service.mounts() {
        writeln!(text, "      - type: \"bind\"")?;
        writeln!(text, "        source: {}", quoted(host.as_str()))?;
        writeln!(text, "        target: {}", quoted(inside))?;
        if read_only {
            writeln!(text, "        read_only: true")?;
        }
    }
    if !one_machine {
        writeln!(text, "      - type: \"tmpfs\"")?;
        writeln!(text, "        target: \"/tmp\"")?;
        writeln!(text, "        tmpfs: {{size: 16777216}}")?;
    }
    let health = Healthcheck::default();
    let test: Vec<&str> = health.test.iter().map(String::as_str).collect();
    writeln!(text, "    healthcheck:")?;
    writeln!(text, "      test: {}", list(&test))?;
    writeln!(text, "      interval: \"{}s\"", health.interval / SECOND)?;
    writeln!(text, "      timeout: \"{}s\"", health.timeout / SECOND)?;
    writeln!(
        text,
        "      start_period: \"{}s\"",
        health.start_period / SECOND
    )?;
    writeln!(text, "      retries: {}", health.retries)?;
    let files = service.open_files;
    writeln!(text, "    ulimits:")?;
    writeln!(text, "      nofile: {{soft: {files}, hard: {files}}}")?;
    writeln!(text, "    logging:")?;
    writeln!(text, "      driver: \"json-file\"")?;
    let options = LOG.map(|(name, value)| format!("{name}: {}", quoted(value)));
    writeln!(text, "      options: {{{}}}", options.join(", "))
}
