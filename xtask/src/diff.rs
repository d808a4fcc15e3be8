//! `diff`: two images side by side, whoever made them.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use relaysmith::base::replace;
use relaysmith::compare::ComparisonVerdict;
use relaysmith::compare::diff::Diff;
use relaysmith::image::read::ThirdPartyImage;

use crate::exit::DIFFERENT;
use crate::platforms::{self, Opened};
use crate::ui::Ui;

/// The arguments of `diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An image is an OCI layout (a directory or a tar of it) or the output of `docker save`. If there are
several images in it, PATH:NAME, PATH:PLATFORM or PATH@DIGEST selects one; otherwise, images for
several platforms are compared platform by platform. All digests are checked before anything is
compared, and names from an image are shown escaped.

Exit codes: 0 identical; 1 failed; 2 wrong command line; 3 different, even if only in how they are
compressed")]
pub(crate) struct Args {
    /// The first image
    a: String,
    /// The second image
    b: String,
    /// Write a report for the browser to this file: one page that loads nothing else
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Run diffoscope, which must be installed, on the layers that differ
    #[arg(long)]
    diffoscope: bool,
}

/// Compares, and prints what was found.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    if args.diffoscope {
        has_diffoscope()?;
    }
    let (a, b) = (platforms::open(&args.a)?, platforms::open(&args.b)?);
    if let ([a], [b]) = (&a[..], &b[..]) {
        return one(args, a, b, ui);
    }
    if let Some(path) = &args.html {
        bail!(
            "{} works on one platform only: select it, as in `{}:linux/amd64`",
            path.display(),
            args.a
        );
    }
    // One that is for a platform alone is compared with what the other has for that.
    let mut all: Vec<&str> = a.iter().chain(&b).map(|it| &*it.platform).collect();
    let alone = [&a, &b].into_iter().find(|it| it.len() == 1);
    all.retain(|platform| alone.is_none_or(|alone| alone[0].platform == *platform));
    all.sort_unstable();
    all.dedup();
    let mut code = ExitCode::SUCCESS;
    for platform in all {
        let find = |images: &'_ [Opened]| images.iter().position(|it| it.platform == platform);
        ui.say(&format!("platform {platform}"));
        let differ = match (find(&a), find(&b)) {
            (Some(at), Some(beside)) => one(args, &a[at], &b[beside], ui)? != ExitCode::SUCCESS,
            (found, _) => {
                let (there, not) = match found {
                    Some(_) => (&args.a, &args.b),
                    None => (&args.b, &args.a),
                };
                ui.data(&format!("{platform}: in {there}, and not in {not}"))?;
                true
            }
        };
        if differ {
            code = ExitCode::from(DIFFERENT);
        }
    }
    Ok(code)
}

/// Compares two images, and prints what was found.
fn one(args: &Args, a: &Opened, b: &Opened, ui: &Ui) -> Result<ExitCode> {
    let diff = Diff::new((&a.place, &a.image), (&b.place, &b.image))?;
    if ui.wants_json() {
        ui.json(&diff)?;
    } else {
        ui.data(diff.text().trim_end())?;
    }
    if let Some(path) = &args.html {
        replace::with_bytes(path, diff.html().as_bytes())?;
        ui.say(&format!("the report is in {}", path.display()));
    }
    if args.diffoscope {
        diffoscope(&diff, &a.image, &b.image, ui)?;
    }
    Ok(match diff.verdict() {
        ComparisonVerdict::Same => ExitCode::SUCCESS,
        _ => ExitCode::from(DIFFERENT),
    })
}

fn has_diffoscope() -> Result<()> {
    let found = Command::new("diffoscope").arg("--version").output();
    match found {
        Ok(output) if output.status.success() => Ok(()),
        _ => bail!(
            "`diffoscope` is missing or does not run: install it, for example with `apt-get install diffoscope`, or leave out `--diffoscope`"
        ),
    }
}

/// Lays the archives of the layers that differ side by side, and lets diffoscope print.
fn diffoscope(diff: &Diff, a: &ThirdPartyImage, b: &ThirdPartyImage, ui: &Ui) -> Result<()> {
    let differ: Vec<_> = diff
        .layers
        .iter()
        .filter(|layer| layer.verdict == ComparisonVerdict::Different)
        .filter_map(|layer| Some((layer.a.as_ref()?.diff_id, layer.b.as_ref()?.diff_id)))
        .collect();
    if differ.is_empty() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    for (number, pair) in differ.iter().enumerate() {
        for (side, image, diff_id) in [("A", a, pair.0), ("B", b, pair.1)] {
            let layer = image.layers().iter();
            let mut found = layer.filter(|layer| layer.digests.diff_id == diff_id);
            let layer = found.next().context("a layer is gone")?;
            fs_err::create_dir_all(folder.path().join(side))?;
            let name = folder.path().join(side).join(format!("{number}.tar"));
            std::io::copy(
                &mut layer.archive.reader(),
                &mut fs_err::File::create(name)?,
            )?;
        }
    }
    let output = Command::new("diffoscope")
        .args(["A", "B"])
        .current_dir(folder.path())
        .output()
        .context("running diffoscope")?;
    ui.data(String::from_utf8_lossy(&output.stdout).trim_end())?;
    // 1 says that they differ.
    match output.status.code() {
        Some(0 | 1) => Ok(()),
        _ => bail!(
            "diffoscope failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        ),
    }
}
