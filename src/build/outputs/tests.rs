//! What is found under a key, whoever disturbs it and whenever a run is killed.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::build::recipe;

/// Where the child of a test works.
const CHILD: &str = "RELAYSMITH_TEST_STORE";

fn step(covers: &str) -> Step {
    Step {
        target: crate::base::target::Target::X86_64,
        name: StepId::Toolchain,
        work: Work::Toolchain(Vec::new()),
        epoch: 0,
        needs: Vec::new(),
        root: Vec::new(),
        key: Key::of(covers),
        covers: covers.to_owned(),
    }
}

/// An output without what others rely on is neither kept nor used, and what lacks it is named.
#[test]
fn what_a_step_promises_must_be_in_its_output() {
    let cache = tempfile::tempdir().unwrap();
    let store = Store::open(cache.path()).unwrap();
    let recipe = recipe::RECIPES.iter().find(|it| it.name == StepId::Nyx);
    let step = Step {
        name: StepId::Nyx,
        work: Work::Component(recipe.unwrap(), None),
        ..step("a")
    };
    let keep = |paths: &[&str]| {
        let claim = store.claim(&step.key, || {}).unwrap();
        store.clear(&claim).unwrap();
        let workspace = store.workspace().unwrap();
        let out = workspace.path().join("out");
        for path in paths {
            let path = out.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        store.keep(&claim, &step, &out)
    };
    for (left, lacks) in [
        (
            &["bin/nyx", "lib/other"][..],
            "nyx: `lib/nyx` is not in its output",
        ),
        (&["lib/nyx/a"], "nyx: `bin/nyx` is not in its output"),
    ] {
        let error = keep(left).unwrap_err();
        assert_eq!(error.to_string(), lacks);
        assert!(error.hint().is_some());
        assert!(!store.has(&step) && store.find(&step).unwrap().is_none());
    }
    let built = keep(&["bin/nyx", "lib/nyx/a"]).unwrap();
    let place = built.artifact(Artifact::NYX).unwrap();
    assert_eq!(place, built.path().join("bin/nyx"));
    // What another step leaves is not in this one.
    built.artifact(Artifact::TOR).unwrap_err();
}

/// What a step may leave: files, an executable, a link, an empty folder.
fn fill(out: &Path, content: &str) {
    fs::create_dir_all(out.join("lib/empty")).unwrap();
    fs::write(out.join("lib/a"), content).unwrap();
    fs::write(out.join("run"), content).unwrap();
    fs::set_permissions(out.join("run"), PermissionsExt::from_mode(0o755)).unwrap();
    symlink("../run", out.join("lib/link")).unwrap();
}

/// Makes the output of `step` unless it is there, as the scheduler does; says whether it did.
fn make(store: &Store, step: &Step) -> (Built, bool) {
    let claim = store.claim(&step.key, || {}).unwrap();
    if let Some(built) = store.find(step).unwrap() {
        return (built, false);
    }
    store.clear(&claim).unwrap();
    let workspace = store.workspace().unwrap();
    let out = workspace.path().join("out");
    fill(&out, &step.covers);
    (store.keep(&claim, step, &out).unwrap(), true)
}

/// This test program, running only the test `name` in the cache `cache`.
fn child(name: &str, cache: &Path, shell: &str) -> Child {
    let module = module_path!().split_once("::").unwrap().1;
    Command::new("sh")
        .args(["-c", &format!("{shell} exec \"$@\""), "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{module}::{name}"), "--quiet"])
        .env(CHILD, cache)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn what_was_kept_is_found() {
    let cache = tempfile::tempdir().unwrap();
    let store = Store::open(cache.path()).unwrap();
    let step = step("a: 1");
    assert!(store.find(&step).unwrap().is_none());
    assert!(!store.has(&step));
    let (made, new) = make(&store, &step);
    assert!(new && store.has(&step));
    let found = Store::open(cache.path())
        .unwrap()
        .find(&step)
        .unwrap()
        .unwrap();
    assert_eq!((found.path(), found.files()), (made.path(), made.files()));
    assert!(!make(&store, &step).1);
}

/// An output that is not what it was is not found, is left alone until somebody makes it
/// anew, and can be made anew.
#[test]
fn what_changed_is_made_anew_and_never_removed_before() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 11] = [
        ("a byte", |at| fs::write(at.join("out/lib/a"), "b").unwrap()),
        ("half a file", |at| {
            let file = fs::OpenOptions::new()
                .write(true)
                .open(at.join("out/run"))
                .unwrap();
            file.file().set_len(1).unwrap();
        }),
        ("a file less", |at| {
            fs::remove_file(at.join("out/run")).unwrap()
        }),
        ("a file more", |at| {
            fs::write(at.join("out/new"), "").unwrap()
        }),
        ("a mode", |at| {
            fs::set_permissions(at.join("out/run"), PermissionsExt::from_mode(0o644)).unwrap();
        }),
        ("a link", |at| {
            fs::remove_file(at.join("out/lib/link")).unwrap();
            symlink("a", at.join("out/lib/link")).unwrap();
        }),
        ("a socket", |at| {
            std::os::unix::net::UnixListener::bind(at.join("out/socket")).unwrap();
        }),
        ("nothing left", |at| {
            fs::remove_dir_all(at.join("out")).unwrap()
        }),
        ("no label", |at| {
            fs::remove_file(at.join("step.json")).unwrap()
        }),
        ("half a label", |at| {
            let text = fs::read(at.join("step.json")).unwrap();
            fs::write(at.join("step.json"), &text[..text.len() / 2]).unwrap();
        }),
        ("another label", |at| {
            let text = fs::read_to_string(at.join("step.json")).unwrap();
            fs::write(at.join("step.json"), text.replace("a: 1", "a: 2")).unwrap();
        }),
    ];
    for (what, change) in changes {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::open(cache.path()).unwrap();
        let step = step("a: 1");
        make(&store, &step);
        let folder = store.folder(&step.key);
        change(&folder);
        assert!(store.find(&step).unwrap().is_none(), "{what}");
        assert!(folder.is_dir(), "{what}: removed without a claim");
        assert!(make(&store, &step).1, "{what}");
        assert!(store.find(&step).unwrap().is_some(), "{what}");
    }
}

