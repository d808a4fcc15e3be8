//! `sbom`: the SBOM of the image, for machines.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::ValueEnum;
use relaysmith::build::outputs::Store;
use relaysmith::image::{self, Referrer};
use relaysmith::pipeline;
use relaysmith::publish::sbom::{Format, Sbom};

use crate::build_image::Build;
use crate::options::repository;
use crate::ui::Ui;

/// The arguments of `sbom`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
build-image writes both formats beside the image. This prints one, and builds what has not been
built yet. The SBOM depends on the image alone: no clock, no random numbers.

With --attach, both are added to a layout of the image as OCI referrers. The image's digest does not
change, but the layout then holds more than one manifest: tell skopeo which one to use, as in
`oci:dist/oci:TAG`. The next build-image removes them from its own layout again.")]
pub(crate) struct Args {
    /// The format to print
    #[arg(long, value_enum, default_value = "spdx")]
    format: Chosen,
    /// Attach both formats to the image in this layout instead of printing one
    #[arg(long, value_name = "LAYOUT", conflicts_with = "format")]
    attach: Option<PathBuf>,
    #[command(flatten)]
    build: Build,
}

/// A format, by its name on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Chosen {
    /// SPDX 2.3
    Spdx,
    /// CycloneDX 1.6
    #[value(name = "cyclonedx")]
    CycloneDx,
}

/// Builds what is not built, and prints or attaches.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let options = args.build.sources.options()?;
    let store = Store::open(options.cache.root())?;
    let (request, targets) = (args.build.request(), args.build.targets());
    let Some(layout) = &args.attach else {
        args.build.one_target()?;
        let made = pipeline::make(&request, &options, &store, ui)?;
        let sbom = Sbom::new(&made, repository())?;
        let format = match args.format {
            Chosen::Spdx => Format::Spdx,
            Chosen::CycloneDx => Format::CycloneDx,
        };
        ui.document(sbom.document(format).trim_end())?;
        return Ok(ExitCode::SUCCESS);
    };
    let images = image::open_each(layout)?;
    for made in pipeline::make_each(&request, &targets, &options, &store, ui)? {
        let wanted = made.image.manifest();
        let Some(image) = images.iter().find(|image| image.manifest() == wanted) else {
            let there: Vec<_> = images.iter().map(|it| it.manifest().to_string()).collect();
            bail!(
                "`{}` holds the image {}, but the SBOM is for {wanted}: run `cargo xtask build-image` with the same options first",
                layout.display(),
                there.join(" and "),
            );
        };
        let sbom = Sbom::new(&made, repository())?;
        for format in Format::ALL {
            let referrer = Referrer {
                media_type: format.media_type(),
                title: sbom.file_name(format),
                bytes: sbom.document(format).into_bytes(),
                epoch: made.about.epoch,
            };
            let digest = image::attach(image, &referrer)?;
            ui.say(&format!("attached {} as {digest}", referrer.title));
        }
    }
    Ok(ExitCode::SUCCESS)
}
