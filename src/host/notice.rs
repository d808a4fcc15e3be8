//! A container beside an exit that shows people who look at its address what it is: tor did so on
//! its DirPort, which relays no longer have.

use std::fmt::Write as _;
use std::net::IpAddr;

use torrc::Role;

use super::Error;
use super::service::{HostPath, Port, Service};
use super::yaml::quoted;

/// The image that serves the page unless another is named; any that has busybox will do.
pub const BUSYBOX: &str = "docker.io/library/busybox:1.37.0-musl";

/// Where people look.
const PORT: u16 = 80;

/// The page, and what serves it.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The image with busybox.
    pub image: String,
    /// The page on the host.
    pub page: HostPath,
    /// The address of the host that it is served on, unless it is all of them.
    pub bind: Option<IpAddr>,
}

impl Notice {
    /// What stands among the services of the compose file.
    ///
    /// # Errors
    /// If none of the relays is an exit, or one of them has the page's port.
    pub(super) fn service(&self, services: &[Service]) -> Result<String, Error> {
        if !services.iter().any(|service| service.role == Role::Exit) {
            return Err(Error::NoExit);
        }
        let taken = |service: &&Service| service.ports.iter().any(|port| port.outside == PORT);
        if let Some(service) = services.iter().find(taken) {
            return Err(Error::PortTwice {
                port: PORT,
                first: service.name.clone(),
                second: "the notice".to_owned(),
            });
        }
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text);
        Ok(text)
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        const INSIDE: u16 = 8080;
        writeln!(text, "  notice:")?;
        writeln!(text, "    image: {}", quoted(&self.image))?;
        writeln!(
            text,
            "    command: [\"busybox\", \"httpd\", \"-f\", \"-p\", \"{INSIDE}\", \"-h\", \"/www\"]"
        )?;
        writeln!(text, "    user: \"65534:65534\"")?;
        writeln!(text, "    restart: \"unless-stopped\"")?;
        writeln!(text, "    read_only: true")?;
        writeln!(text, "    cap_drop: [\"ALL\"]")?;
        writeln!(text, "    security_opt: [\"no-new-privileges:true\"]")?;
        let port = Port {
            bind: self.bind,
            outside: PORT,
            inside: INSIDE,
        };
        writeln!(text, "    ports: [{}]", quoted(&port.to_string()))?;
        writeln!(text, "    volumes:")?;
        writeln!(text, "      - type: \"bind\"")?;
        writeln!(text, "        source: {}", quoted(self.page.as_str()))?;
        writeln!(text, "        target: \"/www/index.html\"")?;
        writeln!(text, "        read_only: true")
    }
}
