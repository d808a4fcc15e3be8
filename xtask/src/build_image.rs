//! `build-image`: from pins to an image, and how it compares with the record.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use anyhow::{Result, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use relaysmith::base::target::Target;
use relaysmith::build::outputs::Store;
use relaysmith::build::sandbox::engine::Engine;
use relaysmith::build::sandbox::root::Userland;
use relaysmith::build::sandbox::toolchain::Toolchain;
use relaysmith::compare::{self, Comparison, Item};
use relaysmith::image::{Exported, MAX_UID, Variant};
use relaysmith::pipeline::{self, Made, Request};
use relaysmith::publish::sbom::Sbom;
use relaysmith::record::Record;
use relaysmith::update::Version;
use relaysmith::verify::Report;
use serde_json::json;
use torrc::UID;

use crate::exit::DIFFERENT;
use crate::options::{Sources, faults, one_of, repository};
use crate::platforms;
use crate::timings;
use crate::ui::{self, Ui};

/// The largest user number that a layer can hold: seven octal digits in a ustar header.
const MOST_UID: i64 = MAX_UID as i64;

/// The arguments of `build-image`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Downloads what is missing, verifies it, compiles it in a sandbox without a network, and writes
the image to dist/: an OCI layout (dist/oci), and a single file for `docker load`, `podman load`
and `skopeo copy oci-archive:`. Nothing is done twice.

With several targets, whatever they share is built once, the layout holds an index of the images,
and the file contains all of them: skopeo and podman take the one for their machine, and Docker
loads each under its own name.

Exit codes: 0 built, and it matches the record or there is none; 1 failed; 2 wrong command line;
3 built, but it differs from the record in more than what `--uid` asks for")]
pub(crate) struct Args {
    #[command(flatten)]
    build: Build,
    /// Write the digests of this build to hashes/
    #[arg(long)]
    record: bool,
    /// Print the wall and CPU time of each step, and the critical path
    #[arg(long)]
    timings: bool,
    /// Write the image to this directory
    #[arg(long, value_name = "DIR", default_value = "dist")]
    out: PathBuf,
}

/// What is to be built.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Build {
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// The user and group id that tor runs as, a number other than 0
    #[arg(long, default_value_t = UID, value_parser = clap::value_parser!(u32).range(1..=MOST_UID))]
    pub(crate) uid: u32,
    /// The platform of the image; repeat it for one image for several platforms [default: this
    /// machine]
    #[arg(long = "target", value_name = "TARGET",
        value_parser = one_of::<Target>(&Target::ALL.map(Target::triple)))]
    target: Vec<Target>,
    /// The same in the spelling of container engines: `linux/amd64,linux/arm64` [default: this
    /// machine]
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',', conflicts_with = "target",
        value_parser = platform())]
    platform: Vec<Target>,
    /// What runs the steps: `namespaces`, `docker`, `podman`, or `auto` for the first of them that
    /// works here (`--verbose` says why). The image is the same
    #[arg(long, default_value_t = Engine::Auto)]
    pub(crate) engine: Engine,
    /// Where the build's tools come from: `host`, or `alpine` (or `alpine@VERSION`) for Alpine's
    /// rootfs with make and perl built in it. The image is the same [default: host, but alpine in
    /// containers]
    #[arg(long)]
    pub(crate) root: Option<Userland>,
    /// Whose build of the compiler to use: `zig` for the pinned wheel, or `debian` for Debian's
    /// packages of the same version of clang. The image is the same
    #[arg(long, default_value_t = Toolchain::Zig)]
    pub(crate) toolchain: Toolchain,
    /// Leave out `arm`
    #[arg(long)]
    pub(crate) without_arm: bool,
    /// Add a transport for bridges, in a separate layer: `obfs4`
    #[arg(long, value_name = "TRANSPORT", value_parser = ["obfs4"])]
    pub(crate) with: Option<String>,
    /// How many processes may run at once [default: one per processor]
    #[arg(long, short, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(crate) jobs: Option<u16>,
}

/// Reads a target as engines spell it.
fn platform() -> impl TypedValueParser<Value = Target> {
    let named = |name: &str| Target::ALL.into_iter().find(|it| it.platform() == name);
    PossibleValuesParser::new(Target::ALL.map(Target::platform))
        .try_map(move |name| named(&name).ok_or("no such platform"))
}

