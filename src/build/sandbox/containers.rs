//! The engines that make containers, for those who may not make namespaces of their own or
//! whose daemon is on another machine.
//!
//! No folder of this machine is mounted, for the daemon may not see it. The root is imported
//! as an image, named by its digest. What a command works on goes in as a tar on its
//! standard input, what it made comes out as a tar on its standard output, and its log on
//! standard error. Its standard input stays open until it is done: when this process ends,
//! however it ends, the command sees the end of its input and ends with all it started, and
//! the engine removes the container.

mod archive;
mod program;
mod room;
mod trouble;

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fs_err as fs;
use rustix::process::{Resource, getrlimit};

use self::archive::Input;
pub use self::program::Program;
use self::room::Room;
use super::job::{HOST_NAME, TAIL_LINES, USER, tail};
use super::{Error, Job, Mount, Sandbox, Used};
use crate::base::digest::Digest;
use crate::base::listing::Listing;
use crate::unpack;

/// Goes up when the form of an image changes.
const ROOTFS_FORMAT: u32 = 2;
/// How often a running command is looked at.
const WATCH: Duration = Duration::from_millis(200);
/// More open files than a linker needs.
const OPEN_FILES: u64 = 65_536;
/// The label of every container and image.
const LABEL: &str = "org.relaysmith.builder";
/// What the engine's own failure makes its client exit with, for both programs.
const ENGINE_FAILED: i32 = 125;
/// What the wrapper exits with when the kernel ended something for want of memory.
const OUT_OF_MEMORY: i32 = 121;
/// What it exits with when a file system of the step is full.
const OUT_OF_ROOM: i32 = 122;
/// What a program says that cannot write any more, as C and as Go put it.
const NO_ROOM: [&str; 2] = ["No space left on device", "no space left on device"];
/// The start of the path of what a step needs, which goes in with it; the rest is its root.
const NEEDS: &str = "/deps/";