/// What cannot be read may be whole: it is an error, and stays.
#[test]
fn what_cannot_be_read_is_an_error_and_stays() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 3] = [
        ("the label", |at| {
            fs::remove_file(at.join("step.json")).unwrap();
            symlink("step.json", at.join("step.json")).unwrap();
        }),
        ("the output", |at| {
            fs::rename(at.join("out"), at.join("moved")).unwrap();
            symlink("out", at.join("out")).unwrap();
        }),
        ("the folder", |at| {
            fs::rename(at, at.with_extension("moved")).unwrap();
            symlink(at, at).unwrap();
        }),
    ];
    for (what, change) in changes {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::open(cache.path()).unwrap();
        let step = step("a: 1");
        make(&store, &step);
        let folder = store.folder(&step.key);
        change(&folder);
        assert!(store.find(&step).is_err(), "{what}");
        assert!(fs::symlink_metadata(&folder).is_ok(), "{what}");
    }
}

/// Several runs meet one output that is not whole: one of them makes it, all get it.
#[test]
fn several_runs_that_meet_a_spoilt_output_make_it_once() {
    for _ in 0..20 {
        let cache = tempfile::tempdir().unwrap();
        let step = step("a: 1");
        let store = Store::open(cache.path()).unwrap();
        make(&store, &step);
        fs::write(store.folder(&step.key).join("out/run"), "spoilt").unwrap();
        let made = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let store = Store::open(cache.path()).unwrap();
                    // Without a claim, as before every build; it must survive the others.
                    let _ = store.find(&step).unwrap();
                    let (built, new) = make(&store, &step);
                    made.fetch_add(usize::from(new), Ordering::SeqCst);
                    assert_eq!(fs::read(built.path().join("run")).unwrap(), b"a: 1");
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }
}

