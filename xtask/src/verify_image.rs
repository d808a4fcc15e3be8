//! `verify --image`: somebody else's image beside the record and beside a build on this machine.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use relaysmith::diff::{self, Diff};
use relaysmith::flow;
use relaysmith::image::foreign::{Foreign, Limits};
use relaysmith::record::{Comparison, Item, Record, Stage, Verdict};
use relaysmith::store::Store;
use serde_json::json;

use crate::build_image::Build;
use crate::options::repository;
use crate::ui::Ui;
use crate::verify::{ABSENT, DIFFERENT};

/// The label by which an image says which release of tor it is.
const VERSION: &str = "org.opencontainers.image.version";

/// How many files that differ are named.
const NAMED: usize = 8;

/// Builds what is not built yet, compares, and prints what was found.
pub(crate) fn run(place: &str, build: &Build, ui: &Ui) -> Result<ExitCode> {
    let image = Foreign::open(place, Limits::default())?;
    let build = of_its_release(build, &image)?;
    let options = build.sources.options()?;
    let store = Store::open(options.cache.root())?;
    let made = flow::make(&build.request(), &options, &store, ui)?;
    let layout = made.image.layout();
    let local = layout
        .to_str()
        .context("the cache folder's path is not UTF-8")?;
    let local = Foreign::open(local, Limits::default())?;
    let diff = Diff::new(("this build", &local), (place, &image))?;

    let path = Record::path(&made.about.version, made.about.target);
    let known = Record::load(repository(), &made.about.version, made.about.target)?;
    let recorded = known.and_then(|known| known.images.get(&made.about.variant).cloned());
    let recorded = recorded.map(|recorded| diff::with_record(&recorded, &image));
    if ui.wants_json() {
        ui.json(&json!({
            "image": diff.b,
            "tor": made.about.version,
            "target": made.about.target,
            "record": recorded,
            "build": diff,
        }))?;
    } else {
        let digest = diff.b.manifest.unwrap_or(diff.b.config);
        ui.data(&format!("image  {}  {digest}", diff.b.name))?;
        let (version, target) = (&made.about.version, made.about.target);
        ui.data(&format!(
            "beside tor {version} for {target}, {}\n",
            made.about.variant
        ))?;
        ui.table(
            ["part", "the record", "this build"],
            &rows(recorded.as_ref(), &diff.comparison),
        )?;
        ui.data(&format!(
            "\n{}",
            conclusion(recorded.as_ref(), "the record", &path)
        ))?;
        ui.data(&conclusion(Some(&diff.comparison), "this build", layout))?;
        named(&diff, ui)?;
        if diff.verdict() != Verdict::Same {
            let layout = layout.display();
            ui.say(&format!(
                "`cargo xtask diff {layout} {place} --html report.html` shows where"
            ));
        }
    }
    Ok(
        match (diff.verdict(), recorded.map(|found| found.verdict())) {
            (Verdict::Same, Some(Verdict::Same)) => ExitCode::SUCCESS,
            (Verdict::Same, None) => ExitCode::from(ABSENT),
            _ => ExitCode::from(DIFFERENT),
        },
    )
}

/// The build to compare with: of the release that the image says it is, if that is pinned and no
/// other was asked for. An image that lies is compared with another build, and is not the same.
fn of_its_release(build: &Build, image: &Foreign) -> Result<Build> {
    let mut build = build.clone();
    if build.sources.tor_version.is_none() {
        let manifest = build.sources.manifest()?;
        let said = image.label(VERSION);
        build.sources.tor_version = said.filter(|said| manifest.get("tor", Some(said)).is_ok());
    }
    Ok(build)
}

/// A line for each part of either comparison.
fn rows(recorded: Option<&Comparison>, built: &Comparison) -> Vec<[String; 3]> {
    let mut parts: Vec<&Item> = built.items.iter().collect();
    for item in recorded.iter().flat_map(|recorded| &recorded.items) {
        if !parts.iter().any(|part| is_same_part(part, item)) {
            parts.push(item);
        }
    }
    parts.sort_by_key(|item| item.stage);
    let verdict = |comparison: Option<&Comparison>, part: &Item| {
        let mut items = comparison?.items.iter();
        let item = items.find(|item| is_same_part(item, part))?;
        Some(match item.verdict {
            Verdict::Same => "same",
            Verdict::Recompressed => "same content",
            Verdict::Different => "different",
            Verdict::Absent if item.expected.is_none() => "not there",
            Verdict::Absent => "missing from the image",
        })
    };
    let cell = |found: Option<&str>| found.unwrap_or("-").to_owned();
    let row = |part: &&Item| {
        let name = match part.stage {
            Stage::Layer => format!("layer {}", part.name),
            _ => part.name.clone(),
        };
        [
            name,
            cell(verdict(recorded, part)),
            cell(verdict(Some(built), part)),
        ]
    };
    parts.iter().map(row).collect()
}

fn is_same_part(one: &Item, other: &Item) -> bool {
    (one.stage, &one.name) == (other.stage, &other.name)
}

fn conclusion(comparison: Option<&Comparison>, what: &str, path: &Path) -> String {
    let verdict = match comparison.map(Comparison::verdict) {
        None => return format!("there is no record of it in {}", path.display()),
        Some(Verdict::Same) => "SAME as",
        Some(Verdict::Recompressed) => "SAME CONTENT, COMPRESSED DIFFERENTLY, as",
        Some(_) => "NOT THE SAME as",
    };
    format!("{verdict} {what} ({})", path.display())
}

/// Names the files that differ from this build.
fn named(diff: &Diff, ui: &Ui) -> Result<()> {
    let files: Vec<String> = diff
        .layers
        .iter()
        .flat_map(|layer| {
            layer
                .files
                .iter()
                .map(|file| format!("  {}: {}", layer.name, file.path))
        })
        .collect();
    if files.is_empty() {
        return Ok(());
    }
    ui.data("files that differ from this build, by layer:")?;
    ui.data(&files[..files.len().min(NAMED)].join("\n"))?;
    if files.len() > NAMED {
        ui.data(&format!("  and {} more", files.len() - NAMED))?;
    }
    Ok(())
}
