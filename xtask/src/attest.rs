//! `attest`: states what a build on this machine gave, signed by the user's own key.

use std::process::ExitCode;

use anyhow::{Context, Result};
use relaysmith::build::outputs::Store;
use relaysmith::compare::ComparisonVerdict;
use relaysmith::pipeline::{self, Made};
use relaysmith::publish::attest::{Site, Statement, sign};
use relaysmith::verify::TrustPolicy;
use serde_json::json;

use crate::build_image::{Build, compared};
use crate::options::repository;
use crate::ui::Ui;

/// The arguments of `attest`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Builds everything from source again in a temporary directory, and writes
attestations/RELEASE/FINGERPRINT.json: an in-toto statement with SLSA provenance that lists the
inputs and outputs. `gpg` signs it with your agent, smart card or pinentry; the signature is
verified and stored beside it. `cargo xtask verify --quorum N` counts such statements.")]
pub(crate) struct Args {
    /// The full fingerprint of the primary key to sign with
    #[arg(long, value_name = "FINGERPRINT")]
    key: String,
    /// The program that signs: GnuPG, or one that accepts its options
    #[arg(long, value_name = "PROGRAM", default_value = "gpg")]
    gpg: String,
    /// Use the outputs of earlier builds. The statement says so, and counts towards no quorum
    #[arg(long)]
    from_cache: bool,
    #[command(flatten)]
    build: Build,
}

/// Builds, signs, and says what to do with it.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let options = args.build.sources.options()?;
    let attesters = attesters()?;
    let store = Store::open(options.cache.root())?;
    // What lies in a cache somebody else may have put there: that is nothing to sign for.
    let workspace = match args.from_cache {
        true => None,
        false => Some(store.workspace()?),
    };
    let store = match &workspace {
        Some(workspace) => Store::open(&workspace.path().join("cache"))?,
        None => store,
    };
    let (request, targets) = (args.build.request(), args.build.targets());
    let made = pipeline::make_each(&request, &targets, &options, &store, ui)?;
    // One statement for each image: who builds for one platform can agree with it.
    for made in &made {
        attest(args, made, &attesters, ui)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Signs what was made, and says what to do with it.
fn attest(args: &Args, made: &Made, attesters: &TrustPolicy, ui: &Ui) -> Result<()> {
    match compared(made)?.map(|comparison| comparison.verdict()) {
        Some(ComparisonVerdict::Same) => {}
        Some(_) => ui.warn("this build is not the one on record, and that is what you state"),
        None => ui.warn("there is no record of this release, so nobody can agree with one yet"),
    }
    let statement = statement(made, args.from_cache)?;
    if args.from_cache {
        ui.warn("what was built earlier was not built again; this counts for no quorum");
    }
    let signed = sign(&statement, repository(), attesters, &args.key, &args.gpg)?;
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
    Ok(())
}

/// What is to be stated about a build of this machine.
pub(crate) fn statement(made: &Made, from_cache: bool) -> Result<Statement> {
    let site = Site {
        engine: made.site.engine.to_string(),
        root: made.site.userland.to_string(),
        toolchain: made.plan.compiler(),
        from_cache,
    };
    Statement::of(made, &site).context("the record of the build lacks the image")
}

/// Those whose word counts.
pub(crate) fn attesters() -> Result<TrustPolicy> {
    Ok(TrustPolicy::load(&repository().join("keys/attesters"))?)
}
