//! From components and targets to steps, each with its key.

use std::path::Path;
use std::sync::Arc;

use super::covers::Covers;
use super::{Error, Key, Order, Plan, Step, Work};
use crate::base::digest::Digest;
use crate::base::target::Target;
use crate::build::recipe::{self, RECIPES, Recipe, StepId};
use crate::build::sandbox::root::Userland;
use crate::pins::Source;

/// Where a plan gets its pins from.
type Pins<'a> = &'a dyn Fn(&'static str) -> Result<Arc<Source>, Error>;

impl Plan {
    /// Plans the components named in `wanted` and all they need, on this machine, with the usual
    /// compiler.
    ///
    /// # Errors
    /// As those of [`Plan::of`].
    pub fn new(
        wanted: &[StepId],
        target: Target,
        userland: &Userland,
        project: &Path,
        source: impl Fn(&str) -> Option<Arc<Source>>,
    ) -> Result<Self, Error> {
        let order = Order {
            wanted,
            targets: &[target],
            native: Target::native().unwrap_or(target),
            userland,
            named: Vec::new(),
            packages: None,
            project,
        };
        Self::of(order, source)
    }

    /// Plans what `order` wants and all that it needs: each step once, however many targets need
    /// it. `source` gives the pin of a component.
    ///
    /// # Errors
    /// When a pin or a patch is missing.
    pub fn of(
        order: Order<'_>,
        source: impl Fn(&str) -> Option<Arc<Source>>,
    ) -> Result<Self, Error> {
        let pinned: Pins<'_> = &|component| source(component).ok_or(Error::NoSource { component });
        let tor = pinned("tor")?;
        let epoch = date(&tor)?;
        let mut plan = Self {
            steps: Vec::new(),
            tor,
            zig: pinned("zig")?,
            named: order.named,
            packages: order.packages,
            targets: order.targets.to_vec(),
            native: order.native,
            userland: order.userland.clone(),
            epoch,
        };
        let components = in_order(order.wanted, order.targets, order.native);
        let in_alpine = matches!(order.userland, Userland::Alpine { .. });
        let targets = order.targets.iter().copied();
        let used = components.iter().map(|(_, target)| *target);
        let tools = in_alpine.then_some(order.native);
        for target in targets.chain(used).chain(tools) {
            if plan.place_for(StepId::Toolchain, target).is_none() {
                plan.add_toolchain(target);
            }
        }
        if in_alpine {
            let source = pinned(StepId::Alpine.as_str())?;
            let mut covers = Covers::new(StepId::Alpine, &[]);
            covers.source(&source);
            plan.add(
                (StepId::Alpine, order.native),
                Work::Root(source),
                Vec::new(),
                0,
                covers,
            );
            // Before the tools, which are linked with it.
            let libc = in_order(&[recipe::LIBC], &[order.native], order.native);
            for (recipe, target) in libc {
                plan.add_component(recipe, target, order.project, pinned)?;
            }
            for tool in recipe::BUILT_TOOLS {
                plan.add_tool(tool, order.project, pinned)?;
            }
        }
        if components
            .iter()
            .any(|(it, _)| it.needs.contains(&StepId::Go))
        {
            let source = pinned(StepId::Go.as_str())?;
            let mut covers = Covers::new(StepId::Go, &[]);
            covers.source(&source);
            let epoch = date(&source)?;
            // It compiles for every target, and runs on this machine.
            let name = (StepId::Go, order.native);
            plan.add(name, Work::Go(source), Vec::new(), epoch, covers);
        }
        for (recipe, target) in components {
            if plan.place_for(recipe.name, target).is_none() {
                plan.add_component(recipe, target, order.project, pinned)?;
            }
        }
        Ok(plan)
    }

    /// The same with further steps, which do what those at `places` do with `compiler`, the usual
    /// one for another machine; and where these stand, in the same order.
    pub fn compiled_by(&self, compiler: &Arc<Source>, places: &[usize]) -> (Self, Vec<usize>) {
        let mut plan = self.clone();
        plan.zig = Arc::clone(compiler);
        let mut compilers: Vec<(Target, usize)> = Vec::new();
        let mut new = Vec::new();
        for &place in places {
            let mut step = self.steps[place].clone();
            let known = compilers.iter().find(|(target, _)| *target == step.target);
            let at = known.map_or(plan.steps.len(), |(_, at)| *at);
            if at == plan.steps.len() {
                plan.add_toolchain(step.target);
                compilers.push((step.target, at));
            }
            for need in &mut step.needs {
                if matches!(self.steps[*need].work, Work::Toolchain(_)) {
                    *need = at;
                }
            }
            step.covers += &format!("compiled by: {}\n", plan.steps[at].key);
            step.key = Key(Digest::sha256(step.covers.as_bytes()).hex());
            new.push(plan.steps.len());
            plan.steps.push(step);
        }
        (plan, new)
    }

    fn add_toolchain(&mut self, target: Target) {
        let sources = match &self.packages {
            Some(packages) => packages.packages.clone(),
            None => vec![Arc::clone(&self.zig)],
        };
        let mut covers = Covers::new(StepId::Toolchain, &[]);
        for source in &sources {
            covers.source(source);
        }
        let make = self.toolchain();
        covers.line("kept", &make.kept().join(" "));
        for (name, text) in make.wrappers(target) {
            covers.line(&name, &text);
        }
        let work = Work::Toolchain(sources);
        self.add((StepId::Toolchain, target), work, Vec::new(), 0, covers);
    }

    fn add_component(
        &mut self,
        recipe: &'static Recipe,
        target: Target,
        project: &Path,
        pinned: Pins<'_>,
    ) -> Result<(), Error> {
        let source = recipe.source.map(pinned).transpose()?;
        let needed = recipe.needed(target, self.native).into_iter();
        let needs: Vec<usize> = std::iter::once((StepId::Toolchain, target))
            .chain(needed.map(|need| (need.name, need.target)))
            .filter_map(|(name, target)| self.place_for(name, target))
            .collect();
        let epoch = match &source {
            Some(source) => date(source)?,
            None => needs
                .iter()
                .map(|&need| self.steps[need].epoch)
                .max()
                .unwrap_or(0),
        };
        let environment = recipe.environment(target, self.native, epoch);
        let mut covers = Covers::new(recipe.name, &environment);
        covers.recipe(recipe, source.as_deref(), project)?;
        if recipe.compiles_here(target, self.native) {
            let (name, text) = self.toolchain().build_compiler(self.native);
            covers.line(&name, &text);
        }
        let work = Work::Component(recipe, source);
        self.add((recipe.name, target), work, needs, epoch, covers);
        Ok(())
    }

    /// A tool is of the root, so its key covers the root, whereas those of the components do
    /// not.
    fn add_tool(
        &mut self,
        tool: &'static Recipe,
        project: &Path,
        pinned: Pins<'_>,
    ) -> Result<(), Error> {
        let source = pinned(tool.source.unwrap_or(tool.name.as_str()))?;
        let (native, epoch) = (self.native, date(&source)?);
        let mut covers = Covers::new(tool.name, &recipe::tool_environment(native, epoch));
        covers.recipe(tool, Some(&source), project)?;
        for (name, text) in self.toolchain().wrappers(native) {
            covers.line(&name, &text);
        }
        let needs = [StepId::Toolchain, StepId::Alpine, recipe::LIBC].into_iter();
        let needs = needs.chain(tool.needs.iter().copied());
        let needs = needs
            .filter_map(|need| self.place_for(need, native))
            .collect();
        let work = Work::Tool(tool, source);
        self.add((tool.name, native), work, needs, epoch, covers);
        Ok(())
    }

    fn add(
        &mut self,
        (name, target): (StepId, Target),
        work: Work,
        needs: Vec<usize>,
        epoch: u64,
        mut covers: Covers,
    ) {
        for &need in &needs {
            let need = &self.steps[need];
            let folder = self.folder(&work, target, need);
            covers.line(&format!("needs {folder}"), need.key.as_str());
        }
        let key = Key(Digest::sha256(covers.text.as_bytes()).hex());
        // What there is of it so far: the C library comes before the tools, which need it.
        let root = match work {
            Work::Toolchain(_) | Work::Root(_) | Work::Go(_) => Vec::new(),
            Work::Tool(..) | Work::Component(..) => self
                .steps
                .iter()
                .enumerate()
                .filter(|(_, step)| step.is_of_root())
                .map(|(place, _)| place)
                .collect(),
        };
        self.steps.push(Step {
            name,
            target,
            work,
            needs,
            root,
            epoch,
            key,
            covers: covers.text,
        });
    }
}

/// When `source` was released, in seconds since 1970.
fn date(source: &Source) -> Result<u64, Error> {
    source.released.ok_or_else(|| Error::NoDate {
        name: source.name.clone(),
        version: source.version.clone(),
    })
}

/// The recipes of `wanted` for `targets` and of all they need, each after what it needs;
/// otherwise in the order of the table.
fn in_order(
    wanted: &[StepId],
    targets: &[Target],
    native: Target,
) -> Vec<(&'static Recipe, Target)> {
    fn add(
        name: StepId,
        target: Target,
        native: Target,
        order: &mut Vec<(&'static Recipe, Target)>,
    ) {
        let Some(recipe) = RECIPES.iter().find(|recipe| recipe.name == name) else {
            return;
        };
        let target = recipe.runs_on(target, native);
        if order.contains(&(recipe, target)) {
            return;
        }
        for need in recipe.needed(target, native) {
            add(need.name, need.target, native, order);
        }
        order.push((recipe, target));
    }
    let mut order = Vec::new();
    for &target in targets {
        let recipes = RECIPES.iter();
        for recipe in recipes.filter(|recipe| wanted.contains(&recipe.name)) {
            add(recipe.name, target, native, &mut order);
        }
    }
    order
}
