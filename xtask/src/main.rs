//! The command line of relaysmith: arguments in, library call, report out.
//!
//! Exit codes: 0 the work is done, 1 it failed, 2 the command line is wrong. A subcommand
//! that has more to say documents its own codes in its help.

mod attest;
mod backup;
mod bridge_line;
mod build_image;
mod check_torrc;
mod compose;
mod diff;
mod doctor;
mod evidence;
mod exit;
mod family;
mod fetch;
mod keys;
mod master_key;
mod options;
mod password;
mod plan;
mod platforms;
mod quorum;
mod release;
mod sbom;
mod shell;
mod status;
mod timings;
mod torrc;
mod ui;
mod update;
mod vary;
mod verify;
mod verify_image;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use relaysmith::pins::Manifest;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::ui::Ui;

/// What a shell expects of a program that Ctrl-C ended: 128 and SIGINT's number.
const INTERRUPTED: i32 = 130;

/// Builds a minimal Tor relay image from signed sources, bit for bit
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong command line, 130 interrupted")]
struct Cli {
    #[command(flatten)]
    output: options::Output,
    #[command(subcommand)]
    subcommand: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Build the image from verified source
    BuildImage(build_image::Args),
    /// Download the pinned sources into the cache
    Fetch(fetch::Args),
    /// Show the steps of a build, and which are done
    Plan(plan::Args),
    /// Check the sources' signatures, rebuild from nothing, and compare with the record
    Verify(verify::Args),
    /// Sign a statement of what a build on this machine produced
    Attest(attest::Args),
    /// List the pinned certificates, or refresh them
    Keys(keys::Args),
    /// Show missing evidence, or request it from upstream
    Evidence(evidence::Args),
    /// Look for a newer tor, verify it, and pin it
    Update(update::Args),
    /// Compare two images, layer by layer and file by file
    Diff(diff::Args),
    /// Assemble the files of a release, and show how to publish them
    Release(release::Args),
    /// Print the SBOM of the image, or attach it
    Sbom(sbom::Args),
    /// Write the torrc of a bridge, a middle relay or an exit
    Torrc(Box<torrc::Args>),
    /// Check any torrc, and say what to fix
    CheckTorrc(check_torrc::Args),
    /// Check whether this host is ready for a relay, before its first start
    Doctor(doctor::Args),
    /// Write what runs the containers: a compose file, commands, units or manifests
    Compose(compose::Args),
    /// Show the state of a running relay
    Status(status::Args),
    /// Print the line that others need to use a bridge
    BridgeLine(bridge_line::Args),
    /// Save a relay's identity to a file
    Backup(backup::Backup),
    /// Put a saved identity into a data directory
    Restore(backup::Restore),
    /// Move a relay here from another tor's data directory
    Import(backup::Import),
    /// Create a family key, and print the torrc lines for its relays
    Family(family::Args),
    /// Keep a relay's master key offline, and renew its signing key
    MasterKey(master_key::Args),
    /// Print completions for a shell
    Completions(shell::Completions),
    /// Write a manual page for each subcommand
    Man(shell::Man),
}

/// Reads the command line. `--version` says which tor the pins are for, too.
fn command_line() -> Result<Cli, clap::Error> {
    let tor = || {
        let manifest = Manifest::load(&options::clone()?.join("sources.toml")).ok()?;
        Some(manifest.get("tor", None).ok()?.version.clone())
    };
    let mut version = env!("CARGO_PKG_VERSION").to_owned();
    if std::env::args().any(|word| word == "--version" || word == "-V")
        && let Some(tor) = tor()
    {
        version += &format!(", for tor {tor}");
    }
    // It lives as long as the program.
    let version: &'static str = Box::leak(version.into_boxed_str());
    let command = Cli::command().name("relaysmith").version(version);
    Cli::from_arg_matches(&command.try_get_matches()?)
}

