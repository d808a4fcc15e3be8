//! The container engine and the image in it.

use super::{Check, output};
use crate::base::digest::Digest;

/// The oldest Docker that takes the image and confines it.
const DOCKER: (u32, u32) = (20, 10);

/// The engine, compose, how many files it may allow, and whether the image in it is the recorded
/// one: `name` is its tag, `recorded` the digest of its config.
pub fn engine(name: &str, recorded: Option<Digest>, open_files: u32) -> Vec<Check> {
    let docker = output("docker", &["version", "--format", "{{.Server.Version}}"]);
    let client = output("docker", &["--version"]).is_some();
    let podman = output("podman", &["version", "--format", "{{.Client.Version}}"]);
    let v2 = output("docker", &["compose", "version", "--short"]);
    let v1 = output("docker-compose", &["version", "--short"]);
    let mut checks = vec![runs(docker.as_deref(), client, podman.as_deref())];
    if docker.is_some() {
        let id = output("docker", &["image", "inspect", "--format", "{{.Id}}", name]);
        checks.push(compose(v2.as_deref(), v1.as_deref()));
        checks.push(files(daemon_files(), open_files));
        checks.push(image(name, id.as_deref(), recorded));
    }
    checks
}

pub(super) fn runs(docker: Option<&str>, client: bool, podman: Option<&str>) -> Check {
    let install = "install Docker, https://docs.docker.com/engine/install/, or podman";
    match (docker, podman) {
        (Some(version), _) if number(version) >= DOCKER => {
            Check::ok("engine", format!("Docker {version}"))
        }
        (Some(version), _) => Check::fail(
            "engine",
            format!(
                "Docker {version}; the oldest that is known to work is {}.{}",
                DOCKER.0, DOCKER.1
            ),
            install,
        ),
        (None, Some(version)) => Check::ok(
            "engine",
            format!("podman {version}; compose --systemd writes its units"),
        ),
        (None, None) if client => Check::fail(
            "engine",
            "Docker is installed, but its daemon does not answer this user",
            "sudo systemctl start docker; sudo usermod --append --groups docker \"$USER\", and log in again",
        ),
        (None, None) => Check::fail("engine", "neither Docker nor podman is installed", install),
    }
}

fn number(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map_while(|part| part.parse().ok());
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

pub(super) fn compose(v2: Option<&str>, v1: Option<&str>) -> Check {
    match (v2, v1) {
        (Some(version), _) => Check::ok("compose", format!("docker compose {version}")),
        (None, Some(version)) => Check::ok("compose", format!("docker-compose {version}")),
        (None, None) => Check::warn(
            "compose",
            "neither `docker compose` nor `docker-compose` is installed",
            "sudo apt-get install docker-compose, or have `cargo xtask compose` write commands with --docker-run",
        ),
    }
}

/// The most files that the daemon may have open, and so may allow.
fn daemon_files() -> Option<u64> {
    let pid = fs_err::read_to_string("/var/run/docker.pid").ok()?;
    let limits = fs_err::read_to_string(format!("/proc/{}/limits", pid.trim())).ok()?;
    hard_files(&limits)
}

/// The hard limit in `/proc/<pid>/limits`.
pub(super) fn hard_files(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().nth(1)? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

pub(super) fn files(most: Option<u64>, wanted: u32) -> Check {
    match most {
        Some(most) if most >= u64::from(wanted) => {
            Check::ok("open files", format!("the engine can allow {wanted}"))
        }
        Some(most) => Check::fail(
            "open files",
            format!(
                "the engine's own limit is {most} files, so it cannot allow {wanted}: `error setting rlimit`"
            ),
            format!(
                "cargo xtask compose --open-files {most}, or raise LimitNOFILE of docker.service"
            ),
        ),
        None => Check::warn(
            "open files",
            "the engine's limit on open files cannot be read",
            "if it says `error setting rlimit`: cargo xtask compose --open-files N",
        ),
    }
}

pub(super) fn image(name: &str, id: Option<&str>, recorded: Option<Digest>) -> Check {
    let with = match name.contains("-obfs4") {
        true => " --with obfs4",
        false => "",
    };
    let load =
        format!("cargo xtask build-image{with} && docker load --input dist/tor-*.tar # {name}");
    match (id, recorded) {
        (None, _) => Check::fail("image", format!("{name} is not loaded"), load),
        (Some(id), Some(digest)) if id == digest.to_string() => {
            Check::ok("image", format!("{name} is {id}, as recorded"))
        }
        (Some(id), Some(digest)) => Check::fail(
            "image",
            format!("{name} is {id}, but {digest} is recorded: it was built from something else"),
            load,
        ),
        (Some(id), None) => Check::warn(
            "image",
            format!("{name} is {id}; nothing is recorded to compare it with"),
            "cargo xtask build-image shows how it compares",
        ),
    }
}
