//! What a hostile build command tries, and what must come of it. The table holds for every
//! user who builds, the super-user included.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use relaysmith::base::remove::remove;
use relaysmith::build::collect::collect;
use relaysmith::build::sandbox::{Error, Job, Sandbox as _};

use super::fixture::Fixture;

/// System calls, with arguments that would do no harm, after the number that each has on this
/// machine. Each must not be there at all.
const CALLS: &[(&str, libc::c_long, &str)] = &[
    ("ptrace", libc::SYS_ptrace, "0, 0, 0, 0"),
    ("mount", libc::SYS_mount, "\"x\", \"/tmp\", \"tmpfs\", 0, 0"),
    ("umount2", libc::SYS_umount2, "\"/tmp\", 2"),
    ("pivot_root", libc::SYS_pivot_root, "\"/tmp\", \"/tmp\""),
    ("chroot", libc::SYS_chroot, "\"/tmp\""),
    ("unshare(CLONE_NEWUSER)", libc::SYS_unshare, "0x10000000"),
    ("unshare(0)", libc::SYS_unshare, "0"),
    (
        "clone(CLONE_NEWUSER)",
        libc::SYS_clone,
        "0x10000011, 0, 0, 0, 0",
    ),
    (
        "clone(CLONE_NEWNS)",
        libc::SYS_clone,
        "0x00020011, 0, 0, 0, 0",
    ),
    ("clone3", libc::SYS_clone3, "0, 0"),
    ("setns", libc::SYS_setns, "0, 0"),
    (
        "add_key",
        libc::SYS_add_key,
        "\"user\", \"x\", \"y\", 1, -3",
    ),
    (
        "request_key",
        libc::SYS_request_key,
        "\"user\", \"x\", 0, 0",
    ),
    (
        "keyctl(KEYCTL_GET_KEYRING_ID)",
        libc::SYS_keyctl,
        "0, -3, 0",
    ),
    ("bpf", libc::SYS_bpf, "0, 0, 0"),
    (
        "perf_event_open",
        libc::SYS_perf_event_open,
        "0, 0, 0, 0, 0",
    ),
    ("userfaultfd", libc::SYS_userfaultfd, "0"),
    ("io_uring_setup", libc::SYS_io_uring_setup, "1, 0"),
    ("init_module", libc::SYS_init_module, "0, 0, \"\""),
    ("finit_module", libc::SYS_finit_module, "0, \"\", 0"),
    ("delete_module", libc::SYS_delete_module, "\"x\", 0"),
    ("kexec_load", libc::SYS_kexec_load, "0, 0, 0, 0"),
    ("reboot", libc::SYS_reboot, "0, 0, 0, 0"),
    ("syslog", libc::SYS_syslog, "10, 0, 0"),
    ("swapon", libc::SYS_swapon, "\"x\", 0"),
    ("settimeofday", libc::SYS_settimeofday, "0, 0"),
    (
        "process_vm_readv",
        libc::SYS_process_vm_readv,
        "1, 0, 0, 0, 0, 0",
    ),
    ("kcmp", libc::SYS_kcmp, "1, 1, 0, 0, 0"),
    ("pidfd_getfd", libc::SYS_pidfd_getfd, "0, 0, 0"),
    ("open_tree", libc::SYS_open_tree, "0, \"/\", 0"),
    ("fsopen", libc::SYS_fsopen, "\"tmpfs\", 0"),
    ("open_by_handle_at", libc::SYS_open_by_handle_at, "0, 0, 0"),
    ("memfd_create", libc::SYS_memfd_create, "\"x\", 0"),
    ("shmget", libc::SYS_shmget, "0, 4096, 0x3b6"),
    ("msgget", libc::SYS_msgget, "0, 0x3b6"),
    (
        "setxattr",
        libc::SYS_setxattr,
        "\"/build\", \"user.x\", \"y\", 1, 0",
    ),
    ("seccomp", libc::SYS_seccomp, "2, 0, 0"),
    (
        "personality(ADDR_COMPAT_LAYOUT)",
        libc::SYS_personality,
        "0x0200000",
    ),
    ("socket(AF_NETLINK)", libc::SYS_socket, "16, 3, 0"),
    ("socket(AF_PACKET)", libc::SYS_socket, "17, 3, 0"),
    ("socket(AF_ALG)", libc::SYS_socket, "38, 5, 0"),
    ("socket(AF_VSOCK)", libc::SYS_socket, "40, 1, 0"),
    ("ioctl(TIOCSTI)", libc::SYS_ioctl, "0, 0x5412, \"x\""),
    ("ioctl(TIOCLINUX)", libc::SYS_ioctl, "0, 0x541c, \"x\""),
    ("ioctl(TIOCSCTTY)", libc::SYS_ioctl, "0, 0x540e, 1"),
    (
        "ioctl(TIOCSTI) in 64 bits",
        libc::SYS_ioctl,
        "0, 0x100005412, \"x\"",
    ),
    #[cfg(target_arch = "x86_64")]
    (
        "mknod(a device)",
        libc::SYS_mknod,
        "\"/build/d\", 0x21b6, 0x105",
    ),
    (
        "mknodat(a device)",
        libc::SYS_mknodat,
        "-100, \"/build/d\", 0x21b6, 0x105",
    ),
    #[cfg(target_arch = "x86_64")]
    ("getpid of x32", 0x4000_0027, ""),
];

