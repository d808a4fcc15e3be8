//! `family`: the key that makes several relays one family, and the torrc lines that say so.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use fs_err as fs;
use relaysmith::build::recipe::Artifact;
use serde_json::json;

use crate::options::built;
use crate::ui::Ui;

/// What a family may be called: the beginning of file names.
const LONGEST: usize = 64;

/// The arguments of `family`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask family myfamily --out family
  cargo xtask family myfamily --out family --from data/relay1 --from data/relay2

It creates the family's key with the tor that `cargo xtask build-image` built, unless the key exists
already, and prints the lines for the torrc of every relay in the family: `FamilyId`, which tor
supports since 0.4.9, and with --from `MyFamily`, for older clients. Each relay needs the secret key
in its `keys` directory; for each --from, the command that puts it there is printed.

Exit codes: 0 done, 1 failed, 2 wrong command line")]
pub(crate) struct Args {
    /// A name for the family, which only you will see
    name: String,
    /// Keep the family's key in this directory
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The data directory of a relay in the family; repeatable
    #[arg(long, value_name = "DATA")]
    from: Vec<PathBuf>,
    /// Create the key with this tor, 0.4.9 or newer [default: the one that was built]
    #[arg(long, value_name = "PROGRAM")]
    tor: Option<PathBuf>,
}

/// Makes the key if there is none, and prints the lines.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let letters = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    if args.name.is_empty() || args.name.len() > LONGEST || !args.name.chars().all(letters) {
        bail!(
            "a family's name has 1 to {LONGEST} letters, digits, `_` or `-`, got `{}`",
            shown::shown(args.name.as_bytes())
        );
    }
    let secret = args.out.join(format!("{}.secret_family_key", args.name));
    let public = args.out.join(format!("{}.public_family_id", args.name));
    if secret.exists() {
        ui.say(&format!("{}: there already", secret.display()));
    } else {
        make(args)?;
        ui.say(&format!("{}: written; keep it secret", secret.display()));
    }
    let text = fs::read_to_string(&public)?;
    let id = text.trim();
    if id.is_empty() || !id.chars().all(|letter| letter.is_ascii_graphic()) {
        bail!("{} does not contain a family id", public.display());
    }
    let mut fingerprints = args
        .from
        .iter()
        .map(|data| fingerprint(data))
        .collect::<Result<Vec<_>>>()?;
    fingerprints.sort();
    fingerprints.dedup();
    if ui.wants_json() {
        ui.json(&json!({
            "format": 1,
            "family_id": id,
            "secret_key": secret,
            "my_family": fingerprints,
        }))?;
    } else {
        ui.data(&format!("FamilyId {id}"))?;
        if !fingerprints.is_empty() {
            ui.data(&format!("MyFamily {}", fingerprints.join(",")))?;
        }
    }
    for data in &args.from {
        ui.say(&format!(
            "next: sudo install -m 600 -o \"$(stat -c %u '{0}')\" -g \"$(stat -c %g '{0}')\" '{1}' \
             '{0}/keys/'",
            data.display(),
            secret.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Has tor make the key.
fn make(args: &Args) -> Result<()> {
    let tor = match &args.tor {
        Some(tor) => fs::canonicalize(tor)?,
        None => built(Artifact::TOR)?.context(
            "tor has not been built here yet; `cargo xtask build-image` builds it, or choose another with --tor",
        )?,
    };
    fs::create_dir_all(&args.out)?;
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(&args.out, private)?;
    let output = Command::new(&tor)
        .args(["--keygen-family", &args.name])
        .current_dir(&args.out)
        .env_clear()
        .output()
        .with_context(|| format!("running {}", tor.display()))?;
    if !output.status.success() {
        let mut said = output.stdout;
        said.extend(output.stderr);
        let said = String::from_utf8_lossy(&said);
        let last = said.lines().rfind(|line| !line.is_empty());
        bail!(
            "{} --keygen-family ended with {}: {}",
            tor.display(),
            output.status,
            shown::shown(last.unwrap_or("it said nothing").as_bytes())
        );
    }
    Ok(())
}

/// The fingerprint of the relay in a data directory.
fn fingerprint(data: &Path) -> Result<String> {
    let file = data.join("fingerprint");
    let text = fs::read_to_string(&file)?;
    let last = text.split_whitespace().next_back().unwrap_or_default();
    if last.len() != 40 || !last.chars().all(|digit| digit.is_ascii_hexdigit()) {
        bail!("{} has no relay's fingerprint", file.display());
    }
    Ok(format!("${last}"))
}
