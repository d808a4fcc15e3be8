//! `verify`: who signed what, by the certificates and the policy in `keys/`; whether a build
//! from nothing gives what is recorded; and how many others say so.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use relaysmith::base::progress::Progress as _;
use relaysmith::build::go::Same;
use relaysmith::build::outputs::Store;
use relaysmith::build::sandbox::toolchain::Toolchain;
use relaysmith::compare::twins::{self, Compared};
use relaysmith::compare::vary::Wanted;
use relaysmith::compare::{self, Comparison};
use relaysmith::pipeline::{self, Made};
use relaysmith::record::Record;
use relaysmith::verify::{
    Conclusion, JudgedSignature, Report, Status, TrustPolicy, Verdict, judge,
};
use serde_json::json;

use crate::build_image::{Build, compared, reported, warn_of_its_age};
use crate::exit::{ABSENT, DIFFERENT};
use crate::fetch::wanted;
use crate::options::{no_record, repository};
use crate::platforms;
use crate::quorum;
use crate::ui::Ui;
use crate::vary;
use crate::verify_image;

/// The arguments of `verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without options: checks the sources, builds everything again from nothing in a temporary
directory, and compares each component, layer and the image with hashes/. With obfs4, it also
builds Go from the source that Google signed, once, and compares it with the pinned wheel of Go.

With --image: compares an image that somebody else built with hashes/ and with a build on this
machine, reusing what has been built already. To check an image in a registry, pull it first, for
example with `skopeo copy docker://HOST/NAME oci:pulled`. If a layout holds several images,
PATH:NAME or PATH@DIGEST selects one.

With --vary: combines variations into as few builds as possible, and tries each alone only if the
result differs, to name the culprit. What this machine cannot do is skipped, with a message.

Exit codes: 0 trusted, and the same if it was built; 1 not trusted, or failed; 2 wrong command
line; 3 built, but it differs from the record; 4 built, but there is no record")]
pub(crate) struct Args {
    /// Check only the pinned sources, and fetch those that are missing
    #[arg(long, conflicts_with = "file")]
    sources: bool,
    /// Compare this image, a layout or a tar, with the record and with a local build
    #[arg(long, value_name = "PATH", conflicts_with_all = ["file", "sources", "quorum"])]
    image: Option<String>,
    /// Which sources to check: names from sources.toml, `name@version`, or `all` [default: what the
    /// image is built from]
    #[arg(value_name = "NAME", requires = "sources")]
    names: Vec<String>,
    /// Print the whole chain of evidence for each, instead of a table
    #[arg(long, requires = "sources")]
    explain: bool,
    /// Print the table as Markdown, as in the README
    #[arg(long, requires = "sources", conflicts_with = "explain")]
    markdown: bool,
    /// Check this file against a detached signature by any pinned signer
    #[arg(long, value_name = "FILE", requires = "signature")]
    file: Option<PathBuf>,
    /// The signature, armored or binary
    #[arg(long, value_name = "FILE", requires = "file")]
    signature: Option<PathBuf>,
    /// Check it by the rules for this source: its signers, and the exceptions made for them
    #[arg(long = "as", value_name = "NAME", requires = "file")]
    rule: Option<String>,
    /// Count the people in keys/attesters/ whose signed statements in attestations/ agree with the
    /// record, and fail if there are fewer than N. Builds nothing
    #[arg(long, value_name = "N", conflicts_with_all = ["sources", "file"],
        value_parser = clap::value_parser!(u16).range(1..))]
    quorum: Option<u16>,
    /// Build only Go, from the source that Google signed, and compare it with the pinned wheel of
    /// Go. The result is kept
    #[arg(long, conflicts_with_all = ["sources", "file", "image", "quorum", "vary"])]
    go_from_source: bool,
    /// With obfs4: compare only the image, and do not build Go
    #[arg(long, requires = "with", conflicts_with = "go_from_source")]
    without_go_from_source: bool,
    #[arg(long, help = vary_help(), value_name = "LIST", num_args = 0..=1, default_missing_value = "all",
        conflicts_with_all = ["sources", "file", "image", "quorum"])]
    vary: Option<Wanted>,
    #[command(flatten)]
    build: Build,
}

