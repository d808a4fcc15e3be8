//! `compose`: torrc files in, the containers around them out.

use std::fs::Permissions;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use relaysmith::host::monitoring::{GRAFANA, Monitoring, PROMETHEUS};
use relaysmith::host::notice::{BUSYBOX, Notice};
use relaysmith::host::{Beside, Host, HostPath, HostTorrc, ImageName, Service, Subnet, Way};
use relaysmith::host::{compose, docker_run, kubernetes, quadlet, quoted, services, stack, words};
use relaysmith::image::Variant;
use relaysmith::record::{ImageRecord, Record};
use torrc::UID;
use torrc::check::Disk;

use crate::options::clone;
use crate::torrc::write;
use crate::ui::Ui;

const EXAMPLES: &str = "\
Examples:
  One relay, an image that was loaded with `docker load`:
    cargo xtask compose config/torrc --image sha256:… --out compose.yaml
  Two relays on one host, as commands:
    cargo xtask compose config/torrc.one config/torrc.two --image NAME@sha256:… --docker-run
  Two relays on the same port, each on its own address of the host:
    cargo xtask compose one/torrc two/torrc --image sha256:… --bind 192.0.2.1 --bind 192.0.2.2
  A fleet in an existing cluster:
    cargo xtask compose one/torrc two/torrc --image NAME@sha256:… --kubernetes --out relays.yaml
  A unit for podman, into a directory:
    cargo xtask compose config/torrc --image NAME@sha256:… --systemd --out units/

Ports, names and stop timeouts are read from each torrc. The directory of a torrc is mounted
read-only at /usr/local/etc/tor. Each relay has a directory for its data, which must be created
before the first start; the output says how. Relays on one host need different nicknames and
ports, and must be in one family if they are public.

Exit codes: 0 done, 1 failed, 2 wrong command line";

/// What each relay may have open unless told otherwise.
const OPEN_FILES: u32 = 65536;

/// The most memory that a relay may use, in MiB, unless something else is wanted: tor needs one
/// gigabyte for a fast relay, and more for an exit.
pub(crate) const MEMORY: u32 = 2048;

/// The arguments of `compose`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The torrc of each relay
    #[arg(required = true, value_name = "TORRC")]
    torrc: Vec<PathBuf>,
    /// The image by digest: NAME@sha256:… in a registry, or sha256:… if it was loaded
    #[arg(long)]
    image: ImageName,
    /// The user and group that the image runs as, a number
    /// [default: 45553]
    #[arg(long)]
    uid: Option<u32>,
    /// How many files and connections each relay may have open; the engine refuses more than its
    /// own limit [default: 65536]
    #[arg(long, value_name = "N")]
    open_files: Option<u32>,
    /// How much memory each relay may use, in MiB; tor's queues get half of it [default: 2048]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(128..))]
    memory: Option<u32>,
    /// Publish the ports on this host address only; give it once for all relays, or once for each
    /// in the order of their torrcs [default: all addresses]
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["swarm", "kubernetes"])]
    bind: Vec<IpAddr>,
    /// Keep each relay's data in a subdirectory of this one [default: `data` beside the directory
    /// of the first torrc]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Give the containers of the compose file a network with IPv6, with this private range or one
    /// derived from the first relay's name
    #[arg(
        long,
        value_name = "SUBNET",
        num_args = 0..=1,
        require_equals = true,
        conflicts_with = "form"
    )]
    ipv6: Option<Option<Subnet>>,
    /// Write `docker run` commands instead of a compose file
    #[arg(long, group = "form")]
    docker_run: bool,
    /// Write Quadlet units for podman instead of a compose file
    #[arg(long, group = "form")]
    systemd: bool,
    /// Write a file for `docker stack deploy` instead of a compose file
    #[arg(long, group = "form")]
    swarm: bool,
    /// Write Kubernetes manifests instead of a compose file; the ports are reached through a
    /// load-balancer or a host-port
    #[arg(
        long,
        group = "form",
        value_name = "WAY",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "load-balancer"
    )]
    kubernetes: Option<Way>,
    /// Run Prometheus and Grafana beside the relays, with their configuration in `monitoring`
    /// beside --out. Only this machine can reach them, on ports 9090 and 3000
    #[arg(long, requires = "out", conflicts_with = "form")]
    monitoring: bool,
    /// The image of Prometheus [default: docker.io/prom/prometheus:v3.5.0]
    #[arg(long, value_name = "IMAGE", requires = "monitoring")]
    prometheus_image: Option<String>,
    /// The image of Grafana [default: docker.io/grafana/grafana:12.1.0]
    #[arg(long, value_name = "IMAGE", requires = "monitoring")]
    grafana_image: Option<String>,
    /// Run a container beside an exit that serves this page on port 80 of the exit's address;
    /// `torrc exit --notice-out` writes one
    #[arg(long, value_name = "FILE", conflicts_with = "form")]
    notice: Option<PathBuf>,
    /// The image that serves the page, which must contain busybox
    /// [default: docker.io/library/busybox:1.37.0-musl]
    #[arg(long, value_name = "IMAGE", requires = "notice")]
    notice_image: Option<String>,
    /// Write to this file, or with --systemd to this directory, instead of to standard output
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Replace existing files. The options in their first line are kept unless you give them again:
    /// --uid, --open-files, --memory, --bind, --ipv6, --data, --monitoring, --notice and their
    /// images
    #[arg(long)]
    force: bool,
}

