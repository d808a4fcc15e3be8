//! What a hostile build command does so that nobody sees what it takes: each must be ended all
//! the same, by its limits or because it hides.

use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};

use relaysmith::build::sandbox::Error;

use super::fixture::Fixture;

/// Writes 80 MB to the file that each name of `names` stands for.
fn fill(names: &str) -> String {
    format!(
        "perl -e 'for my $at (1..20) {{ open(my $f, \">\", {names}) or die \"$!\\n\"; \
         for (1..4) {{ syswrite($f, \"a\" x 1000000) }} }} sleep 60'"
    )
}

// Guards: B4.
#[test]
fn what_is_hidden_counts() {
    let deep = "perl -e 'for (1..30) { my $d = \"d\" x 200; mkdir $d or die; chdir $d or die } \
        for my $at (1..20) { open(my $f, \">\", $at) or die; for (1..4) { syswrite($f, \"a\" x 1000000) } } \
        sleep 60'";
    let endless = "perl -e 'for (1..3000) { mkdir \"d\"; chdir \"d\" or die } sleep 60'";
    // Linux: the first thread may end and leave the others, and its files with them.
    let headless = format!(
        "perl -Mthreads -e 'threads->create(sub {{ for my $at (1..20) {{ \
         open($f[$at], \">\", \"x\") or die; unlink \"x\"; \
         for (1..4) {{ syswrite($f[$at], \"a\" x 1000000) }} }} sleep 60 }}); syscall({}, 0)'",
        libc::SYS_exit
    );
    let log = format!(
        "perl -e 'syscall({}, 1, 1, 0, 80_000_000) == 0 or die \"$!\\n\"; sleep 60'",
        libc::SYS_fallocate
    );
    let mut failed = Vec::new();
    let empty = "perl -e 'for (1..20_000) { open(my $f, \">\", \"f$_\") or die } sleep 60'";
    for (what, script) in [
        ("in folders beyond the longest path", deep.to_owned()),
        ("in folders without end", endless.to_owned()),
        (
            "in a folder that nobody may read",
            format!("mkdir h; chmod 333 h; {}", fill("\"h/$at\"")),
        ),
        ("in the files of a thread", headless),
        ("behind the end of the log", log),
        ("in files without a byte", empty.to_owned()),
    ] {
        let fixture = Fixture::new();
        let mut job = fixture.job(&script);
        job.limits.disk = 30_000_000;
        // A slow machine adds up sizes more rarely.
        job.limits.time = Duration::from_secs(50);
        match fixture.run(&job).unwrap_err() {
            Error::DiskFull { .. } | Error::LogFull { .. } | Error::Hides { .. } => {}
            // On a tmpfs the kernel itself refuses what is behind the end, as it is too much for
            // one file.
            Error::Failed { tail, .. } if tail.contains("File size limit exceeded") => {}
            error => failed.push(format!("{what}: {error}")),
        }
        relaysmith::base::remove::remove(&job.build).unwrap();
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// A program that may be executed and not read shows nobody its files.
// Guards: B4.
#[test]
fn a_process_that_cannot_be_looked_into_counts() {
    let fixture = Fixture::new();
    let mut job = fixture.job(
        "cp /usr/bin/perl p; chmod 111 p; ./p -e 'for (1..20) { open($f[$_], \">\", \"x\") or die; \
         unlink \"x\"; for my $i (1..4) { syswrite($f[$_], \"a\" x 1000000) } } sleep 60'",
    );
    job.limits.disk = 30_000_000;
    job.limits.time = Duration::from_secs(40);
    let error = fixture.run(&job).unwrap_err();
    assert!(
        matches!(error, Error::DiskFull { .. } | Error::Hides { .. }),
        "{error}"
    );
}

// Guards: B4.
#[test]
fn memory_of_a_process_without_its_first_thread_counts() {
    let fixture = Fixture::new();
    let mut job = fixture.job(&format!(
        "for i in 1 2 3 4 5 6; do perl -Mthreads -e 'threads->create(sub {{ sleep 2; my $n = 50_000_000; \
         $x = \"a\" x $n; sleep 60 }}); syscall({}, 0)' & done; sleep 60",
        libc::SYS_exit
    ));
    job.limits.memory = 200_000_000;
    job.limits.time = Duration::from_secs(40);
    let error = fixture.run(&job).unwrap_err();
    assert!(matches!(error, Error::MemoryFull { .. }), "{error}");
}

/// The bytes of memory that are free on this machine.
fn available() -> u64 {
    let text = fs_err::read_to_string("/proc/meminfo").unwrap();
    let kilobytes = |name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.unwrap().trim().split(' ').next().unwrap();
        number.parse().unwrap()
    };
    (kilobytes("MemAvailable:") + kilobytes("SwapFree:")) * 1024
}

/// What the kernel keeps for a process, and counts for none: what was sent to it and not read.
// Guards: B4.
#[test]
fn memory_that_belongs_to_no_process_is_seen() {
    let fixture = Fixture::new();
    let mut job = fixture.job(
        "for i in 1 2 3 4 5 6; do perl -MSocket -MFcntl -e 'for (1..400) { \
         socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, 0) or last; push @all, $a, $b; \
         for ($a, $b) { fcntl($_, F_SETFL, O_NONBLOCK); 1 while syswrite($_, \"a\" x 50000) } } \
         sleep 60' & done; sleep 60",
    );
    job.limits.memory_left = available().saturating_sub(300_000_000);
    job.limits.time = Duration::from_secs(40);
    let error = fixture.run(&job).unwrap_err();
    assert!(matches!(error, Error::NoMemory { .. }), "{error}");
}

/// A file that whoever started the build has open: a terminal, a secret.
// Guards: B3.
#[test]
fn what_was_open_before_is_closed() {
    let fixture = Fixture::new();
    let secret = fixture.path("secret");
    fs_err::write(&secret, "private").unwrap();
    let file = fs_err::File::open(&secret).unwrap();
    fcntl_setfd(file.file(), FdFlags::empty()).unwrap();
    let printed = fixture.prints(
        "perl -e 'for (glob \"/proc/$$/fd/*\") { my $is = readlink; print \"$is\\n\" if $is =~ /secret/ }'",
    );
    assert_eq!(printed, "");
}
