//! The whole way, from pins to record.

mod gathered;
mod go;
mod other_machine;

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::fs::Mode;

pub use self::go::go_from_source;
pub use self::other_machine::{by_other_machine, other_machine};

use self::gathered::Gathered;
use crate::base::cache;
use crate::base::progress::Progress;
use crate::base::target::Target;
use crate::build::outputs::{self, Built, Store};
use crate::build::plan::{self, Plan};
use crate::build::recipe::{Artifact, StepId};
use crate::build::sandbox;
use crate::build::sandbox::engine::{Choice, Engine};
use crate::build::sandbox::root::{self, Userland};
use crate::build::sandbox::toolchain::Toolchain;
use crate::build::schedule::{self, Builder};
use crate::build::timings::Timings;
use crate::fetch::{self, Fetched};
use crate::image::{self, About, Component, Image, Variant};
use crate::pins::debian::Packages;
use crate::pins::{self, Manifest, Source};
use crate::record::Record;
use crate::verify::{self, TrustPolicy, Verified};

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
    /// Whose build of the compiler they use; no digest depends on it.
    pub toolchain: Toolchain,
}

impl Request<'_> {
    /// The same, built where `choice` says.
    fn at(&self, choice: &Choice) -> Self {
        Self {
            engine: choice.engine,
            root: Some(choice.userland.clone()),
            ..self.clone()
        }
    }

    /// What carries out `plan` where this request says.
    fn builder<'b>(
        &'b self,
        plan: &'b Plan,
        store: &'b Store,
        progress: &'b dyn Progress,
    ) -> Builder<'b> {
        Builder {
            plan,
            store,
            project: self.project,
            jobs: self.jobs,
            progress,
        }
    }

    /// Makes the outputs of the steps of `plan` at the places `wanted`, and of those that they
    /// need, where this request says.
    fn build(
        &self,
        plan: &Plan,
        sources: &BTreeMap<String, Verified>,
        wanted: &[usize],
        store: &Store,
        progress: &dyn Progress,
    ) -> Result<(BTreeMap<usize, Built>, Timings), Error> {
        let builder = self.builder(plan, store, progress);
        let found = builder.find(wanted)?;
        Ok(builder.make(found, sources, |folder| self.engine.start(folder))?)
    }

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
    /// How long it took to build what was not built already.
    pub timings: Timings,
}

