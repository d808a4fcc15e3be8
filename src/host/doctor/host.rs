//! The machine: the kernel, the clock, memory, limits.

use super::{Check, output};
use crate::build::sandbox::namespaces::{Namespaces, has_cgroups, has_landlock};

/// Less memory, and the kernel ends a relay when it is busy; in MiB.
const MEMORY: u64 = 500;
/// Relays are called by many others at once; the kernel's default since Linux 5.4.
const BACKLOG: u64 = 4096;

/// Everything about the machine that does not depend on the relay.
pub fn host() -> Vec<Check> {
    let read = |path: &str| fs_err::read_to_string(path).ok();
    let synchronized = output(
        "timedatectl",
        &["show", "--property", "NTPSynchronized", "--value"],
    );
    vec![
        namespaces(),
        builder(rustix::process::geteuid().is_root()),
        terminal(read("/proc/sys/dev/tty/legacy_tiocsti").as_deref()),
        landlock(has_landlock()),
        cgroups(has_cgroups()),
        clock(synchronized.as_deref()),
        memory(read("/proc/meminfo").as_deref()),
        backlog(read("/proc/sys/net/core/somaxconn").as_deref()),
    ]
}

/// Only building needs them: an image may come from elsewhere.
fn namespaces() -> Check {
    match Namespaces::probe() {
        Ok(()) => Check::ok("namespaces", "the image can be built here"),
        Err(error) => Check::warn(
            "namespaces",
            format!("the image cannot be built here: {error}"),
            error
                .hint()
                .unwrap_or_else(|| "build it elsewhere".to_owned()),
        ),
    }
}

/// The sandbox gives the super-user's identity up, but a user never had it.
pub(super) fn builder(is_root: bool) -> Check {
    match is_root {
        false => Check::ok("builder", "not the super-user"),
        true => Check::warn(
            "builder",
            "root: build steps run as another user, but a hole in the sandbox would lead further \
             than necessary",
            "build as an ordinary user",
        ),
    }
}

/// Whether programs may type into the terminal they run in (since Linux 6.2 it can be forbidden).
/// Build steps have none; other programs do.
pub(super) fn terminal(legacy_tiocsti: Option<&str>) -> Check {
    match legacy_tiocsti.map(str::trim) {
        Some("1") => Check::warn(
            "terminal",
            "dev.tty.legacy_tiocsti is 1: any program can type into the terminal it runs in",
            "sudo sysctl dev.tty.legacy_tiocsti=0",
        ),
        Some(_) => Check::ok("terminal", "programs cannot type into it"),
        None => Check::ok("terminal", "this kernel has no dev.tty.legacy_tiocsti"),
    }
}

pub(super) fn landlock(is_there: bool) -> Check {
    match is_there {
        true => Check::ok("landlock", "build steps are confined a second time"),
        false => Check::warn(
            "landlock",
            "this kernel does not have it, so build steps are confined by mounts alone",
            "boot a kernel 5.13 or newer, with `landlock` in its `lsm=` parameter",
        ),
    }
}

pub(super) fn cgroups(are_delegated: bool) -> Check {
    match are_delegated {
        true => Check::ok("cgroups", "the kernel limits the memory of a build step"),
        false => Check::warn(
            "cgroups",
            "this user cannot create a cgroup (v2) with a memory limit, so a build step's memory \
             is checked from outside, which reacts more slowly",
            "run the build as `systemd-run --user --scope --property Delegate=yes cargo xtask build-image`",
        ),
    }
}

/// Tor refuses a consensus that is not of this hour.
pub(super) fn clock(synchronized: Option<&str>) -> Check {
    let fix = "sudo timedatectl set-ntp true";
    match synchronized {
        Some("yes") => Check::ok("clock", "synchronised"),
        Some(_) => Check::fail(
            "clock",
            "not synchronised: tor does not work if the clock is off by more than an hour",
            fix,
        ),
        None => Check::warn(
            "clock",
            "timedatectl does not say whether it is synchronised",
            "check `date --utc`, and let chrony or systemd-timesyncd keep it correct",
        ),
    }
}

pub(super) fn memory(meminfo: Option<&str>) -> Check {
    let mut lines = meminfo.unwrap_or_default().lines();
    let total = lines.find_map(|line| {
        let value = line.strip_prefix("MemTotal:")?.trim();
        value.strip_suffix(" kB")?.parse::<u64>().ok()
    });
    match total.map(|kib| kib / 1024) {
        Some(mib) if mib >= MEMORY => Check::ok("memory", format!("{mib} MiB")),
        Some(mib) => Check::warn(
            "memory",
            format!("{mib} MiB: a busy relay needs {MEMORY}"),
            "set `MaxMemInQueues 128 MB` in the torrc, and lower --rate",
        ),
        None => Check::warn(
            "memory",
            "/proc/meminfo does not say how much",
            "see `free -m`",
        ),
    }
}

pub(super) fn backlog(somaxconn: Option<&str>) -> Check {
    match somaxconn.and_then(|text| text.trim().parse::<u64>().ok()) {
        Some(most) if most >= BACKLOG => {
            Check::ok("backlog", format!("net.core.somaxconn is {most}"))
        }
        Some(most) => Check::warn(
            "backlog",
            format!(
                "net.core.somaxconn is {most}: the kernel refuses connections when many arrive at once"
            ),
            format!("sudo sysctl --write net.core.somaxconn={BACKLOG}"),
        ),
        None => Check::warn(
            "backlog",
            "net.core.somaxconn cannot be read",
            "see `sysctl net.core.somaxconn`",
        ),
    }
}
