//! `evidence`: what upstream was asked for, into `keys/evidence/`, for a commit.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use relaysmith::pins::{Manifest, Source};
use relaysmith::update;
use serde_json::json;

use crate::options::{Sources, repository};
use crate::ui::Ui;

/// The arguments of `evidence`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without `--refresh`: shows the evidence that sources.toml names but keys/evidence/ lacks, and where
to request it. build-image and fetch request it, too, but keep it on this machine only.

Exit codes: 0 done, whether or not anything was found; 1 failed, or what was received does not
verify; 2 wrong command line")]
pub(crate) struct Args {
    /// Request it, write what verifies to keys/evidence/, and record its level in sources.toml
    #[arg(long, conflicts_with = "offline")]
    refresh: bool,
    /// Names from sources.toml, in every version [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    sources: Sources,
}

/// Lists what is missing, or asks for it.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let manifest = Manifest::load(&repository().join("sources.toml"))?;
    for name in &args.names {
        // An unpinned name is an error that lists the pinned ones.
        manifest.get(name, None)?;
    }
    let named = |source: &&Arc<Source>| args.names.is_empty() || args.names.contains(&source.name);
    let lacks = |source: &&Arc<Source>| !update::lacking(repository(), source).is_empty();
    let wanted = manifest.sources().filter(named).filter(lacks);
    let wanted: Vec<Arc<Source>> = wanted.cloned().collect();
    match args.refresh {
        true => refresh(args, &wanted, ui),
        false => list(&wanted, ui),
    }
}

/// What a source is called where one version has several files.
fn called(source: &Source) -> String {
    match &source.machine {
        Some(machine) => format!("{} ({machine})", source.version),
        None => source.version.clone(),
    }
}

fn list(wanted: &[Arc<Source>], ui: &Ui) -> Result<ExitCode> {
    let asked = |source: &Source| -> Vec<String> {
        let tag = source.evidence.tag.iter().flat_map(|tag| &tag.origins);
        source.evidence.origins.iter().chain(tag).cloned().collect()
    };
    if ui.wants_json() {
        let one = |source: &Arc<Source>| {
            json!({
                "name": source.name,
                "version": source.version,
                "machine": source.machine,
                "missing": update::lacking(repository(), source),
                "asked": asked(source),
            })
        };
        ui.json(&wanted.iter().map(one).collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<[String; 4]> = wanted
        .iter()
        .map(|source| {
            let missing = update::lacking(repository(), source).join(", ");
            let asked = asked(source).join(" or ");
            [source.name.clone(), called(source), missing, asked]
        })
        .collect();
    ui.table(["input", "version", "not here", "can be asked"], &rows)?;
    Ok(ExitCode::SUCCESS)
}

fn refresh(args: &Args, wanted: &[Arc<Source>], ui: &Ui) -> Result<ExitCode> {
    let options = args.sources.options()?;
    let (all, written) = update::evidence(repository(), wanted, &options, ui)?;
    if ui.wants_json() {
        let one = |found: &update::Found| {
            json!({
                "name": found.source.name,
                "version": found.source.version,
                "machine": found.source.machine,
                "files": found.files,
                "rung": found.rung,
                "silent": found.silent,
            })
        };
        ui.json(&all.iter().map(one).collect::<Vec<_>>())?;
    } else {
        let rows: Vec<[String; 4]> = all
            .iter()
            .map(|found| {
                let rung = found
                    .rung
                    .map_or_else(|| "-".to_owned(), |it| it.to_string());
                let what = match found.files.as_slice() {
                    [] => found.silent.join("; "),
                    files => files.join(", "),
                };
                [found.source.name.clone(), called(&found.source), rung, what]
            })
            .collect();
        ui.table(["input", "version", "evidence", "found"], &rows)?;
    }
    for path in &written {
        let path = path.strip_prefix(repository()).unwrap_or(path);
        ui.say(&format!("wrote {}", path.display()));
    }
    if !written.is_empty() {
        ui.say("review it with `git diff` and `cargo xtask verify --sources`, then commit it");
    }
    Ok(ExitCode::SUCCESS)
}
