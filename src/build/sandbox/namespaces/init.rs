//! The process inside the new namespaces that becomes the command: it makes the root file
//! system, gives up every privilege, and executes.

use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use rustix::thread::{CapabilitiesSecureBits, CapabilitySet, CapabilitySets};

use super::failure::{Failure, Trying as _};
use super::spec::{Ceilings, Spec, receive};
use super::{filter, landlock, mounts};
use crate::build::sandbox::job::HOST_NAME;

/// Does it all; what comes after is the command.
pub(super) fn run() -> ! {
    // Closed by `execve`: so the keeper sees that there was nothing to say.
    let keeper = std::io::stdin().as_fd().try_clone_to_owned();
    if let Ok(keeper) = keeper.map(UnixStream::from) {
        let failure = become_command(&keeper);
        // If the keeper is gone this process is about to be, too.
        let _ = (&keeper).write_all(failure.as_bytes());
    }
    std::process::exit(1)
}

/// Returns only if it fails, with the reason.
fn become_command(keeper: &UnixStream) -> Failure {
    let spec: Spec = match receive(keeper) {
        Ok(spec) => spec,
        Err(error) => return format!("reading what to run: {error}"),
    };
    if let Err(failure) = prepare(&spec) {
        return failure;
    }
    let error = Command::new(&spec.program)
        .args(&spec.arguments)
        .env_clear()
        .envs(&spec.env)
        .stdin(Stdio::null())
        .exec();
    format!("executing {}: {error}", spec.program)
}

fn prepare(spec: &Spec) -> Result<(), Failure> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).trying("prctl")?;
    mounts::make_root(spec)?;
    rustix::system::sethostname(HOST_NAME.as_bytes()).trying("sethostname")?;
    std::env::set_current_dir(&spec.folder).trying(&spec.folder)?;
    limit(&spec.limits)?;
    drop_capabilities()?;
    rustix::thread::set_no_new_privs(true).trying("prctl(PR_SET_NO_NEW_PRIVS)")?;
    landlock::restrict(spec)?;
    let filter = filter::program().trying("the filter of system calls")?;
    seccompiler::apply_filter(&filter).trying("seccomp")
}

fn limit(most: &Ceilings) -> Result<(), Failure> {
    for (resource, value) in [
        (Resource::Core, 0),
        (Resource::Nproc, most.processes),
        (Resource::Fsize, most.file),
        (Resource::Data, most.data),
        (Resource::Memlock, 1 << 20),
        (Resource::Msgqueue, 0),
        (Resource::Nice, 0),
        (Resource::Rtprio, 0),
    ] {
        // Never above what this process itself may have.
        let value = value.min(getrlimit(resource).maximum.unwrap_or(u64::MAX));
        let both = Rlimit {
            current: Some(value),
            maximum: Some(value),
        };
        setrlimit(resource, both).trying(format_args!("setrlimit({resource:?})"))?;
    }
    Ok(())
}

/// Empties every set, and locks the doors through which a program could get them back.
fn drop_capabilities() -> Result<(), Failure> {
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            // There are no more.
            Err(rustix::io::Errno::INVAL) => break,
            outcome => outcome.trying("prctl(PR_CAPBSET_DROP)")?,
        }
    }
    let bits = CapabilitiesSecureBits::NO_ROOT
        | CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::NO_SETUID_FIXUP
        | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
        | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    rustix::thread::clear_ambient_capability_set().trying("prctl(PR_CAP_AMBIENT)")?;
    rustix::thread::set_capabilities_secure_bits(bits).trying("prctl(PR_SET_SECUREBITS)")?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets {
        effective: none,
        permitted: none,
        inheritable: none,
    };
    rustix::thread::set_capabilities(None, sets).trying("capset")
}
