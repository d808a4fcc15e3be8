//! What a build command can reach: its own folder, the tools on the list, and nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

#[path = "sandbox/attacks.rs"]
mod attacks;
#[path = "sandbox/fixture.rs"]
mod fixture;
#[path = "sandbox/hiding.rs"]
mod hiding;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use relaysmith::build::sandbox::jobs::Tokens;
use relaysmith::build::sandbox::namespaces::Namespaces;
use relaysmith::build::sandbox::{Error, Job, Mount, Sandbox as _};

use self::fixture::Fixture;

// Guards: B1.
#[test]
fn everything_a_build_sees_is_fixed() {
    let fixture = Fixture::new();
    for (script, expected) in [
        ("pwd", "/build\n"),
        ("id -u; id -g; id -un", "1000\n1000\nbuilder\n"),
        ("uname -n", "relaysmith\n"),
        ("env | sort", "PATH=/tools\nPWD=/build\n"),
        ("echo $$", "1\n"),
        ("cat", ""),
        (
            "ls /",
            "bin\nbuild\ndev\netc\nlib\nproc\nsbin\ntmp\ntools\nusr\n",
        ),
        ("ls /etc", "group\npasswd\n"),
        ("ls -A /tmp", ""),
        ("ls -A /build", ""),
    ] {
        let printed = fixture.prints(script);
        // Some systems have more folders of libraries, each with its line; those for arm64 may
        // have no `lib64`.
        let more = ["lib32\n", "lib64\n", "libx32\n"];
        let printed = more.iter().fold(printed, |it, line| it.replace(line, ""));
        assert_eq!(printed, expected, "{script}");
    }
}

// Guards: B1.
#[test]
fn nothing_but_build_and_tmp_is_writable() {
    let fixture = Fixture::new();
    let rest = fixture.path("rest");
    fs_err::create_dir(&rest).unwrap();
    let mut job = fixture.job(
        "for at in / /usr /bin /etc /tools /dep /proc/sys /dev; do\n\
           if (: > $at/new) 2>/dev/null; then echo $at; fi\n\
         done\n\
         : > /build/new\n: > /tmp/new\n",
    );
    job.mounts.push(Mount::new(&rest, "/dep"));
    assert_eq!(fixture.run(&job).unwrap(), "");
    assert!(fixture.path("build/new").exists());
    assert!(fs_err::read_dir(&rest).unwrap().next().is_none());
}

