//! `diff`: two images side by side, whoever made them.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use relaysmith::diff::Diff;
use relaysmith::image::foreign::{Foreign, Limits};
use relaysmith::record::Verdict;
use relaysmith::replace;

use crate::ui::Ui;
use crate::verify::DIFFERENT;

/// The arguments of `diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An image is a layout (a folder or a tar of it) or what `docker save` writes; where there are
several in one, PATH:NAME or PATH@DIGEST chooses. Every digest is checked before anything is
compared, and names from an image are shown escaped.

Exit codes: 0 the same to the byte; 1 failed; 2 wrong command line; 3 not the same, if only in
how they are compressed")]
pub(crate) struct Args {
    /// The first image
    a: String,
    /// The second image
    b: String,
    /// Write a report to read in a browser to this file: one page that loads nothing
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Have diffoscope, which must be installed, compare the layers that differ
    #[arg(long)]
    diffoscope: bool,
}

/// Compares, and prints what was found.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    if args.diffoscope {
        has_diffoscope()?;
    }
    let open = |place: &str| Foreign::open(place, Limits::default());
    let (a, b) = (open(&args.a)?, open(&args.b)?);
    let diff = Diff::new((&args.a, &a), (&args.b, &b))?;
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
        diffoscope(&diff, &a, &b)?;
    }
    Ok(match diff.verdict() {
        Verdict::Same => ExitCode::SUCCESS,
        _ => ExitCode::from(DIFFERENT),
    })
}

fn has_diffoscope() -> Result<()> {
    let found = Command::new("diffoscope").arg("--version").output();
    match found {
        Ok(output) if output.status.success() => Ok(()),
        _ => bail!(
            "`diffoscope` is not there, or does not run: install it, such as by `apt-get install diffoscope`, or leave `--diffoscope` out"
        ),
    }
}

/// Lays the archives of the layers that differ side by side, and lets diffoscope print.
fn diffoscope(diff: &Diff, a: &Foreign, b: &Foreign) -> Result<()> {
    let differ: Vec<_> = diff
        .layers
        .iter()
        .filter(|layer| layer.verdict == Verdict::Different)
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
    let status = Command::new("diffoscope")
        .args(["A", "B"])
        .current_dir(folder.path())
        .status()
        .context("running diffoscope")?;
    // 1 says that they differ.
    match status.code() {
        Some(0 | 1) => Ok(()),
        _ => bail!("diffoscope failed: {status}"),
    }
}
