//! Carries out a plan: whatever the store does not hold already, in parallel, under one
//! job budget.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use fs_err as fs;

use crate::builder::jobs::Tokens;
use crate::builder::root::{self, Root, Userland};
use crate::builder::{self, Job, Limits, Mount, Sandbox, elf, toolchain};
use crate::patch;
use crate::plan::{Plan, Step, Work};
use crate::progress::Progress;
use crate::recipe::{self, Recipe};
use crate::record;
use crate::store::{Built, Store, Workspace};
use crate::trust::Verified;
use crate::unpack::{self, unpack, unpack_root};

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
    Builder(#[from] builder::Error),
    /// An output could not be kept.
    #[error(transparent)]
    Record(#[from] record::Error),
    /// The store or a folder in it could not be used.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A finished program lacks what every program here has.
    #[error("{step}: `{program}` is not what it must be: {}", .broken.join("; "))]
    Promise {
        /// The step that made it.
        step: &'static str,
        /// The program.
        program: String,
        /// What is wrong with it.
        broken: Vec<String>,
    },
    /// A source was not handed over.
    #[error("{step}: its source was not verified")]
    NotVerified {
        /// The step.
        step: &'static str,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unpack(error) => error.hint(),
            Self::Patch(error) => error.hint(),
            Self::Builder(error) => error.hint(),
            Self::Record(error) => error.hint(),
            Self::Io(_) | Self::Promise { .. } | Self::NotVerified { .. } => None,
        }
    }

    /// Whether it only follows from another step's failure.
    fn is_consequence(&self) -> bool {
        matches!(self, Self::Builder(builder::Error::Cancelled { .. }))
    }
}

/// What a build works with.
pub struct Builder<'a> {
    /// The steps.
    pub plan: &'a Plan,
    /// The sources, by component.
    pub sources: &'a BTreeMap<String, Verified>,
    /// Where outputs are kept.
    pub store: &'a Store,
    /// The folder of the project, for its patches.
    pub project: &'a Path,
    /// How many processes may run at once.
    pub jobs: usize,
    /// Who watches.
    pub progress: &'a dyn Progress,
}

/// How far the steps are.
struct State {
    built: Vec<Option<Built>>,
    failed: Option<Error>,
}

impl Builder<'_> {
    /// Makes the outputs of the steps named in `wanted`, and of those that they need and the
    /// store does not hold. `sandbox` makes the engine, given a folder for its files; it is
    /// asked for only if there is something to build.
    ///
    /// # Errors
    /// The first step that failed; the others are ended.
    pub fn run(
        &self,
        wanted: &[&str],
        sandbox: impl FnOnce(&Path) -> Result<Box<dyn Sandbox>, builder::Error>,
    ) -> Result<BTreeMap<&'static str, Built>, Error> {
        let steps = &self.plan.steps;
        let mut built: Vec<Option<Built>> = vec![None; steps.len()];
        let mut missing = vec![false; steps.len()];
        // Backwards, since every step stands after those it needs: what a finished output
        // was made from need not be here.
        let mut asked: Vec<bool> = steps
            .iter()
            .map(|step| wanted.contains(&step.name))
            .collect();
        for place in (0..steps.len()).rev() {
            if asked[place] {
                built[place] = self.store.find(&steps[place])?;
                if built[place].is_none() {
                    missing[place] = true;
                    let before = steps[place].needs.iter().chain(&steps[place].root);
                    before.for_each(|&need| asked[need] = true);
                }
            }
        }
        if missing.contains(&true) {
            let workspace = self.store.workspace()?;
            let engine = sandbox(workspace.path())?;
            built = self.make(built, &missing, &workspace, &*engine)?;
        }
        let outputs = built
            .into_iter()
            .flatten()
            .map(|built| (built.step(), built));
        Ok(outputs.filter(|(name, _)| wanted.contains(name)).collect())
    }

    /// Makes every step that is `missing`, each in a thread that waits for what it needs and
    /// then for a job token.
    fn make(
        &self,
        built: Vec<Option<Built>>,
        missing: &[bool],
        workspace: &Workspace,
        engine: &dyn Sandbox,
    ) -> Result<Vec<Option<Built>>, Error> {
        let tokens = Tokens::new(workspace.path(), self.jobs)?;
        let host = match self.plan.userland {
            Userland::Host => root::host(workspace.path())?,
            Userland::Alpine { .. } => Root::default(),
        };
        let state = Mutex::new(State {
            built,
            failed: None,
        });
        let (changed, cancelled) = (Condvar::new(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for (place, step) in self
                .plan
                .steps
                .iter()
                .enumerate()
                .filter(|(at, _)| missing[*at])
            {
                let (state, changed, cancelled, tokens) = (&state, &changed, &cancelled, &tokens);
                let host = &host;
                scope.spawn(move || {
                    let ready = |state: &State| {
                        state.failed.is_some()
                            || (step.needs.iter().chain(&step.root))
                                .all(|&need| state.built[need].is_some())
                    };
                    let guard = state.lock().unwrap_or_else(PoisonError::into_inner);
                    let guard = changed
                        .wait_while(guard, |state| !ready(state))
                        .unwrap_or_else(PoisonError::into_inner);
                    if guard.failed.is_some() {
                        return;
                    }
                    let outputs = |places: &[usize]| -> Vec<Built> {
                        let built = places.iter().map(|&place| guard.built[place].clone());
                        built.flatten().collect()
                    };
                    let (needs, root) = (outputs(&step.needs), outputs(&step.root));
                    drop(guard);

                    let outcome = Running {
                        builder: self,
                        step,
                        needs,
                        host,
                        root,
                        workspace,
                        cancelled,
                        tokens,
                    }
                    .make(engine);
                    let mut guard = state.lock().unwrap_or_else(PoisonError::into_inner);
                    match outcome {
                        Ok(built) => guard.built[place] = Some(built),
                        Err(error) => {
                            cancelled.store(true, Ordering::Relaxed);
                            if guard.failed.as_ref().is_none_or(Error::is_consequence) {
                                guard.failed = Some(error);
                            }
                        }
                    }
                    changed.notify_all();
                });
            }
        });
        let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.failed.map_or(Ok(state.built), Err)
    }
}