/// Two processes meet one output that is not whole: one of them makes it, both get it, and
/// what else is kept stays. Both have seen the spoilt one before either may replace it.
#[test]
fn two_processes_that_meet_a_spoilt_output_make_it_once() {
    let step = step("a: 1");
    if let Some(cache) = std::env::var_os(CHILD) {
        let cache = Path::new(&cache);
        let store = Store::open(cache).unwrap();
        assert!(store.find(&step).unwrap().is_none());
        let note = |what| fs::write(cache.join(format!("{what}-{}", std::process::id())), "");
        note("met").unwrap();
        let (built, new) = make(&store, &step);
        assert_eq!(fs::read(built.path().join("run")).unwrap(), b"a: 1");
        if new {
            note("made").unwrap();
        }
        return;
    }
    let cache = tempfile::tempdir().unwrap();
    let store = Store::open(cache.path()).unwrap();
    let other = self::step("a: 2");
    make(&store, &other);
    make(&store, &step);
    fs::write(store.folder(&step.key).join("out/run"), "spoilt").unwrap();
    let noted = |what: &str| {
        let names = fs::read_dir(cache.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(what)).count()
    };
    let claim = store.claim(&step.key, || {}).unwrap();
    let name = "two_processes_that_meet_a_spoilt_output_make_it_once";
    let mut children = [(); 2].map(|()| child(name, cache.path(), ""));
    let until = Instant::now() + Duration::from_secs(60);
    while noted("met-") < 2 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
    let (met, made) = (noted("met-"), noted("made-"));
    drop(claim);
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!((met, made, noted("made-")), (2, 0, 1));
    assert!(store.find(&step).unwrap().is_some());
    assert!(store.find(&other).unwrap().is_some());
    assert_eq!(fs::read_dir(store.work()).unwrap().count(), 0);
}

/// A run is killed after each of its writes in turn, from the first that clears a spoilt
/// output to the one that gives the new one its name: only then is it found, before it can be
/// made, and neither an unfinished folder nor a lost neighbour is left.
#[test]
fn killed_after_any_write_a_run_leaves_a_store_that_is_whole() {
    type Write = fn(&Path, &Path, &[u8]);
    let writes: [(&str, Write); 15] = [
        ("nothing", |_, _, _| {}),
        ("a file is cleared", |_, old, _| {
            fs::remove_file(old.join("out/lib/a")).unwrap();
        }),
        ("all files are cleared", |_, old, _| {
            fs::remove_dir_all(old.join("out")).unwrap();
        }),
        ("the label is cleared", |_, old, _| {
            fs::remove_file(old.join("step.json")).unwrap();
        }),
        ("the folder is cleared", |_, old, _| {
            fs::remove_dir(old).unwrap()
        }),
        ("a workspace", |work, _, _| fs::create_dir(work).unwrap()),
        ("its lock", |work, _, _| {
            fs::write(work.join(".lock"), "").unwrap();
        }),
        ("a file of the output", |work, _, _| {
            fs::create_dir(work.join("out")).unwrap();
            fs::write(work.join("out/run"), "a").unwrap();
        }),
        ("the output", |work, _, _| fill(&work.join("out"), "a: 1")),
        ("the folder to keep", |work, _, _| {
            fs::create_dir(work.join("kept")).unwrap();
        }),
        ("the output in it", |work, _, _| {
            fs::rename(work.join("out"), work.join("kept/out")).unwrap();
        }),
        ("an empty label", |work, _, _| {
            fs::write(work.join("kept/step.json"), "").unwrap();
        }),
        ("half a label", |work, _, label| {
            fs::write(work.join("kept/step.json"), &label[..label.len() / 2]).unwrap();
        }),
        ("the label", |work, _, label| {
            fs::write(work.join("kept/step.json"), label).unwrap();
        }),
        ("the name", |work, at, _| {
            fs::rename(work.join("kept"), at).unwrap()
        }),
    ];
    let (step, other) = (step("a: 1"), step("a: 2"));
    for last in 0..writes.len() {
        let what = writes[last].0;
        let cache = tempfile::tempdir().unwrap();
        let store = Store::open(cache.path()).unwrap();
        make(&store, &other);
        make(&store, &step);
        let (folder, work) = (store.folder(&step.key), store.work().join("killed"));
        let label = fs::read(folder.join("step.json")).unwrap();
        fs::write(folder.join("out/run"), "spoilt").unwrap();
        for (_, write) in &writes[..=last] {
            write(&work, &folder, &label);
        }
        let store = Store::open(cache.path()).unwrap();
        assert_eq!(fs::read_dir(store.work()).unwrap().count(), 0, "{what}");
        let finished = last + 1 == writes.len();
        assert_eq!(store.find(&step).unwrap().is_some(), finished, "{what}");
        let (built, new) = make(&store, &step);
        assert_eq!(new, !finished, "{what}");
        let run = fs::read(built.path().join("run")).unwrap();
        assert_eq!(run, b"a: 1", "{what}");
        assert!(store.find(&step).unwrap().is_some(), "{what}");
        assert!(store.find(&other).unwrap().is_some(), "{what}");
    }
}

