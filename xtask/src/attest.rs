//! `attest`: states what a build on this machine gave, signed by the user's own key.

use std::process::ExitCode;

use anyhow::{Context, Result};
use relaysmith::attest::{Site, Statement, sign};
use relaysmith::flow::{self, Made};
use relaysmith::record::Verdict;
use relaysmith::store::Store;
use relaysmith::trust::TrustPolicy;
use serde_json::json;

use crate::build_image::{Build, compared};
use crate::options::repository;
use crate::ui::Ui;

/// The arguments of `attest`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Builds what is not built yet, and writes attestations/RELEASE/FINGERPRINT.json: an in-toto
statement with SLSA provenance of what went in and what came out. `gpg` signs it, with the
agent, card or pinentry that you have set up; the signature is checked and put beside it.
`cargo xtask verify --quorum N` counts such statements.")]
pub(crate) struct Args {
    /// The primary key to sign with, by its whole fingerprint
    #[arg(long, value_name = "FINGERPRINT")]
    key: String,
    /// The program that signs: GnuPG, or one that takes its options
    #[arg(long, value_name = "PROGRAM", default_value = "gpg")]
    gpg: String,
    #[command(flatten)]
    build: Build,
}

/// Builds, signs, and says what to do with it.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let options = args.build.sources.options()?;
    let attesters = attesters()?;
    let store = Store::open(options.cache.root())?;
    let made = flow::make(&args.build.request(), &options, &store, ui)?;
    match compared(&made)?.map(|comparison| comparison.verdict()) {
        Some(Verdict::Same) => {}
        Some(_) => ui.warn("this build is not the one on record, and that is what you state"),
        None => ui.warn("there is no record of this release, so nobody can agree with one yet"),
    }
    let statement = statement(&made)?;
    let signed = sign(&statement, repository(), &attesters, &args.key, &args.gpg)?;
    if ui.wants_json() {
        ui.json(&json!({
            "release": statement.release(),
            "image": statement.image(),
            "statement": signed.statement,
            "signature": signed.signature,
            "signer": signed.fingerprint,
            "pinned": signed.pinned,
        }))?;
    } else {
        ui.data(&signed.statement.display().to_string())?;
        ui.data(&signed.signature.display().to_string())?;
    }
    if !signed.pinned {
        ui.warn(&format!(
            "{} is not pinned in keys/attesters/trust.toml, so this counts for nobody yet; \
             docs/verifying.md says how to pin it",
            signed.fingerprint
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// What is to be stated about a build of this machine.
pub(crate) fn statement(made: &Made) -> Result<Statement> {
    let site = Site {
        engine: made.site.engine.to_string(),
        root: made.site.userland.to_string(),
    };
    Statement::of(made, &site).context("the record of the build lacks the image")
}

/// Those whose word counts.
pub(crate) fn attesters() -> Result<TrustPolicy> {
    Ok(TrustPolicy::load(&repository().join("keys/attesters"))?)
}
