//! A relay's torrc: writing one from parameters, and checking any.
//!
//! ```text
//! Parameters ─► Relay ─► torrc ─► findings
//! ```
//!
//! Facts about tor's options are from the manual and the source of tor 0.4.9.11.

mod accounting;
mod address;
mod bandwidth;
pub mod check;
mod contact;
mod control;
mod error;
mod exit_policy;
mod family;
mod metrics;
mod nickname;
mod notice;
mod parameters;
mod password;
mod policy;
mod relay;
mod role;
mod transport;

use std::num::NonZeroU16;

pub use accounting::{Accounting, Period, Rule, Start};
pub use address::{Address, PublicV6};
pub use bandwidth::{Bandwidth, Volume};
pub use contact::{Contact, ContactForm, ContactName, Email, PgpFingerprint, Proof, Url};
pub use control::{Control, SocketPath};
pub use error::Error;
pub use exit_policy::{ExitPolicy, PolicyChoice};
pub use family::{Family, FamilyId, Fingerprint};
pub use metrics::{METRICS_PORT, Metrics, MetricsNetwork};
pub use nickname::Nickname;
pub use parameters::{Parameters, line_of_parameter};
pub use password::HashedPassword;
pub use relay::{Duty, Limit, Relay};
pub use role::Role;
pub use transport::{Distribution, LYREBIRD, Transport};

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

/// The tor that tests ask: the one that `RELAYSMITH_TEST_TOR` names, or the machine's.
#[cfg(test)]
fn tor_program() -> std::ffi::OsString {
    std::env::var_os("RELAYSMITH_TEST_TOR").unwrap_or_else(|| "tor".into())
}

/// Whether tests can ask tor itself; says so if not, past the test runner, which swallows
/// what a passing test prints.
#[cfg(test)]
fn tor_is_here(test: &str, version: &str) -> bool {
    let output = std::process::Command::new(tor_program())
        .arg("--version")
        .output();
    let said = output.map_or(Vec::new(), |output| output.stdout);
    let here = String::from_utf8_lossy(&said).starts_with(&format!("Tor version {version}"));
    if !here {
        let line = format!("SKIPPED {test}: there is no tor {version} here to ask\n");
        std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
    }
    here
}
