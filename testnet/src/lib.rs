//! A private Tor network around the built image: directory authorities and clients from
//! Debian's `tor`, relays that are the image itself under torrc files by `cargo xtask torrc`.
//!
//! All of it lives in namespaces that end with the driver: no packet leaves the machine, no
//! port is taken from anybody, no process stays behind. The relays have addresses that are
//! public to tor and nobody's in truth (RFC 5737), so they find and test each other as they
//! would on the real network.
//!
//! `src/bin/network.rs` proves what the image promises, `src/bin/bench-relay.rs` measures it.

pub mod client;
pub mod control;
pub mod image;
pub mod measured;
pub mod namespace;
pub mod network;
pub mod process;
pub mod screen;
pub mod web;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Asks `probe` until it has an answer, ten times a second and not for ever.
///
/// # Errors
/// When there is no answer in time, or `probe` fails.
pub fn wait_for<T>(
    what: &str,
    seconds: u64,
    mut probe: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = probe()? {
            return Ok(answer);
        }
        if start.elapsed() > Duration::from_secs(seconds) {
            bail!("{what}: not seen within {seconds} s");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
