//! A compose file, as the Compose specification has it and docker-compose 1.29 takes it too.

use std::fmt::Write as _;

use super::service::{LOG, STOP_SIGNAL, Service, TMP};
use super::yaml::quoted;
use crate::image::{Healthcheck, SECOND};

/// The compose file of `services`. The image has its health check itself; it is
/// written out for engines that do not read it from an OCI image.
pub fn compose(services: &[Service]) -> String {
    let mut text = String::from("# Written by relaysmith. Before the first start:\n");
    for service in services {
        let _ = writeln!(text, "#   {}", service.preparation());
    }
    text.push_str("services:\n");
    for service in services {
        // Writing to a string does not fail.
        let _ = write(&mut text, service);
    }
    text
}

fn write(text: &mut String, service: &Service) -> std::fmt::Result {
    let list = |items: &[&str]| {
        let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
        format!("[{}]", items.join(", "))
    };
    writeln!(text, "  {}:", service.name)?;
    writeln!(text, "    container_name: {}", quoted(&service.name))?;
    writeln!(text, "    image: {}", quoted(&service.image.to_string()))?;
    if service.image.is_local() {
        writeln!(text, "    pull_policy: \"never\"")?;
    }
    writeln!(text, "    command: {}", list(&service.arguments()))?;
    let user = format!("{0}:{0}", service.user);
    writeln!(text, "    user: {}", quoted(&user))?;
    writeln!(text, "    restart: \"unless-stopped\"")?;
    writeln!(
        text,
        "    # Tor takes leave of its circuits before it goes."
    )?;
    writeln!(text, "    stop_signal: {}", quoted(STOP_SIGNAL))?;
    writeln!(text, "    stop_grace_period: \"{}s\"", service.stop_seconds)?;
    writeln!(text, "    read_only: true")?;
    writeln!(text, "    cap_drop: [\"ALL\"]")?;
    writeln!(text, "    security_opt: [\"no-new-privileges:true\"]")?;
    writeln!(text, "    tmpfs: {}", list(&[TMP]))?;
    writeln!(text, "    ports:")?;
    for port in &service.ports {
        writeln!(text, "      - \"{port}:{port}\"")?;
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
