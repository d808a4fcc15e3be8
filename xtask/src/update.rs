//! `update`: what upstream has released since the pins were written, and the pins for it.

use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::Result;
use relaysmith::base::cache::Cache;
use relaysmith::fetch;
use relaysmith::pins::Manifest;
use relaysmith::update::{self, Changes, EndOfLife, Newer, Outlook};
use relaysmith::verify::{Conclusion, Verdict};
use serde_json::json;

use crate::options::{past_end_of_life, repository};
use crate::ui::Ui;

/// What `update --check` exits with when there is something to pin.
const NEWER: u8 = 3;

/// The arguments of `update`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Reads upstream's list of releases. A newer one is downloaded, verified against the signers in
keys/trust.toml, and pinned as the default version in sources.toml, with upstream's signature in
keys/evidence/. Review the change with `git diff`. If anything fails, nothing changes. Older
versions stay pinned, so that images built from them can still be verified.

Exit codes: 0 up to date, or pinned now; 1 failed; 2 wrong command line; 3 with --check: a newer
version exists")]
pub(crate) struct Args {
    /// What to look for
    #[arg(value_name = "NAME", default_value = "tor", value_parser = ["tor"])]
    name: String,
    /// Look, download and verify, but change no pins
    #[arg(long)]
    check: bool,
    /// Keep downloads in this directory [default: $RELAYSMITH_CACHE, or `relaysmith` in the
    /// user's cache directory]
    #[arg(long, value_name = "DIR")]
    cache_dir: Option<std::path::PathBuf>,
}

/// Looks, shows what was found, and pins it.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let project = repository();
    let options = fetch::Options::new(Cache::open(args.cache_dir.as_deref())?);
    let upstream = update::upstream(project)?;
    let outlook = update::look(project, &upstream, &options, ui)?;
    let ended = past_end_of_life(&outlook.pinned.to_string(), SystemTime::now())?;
    let pin = |newer: &Newer| newer.pin(project);
    let written = match &outlook.newer {
        Some(newer) if !args.check => pin(newer)?,
        _ => Vec::new(),
    };
    if ui.wants_json() {
        ui.json(&described(&outlook, ended.as_ref()))?;
    } else {
        report(&outlook, ended.as_ref(), ui)?;
    }
    for path in &written {
        let path = path.strip_prefix(project).unwrap_or(path);
        ui.say(&format!("wrote {}", path.display()));
    }
    if !written.is_empty() {
        ui.say("review them with `git diff`; `cargo xtask build-image --record` builds it");
    }
    ui.say(&format!("not looked for: {}", others(project, &args.name)?));
    Ok(match outlook.newer {
        Some(_) if args.check => ExitCode::from(NEWER),
        _ => ExitCode::SUCCESS,
    })
}

/// The other components with their pinned versions.
fn others(project: &Path, name: &str) -> Result<String> {
    let manifest = Manifest::load(&project.join("sources.toml"))?;
    let mut others: Vec<String> = manifest
        .sources()
        .filter(|source| source.name != name)
        .map(ToString::to_string)
        .collect();
    others.dedup();
    Ok(others.join(", "))
}

fn report(outlook: &Outlook, ended: Option<&EndOfLife>, ui: &Ui) -> Result<()> {
    if let Some(ended) = ended {
        ui.warn(&ended.to_string());
    }
    let Some(newer) = &outlook.newer else {
        let pinned = outlook.pinned;
        return ui.data(&format!(
            "tor {pinned} is pinned, and upstream lists nothing newer"
        ));
    };
    let rows: Vec<[String; 3]> = newer
        .changes
        .iter()
        .map(|part| [part.version.to_string(), part.date.clone(), why(part)])
        .collect();
    ui.table(["version", "released", "why"], &rows)?;
    if let Conclusion::Signed { by, .. } = newer.verdict.conclusion() {
        let by = by.join(" and ");
        ui.data(&format!("\ntor {} is signed by {by}:", newer.version))?;
    }
    ui.table(Verdict::HEADER, &newer.verdict.rows())
}

/// Why a release matters: what it fixes, and in upstream's words.
fn why(part: &Changes) -> String {
    let vulnerabilities: Vec<&str> = part.vulnerabilities.iter().map(String::as_str).collect();
    let security = match vulnerabilities[..] {
        [] if part.security => "security: ".to_owned(),
        [] => String::new(),
        _ => format!("security ({}): ", vulnerabilities.join(", ")),
    };
    format!("{security}{}", part.summary)
}

fn described(outlook: &Outlook, ended: Option<&EndOfLife>) -> serde_json::Value {
    let newer = outlook.newer.as_ref().map(|newer| {
        json!({
            "version": newer.version,
            "file": newer.source.file,
            "digest": newer.source.digest,
            "verdict": newer.verdict,
            "changes": newer.changes,
        })
    });
    json!({
        "name": "tor",
        "pinned": outlook.pinned,
        "end_of_life": ended,
        "newer": newer,
    })
}
