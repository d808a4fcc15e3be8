//! Where a source may be found, as the manifest writes it.

use std::fmt;
use std::str::FromStr;

/// A place where a source's bytes may be found.
///
/// Registries are never named by host: the machine's own package managers know which
/// they use.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Origin {
    /// An upstream address: `https://…`.
    Https(String),
    /// `debian:pool/…` or `debian:dists/…`, a path under each mirror that apt is configured with.
    Debian(String),
    /// `pypi:project`; the file of that project on the index that pip is configured with.
    Pypi(String),
    /// `crate:name@version` on the registry that cargo is configured with.
    Crate {
        /// The crate.
        name: String,
        /// Its exact version.
        version: String,
    },
}

/// A text that is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an origin: {reason}")]
pub struct ParseOriginError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl FromStr for Origin {
    type Err = ParseOriginError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|reason| ParseOriginError {
            text: text.to_owned(),
            reason,
        })
    }
}

fn parse(text: &str) -> Result<Origin, &'static str> {
    if text.starts_with("http://") {
        return Err("plain http is not accepted, write https");
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("spaces, control and non-ASCII characters are not accepted");
    }
    let (scheme, rest) = text
        .split_once(':')
        .ok_or("it has no scheme: https, debian, pypi or crate")?;
    match scheme {
        "https" => {
            let (host, path) = rest
                .strip_prefix("//")
                .and_then(|rest| rest.split_once('/'))
                .ok_or("it has no path")?;
            if host.is_empty() || host.contains(['@', '?', '#']) {
                return Err("it has no plain host");
            }
            if path.is_empty() || path.contains(['?', '#']) {
                return Err("its path names no file");
            }
            Ok(Origin::Https(text.to_owned()))
        }
        "debian" => {
            let plain = |part: &str| is_plain(part);
            let place = rest.starts_with("pool/") || rest.starts_with("dists/");
            if place && rest.split('/').all(plain) {
                Ok(Origin::Debian(rest.to_owned()))
            } else {
                Err("expected a path such as `pool/main/t/tor/NAME`")
            }
        }
        "pypi" if is_plain(rest) => Ok(Origin::Pypi(rest.to_owned())),
        "pypi" => Err("expected the name of a project"),
        "crate" => match rest.split_once('@') {
            Some((name, version)) if is_plain(name) && is_plain(version) => Ok(Origin::Crate {
                name: name.to_owned(),
                version: version.to_owned(),
            }),
            _ => Err("expected `crate:name@version`"),
        },
        _ => Err("its scheme is none of https, debian, pypi and crate"),
    }
}

/// Whether `name` can be one component of a path and nothing else: no separator, no
/// hidden or parent entry, no option.
pub(super) fn is_plain(name: &str) -> bool {
    !name.starts_with(['.', '-'])
        && !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._+~-".contains(&byte))
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Https(address) => f.write_str(address),
            Self::Debian(path) => write!(f, "debian:{path}"),
            Self::Pypi(project) => write!(f, "pypi:{project}"),
            Self::Crate { name, version } => write!(f, "crate:{name}@{version}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_it_is_read() {
        for text in [
            "https://dist.torproject.org/tor-0.4.9.11.tar.gz",
            "debian:pool/main/t/tor/tor_0.4.9.11.orig.tar.gz",
            "debian:pool/updates/main/n/ncurses/ncurses_6.5+20250216.orig.tar.gz",
            "pypi:nyx",
            "crate:zstd-sys@2.1.2+zstd.1.5.7",
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_origin() {
        for (text, reason) in [
            ("", "it has no scheme"),
            ("tor.tar.gz", "it has no scheme"),
            ("http://dist.torproject.org/tor.tar.gz", "plain http"),
            ("ftp://ftp.gnu.org/make.tar.gz", "its scheme is none of"),
            ("https://", "it has no path"),
            ("https:dist.torproject.org/tor.tar.gz", "it has no path"),
            ("https://dist.torproject.org", "it has no path"),
            ("https://dist.torproject.org/", "its path names no file"),
            ("https:///tor.tar.gz", "it has no plain host"),
            (
                "https://user:secret@host/tor.tar.gz",
                "it has no plain host",
            ),
            ("https://host/tor.tar.gz?token=x", "its path names no file"),
            ("https://host/tor .tar.gz", "spaces"),
            ("https://host/tor\n.tar.gz", "spaces"),
            ("https://höst/tor.tar.gz", "spaces"),
            ("debian:", "expected a path such as"),
            ("debian:/etc/passwd", "expected a path such as"),
            ("debian:pool/../dists/stable", "expected a path such as"),
            ("debian:pool//tor", "expected a path such as"),
            ("debian:pool/main/", "expected a path such as"),
            ("pypi:", "expected the name of a project"),
            ("pypi:a/b", "expected the name of a project"),
            ("crate:zstd-sys", "expected `crate:name@version`"),
            ("crate:zstd-sys@", "expected `crate:name@version`"),
            ("crate:../x@1", "expected `crate:name@version`"),
        ] {
            let error = text.parse::<Origin>().unwrap_err();
            assert!(error.reason.starts_with(reason), "{text}: {error}");
        }
    }
}