// Guards: B3.
#[test]
fn system_calls_that_a_build_does_not_need_do_not_exist() {
    let fixture = Fixture::new();
    let lines: String = CALLS
        .iter()
        .map(|(name, number, arguments)| format!("perl -e 'my @a = ({arguments}); $! = 0; syscall({number}, @a); print \"{name}: $!\\n\"'\n"))
        .collect();
    let printed = fixture.prints(&lines);
    let expected: String = (CALLS.iter())
        .map(|(name, ..)| format!("{name}: Function not implemented\n"))
        .collect();
    assert_eq!(printed, expected);
}

// Guards: B2.
#[test]
fn the_kernel_has_nothing_to_read_or_set() {
    let fixture = Fixture::new();
    for file in [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/vm/drop_caches",
        "/proc/sys/fs/binfmt_misc/register",
        "/proc/sys/user/max_user_namespaces",
        "/proc/sysrq-trigger",
        "/proc/kcore",
        "/proc/kmsg",
        "/proc/kallsyms",
        "/proc/keys",
        "/proc/key-users",
        "/proc/timer_list",
        "/proc/sched_debug",
        "/proc/interrupts",
        "/proc/iomem",
        "/proc/irq/default_smp_affinity",
        "/proc/bus/pci/devices",
        "/proc/acpi",
        "/proc/scsi/scsi",
        "/proc/fs",
        "/proc/cmdline",
        "/sys/kernel",
        "/sys/fs/cgroup/cgroup.procs",
        "/sys/firmware",
    ] {
        let printed = fixture.prints(&format!(
            "if cat {file} >/dev/null 2>&1; then echo read; fi\n\
             if (: >> {file}) 2>/dev/null; then echo written; fi\n"
        ));
        assert_eq!(printed, "", "{file}");
    }
    for file in [
        "oom_score_adj",
        "comm",
        "uid_map",
        "setgroups",
        "attr/exec",
        "clear_refs",
    ] {
        let script = format!("if (echo 1 > /proc/self/{file}) 2>/dev/null; then echo written; fi");
        assert_eq!(fixture.prints(&script), "", "{file}");
    }
}

// Guards: B3.
#[test]
fn there_is_no_terminal_and_no_device_but_five() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.prints("ls /dev"),
        "fd\nfull\nnull\nrandom\nshm\nstderr\nstdin\nstdout\nurandom\nzero\n"
    );
    for device in [
        "tty", "console", "ptmx", "pts/ptmx", "kmsg", "mem", "fuse", "kvm", "vda",
    ] {
        let script = format!("if (: < /dev/{device}) 2>/dev/null; then echo opened; fi");
        assert_eq!(fixture.prints(&script), "", "{device}");
    }
    // A session of its own, which no terminal controls (field 7 of proc_pid_stat(5)).
    let printed = fixture.prints("cut -d' ' -f 7 /proc/1/stat");
    assert_eq!(printed, "0\n");
}