/// What stands before the command line in the files that are written.
const WRITTEN_BY: &str = "# cargo xtask ";

/// The command line of a file that was written earlier.
#[derive(clap::Parser)]
#[command(no_binary_name = true)]
struct Earlier {
    #[command(flatten)]
    args: Args,
}

/// Completes `args` with what a file that is replaced was told.
fn kept(args: &Args, services: &[Service], ui: &Ui) -> Args {
    let mut args = args.clone();
    let Some(out) = args.out.clone().filter(|_| args.force) else {
        return args;
    };
    let unit = services.first().map(|service| out.join(quadlet(service).0));
    let path = unit.filter(|_| args.systemd).unwrap_or(out);
    let text = fs_err::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(WRITTEN_BY));
    let told = line.and_then(|line| Earlier::try_parse_from(words(line)?.into_iter().skip(1)).ok());
    if let Some(Earlier { args: told }) = told {
        args.uid = args.uid.or(told.uid);
        args.open_files = args.open_files.or(told.open_files);
        args.memory = args.memory.or(told.memory);
        args.data = args.data.or(told.data);
        // What only a compose file has, and what orchestrators have not.
        let orchestrated = args.swarm || args.kubernetes.is_some();
        if args.docker_run || args.systemd || orchestrated {
            let lost = [
                (told.ipv6.is_some(), "--ipv6"),
                (told.monitoring, "--monitoring"),
                (told.notice.is_some(), "--notice"),
                (orchestrated && !told.bind.is_empty(), "--bind"),
            ];
            for (_, option) in lost.into_iter().filter(|(told, _)| *told) {
                ui.warn(&format!(
                    "{option} from the old file is dropped: this format does not support it"
                ));
            }
        } else {
            args.ipv6 = args.ipv6.or(told.ipv6);
            args.monitoring |= told.monitoring;
            args.notice = args.notice.or(told.notice);
            args.notice_image = args.notice_image.or(told.notice_image);
            args.prometheus_image = args.prometheus_image.or(told.prometheus_image);
            args.grafana_image = args.grafana_image.or(told.grafana_image);
        }
        let fits = [0, 1, args.torrc.len()].contains(&told.bind.len());
        if args.bind.is_empty() && fits && !orchestrated {
            args.bind = told.bind;
        }
    }
    args
}

