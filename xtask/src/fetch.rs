//! `fetch`: the pinned sources into the cache, and nothing else.

use std::process::ExitCode;

use crate::options::Sources;
use crate::ui::Ui;

/// The arguments of `fetch`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    sources: Sources,
    /// Components to fetch [default: those of the relay]
    names: Vec<String>,
}

/// Fetches.
pub(crate) fn run(args: &Args, ui: &Ui) -> anyhow::Result<ExitCode> {
    ui.say(&format!("{args:?}"));
    Ok(ExitCode::SUCCESS)
}