// Guards: B1.
#[test]
fn a_build_that_tries_the_network_fails() {
    let fixture = Fixture::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connect = |port: u16| {
        format!(
            "perl -MIO::Socket::INET -e 'IO::Socket::INET->new(\"127.0.0.1:{port}\") or die \"$!\\n\"'"
        )
    };
    // Outside it is there to be reached.
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let error = fixture.run(&fixture.job(&connect(port))).unwrap_err();
    let Error::Failed { tail, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(tail.contains("Network is unreachable"), "{tail}");
    assert_eq!(
        fixture.prints("sed -n 's/^ *\\([a-z0-9]*\\):.*/\\1/p' /proc/self/net/dev"),
        "lo\n"
    );
}

#[test]
fn a_failure_shows_the_last_lines_and_where_the_rest_is() {
    let fixture = Fixture::new();
    let error = fixture.run(&fixture.job("seq 100; exit 7")).unwrap_err();
    let log = fixture.path("log");
    let text = error.to_string();
    assert!(
        text.starts_with("test: the build failed (exit code 7)"),
        "{text}"
    );
    assert!(
        text.ends_with("  | 99\n  | 100") && !text.contains("| 50\n"),
        "{text}"
    );
    assert!(text.contains(&*log.to_string_lossy()));
    assert_eq!(fs_err::read_to_string(log).unwrap().lines().count(), 100);
}

/// Processes whose command line has `mark` in it.
fn alive(mark: &str) -> bool {
    fs_err::read_dir("/proc").unwrap().flatten().any(|entry| {
        fs_err::File::open(entry.path().join("cmdline"))
            .and_then(std::io::read_to_string)
            .is_ok_and(|line| line.contains(mark))
    })
}

fn wait_until(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "it did not come to pass"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

// Guards: B4.
#[test]
fn what_takes_too_long_is_ended_with_all_it_started() {
    let fixture = Fixture::new();
    let mut job = fixture.job("sleep 4711 & sleep 4712");
    job.limits.time = Duration::from_secs(1);
    let error = fixture.run(&job).unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error:?}");
    wait_until(|| !alive("sleep\x004711") && !alive("sleep\x004712"));
}

#[test]
fn what_is_cancelled_ends() {
    let fixture = Fixture::new();
    let cancelled = AtomicBool::new(false);
    let job = fixture.job("sleep 4713 & sleep 4714");
    std::thread::scope(|scope| {
        let running = scope.spawn(|| fixture.engine.run(&job, &cancelled));
        wait_until(|| alive("sleep\x004713"));
        cancelled.store(true, Ordering::Relaxed);
        let error = running.join().unwrap().unwrap_err();
        assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
    });
    wait_until(|| !alive("sleep\x004713") && !alive("sleep\x004714"));
}

// Guards: B4.
#[test]
fn what_fills_the_disk_is_ended() {
    let fixture = Fixture::new();
    let mut job = fixture
        .job("i=0; while :; do i=$((i + 1)); head -c 1000000 /dev/zero > $i; sleep 0.1; done");
    job.limits.disk = 5_000_000;
    let error = fixture.run(&job).unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error:?}");
    // One file alone cannot grow beyond it either.
    let error = fixture
        .run(&Job {
            script: "head -c 9000000 /dev/zero > one".to_owned(),
            ..job
        })
        .unwrap_err();
    assert!(
        matches!(error, Error::Failed { .. } | Error::DiskFull { .. }),
        "{error:?}"
    );
    assert!(fs_err::metadata(fixture.path("build/one")).unwrap().len() <= 5_000_000);
}

#[test]
fn what_counts_processors_can_be_shown_fewer() {
    let fixture = Fixture::new();
    let mut job = fixture.job("sed -n 's/^Cpus_allowed_list:[^0-9]*//p' /proc/self/status");
    job.limits.processors = Some(1);
    let printed = std::thread::scope(|scope| scope.spawn(|| fixture.run(&job)).join());
    let printed = printed.unwrap().unwrap();
    assert!(
        printed.trim().parse::<u32>().is_ok(),
        "not one processor: {printed}"
    );
}

// Guards: B4.
#[test]
fn make_stays_within_the_job_budget() {
    let fixture = Fixture::new();
    let tokens = Tokens::new(fixture.folder.path(), 3).unwrap();
    let own = tokens.take_unless(0, || false).unwrap().unwrap();
    let makefile: String = "all: a b c d e f g h\n%:\n\
        \t@echo start; sleep 0.2; echo end\n"
        .to_owned();
    fs_err::write(fixture.path("build/Makefile"), makefile).unwrap();
    let mut job = fixture.job("exec 9<>/jobs\nmake --no-print-directory");
    job.env
        .insert("MAKEFLAGS".to_owned(), "-j --jobserver-auth=9,9".to_owned());
    job.tokens = Some(tokens.path().to_path_buf());
    let printed = fixture.run(&job).unwrap();
    let (mut now, mut most) = (0, 0);
    for line in printed.lines() {
        now += match line {
            "start" => 1,
            "end" => -1,
            other => panic!("{other}"),
        };
        most = most.max(now);
    }
    assert_eq!(most, 3, "{printed}");
    // Everything that was taken was given back.
    drop(own);
    let all: Vec<_> = (0..3)
        .map(|_| tokens.take_unless(0, || false).unwrap().unwrap())
        .collect();
    assert_eq!(all.len(), 3);
}

#[test]
fn a_host_that_allows_namespaces_passes_the_probe() {
    Namespaces::probe().unwrap();
    assert!(Path::new("/proc/self/ns/user").exists());
}
