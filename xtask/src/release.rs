//! `release`: everything that a release consists of, up to the push.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use relaysmith::flow::{self, Made, Request};
use relaysmith::image::{self, Exported, Variant};
use relaysmith::record::{Record, Verdict};
use relaysmith::release::{self, Edition};
use relaysmith::sbom::{Bill, Format};
use relaysmith::store::Store;
use serde_json::json;

use crate::attest::statement;
use crate::build_image::{Build, compared};
use crate::options::repository;
use crate::ui::{self, Ui};

/// The arguments of `release`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Builds both images, makes sure that they are those on record, puts all that is published into
one folder and prints the files and the commands that publish them. It does not publish:
ci/draft.sh and ci/push.sh do, where the rights to do so are. See docs/releasing.md.")]
pub(crate) struct Args {
    /// Do everything up to the push: all that this verb does
    #[arg(long, required = true)]
    dry_run: bool,
    /// The tag in git: `tor-VERSION`, or `tor-VERSION-N` for the same tor built anew [default:
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
    /// Put the files into this directory, in place of what is there
    #[arg(long, value_name = "DIR", default_value = "dist/release")]
    out: PathBuf,
    #[command(flatten)]
    build: Build,
}

/// Builds, gathers, and prints what would be published.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let options = args.build.sources.options()?;
    let store = Store::open(options.cache.root())?;
    let all = [Variant::Relay, Variant::RelayArm];
    let mut editions = Vec::new();
    for variant in all {
        let request = Request {
            variant,
            ..args.build.request()
        };
        let made = flow::make(&request, &options, &store, ui)?;
        as_recorded(&made)?;
        let parent = args.out.parent().unwrap_or(Path::new(""));
        let exported = image::export(&made.image, &made.about, parent)?;
        editions.push((made, exported));
    }
    let Some((made, ..)) = editions.first() else {
        bail!("there is no image to release");
    };
    let version = &made.about.version;
    let tag = args.tag.clone().unwrap_or_else(|| format!("tor-{version}"));
    if !is_tag_of(&tag, version) {
        bail!(
            "the tag `{tag}` is not one of tor {version}: expected `tor-{version}` or `tor-{version}-N`"
        );
    }
    let record = Record::load(repository(), version, made.about.target)?;
    let record = record.context("the record has gone")?;
    let editions: Vec<Edition<'_>> = editions
        .iter()
        .map(|(made, exported)| edition(made, exported))
        .collect::<Result<_>>()?;
    let files = release::gather(&editions, &record, &args.out)?;
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

/// An image with what describes it: a provenance that nobody has signed yet.
fn edition<'a>(made: &'a Made, exported: &'a Exported) -> Result<Edition<'a>> {
    let mut documents = vec![("provenance.json".to_owned(), statement(made)?.to_json()?)];
    let bill = Bill::new(made, repository())?;
    documents.extend(Format::ALL.map(|format| (format.ending().to_owned(), bill.document(format))));
    Ok(Edition {
        about: &made.about,
        exported,
        image: made.image.manifest(),
        documents,
    })
}

/// A release is what is on record: whoever rebuilds it compares with that.
fn as_recorded(made: &Made) -> Result<()> {
    let path = Record::path(&made.about.version, made.about.target);
    let path = path.display();
    match compared(made)? {
        Some(comparison) if comparison.verdict() == Verdict::Same => Ok(()),
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
