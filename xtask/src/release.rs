//! `release`: everything that a release consists of, up to the push.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use relaysmith::base::target::Target;
use relaysmith::build::outputs::Store;
use relaysmith::compare::ComparisonVerdict;
use relaysmith::image::{Exported, Variant};
use relaysmith::pipeline::{self, Made, Request};
use relaysmith::publish::release::{self, Edition};
use relaysmith::publish::sbom::{Format, Sbom};
use relaysmith::record::{Platforms, Record};
use serde_json::json;

use crate::attest::statement;
use crate::build_image::{Build, compared, reported};
use crate::options::{faults, repository};
use crate::platforms;
use crate::ui::{self, Ui};

/// The images of a release.
const RELEASED: [Variant; 3] = [Variant::Relay, Variant::RelayArm, Variant::RelayArmObfs4];

/// The arguments of `release`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Builds the images without arm, with it, and with obfs4, for one target or as an index for several,
makes sure that they match the record, puts everything to be published into one directory, and
prints the files and the commands that publish them. It does not publish anything itself:
ci/draft.sh and ci/push.sh do, where the permissions are. See docs/releasing.md.")]
pub(crate) struct Args {
    /// Do everything except the push: this subcommand can do no more
    #[arg(long, required = true)]
    dry_run: bool,
    /// The git tag: `tor-VERSION`, or `tor-VERSION-N` if the same tor is released again [default:
    /// the first]
    #[arg(long)]
    tag: Option<String>,
    /// Where the images would be pushed
    #[arg(
        long,
        value_name = "REPOSITORY",
        default_value = "ghcr.io/relaysmith/relaysmith"
    )]
    to: String,
    /// Put the files into this directory, replacing its contents
    #[arg(long, value_name = "DIR", default_value = "dist/release")]
    out: PathBuf,
    #[command(flatten)]
    build: Build,
}