/// One step under way.
struct Running<'a> {
    builder: &'a Builder<'a>,
    step: &'a Step,
    needs: Vec<Built>,
    /// The host's userland, if that is the root.
    host: &'a Root,
    /// What the root is made of otherwise: Alpine's tree, then the tools it lacks.
    root: Vec<Built>,
    workspace: &'a Workspace,
    cancelled: &'a AtomicBool,
    tokens: &'a Tokens,
}

impl Running<'_> {
    fn make(&self, engine: &dyn Sandbox) -> Result<Built, Error> {
        let store = self.builder.store;
        let _claim = store.claim(&self.step.key, || {
            let name = self.step.name;
            self.builder
                .progress
                .note(&format!("{name}: another run is making it, waiting"));
        })?;
        // Another run may have made it while we waited.
        if let Some(built) = store.find(self.step)? {
            return Ok(built);
        }
        let token = self.tokens.take()?;
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(builder::Error::Cancelled {
                step: self.step.name.to_owned(),
            }
            .into());
        }
        let task = self.builder.progress.begin(&self.title(), None);
        let folder = self.workspace.path().join(self.step.name);
        fs::create_dir(&folder)?;
        let out = match &self.step.work {
            Work::Toolchain(_) => self.unpack_toolchain(&folder)?,
            Work::Libc => self.run_script(engine, &folder, recipe::LIBC)?,
            Work::Root(_) => self.unpack_root(&folder)?,
            Work::Tool(tool, _) => {
                let native = self.builder.plan.native();
                toolchain::write_wrappers(&folder.join("build/bin"), native)?;
                self.build_component(engine, &folder, tool)?
            }
            Work::Component(recipe, _) => {
                let out = self.build_component(engine, &folder, recipe)?;
                self.check_programs(&out)?;
                out
            }
        };
        drop(token);
        let built = store.keep(self.step, &out)?;
        task.finish("done");
        // The next steps want the disk, and the page cache that the tree takes up.
        fs::remove_dir_all(&folder)?;
        Ok(built)
    }

    /// What the step may use up. The compiler makes the C library with as many threads as it
    /// sees processors, and the step has one job token.
    fn limits(&self) -> Limits {
        let processors = matches!(self.step.work, Work::Libc).then_some(1);
        Limits {
            processors,
            ..Limits::default()
        }
    }

    fn title(&self) -> String {
        match &self.step.work {
            Work::Toolchain(zig) => format!("unpack the compiler (zig {})", zig.version),
            Work::Libc => "compile the C library".to_owned(),
            Work::Root(root) => format!("unpack the root ({} {})", root.name, root.version),
            Work::Tool(tool, source) => {
                format!("build {} {} for the root", tool.name, source.version)
            }
            Work::Component(recipe, Some(source)) => {
                format!("build {} {}", recipe.name, source.version)
            }
            Work::Component(recipe, None) => format!("build {}", recipe.name),
        }
    }

    fn verified(&self) -> Result<&Verified, Error> {
        self.step
            .source()
            .and_then(|source| self.builder.sources.get(&source.name))
            .ok_or(Error::NotVerified {
                step: self.step.name,
            })
    }

    fn unpack_toolchain(&self, folder: &Path) -> Result<PathBuf, Error> {
        let out = folder.join("out");
        fs::create_dir(&out)?;
        let unpacked = unpack(
            self.verified()?,
            self.builder.plan.epoch,
            &folder.join("unpacked"),
            &toolchain::wanted,
        )?;
        fs::rename(toolchain::tree(unpacked.root()), out.join("zig"))?;
        toolchain::write_wrappers(&out.join("bin"), self.builder.plan.target)?;
        Ok(out)
    }

    fn unpack_root(&self, folder: &Path) -> Result<PathBuf, Error> {
        let out = folder.join("out");
        let epoch = self.builder.plan.epoch;
        let unpacked = unpack_root(self.verified()?, epoch, &folder.join("unpacked"))?;
        fs::rename(unpacked.root(), &out)?;
        Ok(out)
    }

    fn build_component(
        &self,
        engine: &dyn Sandbox,
        folder: &Path,
        recipe: &Recipe,
    ) -> Result<PathBuf, Error> {
        let build = folder.join("build");
        fs::create_dir_all(&build)?;
        if recipe.source.is_some() {
            self.unpack_source(folder, &build.join("src"))?;
        }
        fs::create_dir(build.join("files"))?;
        for (name, text) in recipe.files {
            fs::write(build.join("files").join(name), text)?;
        }
        if let Some(libc) = self.needs.iter().find(|need| need.step() == "libc") {
            copy_tree(&libc.path().join("cache"), &build.join(".zig"))?;
        }
        self.run_script(engine, folder, recipe.script)
    }

    /// Leaves the step's source, patched, at `place`.
    fn unpack_source(&self, folder: &Path, place: &Path) -> Result<(), Error> {
        let tree = unpack(
            self.verified()?,
            self.builder.plan.epoch,
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

    /// Runs `script` with `build` below `folder` as `/build`; returns what it left in `out`.
    fn run_script(
        &self,
        engine: &dyn Sandbox,
        folder: &Path,
        script: &str,
    ) -> Result<PathBuf, Error> {
        let build = folder.join("build");
        fs::create_dir_all(build.join("src"))?;
        let mut mounts = Vec::new();
        for need in &self.needs {
            match need.step() {
                "toolchain" => mounts.push(Mount::new(need.path(), "/toolchain")),
                "libc" => {}
                name if self.root.iter().any(|part| part.step() == name) => {}
                name => mounts.push(Mount::new(need.path(), format!("/deps/{name}"))),
            }
        }
        let plan = self.builder.plan;
        let environment = match self.step.work {
            Work::Tool(..) => recipe::tool_environment(plan.native(), plan.epoch),
            _ => recipe::environment(plan.target, plan.epoch),
        };
        let job = Job {
            step: self.step.name.to_owned(),
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
            limits: self.limits(),
        };
        engine.run(&job, self.cancelled)?;
        Ok(build.join("out"))
    }

    /// The root that the step runs in.
    fn root(&self, folder: &Path) -> Result<Root, Error> {
        let Some((alpine, tools)) = self.root.split_first() else {
            return Ok(self.host.clone());
        };
        let tools: Vec<(&str, &Path)> = tools
            .iter()
            .map(|tool| (tool.step(), tool.path()))
            .collect();
        Ok(root::alpine(folder, alpine.path(), &tools)?)
    }

    /// Every program must be a static, hardened executable for the target.
    fn check_programs(&self, out: &Path) -> Result<(), Error> {
        let programs = out.join("bin");
        if !programs.is_dir() {
            return Ok(());
        }
        for entry in fs::read_dir(programs)? {
            let path = entry?.path();
            let broken = elf::check(&fs::read(&path)?, self.builder.plan.target);
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

/// Copies a folder of plain files. Copies, not links: what one step does to its compiler's
/// cache must not reach another's.
fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
