//! `completions` and `man`: what a shell completes, and manual pages, from the description of the
//! command line that the program reads itself.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Command;
use clap_complete::Shell;

use crate::torrc::write;
use crate::ui::Ui;

const COMPLETIONS: &str = "\
Examples:
  cargo xtask completions bash >~/.local/share/bash-completion/completions/xtask
  cargo xtask completions zsh >~/.zfunc/_xtask

They complete target/debug/xtask, the program that `cargo xtask` builds and runs.";

/// The arguments of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = COMPLETIONS)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

/// The arguments of `man`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cargo xtask man --out man && man man/relaysmith-compose.1")]
pub(crate) struct Man {
    /// Write one page for each subcommand into this directory
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace existing pages
    #[arg(long)]
    force: bool,
}

/// Prints what the shell reads.
pub(crate) fn completions(args: &Completions, command: Command, ui: &Ui) -> Result<ExitCode> {
    let mut script = Vec::new();
    let mut command = command.name("xtask").bin_name("xtask");
    clap_complete::generate(args.shell, &mut command, "xtask", &mut script);
    let script = String::from_utf8(script).context("the script of completions")?;
    ui.data(script.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the pages.
pub(crate) fn man(args: &Man, command: Command, ui: &Ui) -> Result<ExitCode> {
    let command = command.name("relaysmith").bin_name("relaysmith");
    let mut command = without_help(command);
    command.build();
    fs_err::create_dir_all(&args.out)?;
    pages("relaysmith", &command, args, ui)?;
    Ok(ExitCode::SUCCESS)
}

/// Without the subcommands `help`, which have no page.
fn without_help(command: Command) -> Command {
    command
        .disable_help_subcommand(true)
        .mut_subcommands(without_help)
}

/// The page of a command, and those of its subcommands.
fn pages(name: &str, command: &Command, args: &Man, ui: &Ui) -> Result<()> {
    let mut text = Vec::new();
    let page = clap_mangen::Man::new(command.clone()).title(name);
    page.render(&mut text)?;
    let text = String::from_utf8(text).context("the text of a manual page")?;
    write(&args.out.join(format!("{name}.1")), &text, args.force, ui)?;
    for subcommand in command.get_subcommands() {
        let name = format!("{name}-{}", subcommand.get_name());
        pages(&name, subcommand, args, ui)?;
    }
    Ok(())
}
