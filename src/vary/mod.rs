//! Building again where all is different that must not matter: another place, user, umask,
//! clock, kernel, engine. If the image is the same all the same, none of it got in.
//!
//! Variations that go together are put into one build: if that is the same, each of them passes,
//! and only if it is not is each tried alone, to name the guilty one.

mod surroundings;

use std::io;
use std::str::FromStr;

use crate::builder::containers::Program;
use crate::builder::engine::Engine;

pub use surroundings::Site;

/// Something about where a build runs that must not reach the image.
#[derive(Debug, PartialEq, Eq)]
pub struct Variation {
    /// Its name, on the command line and in the report.
    pub name: &'static str,
    /// What it is this time.
    pub what: &'static str,
    /// The build it is put into, together with others.
    round: Round,
    /// Where the build's files are.
    place: Place,
    /// Options of `unshare`.
    namespaces: &'static [&'static str],
    /// A line of shell before the build starts.
    before: &'static str,
    /// An argument of `setarch`, which sets all of a personality at once.
    personality: &'static str,
    /// Options of `setpriv`.
    identity: &'static str,
    /// An option of the build, and its value.
    pub option: Option<(&'static str, &'static str)>,
}

/// A build that variations are put into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// With the host's programs, in namespaces, one job at a time.
    Host,
    /// With Alpine's programs, several jobs at a time.
    Alpine,
    /// In containers, by Docker.
    Docker,
    /// In containers, by podman.
    Podman,
}

/// Where the build's files are, the one that changes more the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// In the folder for unfinished work.
    Usual,
    /// There, and seen at another path.
    Bound,
    /// On a file system of their own, in memory.
    Memory,
}

impl Variation {
    /// The engine of the build, if this changes it.
    pub fn engine(&self) -> Option<Engine> {
        match self.round {
            Round::Host | Round::Alpine => None,
            Round::Docker => Some(Engine::Container(Program::Docker)),
            Round::Podman => Some(Engine::Container(Program::Podman)),
        }
    }

    /// Whether it needs the programs of Alpine.
    pub fn needs_alpine(&self) -> bool {
        self.engine().is_some() || self.name == "root"
    }
}

/// A variation of nothing, to be changed in one thing.
const NONE: Variation = Variation {
    name: "",
    what: "",
    round: Round::Host,
    place: Place::Usual,
    namespaces: &[],
    before: "",
    personality: "",
    identity: "",
    option: None,
};

/// All of them.
pub const VARIATIONS: [Variation; 17] = [
    Variation {
        name: "path",
        what: "a longer path, with spaces and letters beyond ASCII",
        place: Place::Bound,
        ..NONE
    },
    Variation {
        name: "file-order",
        what: "a file system in memory, which lists files in another order",
        place: Place::Memory,
        ..NONE
    },
    Variation {
        name: "user",
        what: "user and group 12345",
        place: Place::Bound,
        before: "chown -R 12345:12345 .",
        identity: "--reuid=12345 --regid=12345 --clear-groups",
        ..NONE
    },
    Variation {
        name: "home",
        what: "HOME=/nonexistent",
        before: "export HOME=/nonexistent",
        ..NONE
    },
    Variation {
        name: "umask",
        what: "umask 077",
        before: "umask 077",
        ..NONE
    },
    Variation {
        name: "time-zone",
        what: "TZ=XYZ-5:45, which no place has",
        before: "export TZ=XYZ-5:45",
        ..NONE
    },
    Variation {
        name: "locale",
        what: "LC_ALL=tr_TR.UTF-8, where i is not the small I",
        before: "export LC_ALL=tr_TR.UTF-8 LANG=tr_TR.UTF-8 LANGUAGE=tr",
        ..NONE
    },
    Variation {
        name: "host-name",
        what: "the host is called elsewhere.invalid",
        namespaces: &["--uts"],
        before: "echo elsewhere.invalid >/proc/sys/kernel/hostname",
        ..NONE
    },
    Variation {
        name: "path-tail",
        what: "PATH ends in a folder of compilers and tools that fail",
        before: "for name in cc gcc clang ld ar as c++ python3 pkg-config cmake m4 git perl; do\n\
                 printf '#!/bin/sh\\necho \"$0 was run\" >&2\\nexit 1\\n' >\"tail/$name\"\n\
                 chmod 755 \"tail/$name\"\n\
                 done\n\
                 export PATH=\"$PATH:$PWD/tail\"",
        ..NONE
    },
    Variation {
        name: "clock",
        what: "clocks that count from the start say three years more (not the wall clock)",
        namespaces: &["--time", "--boottime=100000000", "--monotonic=100000000"],
        ..NONE
    },
    Variation {
        name: "kernel",
        what: "the kernel calls the machine i686",
        personality: "linux32",
        ..NONE
    },
    Variation {
        name: "aslr",
        what: "addresses are not random",
        personality: "--addr-no-randomize",
        ..NONE
    },
    Variation {
        name: "one-job",
        what: "--jobs 1",
        option: Some(("--jobs", "1")),
        ..NONE
    },
    Variation {
        name: "many-jobs",
        what: "--jobs 7",
        round: Round::Alpine,
        option: Some(("--jobs", "7")),
        ..NONE
    },
    Variation {
        name: "root",
        what: "--root alpine",
        round: Round::Alpine,
        option: Some(("--root", "alpine")),
        ..NONE
    },
    Variation {
        name: "docker",
        what: "--engine docker",
        round: Round::Docker,
        option: Some(("--engine", "docker")),
        ..NONE
    },
    Variation {
        name: "podman",
        what: "--engine podman",
        round: Round::Podman,
        option: Some(("--engine", "podman")),
        ..NONE
    },
];

