//! `compose`: torrc files in, the containers around them out.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use relaysmith::relay::check::Disk;
use relaysmith::relay::{Host, Image, Service, Source, UID};
use relaysmith::relay::{compose, docker_run, quadlet, services};

use crate::torrc::write;
use crate::ui::Ui;

const EXAMPLES: &str = "\
Examples:
  One relay, an image that was loaded with `docker load`:
    cargo xtask compose config/torrc --image sha256:… --out compose.yaml
  Two relays on one host, as commands:
    cargo xtask compose config/torrc.one config/torrc.two --image NAME@sha256:… --docker-run
  A unit for podman, into a directory:
    cargo xtask compose config/torrc --image NAME@sha256:… --systemd --out units/

Ports, the name and the time to stop are read from each torrc. The directory of a torrc is
mounted read-only as /usr/local/etc/tor. Each relay has a directory for its data; it has to be
made before the first start, and the output says how. Relays on one host need a nickname and
ports of their own, and one family if they are public.

Exit codes: 0 done, 1 failed, 2 wrong command line";

/// The arguments of `compose`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The torrc of each relay
    #[arg(required = true, value_name = "TORRC")]
    torrc: Vec<PathBuf>,
    /// The image by digest: NAME@sha256:… in a registry, sha256:… if it was loaded
    #[arg(long)]
    image: Image,
    /// The user and group that the image runs as, a number
    #[arg(long, default_value_t = UID)]
    uid: u32,
    /// The most files and connections each relay may have open; the engine refuses more than
    /// it has itself
    #[arg(long, value_name = "N", default_value_t = 65536)]
    open_files: u32,
    /// Keep each relay's data in a directory under this one [default: `data` beside the
    /// directory of the first torrc]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Write `docker run` commands instead of a compose file
    #[arg(long, conflicts_with = "systemd")]
    docker_run: bool,
    /// Write units for podman's Quadlet instead of a compose file
    #[arg(long)]
    systemd: bool,
    /// Write here instead of to standard output: a file, or with --systemd a directory
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
}

/// Reads the torrc files and writes what goes around them.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let services = read(args)?;
    if ui.wants_json() {
        ui.json(&services)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.systemd {
        for service in &services {
            let (name, text) = quadlet(service);
            match &args.out {
                Some(directory) => write(&directory.join(name), &text, args.force, ui)?,
                None => ui.data(&format!("# {name}\n{}", text.trim_end()))?,
            }
        }
    } else {
        let text = if args.docker_run {
            let commands: Vec<String> = services.iter().map(docker_run).collect();
            commands.join("\n\n") + "\n"
        } else {
            compose(&services)
        };
        match &args.out {
            Some(path) => write(path, &text, args.force, ui)?,
            None => ui.data(text.trim_end())?,
        }
    }
    let missing: Vec<&Service> = services
        .iter()
        .filter(|service| !Path::new(service.data.as_str()).exists())
        .collect();
    if !missing.is_empty() {
        ui.say("before the first start:");
        for service in missing {
            ui.say(&format!("  {}", service.preparation()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A torrc that was read, and what it may include.
pub(crate) struct Read {
    path: PathBuf,
    text: Vec<u8>,
    disk: Disk,
}

impl Read {
    /// Reads each of them.
    pub(crate) fn all(paths: &[PathBuf]) -> Result<Vec<Self>> {
        let read = |path: &PathBuf| {
            // Not through links: what is written is for later.
            let path = std::path::absolute(path)
                .with_context(|| format!("finding {} from the root", path.display()))?;
            let text = fs_err::read(&path)?;
            let config = path.parent().unwrap_or(Path::new("/")).to_owned();
            let disk = Disk { config };
            Ok(Self { path, text, disk })
        };
        paths.iter().map(read).collect()
    }

    /// Its absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// What it may include.
    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// It, for what goes around it.
    pub(crate) fn source(&self) -> Source<'_> {
        Source {
            path: &self.path,
            text: &self.text,
            files: &self.disk,
        }
    }
}

fn read(args: &Args) -> Result<Vec<Service>> {
    let files = Read::all(&args.torrc)?;
    let sources: Vec<Source<'_>> = files.iter().map(Read::source).collect();
    let data = match &args.data {
        Some(data) => std::path::absolute(data)
            .with_context(|| format!("finding {} from the root", data.display()))?,
        None => beside(files[0].path()),
    };
    let host = Host {
        image: args.image.clone(),
        user: args.uid,
        open_files: args.open_files,
        data: &data,
    };
    Ok(services(&host, &sources)?)
}

/// `data` beside the directory of `torrc`, or in it where that is the root.
pub(crate) fn beside(torrc: &Path) -> PathBuf {
    let directory = torrc.parent().unwrap_or(Path::new("/"));
    directory.parent().unwrap_or(directory).join("data")
}
