//! What a build command can reach in a container, and that nothing of it is left.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use relaysmith::base::cache::Cache;
use relaysmith::base::progress::Silent;
use relaysmith::build::collect::collect;
use relaysmith::build::sandbox::containers::{Containers, Program};
use relaysmith::build::sandbox::jobs::Tokens;
use relaysmith::build::sandbox::root::{self, Root};
use relaysmith::build::sandbox::{Error, Job, Limits, Mount, Sandbox as _};
use relaysmith::fetch;
use relaysmith::pins::{Manifest, Source};
use relaysmith::unpack::unpack_root;
use relaysmith::verify::{self, TrustPolicy};

struct Fixture {
    folder: tempfile::TempDir,
    engine: Containers,
    root: Root,
}

impl Fixture {
    /// None, said aloud, where there is no engine or no root file system.
    fn new(program: Program) -> Option<Self> {
        if let Err(error) = program.probe() {
            eprintln!("SKIPPED: {error}");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        let manifest = Manifest::load(&project.join("sources.toml")).unwrap();
        let alpine: Arc<Source> = manifest.get("alpine", None).unwrap();
        let options = fetch::Options {
            offline: true,
            ..fetch::Options::new(Cache::open(None).unwrap())
        };
        let Ok(mut fetched) = fetch::fetch(&[alpine], &options, &Silent) else {
            eprintln!("SKIPPED: no Alpine root file system here; `cargo xtask fetch alpine`");
            return None;
        };
        let policy = TrustPolicy::load(&project.join("keys")).unwrap();
        let verified = verify::verify(&policy, fetched.remove(0)).unwrap();
        let tree = folder.path().join("alpine");
        unpack_root(&verified, 0, &tree, &|_| true).unwrap();
        Some(Self {
            engine: Containers::new(program, folder.path()).unwrap(),
            root: root::alpine(folder.path(), &tree, &[]).unwrap(),
            folder,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A job of that name, with a folder of its own.
    fn job(&self, step: &str, script: &str) -> Job {
        let build = self.path(step);
        fs_err::create_dir(&build).unwrap();
        Job {
            step: step.to_owned(),
            script: script.to_owned(),
            env: BTreeMap::from([("PATH".to_owned(), "/tools".to_owned())]),
            build,
            root: self.root.clone(),
            mounts: Vec::new(),
            tokens: None,
            log: self.path(&format!("{step}.log")),
            limits: Limits::default(),
        }
    }

    fn run(&self, job: &Job) -> Result<String, Error> {
        self.engine.run(job, &AtomicBool::new(false))?;
        Ok(fs_err::read_to_string(&job.log).unwrap())
    }
}

/// The containers of that step, running or not.
fn containers(program: Program, step: &str) -> String {
    let filter = format!("label=org.relaysmith.builder={step}");
    let output = Command::new(program.to_string())
        .args(["ps", "--all", "--quiet", "--filter", &filter])
        .output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// The driver that keeps what a container prints: all that comes out, beyond any limit.
fn what_keeps_its_output(program: Program, step: &str) -> String {
    let output = Command::new(program.to_string())
        .args(["inspect", "--format", "{{.HostConfig.LogConfig.Type}}"])
        .arg(containers(program, step).trim())
        .output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

fn wait_until(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "it did not come to pass"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn what_a_build_sees_is_what_it_sees_in_namespaces(fixture: &Fixture) {
    let mut job = fixture.job(
        "sees",
        "pwd; id -u; id -g; id -un; uname -n; cat; cat in /deps/one/file\n\
         sed -n 's/^ *\\([a-z0-9]*\\):.*/\\1/p' /proc/net/dev\n\
         for at in / /usr /bin /etc /tools /proc/sys; do\n\
           if (: > $at/new) 2>/dev/null; then echo writable: $at; fi\n\
         done\n\
         exec 9<>/jobs; head -c 2 <&9; echo\n\
         mkdir -p out/empty; echo made > out/file; chmod 755 out/file; ln -s file out/link\n",
    );
    let need = fixture.path("need");
    fs_err::create_dir(&need).unwrap();
    fs_err::write(need.join("file"), "needed\n").unwrap();
    fs_err::write(job.build.join("in"), "given\n").unwrap();
    job.mounts.push(Mount::new(&need, "/deps/one"));
    let tokens = Tokens::new(fixture.folder.path(), 3).unwrap();
    let own = tokens.take_unless(0, || false).unwrap().unwrap();
    job.tokens = Some(tokens.path().to_owned());
    assert_eq!(
        fixture.run(&job).unwrap(),
        "/build\n1000\n1000\nbuilder\nrelaysmith\ngiven\nneeded\nlo\n++\n"
    );
    let out = job.build.join("out");
    assert_eq!(fs_err::read_to_string(out.join("link")).unwrap(), "made\n");
    assert!(out.join("empty").is_dir());
    // Everything that was taken was given back.
    drop(own);
    let all: Vec<_> = (0..3)
        .map(|_| tokens.take_unless(0, || false).unwrap().unwrap())
        .collect();
    assert_eq!(all.len(), 3);
}

fn a_failure_shows_the_last_lines(fixture: &Fixture) {
    let error = fixture
        .run(&fixture.job("fails", "seq 100; exit 7"))
        .unwrap_err();
    let Error::Failed { reason, tail, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(reason.contains("exit status: 7"), "{reason}");
    assert!(tail.ends_with("  | 99\n  | 100"), "{tail}");
}

fn what_is_cancelled_or_too_long_leaves_nothing(fixture: &Fixture, program: Program) {
    let cancelled = AtomicBool::new(false);
    let job = fixture.job("cancelled", "sleep 4715 & sleep 4716");
    std::thread::scope(|scope| {
        let running = scope.spawn(|| fixture.engine.run(&job, &cancelled));
        wait_until(|| !containers(program, "cancelled").is_empty());
        let keeps = what_keeps_its_output(program, "cancelled");
        cancelled.store(true, Ordering::Relaxed);
        let error = running.join().unwrap().unwrap_err();
        assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
        assert_eq!(keeps, "none\n");
    });
    let mut job = fixture.job("long", "sleep 4717 & sleep 4718");
    job.limits.time = Duration::from_secs(3);
    let error = fixture.run(&job).unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error:?}");
    // Who ends all else in the container, what watches its input included, ends it.
    let mut job = fixture.job("kills", "kill -KILL -1; sleep 4719; mkdir out");
    job.limits.time = Duration::from_secs(60);
    let error = fixture.run(&job).unwrap_err();
    assert!(matches!(error, Error::Failed { .. }), "{error:?}");
    for step in ["sees", "fails", "cancelled", "long", "kills"] {
        wait_until(|| containers(program, step).is_empty());
    }
}

/// The table of `tests/sandbox/attacks.rs`, as far as a shell can try it in that root.
fn attacks_come_to_nothing(fixture: &Fixture, _: Program) {
    let job = fixture.job(
        "kernel",
        "for file in sys/kernel/core_pattern sys/kernel/modprobe sys/vm/drop_caches sysrq-trigger \
           irq/default_smp_affinity; do\n\
           if (: >> /proc/$file) 2>/dev/null; then echo written: $file; fi\n\
         done\n\
         for file in kcore keys timer_list; do\n\
           if [ -n \"$(head -c 1 /proc/$file 2>/dev/null)\" ]; then echo read: $file; fi\n\
         done\n\
         for device in tty console mem kmsg; do\n\
           if (: < /dev/$device) 2>/dev/null; then echo opened: $device; fi\n\
         done\n\
         for call in 'mount -t tmpfs x /tmp' 'umount /proc' 'chroot / true' 'mknod /tmp/d b 259 0' \
           'unshare -m true' 'unshare -n true' 'nsenter -t 1 -n true' 'swapoff -a' 'reboot -f' \
           'hostname x' 'date -s 0'; do\n\
           if /bin/busybox $call >/dev/null 2>&1; then echo allowed: $call; fi\n\
         done\n\
         sed -n 's/^\\(Cap[A-Z][a-z]*\\|NoNewPrivs\\|Seccomp\\):[[:space:]]*/\\1 /p' /proc/self/status\n\
         mkdir out\n",
    );
    assert_eq!(
        fixture.run(&job).unwrap(),
        "CapInh 0000000000000000\nCapPrm 0000000000000000\nCapEff 0000000000000000\n\
         CapBnd 0000000000000000\nCapAmb 0000000000000000\nNoNewPrivs 1\nSeccomp 2\n"
    );
    for (number, (script, name)) in [
        ("ln -s /etc/passwd out/a/x", "a/x"),
        ("ln -s ../../../secret out/a/x", "a/x"),
        ("ln -s /dev/zero out/a/x", "a/x"),
        ("/bin/busybox mkfifo out/a/x", "a/x"),
        (
            "head -c 0 /dev/null | /bin/busybox dd of=out/a/x bs=1 seek=200000000",
            "File size limit exceeded",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let mut job = fixture.job(
            &format!("leaves{number}"),
            &format!("mkdir -p out/a; {script}"),
        );
        job.limits.disk = 100_000_000;
        // The archive that comes out is judged first, and then the folder.
        let error = match fixture.run(&job) {
            Err(error) => error.to_string(),
            Ok(_) => {
                let to = fixture.path(&format!("collected{number}"));
                collect("test", &job.build.join("out"), &to, job.limits.disk)
                    .map_or_else(|error| error.to_string(), |()| "nothing".to_owned())
            }
        };
        assert!(error.contains(name), "{script}: {error}");
    }
    // The archive that comes out carries no special bits.
    let job = fixture.job("setuid", "mkdir out; touch out/x; chmod 4755 out/x");
    fixture.run(&job).unwrap();
    let left = fs_err::metadata(job.build.join("out/x")).unwrap();
    assert_eq!(left.permissions().mode() & 0o7000, 0);
    let mut job = fixture.job("prints", "cat /dev/zero | tr '\\0' y; mkdir out");
    job.limits.log = 1_000_000;
    let error = fixture.run(&job).unwrap_err();
    assert!(matches!(error, Error::LogFull { .. }), "{error}");
}

/// What fills the disk, however it hides: none of it may keep more than the limit, all places
/// together. Each line that a script prints is a piece that was kept.
fn the_disk_is_limited_as_a_whole(fixture: &Fixture, program: Program) {
    /// A piece, of which seven are within the limit and eight are not.
    const PIECE: u64 = 4_000_000;
    let write = |to: &str| format!("if head -c {PIECE} /dev/zero >{to}; then echo kept; fi");
    let each = |what: &str| format!("for i in 1 2 3 4 5 6 7 8 9 10; do {what}; done");
    let files = |folder: &str| each(&write(&format!("{folder}/$i")));
    let deleted = |folder: &str| {
        let file = format!("{folder}/x$i");
        let hold = format!("exec 5>{file}; rm {file}; {}; sleep 20", write("&5"));
        format!("{}; sleep 10", each(&format!("({hold}) &")))
    };
    for (number, script) in [
        files("/build"),
        files("/deps"),
        files("/tmp"),
        files("/dev/shm"),
        deleted("/build"),
        deleted("/deps"),
        deleted("/tmp"),
        ["/build", "/deps", "/tmp", "/dev/shm"]
            .map(files)
            .join("\n"),
        each(&format!(
            "/bin/busybox truncate -s {PIECE} h; {}; mv h h$i",
            write("h")
        )),
    ]
    .into_iter()
    .enumerate()
    {
        let mut job = fixture.job(&format!("fills{number}"), &script);
        job.limits.disk = 30_000_000;
        job.limits.time = Duration::from_secs(100);
        // It heeds no failure, so that it goes on.
        let _ = fixture.engine.run(&job, &AtomicBool::new(false));
        let printed = fs_err::read_to_string(&job.log).unwrap();
        let kept = printed.lines().filter(|line| *line == "kept").count() as u64;
        assert!(
            kept * PIECE <= job.limits.disk,
            "{program}: {kept} pieces: {script}"
        );
    }
    // What heeds it is told what it was.
    let mut job = fixture.job(
        "fails-full",
        &format!(
            "{}; mkdir out",
            files("/build")
                .replace("if ", "if ! ")
                .replace("echo kept", "exit 1")
        ),
    );
    job.limits.disk = 30_000_000;
    let error = fixture.run(&job).unwrap_err();
    let said = error.to_string();
    assert!(
        said.starts_with("fails-full: stopped because it wrote more than 30000000 bytes"),
        "{said}"
    );
    let hint = error.hint().unwrap();
    assert!(hint.contains("`--engine namespaces`"), "{hint}");
    // What does not even fit in is told, too.
    let mut job = fixture.job("large", "mkdir out");
    fs_err::write(job.build.join("in"), vec![1; 40_000_000]).unwrap();
    job.limits.disk = 30_000_000;
    let error = fixture.run(&job).unwrap_err().to_string();
    assert!(error.contains("more than 30000000 bytes"), "{error}");
}

/// Memory, of which the files are a part.
fn memory_is_limited_with_its_files(fixture: &Fixture, program: Program) {
    let hold = "x=$(head -c 60000000 /dev/zero | tr '\\0' y)";
    for (number, script) in [
        format!("{hold}; y=$x$x$x"),
        "x=y; while :; do x=$x$x; done".to_owned(),
        format!("head -c 100000000 /dev/zero > file; {hold}; y=$x$x"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut job = fixture.job(&format!("takes{number}"), &script);
        job.limits.memory = 200_000_000;
        job.limits.time = Duration::from_secs(100);
        let error = fixture.run(&job).unwrap_err();
        assert!(
            matches!(error, Error::MemoryFull { .. }),
            "{program}: {script}: {error}"
        );
        let hint = error.hint().unwrap();
        assert!(hint.contains("`--engine namespaces`"), "{hint}");
    }
}

/// Both programs, one after the other.
fn with_each(what: impl Fn(&Fixture, Program)) {
    for program in [Program::Docker, Program::Podman] {
        if let Some(fixture) = Fixture::new(program) {
            what(&fixture, program);
        }
    }
}

// Guards: B4.
#[test]
fn what_fills_the_disk_of_a_container_is_held() {
    with_each(the_disk_is_limited_as_a_whole);
}

// Guards: B4.
#[test]
fn what_fills_the_memory_of_a_container_is_ended() {
    with_each(memory_is_limited_with_its_files);
}

// Guards: B2, B3, B5.
#[test]
fn attacks_from_a_container_come_to_nothing() {
    with_each(attacks_come_to_nothing);
}

// Guards: B1, B4.
#[test]
fn a_container_shows_and_leaves_what_namespaces_do() {
    with_each(|fixture, program| {
        what_a_build_sees_is_what_it_sees_in_namespaces(fixture);
        a_failure_shows_the_last_lines(fixture);
        what_is_cancelled_or_too_long_leaves_nothing(fixture, program);
    });
}
