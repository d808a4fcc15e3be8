//! A question to a program that was built: it runs in namespaces of its own, without a network,
//! sees itself and what it is asked about, and what it prints is the answer.

use std::path::Path;

use super::namespaces::bare;
use super::{Error, Mount};

/// How long an answer may take, in seconds.
const PATIENCE: u64 = 30;

/// What a program answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether it ended with 0.
    pub yes: bool,
    /// All that it printed.
    pub text: String,
}

/// Runs `program`, a static one, with `arguments`; it sees `mounts`, read-only, and the
/// `directories`, which are empty but for them.
///
/// # Errors
/// When it cannot be run.
pub fn ask(
    program: &Path,
    arguments: &[&str],
    mounts: &[Mount],
    directories: &[String],
) -> Result<Answer, Error> {
    let inside = "/program";
    let engine = |reason: String| Error::Engine {
        step: program.display().to_string(),
        reason,
    };
    let root = tempfile::tempdir()?;
    let mut container = bare();
    container.rootdir(root.path());
    for directory in directories {
        container.dir(directory, 0o755);
    }
    container.bindmount_ro(&program.to_string_lossy(), inside);
    for mount in mounts {
        container.bindmount_ro(&mount.host.to_string_lossy(), &mount.inside);
    }
    let output = container
        .command(inside)
        .args(arguments)
        .current_dir("/")
        .wait_timeout(PATIENCE)
        .output()
        .map_err(|error| engine(error.to_string()))?;
    if output.status.rusage.is_none() {
        // It never ran: the engine says why.
        return Err(engine(output.status.reason));
    }
    let mut text = output.stdout;
    text.extend(output.stderr);
    Ok(Answer {
        yes: output.status.success(),
        text: String::from_utf8_lossy(&text).into_owned(),
    })
}
