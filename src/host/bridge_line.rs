//! Bridge lines: what others need to come in by a bridge.

use std::net::{IpAddr, SocketAddr};

/// How long a line may be that is read here; tor's own are some two hundred bytes.
const LONGEST: usize = 4096;

/// A text that is no bridge line to hand on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is none.
    #[error("there is no bridge line")]
    Missing,
    /// Tor did not know its address when it wrote the line.
    #[error("the bridge line has no address: tor did not know its own when it wrote the line")]
    Placeholder,
    /// Nobody outside reaches the address.
    #[error(
        "the bridge line has the address {address}, which nobody outside this network can reach"
    )]
    Address {
        /// The address.
        address: IpAddr,
    },
    /// It is something else.
    #[error("not a bridge line: {reason}: `{}`", shown::shown(.text.as_bytes()))]
    Syntax {
        /// The line.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl Error {
    /// What fixes it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing => "tor writes it once a transport is running: is this a bridge from `cargo xtask torrc bridge --obfs4-port PORT`, in the image from `cargo xtask build-image --with obfs4`?",
            Self::Placeholder | Self::Address { .. } => "write `Address` and the public IPv4 address of the machine into the torrc, and restart the container",
            Self::Syntax { .. } => "tor did not write the container's `bridgelines`: ask the relay itself with `docker exec NAME relay-health bridge-line`",
        }.to_owned())
    }
}

/// The lines in `text`, which tor or `relay-health bridge-line` wrote, as one may paste each of
/// them into Tor Browser, or after `Bridge` into a torrc.
///
/// # Errors
/// When there is none, or one that is of no use to others.
pub fn bridge_lines(text: &str) -> Result<Vec<String>, Error> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<String> = lines.map(line).collect::<Result<_, _>>()?;
    match lines.is_empty() {
        true => Err(Error::Missing),
        false => Ok(lines),
    }
}

fn line(text: &str) -> Result<String, Error> {
    let refuse = |reason| Error::Syntax {
        text: text.chars().take(200).collect(),
        reason,
    };
    let line = text.strip_prefix("Bridge ").unwrap_or(text);
    if line.contains('<') {
        return Err(Error::Placeholder);
    }
    if line.len() > LONGEST || !line.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(refuse("it is too long, or not ASCII"));
    }
    let mut words = line.split(' ');
    let name = words.next().unwrap_or_default();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(refuse("it does not begin with the name of a transport"));
    }
    let address = words
        .next()
        .and_then(|word| word.parse::<SocketAddr>().ok());
    let Some(address) = address else {
        return Err(refuse("there is no address and port after the name"));
    };
    let fingerprint = words.next().unwrap_or_default();
    if fingerprint.len() != 40 || !fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(refuse("there is no fingerprint after the address"));
    }
    if !words.all(|word| word.split_once('=').is_some_and(|(key, _)| !key.is_empty())) {
        return Err(refuse(
            "the words after the fingerprint are not `key=value`",
        ));
    }
    let inner = match address.ip() {
        IpAddr::V4(ip) => {
            ip.is_private() || ip.is_link_local() || ip.is_unspecified() || ip.is_loopback()
        }
        IpAddr::V6(ip) => ip.is_unspecified() || ip.is_loopback() || ip.is_unique_local(),
    };
    match inner {
        true => Err(Error::Address {
            address: address.ip(),
        }),
        false => Ok(line.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &str = "65E45DB4F4C312B8B23790937E6EB819204F67F3 cert=ssH+9rP8dG2NLDN2 iat-mode=0";

    #[test]
    fn what_is_handed_on() {
        let text = format!("Bridge obfs4 203.0.113.7:8443 {REST}\n");
        let line = format!("obfs4 203.0.113.7:8443 {REST}");
        assert_eq!(bridge_lines(&text).unwrap(), std::slice::from_ref(&line));
        // As the image prints it.
        assert_eq!(bridge_lines(&line).unwrap(), [line]);
        let v6 = format!("obfs4 [2001:db8::7]:8443 {REST}");
        assert_eq!(bridge_lines(&v6).unwrap(), [v6]);
    }

    #[test]
    fn what_is_refused() {
        let with = |address: &str| bridge_lines(&format!("Bridge obfs4 {address}:8443 {REST}"));
        assert_eq!(with("<IP ADDRESS>").unwrap_err(), Error::Placeholder);
        for address in [
            "0.0.0.0",
            "127.0.0.1",
            "172.17.0.2",
            "10.1.2.3",
            "192.168.0.9",
            "[::]",
            "[fd00::1]",
        ] {
            assert!(
                matches!(with(address), Err(Error::Address { .. })),
                "{address}"
            );
        }
        assert_eq!(bridge_lines("\n \n"), Err(Error::Missing));
        for text in [
            "obfs4".to_owned(),
            format!("obfs4 host:8443 {REST}"),
            format!("obfs4 203.0.113.7 {REST}"),
            "obfs4 203.0.113.7:8443 65E45".to_owned(),
            format!("obfs4 203.0.113.7:8443 {REST} \u{1b}[2J=x"),
            format!("obfs4 203.0.113.7:8443 {REST} more"),
            format!("ob-fs4 203.0.113.7:8443 {REST}"),
            "# a comment".to_owned(),
        ] {
            let error = bridge_lines(&text).unwrap_err();
            assert!(matches!(error, Error::Syntax { .. }), "{text}");
            assert!(!error.to_string().contains('\u{1b}'));
            assert!(error.hint().is_some());
        }
    }
}