// Guards: B2.
#[test]
fn every_set_of_capabilities_is_empty() {
    let fixture = Fixture::new();
    let printed = fixture.prints(
        "sed -n 's/^\\(Cap[A-Z][a-z]*\\|NoNewPrivs\\|Seccomp\\|Groups\\):[[:space:]]*/\\1 /p' /proc/self/status",
    );
    let expected = "Groups \nCapInh 0000000000000000\nCapPrm 0000000000000000\n\
        CapEff 0000000000000000\nCapBnd 0000000000000000\nCapAmb 0000000000000000\n\
        NoNewPrivs 1\nSeccomp 2\n";
    // A user's own groups cannot be left without privilege; they are nobody's inside.
    let printed = printed
        .lines()
        .map(|line| match line.strip_prefix("Groups") {
            Some(_) => "Groups \n".to_owned(),
            None => format!("{line}\n"),
        });
    assert_eq!(printed.collect::<String>(), expected);
}

/// What the user 1000 inside is outside.
// Guards: B2.
#[test]
fn a_build_is_never_the_hosts_super_user() {
    let fixture = Fixture::new();
    let map = fixture.prints("cat /proc/self/uid_map; touch made");
    let outside: Vec<&str> = map.split_whitespace().collect();
    assert_eq!(outside[0], "1000", "{map}");
    assert_ne!(outside[1], "0", "{map}");
    assert_eq!(outside[2], "1", "{map}");
    use std::os::unix::fs::MetadataExt as _;
    assert_ne!(
        fs_err::metadata(fixture.path("build/made")).unwrap().uid(),
        0
    );
}

// Guards: B4.
#[test]
fn the_limits_cover_what_has_no_name() {
    let fixture = Fixture::new();
    let deleted = "perl -e 'for (1..20) { open($f[$_], \">\", \"x\") or die; unlink \"x\"; \
        for my $i (1..4) { syswrite($f[$_], \"a\" x 1000000) } } sleep 60'";
    let fill = |folder: &str| {
        format!(
            "i=0; while [ $i -lt 10 ]; do i=$((i + 1)); head -c 4000000 /dev/zero > {folder}/$i; done; sleep 60"
        )
    };
    for (what, script) in [
        ("deleted files", deleted.to_owned()),
        ("/tmp", fill("/tmp")),
        ("/dev/shm", fill("/dev/shm")),
        (
            "deleted files in /tmp",
            deleted.replace("\"x\"", "\"/tmp/x\""),
        ),
        (
            "the log",
            "yes | head -c 29000000; sleep 60".replace("yes", "perl -e 'print \"y\\n\" while 1'"),
        ),
    ] {
        let mut job = fixture.job(&script);
        job.limits.disk = 30_000_000;
        job.limits.time = Duration::from_secs(50);
        if what == "the log" {
            job.limits.log = 1_000_000;
        }
        let started = Instant::now();
        let error = fixture.run(&job).unwrap_err();
        match what {
            "the log" => assert!(matches!(error, Error::LogFull { .. }), "{what}: {error}"),
            _ => assert!(matches!(error, Error::DiskFull { .. }), "{what}: {error}"),
        }
        assert!(started.elapsed() < Duration::from_secs(40), "{what}");
        assert!(
            fs_err::metadata(&job.log).unwrap().len() <= 1_000_000,
            "{what}"
        );
    }
}

// Guards: B4.
#[test]
fn memory_is_limited_for_one_process_and_for_all() {
    let fixture = Fixture::new();
    let one = "perl -e '$x = \"a\" x 300000000; sleep 60'";
    let many = "i=0; while [ $i -lt 6 ]; do i=$((i + 1)); perl -e '$x = \"a\" x 50000000; sleep 60' & done; wait";
    for (script, by_kernel) in [(one, true), (many, false)] {
        let mut job = fixture.job(script);
        job.limits.memory = 200_000_000;
        job.limits.time = Duration::from_secs(50);
        let error = fixture.run(&job).unwrap_err();
        match by_kernel {
            true => assert!(
                matches!(error, Error::Failed { .. } | Error::MemoryFull { .. }),
                "{error}"
            ),
            false => assert!(matches!(error, Error::MemoryFull { .. }), "{error}"),
        }
    }
}

