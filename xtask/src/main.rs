//! The command line of relaysmith: arguments in, library call, report out.
//!
//! Exit codes: 0 the work is done, 1 it failed, 2 the command line is wrong. A verb
//! that has more to say documents its own codes in its help.

mod attest;
mod build_image;
mod check_torrc;
mod compose;
mod diff;
mod doctor;
mod fetch;
mod keys;
mod options;
mod password;
mod plan;
mod quorum;
mod release;
mod sbom;
mod torrc;
mod ui;
mod update;
mod vary;
mod verify;
mod verify_image;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Build the image from verified source
    BuildImage(build_image::Args),
    /// Download the pinned sources into the cache
    Fetch(fetch::Args),
    /// Show the steps of a build, and which are done
    Plan(plan::Args),
    /// Check who signed the sources, rebuild from nothing, and compare with the record
    Verify(verify::Args),
    /// State, signed by your own key, what a build on this machine gave
    Attest(attest::Args),
    /// List the pinned certificates, or refresh them
    Keys(keys::Args),
    /// Look for a newer tor, verify it, and pin it
    Update(update::Args),
    /// Compare two images, layer by layer and file by file
    Diff(diff::Args),
    /// Put together what is published, and show what would publish it
    Release(release::Args),
    /// Print the bill of materials of the image, or attach it
    Sbom(sbom::Args),
    /// Write the torrc of a bridge, a middle relay or an exit
    Torrc(Box<torrc::Args>),
    /// Check a torrc, whoever wrote it, and say what to mend
    CheckTorrc(check_torrc::Args),
    /// Look whether this host is ready for a relay, before its first start
    Doctor(doctor::Args),
    /// Write the containers around torrc files: a compose file, commands or units
    Compose(compose::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ui = Ui::new(&cli.output);
    let interrupted = ui.clone();
    // Build commands die with this process, and what is unfinished the next run removes.
    let handler = ctrlc::set_handler(move || {
        interrupted.warn("interrupted; the same command goes on from here");
        std::process::exit(INTERRUPTED);
    });
    if let Err(error) = handler {
        ui.warn(&format!("an interrupt will not be reported: {error}"));
    }
    let result = match &cli.verb {
        Verb::BuildImage(args) => build_image::run(args, &ui),
        Verb::Fetch(args) => fetch::run(args, &ui),
        Verb::Plan(args) => plan::run(args, &ui),
        Verb::Verify(args) => verify::run(args, &ui),
        Verb::Attest(args) => attest::run(args, &ui),
        Verb::Keys(args) => keys::run(args, &ui),
        Verb::Update(args) => update::run(args, &ui),
        Verb::Diff(args) => diff::run(args, &ui),
        Verb::Release(args) => release::run(args, &ui),
        Verb::Sbom(args) => sbom::run(args, &ui),
        Verb::Torrc(args) => torrc::run(args, &ui),
        Verb::CheckTorrc(args) => check_torrc::run(args, &ui),
        Verb::Doctor(args) => doctor::run(args, &ui),
        Verb::Compose(args) => compose::run(args, &ui),
    };
    result.unwrap_or_else(|error| {
        ui.error(&error);
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_holds_together() {
        super::Cli::command().debug_assert();
    }
}
