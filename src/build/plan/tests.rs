use std::path::Path;

use super::*;
use crate::base::digest::Digest;
use crate::pins::{Signature, Size};

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
        license: "MIT".to_owned(),
        signature: Signature::None,
        evidence: crate::pins::Evidence::default(),
        patches: Vec::new(),
        origins: Vec::new(),
    })
}

fn plan(source: impl Fn(&str) -> Arc<Source>) -> Plan {
    plan_in(&Userland::Host, source)
}

fn plan_in(userland: &Userland, source: impl Fn(&str) -> Arc<Source>) -> Plan {
    let order = Order {
        wanted: &[StepId::Tor],
        targets: &[Target::X86_64],
        native: Target::X86_64,
        userland,
        named: Vec::new(),
        packages: None,
        project: Path::new("."),
    };
    Plan::of(order, |name| Some(source(name))).unwrap()
}

fn keys(plan: &Plan) -> Vec<(&str, &str)> {
    plan.steps
        .iter()
        .map(|step| (step.name.as_str(), step.key.as_str()))
        .collect()
}

/// The names of the steps whose keys differ.
fn changed<'a>(a: &'a Plan, b: &Plan) -> Vec<&'a str> {
    let pairs = a.steps.iter().zip(&b.steps);
    pairs
        .filter(|(a, b)| a.key != b.key)
        .map(|(a, _)| a.name.as_str())
        .collect()
}

#[test]
fn steps_stand_after_what_they_need() {
    let plan = plan(pin);
    for (place, step) in plan.steps.iter().enumerate() {
        assert!(step.needs.iter().all(|&need| need < place), "{}", step.name);
    }
    assert_eq!(plan.steps.last().unwrap().name, StepId::Tor);
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
    let everything: Vec<_> = before.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(changed(&before, &other("zig", digest)), everything);
    // Each source has a date of its own: a new tor rebuilds tor.
    let newer = |source: &mut Source| {
        source.digest = Digest::sha256(b"other");
        source.released = Some(1_800_000_000);
    };
    assert_eq!(changed(&before, &other("tor", newer)), ["tor"]);
    assert_eq!(
        changed(&before, &other("openssl", newer)),
        ["openssl", "tor"]
    );
    let after_libc: Vec<_> = everything[1..].to_vec();
    assert_eq!(changed(&before, &other("musl", newer)), after_libc);
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
    let names = |places: &[usize]| -> Vec<StepId> {
        places.iter().map(|&at| before.steps[at].name).collect()
    };
    for (step, root) in [
        (StepId::Toolchain, &[][..]),
        (StepId::Alpine, &[]),
        (StepId::Musl, &[StepId::Alpine]),
        (StepId::Make, &[StepId::Alpine]),
        (StepId::Perl, &[StepId::Alpine, StepId::Make]),
        (StepId::Zlib, &[StepId::Alpine, StepId::Make, StepId::Perl]),
        (StepId::Tor, &[StepId::Alpine, StepId::Make, StepId::Perl]),
    ] {
        let at = before.place(step).unwrap();
        assert_eq!(names(&before.steps[at].root), root, "{step}");
    }
}

#[test]
fn a_step_has_the_date_of_its_source() {
    let dated = |name: &str| {
        let mut source = (*pin(name)).clone();
        source.released = match name {
            "musl" => Some(20),
            "zlib" => Some(30),
            _ => Some(10),
        };
        Some(Arc::new(source))
    };
    let plan = |source: &dyn Fn(&str) -> Option<Arc<Source>>| {
        let wanted = [StepId::Tor, StepId::Container];
        Plan::new(
            &wanted,
            Target::X86_64,
            &Userland::Host,
            Path::new("."),
            source,
        )
    };
    let dates = plan(&dated).unwrap();
    // The container's programs have no source but this repository; their C library has.
    for (step, date) in [
        (StepId::Zlib, 30),
        (StepId::Tor, 10),
        (StepId::Musl, 20),
        (StepId::Container, 20),
    ] {
        let step = &dates.steps[dates.place(step).unwrap()];
        assert_eq!(step.epoch, date, "{}", step.name);
        let line = format!("SOURCE_DATE_EPOCH: {date}\n");
        assert!(step.covers.contains(&line), "{}", step.name);
    }
    let undated = |name: &str| {
        let mut source = (*pin(name)).clone();
        source.released = source.released.filter(|_| name != "zlib");
        Some(Arc::new(source))
    };
    let error = plan(&undated).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the pin of zlib 1.0 has no `released`, which its time stamps are taken from"
    );
    assert!(error.hint().unwrap().contains("sources.toml"));
}

