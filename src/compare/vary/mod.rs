//! Building again where all is different that must not matter: another place, user, umask,
//! clock, kernel, engine. If the image is the same all the same, none of it got in.
//!
//! Variations that go together are put into one build: if that is the same, each of them passes,
//! and only if it is not is each tried alone, to name the culprit.

mod environment;

use std::io;
use std::str::FromStr;

use crate::build::sandbox::containers::Program;
use crate::build::sandbox::engine::Engine;

pub use environment::Site;

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
    place: BuildFolder,
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
    /// No image, but parts of it, by the compiler for another machine.
    Emulated,
}

/// Where the build's files are, the one that changes more the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum BuildFolder {
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
            Round::Host | Round::Alpine | Round::Emulated => None,
            Round::Docker => Some(Engine::Container(Program::Docker)),
            Round::Podman => Some(Engine::Container(Program::Podman)),
        }
    }

    /// Whether what is built is compiled by programs for another machine.
    pub fn is_emulated(&self) -> bool {
        self.round == Round::Emulated
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
    place: BuildFolder::Usual,
    namespaces: &[],
    before: "",
    personality: "",
    identity: "",
    option: None,
};

/// All of them.
pub const VARIATIONS: [Variation; 19] = [
    Variation {
        name: "path",
        what: "a longer path, with spaces and letters beyond ASCII",
        place: BuildFolder::Bound,
        ..NONE
    },
    Variation {
        name: "file-order",
        what: "a file system in memory, which lists files in another order",
        place: BuildFolder::Memory,
        ..NONE
    },
    Variation {
        name: "user",
        what: "user and group 12345",
        place: BuildFolder::Bound,
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
        what: "TZ=XYZ-5:45, a time zone that does not exist",
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
        what: "the host name is elsewhere.invalid",
        namespaces: &["--uts"],
        before: "echo elsewhere.invalid >/proc/sys/kernel/hostname",
        ..NONE
    },
    Variation {
        name: "path-tail",
        what: "PATH ends with a directory of compilers and tools that fail",
        before: "for name in cc gcc clang ld ar as c++ python3 pkg-config cmake m4 git perl; do\n\
                 printf '#!/bin/sh\\necho \"$0 was run\" >&2\\nexit 1\\n' >\"tail/$name\"\n\
                 chmod 755 \"tail/$name\"\n\
                 done\n\
                 export PATH=\"$PATH:$PWD/tail\"",
        ..NONE
    },
    Variation {
        name: "clock",
        what: "the machine's uptime is three years longer (the wall clock is unchanged)",
        namespaces: &["--time", "--boottime=100000000", "--monotonic=100000000"],
        ..NONE
    },
    Variation {
        name: "kernel",
        what: "the kernel reports the machine as i686",
        personality: "linux32",
        ..NONE
    },
    Variation {
        name: "aslr",
        what: "addresses are not randomized",
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
        name: "toolchain",
        what: "--toolchain debian",
        round: Round::Alpine,
        option: Some(("--toolchain", "debian")),
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
    Variation {
        name: "build-machine",
        what: "zlib, zstd and libevent, for every platform, by the other machine's compiler",
        round: Round::Emulated,
        ..NONE
    },
];

/// Variations to try: `all`, `all,-NAME` for all but one, or names with commas between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted(pub Vec<&'static Variation>);

/// A text that names no variation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a variation: expected `all`, `all,-NAME` or some of {}",
    names()
)]
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
        let named = |name: &str| {
            let mut all = VARIATIONS.iter();
            let text = name.to_owned();
            all.find(|it| it.name == name)
                .ok_or(ParseVariationError { text })
        };
        if let Some(but) = text.strip_prefix("all") {
            let mut wanted: Vec<_> = VARIATIONS.iter().collect();
            for name in but.split(',').skip(1) {
                let text = name.to_owned();
                let name = name.strip_prefix('-').ok_or(ParseVariationError { text })?;
                let but = named(name)?;
                wanted.retain(|it| *it != but);
            }
            if but.is_empty() || but.starts_with(',') {
                return Ok(Self(wanted));
            }
        }
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
            Self::Together(how) => Some(format!("not by itself, only together with others: {how}")),
        }
    }
}

/// Each variation, and what was found of it.
pub type Outcomes = Vec<(&'static Variation, Outcome)>;

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
) -> Result<Outcomes, Error> {
    let mut findings = Outcomes::new();
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
mod tests;
