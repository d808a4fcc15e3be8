//! The process outside a sandbox that makes its namespaces and waits for its end.
//!
//! It has one thread, a session of its own without a terminal, and a keyring of its own.
//! When the engine asks, or is gone, it ends the sandbox; when it dies itself, the kernel does.

use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};

use fs_err as fs;
use nix::sched::{CloneFlags, unshare};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};
use rustix::process::{DumpableBehavior, Pid, PidfdFlags, Signal};
use rustix::process::{Gid, Uid, pidfd_open, pidfd_send_signal, setsid};
use rustix::process::{set_dumpable_behavior, set_parent_process_death_signal};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::again::init_command;
use super::failure::{Failure, Trying as _};
use super::spec::{Ended, Outcome, Spec, receive, send};
use crate::base::cpu;
use crate::build::sandbox::job::USER;

/// Where the super-user's keeper puts all that the sandbox needs, in a mount namespace of its
/// own: a place that everybody may pass, which a home folder is not.
const STAGE: &str = "/tmp";

/// The first open file that is none of the three which every program has.
const FIRST_OTHER: i32 = 3;

/// Does it all and ends.
pub(super) fn run() -> ! {
    let done = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map(UnixStream::from)
        .and_then(|engine| {
            let outcome = keep(&engine).unwrap_or_else(Outcome::Engine);
            // The sandbox is all that this process ever waits for.
            let cpu = cpu::of_children();
            send(&engine, &Ended { outcome, cpu })
        });
    // Who started it reads of a failure from the end of the stream.
    std::process::exit(i32::from(done.is_err()))
}

fn keep(engine: &UnixStream) -> Result<Outcome, Failure> {
    set_parent_process_death_signal(Some(Signal::KILL)).trying("prctl")?;
    let mut spec: Spec = receive(engine).trying("reading what to run")?;
    let null = fs::File::open("/dev/null").map_err(|error| error.to_string())?;
    rustix::stdio::dup2_stdin(&null).trying("dup2")?;
    // What whoever started the build has open (a terminal, a secret) ends with the next `execve`.
    close_fds::set_fds_cloexec(FIRST_OTHER, &[]);
    // No terminal to type into.
    setsid().trying("setsid")?;
    // What is in the user's keyring stays there. A kernel without keyrings has none to hide.
    let _ = keyutils::Keyring::join_anonymous_session();
    if let Some(group) = &spec.cgroup {
        // Only who may change the group that both are in can move; who may not is watched.
        let _ = fs::write(group.join("cgroup.procs"), "0");
    }
    if let Some(count) = spec.processors {
        stay_on(count).trying("sched_setaffinity")?;
    }
    let program = match spec.user {
        Some(user) => Some(step_down(&mut spec, user)?),
        None => None,
    };
    enter_namespaces()?;

    let (ours, theirs) = UnixStream::pair().trying("socketpair")?;
    let mut command = init_command(program.as_deref());
    command.stdin(OwnedFd::from(theirs));
    let child = command.spawn().trying("starting the sandbox")?;
    drop(command);
    send(&ours, &spec).trying("telling the sandbox what to run")?;
    let status = wait(child, engine).trying("waiting for the sandbox")?;
    let mut failure = String::new();
    (&ours)
        .read_to_string(&mut failure)
        .trying("reading what the sandbox says")?;
    if !failure.is_empty() {
        return Err(failure);
    }
    Ok(match (status.code(), status.signal()) {
        (Some(code), _) => Outcome::Exited(code),
        (None, Some(signal)) => Outcome::Signalled(signal),
        (None, None) => Outcome::Engine(status.to_string()),
    })
}

/// Keeps this process on the first `count` of the processors it may use.
fn stay_on(count: usize) -> io::Result<()> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let may = sched_getaffinity(None)?;
    let mut few = CpuSet::new();
    (0..CpuSet::MAX_CPU)
        .filter(|&cpu| may.is_set(cpu))
        .take(count)
        .for_each(|cpu| few.set(cpu));
    Ok(sched_setaffinity(None, &few)?)
}

/// Becomes `user`, from the super-user, for good. What the sandbox needs may lie where only
/// the super-user can go, so it is mounted where everybody can first. Returns where this
/// program is then.
fn step_down(spec: &mut Spec, user: u32) -> Result<PathBuf, Failure> {
    let open = |path: &Path| {
        rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).trying(path.display())
    };
    unshare(CloneFlags::CLONE_NEWNS).trying("making a mount namespace")?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).trying("making the mounts private")?;
    let this = fs::File::open("/proc/self/exe").map_err(|error| error.to_string())?;
    let sources: Vec<OwnedFd> = (spec.binds.iter())
        .map(|bind| open(&bind.host))
        .collect::<Result<_, _>>()?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    // The host's own may be closed to all but the super-user, or have something mounted over
    // parts of it; where a new one cannot be had, the old one may do.
    let _ = mount(c"proc", "/proc", c"proc", flags | MountFlags::NOEXEC, None);
    mount(c"relaysmith", STAGE, c"tmpfs", flags, c"mode=755").trying("mounting the stage")?;

    let stage = Path::new(STAGE);
    for (number, (bind, source)) in spec.binds.iter_mut().zip(&sources).enumerate() {
        let target = stage.join(number.to_string());
        let at = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(source));
        let is_dir = fs::metadata(&at)
            .map_err(|error| error.to_string())?
            .is_dir();
        let made = match is_dir {
            true => fs::create_dir(&target),
            false => fs::write(&target, ""),
        };
        made.map_err(|error| error.to_string())?;
        mount_bind(&at, &target).trying(format_args!("mounting {}", bind.host.display()))?;
        bind.host = target;
    }
    spec.base = stage.join("root");
    fs::create_dir(&spec.base).map_err(|error| error.to_string())?;
    let program = stage.join("program");
    fs::write(&program, "").map_err(|error| error.to_string())?;
    show_program(&this, &program)?;

    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
    rustix::thread::set_thread_groups(&[]).trying("leaving the groups")?;
    rustix::thread::set_thread_res_gid(gid, gid, gid).trying("changing the group")?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).trying("changing the user")?;
    // Both are lost with the super-user's identity. Nobody else is that user, so nobody can
    // use the first against this process.
    set_dumpable_behavior(DumpableBehavior::Dumpable).trying("prctl")?;
    set_parent_process_death_signal(Some(Signal::KILL)).trying("prctl")?;
    Ok(program)
}