/// Takes in the tar of `$1` bytes, makes the job tokens `$2`, and runs the script `$3` with
/// the environment that the other arguments are; then gives out what it made. The first process,
/// which nothing in here can end, waits for what watches the input: who kills that ends all.
const WRAPPER: &str = "\
set -u
umask 022
exec 3>&1 1>&2 4<&0
head -c \"$1\" | tar -x -C / || exit 1
mkfifo /tmp/jobs && exec 9<>/tmp/jobs && printf %s \"$2\" >&9 || exit 125
cat <&4 >/dev/null 3>&- 9>&- &
watch=$!
script=$3
shift 3
cd /build
(
    /usr/bin/env -i \"$@\" /tools/sh -eu -c \"$script\" </dev/null 3>&- 4<&-
    echo \"$?\" >/tmp/ended
    kill \"$watch\"
) 3>&- &
exec 4<&-
wait \"$watch\" 2>/dev/null
read -r code </tmp/ended
[ \"${code:=137}\" = 0 ] && exec tar -c -C /build out >&3
grep -qs '^oom_kill [1-9]' /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control &&
    exit 121
df /build /tmp /dev/shm | grep -q ' 100% ' && exit 122
exit \"$code\"
";

/// Runs commands in containers.
#[derive(Debug)]
pub struct Containers {
    program: Program,
    /// Holds what goes in and comes out.
    scratch: PathBuf,
    /// The digests of what is part of an image: its trees do not change under way.
    digests: Mutex<BTreeMap<PathBuf, Digest>>,
}

impl Containers {
    /// An engine that keeps its files in `folder`.
    ///
    /// # Errors
    /// When `folder` cannot be written.
    pub fn new(program: Program, folder: &Path) -> Result<Self, Error> {
        let scratch = folder.join("containers");
        fs::create_dir(&scratch)?;
        Ok(Self {
            program,
            scratch,
            digests: Mutex::default(),
        })
    }

    /// The image of the root of `job`, imported unless the engine has it.
    fn image(&self, job: &Job) -> Result<String, Error> {
        // One at a time: the steps of one root want the same image.
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        let mounts: Vec<&Mount> = (job.root.mounts.iter())
            .chain(&job.mounts)
            .filter(|mount| !mount.inside.starts_with(NEEDS))
            .collect();
        let mut covers = format!("format: {ROOTFS_FORMAT}\nuser: {USER}\n");
        for mount in &mounts {
            let digest = match digests.get(&mount.host) {
                Some(digest) => *digest,
                None => {
                    let files = Listing::read(&mount.host).map_err(io::Error::other)?;
                    *(digests.entry(mount.host.clone())).or_insert(files.digest())
                }
            };
            covers += &format!("{}: {digest}\n", mount.inside);
        }
        let name = format!(
            "relaysmith-root:{}",
            Digest::sha256(covers.as_bytes()).hex()
        );
        let inspect = ["image", "inspect", "--format", "{{.Id}}", &name];
        let known = self.program.command().args(inspect).output();
        if known
            .map_err(|error| self.program.absent(&error))?
            .status
            .success()
        {
            return Ok(name);
        }
        self.import(&name, &mounts)?;
        Ok(name)
    }

    fn import(&self, name: &str, mounts: &[&Mount]) -> Result<(), Error> {
        let label = format!("LABEL {LABEL}=root");
        let mut command = self.program.command();
        command.args(["import", "--change", &label, "-", name]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|error| self.program.absent(&error))?;
        let written = match child.stdin.take() {
            Some(stdin) => archive::root(stdin, mounts),
            None => Ok(()),
        };
        let output = child.wait_with_output()?;
        // When the engine gives up, so does the writer; the engine knows why.
        match output.status.success() {
            true => Ok(written?),
            false => Err(self.program.failed(&output.stderr)),
        }
    }

    /// Starts the command of `job`, about to be sent `size` bytes of tar.
    fn spawn(
        &self,
        job: &Job,
        name: &str,
        (size, room): (u64, Room),
        tokens: usize,
        out: &Path,
    ) -> Result<Child, Error> {
        let image = self.image(job)?;
        let log = fs::File::create(&job.log)?;
        let mut command = self.program.command();
        command.args([
            "run",
            "--rm",
            "--interactive",
            "--pull",
            "never",
            "--name",
            name,
        ]);
        command.args(["--label", &format!("{LABEL}={}", job.step)]);
        command.args(["--network", "none", "--hostname", HOST_NAME]);
        command.args(["--user", &format!("{USER}:{USER}"), "--cap-drop", "ALL"]);
        command.args(["--security-opt", "no-new-privileges", "--read-only"]);
        command.args(room.arguments());
        let memory = job.limits.memory.to_string();
        command.args(["--memory", &memory, "--memory-swap", &memory]);
        // The daemon would keep another copy of all that comes out.
        command.args(["--log-driver", "none"]);
        command.args(["--pids-limit", &job.limits.processes.to_string()]);
        command.args(["--ulimit", "core=0"]);
        command.args(["--ulimit", &format!("fsize={}", job.limits.disk)]);
        if self.program == Program::Podman {
            // It asks for more than this process may have, and then fails.
            let most = |name| getrlimit(name).maximum.unwrap_or(u64::MAX);
            let files = most(Resource::Nofile).min(OPEN_FILES);
            let processes = most(Resource::Nproc).min(job.limits.processes);
            command.args(["--ulimit", &format!("nofile={files}:{files}")]);
            command.args(["--ulimit", &format!("nproc={processes}:{processes}")]);
        }
        if let Some(count) = job.limits.processors {
            command.args(["--cpuset-cpus", &format!("0-{}", count.saturating_sub(1))]);
        }
        command.args(["--env", "PATH=/usr/bin:/bin", "--workdir", "/"]);
        command.args([&image, "/bin/sh", "-c", WRAPPER, "sh"]);
        command.args([size.to_string(), "+".repeat(tokens), job.script.clone()]);
        command.args(
            job.env
                .iter()
                .map(|(name, value)| format!("{name}={value}")),
        );
        command
            // Ctrl-C is for this process; the container ends with it.
            .process_group(0)
            // Podman's monitor leaves a file where it is when memory runs out.
            .current_dir(&self.scratch)
            .stdin(Stdio::piped())
            .stdout(fs::File::create(out)?.into_parts().0)
            .stderr(log.into_parts().0);
        command.spawn().map_err(|error| self.program.absent(&error))
    }

    /// Why the command of `job` ended with `status`.
    fn why(&self, job: &Job, status: ExitStatus) -> Error {
        let (step, log) = (job.step.clone(), job.log.clone());
        let program = Some(self.program);
        let said = tail(&job.log, TAIL_LINES);
        if status.code() == Some(ENGINE_FAILED) {
            return self.program.failed(said.as_bytes());
        }
        if status.code() == Some(OUT_OF_MEMORY) {
            let limit = job.limits.memory;
            return Error::MemoryFull {
                step,
                limit,
                program,
                log,
            };
        }
        // The other jobs of `make` may have printed much since.
        let more = tail(&job.log, usize::MAX);
        if status.code() == Some(OUT_OF_ROOM) || NO_ROOM.iter().any(|words| more.contains(words)) {
            let limit = room::most(&job.limits);
            return Error::DiskFull {
                step,
                limit,
                program,
                log,
            };
        }
        Error::Failed {
            step,
            reason: format!("{status} in {}", self.program),
            log,
            tail: said,
        }
    }

    /// Ends the container `name` and all that runs in it.
    fn remove(&self, name: &str) {
        let mut command = self.program.command();
        command.args(["rm", "--force", name]);
        // It may be gone already, or not be there yet: then its input has ended.
        let _ = command.output();
    }

    /// Feeds the command and waits until it is done or has to be ended.
    fn attend(
        &self,
        job: &Job,
        (name, mut child): (&str, Child),
        mut tar: fs::File,
        out: &Path,
        cancelled: &AtomicBool,
    ) -> Result<ExitStatus, Error> {
        let size = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
        let started = Instant::now();
        let stdin = child.stdin.take();
        std::thread::scope(|scope| {
            let feeder = scope.spawn(move || {
                // When the command ends early nobody reads on; its exit code says why.
                let mut stdin = stdin?;
                let _ = io::copy(&mut tar, &mut stdin);
                let _ = stdin.flush();
                Some(stdin)
            });
            let mut ended_by = None;
            let status = loop {
                if let Some(status) = child.try_wait()? {
                    break status;
                }
                let (step, log) = (job.step.clone(), job.log.clone());
                if cancelled.load(Ordering::Relaxed) {
                    ended_by = Some(Error::Cancelled { step });
                } else if started.elapsed() >= job.limits.time {
                    let limit = job.limits.time;
                    ended_by = Some(Error::TimedOut { step, limit, log });
                } else if size(&log) > job.limits.log {
                    let limit = job.limits.log;
                    ended_by = Some(Error::LogFull { step, limit, log });
                } else if size(out) > job.limits.disk {
                    // Holes in files are written out.
                    let limit = job.limits.disk;
                    let program = Some(self.program);
                    ended_by = Some(Error::DiskFull {
                        step,
                        limit,
                        program,
                        log,
                    });
                }
                if ended_by.is_some() {
                    child.kill()?;
                    // The end of its input ends it, too, if this process is the one that ends.
                    self.remove(name);
                }
                std::thread::sleep(WATCH);
            };
            // Only now: the end of its input would have ended the command.
            drop(feeder.join());
            ended_by.map_or(Ok(status), Err)
        })
    }
}

impl Sandbox for Containers {
    fn run(&self, job: &Job, cancelled: &AtomicBool) -> Result<Used, Error> {
        let folder = tempfile::Builder::new()
            .prefix("relaysmith-")
            .tempdir_in(&self.scratch)?;
        let name = folder
            .path()
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let needs = job
            .mounts
            .iter()
            .filter(|mount| mount.inside.starts_with(NEEDS));
        let Input { tar, needs } =
            archive::input(&folder.path().join("in.tar"), &job.build, needs)?;
        let sent = (tar.metadata()?.len(), Room::new(&job.limits, needs));
        let out = folder.path().join("out.tar");
        let tokens = Tokens::take(job.tokens.as_deref())?;
        let child = self.spawn(job, &name, sent, tokens.count, &out)?;
        let status = self.attend(job, (&name, child), tar, &out, cancelled)?;
        drop(tokens);
        if status.success() {
            let made = folder.path().join("made");
            unpack::unpack_output(&job.step, &out, job.limits.disk, &made)
                .map_err(io::Error::other)?;
            fs::rename(made.join("out"), job.build.join("out"))?;
            return Ok(Used::default());
        }
        Err(self.why(job, status))
    }
}

/// Job tokens, moved into a container, which cannot reach the FIFO of this machine: whatever
/// is free when the command starts. So several commands may be one after the other where
/// they could be side by side, but never more processes run than the budget has.
struct Tokens {
    fifo: Option<fs::File>,
    count: usize,
}

impl Tokens {
    fn take(path: Option<&Path>) -> io::Result<Self> {
        use fs_err::os::unix::fs::OpenOptionsExt as _;
        /// More than any budget.
        const MOST: usize = 512;
        let Some(path) = path else {
            return Ok(Self {
                fifo: None,
                count: 0,
            });
        };
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let mut options = fs::OpenOptions::new();
        let mut fifo = options
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(path)?;
        let count = match fifo.read(&mut [0; MOST]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            count => count?,
        };
        Ok(Self {
            fifo: Some(fifo),
            count,
        })
    }
}

impl Drop for Tokens {
    fn drop(&mut self) {
        if let Some(fifo) = &mut self.fifo {
            // The FIFO's buffer holds far more than the budget.
            let _ = fifo.write_all(&vec![b'+'; self.count]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_are_free_are_taken_and_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let budget = super::super::jobs::Tokens::new(folder.path(), 3).unwrap();
        let own = budget.take_unless(0, || false).unwrap().unwrap();
        let taken = Tokens::take(Some(budget.path())).unwrap();
        assert_eq!(taken.count, 2);
        assert_eq!(Tokens::take(Some(budget.path())).unwrap().count, 0);
        drop(taken);
        assert_eq!(Tokens::take(Some(budget.path())).unwrap().count, 2);
        drop(own);
        assert_eq!(Tokens::take(Some(budget.path())).unwrap().count, 3);
    }
}
