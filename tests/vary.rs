//! Each variation is really in force where the build is: a variation that varies nothing would
//! let everything pass.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use relaysmith::compare::vary::{Site, VARIATIONS, Variation};

/// Prints what a build could find out, a line each, the name before a colon.
const LOOK: &str = r#"
echo "path: $(pwd)"
echo "file-order: $(stat -f -c %T .)"
echo "user: $(id -u) $(id -g) $(stat -c '%u %g' . cache | tr '\n' ' ')"
echo "home: $HOME"
echo "umask: $(umask)"
echo "time-zone: $TZ $(date +%z)"
echo "locale: $LC_ALL"
echo "host-name: $(uname -n)"
echo "path-tail: ${PATH##*:} $("${PATH##*:}/gcc" 2>&1)"
echo "clock: $(cut -d. -f1 /proc/uptime)"
echo "aslr: $((0x$(cat /proc/self/personality) & 0x40000))"
echo "kernel: $(uname -m)"
echo "options: $*"
echo "downloads: $(cat cache/downloads/one)"
"#;

struct Scene {
    folder: tempfile::TempDir,
    site: Site,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join("downloads")).unwrap();
        fs_err::write(folder.path().join("downloads/one"), "one\n").unwrap();
        let work = folder.path().join("work");
        fs_err::create_dir(&work).unwrap();
        let site = Site::new(&work).unwrap();
        Self { folder, site }
    }

    /// What a build with `variations` would find, by name.
    fn found(&self, variations: &[&Variation]) -> BTreeMap<String, String> {
        let arguments = ["-c", LOOK, "sh"].map(OsString::from);
        let downloads = self.folder.path().join("downloads");
        let output = self
            .site
            .command(variations, &downloads, Path::new("/bin/sh"), &arguments)
            .unwrap()
            .env_remove("LC_ALL")
            .env("TZ", "UTC")
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success(),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        said.lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// Those that this machine can do; the others are named.
    fn possible(&self) -> Vec<&'static Variation> {
        let can = |variation: &&Variation| match self
            .site
            .probe(variation, &[Path::new("/proc/self/uid_map")])
        {
            Ok(()) => true,
            Err(why) => {
                skipped(variation.name, &why);
                false
            }
        };
        let all = VARIATIONS.iter().filter(|it| !it.is_emulated());
        all.filter(can).collect()
    }
}

#[allow(clippy::print_stderr, reason = "a skip must be seen")]
fn skipped(name: &str, why: &str) {
    eprintln!("SKIPPED {name}: {why}");
}

#[test]
fn alone_each_changes_what_it_says_and_nothing_else() {
    let scene = Scene::new();
    let usual = scene.found(&[]);
    assert_eq!(usual["downloads"], "one");
    for variation in scene.possible() {
        let found = scene.found(&[variation]);
        let changed: Vec<&str> = usual
            .keys()
            .filter(|name| usual[*name] != found[*name])
            .map(String::as_str)
            // A path is new each time, and with it what lies there; time goes on.
            .filter(|name| match *name {
                "path" => variation.name == "path",
                "path-tail" => variation.name == "path-tail",
                "clock" => found["clock"].parse::<u64>().unwrap() >= 100_000_000,
                _ => true,
            })
            .collect();
        let expected = match variation.option {
            None => variation.name,
            Some((name, value)) => {
                assert!(found["options"].ends_with(&format!("{name} {value}")));
                "options"
            }
        };
        assert_eq!(changed, [expected], "{}: {found:?}", variation.name);
    }
}

#[test]
fn all_that_go_into_one_build_are_in_force_together() {
    let scene = Scene::new();
    let mut together = scene.possible();
    together.retain(|it| it.option.is_none());
    let found = scene.found(&together);
    let usual = scene.found(&[]);
    for variation in together {
        assert_ne!(
            found[variation.name], usual[variation.name],
            "{}",
            variation.name
        );
    }
    assert_eq!(found["downloads"], "one");
}

#[test]
fn what_cannot_be_read_in_other_surroundings_is_said() {
    let scene = Scene::new();
    let missing = scene.folder.path().join("missing");
    let said = scene.site.probe(&VARIATIONS[3], &[&missing]).unwrap_err();
    assert_eq!(said, format!("cannot read {}", missing.display()));
}
