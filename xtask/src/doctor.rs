//! `doctor`: a host and its relays in, what is missing out.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::Result;
use relaysmith::base::target::Target;
use relaysmith::host::doctor::{self, Asked, Check, State};
use relaysmith::host::{Host, ImageName, services};
use relaysmith::image::{About, Variant};
use relaysmith::pins::Manifest;
use relaysmith::record::Record;
use torrc::UID;
use torrc::check::{check, facts, with_what_tor_said};

use crate::check_torrc::{Tor, ask};
use crate::compose::{MEMORY, Read, beside};
use crate::options::{faults, repository};
use crate::ui::{Colour, Piece, Ui};

const EXAMPLES: &str = "\
Examples:
  cargo xtask doctor
  cargo xtask doctor /srv/relay/config/torrc

Each line says ok, warn or fail, with the command that fixes it. Nothing is changed.

Exit codes: 0 nothing failed, 1 something did, 2 wrong command line";

/// The arguments of `doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The torrc of each relay that will run here
    #[arg(value_name = "TORRC")]
    torrc: Vec<PathBuf>,
    /// The user and group id that the image runs as
    #[arg(long, default_value_t = UID)]
    uid: u32,
    /// How many files and connections each relay may have open, as for `compose`
    #[arg(long, value_name = "N", default_value_t = 65536)]
    open_files: u32,
    /// The host address that the ports are published on, as for `compose`
    #[arg(long, value_name = "ADDRESS")]
    bind: Vec<IpAddr>,
    /// The directory of the relays' data, as for `compose` [default: `data` beside the directory of
    /// the first torrc]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The image is the one without `arm`
    #[arg(long)]
    without_arm: bool,
    /// The image is the one with this transport, `obfs4`; implied by a torrc that starts it
    #[arg(long, value_name = "TRANSPORT", value_parser = ["obfs4"])]
    with: Option<String>,
    #[command(flatten)]
    tor: Tor,
}

/// Looks, and prints a line for each check.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let mut checks = doctor::host();
    let files = Read::all(&args.torrc)?;
    let wants_obfs4 = |file: &Read| {
        let name = file.path().display().to_string();
        facts(&name, file.text(), file.disk()).wants_obfs4
    };
    let obfs4 = args.with.is_some() || files.iter().any(wants_obfs4);
    let variant = Variant::with(!args.without_arm, obfs4);
    let tor = Manifest::load(&repository().join("sources.toml"))?
        .get("tor", args.tor.version())?
        .version
        .clone();
    let target = Target::usual();
    let record = Record::load(repository(), &tor, target)?;
    // What is recorded is the image for the usual user.
    let record = record.filter(|_| args.uid == UID);
    let recorded = record.and_then(|record| Some(record.images.get(&variant)?.config));
    let name = format!("relaysmith/tor:{}", About::tag_of(&tor, variant, args.uid));
    checks.extend(doctor::engine(&name, recorded, args.open_files));
    checks.extend(version(&tor)?);
    if !files.is_empty() {
        checks.extend(relays(args, &files)?);
        let exits =
            |file: &Read| facts(&file.path().display().to_string(), file.text(), file.disk()).exits;
        if files.iter().any(exits) {
            checks.push(doctor::resolver());
        }
    }
    if ui.wants_json() {
        ui.json(&checks)?;
    } else {
        for check in &checks {
            ui.pieces(&line(check))?;
        }
    }
    let fails = checks.iter().any(|check| check.state == State::Fail);
    Ok(ExitCode::from(u8::from(fails)))
}

/// What is known against the tor that the image holds.
fn version(tor: &str) -> Result<Vec<Check>> {
    const NAME: &str = "tor";
    let faults = faults(tor, SystemTime::now())?;
    Ok(match faults.is_empty() {
        true => vec![Check {
            name: NAME,
            state: State::Ok,
            found: format!("tor {tor} has no known vulnerabilities"),
            fix: None,
        }],
        false => faults
            .into_iter()
            .map(|fault| Check {
                name: NAME,
                state: State::Warn,
                found: fault,
                fix: Some("cargo xtask update && cargo xtask build-image".to_owned()),
            })
            .collect(),
    })
}

fn relays(args: &Args, files: &[Read]) -> Result<Vec<Check>> {
    let data = match &args.data {
        Some(data) => std::path::absolute(data)?,
        None => beside(files[0].path()),
    };
    // Which image is no matter here.
    let image: ImageName = format!("sha256:{}", "0".repeat(64)).parse()?;
    let host = Host {
        image,
        user: args.uid,
        open_files: args.open_files,
        memory: MEMORY,
        bind: &args.bind,
        data: &data,
    };
    let mut checks = Vec::new();
    let sources: Vec<_> = files.iter().map(Read::source).collect();
    let services = services(&host, &sources)?;
    for (service, file) in services.iter().zip(files) {
        let name = file.path().display().to_string();
        let mut findings = check(&name, file.text(), None, file.disk()).findings;
        let asked = match ask(&args.tor, &name, file.text(), file.disk()) {
            Ok(said) => {
                findings =
                    with_what_tor_said(findings, &name, file.text(), said.valid, &said.output);
                Asked::Yes
            }
            Err(why) => Asked::No(why),
        };
        checks.extend(doctor::relay(service, &name, &findings, &asked));
    }
    Ok(checks)
}

/// A line, and under it what fixes it.
fn line(check: &Check) -> [Piece; 2] {
    let (state, colour) = match check.state {
        State::Ok => ("ok", Colour::Green),
        State::Warn => ("warn", Colour::Yellow),
        State::Fail => ("fail", Colour::Red),
    };
    let fix = check.fix.iter().map(|fix| format!("\n      fix: {fix}"));
    let rest = format!(
        " {:<11} {}{}",
        check.name,
        check.found,
        fix.collect::<String>()
    );
    [(Some(colour), format!("{state:<5}")), (None, rest)]
}
