//! How a running relay is controlled: by the health check, by arm and by its operator.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use super::{DATA_DIRECTORY, Error, HashedPassword};

/// The ways in. Each of them wants tor's cookie, which lies in the data directory, or the
/// password.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Control {
    /// A Unix socket, always: the health check asks there.
    pub socket: SocketPath,
    /// A port on the loopback interface of the container.
    pub port: Option<NonZeroU16>,
    /// The password, beside the cookie.
    pub password: Option<HashedPassword>,
}

/// Where a control socket lies inside the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketPath(String);

impl Default for SocketPath {
    /// In the data directory, which only tor's user may enter.
    fn default() -> Self {
        Self(format!("{DATA_DIRECTORY}/control.sock"))
    }
}

impl fmt::Display for SocketPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SocketPath {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // sockaddr_un takes 107 bytes.
        let fits = text.starts_with('/')
            && text.len() <= 100
            && crate::check::is_writable(text)
            && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "#\"\\".contains(c));
        if !fits {
            return Err(Error::ControlSocket {
                given: text.to_owned(),
            });
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets() {
        let read = |text: &str| text.parse::<SocketPath>();
        let path = read("/tordata/control").unwrap();
        assert_eq!(path.to_string(), "/tordata/control");
        for bad in [
            "",
            "none",
            "control",
            "/run/tor/control",
            "/tordata/a b",
            "/tordata/a#b",
            &format!("/{}", "a".repeat(100)),
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
