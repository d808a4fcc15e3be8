//! The machine that runs the relay: the containers around a torrc, what the built tor says of
//! one, and whether the machine is ready.

mod ask_tor;
mod bridge_line;
mod compose;
mod docker_run;
pub mod doctor;
mod error;
pub mod identity;
mod kubernetes;
mod manifest;
pub mod monitoring;
mod network;
pub mod notice;
mod quadlet;
mod service;
mod shell;
pub mod signing_key;
pub mod status;
mod yaml;

pub use ask_tor::{Said, ask_tor};
pub use bridge_line::{Error as BridgeLineError, bridge_lines};
pub use compose::{Beside, compose, stack};
pub use docker_run::docker_run;
pub use error::Error;
pub use kubernetes::{Way, kubernetes};
pub use network::Subnet;
pub use quadlet::quadlet;
pub use service::{Host, HostPath, HostTorrc, ImageName, Port, Service, services};
pub use shell::{quoted, words};

#[cfg(test)]
mod tests;
