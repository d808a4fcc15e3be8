use super::*;
use crate::source::{Signature, Size};

fn pin(name: &str) -> Arc<Source> {
    Arc::new(Source {
        name: name.to_owned(),
        version: "1.0".to_owned(),
        file: format!("{name}-1.0.tar.gz"),
        digest: Digest::sha256(name.as_bytes()),
        machine: None,
        size: Size::Exactly(1),
        unpacked: 1,
        released: Some(1_782_345_600),
        licence: "MIT".to_owned(),
        signature: Signature::None,
        patches: Vec::new(),
        origins: Vec::new(),
    })
}

fn plan(source: impl Fn(&str) -> Arc<Source>) -> Plan {
    plan_in(&Userland::Host, source)
}

fn plan_in(userland: &Userland, source: impl Fn(&str) -> Arc<Source>) -> Plan {
    let project = Path::new(".");
    let source = |name: &str| Some(source(name));
    Plan::new(&["tor"], Target::X86_64, userland, project, source).unwrap()
}

fn keys(plan: &Plan) -> Vec<(&str, &str)> {
    plan.steps
        .iter()
        .map(|step| (step.name, step.key.as_str()))
        .collect()
}

/// The names of the steps whose keys differ.
fn changed<'a>(a: &'a Plan, b: &Plan) -> Vec<&'a str> {
    let pairs = a.steps.iter().zip(&b.steps);
    pairs
        .filter(|(a, b)| a.key != b.key)
        .map(|(a, _)| a.name)
        .collect()
}

#[test]
fn steps_stand_after_what_they_need() {
    let plan = plan(pin);
    for (place, step) in plan.steps.iter().enumerate() {
        assert!(step.needs.iter().all(|&need| need < place), "{}", step.name);
    }
    assert_eq!(plan.steps.last().unwrap().name, "tor");
}

#[test]
fn a_key_changes_with_what_it_covers_and_with_nothing_else() {
    let before = plan(pin);
    assert_eq!(keys(&before), keys(&plan(pin)));

    let other = |change: &'static str, edit: fn(&mut Source)| {
        plan(move |name| {
            let mut source = (*pin(name)).clone();
            if name == change {
                edit(&mut source);
            }
            Arc::new(source)
        })
    };
    let digest = |source: &mut Source| source.digest = Digest::sha256(b"other");
    assert_eq!(changed(&before, &other("zlib", digest)), ["zlib", "tor"]);
    assert_eq!(changed(&before, &other("tor", digest)), ["tor"]);
    let everything: Vec<_> = before.steps.iter().map(|step| step.name).collect();
    assert_eq!(changed(&before, &other("zig", digest)), everything);
    assert_eq!(
        changed(&before, &other("tor", |tor| tor.released = Some(1))),
        everything
    );
    // Where bytes come from and how upstream signs them is none of the output's.
    let untouched: [&str; 0] = [];
    assert_eq!(
        changed(
            &before,
            &other("tor", |tor| tor.signature = Signature::None)
        ),
        untouched
    );
    assert_eq!(
        changed(&before, &other("zlib", |zlib| zlib.origins.clear())),
        untouched
    );
}

#[test]
fn the_root_is_in_the_keys_of_its_tools_and_in_no_other() {
    let alpine = Userland::Alpine { version: None };
    let host = plan(pin);
    let before = plan_in(&alpine, pin);
    for step in &host.steps {
        let same = &before.steps[before.place(step.name).unwrap()];
        assert_eq!(step.key, same.key, "{}", step.name);
    }
    let other = plan_in(&alpine, |name| {
        let mut source = (*pin(name)).clone();
        if name == "alpine" {
            source.digest = Digest::sha256(b"other");
        }
        Arc::new(source)
    });
    assert_eq!(changed(&before, &other), ["alpine", "make", "perl"]);
    // But it is made before whatever runs in it.
    let names = |places: &[usize]| -> Vec<&str> {
        places.iter().map(|&at| before.steps[at].name).collect()
    };
    for (step, root) in [
        ("toolchain", &[][..]),
        ("alpine", &[]),
        ("libc", &["alpine"]),
        ("make", &["alpine"]),
        ("perl", &["alpine", "make"]),
        ("zlib", &["alpine", "make", "perl"]),
        ("tor", &["alpine", "make", "perl"]),
    ] {
        let at = before.place(step).unwrap();
        assert_eq!(names(&before.steps[at].root), root, "{step}");
    }
}

fn with_arm(target: Target) -> Result<Plan, Error> {
    let (host, project) = (Userland::Host, Path::new("."));
    Plan::new(&["tor", "nyx"], target, &host, project, |name| {
        Some(pin(name))
    })
}

#[test]
fn a_key_covers_the_files_of_a_recipe() {
    let plan = with_arm(Target::X86_64).unwrap();
    let nyx = &plan.steps[plan.place("nyx").unwrap()];
    let Work::Component(recipe, _) = nyx.work else {
        panic!("{:?}", nyx.work)
    };
    assert!(!recipe.files.is_empty());
    for (name, text) in recipe.files {
        let line = format!("file {name}: {}\n", Digest::sha256(text.as_bytes()));
        assert!(nyx.covers.contains(&line), "{name}");
    }
}

#[test]
fn what_only_arm_needs() {
    let plan = with_arm(Target::X86_64).unwrap();
    let mut only = plan.only_for("nyx");
    only.sort_unstable();
    // zlib is tor's as well.
    assert_eq!(only, ["ncurses", "nyx", "python", "sqlite", "stem", "tic"]);
    // Two steps unpack ncurses.
    let sources = plan.sources();
    let ncurses = sources.iter().filter(|source| source.name == "ncurses");
    assert_eq!(ncurses.count(), 1);
}

#[test]
fn arm_is_built_for_the_machine_that_builds() {
    let error = with_arm(Target::Aarch64).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`tic` can be built for x86_64-linux-musl only, not for aarch64-linux-musl"
    );
    assert!(error.hint().unwrap().contains("--without-arm"));
}

#[test]
fn a_key_names_the_target() {
    let x86 = plan(pin);
    let (host, project) = (Userland::Host, Path::new("."));
    let arm = Plan::new(&["tor"], Target::Aarch64, &host, project, |name| {
        Some(pin(name))
    });
    assert_eq!(changed(&x86, &arm.unwrap()).len(), x86.steps.len());
}
