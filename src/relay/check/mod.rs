//! The check of a torrc: any torrc, whoever wrote it.
//!
//! It takes text and returns findings, all of them; only what the text includes is read
//! besides. What tor itself says of the file comes on top, where tor is there to be asked.

mod bandwidth;
mod bridge;
mod config;
mod container;
mod exit;
mod finding;
mod glob;
mod identity;
mod include;
mod listener;
mod options;
mod parse;
mod ports;
mod table;
mod tor;
mod value;

#[cfg(test)]
pub(super) use include::tests::Memory;

pub use finding::{Finding, Place, Severity};
pub use include::{Disk, Files, What};
pub use parse::{Change, Line, SyntaxError, parse};
pub use tor::ask_tor;

use super::Role;
use config::Config;
use listener::Listener;

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The role that was meant, or else the one the torrc comes to.
    pub role: Role,
    /// What was found, in the order of the lines.
    pub findings: Vec<Finding>,
}

impl Checked {
    /// Whether nothing is wrong; notes are not.
    pub fn passes(&self) -> bool {
        let notes = |finding: &Finding| finding.severity == Severity::Note;
        self.findings.iter().all(notes)
    }
}

/// Checks `text`, which `name` stands for in findings, for a relay that is meant to be
/// `role`; if that is not known, for what the torrc makes of it.
pub fn check(name: &str, text: &[u8], role: Option<Role>, files: &dyn Files) -> Checked {
    let mut config = read(name, text, files);
    let role = role.unwrap_or_else(|| actual_role(&config));
    identity::check(&mut config, role);
    ports::check(&mut config, role);
    bandwidth::check(&mut config, role);
    exit::check(&mut config, role);
    bridge::check(&mut config, role);
    container::check(&mut config);
    let mut findings = config.into_findings();
    // By line; what is about the file as a whole comes last.
    findings.sort_by_key(|finding| finding.line.unwrap_or(usize::MAX));
    findings.sort_by_key(|finding| finding.file != name);
    Checked { role, findings }
}

/// The settings of `text`, for what else is to be known of it.
pub(super) fn read(name: &str, text: &[u8], files: &dyn Files) -> Config {
    let (lines, findings) = include::expand(name, text, files);
    Config::new(name, lines, findings)
}

/// The ports on which others than the machine itself reach the relay.
pub(super) fn published_ports(config: &Config) -> Vec<u16> {
    let or_ports = config.ports("ORPort").into_iter().filter_map(|setting| {
        let listener = Listener::read(&setting.value)?;
        listener.port().filter(|_| listener.listens())
    });
    let transports = config.all("ServerTransportListenAddr").into_iter();
    let transports = transports.filter_map(|setting| {
        let address = setting.value.split_whitespace().nth(1)?.to_owned();
        Listener::read(&address)?.port()
    });
    let mut ports: Vec<u16> = or_ports.chain(transports).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// `ShutdownWaitLength` in seconds, if it is set.
pub(super) fn shutdown_wait(config: &Config) -> Option<u64> {
    value::seconds(&config.one("ShutdownWaitLength")?.value)
}

/// What the torrc makes of the relay.
fn actual_role(config: &Config) -> Role {
    if config.on("BridgeRelay").is_some() {
        Role::Bridge
    } else if exit::exits(config) {
        Role::Exit
    } else {
        Role::Middle
    }
}

#[cfg(test)]
mod tests;