/// Has `this` program at `place`, where everybody can execute it: mounted there, for it may be in a
/// folder that only the super-user can enter; and as a copy if only the super-user can execute it,
/// or if its file was replaced since it started. A copy is tens of megabytes for each step.
fn show_program(this: &fs::File, place: &Path) -> Result<(), Failure> {
    match mount_program(this, place) {
        Ok(true) => Ok(()),
        _ => copy_program(this, place).map_err(|error| error.to_string()),
    }
}

/// Whether `this` program, which is open, could be mounted at `place`.
fn mount_program(this: &fs::File, place: &Path) -> io::Result<bool> {
    let is = rustix::fs::fstat(this)?;
    // What is open is of the mount namespace that this process was started in, and of no use here.
    let path = fs::read_link("/proc/self/exe")?;
    let named = rustix::fs::open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let found = rustix::fs::fstat(&named)?;
    let same = (is.st_dev, is.st_ino) == (found.st_dev, found.st_ino);
    if !same || !Mode::from_raw_mode(is.st_mode).contains(Mode::ROTH | Mode::XOTH) {
        return Ok(false);
    }
    let at = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&named));
    Ok(mount_bind(&at, place).is_ok())
}

fn copy_program(mut this: &fs::File, place: &Path) -> io::Result<()> {
    io::copy(&mut this, &mut fs::File::create(place)?)?;
    fs::set_permissions(place, std::fs::Permissions::from_mode(0o755))
}

/// Makes the namespaces, in which this user is [`USER`] and no one else is anybody.
fn enter_namespaces() -> Result<(), Failure> {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    if uid.is_root() && !is_mapped_away() {
        return Err("refusing to map the super-user into a sandbox".to_owned());
    }
    let all = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWCGROUP;
    unshare(all).trying("unshare(...)")?;
    for (file, text) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("{USER} {} 1", uid.as_raw())),
        ("gid_map", format!("{USER} {} 1", gid.as_raw())),
    ] {
        fs::write(Path::new("/proc/self").join(file), text).map_err(|error| error.to_string())?;
    }
    // The capabilities over these namespaces would not outlive the next `execve`.
    let all = rustix::thread::capabilities(None)
        .trying("capget")?
        .permitted;
    let sets = CapabilitySets {
        effective: all,
        permitted: all,
        inheritable: all,
    };
    rustix::thread::set_capabilities(None, sets).trying("capset")?;
    for capability in all.iter() {
        rustix::thread::configure_capability_in_ambient_set(capability, true)
            .trying("prctl(PR_CAP_AMBIENT)")?;
    }
    let _: CapabilitySet = all;
    Ok(())
}

/// Whether user 0 of this process is somebody else outside: it is in a container already.
fn is_mapped_away() -> bool {
    fs::read_to_string("/proc/self/uid_map")
        .is_ok_and(|map| outside(&map, 0).is_some_and(|uid| uid != 0))
}

/// Who the user `inside` is outside, by a map as user_namespaces(7) describes it.
pub(super) fn outside(map: &str, inside: u32) -> Option<u32> {
    map.lines().find_map(|line| {
        let mut numbers = line.split_whitespace().map(|word| word.parse::<u32>().ok());
        let (first, outside, count) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let offset = inside.checked_sub(first).filter(|&offset| offset < count)?;
        outside.checked_add(offset)
    })
}

/// Waits until `child`, and with it everything in its process namespace, has ended; ends it
/// when the engine says a word or is gone.
fn wait(mut child: Child, engine: &UnixStream) -> io::Result<ExitStatus> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let Some(pid) = pid else {
        return child.wait();
    };
    let handle = pidfd_open(pid, PidfdFlags::empty())?;
    loop {
        let mut ready = [
            PollFd::new(&handle, PollFlags::IN),
            PollFd::new(engine, PollFlags::IN),
        ];
        match poll(&mut ready, None) {
            Err(rustix::io::Errno::INTR) => continue,
            outcome => outcome?,
        };
        if !ready[0].revents().is_empty() {
            return child.wait();
        }
        if !ready[1].revents().is_empty() {
            pidfd_send_signal(&handle, Signal::KILL)?;
            return child.wait();
        }
    }
}
