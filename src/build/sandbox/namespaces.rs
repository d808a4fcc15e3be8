//! The engine that needs nothing but the kernel: unprivileged user namespaces.
//!
//! Every command gets its own user, mount, pid, network, UTS, IPC and cgroup namespaces (see
//! namespaces(7)), a root file system of its own and none of the privileges of this process.
//! When the super-user builds, the command runs as a user that nobody else is. It is process 1
//! of its pid namespace and dies with this process, so nothing survives a kill.

mod again;
mod cgroup;
mod enter;
mod failure;
mod files;
mod filter;
mod identity;
mod init;
mod keeper;
mod landlock;
mod mounts;
mod running;
mod spec;
mod usage;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fs_err as fs;

use self::cgroup::Group;
pub(crate) use self::cgroup::is_delegated as has_cgroups;
pub use self::enter::enter;
pub(crate) use self::landlock::is_there as has_landlock;
use self::running::Running;
use self::spec::{Bind, Ceilings, Outcome, Spec};
use self::usage::Usage;
use super::job::{TAIL_LINES, USER, tail};
use super::{Error, Job, Mount, Sandbox, Used};

/// How often a running command is looked at, to end it when another step has failed.
const WATCH: Duration = Duration::from_millis(200);
/// The most memory that `/tmp` may take up, and `/dev/shm` again.
const SCRATCH: u64 = 1 << 30;

/// Runs commands in namespaces of their own.
#[derive(Debug)]
pub struct Namespaces {
    /// Holds one mount point per run, removed with it.
    scratch: PathBuf,
}

impl Namespaces {
    /// An engine that keeps its mount points in `folder`.
    ///
    /// # Errors
    /// When `folder` cannot be written.
    pub fn new(folder: &Path) -> Result<Self, Error> {
        let scratch = folder.join("mount-points");
        fs::create_dir(&scratch)?;
        Ok(Self { scratch })
    }

    /// Tries out an empty sandbox, so that a host which forbids it is found before anything
    /// is downloaded.
    ///
    /// # Errors
    /// [`Error::NoNamespaces`] with the setting that forbids it.
    pub fn probe() -> Result<(), Error> {
        let folder = tempfile::tempdir()?;
        let mounts: Vec<Mount> = ["/usr", "/bin", "/lib", "/lib64"]
            .into_iter()
            .filter(|name| Path::new(name).is_dir())
            .map(|name| Mount::new(name, name))
            .collect();
        let asked = Ask {
            program: "/bin/sh",
            arguments: &["-c", "exit 0"],
            mounts: &mounts,
            directories: &[],
            environment: &[],
            patience: Duration::from_secs(30),
        };
        let reason = match ask(folder.path(), &asked) {
            Ok((Outcome::Exited(0), _)) => return Ok(()),
            Ok((Outcome::Engine(reason), _)) => reason,
            Ok((outcome, said)) => format!("{outcome:?} {}", String::from_utf8_lossy(&said)),
            Err(error) => error.to_string(),
        };
        Err(Error::NoNamespaces {
            reason,
            hint: why_forbidden(|path| fs::read_to_string(path).ok()),
        })
    }
}

/// A question to a program.
pub(super) struct Ask<'a> {
    /// Its path inside.
    pub(super) program: &'a str,
    pub(super) arguments: &'a [&'a str],
    /// All that it sees, read-only.
    pub(super) mounts: &'a [Mount],
    /// Folders that are empty but for them.
    pub(super) directories: &'a [String],
    /// All that is in its environment.
    pub(super) environment: &'a [(&'a str, &'a str)],
    /// How long it may take.
    pub(super) patience: Duration,
}

