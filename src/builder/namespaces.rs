//! The engine that needs nothing but the kernel: unprivileged user namespaces.
//!
//! Every command gets its own user, mount, pid, network, UTS and IPC namespaces (see
//! namespaces(7)) through the `hakoniwa` crate. The command is process 1 of its pid
//! namespace and dies with this process, so nothing survives a kill.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fs_err as fs;
use hakoniwa::{Container, Namespace, Rlimit, Runctl, Stdio};
use rustix::process::{Resource, getrlimit};

use super::sandbox::{TAIL_LINES, tail};
use super::{Error, HOST_NAME, Job, Sandbox, USER};

/// How often a running command is looked at, to end it when another step has failed.
const WATCH: Duration = Duration::from_millis(200);
/// How often the size of `/build` is added up.
const DISK_CHECK: Duration = Duration::from_secs(3);

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
        let mut container = bare();
        container.rootdir(folder.path());
        for name in ["/usr", "/bin", "/lib", "/lib64"] {
            if Path::new(name).is_dir() {
                container.bindmount_ro(name, name);
            }
        }
        let outcome = container.command("/bin/sh").args(["-c", "exit 0"]).output();
        let reason = match outcome {
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => output.status.reason,
            Err(error) => error.to_string(),
        };
        Err(Error::NoNamespaces {
            reason,
            hint: why_forbidden(|path| fs::read_to_string(path).ok()),
        })
    }

    fn container(&self, job: &Job, mount_point: &Path) -> Container {
        let mut container = bare();
        container.rootdir(mount_point);
        for mount in job.root.mounts.iter().chain(&job.mounts) {
            container.bindmount_ro(&mount.host.to_string_lossy(), &mount.inside);
        }
        container.bindmount_rw(&job.build.to_string_lossy(), "/build");
        if let Some(tokens) = &job.tokens {
            container.bindmount_rw(&tokens.to_string_lossy(), "/jobs");
        }
        for (says, at) in &job.root.links {
            container.symlink(says, at);
        }
        container.dir("/etc", 0o755);
        container.file(
            "/etc/passwd",
            &format!("builder:x:{USER}:{USER}::/build:/tools/sh\n"),
        );
        container.file("/etc/group", &format!("builder:x:{USER}:\n"));
        limit(&mut container, Rlimit::Core, Resource::Core, 0);
        limit(
            &mut container,
            Rlimit::Nproc,
            Resource::Nproc,
            job.limits.processes,
        );
        limit(
            &mut container,
            Rlimit::Fsize,
            Resource::Fsize,
            job.limits.disk,
        );
        container
    }
}

/// A container with namespaces of its own and nothing mounted but `/proc`, `/dev` and
/// an empty `/tmp`.
pub(super) fn bare() -> Container {
    let mut container = Container::new();
    container
        .unshare(Namespace::Network)
        .unshare(Namespace::Uts)
        .unshare(Namespace::Ipc)
        .uidmap(USER)
        .gidmap(USER)
        .hostname(HOST_NAME)
        .devfsmount("/dev")
        .tmpfsmount("/tmp")
        // A bind mount must keep the restrictions (nodev, noexec) of where it comes from.
        .runctl(Runctl::MountFallback);
    container
}

/// Sets a limit, but never above what this process itself may have.
fn limit(container: &mut Container, name: Rlimit, resource: Resource, value: u64) {
    let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    container.setrlimit(name, value.min(most), value.min(most));
}

impl Sandbox for Namespaces {
    fn run(&self, job: &Job, cancelled: &AtomicBool) -> Result<(), Error> {
        let mount_point = tempfile::tempdir_in(&self.scratch)?;
        let log = fs::File::create(&job.log)?;
        let engine = |reason: String| Error::Engine {
            step: job.step.clone(),
            reason,
        };

        let mut command = self.container(job, mount_point.path()).command("/tools/sh");
        command
            .args(["-eu", "-c", &job.script])
            .envs(&job.env)
            .current_dir("/build")
            .wait_timeout(job.limits.time.as_secs())
            .stdin(Stdio::from(fs::File::open("/dev/null")?.into_parts().0))
            .stdout(Stdio::from(log.try_clone()?.into_parts().0))
            .stderr(Stdio::from(log.into_parts().0));
        if let Some(count) = job.limits.processors {
            stay_on(count)?;
        }
        let started = Instant::now();
        let mut child = command.spawn().map_err(|error| engine(error.to_string()))?;

        let ended_by = Mutex::new(None);
        let (done, ended) = mpsc::channel::<()>();
        let pid = child.id();
        let status = std::thread::scope(|scope| {
            scope.spawn(|| {
                let over = ended;
                let mut next_look = Instant::now() + DISK_CHECK;
                while over.recv_timeout(WATCH) == Err(RecvTimeoutError::Timeout) {
                    let why = if cancelled.load(Ordering::Relaxed) {
                        Error::Cancelled {
                            step: job.step.clone(),
                        }
                    } else if Instant::now() < next_look {
                        continue;
                    } else if size_of(&job.build) > job.limits.disk {
                        let (step, log) = (job.step.clone(), job.log.clone());
                        Error::DiskFull {
                            step,
                            limit: job.limits.disk,
                            log,
                        }
                    } else {
                        next_look = Instant::now() + DISK_CHECK;
                        continue;
                    };
                    kill(pid);
                    *ended_by.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
                    break;
                }
            });
            let status = child.wait();
            drop(done);
            status
        });
        if let Some(why) = ended_by
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
        {
            return Err(why);
        }
        let status = status.map_err(|error| engine(error.to_string()))?;
        if status.success() {
            Ok(())
        } else if started.elapsed() >= job.limits.time {
            Err(Error::TimedOut {
                step: job.step.clone(),
                limit: job.limits.time,
                log: job.log.clone(),
            })
        } else if status.rusage.is_none() {
            // The command itself never ran: the engine says why.
            Err(engine(status.reason))
        } else {
            Err(Error::Failed {
                step: job.step.clone(),
                reason: status.reason,
                log: job.log.clone(),
                tail: tail(&job.log, TAIL_LINES),
            })
        }
    }
}

/// Keeps this thread, and what it starts from here on, on the first `count` of the processors
/// it may use.
fn stay_on(count: usize) -> Result<(), Error> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let may = sched_getaffinity(None).map_err(io::Error::from)?;
    let mut few = CpuSet::new();
    (0..CpuSet::MAX_CPU)
        .filter(|&cpu| may.is_set(cpu))
        .take(count)
        .for_each(|cpu| few.set(cpu));
    Ok(sched_setaffinity(None, &few).map_err(io::Error::from)?)
}

/// Ends the process that guards a sandbox; all that is inside dies with it.
fn kill(pid: u32) {
    use rustix::process::{Pid, Signal, kill_process};
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // If it has ended by itself meanwhile there is nothing left to do.
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// The bytes in a folder; what vanishes while we look counts nothing.
fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => size_of(&entry.path()),
            Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |found| found.len()),
            _ => 0,
        })
        .sum()
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
    } else {
        "inside a container, let it make namespaces of its own (for Docker \
         `--security-opt seccomp=unconfined --security-opt apparmor=unconfined \
         --security-opt systempaths=unconfined`), or build outside of it"
            .to_owned()
    }
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
            ("nothing", "", "inside a container"),
        ] {
            let hint = why_forbidden(|path| path.ends_with(file).then(|| value.to_owned()));
            assert!(hint.contains(expected), "{file}: {hint}");
        }
    }
}