/// The help of `--vary`, with the names of all variations.
fn vary_help() -> String {
    format!(
        "Build again while changing what must not matter, and say for each change whether the \
         image is still the recorded one: `all`, or a comma-separated list of {}",
        relaysmith::compare::vary::names().replace(',', ", ")
    )
}

/// Checks, and prints what was found.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    if let Some(needed) = args.quorum {
        return quorum::run(needed, &args.build, ui);
    }
    if let Some(image) = &args.image {
        return verify_image::run(image, &args.build, ui);
    }
    if let Some(wanted) = &args.vary {
        return vary::run(wanted, &args.build, ui);
    }
    if args.go_from_source {
        go_from_source(&args.build, ui)?;
        return Ok(ExitCode::SUCCESS);
    }
    match (&args.file, &args.signature) {
        (Some(file), Some(signature)) => one(file, signature, args, ui),
        _ if args.sources => sources(args, ui),
        _ => rebuild(args, ui),
    }
}

/// Builds in a store that has nothing in it, and compares with the record.
fn rebuild(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let options = args.build.sources.options()?;
    // Within the store's own folder for unfinished work: a run that is killed leaves nothing.
    let workspace = Store::open(options.cache.root())?.workspace()?;
    let scratch = Store::open(&workspace.path().join("cache"))?;
    let (request, targets) = (args.build.request(), args.build.targets());
    let made = pipeline::make_each(&request, &targets, &options, &scratch, ui)?;
    let verdicts: Vec<Option<compare::ComparisonVerdict>> = made
        .iter()
        .map(|made| rebuilt(made, ui))
        .collect::<Result<_>>()?;
    let mut differs = verdicts
        .iter()
        .flatten()
        .any(|it| *it != compare::ComparisonVerdict::Same);
    // The index follows from the images: of what is the same it is the same.
    let exported = platforms::export(&made, &workspace.path().join("dist"))?;
    if let Some(index) = platforms::compared(&made, &exported)? {
        differs |= index.differs();
        match ui.wants_json() {
            true => ui.json(&index)?,
            false => ui.data(&index.text())?,
        }
    }
    if args.build.with.is_some() && !args.without_go_from_source {
        go_from_source(&args.build, ui)?;
    }
    Ok(match differs {
        true => ExitCode::from(DIFFERENT),
        false if verdicts.contains(&None) => ExitCode::from(ABSENT),
        false => ExitCode::SUCCESS,
    })
}

/// Prints how an image that was built again compares with the record.
fn rebuilt(made: &Made, ui: &Ui) -> Result<Option<compare::ComparisonVerdict>> {
    let report = reported(made);
    let comparison = compared(made)?;
    if ui.wants_json() {
        ui.json(&json!({
            "sources": report,
            "image": made.image.manifest(),
            "comparison": comparison,
        }))?;
    } else {
        ui.table(Report::HEADER, &report.rows())?;
        ui.data(&format!("\nimage        {}", made.image.manifest()))?;
        ui.data(verdict_text(made, comparison.as_ref()).trim_end())?;
    }
    Ok(comparison.map(|comparison| comparison.verdict()))
}

/// Compares Go with what its signed source gives, and prints that they are the same.
fn go_from_source(build: &Build, ui: &Ui) -> Result<()> {
    let options = build.sources.options()?;
    // Not where a rebuild works: what came of it once holds for every build.
    let store = Store::open(options.cache.root())?;
    let same = pipeline::go_from_source(&build.request(), &options, &store, ui)?;
    match ui.wants_json() {
        true => ui.json(&json!({ "go": same }))?,
        false => ui.data(&go_text(&same))?,
    }
    Ok(())
}

/// That Go is what its source gives, in words.
fn go_text(same: &Same) -> String {
    let took = match same.took {
        Some(took) => format!("in {} s", took.as_secs()),
        None => "before".to_owned(),
    };
    format!(
        "{:<12} {}: {} files, {} of them programs, match what the source that Google signed \
         builds (built {took})",
        "go", same.version, same.files, same.programs
    )
}

