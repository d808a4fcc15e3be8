//! Carries out a plan: whatever the store does not hold already, in parallel, under one
//! job budget.

mod found;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use fs_err as fs;

pub use self::found::Found;

use crate::base::progress::Progress;
use crate::base::remove::remove;
use crate::build::collect::{self, collect};
use crate::build::outputs::{self, Built, Store, Workspace};
use crate::build::parallel;
use crate::build::plan::{Plan, Step, Work};
use crate::build::recipe::{self, Recipe, StepId};
use crate::build::sandbox::elf::Language;
use crate::build::sandbox::jobs::Tokens;
use crate::build::sandbox::root::{self, Root, Userland};
use crate::build::sandbox::toolchain::Toolchain;
use crate::build::sandbox::{self, Job, Limits, Mount, Sandbox, Used, elf};
use crate::build::timings::{Clock, Timing, Timings};
use crate::pins::Source;
use crate::unpack::patch;
use crate::unpack::{self, Keep, unpack, unpack_root};
use crate::verify::Verified;

/// A step failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An archive could not be unpacked.
    #[error(transparent)]
    Unpack(#[from] unpack::Error),
    /// A patch does not apply.
    #[error(transparent)]
    Patch(#[from] patch::Error),
    /// A command failed.
    #[error(transparent)]
    Builder(#[from] sandbox::Error),
    /// What a command left is not what a build leaves.
    #[error(transparent)]
    Collect(#[from] collect::Error),
    /// An output could not be kept.
    #[error(transparent)]
    Outputs(#[from] outputs::Error),
    /// The store or a folder in it could not be used.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A finished program lacks what every program here has.
    #[error("{step}: `{program}` is not what it must be: {}", .broken.join("; "))]
    Promise {
        /// The step that made it.
        step: StepId,
        /// The program.
        program: String,
        /// What is wrong with it.
        broken: Vec<String>,
    },
    /// A source was not handed over.
    #[error("{step}: its source was not verified")]
    NotVerified {
        /// The step.
        step: StepId,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unpack(error) => error.hint(),
            Self::Patch(error) => error.hint(),
            Self::Builder(error) => error.hint(),
            Self::Outputs(error) => error.hint(),
            Self::Io(_) | Self::Collect(_) | Self::Promise { .. } | Self::NotVerified { .. } => {
                None
            }
        }
    }

    /// Whether it only follows from another step's failure.
    fn is_consequence(&self) -> bool {
        matches!(self, Self::Builder(sandbox::Error::Cancelled { .. }))
    }
}

/// What a build works with.
pub struct Builder<'a> {
    /// The steps.
    pub plan: &'a Plan,
    /// Where outputs are kept.
    pub store: &'a Store,
    /// The folder of the project, for its patches.
    pub project: &'a Path,
    /// How many processes may run at once.
    pub jobs: usize,
    /// Who watches.
    pub progress: &'a dyn Progress,
}

impl Builder<'_> {
    /// Reads the outputs of the steps at the places `wanted`, and of what they need if one of them
    /// is not there whole. Nothing is changed.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn find(&self, wanted: &[usize]) -> Result<Found, outputs::Error> {
        Found::read(self.plan, self.store, wanted)
    }

    /// Makes what is missing, from `sources` by component. `sandbox` makes the engine, given a
    /// folder for its files; it is asked for only if there is something to build. Returns the
    /// outputs that were wanted by place, and how long it took to make what was made.
    ///
    /// # Errors
    /// The first step that failed; the others are ended.
    pub fn make(
        &self,
        found: Found,
        sources: &BTreeMap<String, Verified>,
        sandbox: impl FnOnce(&Path) -> Result<Box<dyn Sandbox>, sandbox::Error>,
    ) -> Result<(BTreeMap<usize, Built>, Timings), Error> {
        let clock = Clock::start();
        let timings = Mutex::default();
        let Found {
            wanted,
            before,
            mut built,
            missing,
        } = found;
        if missing.contains(&true) {
            let workspace = self.store.workspace()?;
            let engine = sandbox(workspace.path())?;
            let run = Run {
                builder: self,
                sources,
                workspace: &workspace,
                clock: &clock,
                timings: &timings,
                begun: &AtomicUsize::new(0),
                steps: missing.iter().filter(|missing| **missing).count(),
            };
            built = run.make(&before, built, &missing, &*engine)?;
        }
        let timings = timings.into_inner().unwrap_or_else(PoisonError::into_inner);
        let outputs = found::those(built, &wanted);
        Ok((outputs, clock.stop(self.jobs, timings)))
    }
}