/// Variations to try: `all`, or names with commas between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted(pub Vec<&'static Variation>);

/// A text that names no variation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a variation: expected `all`, or some of {}", names())]
pub struct ParseVariationError {
    /// The text as it was given.
    pub text: String,
}

/// Their names, with commas between.
pub fn names() -> String {
    VARIATIONS.map(|variation| variation.name).join(",")
}

impl FromStr for Wanted {
    type Err = ParseVariationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            return Ok(Self(VARIATIONS.iter().collect()));
        }
        let named = |name: &str| {
            let mut all = VARIATIONS.iter();
            let text = name.to_owned();
            all.find(|it| it.name == name)
                .ok_or(ParseVariationError { text })
        };
        text.split(',')
            .map(named)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// What was found of one variation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The image was the same.
    Pass,
    /// With this variation alone it was not: how it differed.
    Fail(String),
    /// It was not with all of a build's variations together, and was with each alone.
    Together(String),
    /// This machine cannot do it, and why.
    Skip(String),
}

impl Outcome {
    /// In one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail(_) | Self::Together(_) => "FAIL",
            Self::Skip(_) => "SKIP",
        }
    }

    /// Whether the image changed.
    pub fn failed(&self) -> bool {
        matches!(self, Self::Fail(_) | Self::Together(_))
    }

    /// How the image differed, or why it was not built.
    pub fn why(&self) -> Option<String> {
        match self {
            Self::Pass => None,
            Self::Fail(why) | Self::Skip(why) => Some(why.clone()),
            Self::Together(how) => Some(format!("not alone, with the others: {how}")),
        }
    }
}

