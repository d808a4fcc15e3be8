//! `doctor`: a host and its relays in, what is missing out.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use relaysmith::doctor::{self, Asked, Check, State};
use relaysmith::image::Variant;
use relaysmith::record::Record;
use relaysmith::relay::check::check;
use relaysmith::relay::{Host, Image, UID, services};
use relaysmith::source::Manifest;
use relaysmith::target::Target;

use crate::check_torrc::ask;
use crate::compose::{Read, beside};
use crate::options::repository;
use crate::ui::Ui;

const EXAMPLES: &str = "\
Examples:
  cargo xtask doctor
  cargo xtask doctor /srv/relay/config/torrc

Each line is ok, warn or fail, with what mends it. It changes nothing.

Exit codes: 0 nothing fails, 1 something does, 2 wrong command line";

/// The arguments of `doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The torrc of each relay that is to run here
    #[arg(value_name = "TORRC")]
    torrc: Vec<PathBuf>,
    /// The user and group that the image runs as, a number
    #[arg(long, default_value_t = UID)]
    uid: u32,
    /// The most files and connections each relay may have open, as for `compose`
    #[arg(long, value_name = "N", default_value_t = 65536)]
    open_files: u32,
    /// Where the relays' data are, as for `compose` [default: `data` beside the directory of
    /// the first torrc]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The image is the one without arm
    #[arg(long)]
    without_arm: bool,
}

/// Looks, and prints a line for each check.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let mut checks = doctor::host();
    let (variant, suffix) = match args.without_arm {
        true => (Variant::Relay, ""),
        false => (Variant::RelayArm, "-arm"),
    };
    let tor = Manifest::load(&repository().join("sources.toml"))?
        .get("tor", None)?
        .version
        .clone();
    let record = Record::load(repository(), &tor, Target::X86_64)?;
    let recorded = record.and_then(|record| Some(record.images.get(&variant)?.config));
    let name = format!("relaysmith/tor:{tor}{suffix}");
    checks.extend(doctor::engine(&name, recorded, args.open_files));
    if !args.torrc.is_empty() {
        checks.extend(relays(args)?);
    }
    if ui.wants_json() {
        ui.json(&checks)?;
    } else {
        for check in &checks {
            ui.data(&line(check))?;
        }
    }
    let fails = checks.iter().any(|check| check.state == State::Fail);
    Ok(ExitCode::from(u8::from(fails)))
}

fn relays(args: &Args) -> Result<Vec<Check>> {
    let files = Read::all(&args.torrc)?;
    let data = match &args.data {
        Some(data) => std::path::absolute(data)?,
        None => beside(files[0].path()),
    };
    // Which image is no matter here.
    let image: Image = format!("sha256:{}", "0".repeat(64)).parse()?;
    let host = Host {
        image,
        user: args.uid,
        open_files: args.open_files,
        data: &data,
    };
    let mut checks = Vec::new();
    let sources: Vec<_> = files.iter().map(Read::source).collect();
    let services = services(&host, &sources)?;
    for (service, file) in services.iter().zip(&files) {
        let name = file.path().display().to_string();
        let mut findings = check(&name, file.text(), None, file.disk()).findings;
        let asked = match ask(&name, file.text(), file.disk()) {
            Ok(more) => {
                findings.extend(more);
                Asked::Yes
            }
            Err(why) => Asked::No(why),
        };
        checks.extend(doctor::relay(service, &name, &findings, &asked));
    }
    Ok(checks)
}

/// A line, and under it what mends it.
fn line(check: &Check) -> String {
    let state = match check.state {
        State::Ok => "ok",
        State::Warn => "warn",
        State::Fail => "fail",
    };
    let line = format!("{state:<5} {:<11} {}", check.name, check.found);
    match &check.mend {
        Some(mend) => format!("{line}\n      mend: {mend}"),
        None => line,
    }
}