/// What the steps of one run have in common.
#[derive(Clone, Copy)]
struct Run<'a> {
    builder: &'a Builder<'a>,
    sources: &'a BTreeMap<String, Verified>,
    workspace: &'a Workspace,
    clock: &'a Clock,
    timings: &'a Mutex<Vec<Timing>>,
    /// How many steps have begun, and how many there are to make.
    begun: &'a AtomicUsize,
    steps: usize,
}

impl Run<'_> {
    /// Makes every step that is `missing`; each takes a job token when what it needs is there.
    fn make(
        &self,
        before: &[Vec<usize>],
        built: Vec<Option<Built>>,
        missing: &[bool],
        engine: &dyn Sandbox,
    ) -> Result<Vec<Option<Built>>, Error> {
        let tokens = Tokens::new(self.workspace.path(), self.builder.jobs)?;
        let plan = self.builder.plan;
        let host = match plan.userland {
            Userland::Host => root::host(self.workspace.path())?,
            Userland::Alpine { .. } => Root::default(),
        };
        let cancelled = AtomicBool::new(false);
        // The size of a source tells well enough how long its step takes.
        let work = plan.steps.iter().map(|step| {
            let sources = step.sources().iter();
            sources.map(|source| source.size.most()).sum()
        });
        let ranks = parallel::ranks(before, &work.collect::<Vec<u64>>());
        let make = |place: usize, mut needs: Vec<Built>| {
            let step = &plan.steps[place];
            let root = needs.split_off(step.needs.len());
            Running {
                run: *self,
                builder: self.builder,
                step,
                rank: ranks[place],
                needs,
                host: &host,
                root,
                cancelled: &cancelled,
                tokens: &tokens,
            }
            .make(engine)
        };
        parallel::run(
            before,
            built,
            missing,
            &cancelled,
            make,
            Error::is_consequence,
        )
    }
}

/// One step under way.
struct Running<'a> {
    run: Run<'a>,
    builder: &'a Builder<'a>,
    step: &'a Step,
    /// How much depends on it: it goes before those of a lower rank.
    rank: u64,
    needs: Vec<Built>,
    /// The host's userland, if that is the root.
    host: &'a Root,
    /// What the root is made of otherwise: Alpine's tree, then the tools it lacks.
    root: Vec<Built>,
    cancelled: &'a AtomicBool,
    tokens: &'a Tokens,
}

