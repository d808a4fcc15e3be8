//! `verify`: who signed what, by the certificates and the policy in `keys/`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use relaysmith::source::fetch;
use relaysmith::trust::{Conclusion, Finding, Report, Status, TrustPolicy, Verdict, judge, verify};
use serde_json::json;

use crate::fetch::wanted;
use crate::options::{Sources, repository};
use crate::ui::Ui;

/// The arguments of `verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 trusted, 1 not trusted or failed, 2 wrong command line")]
pub(crate) struct Args {
    /// Check the pinned sources, fetching those that are not here
    #[arg(long, required_unless_present = "file", conflicts_with = "file")]
    sources: bool,
    /// What to check of them: names from sources.toml, `name@version`, or `all` [default:
    /// what a relay is built from]
    #[arg(value_name = "NAME", conflicts_with = "file")]
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
    #[command(flatten)]
    options: Sources,
}

/// Checks, and prints what was found.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let policy = TrustPolicy::load(&repository().join("keys"))?;
    match (&args.file, &args.signature) {
        (Some(file), Some(signature)) => one(&policy, file, signature, args.rule.as_deref(), ui),
        _ => sources(&policy, args, ui),
    }
}

fn sources(policy: &TrustPolicy, args: &Args, ui: &Ui) -> Result<ExitCode> {
    let manifest = args.options.manifest()?;
    let wanted = wanted(&manifest, &args.options, &args.names)?;
    let mut report = Report::default();
    let mut errors = Vec::new();
    for fetched in fetch(&wanted, &args.options.options()?, ui)? {
        let source = fetched.source().clone();
        let result = verify(policy, fetched);
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

fn one(
    policy: &TrustPolicy,
    file: &Path,
    signature: &Path,
    rule: Option<&str>,
    ui: &Ui,
) -> Result<ExitCode> {
    let verdict = judge(policy, file, signature, rule)?;
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
