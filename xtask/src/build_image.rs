//! `build-image`: from pins to an image, and how it compares with the record.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use anyhow::Result;
use relaysmith::builder::engine::Engine;
use relaysmith::builder::root::Userland;
use relaysmith::flow::{self, Made, Request};
use relaysmith::image::{self, Exported, Variant};
use relaysmith::record::{self, Comparison, Record};
use relaysmith::sbom::Bill;
use relaysmith::store::Store;
use relaysmith::target::Target;
use relaysmith::trust::{Conclusion, Verdict};
use serde_json::json;

use crate::options::{Sources, past_end_of_life, repository};
use crate::ui::{self, Ui};

/// The largest user number that a layer can hold: seven octal digits in a ustar header.
const MOST_UID: i64 = 0o777_7777;

/// The arguments of `build-image`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Downloads what is not here, verifies it, compiles it in a sandbox without a network and
writes the image to dist/: an OCI layout (dist/oci) and one file that `docker load`,
`podman load` and `skopeo copy oci-archive:` take. What was done before is not done again.")]
pub(crate) struct Args {
    #[command(flatten)]
    build: Build,
    /// Write the digests of this build to hashes/
    #[arg(long)]
    record: bool,
    /// Write the image to this directory
    #[arg(long, value_name = "DIR", default_value = "dist")]
    out: PathBuf,
}

/// What is to be built.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Build {
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// The user and group that tor runs as: a number, not root's
    #[arg(long, default_value_t = 45553, value_parser = clap::value_parser!(u32).range(1..=MOST_UID))]
    pub(crate) uid: u32,
    /// What the image runs on
    #[arg(long, default_value_t = Target::X86_64)]
    pub(crate) target: Target,
    /// What runs the steps: `namespaces`, `docker`, `podman`, or `auto` for the first of them
    /// that works here (`--verbose` says why); the image is the same
    #[arg(long, default_value_t = Engine::Auto)]
    pub(crate) engine: Engine,
    /// Whose programs the build uses: `host`, or `alpine` (or `alpine@VERSION`) for Alpine's
    /// root file system with make and perl built in it; the image is the same [default: host,
    /// but alpine in containers]
    #[arg(long)]
    pub(crate) root: Option<Userland>,
    /// Leave `arm` out: tor alone
    #[arg(long)]
    pub(crate) without_arm: bool,
    /// How many processes run at once [default: one for each processor]
    #[arg(long, short, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(crate) jobs: Option<u16>,
}

impl Build {
    /// The request to the library.
    pub(crate) fn request(&self) -> Request<'_> {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        Request {
            project: repository(),
            tor_version: self.sources.tor_version.as_deref(),
            target: self.target,
            variant: match self.without_arm {
                true => Variant::Relay,
                false => Variant::RelayArm,
            },
            uid: self.uid,
            jobs: self.jobs.map_or_else(processors, usize::from),
            engine: self.engine,
            root: self.root.clone(),
        }
    }
}

/// Builds, exports, and prints the summary.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let started = Instant::now();
    let options = args.build.sources.options()?;
    let store = Store::open(options.cache.root())?;
    warn_of_its_age(&args.build, ui)?;
    let made = flow::make(&args.build.request(), &options, &store, ui)?;
    let exported = image::export(&made.image, &made.about, &args.out)?;
    Bill::new(&made, repository())?.write(&args.out)?;
    if args.record {
        let known = Record::load(repository(), &made.about.version, made.about.target)?;
        made.record.clone().joined(known).save(repository())?;
    }
    let comparison = compared(&made)?;
    if ui.wants_json() {
        ui.json(&described(&made, &exported, comparison.as_ref()))?;
    } else {
        ui.data(&summary(&made, &exported, comparison.as_ref(), started))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Warns if the tor that is to be built is past its end of life.
pub(crate) fn warn_of_its_age(build: &Build, ui: &Ui) -> Result<()> {
    let tor = build.sources.manifest()?;
    let tor = tor.get("tor", build.sources.version("tor"))?;
    if let Some(end) = past_end_of_life(&tor.version, SystemTime::now())? {
        ui.warn(&format!(
            "{end}; `cargo xtask update` looks for a newer one"
        ));
    }
    Ok(())
}

/// What is recorded of this kind of image, if anything is.
pub(crate) fn recorded(tor: &str, target: Target, variant: Variant) -> Result<Option<Record>> {
    let known = Record::load(repository(), tor, target)?;
    Ok(known.and_then(|known| known.only(variant)))
}

/// How a build compares with what is recorded of the same kind of image, if anything is.
pub(crate) fn compared(made: &Made) -> Result<Option<Comparison>> {
    let about = &made.about;
    let known = recorded(&about.version, about.target, about.variant)?;
    Ok(known.map(|known| record::compare(&known, &made.record)))
}

fn described(
    made: &Made,
    exported: &Exported,
    comparison: Option<&Comparison>,
) -> serde_json::Value {
    let sources = made.sources.iter().map(|(name, verified)| {
        let version = &verified.source().version;
        (
            name.clone(),
            json!({ "version": version, "verdict": verified.verdict() }),
        )
    });
    json!({
        "tor": made.about.version,
        "target": made.about.target,
        "sources": sources.collect::<serde_json::Map<_, _>>(),
        "image": made.record.images.get(&made.about.variant),
        "size": made.image.size(),
        "layout": exported.layout,
        "archive": exported.archive,
        "archive_digest": exported.archive_digest,
        "record": comparison.map(Comparison::verdict),
    })
}

/// Who signed, and what each signature is worth; or why nobody had to.
fn signers(verdict: &Verdict) -> String {
    let counted: Vec<String> = verdict
        .signatures()
        .iter()
        .filter(|finding| finding.counts)
        .filter_map(|finding| Some(format!("{} ({})", finding.signer.as_ref()?, finding.status)))
        .collect();
    match verdict.conclusion() {
        Conclusion::Signed { .. } => format!("signed by {}", counted.join(", ")),
        other => other.to_string(),
    }
}

fn summary(
    made: &Made,
    exported: &Exported,
    comparison: Option<&Comparison>,
    started: Instant,
) -> String {
    let mut lines = vec![format!(
        "tor {} for {}",
        made.about.version, made.about.target
    )];
    let versions = made.sources.values();
    let widest = versions.map(|it| it.source().version.len()).max();
    let width = widest.unwrap_or_default();
    for (name, verified) in &made.sources {
        let version = &verified.source().version;
        let who = signers(verified.verdict());
        lines.push(format!("  {name:<9} {version:<width$}  {who}"));
    }
    let layers: Vec<String> = made
        .image
        .layers()
        .iter()
        .map(|layer| format!("{} {}", layer.name, ui::bytes(layer.size)))
        .collect();
    lines.push(format!("image      {}", made.image.manifest()));
    lines.push(format!(
        "size       {} ({})",
        ui::bytes(made.image.size()),
        layers.join(", ")
    ));
    lines.push(format!("layout     {}", exported.layout.display()));
    lines.push(format!("archive    {}", exported.archive.display()));
    lines.push(format!(
        "time       {:.1} s",
        started.elapsed().as_secs_f64()
    ));
    let path = Record::path(&made.about.version, made.about.target);
    match comparison {
        None => lines.push(format!(
            "record     absent: there is no {}; `--record` writes it",
            path.display()
        )),
        Some(comparison) if comparison.verdict() == record::Verdict::Same => {
            lines.push(format!("record     same as {}", path.display()));
        }
        Some(comparison) => {
            lines.push(format!("record     not the same as {}:", path.display()));
            lines.push(comparison.text("the record", "this build"));
        }
    }
    lines.join("\n")
}