/// The command line that says what `args` do, for the first line of what is written.
fn command(args: &Args) -> String {
    let mut line = vec!["compose".to_owned()];
    line.extend(args.torrc.iter().map(|path| path.display().to_string()));
    line.extend(["--image".to_owned(), args.image.to_string()]);
    let mut option = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            line.extend([format!("--{name}"), value]);
        }
    };
    option("uid", args.uid.map(|uid| uid.to_string()));
    option("open-files", args.open_files.map(|files| files.to_string()));
    option("memory", args.memory.map(|memory| memory.to_string()));
    for address in &args.bind {
        option("bind", Some(address.to_string()));
    }
    let shown = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    option("data", shown(&args.data));
    option("out", shown(&args.out));
    option("notice", shown(&args.notice));
    option("notice-image", args.notice_image.clone());
    option("prometheus-image", args.prometheus_image.clone());
    option("grafana-image", args.grafana_image.clone());
    if args.monitoring {
        line.push("--monitoring".to_owned());
    }
    match args.ipv6 {
        Some(Some(subnet)) => line.push(format!("--ipv6={subnet}")),
        Some(None) => line.push("--ipv6".to_owned()),
        None => {}
    }
    let forms = [
        (args.docker_run, "--docker-run".to_owned()),
        (args.systemd, "--systemd".to_owned()),
        (args.swarm, "--swarm".to_owned()),
        (
            args.kubernetes.is_some(),
            match args.kubernetes {
                Some(Way::HostPort) => "--kubernetes=host-port".to_owned(),
                _ => "--kubernetes".to_owned(),
            },
        ),
    ];
    line.extend(
        forms
            .into_iter()
            .filter(|(on, _)| *on)
            .map(|(_, form)| form),
    );
    let line: Vec<String> = line.iter().map(|word| quoted(word)).collect();
    format!(
        "{WRITTEN_BY}{}\n",
        line.join(" ").replace(['\n', '\r'], " ")
    )
}

/// Whether the image has the transports that the torrcs start. What is recorded of this project's
/// images says so; of any other image nobody knows here.
fn has_what_is_wanted(image: &ImageName, services: &[Service], ui: &Ui) -> Result<()> {
    const BUILD: &str = "`cargo xtask build-image --with obfs4` builds the image that has it";
    let Some(service) = services.iter().find(|service| service.wants_obfs4) else {
        return Ok(());
    };
    match recorded_as(image.digest()) {
        Some(variant) if variant.has_obfs4() => Ok(()),
        Some(variant) => bail!(
            "{} starts {}, and {image} is the image `{variant}`, which has no such program; {BUILD}",
            service.name,
            torrc::LYREBIRD
        ),
        None => {
            ui.say(&format!(
                "{} starts {}; {BUILD}",
                service.name,
                torrc::LYREBIRD
            ));
            Ok(())
        }
    }
}

/// Which of the recorded images has this digest, as its manifest's or as its config's.
pub(crate) fn recorded_as(digest: &str) -> Option<Variant> {
    let folder = clone()?.join("hashes");
    let files = fs_err::read_dir(folder).ok()?.flatten();
    files
        .filter_map(|file| {
            let path = file.path();
            let record = Record::parse(&path, &fs_err::read_to_string(&path).ok()?).ok()?;
            let mut images = record.images.clone().into_iter();
            let is = |image: &ImageRecord| {
                [image.config, image.manifest]
                    .iter()
                    .any(|own| own.to_string() == digest)
            };
            images.find(|(_, image)| is(image))
        })
        .map(|(variant, _)| variant)
        .next()
}