impl Build {
    /// What images are to run on: each target once, in the order of [`Target::ALL`], so that
    /// nothing depends on the order in which they were asked for.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let asked = || self.target.iter().chain(&self.platform);
        let mut all = Target::ALL.to_vec();
        all.retain(|target| asked().any(|it| it == target));
        match all.is_empty() {
            true => vec![Target::usual()],
            false => all,
        }
    }

    /// The one target that was asked for, for subcommands that take no more.
    pub(crate) fn one_target(&self) -> Result<Target> {
        match self.targets()[..] {
            [target] => Ok(target),
            ref several => bail!(
                "this takes one target, not {}: give `--target` once",
                several.len()
            ),
        }
    }

    /// The same for another target.
    pub(crate) fn on(mut self, target: Target) -> Self {
        (self.target, self.platform) = (vec![target], Vec::new());
        self
    }

    /// Whether the target was left to this program.
    pub(crate) fn says_no_target(&self) -> bool {
        self.target.is_empty() && self.platform.is_empty()
    }

    /// The request to the library, for the first target.
    pub(crate) fn request(&self) -> Request<'_> {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        Request {
            project: repository(),
            tor_version: self.sources.tor_version.as_deref(),
            target: self.targets()[0],
            variant: Variant::with(!self.without_arm, self.with.is_some()),
            uid: self.uid,
            jobs: self.jobs.map_or_else(processors, usize::from),
            engine: self.engine,
            root: self.root.clone(),
            toolchain: self.toolchain,
        }
    }
}

/// Builds, exports, and prints the summary.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let started = Instant::now();
    let options = args.build.sources.options()?;
    let store = Store::open(options.cache.root())?;
    warn_of_its_age(&args.build, ui)?;
    let targets = args.build.targets();
    let request = args.build.request();
    let made = pipeline::make_each(&request, &targets, &options, &store, ui)?;
    let exported = platforms::export(&made, &args.out)?;
    for made in &made {
        Sbom::new(made, repository())?.write(&args.out)?;
        if args.record {
            let known = Record::load(repository(), &made.about.version, made.about.target)?;
            made.record.clone().joined(known).save(repository())?;
        }
    }
    if args.record {
        platforms::record(&made, &exported)?;
    }
    if let Some(first) = made.first() {
        // The keys that it offers come from the network.
        if !options.offline {
            let folder = options.cache.directory("evidence")?;
            let offer = offer_keys(&reported(first).stale(), &folder)?;
            offer.into_iter().for_each(|text| ui.say(&text));
        }
        offer_newer(&first.about.version, &args.build, ui)?;
    }
    let comparisons: Vec<_> = made.iter().map(compared).collect::<Result<_>>()?;
    let index = platforms::compared(&made, &exported)?;
    let each = || made.iter().zip(&comparisons);
    // The steps were one build, so that every image says the same of them.
    let timings = made.first().map(|made| &made.timings);
    let timings = timings.filter(|_| args.timings);
    if ui.wants_json() {
        let described = |(made, comparison): (&Made, &Option<Comparison>)| {
            described(made, &exported, comparison.as_ref())
        };
        let mut all = match &index {
            None => each().map(described).next().unwrap_or_default(),
            Some(index) => json!({
                "index": index,
                "images": each().map(described).collect::<Vec<_>>(),
            }),
        };
        if let Some(timings) = timings {
            all["timings"] = timings::data(timings);
        }
        ui.json(&all)?;
    } else {
        for (made, comparison) in each() {
            ui.data(&summary(made, comparison.as_ref()))?;
        }
        if let Some(index) = &index {
            ui.data(&index.text())?;
        }
        let seconds = started.elapsed().as_secs_f64();
        ui.data(&format!("layout     {}", exported.layout.display()))?;
        ui.data(&format!("archive    {}", exported.archive.display()))?;
        ui.data(&format!("time       {seconds:.1} s"))?;
        if let Some(timings) = timings {
            ui.data(&timings::text(timings))?;
        }
    }
    let unexpected = |comparison: &Option<Comparison>| {
        let comparison = comparison.as_ref();
        comparison.is_some_and(|it| it.unexpected().next().is_some())
    };
    let other_index = index.as_ref().is_some_and(platforms::Compared::differs);
    Ok(match other_index || comparisons.iter().any(unexpected) {
        true => ExitCode::from(DIFFERENT),
        false => ExitCode::SUCCESS,
    })
}

/// Says that a newer tor than the one that was built is pinned.
fn offer_newer(built: &str, build: &Build, ui: &Ui) -> Result<()> {
    let manifest = build.sources.manifest()?;
    let version = |text: &str| text.parse::<Version>().ok();
    let pinned = manifest.sources().filter(|source| source.name == "tor");
    let newest = pinned.filter_map(|source| version(&source.version)).max();
    if let Some(newest) = newest.filter(|newest| Some(*newest) > version(built)) {
        ui.say(&format!(
            "tor {newest} is newer and pinned: `cargo xtask build-image --tor-version {newest}` \
             builds it if its source is available"
        ));
    }
    Ok(())
}

/// What to say of the keys of `stale`, whose copies here have expired; nothing where the same was
/// said before, which a file in `folder` remembers.
fn offer_keys(stale: &BTreeSet<&str>, folder: &Path) -> Result<Option<String>> {
    let said = folder.join("keys-offered");
    let named = stale.iter().copied().collect::<Vec<_>>().join(", ");
    let known = said.exists() && fs_err::read_to_string(&said)? == named;
    if stale.is_empty() || known {
        return Ok(None);
    }
    fs_err::write(said, &named)?;
    Ok(Some(format!(
        "our copies of these keys have expired: {named}; `cargo xtask keys refresh` fetches the \
         current ones"
    )))
}

