//! Pluggable transports: how a bridge hides what its traffic is.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use super::Error;

/// A transport that tor starts, given as `name=/path/to/binary` with `:port` after it where
/// the port matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transport {
    /// Its name in the bridge's lines: `obfs4`, `webtunnel`.
    pub name: String,
    /// The program, as an absolute path inside the container.
    pub binary: String,
    /// The port it listens on; the one after the ORPort if not given.
    pub port: Option<NonZeroU16>,
}

/// The program of the transport obfs4, in the image that has one.
pub const LYREBIRD: &str = "/usr/local/bin/lyrebird";

impl Transport {
    /// obfs4 as the image speaks it, on `port`.
    pub fn obfs4(port: NonZeroU16) -> Self {
        Self {
            name: "obfs4".to_owned(),
            binary: LYREBIRD.to_owned(),
            port: Some(port),
        }
    }
}

impl FromStr for Transport {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |reason: &str| Error::Transport {
            given: text.to_owned(),
            reason: reason.to_owned(),
        };
        let (name, rest) = text
            .split_once('=')
            .ok_or_else(|| refuse("it is not like obfs4=/usr/bin/lyrebird"))?;
        // A C identifier (pt-spec).
        let identifier = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty()
            || !name.chars().all(identifier)
            || name.starts_with(|c: char| c.is_ascii_digit())
        {
            return Err(refuse(
                "its name has more in it than letters, digits and `_`",
            ));
        }
        let (binary, port) = match rest.rsplit_once(':') {
            Some((binary, port)) => {
                let port = port.parse();
                let port = port.map_err(|_| refuse("what follows the `:` is not a port"))?;
                (binary, Some(port))
            }
            None => (rest, None),
        };
        // The torrc line is split at spaces, and knows no quotes there.
        if !binary.starts_with('/') || binary.contains(|c: char| c.is_whitespace() || c == '#') {
            return Err(refuse("its binary is not an absolute path without spaces"));
        }
        Ok(Self {
            name: name.to_owned(),
            binary: binary.to_owned(),
            port,
        })
    }
}

/// How a bridge's address is handed out (tor's manual, `BridgeDistribution`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// As the distributor sees fit.
    Any,
    /// Not at all: you give it to those who need it.
    None,
    /// On bridges.torproject.org.
    Https,
    /// By mail.
    Email,
    /// Inside Tor Browser.
    Settings,
}

impl Distribution {
    const ALL: [Self; 5] = [
        Self::Any,
        Self::None,
        Self::Https,
        Self::Email,
        Self::Settings,
    ];

    /// Its name in the torrc.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::None => "none",
            Self::Https => "https",
            Self::Email => "email",
            Self::Settings => "settings",
        }
    }
}

impl FromStr for Distribution {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let way = Self::ALL.into_iter().find(|way| way.name() == text);
        way.ok_or_else(|| Error::Distribution {
            given: text.to_owned(),
        })
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transports() {
        let read = |text: &str| text.parse::<Transport>();
        let obfs4 = read("obfs4=/usr/bin/lyrebird").unwrap();
        assert_eq!(
            (obfs4.binary.as_str(), obfs4.port),
            ("/usr/bin/lyrebird", None)
        );
        let obfs4 = read("obfs4=/usr/bin/lyrebird:443").unwrap();
        assert_eq!(obfs4.port, NonZeroU16::new(443));
        for bad in [
            "",
            "obfs4",
            "obfs4=",
            "obfs4=lyrebird",
            "obfs4=/a b",
            "=/a",
            "ob-fs4=/a",
            "4obfs=/a",
            "obfs4=/a:",
            "obfs4=/a:0",
            "obfs4=/a:x",
            "obfs4=/a#b",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn distributions() {
        for way in Distribution::ALL {
            assert_eq!(way.name().parse::<Distribution>().unwrap(), way);
        }
        assert!("moat".parse::<Distribution>().is_err());
    }
}
