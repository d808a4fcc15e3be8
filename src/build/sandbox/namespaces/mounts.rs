//! The root file system of a sandbox, made of mounts that end with it.
//!
//! It follows what container engines do and is narrower: of `/proc` there are the processes
//! of the sandbox and nothing else, all of it read-only; `/dev` has five devices and no
//! terminal; there is no `/sys`.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use fs_err as fs;
use fs_err::os::unix::fs::symlink;
use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive,
    mount_change, mount_remount, unmount,
};

use super::failure::{Failure, Trying as _};
use super::spec::Spec;

/// The devices that programs take for granted.
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];
/// Links in `/dev` that shells and configure scripts use.
const DEVICE_LINKS: [(&str, &str); 4] = [
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
];
/// What is hidden of a `/proc` that shows more than processes; the list of the OCI runtimes
/// and what newer kernels added.
const HIDDEN: [&str; 19] = [
    "acpi",
    "asound",
    "bus",
    "config.gz",
    "driver",
    "fs",
    "interrupts",
    "iomem",
    "irq",
    "kallsyms",
    "kcore",
    "keys",
    "key-users",
    "kmsg",
    "latency_stats",
    "sched_debug",
    "scsi",
    "timer_list",
    "sysrq-trigger",
];
/// The namespaces of which a user may be denied any more; see namespaces(7).
const NAMESPACES: [&str; 8] = ["user", "mnt", "pid", "net", "uts", "ipc", "cgroup", "time"];

/// Makes the root file system that `spec` describes and goes there.
pub(super) fn make_root(spec: &Spec) -> Result<(), Failure> {
    let slave = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", slave).trying("making the mounts private")?;
    let base = &spec.base;
    tmpfs(base, "mode=755,size=1m", MountFlags::empty())?;
    for bind in &spec.binds {
        let target = below(base, &bind.inside);
        place(&bind.host, &target)?;
        bind_mount(&bind.host, &target, bind.writable)?;
    }
    for directory in &spec.directories {
        fs::create_dir_all(below(base, directory)).map_err(|error| error.to_string())?;
    }
    make_dev(base, spec.limits.scratch)?;
    for (says, at) in &spec.links {
        symlink(says, below(base, at)).map_err(|error| error.to_string())?;
    }
    for (at, text) in &spec.files {
        let at = below(base, at);
        let parent = at.parent().unwrap_or(base);
        let made = fs::create_dir_all(parent).and_then(|()| fs::write(&at, text));
        made.map_err(|error| error.to_string())?;
    }
    let tmp = below(base, "/tmp");
    fs::create_dir_all(&tmp).map_err(|error| error.to_string())?;
    scratch(&tmp, spec.limits.scratch, MountFlags::empty())?;
    forbid_namespaces();
    make_proc(&below(base, "/proc"))?;

    std::env::set_current_dir(base).trying(base.display())?;
    rustix::process::pivot_root(".", ".").trying("pivot_root")?;
    unmount(".", UnmountFlags::DETACH).trying("leaving the host's file system")?;
    std::env::set_current_dir("/").trying("/")?;
    let plain = MountFlags::NOSUID | MountFlags::NODEV;
    read_only("/", plain)?;
    read_only("/dev", plain | MountFlags::NOEXEC)
}

fn below(base: &Path, inside: &str) -> PathBuf {
    base.join(inside.trim_start_matches('/'))
}

/// Makes something at `target` on which `source` can be mounted.
fn place(source: &Path, target: &Path) -> Result<(), Failure> {
    let is_dir = fs::metadata(source)
        .map_err(|error| error.to_string())?
        .is_dir();
    let made = if is_dir {
        fs::create_dir_all(target)
    } else {
        let parent = target.parent().unwrap_or(target);
        fs::create_dir_all(parent).and_then(|()| match target.exists() {
            true => Ok(()),
            false => fs::write(target, ""),
        })
    };
    made.map_err(|error| error.to_string())
}

fn bind_mount(source: &Path, target: &Path, writable: bool) -> Result<(), Failure> {
    let what = || format!("mounting {}", source.display());
    mount_bind_recursive(source, target).trying(what())?;
    let mut flags = MountFlags::NOSUID | MountFlags::NODEV;
    if !writable {
        flags |= MountFlags::RDONLY;
    }
    read_or_write(target, flags)
}

