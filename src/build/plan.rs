//! The steps from sources to outputs, and the keys that name them.
//!
//! A step's key is a digest of everything that may change its output: source pins,
//! patches, the script, the environment, the compiler, the target, `SOURCE_DATE_EPOCH`
//! and the keys of what it needs. Left out on purpose: the number of jobs, paths on the
//! host, the engine and the builder's root, because the output does not depend on them
//! (`verify --vary` is there to show it).

mod covers;
mod make;
mod order;

use std::fmt;
use std::io;
use std::sync::Arc;

use serde::Serialize;

pub use self::order::Order;
use crate::base::target::Target;
use crate::build::recipe::{self, Recipe, StepId};
use crate::build::sandbox::root::Userland;
use crate::build::sandbox::toolchain::Toolchain;
use crate::pins::Source;
use crate::pins::debian::Packages;

/// The name of a step's output in the store: a SHA-256 in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Key(String);

#[cfg(test)]
impl Key {
    /// The key of a step that covers `text`.
    pub(crate) fn of(text: &str) -> Self {
        Self(crate::base::digest::Digest::sha256(text.as_bytes()).hex())
    }
}

impl Key {
    /// The whole key, as it names a folder of the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As much of it as people need.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum Work {
    /// Unpacks the compiler and writes its wrappers.
    Toolchain(Vec<Arc<Source>>),
    /// Unpacks the root file system to build in.
    Root(Arc<Source>),
    /// Unpacks the compiler of Go, and the library that comes with it.
    Go(Arc<Source>),
    /// Builds a program that this root lacks.
    Tool(&'static Recipe, Arc<Source>),
    /// Builds a component, from its source if it has one.
    Component(&'static Recipe, Option<Arc<Source>>),
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// What it makes.
    pub name: StepId,
    /// What its output runs on, or what it is compiled with is for.
    pub target: Target,
    /// What it does.
    pub work: Work,
    /// The steps that must be done before, as places in [`Plan::steps`].
    pub needs: Vec<usize>,
    /// The steps that make the root it runs in, if that is made; its key does not cover them.
    pub root: Vec<usize>,
    /// `SOURCE_DATE_EPOCH` in it: when its source was released, in seconds since 1970. What has
    /// no source of its own has the newest date of what it needs.
    pub epoch: u64,
    /// The name of its output.
    pub key: Key,
    /// All that the key covers, as text.
    pub covers: String,
}

impl Step {
    /// Whether its output is part of the root that later steps run in.
    fn is_of_root(&self) -> bool {
        matches!(self.work, Work::Root(_) | Work::Tool(..))
    }

    /// The source that it unpacks; of several, the first.
    pub fn source(&self) -> Option<&Arc<Source>> {
        self.sources().first()
    }

    /// All that it unpacks.
    pub fn sources(&self) -> &[Arc<Source>] {
        match &self.work {
            Work::Toolchain(sources) => sources,
            Work::Root(source) | Work::Go(source) | Work::Tool(_, source) => {
                std::slice::from_ref(source)
            }
            Work::Component(_, source) => source.as_slice(),
        }
    }
}

/// All steps, each after those it needs.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    /// The pin of tor.
    pub tor: Arc<Source>,
    /// The pin of the usual compiler, for this machine. Another gives the same bytes.
    pub zig: Arc<Source>,
    /// Pins that records and SBOMs name, in place of those of the same names for this machine.
    named: Vec<Arc<Source>>,
    /// The packages with the compiler that the steps use, if it is another.
    pub packages: Option<Packages>,
    /// What the images run on.
    pub targets: Vec<Target>,
    /// What programs run on this machine.
    pub native: Target,
    /// Whose programs the steps use.
    pub userland: Userland,
    /// When tor was released, in seconds since 1970: the date of the image.
    pub epoch: u64,
}

/// A plan could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No source is pinned for a component.
    #[error("no source is pinned for `{component}`")]
    NoSource {
        /// The component.
        component: &'static str,
    },
    /// A pin does not say when its source was released.
    #[error("the pin of {name} {version} has no `released`, which its time stamps are taken from")]
    NoDate {
        /// The component.
        name: String,
        /// Its version.
        version: String,
    },
    /// A patch could not be read.
    #[error(transparent)]
    Patch(#[from] io::Error),
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoDate { name, .. } => Some(format!(
                "add `released = YYYY-MM-DDTHH:MM:SSZ` to `{name}` in sources.toml"
            )),
            Self::NoSource { .. } | Self::Patch(_) => None,
        }
    }
}

impl Plan {
    /// Whose compiler the steps use.
    pub fn toolchain(&self) -> Toolchain {
        match self.packages {
            Some(_) => Toolchain::Debian,
            None => Toolchain::Zig,
        }
    }

    /// Its version, as who publishes it spells it.
    pub fn compiler_version(&self) -> &str {
        let packages = self.packages.as_ref().map(|packages| &packages.version);
        packages.unwrap_or(&self.zig.version)
    }

