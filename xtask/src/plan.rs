//! `plan`: the steps of a build, without taking them.

use std::process::ExitCode;

use anyhow::Result;
use relaysmith::base::progress::Progress;
use relaysmith::build::outputs::Store;
use relaysmith::build::plan::Step;
use relaysmith::pipeline;
use serde_json::json;

use crate::build_image::{Build, warn_of_its_age};
use crate::ui::Ui;

/// The arguments of `plan`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A step's key covers everything that its output depends on; --verbose prints it. Outputs are kept
in the cache under their keys.")]
pub(crate) struct Args {
    #[command(flatten)]
    build: Build,
}

/// Plans, and prints the steps.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    warn_of_its_age(&args.build, ui)?;
    let plan = pipeline::plan_each(&args.build.request(), &args.build.targets())?;
    let store = Store::open(args.build.sources.options()?.cache.root())?;
    let state = |step: &Step| if store.has(step) { "cached" } else { "to do" };
    let needs = |step: &Step| -> Vec<String> {
        step.needs
            .iter()
            .map(|&need| plan.label(&plan.steps[need]))
            .collect()
    };
    if ui.wants_json() {
        let steps: Vec<_> = plan
            .steps
            .iter()
            .map(|step| {
                json!({
                    "step": step.name,
                    "target": step.target,
                    "source": step.source().map(ToString::to_string),
                    "needs": needs(step),
                    "key": step.key,
                    "covers": step.covers.lines().collect::<Vec<_>>(),
                    "cached": store.has(step),
                })
            })
            .collect();
        ui.json(&steps)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<[String; 5]> = plan
        .steps
        .iter()
        .map(|step| {
            [
                plan.label(step),
                step.source()
                    .map_or_else(String::new, |source| source.version.clone()),
                step.key.short().to_owned(),
                state(step).to_owned(),
                needs(step).join(", "),
            ]
        })
        .collect();
    ui.table(["step", "version", "key", "output", "needs"], &rows)?;
    for step in &plan.steps {
        ui.detail(&format!(
            "\n{} covers:\n{}",
            plan.label(step),
            step.covers.trim_end()
        ));
    }
    Ok(ExitCode::SUCCESS)
}