/// Sets the flags of a mount, and keeps the restrictions that it has from where it comes from:
/// the kernel does not let them be lifted.
fn read_or_write(target: &Path, mut flags: MountFlags) -> Result<(), Failure> {
    let has = statvfs(target).trying(target.display())?.f_flag;
    for (is, keeps) in [
        (StatVfsMountFlags::RDONLY, MountFlags::RDONLY),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
    ] {
        if has.contains(is) {
            flags |= keeps;
        }
    }
    mount_remount(target, flags | MountFlags::BIND, c"")
        .trying(format_args!("restricting the mount {}", target.display()))
}

fn read_only(target: &str, flags: MountFlags) -> Result<(), Failure> {
    read_or_write(Path::new(target), flags | MountFlags::RDONLY)
}

fn tmpfs(target: &Path, options: &str, flags: MountFlags) -> Result<(), Failure> {
    let options = CString::new(options).trying("mount options")?;
    let flags = flags | MountFlags::NOSUID | MountFlags::NODEV;
    mount(c"tmpfs", target, c"tmpfs", flags, &*options).trying(format_args!(
        "mounting a file system at {}",
        target.display()
    ))
}

/// A file system in memory that everybody may write to, `size` bytes and as many files as
/// take no more of the kernel's own memory than that.
fn scratch(target: &Path, size: u64, flags: MountFlags) -> Result<(), Failure> {
    let files = (size / 4096).max(64);
    tmpfs(
        target,
        &format!("mode=1777,size={size},nr_inodes={files}"),
        flags,
    )
}

fn make_dev(base: &Path, size: u64) -> Result<(), Failure> {
    let dev = below(base, "/dev");
    fs::create_dir_all(&dev).map_err(|error| error.to_string())?;
    tmpfs(&dev, "mode=755,size=64k", MountFlags::NOEXEC)?;
    for name in DEVICES {
        let (source, target) = (Path::new("/dev").join(name), dev.join(name));
        fs::write(&target, "").map_err(|error| error.to_string())?;
        mount_bind(&source, &target).trying(format_args!("mounting {}", source.display()))?;
        let flags = MountFlags::NOSUID | MountFlags::NOEXEC | MountFlags::BIND;
        mount_remount(&target, flags, c"").trying(format_args!("restricting {name}"))?;
    }
    for (says, at) in DEVICE_LINKS {
        symlink(says, below(base, at)).map_err(|error| error.to_string())?;
    }
    let shm = dev.join("shm");
    fs::create_dir(&shm).map_err(|error| error.to_string())?;
    scratch(&shm, size, MountFlags::NOEXEC)
}

/// Nobody in here makes a namespace any more, not even a user namespace. Where `/proc/sys`
/// cannot be written, the filter of system calls alone says so.
fn forbid_namespaces() {
    for kind in NAMESPACES {
        let _ = fs::write(format!("/proc/sys/user/max_{kind}_namespaces"), "0");
    }
}

/// The processes of the sandbox, read-only: `/proc/sys`, `sysrq-trigger`, `kcore` and the
/// rest, which are the host's own, are not there. A kernel before 5.8 cannot leave them out;
/// then each is covered.
fn make_proc(target: &Path) -> Result<(), Failure> {
    fs::create_dir_all(target).map_err(|error| error.to_string())?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    if mount(c"proc", target, c"proc", flags, c"subset=pid").is_err() {
        mount(c"proc", target, c"proc", flags, None).trying("mounting /proc")?;
        for name in HIDDEN {
            let at = target.join(name);
            match fs::symlink_metadata(&at) {
                Ok(found) if found.is_dir() => {
                    tmpfs(&at, "mode=555,size=0,nr_inodes=2", MountFlags::RDONLY)?;
                }
                Ok(_) => mount_bind("/dev/null", &at).trying(format_args!("hiding {name}"))?,
                Err(_) => {}
            }
        }
        let sys = target.join("sys");
        tmpfs(&sys, "mode=555,size=0,nr_inodes=2", MountFlags::RDONLY)?;
    }
    read_or_write(target, flags | MountFlags::RDONLY)
}
