//! This very program, to be started again: how to find it, and what tells it what it is to be.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the first argument says of a process that is to be the keeper.
pub(super) const KEEPER: &str = "sandbox: keeper";
/// And of one that is to become the command.
pub(super) const INIT: &str = "sandbox: init";
/// What does this for programs that do not call [`enter`](super::enter()).
const HELPER: &str = "relaysmith-sandbox";
/// The program that this process runs, wherever it is.
const SELF: &str = "/proc/self/exe";

/// Whether this program's `main` called [`enter`](super::enter()).
pub(super) static CALLED: AtomicBool = AtomicBool::new(false);

/// The command that starts a keeper; nothing if there is no program for it.
pub(super) fn keeper_command() -> Option<Command> {
    let program = program()?;
    let mut command = Command::new(program);
    command.arg0(HELPER).arg(KEEPER).env_clear();
    Some(command)
}

/// The command that starts what becomes the build command, from the keeper: `program` is this
/// program, where it can be executed.
pub(super) fn init_command(program: Option<&Path>) -> Command {
    let mut command = Command::new(program.unwrap_or(Path::new(SELF)));
    command.arg0(HELPER).arg(INIT).env_clear();
    command
}

/// The program to start: this one if it knows how, else the helper that was built with it.
fn program() -> Option<PathBuf> {
    if CALLED.load(Ordering::Relaxed) {
        return Some(SELF.into());
    }
    let this = std::env::current_exe().ok()?;
    // Cargo leaves tests one folder below the programs.
    let mut folders = this.ancestors().skip(1).take(2);
    folders.find_map(|folder| {
        let helper = folder.join(HELPER);
        helper.is_file().then_some(helper)
    })
}
