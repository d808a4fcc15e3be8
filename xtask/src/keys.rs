//! `keys`: the pinned certificates, and newer copies of them.

use std::process::ExitCode;

use anyhow::Result;
use relaysmith::fetch::Patience;
use relaysmith::verify::{self, Pinned, Refreshed, TrustPolicy, Validity};

use crate::options::repository;
use crate::ui::Ui;

/// The arguments of `keys`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without `refresh`: shows our copies of the certificates in keys/. keys/trust.toml lists who is
pinned, and is only ever changed by hand.")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Fetch newer copies of the pinned certificates
    #[command(after_help = "\
Asks the Web Key Directory of each e-mail address in a certificate, and keys.openpgp.org. Only
what the owner of a pinned fingerprint signed is added to our copy: a later expiry, a new
subkey, a revocation. Review that with `git diff` and `cargo xtask verify --sources`.

Exit codes: 0 every signer's certificate was found; 1 nobody answered for some of them")]
    Refresh,
}

/// Lists or refreshes the certificates.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let policy = TrustPolicy::load(&repository().join("keys"))?;
    match args.what {
        None => list(&policy.pinned(), ui),
        Some(What::Refresh) => refresh(&policy, ui),
    }
}

fn list(pinned: &[Pinned], ui: &Ui) -> Result<ExitCode> {
    if ui.wants_json() {
        ui.json(&pinned)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<[String; 4]> = pinned
        .iter()
        .map(|one| {
            let valid = |(_, validity): &(&String, &Validity)| {
                matches!(validity, Validity::Unlimited | Validity::Until(_))
            };
            let statement = &one.statement;
            let subkeys = match statement.signing.iter().filter(valid).count() {
                0 => "",
                1 => ", with a signing subkey",
                _ => ", with signing subkeys",
            };
            [
                one.id.clone(),
                one.fingerprint.clone(),
                format!("{}{subkeys}", statement.validity),
                one.sources.join(", "),
            ]
        })
        .collect();
    ui.table(["signer", "fingerprint", "our copy says", "signs"], &rows)?;
    Ok(ExitCode::SUCCESS)
}

fn refresh(policy: &TrustPolicy, ui: &Ui) -> Result<ExitCode> {
    let refreshed = verify::refresh(policy, &verify::directories, Patience::default(), ui)?;
    let written = verify::keep(&refreshed)?;
    if ui.wants_json() {
        ui.json(&refreshed)?;
    } else {
        for one in &refreshed {
            report(one, ui)?;
        }
    }
    for path in &written {
        let path = path.strip_prefix(repository()).unwrap_or(path);
        ui.say(&format!("wrote {}", path.display()));
    }
    let unanswered = refreshed.iter().filter(|one| !one.answered());
    for one in unanswered.clone() {
        ui.warn(&format!("nobody answered for {}", one.pinned.name));
    }
    Ok(match unanswered.count() {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn report(one: &Refreshed, ui: &Ui) -> Result<()> {
    let Pinned {
        name, fingerprint, ..
    } = &one.pinned;
    ui.data(&format!("{name}, {fingerprint}"))?;
    for line in &one.news {
        ui.data(&format!("  {line}"))?;
    }
    if one.news.is_empty() {
        ui.data(&format!("  nothing new: {}", one.pinned.statement.validity))?;
    }
    for (address, answer) in &one.answers {
        ui.say(&format!("  {address}: {answer}"));
    }
    Ok(())
}