#[test]
fn only_the_c_library_is_made_without_it() {
    let plan = with_arm(Target::X86_64).unwrap();
    let libc = plan.place(recipe::LIBC).unwrap();
    for step in plan.components(Target::X86_64) {
        let alone = [recipe::LIBC, StepId::Stem].contains(&step.name);
        assert_eq!(step.needs.contains(&libc), !alone, "{}", step.name);
    }
}

#[test]
fn what_links_for_aarch64_needs_the_runtime() {
    let plan = |target| {
        let source = |name: &str| Some(pin(name));
        Plan::new(
            &[StepId::Tor],
            target,
            &Userland::Host,
            Path::new("."),
            source,
        )
        .unwrap()
    };
    assert_eq!(plan(Target::X86_64).place(recipe::RUNTIME), None);
    let plan = plan(Target::Aarch64);
    let runtime = plan.place(recipe::RUNTIME).unwrap();
    for step in plan.components(Target::Aarch64) {
        let before = [recipe::LIBC, recipe::RUNTIME].contains(&step.name);
        assert_eq!(step.needs.contains(&runtime), !before, "{}", step.name);
    }
}

#[test]
fn the_tools_of_a_root_run_on_this_machine() {
    let alpine = Userland::Alpine { version: None };
    let order = Order {
        wanted: &[StepId::Zlib, StepId::Tor],
        targets: &[Target::Aarch64],
        native: Target::X86_64,
        userland: &alpine,
        named: Vec::new(),
        packages: None,
        project: Path::new("."),
    };
    let plan = Plan::of(order, |name| Some(pin(name)));
    let plan = plan.unwrap();
    let native = plan.place_for(recipe::LIBC, Target::X86_64).unwrap();
    let needs = |name| &plan.steps[plan.place(name).unwrap()].needs;
    assert!(needs(StepId::Make).contains(&native));
    assert!(!needs(StepId::Zlib).contains(&native));
    assert!(needs(StepId::Zlib).contains(&plan.place(recipe::LIBC).unwrap()));
}

fn with_arm(target: Target) -> Result<Plan, Error> {
    on(Target::X86_64, &[target])
}

/// The plan of images with `arm` for `targets`, on a machine that is `native`.
fn on(native: Target, targets: &[Target]) -> Result<Plan, Error> {
    let order = Order {
        wanted: &[StepId::Tor, StepId::Nyx],
        targets,
        native,
        userland: &Userland::Host,
        named: Vec::new(),
        packages: None,
        project: Path::new("."),
    };
    Plan::of(order, |name| Some(pin(name)))
}

#[test]
fn a_key_covers_the_files_of_a_recipe() {
    let plan = with_arm(Target::X86_64).unwrap();
    let nyx = &plan.steps[plan.place(StepId::Nyx).unwrap()];
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
    let mut only = plan.only_for(StepId::Nyx, Target::X86_64);
    only.sort_unstable();
    // zlib is tor's as well.
    assert_eq!(
        only,
        [
            StepId::Tic,
            StepId::Ncurses,
            StepId::Sqlite,
            StepId::Python,
            StepId::Stem,
            StepId::Nyx
        ]
    );
    // Two steps unpack ncurses.
    let sources = plan.sources();
    let ncurses = sources.iter().filter(|source| source.name == "ncurses");
    assert_eq!(ncurses.count(), 1);
}

#[test]
fn only_what_is_written_in_go_needs_go() {
    let (host, project) = (Userland::Host, Path::new(env!("CARGO_MANIFEST_DIR")));
    let with = |wanted: &[StepId]| {
        Plan::new(wanted, Target::X86_64, &host, project, |name| {
            Some(pin(name))
        })
        .unwrap()
    };
    let (without, with) = (with(&[StepId::Tor]), with(&[StepId::Tor, StepId::Lyrebird]));
    assert!(without.go().is_none());
    let places = keys(&without).len();
    // Nothing of tor's is built anew.
    let kept = keys(&without)
        .into_iter()
        .filter(|key| keys(&with).contains(key));
    assert_eq!(kept.count(), places);
    let go = with.go().unwrap();
    assert!(
        with.only_for(StepId::Lyrebird, Target::X86_64)
            .contains(&go.name)
    );
    let sources = with.component_sources(Target::X86_64);
    assert!(sources.iter().any(|source| source.name == "go"));
    // No image needs what the wheel is compared with.
    assert!(
        with.sources()
            .iter()
            .all(|source| source.name != "go-source")
    );
}

