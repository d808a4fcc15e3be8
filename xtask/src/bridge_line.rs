//! `bridge-line`: a running bridge in, what others need to come in by it out.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use relaysmith::host::bridge_lines;
use serde_json::json;

use crate::status::engine;
use crate::ui::Ui;

const EXAMPLES: &str = "\
Examples:
  cargo xtask bridge-line tor-mybridge
  sudo target/debug/xtask bridge-line /srv/relay/data/mybridge --qr

It runs `relay-health bridge-line` inside the container, or reads the data directory. Share the
line only with people who need the bridge.

Exit codes: 0 printed, 1 there is none that others could use, 2 wrong command line";

/// The arguments of `bridge-line`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The container's name, or the path of tor's data directory
    #[arg(value_name = "CONTAINER|DIRECTORY")]
    bridge: String,
    /// Also draw it as a QR code, which Tor Browser on phones can read
    #[arg(long)]
    qr: bool,
    /// The container engine to use [default: docker, or podman if there is no docker]
    #[arg(long, value_name = "PROGRAM")]
    engine: Option<PathBuf>,
}

/// Prints the lines, one for each transport.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let text = match args.bridge.contains('/') {
        true => read(Path::new(&args.bridge))?,
        false => ask(args)?,
    };
    let lines = bridge_lines(&text)?;
    if ui.wants_json() {
        ui.json(&json!({ "bridge_lines": lines }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for line in &lines {
        ui.data(line)?;
        if args.qr {
            ui.data(&drawn(line)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What tor wrote into its data directory; nothing, if it wrote nothing.
fn read(data: &Path) -> Result<String> {
    match fs_err::read_to_string(data.join("bridgelines")) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && data.is_dir() => {
            Ok(String::new())
        }
        text => Ok(text?),
    }
}

/// What the image in the container prints.
fn ask(args: &Args) -> Result<String> {
    let mut command = Command::new(engine(args.engine.as_deref())?);
    command.args(["exec", "--", &args.bridge, "relay-health", "bridge-line"]);
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("running {program}"))?;
    if !output.status.success() {
        bail!("{}", shown::shown(output.stderr.trim_ascii()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Two modules to a character, dark ones drawn in the foreground's colour on a light terminal and
/// the other way round on a dark one: phones read both.
fn drawn(line: &str) -> Result<String> {
    // A screen does not get scratched: the lowest correction gives the fewest modules.
    let code = QrCode::with_error_correction_level(line, EcLevel::L)
        .context("the bridge line is too long for a QR code")?;
    let drawn = code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build();
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_fits_a_terminal() {
        let line = format!(
            "obfs4 203.0.113.7:8443 {} cert={} iat-mode=0",
            "F".repeat(40),
            "A".repeat(70)
        );
        let drawn = drawn(&line).unwrap();
        let rows: Vec<&str> = drawn.lines().collect();
        assert!(rows.len() < 50 && rows[0].chars().count() <= 80, "{drawn}");
        // A light margin, as dark on a dark terminal as on a light one.
        assert!(rows[0].chars().all(|c| c == '\u{2588}'), "{drawn}");
        assert!(
            drawn
                .chars()
                .all(|c| "\u{2588}\u{2580}\u{2584} \n".contains(c))
        );
    }
}
