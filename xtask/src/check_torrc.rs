//! `check-torrc`: a torrc in, all there is to say about it out.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use relaysmith::builder::engine::Engine;
use relaysmith::cache::Cache;
use relaysmith::flow::{self, Request};
use relaysmith::image::Variant;
use relaysmith::relay::check::{Disk, Finding, Severity, ask_tor, check};
use relaysmith::relay::{Role, UID};
use relaysmith::store::Store;
use relaysmith::target::Target;
use serde_json::json;

use crate::options::repository;
use crate::ui::Ui;

const EXAMPLES: &str = "\
Examples:
  cargo xtask check-torrc torrc --role middle
  cargo xtask torrc exit --from relay.toml | cargo xtask check-torrc - --role exit

Each finding has a severity: an error means that tor does not start or the relay is useless
or a danger; a warning, that it runs but not as it should; a note is worth knowing. Its name
in brackets stays the same from version to version. What `%include` names is read from the
file's own directory where the container has /usr/local/etc/tor.

At last tor itself is asked, the one that `cargo xtask build-image` has built, in a sandbox
without a network; its findings are called [tor].

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
    /// Do not ask tor itself
    #[arg(long)]
    without_tor: bool,
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
    let mut checked = check(&name, &text, args.role, &files);
    let asked = match args.without_tor {
        true => Err("as was wanted".to_owned()),
        false => ask(&name, &text, &files),
    };
    let not_asked = match asked {
        Ok(findings) => {
            checked.findings.extend(findings);
            None
        }
        Err(why) => Some(why),
    };
    if ui.wants_json() {
        ui.json(&json!({
            "role": checked.role,
            "passes": checked.passes(),
            "findings": checked.findings,
            "tor_not_asked": not_asked,
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
    if let Some(why) = not_asked {
        ui.say(&format!("tor itself was not asked: {why}"));
    }
    Ok(if checked.passes() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What tor itself says of it, or why it was not asked.
pub(crate) fn ask(name: &str, text: &[u8], files: &Disk) -> Result<Vec<Finding>, String> {
    let request = Request {
        project: repository(),
        tor_version: None,
        target: Target::X86_64,
        variant: Variant::Relay,
        uid: UID,
        jobs: 1,
        engine: Engine::Namespaces,
        root: None,
    };
    let built = || -> Result<Option<PathBuf>> {
        let store = Store::open(Cache::open(None)?.root())?;
        Ok(flow::built_tor(&request, &store)?)
    };
    match built() {
        Ok(Some(tor)) => ask_tor(&tor, name, text, files).map_err(|error| error.to_string()),
        Ok(None) => Err("it is not built here yet; `cargo xtask build-image` builds it".to_owned()),
        Err(error) => Err(format!("{error:#}")),
    }
}