/// Who vouches for what went in.
pub(crate) fn reported(made: &Made) -> Report {
    let mut report = Report::default();
    for verified in made.sources.values() {
        report.add(verified.source(), Ok(verified));
    }
    report
}

/// Warns if the tor that is to be built is past its end of life, or known to be vulnerable.
pub(crate) fn warn_of_its_age(build: &Build, ui: &Ui) -> Result<()> {
    let tor = build.sources.manifest()?;
    let tor = tor.get("tor", build.sources.version("tor"))?;
    for fault in faults(&tor.version, SystemTime::now())? {
        ui.warn(&fault);
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
    Ok(known.map(|known| compare::compare(&known, &made.record)))
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
        "unexpected": comparison.map(|it| it.unexpected().map(Item::subject).collect::<Vec<_>>()),
    })
}

fn summary(made: &Made, comparison: Option<&Comparison>) -> String {
    let mut lines = vec![format!(
        "tor {} for {}",
        made.about.version, made.about.target
    )];
    lines.push(ui::table(Report::HEADER, &reported(made).rows()));
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
    let path = Record::path(&made.about.version, made.about.target);
    match comparison {
        None => lines.push(format!(
            "record     absent: this image is not in {}; `--record` writes it",
            path.display()
        )),
        Some(comparison) if comparison.verdict() == compare::ComparisonVerdict::Same => {
            lines.push(format!("record     same as {}", path.display()));
        }
        Some(comparison) => {
            let of_user: Vec<String> = comparison
                .differences()
                .filter(|item| comparison.is_of_user(item))
                .map(Item::subject)
                .collect();
            let (of_user, uid) = (of_user.join(", "), made.about.uid);
            let other: Vec<String> = comparison.unexpected().map(Item::subject).collect();
            if other.is_empty() {
                lines.push(format!(
                    "record     same as {}, except for what --uid {uid} changes: {of_user}",
                    path.display()
                ));
                return lines.join("\n");
            }
            lines.push(format!("record     NOT THE SAME as {}", path.display()));
            if !of_user.is_empty() {
                lines.push(format!("  expected under --uid {uid}: {of_user}"));
            }
            lines.push(format!("  not expected: {}", other.join(", ")));
            lines.push(comparison.text("the record", "this build"));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        build: Build,
    }

    fn build(line: &str) -> Result<Build, clap::Error> {
        let words = ["build"].into_iter().chain(line.split_whitespace());
        Ok(Line::try_parse_from(words)?.build)
    }

    #[test]
    fn keys_are_offered_once_until_others_expire() {
        let folder = tempfile::tempdir().unwrap();
        let offer = |names: &[&str]| {
            let stale = names.iter().copied().collect();
            offer_keys(&stale, folder.path()).unwrap()
        };
        assert_eq!(offer(&[]), None);
        let first = offer(&["Nick Mathewson"]).unwrap();
        assert!(
            first.contains("expired: Nick Mathewson; `cargo xtask keys refresh`"),
            "{first}"
        );
        assert_eq!(offer(&["Nick Mathewson"]), None);
        let other = offer(&["Nick Mathewson", "David Goulet"]).unwrap();
        assert!(other.contains("David Goulet, Nick Mathewson"), "{other}");
        assert_eq!(offer(&["David Goulet", "Nick Mathewson"]), None);
        assert!(offer(&["Nick Mathewson"]).is_some());
    }

    #[test]
    fn targets_are_named_by_triple_or_by_platform() {
        let (x86, arm) = (Target::X86_64, Target::Aarch64);
        for (line, targets) in [
            ("", &[Target::usual()][..]),
            ("--target aarch64-linux-musl", &[arm]),
            ("--platform linux/arm64", &[arm]),
            ("--platform linux/amd64,linux/arm64", &[x86, arm]),
            // Whatever the order, and however often.
            (
                "--platform linux/arm64,linux/amd64,linux/arm64",
                &[x86, arm],
            ),
            (
                "--target aarch64-linux-musl --target x86_64-linux-musl",
                &[x86, arm],
            ),
        ] {
            let build = build(line).unwrap();
            assert_eq!(build.targets(), targets, "{line}");
            assert_eq!(build.request().target, targets[0], "{line}");
            assert_eq!(build.one_target().is_ok(), targets.len() == 1, "{line}");
            assert_eq!(build.says_no_target(), line.is_empty(), "{line}");
            assert_eq!(build.on(arm).targets(), [arm], "{line}");
        }
        for line in [
            "--platform linux/amd64 --target x86_64-linux-musl",
            "--platform linux/arm",
            "--platform arm64",
            "--target linux/arm64",
        ] {
            assert!(build(line).is_err(), "{line}");
        }
    }
}
