//! A relay's container: one description, from which the compose file, the command line and
//! the Quadlet unit are written.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;

use serde::Serialize;

use super::Error;
use torrc::check::{self, Files, Severity};
use torrc::{CONFIG_DIRECTORY, DATA_DIRECTORY, FamilyId, Metrics, Nickname, Role};

/// How the one directory for short-lived files is mounted.
pub(super) const TMP: &str = "/tmp:rw,noexec,nosuid,nodev,size=16m";

/// At this signal a relay refuses new circuits and waits before it leaves; at SIGTERM it
/// leaves at once (tor's manual, SIGNALS).
pub(super) const STOP_SIGNAL: &str = "SIGINT";

/// How long a relay waits then unless `ShutdownWaitLength` says otherwise, in seconds.
const SHUTDOWN_WAIT: u64 = 30;

/// What it is given on top to write its state, in seconds.
const MARGIN: u64 = 15;

/// How large a log file gets before the next is begun, and how many there are.
pub(super) const LOG: [(&str, &str); 2] = [("max-size", "10m"), ("max-file", "3")];

/// The container of one relay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Service {
    /// The container's name: `tor-` and the nickname in small letters.
    pub name: String,
    /// The image.
    pub image: ImageName,
    /// The user and group inside, a number.
    pub user: u32,
    /// The torrc's path inside.
    pub torrc: String,
    /// The ports that are published.
    pub ports: Vec<Port>,
    /// The directory on the host that is the configuration inside, read-only.
    pub config: HostPath,
    /// The directory on the host that is the data inside.
    pub data: HostPath,
    /// What the relay does in the network.
    pub role: Role,
    /// What answers Prometheus, if other containers may ask.
    #[serde(skip)]
    pub metrics: Option<Metrics>,
    /// Whether the image must be one with obfs4.
    pub wants_obfs4: bool,
    /// How long the container is given to stop, in seconds.
    pub stop_seconds: u64,
    /// The most files and connections it may have open.
    pub open_files: u32,
    /// The most memory that it may use, in MiB.
    pub memory: u32,
}

/// A port that is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Port {
    /// The address of the host, unless it is all of them.
    pub bind: Option<IpAddr>,
    /// The number on the host, of which others are told.
    pub outside: u16,
    /// The number in the container.
    pub inside: u16,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bind {
            Some(IpAddr::V4(address)) => write!(f, "{address}:")?,
            Some(IpAddr::V6(address)) => write!(f, "[{address}]:")?,
            None => {}
        }
        write!(f, "{}:{}", self.outside, self.inside)
    }
}

/// A torrc on the host.
#[derive(Clone, Copy)]
pub struct HostTorrc<'a> {
    /// Its absolute path.
    pub path: &'a Path,
    /// Its bytes.
    pub text: &'a [u8],
    /// What it may include.
    pub files: &'a dyn Files,
}

/// What all containers on a host have in common.
#[derive(Debug, Clone)]
pub struct Host<'a> {
    /// The image.
    pub image: ImageName,
    /// The user and group inside, a number.
    pub user: u32,
    /// The most files and connections each may have open. Tor takes all it gets; a relay
    /// needs one for each other relay and user, some ten thousand.
    pub open_files: u32,
    /// The most memory that each may use, in MiB. Tor's queues get half of it.
    pub memory: u32,
    /// The address of the host that each relay's ports are published on: one for each, one for
    /// all, or none.
    pub bind: &'a [IpAddr],
    /// The absolute path under which each relay gets a directory for its data.
    pub data: &'a Path,
}

/// The containers of the relays that `sources` describe. Each has a name, ports and data of
/// its own, and public relays are of one family; refused otherwise.
pub fn services(host: &Host<'_>, sources: &[HostTorrc<'_>]) -> Result<Vec<Service>, Error> {
    let bound = match host.bind {
        [] => vec![None; sources.len()],
        [one] => vec![Some(*one); sources.len()],
        each if each.len() == sources.len() => each.iter().copied().map(Some).collect(),
        each => {
            return Err(Error::Binds {
                given: each.len(),
                relays: sources.len(),
            });
        }
    };
    let found: Vec<Found> = sources
        .iter()
        .zip(bound)
        .map(|(source, bind)| find(host, source, bind))
        .collect::<Result<_, _>>()?;
    for (index, second) in found.iter().enumerate() {
        for first in &found[..index] {
            distinct(first, second)?;
        }
    }
    Ok(found.into_iter().map(|found| found.service).collect())
}

/// A service, and what it takes to compare it with others.
struct Found {
    file: String,
    families: Vec<FamilyId>,
    lists_family: bool,
    service: Service,
}

