//! What a build command can reach in a container, and that nothing of it is left.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use relaysmith::builder::containers::{Containers, Program};
use relaysmith::builder::jobs::Tokens;
use relaysmith::builder::root::{self, Root};
use relaysmith::builder::{Error, Job, Limits, Mount, Sandbox as _};
use relaysmith::cache::Cache;
use relaysmith::progress::Silent;
use relaysmith::source::{self, Manifest};
use relaysmith::trust::{self, TrustPolicy};
use relaysmith::unpack::unpack_root;

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
        let alpine: Arc<source::Source> = manifest.get("alpine", None).unwrap();
        let options = source::Options {
            offline: true,
            ..source::Options::new(Cache::open(None).unwrap())
        };
        let Ok(mut fetched) = source::fetch(&[alpine], &options, &Silent) else {
            eprintln!("SKIPPED: no Alpine root file system here; `cargo xtask fetch alpine`");
            return None;
        };
        let policy = TrustPolicy::load(&project.join("keys")).unwrap();
        let verified = trust::verify(&policy, fetched.remove(0)).unwrap();
        let tree = folder.path().join("alpine");
        unpack_root(&verified, 0, &tree).unwrap();
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
    let own = tokens.take().unwrap();
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
    let all: Vec<_> = (0..3).map(|_| tokens.take().unwrap()).collect();
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
        cancelled.store(true, Ordering::Relaxed);
        let error = running.join().unwrap().unwrap_err();
        assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
    });
    let mut job = fixture.job("long", "sleep 4717 & sleep 4718");
    job.limits.time = Duration::from_secs(3);
    let error = fixture.run(&job).unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error:?}");
    for step in ["sees", "fails", "cancelled", "long"] {
        wait_until(|| containers(program, step).is_empty());
    }
}

fn all_with(program: Program) {
    let Some(fixture) = Fixture::new(program) else {
        return;
    };
    what_a_build_sees_is_what_it_sees_in_namespaces(&fixture);
    a_failure_shows_the_last_lines(&fixture);
    what_is_cancelled_or_too_long_leaves_nothing(&fixture, program);
}

#[test]
fn docker() {
    all_with(Program::Docker);
}

#[test]
fn podman() {
    all_with(Program::Podman);
}