/// Work that is under way stays, and so does what cannot be looked into; the rest goes.
#[test]
fn only_abandoned_work_is_swept() {
    let cache = tempfile::tempdir().unwrap();
    let store = Store::open(cache.path()).unwrap();
    let at_work = store.workspace().unwrap();
    let abandoned = store
        .workspace()
        .unwrap()
        .path()
        .with_extension("abandoned");
    fs::create_dir(&abandoned).unwrap();
    fs::write(abandoned.join(".lock"), "").unwrap();
    Store::open(cache.path()).unwrap();
    assert!(at_work.path().is_dir() && !abandoned.exists());

    fs::create_dir(&abandoned).unwrap();
    symlink(".lock", abandoned.join(".lock")).unwrap();
    assert!(Store::open(cache.path()).is_err());
    assert!(abandoned.is_dir());
}

/// Whatever the umask, nobody else may write where outputs are.
#[test]
fn nobody_else_may_write_to_the_store() {
    if let Some(cache) = std::env::var_os(CHILD) {
        make(&Store::open(Path::new(&cache)).unwrap(), &step("a: 1"));
        return;
    }
    let cache = tempfile::tempdir().unwrap();
    // As somebody made it who wanted others to see it.
    fs::set_permissions(cache.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let mut child = child(
        "nobody_else_may_write_to_the_store",
        cache.path(),
        "umask 000;",
    );
    assert!(child.wait().unwrap().success());
    for entry in fs::read_dir(cache.path()).unwrap() {
        let path = entry.unwrap().path();
        let mode = fs::metadata(&path).unwrap().mode();
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
    }
    // What an earlier version left open is not trusted.
    fs::set_permissions(cache.path().join("built"), PermissionsExt::from_mode(0o775)).unwrap();
    let error = Store::open(cache.path()).unwrap_err();
    assert!(matches!(error, cache::Error::Writable { .. }), "{error}");
}

/// A run is killed at any moment: what is found afterwards is whole, and nothing is left over.
#[test]
fn a_killed_run_leaves_whole_outputs_and_nothing_else() {
    if let Some(cache) = std::env::var_os(CHILD) {
        let store = Store::open(Path::new(&cache)).unwrap();
        // More than it ever lives to make.
        for number in 0..1_000_000 {
            make(&store, &step(&format!("a: {number}")));
        }
    }
    let cache = tempfile::tempdir().unwrap();
    let finished = || {
        let built = fs::read_dir(cache.path().join("built"));
        built.map_or(0, Iterator::count)
    };
    for round in 0..10 {
        let before = finished();
        let name = "a_killed_run_leaves_whole_outputs_and_nothing_else";
        let mut child = child(name, cache.path(), "");
        // Somewhere in the making of the second or third from here.
        let until = Instant::now() + Duration::from_secs(60);
        while finished() == before && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(round * 3));
        child.kill().unwrap();
        child.wait().unwrap();
        let store = Store::open(cache.path()).unwrap();
        assert_eq!(fs::read_dir(store.work()).unwrap().count(), 0);
        assert!(finished() > before, "nothing was finished in a minute");
        for number in 0..finished() {
            let step = step(&format!("a: {number}"));
            assert!(store.find(&step).unwrap().is_some(), "{number}");
        }
    }
}
