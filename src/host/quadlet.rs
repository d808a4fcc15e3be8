//! A unit for podman's Quadlet (podman-systemd.unit(5)), for the whole system.

use std::fmt::Write as _;

use super::service::{LOW_PORTS, STOP_SIGNAL, Service, TMP};
use crate::image::{Healthcheck, SECOND};

/// How long systemd waits on top of podman, in seconds.
const MARGIN: u64 = 15;

/// The file's name and its text. What keys podman got after 4.6 goes through `PodmanArgs`.
pub fn quadlet(service: &Service) -> (String, String) {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut text, service);
    (format!("{}.container", service.name), text)
}

fn write(text: &mut String, service: &Service) -> std::fmt::Result {
    let name = &service.name;
    writeln!(
        text,
        "# Written by relaysmith, for /etc/containers/systemd/ of podman 4.6 or newer; what newer\n\
         # podman has a key for is in PodmanArgs. Before the first start:"
    )?;
    writeln!(text, "#   {}", service.preparation())?;
    writeln!(text, "[Unit]")?;
    writeln!(text, "Description=Tor relay {name}")?;
    writeln!(text)?;
    writeln!(text, "[Container]")?;
    writeln!(text, "ContainerName={name}")?;
    writeln!(text, "Image={}", service.image)?;
    writeln!(text, "Exec={}", service.arguments().map(word).join(" "))?;
    writeln!(text, "User={}", service.user)?;
    writeln!(text, "Group={}", service.user)?;
    writeln!(text, "ReadOnly=true")?;
    writeln!(text, "DropCapability=all")?;
    writeln!(text, "NoNewPrivileges=true")?;
    writeln!(text, "Tmpfs={TMP}")?;
    for port in &service.ports {
        writeln!(text, "PublishPort={port}")?;
    }
    for (host, inside, read_only) in service.mounts() {
        let host = specifiers(host.as_str());
        let access = if read_only { ":ro" } else { "" };
        writeln!(text, "Volume={host}:{inside}{access}")?;
    }
    let health = Healthcheck::default();
    // Beginning with `CMD`, or it would need a shell.
    writeln!(text, "HealthCmd={}", health.test.join(" "))?;
    writeln!(text, "HealthInterval={}s", health.interval / SECOND)?;
    writeln!(text, "HealthTimeout={}s", health.timeout / SECOND)?;
    writeln!(text, "HealthStartPeriod={}s", health.start_period / SECOND)?;
    writeln!(text, "HealthRetries={}", health.retries)?;
    let files = service.open_files;
    // The journal rotates what it keeps.
    writeln!(text, "LogDriver=journald")?;
    writeln!(
        text,
        "PodmanArgs=--stop-signal {STOP_SIGNAL} --stop-timeout {} --ulimit nofile={files}:{files} --memory {}m",
        service.stop_seconds, service.memory
    )?;
    if service.has_low_port() {
        writeln!(text, "PodmanArgs=--sysctl {LOW_PORTS}")?;
    }
    if service.image.is_local() {
        writeln!(text, "PodmanArgs=--pull never")?;
    }
    writeln!(text)?;
    writeln!(text, "[Service]")?;
    writeln!(text, "Restart=always")?;
    writeln!(text, "TimeoutStopSec={}", service.stop_seconds + MARGIN)?;
    writeln!(text)?;
    writeln!(text, "[Install]")?;
    writeln!(text, "WantedBy=multi-user.target")
}

/// What systemd does not replace.
fn specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

/// One word of a line that is split into words.
fn word(text: &str) -> String {
    let text = specifiers(text);
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-%".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        // Neither `"` nor `\` is in a path that is taken.
        format!("\"{text}\"")
    }
}
