//! Running a relay: its torrc, the check of any torrc, and the containers around it.
//!
//! ```text
//! Parameters ─► Relay ─► torrc ─► findings
//!                          │
//!                          └────► Service ─► compose file, command line, Quadlet unit
//! ```
//!
//! Facts about tor's options are from the manual and the source of tor 0.4.9.11.

mod accounting;
mod address;
mod bandwidth;
pub mod check;
mod compose;
mod contact;
mod control;
mod docker_run;
mod error;
mod exit_policy;
mod family;
mod nickname;
mod notice;
mod parameters;
mod password;
mod policy;
mod quadlet;
mod role;
mod service;
mod shell;
mod torrc;
mod transport;
mod yaml;

use std::num::NonZeroU16;

pub use accounting::{Accounting, Period, Start};
pub use address::{Address, PublicV6};
pub use bandwidth::{Bandwidth, Volume};
pub use compose::compose;
pub use contact::{Contact, ContactForm, ContactName, Email, PgpFingerprint};
pub use control::{Control, SocketPath};
pub use docker_run::docker_run;
pub use error::Error;
pub use exit_policy::{ExitPolicy, PolicyChoice};
pub use family::{Family, FamilyId, Fingerprint};
pub use nickname::Nickname;
pub use parameters::{Parameters, line_of_parameter};
pub use password::HashedPassword;
pub use quadlet::quadlet;
pub use role::Role;
pub use service::{Host, HostPath, Image, Service, Source, services};
pub use torrc::{Duty, Limit, Relay};
pub use transport::{Distribution, Transport};

/// Where the image keeps keys and state.
pub const DATA_DIRECTORY: &str = "/tordata";

/// Where the image looks for its configuration.
pub const CONFIG_DIRECTORY: &str = "/usr/local/etc/tor";

/// The user and group that the image runs as.
pub const UID: u32 = 45553;

/// The port for tor's traffic unless another is given.
pub const OR_PORT: NonZeroU16 = match NonZeroU16::new(9001) {
    Some(port) => port,
    None => NonZeroU16::MIN,
};

/// Whether tests can ask tor itself; says so if not, past the test runner, which swallows
/// what a passing test prints.
#[cfg(test)]
fn tor_is_here(test: &str, version: &str) -> bool {
    let output = std::process::Command::new("tor").arg("--version").output();
    let said = output.map_or(Vec::new(), |output| output.stdout);
    let here = String::from_utf8_lossy(&said).starts_with(&format!("Tor version {version}"));
    if !here {
        let line = format!("SKIPPED {test}: there is no tor {version} here to ask\n");
        std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
    }
    here
}