fn find(host: &Host<'_>, source: &HostTorrc<'_>, bind: Option<IpAddr>) -> Result<Found, Error> {
    let file = source.path.display().to_string();
    let checked = check::check(&file, source.text, None, source.files);
    let mut findings = checked.findings.iter();
    if let Some(first) = findings.find(|finding| finding.severity == Severity::Error) {
        return Err(Error::Faulty {
            file,
            first: first.what.clone(),
        });
    }
    let facts = check::facts(&file, source.text, source.files);
    if facts.ports.is_empty() {
        return Err(Error::NoPort { file });
    }
    let published = facts.ports.iter();
    let ports = published.map(|port| Port {
        bind,
        outside: port.outside,
        inside: port.inside,
    });
    let ports = ports.collect();
    let nickname: Nickname = facts.nickname.as_deref().unwrap_or("Unnamed").parse()?;
    let short = nickname.as_str().to_ascii_lowercase();
    let (directory, torrc) = match (source.path.parent(), source.path.file_name()) {
        (Some(directory), Some(name)) => (directory, Path::new(CONFIG_DIRECTORY).join(name)),
        _ => {
            return Err(Error::HostPath {
                given: file,
                reason: "it is not a file",
            });
        }
    };
    Ok(Found {
        file,
        families: facts.families,
        lists_family: facts.lists_family,
        service: Service {
            name: format!("tor-{short}"),
            image: host.image.clone(),
            user: host.user,
            torrc: HostPath::new(&torrc)?.0,
            ports,
            config: HostPath::new(directory)?,
            data: HostPath::new(&host.data.join(short))?,
            open_files: host.open_files,
            memory: host.memory,
            role: checked.role,
            metrics: facts.metrics,
            wants_obfs4: facts.wants_obfs4,
            stop_seconds: facts.shutdown_wait.unwrap_or(SHUTDOWN_WAIT) + MARGIN,
        },
    })
}

fn distinct(first: &Found, second: &Found) -> Result<(), Error> {
    let files = || (first.file.clone(), second.file.clone());
    if first.service.name == second.service.name {
        let (first_file, second_file) = files();
        return Err(Error::SameName {
            name: first.service.name.trim_start_matches("tor-").to_owned(),
            first: first_file,
            second: second_file,
        });
    }
    // What is published on all addresses takes the port of each.
    let same = |a: &Port, b: &Port| {
        a.outside == b.outside && (a.bind == b.bind || a.bind.is_none() || b.bind.is_none())
    };
    let taken = |port: &&Port| second.service.ports.iter().any(|other| same(port, other));
    if let Some(port) = first.service.ports.iter().find(taken) {
        let (first, second) = files();
        return Err(Error::PortTwice {
            port: port.outside,
            first,
            second,
        });
    }
    let public = first.service.role != Role::Bridge && second.service.role != Role::Bridge;
    let shared = first.families.iter().any(|id| second.families.contains(id));
    // Whose fingerprints are listed cannot be seen here: they are made at the first start.
    if public && !shared && !(first.lists_family && second.lists_family) {
        let (first, second) = files();
        return Err(Error::NoFamily { first, second });
    }
    Ok(())
}

/// What lets any user listen below 1024: Docker says so of its own, podman does not.
pub(super) const LOW_PORTS: &str = "net.ipv4.ip_unprivileged_port_start=0";

impl Service {
    /// Whether tor listens on a port that only root may open where nothing is said.
    pub(super) fn has_low_port(&self) -> bool {
        self.ports.iter().any(|port| port.inside < 1024)
    }

    /// What is given to tor inside.
    pub(super) fn arguments(&self) -> [&str; 2] {
        ["-f", &self.torrc]
    }

    /// The directories: on the host, inside, and whether inside may only read.
    pub(super) fn mounts(&self) -> [(&HostPath, &'static str, bool); 2] {
        [
            (&self.config, CONFIG_DIRECTORY, true),
            (&self.data, DATA_DIRECTORY, false),
        ]
    }

    /// What has to be done once, before the first start.
    pub fn preparation(&self) -> String {
        let data = super::shell::quoted(&self.data.0);
        let user = self.user;
        format!("sudo install -d -m 700 -o {user} -g {user} {data}")
    }
}

/// An image, named by digest so that it cannot be another one tomorrow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct ImageName {
    name: Option<String>,
    digest: String,
}

impl ImageName {
    /// The digest that names it: in a registry that of its manifest or of an index over it, of
    /// one that was loaded that of its config.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Whether it is one that was loaded here and is in no registry.
    pub(super) fn is_local(&self) -> bool {
        self.name.is_none()
    }
}

impl FromStr for ImageName {
    type Err = Error;

    /// `name@sha256:…` for an image in a registry, `sha256:…` for one that was loaded.
    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |reason| Error::Image {
            given: text.to_owned(),
            reason,
        };
        let (name, digest) = match text.rsplit_once('@') {
            Some((name, digest)) => (Some(name), digest),
            None => (None, text),
        };
        let hex = digest.strip_prefix("sha256:").unwrap_or_default();
        let digits = hex
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if hex.len() != 64 || !digits {
            return Err(refuse("a name or tag may point to another image tomorrow"));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"./:_-".contains(&b);
        if name.is_some_and(|name| name.is_empty() || !name.bytes().all(plain)) {
            return Err(refuse("its name has characters that images cannot have"));
        }
        Ok(Self {
            name: name.map(str::to_owned),
            digest: digest.to_owned(),
        })
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name}@{}", self.digest),
            None => f.write_str(&self.digest),
        }
    }
}

impl From<ImageName> for String {
    fn from(image: ImageName) -> Self {
        image.to_string()
    }
}

/// An absolute path that compose files, command lines and units can all express.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostPath(String);

impl HostPath {
    /// Takes `path` if it is one.
    pub fn new(path: &Path) -> Result<Self, Error> {
        let refuse = |reason| Error::HostPath {
            given: path.display().to_string(),
            reason,
        };
        let text = path.to_str().ok_or_else(|| refuse("it is not UTF-8"))?;
        if !text.starts_with('/') {
            return Err(refuse("it is not absolute"));
        }
        if text.contains(|c: char| c.is_control() || ":,\"\\".contains(c)) {
            return Err(refuse(
                "engines cannot mount a path with `:`, `,`, `\"` or `\\` in it",
            ));
        }
        // Units are read line by line, and lose blanks at the end.
        if text.trim() != text {
            return Err(refuse("it ends with a space"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests;
