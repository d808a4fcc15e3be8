//! `check-torrc`: a torrc in, all there is to say about it out.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use relaysmith::relay::Role;
use relaysmith::relay::check::{Disk, Severity, check};
use serde_json::json;

use crate::ui::Ui;

const EXAMPLES: &str = "\
Examples:
  cargo xtask check-torrc torrc --role middle
  cargo xtask torrc exit --from relay.toml | cargo xtask check-torrc - --role exit

Each finding has a severity: an error means that tor does not start or the relay is useless
or a danger; a warning, that it runs but not as it should; a note is worth knowing. Its name
in brackets stays the same from version to version. What `%include` names is read from the
file's own directory where the container has /usr/local/etc/tor.

Exit codes: 0 neither errors nor warnings, 1 some, or failed, 2 wrong command line";

/// The arguments of `check-torrc`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The torrc, or `-` for standard input
    file: PathBuf,
    /// What the relay is meant to be: bridge, middle or exit [default: what the file makes
    /// of it]
    #[arg(long)]
    role: Option<Role>,
}

/// Checks, and prints what was found.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let (text, files) = if args.file == Path::new("-") {
        let mut text = Vec::new();
        std::io::stdin()
            .read_to_end(&mut text)
            .context("reading standard input")?;
        (text, Disk { config: ".".into() })
    } else {
        let parent = args.file.parent().unwrap_or(Path::new(""));
        (
            fs_err::read(&args.file)?,
            Disk {
                config: parent.to_owned(),
            },
        )
    };
    let name = args.file.display().to_string();
    let checked = check(&name, &text, args.role, &files);
    if ui.wants_json() {
        ui.json(&json!({
            "role": checked.role,
            "passes": checked.passes(),
            "findings": checked.findings,
        }))?;
    } else {
        for finding in &checked.findings {
            ui.data(&finding.to_string())?;
        }
    }
    let count = |severity, one: &str| {
        let severities = checked.findings.iter().map(|finding| finding.severity);
        let count = severities.filter(|found| *found == severity).count();
        let plural = if count == 1 { "" } else { "s" };
        (count > 0).then(|| format!("{count} {one}{plural}"))
    };
    let counts = [
        count(Severity::Error, "error"),
        count(Severity::Warning, "warning"),
        count(Severity::Note, "note"),
    ];
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    let found = if counts.is_empty() {
        "nothing is wrong".to_owned()
    } else {
        counts.join(", ")
    };
    ui.say(&format!("{name}, role {}: {found}", checked.role));
    Ok(if checked.passes() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
