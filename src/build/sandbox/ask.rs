//! A question to a program that was built: it runs in namespaces of its own, without a network,
//! sees itself and what it is asked about, and what it prints is the answer.

use std::path::Path;
use std::time::Duration;

use super::namespaces::{self, Ask};
use super::{Error, Mount};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a program answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramOutput {
    /// Whether it ended with 0.
    pub yes: bool,
    /// All that it printed.
    pub text: String,
}

/// Runs `program`, a static one, with `arguments`; it sees `mounts`, read-only, and the
/// `directories`, which are empty but for them, and of the environment what `environment` says.
///
/// # Errors
/// When it cannot be run.
pub fn ask(
    program: &Path,
    arguments: &[&str],
    mounts: &[Mount],
    directories: &[String],
    environment: &[(&str, &str)],
) -> Result<ProgramOutput, Error> {
    let inside = "/program";
    let base = tempfile::tempdir()?;
    let mut all = vec![Mount::new(program, inside)];
    all.extend_from_slice(mounts);
    let asked = Ask {
        program: inside,
        arguments,
        mounts: &all,
        directories,
        environment,
        patience: PATIENCE,
    };
    let (outcome, text) = namespaces::ask(base.path(), &asked)?;
    let yes = outcome.success().map_err(|reason| Error::Engine {
        step: program.display().to_string(),
        reason,
    })?;
    Ok(ProgramOutput {
        yes,
        text: String::from_utf8_lossy(&text).into_owned(),
    })
}
