//! A client of Debian's tor, and its control port.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use crate::control::{Circuit, Control};
use crate::process::Tor;

/// A client and its control port.
#[derive(Debug)]
pub struct Client {
    name: String,
    torrc: PathBuf,
    logs: PathBuf,
    local: Ipv4Addr,
    /// The running tor.
    pub tor: Tor,
    /// Its control port.
    pub control: Control,
}

impl Client {
    /// Starts the client of this torrc, whose ports are at `local`.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn start(
        name: &str,
        torrc: PathBuf,
        logs: PathBuf,
        local: Ipv4Addr,
    ) -> Result<Self> {
        let mut tor = Tor::start(name, &logs, debian(&torrc))?;
        tor.logged("Opened Control listener connection (ready)", 60)?;
        let [socks, control] = ports(local);
        Ok(Self {
            name: name.to_owned(),
            torrc,
            logs,
            local,
            tor,
            control: Control::connect(control, socks)?,
        })
    }

    /// Builds a circuit over the relays with these fingerprints. A client that still lacks the
    /// description of one after a while is started again: each time that it asked in vain it
    /// waits longer, in the end for minutes, and a new one asks at once.
    ///
    /// # Errors
    /// When a relay does not extend it, or stays unknown.
    pub fn circuit(&mut self, path: &[&str]) -> Result<Circuit> {
        for _ in 0..2 {
            if let Some(circuit) = self.control.circuit(path, 60)? {
                return Ok(circuit);
            }
            self.tor.end(Signal::KILL, 60)?;
            let (torrc, logs) = (self.torrc.clone(), self.logs.clone());
            *self = Self::start(&self.name, torrc, logs, self.local)?;
            self.tor.logged("Bootstrapped 100% (done)", 180)?;
        }
        self.control
            .circuit(path, 120)?
            .with_context(|| format!("{} does not get to know {}", self.name, path.join(", ")))
    }
}

/// Its SOCKS port and its control port.
pub(crate) fn ports(local: Ipv4Addr) -> [SocketAddrV4; 2] {
    [9050, 9051].map(|port| SocketAddrV4::new(local, port))
}

/// Debian's tor, and nothing from the machine's own configuration.
pub(crate) fn debian(torrc: &Path) -> Command {
    let mut command = Command::new("tor");
    command.arg("--defaults-torrc").arg("/dev/null");
    command.arg("-f").arg(torrc);
    command
}
