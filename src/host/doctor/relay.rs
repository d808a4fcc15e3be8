//! One relay: its torrc, its ports, its data.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::Check;
use crate::host::Service;
use crate::host::shell::quoted;
use torrc::check::{Finding, Severity};

/// What a relay's data, its log and its image come to in the first months, in MiB.
const SPACE: u64 = 1000;

/// Whether tor itself was asked about the torrc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It was; what it said is in the findings.
    Yes,
    /// It was not, for this reason.
    No(String),
}

/// Everything about the relay of `service`, whose torrc is `file` and has `findings`.
pub fn relay(service: &Service, file: &str, findings: &[Finding], asked: &Asked) -> Vec<Check> {
    let data = Path::new(service.data.as_str());
    let mut checks = vec![torrc(file, findings, asked)];
    for port in &service.ports {
        let address = port.bind.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        let free = TcpListener::bind((address, port.outside)).map(drop);
        checks.push(self::port(port.outside, free));
    }
    let owner = fs_err::metadata(data).map(|found| (found.is_dir(), found.uid(), found.mode()));
    checks.push(self::data(service, owner));
    checks.push(space(data, free_mib(data)));
    checks
}

pub(super) fn torrc(path: &str, findings: &[Finding], asked: &Asked) -> Check {
    let worst = findings.iter().max_by_key(|finding| finding.severity);
    let fix = format!(
        "cargo xtask check-torrc {} shows where, and how to fix it",
        quoted(path)
    );
    match (
        worst.filter(|finding| finding.severity > Severity::Note),
        asked,
    ) {
        (Some(finding), _) if finding.severity == Severity::Error => {
            Check::fail("torrc", format!("{path}: {}", finding.what), fix)
        }
        (Some(finding), _) => Check::warn("torrc", format!("{path}: {}", finding.what), fix),
        (None, Asked::Yes) => Check::ok(
            "torrc",
            format!("{path}: nothing is wrong, and tor accepts it"),
        ),
        (None, Asked::No(why)) => Check::warn(
            "torrc",
            format!("{path}: nothing is wrong, but tor itself was not run: {why}"),
            "cargo xtask build-image",
        ),
    }
}

pub(super) fn port(port: u16, free: io::Result<()>) -> Check {
    match free {
        Ok(()) => Check::ok("port", format!("{port} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Check::fail(
            "port",
            format!("{port} is taken, unless by this relay itself"),
            format!(
                "`sudo ss -ltnp 'sport = :{port}'` shows by what; stop it, or choose another --or-port"
            ),
        ),
        // The engine publishes it, not this user.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Check::ok("port", format!("{port} will be opened by the engine"))
        }
        Err(error) => Check::warn(
            "port",
            format!("{port} cannot be tried: {error}"),
            format!("sudo ss -ltn 'sport = :{port}'"),
        ),
    }
}

/// `owner`: whether it is a directory, its user and its mode.
pub(super) fn data(service: &Service, owner: io::Result<(bool, u32, u32)>) -> Check {
    let (path, user) = (service.data.as_str(), service.user);
    match owner {
        Ok((true, uid, mode)) if uid == user && mode & 0o077 == 0 => {
            Check::ok("data", format!("{path} belongs to user {user} only"))
        }
        Ok((true, uid, mode)) => Check::fail(
            "data",
            format!(
                "{path} belongs to user {uid} and has mode {:o}; tor runs as user {user} and needs it to itself",
                mode & 0o7777
            ),
            format!(
                "sudo chown -R {user}:{user} {0} && sudo chmod 700 {0}",
                quoted(path)
            ),
        ),
        Ok((false, ..)) => Check::fail(
            "data",
            format!("{path} is not a directory"),
            service.preparation(),
        ),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Check::warn(
            "data",
            format!("this user cannot inspect {path}"),
            format!("sudo ls -ldn {} should say {user} {user}", quoted(path)),
        ),
        Err(_) => Check::fail(
            "data",
            format!("{path} does not exist"),
            service.preparation(),
        ),
    }
}

/// What is free on the file system of `path`, or of what is above it.
fn free_mib(path: &Path) -> Option<u64> {
    let found = path
        .ancestors()
        .find_map(|path| rustix::fs::statvfs(path).ok())?;
    Some(found.f_bavail.saturating_mul(found.f_frsize) >> 20)
}

pub(super) fn space(path: &Path, free: Option<u64>) -> Check {
    let path = path.display();
    match free {
        Some(mib) if mib >= SPACE => Check::ok("space", format!("{mib} MiB are free for {path}")),
        Some(mib) => Check::fail(
            "space",
            format!("{mib} MiB are free for {path}; a relay needs {SPACE}"),
            "make room, `docker system df` shows what the engine uses, or choose another place with --data",
        ),
        None => Check::warn(
            "space",
            format!("the free space for {path} cannot be determined"),
            format!("df -h {}", quoted(&path.to_string())),
        ),
    }
}