/// How a build compares with the record, in words.
fn verdict_text(made: &Made, comparison: Option<&Comparison>) -> String {
    let path = Record::path(&made.about.version, made.about.target);
    match comparison {
        Some(comparison) => {
            let mut text = comparison.text("the record", "this build");
            if made.plan.toolchain() != Toolchain::default() {
                text = format!(
                    "{:<12} {}, as asked\n{text}",
                    "compiler",
                    made.plan.compiler()
                );
            }
            let verdict = match comparison.verdict() {
                compare::ComparisonVerdict::Same => "SAME as",
                _ => "NOT THE SAME as",
            };
            format!("{text}{verdict} {}", path.display())
        }
        None => no_record(&path),
    }
}

fn sources(args: &Args, ui: &Ui) -> Result<ExitCode> {
    warn_of_its_age(&args.build, ui)?;
    let wanted = wanted(&args.build, &args.names)?;
    let mut report = Report::default();
    let mut errors: Vec<anyhow::Error> = Vec::new();
    let options = args.build.sources.options()?;
    let manifest = args.build.sources.manifest()?;
    let policy = pipeline::policy(repository(), &options)?;
    for (source, result) in pipeline::verdicts(repository(), &wanted, &options, ui)? {
        let compared = match &result {
            Ok(verified) => twins::twins(verified, &manifest, &policy, &options, ui),
            Err(_) => Ok(None),
        };
        match compared {
            Err(error) => {
                report.refuse(&source, &error.to_string());
                errors.push(error.into());
                continue;
            }
            Ok(Some(Compared::NotHere(why))) => {
                ui.warn(&format!("{source} was not compared now: {why}"));
            }
            Ok(Some(Compared::Same(files))) => ui.detail(&format!(
                "{source}: the {files} files that the build uses are the same from both publishers"
            )),
            Ok(None) => {}
        }
        report.add(&source, result.as_ref());
        errors.extend(result.err().map(anyhow::Error::from));
    }
    if ui.wants_json() {
        ui.json(&report)?;
    } else if args.explain {
        ui.data(&report.explained())?;
    } else if args.markdown {
        ui.data(report.markdown().trim_end())?;
    } else {
        ui.table(Report::HEADER, &report.rows())?;
    }
    for error in errors {
        ui.error(&error);
    }
    ui.say(&report.summary());
    Ok(code(report.accepted()))
}

fn one(file: &Path, signature: &Path, args: &Args, ui: &Ui) -> Result<ExitCode> {
    let rule = args.rule.as_deref();
    let policy = TrustPolicy::load(&repository().join("keys"))?;
    let verdict = judge(&policy, file, signature, rule)?;
    if ui.wants_json() {
        ui.json(&json!({
            "file": file,
            "accepted": verdict.accepted(),
            "verdict": &verdict,
        }))?;
    } else {
        ui.table(Verdict::HEADER, &verdict.rows())?;
    }
    let overlooked =
        |finding: &JudgedSignature| matches!(finding.status, Status::Stale | Status::Weak);
    if rule.is_none() && verdict.signatures().iter().any(overlooked) {
        ui.say("`--as NAME` applies what keys/trust.toml allows the signers of that source");
    }
    let verdict = verdict.require(&file.display())?;
    if let Conclusion::Signed { by, .. } = verdict.conclusion() {
        ui.say(&format!("{}: signed by {}", file.display(), by.join(", ")));
    }
    if let Some(rule) = rule {
        upstreams_own(file, &verdict, rule, &args.build, ui)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Where what is pinned is a publisher's package of it, compares it with upstream's own file.
fn upstreams_own(file: &Path, verdict: &Verdict, name: &str, build: &Build, ui: &Ui) -> Result<()> {
    let pin = build.sources.manifest()?.get(name, None);
    let Some(pin) = pin.ok().filter(|pin| pin.evidence.twin.is_some()) else {
        return Ok(());
    };
    let options = build.sources.options()?;
    let wanted = [pin];
    let mut verdicts = pipeline::verdicts(repository(), &wanted, &options, ui)?;
    let (pin, verified) = verdicts.remove(0);
    let scratch = Store::open(options.cache.root())?.workspace()?;
    let files = twins::same_as(&verified?, file, verdict, scratch.path())?;
    ui.say(&format!(
        "{}: the {files} files that the build uses are identical to those of {pin}",
        file.display()
    ));
    Ok(())
}

fn code(accepted: bool) -> ExitCode {
    if accepted {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