/// Runs a program to its end, its root mounted on `base`; returns what it printed, too.
pub(super) fn ask(base: &Path, asked: &Ask<'_>) -> Result<(Outcome, Vec<u8>), Error> {
    let spec = Spec {
        program: asked.program.to_owned(),
        arguments: asked
            .arguments
            .iter()
            .map(|&word| word.to_owned())
            .collect(),
        folder: "/".to_owned(),
        base: base.to_path_buf(),
        binds: asked.mounts.iter().map(read_only).collect(),
        directories: asked.directories.to_vec(),
        env: (asked.environment.iter())
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        user: identity::builder()?,
        ..Spec::default()
    };
    let answer = tempfile::tempfile()?;
    let mut running = Running::start(
        &spec,
        Stdio::from(answer.try_clone()?),
        Stdio::from(answer.try_clone()?),
    )?;
    let outcome = match running.outcome(asked.patience)? {
        Some(outcome) => outcome,
        None => {
            running.end()?;
            Outcome::Engine(format!("no answer within {} s", asked.patience.as_secs()))
        }
    };
    Ok((outcome, usage::beginning(answer)?))
}

fn read_only(mount: &Mount) -> Bind {
    Bind {
        host: mount.host.clone(),
        inside: mount.inside.clone(),
        writable: false,
    }
}

fn spec(job: &Job, base: &Path, user: Option<u32>, group: Option<&Path>) -> Spec {
    let mut binds: Vec<Bind> = (job.root.mounts.iter().chain(&job.mounts))
        .map(read_only)
        .collect();
    // What lies below another comes after it.
    binds.sort_by(|a, b| a.inside.cmp(&b.inside));
    let mut writable = |host: &Path, inside: &str| {
        binds.push(Bind {
            host: host.to_path_buf(),
            inside: inside.to_owned(),
            writable: true,
        });
    };
    writable(&job.build, "/build");
    if let Some(tokens) = &job.tokens {
        writable(tokens, "/jobs");
    }
    let passwd = format!("builder:x:{USER}:{USER}::/build:/tools/sh\n");
    let groups = format!("builder:x:{USER}:\n");
    Spec {
        program: "/tools/sh".to_owned(),
        arguments: vec!["-eu".to_owned(), "-c".to_owned(), job.script.clone()],
        env: job.env.clone(),
        folder: "/build".to_owned(),
        base: base.to_path_buf(),
        binds,
        links: job.root.links.clone(),
        directories: Vec::new(),
        files: vec![
            ("/etc/passwd".to_owned(), passwd),
            ("/etc/group".to_owned(), groups),
        ],
        user,
        cgroup: group.map(Path::to_path_buf),
        processors: job.limits.processors,
        limits: Ceilings {
            processes: job.limits.processes,
            file: job.limits.disk,
            data: job.limits.memory,
            // Twice, so that what is too much is seen, and not only a write that failed.
            scratch: job.limits.disk.saturating_mul(2).min(SCRATCH),
        },
    }
}

impl Sandbox for Namespaces {
    fn run(&self, job: &Job, cancelled: &AtomicBool) -> Result<Used, Error> {
        let mount_point = tempfile::tempdir_in(&self.scratch)?;
        let log = fs::File::create(&job.log)?;
        let user = identity::builder()?;
        if let Some(user) = user {
            identity::give(&job.build, user)?;
            if let Some(tokens) = &job.tokens {
                identity::give(tokens, user)?;
            }
        }
        let group = Group::new(&job.limits);
        let spec = spec(
            job,
            mount_point.path(),
            user,
            group.as_ref().map(Group::path),
        );
        let to_log = || -> std::io::Result<Stdio> { Ok(log.try_clone()?.into_parts().0.into()) };
        let mut running = Running::start(&spec, to_log()?, to_log()?)?;
        let mut usage = Usage::new(job, running.id());
        let deadline = Instant::now() + job.limits.time;
        let outcome = loop {
            if let Some(outcome) = running.outcome(WATCH)? {
                break outcome;
            }
            let (step, log) = (job.step.clone(), job.log.clone());
            let why = if cancelled.load(Ordering::Relaxed) {
                Some(Error::Cancelled { step })
            } else if Instant::now() >= deadline {
                let limit = job.limits.time;
                Some(Error::TimedOut { step, limit, log })
            } else {
                usage.look()
            };
            if let Some(why) = why {
                running.end()?;
                usage.shorten_log()?;
                return Err(why);
            }
        };
        let too_much = usage.at_the_end();
        usage.shorten_log()?;
        if let Some(error) = too_much {
            return Err(error);
        }
        let reason = match outcome {
            Outcome::Exited(0) => {
                let cpu = Some(running.cpu());
                return Ok(Used { cpu });
            }
            Outcome::Exited(code) => format!("exit code {code}"),
            Outcome::Signalled(signal) => format!("signal {signal}"),
            Outcome::Engine(reason) => {
                let step = job.step.clone();
                return Err(Error::Engine { step, reason });
            }
        };
        Err(Error::Failed {
            step: job.step.clone(),
            reason,
            log: job.log.clone(),
            tail: tail(&job.log, TAIL_LINES),
        })
    }
}