#[test]
fn arm_for_another_machine_has_help_of_the_one_for_this() {
    for (native, other) in [
        (Target::X86_64, Target::Aarch64),
        (Target::Aarch64, Target::X86_64),
    ] {
        let (alone, plan) = (
            on(native, &[native]).unwrap(),
            on(native, &[other]).unwrap(),
        );
        let step = |name, target| &plan.steps[plan.place_for(name, target).unwrap()];
        for name in [
            StepId::Musl,
            StepId::Tic,
            StepId::Ncurses,
            StepId::Python,
            StepId::Nyx,
        ] {
            // The same step, so that it is built once.
            let own = &alone.steps[alone.place(name).unwrap()];
            assert_eq!(own.key, step(name, native).key, "{name}");
        }
        for (name, helpers) in [
            (StepId::Ncurses, &[StepId::Musl][..]),
            (StepId::Sqlite, &[StepId::Musl]),
            (StepId::Python, &[StepId::Python]),
            (StepId::Nyx, &[StepId::Python, StepId::Nyx]),
        ] {
            for helper in helpers {
                let place = plan.place_for(*helper, native).unwrap();
                let step = step(name, other);
                assert!(step.needs.contains(&place), "{name}: {helper}");
                let line = format!("needs build-{helper}: {}\n", plan.steps[place].key);
                assert!(step.covers.contains(&line), "{name}: {helper}");
            }
        }
        // Of the image is what is for its target: no step that only helped.
        assert!(plan.components(other).all(|step| step.target == other));
        assert!(plan.components(other).all(|step| step.name != StepId::Tic));
        assert_eq!(plan.place_for(StepId::Tor, native), None);
        let mut only = plan.only_for(StepId::Nyx, other);
        only.sort_unstable();
        assert_eq!(
            only,
            [
                StepId::Ncurses,
                StepId::Sqlite,
                StepId::Python,
                StepId::Stem,
                StepId::Nyx
            ]
        );
    }
}

#[test]
fn what_two_targets_share_is_one_step() {
    let all = Target::ALL;
    for native in all {
        let both = on(native, &all).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for step in &both.steps {
            assert!(seen.insert(&step.key), "{} twice", both.label(step));
        }
        for target in all {
            let alone = on(native, &[target]).unwrap();
            for step in &alone.steps {
                let same = both.place_for(step.name, step.target).unwrap();
                assert_eq!(step.key, both.steps[same].key, "{}", both.label(step));
            }
            let (mut a, mut b) = (
                alone.only_for(StepId::Nyx, target),
                both.only_for(StepId::Nyx, target),
            );
            a.sort_unstable();
            b.sort_unstable();
            assert_eq!(a, b);
        }
        for (place, step) in both.steps.iter().enumerate() {
            assert!(step.needs.iter().all(|&need| need < place), "{}", step.name);
        }
        assert_eq!(
            both.label(&both.steps[both.place(StepId::Tor).unwrap()]),
            "tor for x86_64"
        );
    }
}

#[test]
fn a_key_names_the_target() {
    let x86 = plan(pin);
    let (host, project) = (Userland::Host, Path::new("."));
    let arm = Plan::new(&[StepId::Tor], Target::Aarch64, &host, project, |name| {
        Some(pin(name))
    });
    assert_eq!(changed(&x86, &arm.unwrap()).len(), x86.steps.len());
}

#[test]
fn another_machines_compiler_makes_other_steps() {
    let other = Arc::new(Source {
        digest: Digest::sha256(b"for another machine"),
        ..(*pin("zig")).clone()
    });
    let before = on(Target::X86_64, &Target::ALL).unwrap();
    let places: Vec<usize> = [
        (StepId::Zlib, Target::X86_64),
        (StepId::Zlib, Target::Aarch64),
    ]
    .iter()
    .map(|&(name, target)| before.place_for(name, target).unwrap())
    .collect();
    let (after, new) = before.compiled_by(&other, &places);
    assert_eq!(keys(&after)[..before.steps.len()], keys(&before)[..]);
    assert_eq!(after.steps.len(), before.steps.len() + 4);
    for (old, new) in places.iter().zip(new) {
        let (old, new) = (&before.steps[*old], &after.steps[new]);
        assert_eq!((old.name, old.target), (new.name, new.target));
        assert_ne!(old.key, new.key);
        let sources = |plan: &Plan, step: &Step| -> Vec<(String, Digest)> {
            let needs = step.needs.iter().map(|&need| &plan.steps[need]);
            let needs = needs.map(|it| (it.key.to_string(), it.source().unwrap().digest));
            needs.collect()
        };
        // Its compiler is another, and all else that it needs is the same.
        let (ours, theirs) = (sources(&before, old), sources(&after, new));
        assert_eq!(theirs[0].1, other.digest);
        assert_ne!(ours[0], theirs[0]);
        assert_eq!(ours[1..], theirs[1..]);
    }
}