impl Running<'_> {
    fn make(&self, engine: &dyn Sandbox) -> Result<Built, Error> {
        let store = self.builder.store;
        let claim = store.claim(&self.step.key, || {
            let name = self.builder.plan.label(self.step);
            self.builder.progress.note(&format!(
                "{name}: waiting for another run that is building it"
            ));
        })?;
        // Another run may have made it while we waited.
        if let Some(built) = store.find(self.step)? {
            return Ok(built);
        }
        store.clear(&claim)?;
        let cancelled = || self.cancelled.load(Ordering::Relaxed);
        let Some(token) = self.tokens.take_unless(self.rank, cancelled)? else {
            return Err(sandbox::Error::Cancelled {
                step: self.step.name.to_string(),
            }
            .into());
        };
        let number = self.run.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let title = format!("[{number}/{}] {}", self.run.steps, self.title());
        let task = self.builder.progress.begin(&title, None);
        let begun = self.run.clock.elapsed();
        let name = format!("{}-{}", self.step.name, self.step.target);
        let folder = self.run.workspace.path().join(name);
        fs::create_dir(&folder)?;
        // What this program does itself is not measured by step.
        let ours = |out| (out, Used::default());
        let (out, used) = match &self.step.work {
            Work::Toolchain(_) => ours(self.unpack_toolchain(&folder)?),
            Work::Root(_) => ours(self.unpack_root(&folder, &|_| true)?),
            Work::Go(_) => ours(self.unpack_root(&folder, &recipe::go_keeps)?),
            Work::Tool(tool, _) => {
                let plan = self.builder.plan;
                let place = folder.join("build");
                Toolchain::write(&place, &plan.toolchain().wrappers(plan.native))?;
                self.build_component(engine, &folder, tool)?
            }
            Work::Component(recipe, _) => {
                let plan = self.builder.plan;
                if recipe.compiles_here(self.step.target, plan.native) {
                    let compiler = plan.toolchain().build_compiler(plan.native);
                    Toolchain::write(&folder.join("build"), &[compiler])?;
                }
                let (out, used) = self.build_component(engine, &folder, recipe)?;
                self.check_programs(&out, recipe)?;
                (out, used)
            }
        };
        drop(token);
        let built = store.keep(&claim, self.step, &out)?;
        task.finish("done");
        let plan = self.builder.plan;
        let needs = self.step.needs.iter().chain(&self.step.root);
        let needs = needs.map(|&need| plan.label(&plan.steps[need]));
        let timing = Timing {
            step: plan.label(self.step),
            begun,
            wall: self.run.clock.elapsed().saturating_sub(begun),
            cpu: used.cpu,
            needs: needs.collect(),
        };
        let timings = &mut self.run.timings.lock();
        (timings
            .as_mut()
            .unwrap_or_else(|poisoned| poisoned.get_mut()))
        .push(timing);
        // The next steps want the disk, and the page cache that the tree takes up.
        remove(&folder)?;
        Ok(built)
    }

    fn title(&self) -> String {
        match &self.step.work {
            Work::Toolchain(_) => {
                let plan = self.builder.plan;
                let whose = plan.label(self.step);
                let whose = whose
                    .strip_prefix(self.step.name.as_str())
                    .unwrap_or_default();
                format!("unpack the compiler{whose} ({})", plan.compiler())
            }
            Work::Root(root) => format!("unpack the root ({} {})", root.name, root.version),
            Work::Go(go) => format!("unpack the compiler (go {})", go.version),
            Work::Tool(tool, source) => {
                format!("build {} {} for the root", tool.name, source.version)
            }
            Work::Component(recipe, Some(source)) => {
                let whose = self.builder.plan.label(self.step);
                let whose = whose.strip_prefix(recipe.name.as_str()).unwrap_or_default();
                format!("build {} {}{whose}", recipe.name, source.version)
            }
            Work::Component(..) => format!("build {}", self.builder.plan.label(self.step)),
        }
    }

    fn verified(&self, source: &Source) -> Result<&Verified, Error> {
        let verified = self.run.sources.get(&source.name);
        verified.ok_or(Error::NotVerified {
            step: self.step.name,
        })
    }

    /// The step's one source, verified.
    fn own(&self) -> Result<&Verified, Error> {
        let source = self.step.source().ok_or(Error::NotVerified {
            step: self.step.name,
        })?;
        self.verified(source)
    }

    fn unpack_toolchain(&self, folder: &Path) -> Result<PathBuf, Error> {
        let out = folder.join("out");
        fs::create_dir(&out)?;
        let plan = self.builder.plan;
        let toolchain = plan.toolchain();
        for source in self.step.sources() {
            let place = folder.join(format!("unpacked-{}", source.name));
            let keep = |path: &Path| toolchain.wanted(&source.name, path);
            let unpacked = unpack_root(self.verified(source)?, self.step.epoch, &place, &keep)?;
            toolchain.arrange(unpacked.root(), &out)?;
            fs::remove_dir_all(&place)?;
        }
        Toolchain::write(&out, &toolchain.wrappers(self.step.target))?;
        Ok(out)
    }

    /// Leaves what `keep` chooses of the step's source, as it is.
    fn unpack_root(&self, folder: &Path, keep: Keep<'_>) -> Result<PathBuf, Error> {
        let out = folder.join("out");
        let epoch = self.step.epoch;
        let unpacked = unpack_root(self.own()?, epoch, &folder.join("unpacked"), keep)?;
        fs::rename(unpacked.root(), &out)?;
        Ok(out)
    }

    fn build_component(
        &self,
        engine: &dyn Sandbox,
        folder: &Path,
        recipe: &Recipe,
    ) -> Result<(PathBuf, Used), Error> {
        let build = folder.join("build");
        fs::create_dir_all(&build)?;
        if recipe.source.is_some() {
            self.unpack_source(folder, &build.join("src"))?;
        }
        fs::create_dir(build.join("files"))?;
        for (name, text) in recipe.files {
            fs::write(build.join("files").join(name), text)?;
        }
        self.run_script(engine, folder, recipe.script)
    }

    /// Leaves the step's source, patched, at `place`.
    fn unpack_source(&self, folder: &Path, place: &Path) -> Result<(), Error> {
        let tree = unpack(
            self.own()?,
            self.step.epoch,
            &folder.join("unpacked"),
            &|_| true,
        )?;
        let patches = self.builder.project.join("patches");
        for name in &tree.source().patches {
            patch::apply(&patches.join(&tree.source().name).join(name), &tree)?;
        }
        fs::rename(tree.root(), place)?;
        Ok(())
    }

    /// Runs `script` with `build` below `folder` as `/build`; returns what it left in `out`, and
    /// what it used up.
    fn run_script(
        &self,
        engine: &dyn Sandbox,
        folder: &Path,
        script: &str,
    ) -> Result<(PathBuf, Used), Error> {
        let build = folder.join("build");
        fs::create_dir_all(build.join("src"))?;
        let plan = self.builder.plan;
        let (work, target) = (&self.step.work, self.step.target);
        let mut mounts = Vec::new();
        for (&place, built) in self.step.needs.iter().zip(&self.needs) {
            let need = &plan.steps[place];
            match need.work {
                Work::Toolchain(_) => mounts.push(Mount::new(built.path(), "/toolchain")),
                // They are where the root has them.
                Work::Root(_) | Work::Tool(..) => {}
                Work::Component(..) | Work::Go(_) => {
                    let folder = plan.folder(work, target, need);
                    mounts.push(Mount::new(built.path(), format!("/deps/{folder}")));
                }
            }
        }
        let environment = match work {
            Work::Tool(..) => recipe::tool_environment(plan.native, self.step.epoch),
            Work::Component(recipe, _) => recipe.environment(target, plan.native, self.step.epoch),
            // Their steps run no script.
            Work::Toolchain(_) | Work::Root(_) | Work::Go(_) => Vec::new(),
        };
        let job = Job {
            step: self.step.name.to_string(),
            script: format!("{}cd src\n{script}", recipe::PRELUDE),
            env: environment
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            build: build.clone(),
            root: self.root(folder)?,
            mounts,
            tokens: Some(self.tokens.path().to_path_buf()),
            log: self.builder.store.log(self.step),
            limits: Limits::default(),
        };
        let used = engine.run(&job, self.cancelled)?;
        let collected = folder.join("collected");
        collect(
            self.step.name.as_str(),
            &build.join("out"),
            &collected,
            job.limits.disk,
        )?;
        Ok((collected, used))
    }

    /// The root that the step runs in.
    fn root(&self, folder: &Path) -> Result<Root, Error> {
        let Some((alpine, tools)) = self.root.split_first() else {
            return Ok(self.host.clone());
        };
        let tools: Vec<(&str, &Path)> = tools
            .iter()
            .map(|tool| (tool.step().as_str(), tool.path()))
            .collect();
        Ok(root::alpine(folder, alpine.path(), &tools)?)
    }

    /// Every program must be a static executable for the target, as hardened as its language
    /// has it.
    fn check_programs(&self, out: &Path, recipe: &Recipe) -> Result<(), Error> {
        let language = match recipe.needs.contains(&StepId::Go) {
            true => Language::Go,
            false => Language::C,
        };
        let programs = out.join("bin");
        if !programs.is_dir() {
            return Ok(());
        }
        for entry in fs::read_dir(programs)? {
            let path = entry?.path();
            let broken = elf::check(&fs::read(&path)?, language, self.step.target);
            if !broken.is_empty() {
                return Err(Error::Promise {
                    step: self.step.name,
                    program: path.display().to_string(),
                    broken: broken.iter().map(ToString::to_string).collect(),
                });
            }
        }
        Ok(())
    }
}
