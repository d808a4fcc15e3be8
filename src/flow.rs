//! The whole way, from pins to record.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::build::{self, Builder};
use crate::builder;
use crate::builder::engine::{Choice, Engine};
use crate::builder::root::{self, Userland};
use crate::cache;
use crate::image::{self, About, Arm, Component, Image, Licences, Parts, Variant};
use crate::plan::{self, Plan};
use crate::progress::Progress;
use crate::record::{self, Record};
use crate::source::{self, Manifest, Source};
use crate::store::{Built, Store};
use crate::target::Target;
use crate::trust::{self, TrustPolicy, Verified};

/// What is to be built.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The folder of the project: its manifest, keys and patches.
    pub project: &'a Path,
    /// tor's version, one of those pinned; the manifest's default otherwise.
    pub tor_version: Option<&'a str>,
    /// What the image runs on.
    pub target: Target,
    /// What is in it.
    pub variant: Variant,
    /// The user that tor runs as.
    pub uid: u32,
    /// How many processes may run at once.
    pub jobs: usize,
    /// What runs the steps; no digest depends on it.
    pub engine: Engine,
    /// Whose programs they use, if not those that are usual in the engine; no digest depends
    /// on it.
    pub root: Option<Userland>,
}

impl Request<'_> {
    /// Whose programs the steps use.
    fn userland(&self) -> Userland {
        let usual = || self.engine.userland();
        self.root.clone().unwrap_or_else(usual)
    }
}

/// What was built, and from what.
#[derive(Debug)]
pub struct Made {
    /// The steps.
    pub plan: Plan,
    /// The sources, each with its verdict, by component.
    pub sources: BTreeMap<String, Verified>,
    /// The image.
    pub image: Image,
    /// What the image says of itself.
    pub about: About,
    /// All digests.
    pub record: Record,
    /// Where it was built, if there was something to build.
    pub site: Choice,
}