/// Reads the torrc files and writes what goes around them.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let files = Read::all(&args.torrc)?;
    let args = &kept(args, &read(args, &files)?, ui);
    let services = read(args, &files)?;
    has_what_is_wanted(&args.image, &services, ui)?;
    if ui.wants_json() {
        ui.json(&services)?;
        if args.out.is_none() {
            return Ok(ExitCode::SUCCESS);
        }
    }
    let header = command(args);
    if args.systemd {
        for service in &services {
            let (name, text) = quadlet(service);
            let text = header.clone() + &text;
            match &args.out {
                Some(directory) => write(&directory.join(name), &text, args.force, ui)?,
                None => ui.data(&format!("# {name}\n{}", text.trim_end()))?,
            }
        }
    } else {
        let text = if args.docker_run {
            let commands: Vec<String> = services.iter().map(docker_run).collect();
            commands.join("\n\n") + "\n"
        } else if args.swarm {
            stack(&services)?
        } else if let Some(way) = args.kubernetes {
            let sources: Vec<HostTorrc<'_>> = files.iter().map(Read::source).collect();
            kubernetes(&services, &sources, way)?
        } else {
            let first = services.first();
            let ipv6 = args
                .ipv6
                .and_then(|subnet| subnet.or_else(|| Some(Subnet::of(&first?.name))));
            let beside = Beside {
                ipv6,
                monitoring: monitored(args, &services, ui)?,
                notice: notice(args)?,
            };
            compose(&services, &beside)?
        };
        let text = header + &text;
        match &args.out {
            Some(path) => write(path, &text, args.force, ui)?,
            None => ui.data(text.trim_end())?,
        }
    }
    if args.kubernetes.is_some() {
        ui.say(
            "the relay's address is the load balancer's or the node's: set `Address` in the torrc",
        );
        return Ok(ExitCode::SUCCESS);
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

/// The page that is served beside the relays, if one is.
fn notice(args: &Args) -> Result<Option<Notice>> {
    let Some(page) = &args.notice else {
        return Ok(None);
    };
    // Docker would make a directory of that name.
    if !page.is_file() {
        bail!(
            "{} is not a file; `cargo xtask torrc exit --from FILE --notice-out PAGE` writes a page",
            page.display()
        );
    }
    let page = std::path::absolute(page)
        .with_context(|| format!("finding {} from the root", page.display()))?;
    Ok(Some(Notice {
        image: args.notice_image.clone().unwrap_or(BUSYBOX.to_owned()),
        page: HostPath::new(&page)?,
        bind: args.bind.first().copied(),
    }))
}

/// Writes the configuration of what is beside the relays, if it is wanted.
fn monitored(args: &Args, services: &[Service], ui: &Ui) -> Result<Option<Monitoring>> {
    let Some(out) = args.out.as_ref().filter(|_| args.monitoring) else {
        return Ok(None);
    };
    let out = std::path::absolute(out)
        .with_context(|| format!("finding {} from the root", out.display()))?;
    let directory = out.parent().unwrap_or(Path::new("/")).join("monitoring");
    for (path, text) in Monitoring::files(services)? {
        let path = directory.join(path);
        write(&path, &text, args.force, ui)?;
        // Prometheus and Grafana read it, as users of their own.
        allow(&path, 0o644)?;
        path.parent()
            .map_or(Ok(()), |mounted| allow(mounted, 0o755))?;
    }
    let or = |image: &Option<String>, usual: &str| image.clone().unwrap_or(usual.to_owned());
    Ok(Some(Monitoring {
        prometheus: or(&args.prometheus_image, PROMETHEUS),
        grafana: or(&args.grafana_image, GRAFANA),
        directory: HostPath::new(&directory)?,
    }))
}

/// Lets everybody do with `path` what `mode` says, whatever the umask was.
fn allow(path: &Path, mode: u32) -> Result<()> {
    if fs_err::metadata(path)?.permissions().mode() & 0o777 != mode {
        fs_err::set_permissions(path, Permissions::from_mode(mode))?;
    }
    Ok(())
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
    pub(crate) fn source(&self) -> HostTorrc<'_> {
        HostTorrc {
            path: &self.path,
            text: &self.text,
            files: &self.disk,
        }
    }
}

fn read(args: &Args, files: &[Read]) -> Result<Vec<Service>> {
    let sources: Vec<HostTorrc<'_>> = files.iter().map(Read::source).collect();
    let data = match &args.data {
        Some(data) => std::path::absolute(data)
            .with_context(|| format!("finding {} from the root", data.display()))?,
        None => beside(files[0].path()),
    };
    let host = Host {
        image: args.image.clone(),
        user: args.uid.unwrap_or(UID),
        open_files: args.open_files.unwrap_or(OPEN_FILES),
        memory: args.memory.unwrap_or(MEMORY),
        bind: &args.bind,
        data: &data,
    };
    Ok(services(&host, &sources)?)
}

/// `data` beside the directory of `torrc`, or in it where that is the root.
pub(crate) fn beside(torrc: &Path) -> PathBuf {
    let directory = torrc.parent().unwrap_or(Path::new("/"));
    directory.parent().unwrap_or(directory).join("data")
}
