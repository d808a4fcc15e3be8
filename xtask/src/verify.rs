//! `verify`: who signed what, by the certificates and the policy in `keys/`; whether a build
//! from nothing gives what is recorded; and how many others say so.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use relaysmith::flow::{self, Made};
use relaysmith::record::{self, Comparison, Record};
use relaysmith::store::Store;
use relaysmith::trust::{Conclusion, Finding, Report, Status, TrustPolicy, Verdict, judge};
use relaysmith::vary::Wanted;
use serde_json::json;

use crate::build_image::{Build, compared};
use crate::fetch::wanted;
use crate::options::repository;
use crate::quorum;
use crate::ui::Ui;
use crate::vary;
use crate::verify_image;

/// What `verify` exits with when this build is not the one on record.
pub(crate) const DIFFERENT: u8 = 3;
/// What it exits with when there is no record to compare with.
pub(crate) const ABSENT: u8 = 4;

/// The arguments of `verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without options: checks the sources, builds everything again from nothing in a folder of its
own, and compares each component, layer and the image with hashes/.

With --image: compares an image that somebody else made with hashes/ and with a build on this
machine, of what is built already where it is. One in a registry is pulled first, such as by
`skopeo copy docker://HOST/NAME oci:pulled`; where a layout holds several, PATH:NAME or
PATH@DIGEST chooses.

With --vary: puts variations that go together into one build, and only if that is not the same
tries each alone, to name the guilty one. What this machine cannot do is skipped, and said.

Exit codes: 0 trusted, and the same where it was built; 1 not trusted, or failed; 2 wrong
command line; 3 built, and different from the record; 4 built, and there is no record")]
pub(crate) struct Args {
    /// Check the pinned sources only, fetching those that are not here
    #[arg(long, conflicts_with = "file")]
    sources: bool,
    /// Compare this image, a layout or a tar, with the record and with a local build
    #[arg(long, value_name = "PATH", conflicts_with_all = ["file", "sources", "quorum"])]
    image: Option<String>,
    /// What to check of them: names from sources.toml, `name@version`, or `all` [default:
    /// what the image is built from]
    #[arg(value_name = "NAME", requires = "sources")]
    names: Vec<String>,
    /// Check this file by a detached signature: any pinned signer's will do
    #[arg(long, value_name = "FILE", requires = "signature")]
    file: Option<PathBuf>,
    /// The signature, armored or binary
    #[arg(long, value_name = "FILE", requires = "file")]
    signature: Option<PathBuf>,
    /// Check it by the rule for this source: its signers, and what is overlooked in them
    #[arg(long = "as", value_name = "NAME", requires = "file")]
    rule: Option<String>,
    /// Count the people in keys/attesters/ whose signed statements in attestations/ agree with
    /// the record; fails if there are fewer than this. Builds nothing
    #[arg(long, value_name = "N", conflicts_with_all = ["sources", "file"],
        value_parser = clap::value_parser!(u16).range(1..))]
    quorum: Option<u16>,
    #[arg(long, help = vary_help(), value_name = "LIST", num_args = 0..=1, default_missing_value = "all",
        conflicts_with_all = ["sources", "file", "image", "quorum"])]
    vary: Option<Wanted>,
    #[command(flatten)]
    build: Build,
}

/// The help of `--vary`, with the names of all variations.
fn vary_help() -> String {
    format!(
        "Build again where all is different that must not matter, and say of each difference \
         whether the image is the recorded one: `all`, or some of {}, with commas between",
        relaysmith::vary::names().replace(',', ", ")
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
    match (&args.file, &args.signature) {
        (Some(file), Some(signature)) => one(file, signature, args.rule.as_deref(), ui),
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
    let made = flow::make(&args.build.request(), &options, &scratch, ui)?;
    let mut report = Report::default();
    for verified in made.sources.values() {
        report.add(verified.source(), Ok(verified));
    }
    let comparison = compared(&made)?;
    if ui.wants_json() {
        ui.json(&json!({
            "sources": report,
            "image": made.image.manifest(),
            "comparison": comparison,
        }))?;
    } else {
        ui.table(Report::HEADER, &report.rows())?;
        ui.data(&format!("\nimage        {}", made.image.manifest()))?;
        ui.data(verdict_text(&made, comparison.as_ref()).trim_end())?;
    }
    Ok(match comparison.map(|comparison| comparison.verdict()) {
        Some(record::Verdict::Same) => ExitCode::SUCCESS,
        Some(_) => ExitCode::from(DIFFERENT),
        None => ExitCode::from(ABSENT),
    })
}

/// How a build compares with the record, in words.
fn verdict_text(made: &Made, comparison: Option<&Comparison>) -> String {
    let path = Record::path(&made.about.version, made.about.target);
    match comparison {
        Some(comparison) => {
            let text = comparison.text("the record", "this build");
            let verdict = match comparison.verdict() {
                record::Verdict::Same => "SAME as",
                _ => "NOT THE SAME as",
            };
            format!("{text}{verdict} {}", path.display())
        }
        None => no_record(&path),
    }
}

/// That there is nothing to compare with.
pub(crate) fn no_record(path: &Path) -> String {
    format!("there is no record of it in {}", path.display())
}

fn sources(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let wanted = wanted(&args.build, &args.names)?;
    let mut report = Report::default();
    let mut errors = Vec::new();
    let options = args.build.sources.options()?;
    for (source, result) in flow::verdicts(repository(), &wanted, &options, ui)? {
        report.add(&source, result.as_ref());
        errors.extend(result.err());
    }
    if ui.wants_json() {
        ui.json(&report)?;
    } else {
        ui.table(Report::HEADER, &report.rows())?;
    }
    for error in errors {
        ui.error(&error.into());
    }
    ui.say(&report.summary());
    Ok(code(report.accepted()))
}

fn one(file: &Path, signature: &Path, rule: Option<&str>, ui: &Ui) -> Result<ExitCode> {
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
    let overlooked = |finding: &Finding| matches!(finding.status, Status::Stale | Status::Weak);
    if rule.is_none() && verdict.signatures().iter().any(overlooked) {
        ui.say("`--as NAME` applies what keys/trust.toml allows the signers of that source");
    }
    if let Conclusion::Signed { by, .. } = verdict.require(&file.display())?.conclusion() {
        ui.say(&format!("{}: signed by {}", file.display(), by.join(", ")));
    }
    Ok(ExitCode::SUCCESS)
}

fn code(accepted: bool) -> ExitCode {
    if accepted {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