// Guards: B4.
#[test]
fn processes_are_limited_and_none_survives() {
    let fixture = Fixture::new();
    let mut job = fixture.job(
        "perl -e 'for (1..200) { my $p = fork; die \"no more: $!\\n\" unless defined $p; if (!$p) { sleep 4721; exit } }'",
    );
    job.limits.processes = 30;
    let error = fixture.run(&job).unwrap_err();
    let Error::Failed { tail, .. } = &error else {
        panic!("{error}")
    };
    assert!(
        tail.contains("no more: Resource temporarily unavailable"),
        "{tail}"
    );
    // A daemon in a session of its own, and the command that leaves it behind.
    fixture
        .prints("perl -e 'use POSIX; fork and exit; POSIX::setsid(); fork and exit; sleep 4722' &");
    super::wait_until(|| !super::alive("sleep 4721") && !super::alive("sleep 4722"));
}

// Guards: B4.
#[test]
fn what_stops_itself_is_ended_in_time() {
    let fixture = Fixture::new();
    for script in [
        "kill -STOP $$; perl -e 'kill STOP => $$'",
        "perl -e 'kill STOP => -1; sleep 60'",
        "trap '' TERM INT HUP QUIT; while :; do sleep 1; done",
    ] {
        let mut job = fixture.job(script);
        job.limits.time = Duration::from_secs(2);
        let started = Instant::now();
        let error = fixture.run(&job).unwrap_err();
        assert!(matches!(error, Error::TimedOut { .. }), "{script}: {error}");
        assert!(started.elapsed() < Duration::from_secs(15), "{script}");
    }
}

/// Scripts of an adversary's pass over an earlier version, where they are beside the clone; each
/// with what must come of it.
// Guards: B3.
#[test]
fn the_cases_of_an_adversary_come_to_nothing() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases/hostile");
    if !cases.is_dir() {
        let line = format!("SKIPPED {}: it is not here\n", cases.display());
        std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
        return;
    }
    for (name, expected) in [
        ("core-pattern", "the build failed"),
        ("tiocsti", "the build failed"),
        ("symlink-licence", "`licences/nyx`, a link to `"),
        ("devzero-oom", "`bin/nyx`, a link to `/dev/zero`"),
        ("fifo-hangs", "`bin/nyx`, a FIFO"),
        ("readonly-folder", "the build failed (exit code 1)"),
        ("disk-limit", "wrote more than 60000000 bytes"),
    ] {
        let script = fs_err::read_to_string(cases.join(format!("sandbox-{name}.sh"))).unwrap();
        let fixture = Fixture::new();
        let [outside, secret] = ["outside", "secret"].map(|name| fixture.path(name));
        fs_err::create_dir(&outside).unwrap();
        fs_err::create_dir(&secret).unwrap();
        fs_err::write(secret.join("id_rsa"), "private").unwrap();
        // What a step finds, and stands in for the compiler.
        fs_err::write(fixture.path("build/LICENSE"), "license").unwrap();
        let script = script
            .replace("@BOX@", &outside.to_string_lossy())
            .replace("@SECRET@", &secret.to_string_lossy());
        let mut job: Job = fixture.job(&format!("cc() {{ :; }}; CFLAGS=\n{script}"));
        job.limits.disk = 60_000_000;
        let pattern = || fs_err::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
        let before = pattern();
        let started = Instant::now();
        let to = fixture.path("kept");
        let outcome = match fixture.engine.run(&job, &AtomicBool::new(false)) {
            Ok(_) => collect("test", &job.build.join("out"), &to, job.limits.disk)
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let said = outcome.expect_err(name);
        assert!(said.contains(expected), "{name}: {said}");
        assert!(!said.contains("private"), "{name}: {said}");
        assert!(!to.exists(), "{name}");
        assert!(started.elapsed() < Duration::from_secs(30), "{name}");
        assert_eq!(pattern(), before, "{name}");
        assert!(
            fs_err::read_dir(&outside).unwrap().next().is_none(),
            "{name}"
        );
        // It stands in nobody's way.
        remove(&job.build).unwrap();
        assert!(!job.build.exists(), "{name}");
    }
}