/// Names the setting that forbids user namespaces; `read` gives a file's text.
fn why_forbidden(read: impl Fn(&str) -> Option<String>) -> String {
    let is = |path: &str, value: &str| read(path).is_some_and(|text| text.trim() == value);
    if is(
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
    ) {
        "AppArmor restricts unprivileged user namespaces here (the default since Ubuntu 23.10): \
         allow them with `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`"
            .to_owned()
    } else if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        "the kernel forbids unprivileged user namespaces: allow them with \
         `sudo sysctl kernel.unprivileged_userns_clone=1`"
            .to_owned()
    } else if is("/proc/sys/user/max_user_namespaces", "0") {
        "the kernel allows no user namespaces: allow them with \
         `sudo sysctl user.max_user_namespaces=15000`"
            .to_owned()
    } else if is_root_without_privilege(&read) {
        "root lacks CAP_SYS_ADMIN here, as in a container, and cannot hand a build over to an \
         unprivileged user: build as an ordinary user, or give the container the \
         capability (for Docker `--cap-add SYS_ADMIN --security-opt seccomp=unconfined \
         --security-opt apparmor=unconfined --security-opt systempaths=unconfined`)"
            .to_owned()
    } else {
        "inside a container, let it make namespaces of its own (for Docker \
         `--security-opt seccomp=unconfined --security-opt apparmor=unconfined \
         --security-opt systempaths=unconfined`), or build outside the container"
            .to_owned()
    }
}

/// Whether this is the super-user without what makes mounts, as /proc/self/status says.
fn is_root_without_privilege(read: impl Fn(&str) -> Option<String>) -> bool {
    /// The number of CAP_SYS_ADMIN, see capabilities(7).
    const SYS_ADMIN: u32 = 21;
    let Some(status) = read("/proc/self/status") else {
        return false;
    };
    let field = |name: &str| {
        (status.lines()).find_map(|line| line.strip_prefix(name)?.split_whitespace().next())
    };
    let has = |set: u64| set >> SYS_ADMIN & 1 == 1;
    field("Uid:") == Some("0")
        && field("CapEff:")
            .is_some_and(|set| u64::from_str_radix(set, 16).is_ok_and(|set| !has(set)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_names_the_setting() {
        for (file, value, expected) in [
            ("apparmor_restrict_unprivileged_userns", "1\n", "AppArmor"),
            (
                "unprivileged_userns_clone",
                "0\n",
                "kernel.unprivileged_userns_clone=1",
            ),
            (
                "max_user_namespaces",
                "0\n",
                "user.max_user_namespaces=15000",
            ),
            (
                "self/status",
                "Uid:\t0\t0\t0\t0\nCapEff:\t00000000a80425fb\n",
                "--cap-add SYS_ADMIN",
            ),
            (
                "self/status",
                "Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\n",
                "inside a container",
            ),
            (
                "self/status",
                "Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000000000\n",
                "inside a container",
            ),
            ("nothing", "", "inside a container"),
        ] {
            let hint = why_forbidden(|path| path.ends_with(file).then(|| value.to_owned()));
            assert!(hint.contains(expected), "{file}: {hint}");
        }
    }
}