/// Each variation, and what was found of it.
pub type Findings = Vec<(&'static Variation, Outcome)>;

/// Why nothing can be said of any variation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The image is not the recorded one anyway.
    #[error("without any variation this machine does not build the recorded image: {how}")]
    Baseline {
        /// How it differs.
        how: String,
    },
    /// A build could not be tried.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Builds with the variations `wanted`, as few times as will do. `works` says whether this
/// machine can do one, and if not why; `build` builds with some together and says how the image
/// differs, if it does.
///
/// # Errors
/// When a build could not be tried, or differs without any variation.
pub fn judge(
    wanted: &[&'static Variation],
    works: impl Fn(&'static Variation) -> Result<(), String>,
    mut build: impl FnMut(&[&'static Variation]) -> io::Result<Option<String>>,
) -> Result<Findings, Error> {
    let mut findings = Findings::new();
    let mut rounds: Vec<Vec<&'static Variation>> = Vec::new();
    for &variation in wanted {
        if let Err(why) = works(variation) {
            findings.push((variation, Outcome::Skip(why)));
            continue;
        }
        let mut known = rounds.iter_mut();
        match known.find(|round| round[0].round == variation.round) {
            Some(round) => round.push(variation),
            None => rounds.push(vec![variation]),
        }
    }
    let mut baseline_is_same = false;
    for round in rounds {
        let Some(how) = build(&round)? else {
            findings.extend(round.into_iter().map(|it| (it, Outcome::Pass)));
            continue;
        };
        if !baseline_is_same {
            if let Some(how) = build(&[])? {
                return Err(Error::Baseline { how });
            }
            baseline_is_same = true;
        }
        let mut alone = Vec::new();
        for &variation in &round {
            alone.push(match round[..] {
                [_] => Some(how.clone()),
                _ => build(&[variation])?,
            });
        }
        let none_alone = alone.iter().all(Option::is_none);
        for (variation, alone) in round.into_iter().zip(alone) {
            let outcome = match alone {
                Some(how) => Outcome::Fail(how),
                None if none_alone => Outcome::Together(how.clone()),
                None => Outcome::Pass,
            };
            findings.push((variation, outcome));
        }
    }
    findings.sort_by_key(|(found, _)| VARIATIONS.iter().position(|it| it == *found));
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found of `wanted` if the image differs whenever all of one of `guilty` come
    /// together, and podman does not work; and how many builds that took.
    fn found(wanted: &[&str], guilty: &[&[&str]]) -> (Result<String, String>, usize) {
        let Wanted(wanted) = wanted.join(",").parse().unwrap();
        let mut builds = 0;
        let findings = judge(
            &wanted,
            |variation| match variation.name {
                "podman" => Err("it is not here".to_owned()),
                _ => Ok(()),
            },
            |round| {
                builds += 1;
                let has = |name: &&str| round.iter().any(|it| it.name == *name);
                let differs = guilty.iter().find(|names| names.iter().all(has));
                Ok(differs.map(|names| format!("by {}", names.join("+"))))
            },
        );
        let lines = findings.map(|findings| {
            let line = |(variation, outcome): &(&Variation, Outcome)| {
                let why = outcome
                    .why()
                    .map_or(String::new(), |why| format!(": {why}"));
                format!("{} {}{why}", variation.name, outcome.word())
            };
            let lines: Vec<String> = findings.iter().map(line).collect();
            lines.join("; ")
        });
        (lines.map_err(|error| error.to_string()), builds)
    }

    #[test]
    fn the_guilty_one_is_named() {
        for (wanted, guilty, expected, builds) in [
            (
                &["umask", "home"][..],
                &[][..],
                Ok("home PASS; umask PASS"),
                1,
            ),
            (
                &["home", "umask", "aslr"],
                &[&["umask"][..]],
                Ok("home PASS; umask FAIL: by umask; aslr PASS"),
                5,
            ),
            (
                &["home", "umask"],
                &[&["umask"], &["home"]],
                Ok("home FAIL: by home; umask FAIL: by umask"),
                4,
            ),
            (
                &["home", "umask"],
                &[&["umask", "home"]],
                Ok("home FAIL: not alone, with the others: by umask+home; \
                    umask FAIL: not alone, with the others: by umask+home"),
                4,
            ),
            // What cannot be together is not: one job and many.
            (
                &["many-jobs", "one-job"],
                &[],
                Ok("one-job PASS; many-jobs PASS"),
                2,
            ),
            // Alone it need not be built again; the build without any is made once.
            (
                &["umask", "docker"],
                &[&["umask"], &["docker"]],
                Ok("umask FAIL: by umask; docker FAIL: by docker"),
                3,
            ),
            (
                &["podman", "home"],
                &[],
                Ok("home PASS; podman SKIP: it is not here"),
                1,
            ),
            (
                &["home", "umask"],
                &[&[]],
                Err("without any variation this machine does not build the recorded image: by "),
                2,
            ),
        ] {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(found(wanted, guilty), (expected, builds), "{wanted:?}");
        }
    }

    #[test]
    fn names_read_as_they_are_written() {
        let all: Wanted = names().parse().unwrap();
        assert_eq!(Ok(&all), "all".parse().as_ref());
        assert_eq!(all.0.len(), VARIATIONS.len());
        for wrong in ["moon", "", "umask,", "umask,all"] {
            let error = wrong.parse::<Wanted>().unwrap_err().to_string();
            assert!(error.contains("path,file-order,user"), "{error}");
        }
    }
}