/// The way ended early.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub enum Error {
    /// The cache folder cannot be used.
    Cache(#[from] cache::Error),
    /// The manifest is wrong, or a source cannot be had.
    Source(#[from] source::Error),
    /// A source does not pass the trust policy.
    Trust(#[from] trust::Error),
    /// There is no plan.
    Plan(#[from] plan::Error),
    /// The host cannot build.
    Builder(#[from] builder::Error),
    /// A step failed.
    Build(#[from] build::Error),
    /// The image could not be assembled.
    Image(#[from] image::Error),
    /// The record could not be made or read.
    Record(#[from] record::Error),
    /// A file or folder could not be used.
    Io(#[from] std::io::Error),
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Cache(error) => error.hint(),
            Self::Source(error) => error.hint(),
            Self::Trust(error) => error.hint(),
            Self::Builder(error) => error.hint(),
            Self::Build(error) => error.hint(),
            Self::Image(error) => error.hint(),
            Self::Record(error) => error.hint(),
            Self::Plan(error) => error.hint(),
            Self::Io(_) => None,
        }
    }
}

/// Plans what `request` needs; nothing is fetched or built.
///
/// # Errors
/// When the manifest is wrong or lacks a pin.
pub fn plan(request: &Request<'_>) -> Result<Plan, Error> {
    let manifest = Manifest::load(&request.project.join("sources.toml"))?;
    // An unpinned version is an error that lists the pinned ones.
    manifest.get("tor", request.tor_version)?;
    let userland = request.userland();
    manifest.get("alpine", userland.version())?;
    let pin = |name: &str| -> Option<Arc<Source>> {
        let version = match name {
            "tor" => request.tor_version,
            "alpine" => userland.version(),
            _ => None,
        };
        manifest.get(name, version).ok()
    };
    Ok(Plan::new(
        components(request.variant),
        request.target,
        &userland,
        request.project,
        pin,
    )?)
}

/// The tor that `request` describes, if it is built already.
///
/// # Errors
/// When there is no plan, or the store cannot be read.
pub fn built_tor(request: &Request<'_>, store: &Store) -> Result<Option<PathBuf>, Error> {
    let plan = plan(request)?;
    let Some(place) = plan.place("tor") else {
        return Ok(None);
    };
    let built = store.find(&plan.steps[place])?;
    Ok(built.map(|built| built.path().join("bin/tor")))
}

/// What the trust policy says of each of `wanted`, once it is fetched.
pub type Verdicts = Vec<(Arc<Source>, Result<Verified, trust::Error>)>;

/// Fetches `wanted` and puts the policy of `project` to each of it, whatever it says of the
/// others.
///
/// # Errors
/// When a source cannot be had, or the policy not be read.
pub fn verdicts(
    project: &Path,
    wanted: &[Arc<Source>],
    options: &source::Options,
    progress: &dyn Progress,
) -> Result<Verdicts, Error> {
    let policy = TrustPolicy::load(&project.join("keys"))?;
    let fetched = source::fetch(wanted, options, progress)?;
    let verify = |fetched: source::Fetched| {
        let source = Arc::clone(fetched.source());
        (source, trust::verify(&policy, fetched))
    };
    Ok(std::thread::scope(|scope| {
        let threads: Vec<_> = fetched
            .into_iter()
            .map(|fetched| scope.spawn(|| verify(fetched)))
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        threads.into_iter().map(join).collect()
    }))
}

/// Fetches and verifies all that `plan` unpacks, by component.
///
/// # Errors
/// When a source cannot be had or does not pass the policy.
pub fn verified_sources(
    request: &Request<'_>,
    plan: &Plan,
    options: &source::Options,
    progress: &dyn Progress,
) -> Result<BTreeMap<String, Verified>, Error> {
    let verdicts = verdicts(request.project, &plan.sources(), options, progress)?;
    let named = |(source, verdict): (Arc<Source>, Result<Verified, trust::Error>)| {
        Ok((source.name.clone(), verdict?))
    };
    verdicts.into_iter().map(named).collect()
}

/// Goes the whole way. `options` says where sources are kept and come from; outputs are
/// kept in `store`.
///
/// # Errors
/// The first thing that went wrong.
pub fn make(
    request: &Request<'_>,
    options: &source::Options,
    store: &Store,
    progress: &dyn Progress,
) -> Result<Made, Error> {
    let choice = request.engine.choose(request.root.clone())?;
    if let Some(why) = &choice.why {
        progress.detail(why);
    }
    if choice.userland == Userland::Host {
        root::check_host_tools()?;
    }
    let request = &Request {
        engine: choice.engine,
        root: Some(choice.userland.clone()),
        ..request.clone()
    };
    let plan = plan(request)?;
    let sources = verified_sources(request, &plan, options, progress)?;
    let builder = Builder {
        plan: &plan,
        sources: &sources,
        store,
        project: request.project,
        jobs: request.jobs,
        progress,
    };
    let components: Vec<&str> = plan.components().map(|step| step.name).collect();
    let built = builder.run(&components, |folder| request.engine.start(folder))?;
    let about = about(request, &plan);
    let layers = image::layers(&about, &parts(&plan, &built)?)?;
    let image = image::assemble(&about, &layers, &store.layout(&about), progress)?;
    let record = record(&about, &plan, &built, &image);
    Ok(Made {
        plan,
        sources,
        image,
        about,
        record,
        site: choice,
    })
}

/// What the image says of itself.
fn about(request: &Request<'_>, plan: &Plan) -> About {
    let sources = plan.component_sources();
    About {
        version: plan.tor.version.clone(),
        target: request.target,
        variant: request.variant,
        uid: request.uid,
        epoch: plan.epoch,
        components: sources
            .iter()
            .map(|source| Component::from(&**source))
            .collect(),
    }
}

/// The files that go into the image.
fn parts(plan: &Plan, built: &BTreeMap<&str, Built>) -> Result<Parts, std::io::Error> {
    let out = |name: &str| built.get(name).map(|built| built.path().to_path_buf());
    let tor = out("tor").unwrap_or_default();
    let container = out("container").unwrap_or_default();
    let (mut licences, mut of_arm) = (Licences::new(), Licences::new());
    let for_arm = plan.only_for("nyx");
    // What is ours alone has the project's licence.
    for step in plan.components().filter(|step| step.source().is_some()) {
        let folder = out(step.name).unwrap_or_default().join("licences");
        let licences = match for_arm.contains(&step.name) {
            true => &mut of_arm,
            false => &mut licences,
        };
        for entry in fs_err::read_dir(folder)? {
            let entry = entry?;
            licences.insert(
                entry.file_name().to_string_lossy().into_owned(),
                entry.path(),
            );
        }
    }
    let arm = out("nyx").map(|folder| Arm {
        folder,
        licences: of_arm,
        epoch: plan.newest(&for_arm).unwrap_or(plan.epoch),
    });
    Ok(Parts {
        tor: tor.join("bin/tor"),
        start: container.join("bin/start"),
        health: container.join("bin/health"),
        geoip: tor.join("share/tor/geoip"),
        geoip6: tor.join("share/tor/geoip6"),
        licences,
        arm,
    })
}

/// All digests of a build.
fn record(about: &About, plan: &Plan, built: &BTreeMap<&str, Built>, image: &Image) -> Record {
    let zig = &plan.zig;
    let toolchain = record::Toolchain {
        name: zig.name.clone(),
        version: zig.version.clone(),
        digest: zig.digest,
    };
    let mut record = Record::new(
        &about.version,
        about.target,
        about.uid,
        about.epoch,
        toolchain,
    );
    for step in plan.components() {
        if let Some(source) = step.source() {
            let pin = record::Pin {
                version: source.version.clone(),
                digest: source.digest,
            };
            record.sources.insert(source.name.clone(), pin);
        }
        if let Some(built) = built.get(step.name) {
            record
                .components
                .push(record::Component::new(step.name, built.tree().clone()));
        }
    }
    record.images.insert(
        about.variant,
        record::ImageRecord::new(image, plan.components().map(|step| step.name)),
    );
    record
}

/// The components whose outputs are in the image.
fn components(variant: Variant) -> &'static [&'static str] {
    match variant {
        Variant::Relay => &["tor", "container"],
        Variant::RelayArm => &["tor", "container", "nyx"],
    }
}