impl Action {
    /// Whether it reads the pins, keys, patches or records.
    fn needs_clone(&self) -> bool {
        !matches!(
            self,
            Self::Torrc(_)
                | Self::CheckTorrc(_)
                | Self::Compose(_)
                | Self::Diff(_)
                | Self::Status(_)
                | Self::BridgeLine(_)
                | Self::Backup(_)
                | Self::Restore(_)
                | Self::Import(_)
                | Self::MasterKey(_)
                | Self::Family(_)
                | Self::Completions(_)
                | Self::Man(_)
        )
    }
}

/// Says what is wrong with the command line: clap does, in its own way, and what fixes a value is said
/// by whoever reads such values.
fn refused(error: &clap::Error) -> ExitCode {
    let ui = Ui::new(&options::Output {
        json: std::env::args().any(|word| word == "--json"),
        ..options::Output::default()
    });
    let text = error.to_string();
    let fix = std::error::Error::source(error).and_then(ui::hint);
    if ui.wants_json() {
        // The first paragraph; a line for each argument that is missing belongs to it.
        let message: Vec<&str> = text
            .lines()
            .take_while(|line| !line.is_empty())
            .map(str::trim)
            .collect();
        let message = message.join(" ");
        let message = message.strip_prefix("error: ").unwrap_or(&message);
        let tip = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("tip: "));
        let hint = fix.as_deref().or(tip);
        ui.json_error(message, &[], hint.or(Some("see `--help`")));
    }
    // Where standard error cannot be written there is nobody left to tell.
    let _ = error.print();
    if let Some(fix) = fix {
        ui.hint(&fix);
    }
    ExitCode::from(2)
}

fn main() -> ExitCode {
    // A sandbox starts as this program, called again.
    relaysmith::build::sandbox::enter();
    let cli = match command_line() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and the version are no errors, and go to standard output themselves.
            if !error.use_stderr() {
                error.exit();
            }
            return refused(&error);
        }
    };
    let ui = Ui::new(&cli.output);
    let interrupted = ui.clone();
    // Build commands die with this process, and what is unfinished the next run removes.
    match Signals::new([SIGHUP, SIGINT, SIGTERM]) {
        Ok(mut signals) => {
            std::thread::spawn(move || {
                if signals.forever().next().is_some() {
                    interrupted.leave(
                        "interrupted; run the same command again to continue from here",
                        INTERRUPTED,
                    );
                }
            });
        }
        Err(error) => ui.warn(&format!("an interrupt will not be reported: {error}")),
    }
    if cli.subcommand.needs_clone() && options::clone().is_none() {
        ui.error(&anyhow::anyhow!(options::NO_CLONE));
        return ExitCode::FAILURE;
    }
    let result = match &cli.subcommand {
        Action::BuildImage(args) => build_image::run(args, &ui),
        Action::Fetch(args) => fetch::run(args, &ui),
        Action::Plan(args) => plan::run(args, &ui),
        Action::Verify(args) => verify::run(args, &ui),
        Action::Attest(args) => attest::run(args, &ui),
        Action::Keys(args) => keys::run(args, &ui),
        Action::Evidence(args) => evidence::run(args, &ui),
        Action::Update(args) => update::run(args, &ui),
        Action::Diff(args) => diff::run(args, &ui),
        Action::Release(args) => release::run(args, &ui),
        Action::Sbom(args) => sbom::run(args, &ui),
        Action::Torrc(args) => torrc::run(args, &ui),
        Action::CheckTorrc(args) => check_torrc::run(args, &ui),
        Action::Doctor(args) => doctor::run(args, &ui),
        Action::Compose(args) => compose::run(args, &ui),
        Action::Status(args) => status::run(args, &ui),
        Action::BridgeLine(args) => bridge_line::run(args, &ui),
        Action::Backup(args) => backup::backup(args, &ui),
        Action::Restore(args) => backup::restore(args, &ui),
        Action::Import(args) => backup::import(args, &ui),
        Action::MasterKey(args) => master_key::run(args, &ui),
        Action::Family(args) => family::run(args, &ui),
        Action::Completions(args) => shell::completions(args, Cli::command(), &ui),
        Action::Man(args) => shell::man(args, Cli::command(), &ui),
    };
    result.unwrap_or_else(|error| {
        ui.error(&error);
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests;
