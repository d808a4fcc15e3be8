//! The check of a torrc: any torrc, whoever wrote it.
//!
//! It takes text and returns findings, all of them; only what the text includes is read
//! besides. What tor itself says of the file comes on top, where tor is there to be asked.

mod authority;
mod bandwidth;
mod bridge;
mod config;
mod conflict;
mod container;
mod exit;
mod facts;
mod files;
mod finding;
mod fix;
mod flags;
mod glob;
mod identity;
mod include;
mod kind;
mod lies;
mod limits;
mod listener;
mod once;
mod onion;
mod options;
mod parse;
mod paths;
mod ports;
mod proxies;
mod said;
mod samples;
mod starts;
mod superseded;
mod syntax;
mod table;
mod transports;
mod value;
mod written;

pub use facts::{Facts, Published, facts};
pub use files::{Disk, Files, Memory, What, normal};
pub use finding::{Edit, Excerpt, Finding, Place, Severity};
pub use fix::fixed;
pub use parse::{Change, Line, SyntaxError, parse};
pub use said::with_what_tor_said;
pub use starts::Starts;

use crate::Role;
use config::Config;
use once::one_a_fault;

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
    check_for(Starts::default(), name, text, role, files)
}

/// As [`check`], for an image that can start these transports.
pub fn check_for(
    starts: Starts,
    name: &str,
    text: &[u8],
    role: Option<Role>,
    files: &dyn Files,
) -> Checked {
    let mut config = read(name, text, files);
    let role = role.unwrap_or_else(|| actual_role(&config));
    samples::check(&mut config);
    identity::check(&mut config, role);
    ports::check(&mut config, role);
    flags::check(&mut config);
    superseded::check(&mut config);
    bandwidth::check(&mut config, role);
    exit::check(&mut config, role);
    bridge::check(&mut config, role);
    transports::check(&mut config, starts);
    container::check(&mut config);
    paths::check(&mut config);
    conflict::check(&mut config);
    syntax::check(&mut config);
    limits::check(&mut config);
    authority::check(&mut config);
    onion::check(&mut config);
    proxies::check(&mut config);
    let mut findings = config.into_findings();
    one_a_fault(&mut findings);
    // By line; what is about the file as a whole comes last.
    findings.sort_by_key(|finding| finding.line.unwrap_or(usize::MAX));
    findings.sort_by_key(|finding| finding.file != name);
    Checked { role, findings }
}

/// The settings of `text`, for what else is to be known of it.
fn read(name: &str, text: &[u8], files: &dyn Files) -> Config {
    Config::new(name, include::expand(name, text, files))
}

/// Whether the container can write what lies at `path`.
pub(crate) fn is_writable(path: &str) -> bool {
    matches!(lies::lies(path), lies::Lies::Volume | lies::Lies::Memory)
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
