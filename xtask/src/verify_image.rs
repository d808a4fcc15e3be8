//! `verify --image`: somebody else's image beside the record and beside a build on this machine.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use relaysmith::base::target::Target;
use relaysmith::build::outputs::Store;
use relaysmith::compare::diff::{self, Diff};
use relaysmith::compare::{Comparison, ComparisonVerdict, Item, Stage};
use relaysmith::image::read::{Limits, ThirdPartyImage};
use relaysmith::pipeline;
use relaysmith::record::Record;
use serde_json::json;

use crate::build_image::Build;
use crate::exit::{ABSENT, DIFFERENT};
use crate::options::repository;
use crate::platforms::{self, Opened};
use crate::ui::Ui;

/// The label by which an image says which release of tor it is.
const VERSION: &str = "org.opencontainers.image.version";

/// How many files that differ are named.
const NAMED: usize = 8;

/// Builds what is not built yet, compares, and prints what was found: of several images for as
/// many platforms, of each that was asked for, and of all of them if none was.
pub(crate) fn run(place: &str, build: &Build, ui: &Ui) -> Result<ExitCode> {
    let mut opened = platforms::open(place)?;
    if !build.says_no_target() && opened.len() > 1 {
        let asked: Vec<&str> = build.targets().into_iter().map(Target::platform).collect();
        opened.retain(|opened| asked.contains(&&*opened.platform));
        if opened.is_empty() {
            bail!("`{place}` has no image for {}", asked.join(" or "));
        }
    }
    let mut worst = 0;
    for opened in &opened {
        let code = one(opened, build, ui)?;
        // What differs weighs more than what nobody recorded.
        worst = match (worst, code) {
            (DIFFERENT, _) | (_, DIFFERENT) => DIFFERENT,
            (worst, code) => worst.max(code),
        };
    }
    Ok(ExitCode::from(worst))
}

/// The same for one image; gives the exit code.
fn one(opened: &Opened, build: &Build, ui: &Ui) -> Result<u8> {
    let (place, image) = (opened.place.as_str(), &opened.image);
    let build = of_its_release(build, opened)?;
    let options = build.sources.options()?;
    let store = Store::open(options.cache.root())?;
    let made = pipeline::make(&build.request(), &options, &store, ui)?;
    let layout = made.image.layout();
    let local = layout
        .to_str()
        .context("the cache directory's path is not UTF-8")?;
    let local = ThirdPartyImage::open(local, Limits::default())?;
    let diff = Diff::new(("this build", &local), (place, image))?;

    let path = Record::path(&made.about.version, made.about.target);
    let known = Record::load(repository(), &made.about.version, made.about.target)?;
    let recorded = known.and_then(|known| known.images.get(&made.about.variant).cloned());
    let recorded = recorded.map(|recorded| diff::with_record(&recorded, image));
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
        if diff.verdict() != ComparisonVerdict::Same {
            let layout = layout.display();
            ui.say(&format!(
                "`cargo xtask diff {layout} {place} --html report.html` shows where"
            ));
        }
    }
    Ok(
        match (diff.verdict(), recorded.map(|found| found.verdict())) {
            (ComparisonVerdict::Same, Some(ComparisonVerdict::Same)) => 0,
            (ComparisonVerdict::Same, None) => ABSENT,
            _ => DIFFERENT,
        },
    )
}

/// The build to compare with: of the release that the image says it is, if that is pinned and no
/// other was asked for, and for its platform. An image that lies is compared with another build,
/// and is not the same.
fn of_its_release(
    build: &Build,
    Opened {
        image, platform, ..
    }: &Opened,
) -> Result<Build> {
    let mut build = build.clone();
    let target = Target::ALL
        .into_iter()
        .find(|it| it.platform() == *platform);
    if let Some(target) = target.filter(|it| build.says_no_target() || build.targets().contains(it))
    {
        build = build.on(target);
    }
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
            ComparisonVerdict::Same => "same",
            ComparisonVerdict::Recompressed => "same content",
            ComparisonVerdict::Different => "different",
            ComparisonVerdict::Absent if item.expected.is_none() => "not there",
            ComparisonVerdict::Absent => "missing from the image",
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
        Some(ComparisonVerdict::Same) => "SAME as",
        Some(ComparisonVerdict::Recompressed) => "SAME CONTENT, COMPRESSED DIFFERENTLY, as",
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
