//! The steps from sources to outputs, and the keys that name them.
//!
//! A step's key is a digest of everything that may change its output: source pins,
//! patches, the script, the environment, the compiler, the target, `SOURCE_DATE_EPOCH`
//! and the keys of what it needs. Left out on purpose: the number of jobs, paths on the
//! host, the engine and the builder's root, because the output does not depend on them
//! (`verify --vary` is there to show it).

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::builder::root::Userland;
use crate::builder::toolchain;
use crate::digest::Digest;
use crate::recipe::{self, RECIPES, Recipe};
use crate::source::Source;
use crate::target::Target;

/// Goes up when the meaning of a key changes other than through its text.
const KEY_FORMAT: u32 = 1;

/// The name of a step's output in the store: a SHA-256 in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// All of it.
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
    Toolchain(Arc<Source>),
    /// Compiles the C library into the compiler's cache.
    Libc,
    /// Unpacks the root file system to build in.
    Root(Arc<Source>),
    /// Builds a program that this root lacks.
    Tool(&'static Recipe, Arc<Source>),
    /// Builds a component, from its source if it has one.
    Component(&'static Recipe, Option<Arc<Source>>),
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name: a component's or a tool's, or `toolchain`, `libc` or `alpine`.
    pub name: &'static str,
    /// What it does.
    pub work: Work,
    /// The steps that must be done before, as places in [`Plan::steps`].
    pub needs: Vec<usize>,
    /// The steps that make the root it runs in, if that is made; its key does not cover them.
    pub root: Vec<usize>,
    /// The name of its output.
    pub key: Key,
    /// All that the key covers, as text.
    pub covers: String,
}

impl Step {
    /// The source that it unpacks.
    pub fn source(&self) -> Option<&Arc<Source>> {
        match &self.work {
            Work::Toolchain(source) | Work::Root(source) | Work::Tool(_, source) => Some(source),
            Work::Component(_, source) => source.as_ref(),
            Work::Libc => None,
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
    /// The pin of the compiler.
    pub zig: Arc<Source>,
    /// What the outputs run on.
    pub target: Target,
    /// Whose programs the steps use.
    pub userland: Userland,
    /// `SOURCE_DATE_EPOCH`: when tor was released, in seconds since 1970.
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
    /// tor's pin does not say when it was released.
    #[error("the pin of tor {version} has no `released`, which every time stamp is taken from")]
    NoEpoch {
        /// tor's version.
        version: String,
    },
    /// A component that is built by itself, for another machine.
    #[error(
        "`{component}` can be built for {} only, not for {target}",
        Target::X86_64
    )]
    Native {
        /// The component.
        component: &'static str,
        /// The machine that was asked for.
        target: Target,
    },
    /// A patch could not be read.
    #[error(transparent)]
    Patch(#[from] io::Error),
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Native { .. } => {
                Some("`--without-arm` builds the relay alone, without Python".to_owned())
            }
            Self::NoSource { .. } | Self::NoEpoch { .. } | Self::Patch(_) => None,
        }
    }
}

impl Plan {
    /// Plans the components named in `wanted` and all they need. `source` gives the pin of a
    /// component; patches are read from `patches/<component>/` under `project`.
    ///
    /// # Errors
    /// When a pin or a patch is missing.
    pub fn new(
        wanted: &[&str],
        target: Target,
        userland: &Userland,
        project: &Path,
        source: impl Fn(&str) -> Option<Arc<Source>>,
    ) -> Result<Self, Error> {
        let pinned =
            |component: &'static str| source(component).ok_or(Error::NoSource { component });
        let tor = pinned("tor")?;
        let epoch = tor.released.ok_or_else(|| Error::NoEpoch {
            version: tor.version.clone(),
        })?;
        let zig = pinned("zig")?;
        let mut plan = Self {
            steps: Vec::new(),
            tor,
            zig: Arc::clone(&zig),
            target,
            userland: userland.clone(),
            epoch,
        };
        let environment = recipe::environment(target, epoch);
        let mut covers = Covers::new("toolchain", &environment);
        covers.source(&zig);
        for (name, text) in toolchain::wrappers(target) {
            covers.line(name, &text);
        }
        plan.add("toolchain", Work::Toolchain(zig), Vec::new(), covers);

        let alpine = match userland {
            Userland::Host => None,
            Userland::Alpine { .. } => Some(pinned("alpine")?),
        };
        if let Some(source) = &alpine {
            let mut covers = Covers::new("alpine", &[]);
            covers.line("SOURCE_DATE_EPOCH", &epoch.to_string());
            covers.source(source);
            let work = Work::Root(Arc::clone(source));
            plan.add("alpine", work, Vec::new(), covers);
        }

        let mut covers = Covers::new("libc", &environment);
        covers.script(recipe::LIBC);
        plan.add("libc", Work::Libc, vec![0], covers);

        if alpine.is_some() {
            for tool in recipe::BUILT_TOOLS {
                plan.add_tool(tool, pinned(tool.name)?);
            }
        }

        for recipe in in_order(wanted) {
            if recipe.native && target != Target::X86_64 {
                return Err(Error::Native {
                    component: recipe.name,
                    target,
                });
            }
            let source = recipe.source.map(pinned).transpose()?;
            let mut covers = Covers::new(recipe.name, &environment);
            if let Some(source) = &source {
                covers.source(source);
                for patch in &source.patches {
                    let path = project.join("patches").join(&source.name).join(patch);
                    covers.line("patch", &Digest::sha256(&fs_err::read(path)?).to_string());
                }
            }
            for (name, text) in recipe.files {
                covers.line(&format!("file {name}"), text);
            }
            covers.script(recipe.script);
            let own = recipe.needs.iter().copied();
            let shared = ["toolchain"]
                .into_iter()
                .chain(recipe.links.then_some("libc"));
            let needs = shared
                .chain(own)
                .filter_map(|need| plan.place(need))
                .collect();
            plan.add(recipe.name, Work::Component(recipe, source), needs, covers);
        }
        Ok(plan)
    }