    /// The pin that records and SBOMs name where this machine uses `source`: the same on every
    /// machine.
    pub fn named<'a>(&'a self, source: &'a Arc<Source>) -> &'a Arc<Source> {
        let mut named = self.named.iter();
        named.find(|it| it.name == source.name).unwrap_or(source)
    }

    /// The same with its version: `zig 0.17.0`.
    pub fn compiler(&self) -> String {
        format!("{} {}", self.toolchain(), self.compiler_version())
    }

    /// Where the step `name` stands: that for the first target, if there are several.
    pub fn place(&self, name: StepId) -> Option<usize> {
        let first = self.targets.first();
        let first = first.and_then(|&target| self.place_for(name, target));
        first.or_else(|| self.steps.iter().position(|step| step.name == name))
    }

    /// Where the step `name` for `target` stands.
    pub fn place_for(&self, name: StepId, target: Target) -> Option<usize> {
        let mut steps = self.steps.iter();
        steps.position(|step| step.name == name && step.target == target)
    }

    /// The steps that build what an image for `target` is made of; not those that only help to
    /// build it for another machine.
    pub fn components(&self, target: Target) -> impl Iterator<Item = &Step> {
        self.steps
            .iter()
            .filter(move |step| matches!(step.work, Work::Component(..)) && step.target == target)
    }

    /// Where the steps stand whose outputs images are made of.
    pub fn wanted(&self) -> Vec<usize> {
        let is_wanted = |step: &Step| {
            matches!(step.work, Work::Component(..)) && self.targets.contains(&step.target)
        };
        let steps = self.steps.iter().enumerate();
        steps
            .filter(|(_, step)| is_wanted(step))
            .map(|(place, _)| place)
            .collect()
    }

    /// What to call a step where people read it: with what it is for, if there are steps for
    /// several machines.
    pub fn label(&self, step: &Step) -> String {
        let one = self.steps.iter().all(|other| other.target == step.target);
        match step.work {
            Work::Component(..) | Work::Toolchain(_) if !one => {
                format!("{} for {}", step.name, step.target.machine())
            }
            _ => step.name.to_string(),
        }
    }

    /// Every source that a step unpacks, once.
    pub fn sources(&self) -> Vec<Arc<Source>> {
        distinct(&self.steps)
    }

    /// The step that unpacks Go, if something is written in it.
    pub fn go(&self) -> Option<&Step> {
        self.place(StepId::Go).map(|place| &self.steps[place])
    }

    /// Every source that something of the image for `target` is compiled from, once. Go is among
    /// them: what is written in it has parts of its library.
    pub fn component_sources(&self, target: Target) -> Vec<Arc<Source>> {
        distinct(self.go().into_iter().chain(self.components(target)))
    }

    /// The steps for `target` that only the component `name` needs there, itself among them.
    pub fn only_for(&self, name: StepId, target: Target) -> Vec<StepId> {
        let Some(place) = self.place_for(name, target) else {
            return Vec::new();
        };
        let mut only = vec![place];
        // Backwards: all that need a step stand after it.
        // Go runs on this machine, and what is of it is in what it compiles.
        let is_for = |at: &usize| {
            let step = &self.steps[*at];
            step.target == target || matches!(step.work, Work::Go(_))
        };
        for at in (0..place).rev().filter(is_for) {
            let users = (0..self.steps.len()).filter(is_for);
            let mut users = users.filter(|&user| self.steps[user].needs.contains(&at));
            let used = users.clone().next().is_some();
            if used && users.all(|user| only.contains(&user)) {
                only.push(at);
            }
        }
        only.iter().map(|&at| self.steps[at].name).collect()
    }

    /// When the newest of the sources of `steps` was released, in seconds since 1970.
    pub fn newest(&self, steps: &[StepId]) -> Option<u64> {
        // The sources are the same for every target.
        let steps = self.steps.iter().filter(|step| steps.contains(&step.name));
        steps
            .filter_map(|step| step.source().and_then(|source| source.released))
            .max()
    }

    /// The name of the folder in `/deps` where a step that does `work` for `target` finds the
    /// output of `need`.
    pub fn folder(&self, work: &Work, target: Target, need: &Step) -> String {
        let needed = match work {
            Work::Component(recipe, _) => recipe.needed(target, self.native),
            _ => Vec::new(),
        };
        let mut needed = needed.iter();
        let found = needed.find(|it| it.name == need.name && it.target == need.target);
        found.map_or_else(|| need.name.to_string(), recipe::Need::folder)
    }
}

/// The sources of `steps`, without those of a step before.
fn distinct<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Vec<Arc<Source>> {
    let mut sources: Vec<Arc<Source>> = Vec::new();
    for source in steps.into_iter().flat_map(Step::sources) {
        if sources.iter().all(|known| known.name != source.name) {
            sources.push(Arc::clone(source));
        }
    }
    sources
}

#[cfg(test)]
mod tests;