/// The way ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cache folder cannot be used.
    #[error(transparent)]
    Cache(#[from] cache::Error),
    /// The manifest is wrong, or does not pin what is asked for.
    #[error(transparent)]
    Pins(#[from] pins::Error),
    /// A source cannot be had.
    #[error(transparent)]
    Source(#[from] fetch::Error),
    /// A source does not pass the trust policy.
    #[error(transparent)]
    Trust(#[from] verify::Error),
    /// There is no plan.
    #[error(transparent)]
    Plan(#[from] plan::Error),
    /// The host cannot build.
    #[error(transparent)]
    Builder(#[from] sandbox::Error),
    /// A step failed.
    #[error(transparent)]
    Build(#[from] schedule::Error),
    /// The image could not be assembled.
    #[error(transparent)]
    Image(#[from] image::Error),
    /// An output in the store cannot be used.
    #[error(transparent)]
    Outputs(#[from] outputs::Error),
    /// What was built contradicts itself.
    #[error("the record of this build contradicts itself: {0}")]
    Record(String),
    /// The compiler is not what its source gives.
    #[error(transparent)]
    Go(#[from] crate::build::go::Differs),
    /// A file or folder could not be used.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Cache(error) => error.hint(),
            Self::Pins(error) => error.hint(),
            Self::Source(error) => error.hint(),
            Self::Trust(error) => error.hint(),
            Self::Builder(error) => error.hint(),
            Self::Build(error) => error.hint(),
            Self::Image(error) => error.hint(),
            Self::Plan(error) => error.hint(),
            Self::Go(error) => error.hint(),
            Self::Outputs(error) => error.hint(),
            Self::Record(_) | Self::Io(_) => None,
        }
    }
}

/// Plans what `request` needs; nothing is fetched or built.
///
/// # Errors
/// When the manifest is wrong or lacks a pin.
pub fn plan(request: &Request<'_>) -> Result<Plan, Error> {
    plan_each(request, &[request.target])
}

/// Plans what `request` needs for each of `targets`, whatever it says of one.
///
/// # Errors
/// When the manifest is wrong or lacks a pin.
pub fn plan_each(request: &Request<'_>, targets: &[Target]) -> Result<Plan, Error> {
    plan_of(request, targets, components(request.variant))
}

/// Plans the components `wanted`, whatever `request` says of the image.
fn plan_of(request: &Request<'_>, targets: &[Target], wanted: &[StepId]) -> Result<Plan, Error> {
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
    let packages = match request.toolchain {
        Toolchain::Zig => None,
        Toolchain::Debian => {
            let file = request.project.join("toolchain-debian.toml");
            Some(Packages::load(&file)?.on(std::env::consts::ARCH)?)
        }
    };
    // A record and an SBOM are of no machine: they name the wheels for one, whichever are used.
    let named = manifest.clone().on(Target::X86_64.machine());
    let named = ["zig", StepId::Go.as_str()].map(|name| named.get(name, None));
    let named = named.into_iter().collect::<Result<Vec<_>, _>>()?;
    let order = plan::Order {
        wanted,
        targets,
        native: Target::native().unwrap_or(request.target),
        userland: &userland,
        named,
        packages,
        project: request.project,
    };
    Ok(Plan::of(order, pin)?)
}

/// Where `artifact` is, if what `request` builds is built already.
///
/// # Errors
/// When the plan cannot be made or the store cannot be read.
pub fn built(
    request: &Request<'_>,
    store: &Store,
    artifact: Artifact,
) -> Result<Option<PathBuf>, Error> {
    let plan = plan(request)?;
    let Some(place) = plan.place(artifact.step) else {
        return Ok(None);
    };
    let built = store.find(&plan.steps[place])?;
    let found = built.map(|built| built.artifact(artifact));
    Ok(found.transpose()?)
}

/// What the trust policy says of each of `wanted`, once it is fetched.
pub type Verdicts = Vec<(Arc<Source>, Result<Verified, verify::Error>)>;

/// Fetches `wanted` and puts the policy of `project` to each of it, whatever it says of the
/// others.
///
/// # Errors
/// When a source cannot be had, or the policy not be read.
pub fn verdicts(
    project: &Path,
    wanted: &[Arc<Source>],
    options: &fetch::Options,
    progress: &dyn Progress,
) -> Result<Verdicts, Error> {
    let folder = options.cache.directory("evidence")?;
    let policy = policy(project, options)?;
    // Each as soon as it is here, so that a large one does not keep the others waiting.
    fetched_each(&policy, wanted, options, progress, |fetched| {
        let source = Arc::clone(fetched.source());
        let verdict = verify::verify(&policy, fetched);
        let verdict = match &verdict {
            Err(_) => verify::forget(&source, &folder).and(verdict),
            Ok(_) => verdict,
        };
        (source, verdict)
    })
}

/// The trust policy of `project`, with the evidence that upstream was asked for on this machine.
///
/// # Errors
/// When it cannot be read.
pub fn policy(project: &Path, options: &fetch::Options) -> Result<TrustPolicy, Error> {
    let folder = options.cache.directory("evidence")?;
    Ok(TrustPolicy::load(&project.join("keys"))?.with_asked(&folder))
}

/// Fetches `wanted`, and asks upstream meanwhile for the evidence that is not here, unless there
/// is to be no network.
///
/// # Errors
/// When a source cannot be had, or what was sent as evidence is not what it should be.
pub fn fetched(
    project: &Path,
    wanted: &[Arc<Source>],
    options: &fetch::Options,
    progress: &dyn Progress,
) -> Result<Vec<Fetched>, Error> {
    let policy = policy(project, options)?;
    fetched_each(&policy, wanted, options, progress, |fetched| fetched)
}

/// As [`fetched`], and does `then` with each source once it is here and upstream was asked.
fn fetched_each<T: Send>(
    policy: &TrustPolicy,
    wanted: &[Arc<Source>],
    options: &fetch::Options,
    progress: &dyn Progress,
    then: impl Fn(Fetched) -> T + Sync,
) -> Result<Vec<T>, Error> {
    let folder = options.cache.directory("evidence")?;
    let ask = || match options.offline {
        true => Ok(()),
        false => verify::ask(policy, wanted, &folder, false, options.patience, progress).map(drop),
    };
    // Who comes first asks, and whoever comes meanwhile waits for the end of it.
    let asked = OnceLock::new();
    let fetched = std::thread::scope(|scope| {
        scope.spawn(|| asked.get_or_init(ask).is_ok());
        fetch::fetch_each(wanted, options, progress, |fetched| {
            asked.get_or_init(ask);
            then(fetched)
        })
    });
    asked.into_inner().transpose()?;
    Ok(fetched?)
}

/// Fetches and verifies all that `plan` unpacks, by component.
///
/// # Errors
/// When a source cannot be had or does not pass the policy.
pub fn verified_sources(
    request: &Request<'_>,
    plan: &Plan,
    options: &fetch::Options,
    progress: &dyn Progress,
) -> Result<BTreeMap<String, Verified>, Error> {
    let packages = plan.packages.as_ref();
    let of_packages: Vec<Arc<Source>> = packages
        .iter()
        .flat_map(|it| it.packages.iter().chain([&it.index]).cloned())
        .collect();
    let mut others = plan.sources();
    others.retain(|source| !of_packages.contains(source));
    let verdicts = verdicts(request.project, &others, options, progress)?;
    let named = |(source, verdict): (Arc<Source>, Result<Verified, verify::Error>)| {
        Ok((source.name.clone(), verdict?))
    };
    let mut all: BTreeMap<_, _> = verdicts
        .into_iter()
        .map(named)
        .collect::<Result<_, Error>>()?;
    if let Some(packages) = packages {
        let policy = TrustPolicy::load(&request.project.join("keys"))?;
        let fetched = fetch::fetch(&of_packages, options, progress)?;
        let verified = verify::verify_packages(&policy, packages, fetched)?;
        all.extend(
            verified
                .into_iter()
                .map(|it| (it.source().name.clone(), it)),
        );
    }
    Ok(all)
}

/// Goes the whole way. `options` says where sources are kept and come from; outputs are
/// kept in `store`.
///
/// # Errors
/// The first thing that went wrong.
pub fn make(
    request: &Request<'_>,
    options: &fetch::Options,
    store: &Store,
    progress: &dyn Progress,
) -> Result<Made, Error> {
    let mut made = make_each(request, &[request.target], options, store, progress)?;
    Ok(made.swap_remove(0))
}

/// Goes the whole way for each of `targets`, whatever `request` says of one; what several need
/// is built once. One image for each target comes back, in their order.
///
/// # Errors
/// The first thing that went wrong.
pub fn make_each(
    request: &Request<'_>,
    targets: &[Target],
    options: &fetch::Options,
    store: &Store,
    progress: &dyn Progress,
) -> Result<Vec<Made>, Error> {
    let choice = place_to_build(request, progress)?;
    let request = &request.at(&choice);
    let plan = plan_each(request, targets)?;
    let builder = request.builder(&plan, store, progress);
    let images = |built: &BTreeMap<usize, Built>| -> Result<Vec<_>, Error> {
        let assembled = |&target: &Target| {
            let about = about(request, target, &plan);
            let gathered = Gathered {
                plan: &plan,
                target,
                built,
            };
            let layers = image::layers(&about, &gathered.parts()?)?;
            let image = image::assemble(&about, &layers, &store.layout(&about), progress)?;
            let record = gathered.record(&about, &image).map_err(Error::Record)?;
            Ok((about, image, record))
        };
        targets.iter().map(assembled).collect()
    };
    // What is built already is read, and the images made of it, while the sources are verified: all
    // of that is hashing, one file after the other, which does not keep every processor busy.
    let early = || match builder.find(&plan.wanted())?.whole() {
        Ok(built) => Ok(Ok(images(&built)?)),
        Err(found) => Ok::<_, Error>(Err(found)),
    };
    let (sources, early) = std::thread::scope(|scope| {
        let early = scope.spawn(early);
        let sources = verified_sources(request, &plan, options, progress);
        (sources, early.join())
    });
    let sources = sources?;
    let (images, timings) = match early.unwrap_or_else(|panic| resume_unwind(panic))? {
        Ok(images) => (images, Timings::of_nothing(request.jobs)),
        Err(found) => {
            let (built, timings) =
                builder.make(found, &sources, |folder| request.engine.start(folder))?;
            (images(&built)?, timings)
        }
    };
    let made = images.into_iter().map(|(about, image, record)| Made {
        plan: plan.clone(),
        sources: sources.clone(),
        image,
        about,
        record,
        site: choice.clone(),
        timings: timings.clone(),
    });
    Ok(made.collect())
}

/// Chooses what runs the steps, and makes this process ready to run some.
fn place_to_build(request: &Request<'_>, progress: &dyn Progress) -> Result<Choice, Error> {
    // A step runs as another user than the one who builds, and has to read what is made for it.
    // The cache folder itself is private whatever the umask.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let choice = request.engine.choose(request.root.clone())?;
    if let Some(why) = &choice.why {
        progress.detail(why);
    }
    if choice.userland == Userland::Host {
        root::check_host_tools()?;
    }
    Ok(choice)
}

/// What the image says of itself.
fn about(request: &Request<'_>, target: Target, plan: &Plan) -> About {
    let sources = plan.component_sources(target);
    About {
        version: plan.tor.version.clone(),
        target,
        variant: request.variant,
        uid: request.uid,
        epoch: plan.epoch,
        components: sources
            .iter()
            .map(|source| Component::from(&**source))
            .collect(),
    }
}

/// The components whose outputs are in the image.
fn components(variant: Variant) -> &'static [StepId] {
    match variant {
        Variant::Relay => &[StepId::Tor, StepId::Container],
        Variant::RelayArm => &[StepId::Tor, StepId::Container, StepId::Nyx],
        Variant::RelayObfs4 => &[StepId::Tor, StepId::Container, StepId::Lyrebird],
        Variant::RelayArmObfs4 => &[
            StepId::Tor,
            StepId::Container,
            StepId::Nyx,
            StepId::Lyrebird,
        ],
    }
}