    /// A tool is of the root, so its key covers the root, whereas those of the components do
    /// not.
    fn add_tool(&mut self, tool: &'static Recipe, source: Arc<Source>) {
        let native = self.native();
        let environment = recipe::tool_environment(native, self.epoch);
        let mut covers = Covers::new(tool.name, &environment);
        covers.source(&source);
        for (name, text) in toolchain::wrappers(native) {
            covers.line(name, &text);
        }
        covers.script(tool.script);
        let needs = ["toolchain", "libc", "alpine"].iter().chain(tool.needs);
        let needs = needs.filter_map(|need| self.place(need)).collect();
        self.add(tool.name, Work::Tool(tool, source), needs, covers);
    }

    /// What the tools of the root run on: this machine.
    pub fn native(&self) -> Target {
        Target::native().unwrap_or(self.target)
    }

    /// Where the step `name` stands.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.name == name)
    }

    /// The steps that build components.
    pub fn components(&self) -> impl Iterator<Item = &Step> {
        self.steps
            .iter()
            .filter(|step| matches!(step.work, Work::Component(..)))
    }

    /// Every source that a step unpacks, once.
    pub fn sources(&self) -> Vec<Arc<Source>> {
        distinct(&self.steps)
    }

    /// Every source that something of the image is compiled from, once.
    pub fn component_sources(&self) -> Vec<Arc<Source>> {
        distinct(self.components())
    }

    /// The steps that only the component `name` needs, itself among them.
    pub fn only_for(&self, name: &str) -> Vec<&'static str> {
        let Some(place) = self.place(name) else {
            return Vec::new();
        };
        let mut only = vec![place];
        // Backwards: all that need a step stand after it.
        for at in (0..place).rev() {
            let mut users =
                (0..self.steps.len()).filter(|&user| self.steps[user].needs.contains(&at));
            let used = users.clone().next().is_some();
            if used && users.all(|user| only.contains(&user)) {
                only.push(at);
            }
        }
        only.iter().map(|&at| self.steps[at].name).collect()
    }

    /// When the newest of the sources of `steps` was released, in seconds since 1970.
    pub fn newest(&self, steps: &[&str]) -> Option<u64> {
        let steps = self.steps.iter().filter(|step| steps.contains(&step.name));
        steps
            .filter_map(|step| step.source().and_then(|source| source.released))
            .max()
    }

    fn add(&mut self, name: &'static str, work: Work, needs: Vec<usize>, mut covers: Covers) {
        for &need in &needs {
            let need = &self.steps[need];
            covers.line(&format!("needs {}", need.name), need.key.as_str());
        }
        let key = Key(Digest::sha256(covers.text.as_bytes()).hex());
        // What there is of it so far: the C library is made before the tools, which need it.
        let root = match work {
            Work::Toolchain(_) | Work::Root(_) => Vec::new(),
            Work::Libc | Work::Tool(..) | Work::Component(..) => self
                .steps
                .iter()
                .enumerate()
                .filter(|(_, step)| matches!(step.work, Work::Root(_) | Work::Tool(..)))
                .map(|(place, _)| place)
                .collect(),
        };
        self.steps.push(Step {
            name,
            work,
            needs,
            root,
            key,
            covers: covers.text,
        });
    }
}

/// The sources of `steps`, without those of a step before.
fn distinct<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Vec<Arc<Source>> {
    let mut sources: Vec<Arc<Source>> = Vec::new();
    for source in steps.into_iter().filter_map(Step::source) {
        if sources.iter().all(|known| known.name != source.name) {
            sources.push(Arc::clone(source));
        }
    }
    sources
}

/// The recipes of `wanted` and of all they need, each after what it needs; otherwise in
/// the order of the table.
fn in_order(wanted: &[&str]) -> Vec<&'static Recipe> {
    fn add(name: &str, order: &mut Vec<&'static Recipe>) {
        if order.iter().any(|recipe| recipe.name == name) {
            return;
        }
        if let Some(recipe) = RECIPES.iter().find(|recipe| recipe.name == name) {
            for need in recipe.needs {
                add(need, order);
            }
            order.push(recipe);
        }
    }
    let mut order = Vec::new();
    for recipe in RECIPES
        .iter()
        .filter(|recipe| wanted.contains(&recipe.name))
    {
        add(recipe.name, &mut order);
    }
    order
}

/// The text that a key is the digest of: one fact a line, `name: value`, where what
/// spans several lines goes in as its digest.
struct Covers {
    text: String,
}

impl Covers {
    fn new(step: &str, environment: &[(&'static str, String)]) -> Self {
        let mut covers = Self {
            text: String::new(),
        };
        covers.line("format", &KEY_FORMAT.to_string());
        covers.line("step", step);
        for (name, value) in environment {
            covers.line(name, value);
        }
        covers
    }

    fn source(&mut self, source: &Source) {
        self.line(
            "source",
            &format!("{} {} {}", source.name, source.version, source.digest),
        );
    }

    fn script(&mut self, script: &str) {
        self.line("script", &format!("{}{script}", recipe::PRELUDE));
    }

    fn line(&mut self, name: &str, value: &str) {
        use fmt::Write as _;
        let digest;
        let value = if value.contains('\n') {
            digest = Digest::sha256(value.as_bytes()).to_string();
            &digest
        } else {
            value
        };
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{name}: {value}");
    }
}

#[cfg(test)]
mod tests;