/// Builds, gathers, and prints what would be published.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let options = args.build.sources.options()?;
    let store = Store::open(options.cache.root())?;
    let mut editions = Vec::new();
    for variant in RELEASED {
        let request = Request {
            variant,
            ..args.build.request()
        };
        let made = pipeline::make_each(&request, &args.build.targets(), &options, &store, ui)?;
        made.iter().try_for_each(as_recorded)?;
        let parent = args.out.parent().unwrap_or(Path::new(""));
        let exported = platforms::export(&made, parent)?;
        if let Some(index) = platforms::compared(&made, &exported)?
            && !index.is_as_recorded()
        {
            bail!(
                "the index of the images is not the recorded one, so it is not released:\n{}",
                index.text()
            );
        }
        editions.push((made, exported));
    }
    let Some(first) = editions.first().and_then(|(made, _)| made.first()) else {
        bail!("there is no image to release");
    };
    let version = &first.about.version;
    let tag = args.tag.clone().unwrap_or_else(|| format!("tor-{version}"));
    if !is_tag_of(&tag, version) {
        bail!(
            "the tag `{tag}` is not for tor {version}: expected `tor-{version}` or `tor-{version}-N`"
        );
    }
    let targets = args.build.targets();
    let record = |&target: &Target| {
        let record = Record::load(repository(), version, target)?;
        record.context("the record has gone")
    };
    let records: Vec<Record> = targets.iter().map(record).collect::<Result<_>>()?;
    let index = match targets.len() {
        1 => None,
        _ => Platforms::load(repository(), version)?,
    };
    let editions: Vec<Edition<'_>> = editions
        .iter()
        .map(|(made, exported)| edition(made, exported))
        .collect::<Result<_>>()?;
    let files = release::gather(&editions, &records, index.as_ref(), &args.out)?;
    let commands = [
        commands("ci/draft.sh", &args.out, &tag)?,
        commands("ci/push.sh", &args.out, &args.to)?,
    ];
    if ui.wants_json() {
        let file = |file: &release::File| json!({ "name": file.name, "size": file.size, "digest": file.digest });
        ui.json(&json!({
            "tag": tag,
            "folder": args.out,
            "files": files.iter().map(file).collect::<Vec<_>>(),
            "commands": commands.concat().lines().collect::<Vec<_>>(),
        }))?;
    } else {
        let row = |file: &release::File| {
            [
                file.name.clone(),
                ui::bytes(file.size),
                file.digest.to_string(),
            ]
        };
        ui.table(
            ["file", "size", "digest"],
            &files.iter().map(row).collect::<Vec<_>>(),
        )?;
        ui.data(&format!("\nwould run\n{}", commands.concat().trim_end()))?;
    }
    ui.say(&format!(
        "nothing was published; the files are in {}",
        args.out.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// An image with what describes it on each platform: a provenance that nobody has signed yet.
fn edition<'a>(made: &'a [Made], exported: &'a Exported) -> Result<Edition<'a>> {
    let documents = |made: &'a Made| -> Result<_> {
        let mut documents = vec![(
            "provenance.json".to_owned(),
            statement(made, true)?.to_json()?,
        )];
        let sbom = Sbom::new(made, repository())?;
        documents.push(("evidence.md".to_owned(), evidence(made)?));
        let sboms = Format::ALL.map(|it| (it.ending().to_owned(), sbom.document(it)));
        documents.extend(sboms);
        Ok((&made.about, documents))
    };
    let tag = made.first().map(|made| made.about.tag());
    Ok(Edition {
        tag: tag.context("there is no image to release")?,
        exported,
        documents: made.iter().map(documents).collect::<Result<_>>()?,
    })
}

/// Who vouches for what went in, and what is known against it, for people.
fn evidence(made: &Made) -> Result<String> {
    let tor = &made.about.version;
    let mut text = reported(made).markdown();
    for fault in faults(tor, SystemTime::now())? {
        text += &format!("\n**Warning:** {fault}\n");
    }
    Ok(text)
}

/// A release is what is on record: whoever rebuilds it compares with that.
fn as_recorded(made: &Made) -> Result<()> {
    let path = Record::path(&made.about.version, made.about.target);
    let path = path.display();
    match compared(made)? {
        Some(comparison) if comparison.verdict() == ComparisonVerdict::Same => Ok(()),
        Some(comparison) => bail!(
            "this build is not the one in {path}, so it is not released:\n{}",
            comparison.text("the record", "this build").trim_end()
        ),
        None => bail!(
            "the image `{}` is not in {path}; `cargo xtask build-image --record` writes it",
            made.about.variant
        ),
    }
}

fn is_tag_of(tag: &str, version: &str) -> bool {
    let Some(rest) = tag
        .strip_prefix("tor-")
        .and_then(|it| it.strip_prefix(version))
    else {
        return false;
    };
    let number = |text: &str| {
        text.parse()
            .is_ok_and(|n: u32| n > 1 && n.to_string() == text)
    };
    rest.is_empty() || rest.strip_prefix('-').is_some_and(number)
}

/// What a script would do, in its own words.
fn commands(script: &str, folder: &Path, to: &str) -> Result<String> {
    let output = Command::new(repository().join(script))
        .arg("--dry-run")
        .arg(folder)
        .arg(to)
        .output()
        .with_context(|| format!("running {script}"))?;
    if !output.status.success() {
        bail!(
            "{script}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_the_version() {
        for tag in ["tor-0.4.9.11", "tor-0.4.9.11-2", "tor-0.4.9.11-10"] {
            assert!(is_tag_of(tag, "0.4.9.11"), "{tag}");
        }
        for tag in [
            "",
            "0.4.9.11",
            "tor-0.4.9.1",
            "tor-0.4.9.111",
            "tor-0.4.9.11-",
            "tor-0.4.9.11-1",
            "tor-0.4.9.11-02",
            "tor-0.4.9.11-x",
            "tor-0.4.9.11;id",
        ] {
            assert!(!is_tag_of(tag, "0.4.9.11"), "{tag}");
        }
    }
}
