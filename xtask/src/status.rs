//! `status`: a running relay in, what it says of itself out.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use relaysmith::base::date::epoch;
use relaysmith::build::recipe::Artifact;
use relaysmith::host::status::Status;

use crate::options::built;
use crate::ui::Ui;

const EXAMPLES: &str = "\
Examples:
  cargo xtask status tor-myrelay
  sudo target/debug/xtask status /srv/relay/data/myrelay/control.sock
  cargo xtask --json status tor-myrelay

It runs the image's health check, `relay-health --json`, inside the container or, for a control
socket, the health check that `cargo xtask build-image` built.

Exit codes: 0 healthy, 1 starting, unhealthy or failed, 2 wrong command line";

/// The arguments of `status`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The container's name, or the path of tor's control socket
    #[arg(value_name = "CONTAINER|SOCKET")]
    relay: String,
    /// The container engine to use [default: docker, or podman if there is no docker]
    #[arg(long, value_name = "PROGRAM")]
    engine: Option<PathBuf>,
}

/// Asks, and prints the answer.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let status = if args.relay.contains('/') {
        let Some(health) = built(Artifact::HEALTH)? else {
            bail!(
                "the health check has not been built here yet; `cargo xtask build-image` builds it"
            );
        };
        let mut command = Command::new(health);
        command.args(["--json", "--socket", &args.relay]);
        answer(command)?
    } else {
        let mut command = Command::new(engine(args.engine.as_deref())?);
        command.args(["exec", "--", &args.relay, "relay-health", "--json"]);
        answer(command)?
    };
    if ui.wants_json() {
        ui.json(&status)?;
    } else {
        let rows = status.rows(epoch(SystemTime::now()));
        let width = rows.iter().map(|[name, _]| name.len()).max().unwrap_or(0);
        for [name, value] in rows {
            ui.data(&format!("{name:width$}  {value}"))?;
        }
    }
    Ok(match status.is_healthy() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The container engine that is here.
pub(crate) fn engine(wanted: Option<&Path>) -> Result<PathBuf> {
    let here = |program: &Path| {
        let version = Command::new(program).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    };
    match wanted {
        Some(program) => Ok(program.to_owned()),
        None => ["docker", "podman"]
            .map(PathBuf::from)
            .into_iter()
            .find(|program| here(program))
            .context("neither docker nor podman is installed; name another engine with --engine"),
    }
}

fn answer(mut command: Command) -> Result<Status> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("running {program}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if text.trim().is_empty() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{program} ended with {}: {}",
            output.status,
            shown::shown(error.trim().as_bytes())
        );
    }
    Ok(Status::parse(&text)?)
}
