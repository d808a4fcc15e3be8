//! `master-key`: a master key that is kept elsewhere, and the signing keys that a relay gets of it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use fs_err as fs;
use relaysmith::base::date::{epoch, rfc3339};
use relaysmith::build::recipe::Artifact;
use relaysmith::host::signing_key::{MASTER, SigningKey};
use serde_json::json;
use torrc::UID;

use crate::options::built;
use crate::password;
use crate::ui::Ui;

/// The directory, in that of the master key, that is carried to the relay.
const CARRIED: &str = "for-the-relay";

/// The arguments of `master-key`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  On a machine without a network, for a new relay, and again before its signing key expires:
    cargo xtask master-key make /media/usb/myrelay
  For a relay that is already running, once:
    sudo target/debug/xtask master-key make /media/usb/myrelay --from /srv/relay/data/myrelay
  On the relay's machine, with the `for-the-relay` that `make` wrote:
    sudo target/debug/xtask master-key install for-the-relay --to /srv/relay/data/myrelay
    docker kill --signal HUP tor-myrelay

A relay is its master key. Tor needs it only to sign the key that signs everything else, which
expires after some weeks. With `OfflineMasterKey 1` in the torrc (`torrc --offline-master-key`), tor
neither creates a master key nor asks for one.

Exit codes: 0 done, 1 failed, 2 wrong command line")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Create a signing key, and the master key if there is none yet
    Make(Make),
    /// Give a signing key to a relay
    Install(Install),
}

/// The arguments of `master-key make`.
#[derive(Debug, clap::Args)]
struct Make {
    /// Keep the master key in this directory
    place: PathBuf,
    /// Take over the master key of the relay in this data directory
    #[arg(long, value_name = "DATA")]
    from: Option<PathBuf>,
    /// How many days the signing key is good for
    #[arg(long, default_value_t = 60, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(2..=365))]
    days: u16,
    /// Do not encrypt a new master key; otherwise its passphrase is prompted for, or read from
    /// standard input
    #[arg(long)]
    no_passphrase: bool,
    /// Create the keys with this tor, 0.4.9 or newer [default: the one that was built]
    #[arg(long, value_name = "PROGRAM")]
    tor: Option<PathBuf>,
}

/// The arguments of `master-key install`.
#[derive(Debug, clap::Args)]
struct Install {
    /// The directory `for-the-relay` that `master-key make` has written
    made: PathBuf,
    /// The relay's data directory, which is made if it is not there
    #[arg(long, value_name = "DATA")]
    to: PathBuf,
    /// The id of the user that the relay runs as
    #[arg(long, default_value_t = UID)]
    uid: u32,
}

/// Makes or installs a signing key.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    match &args.action {
        Action::Make(args) => make(args, ui),
        Action::Install(args) => install(args, ui),
    }
}

fn make(args: &Make, ui: &Ui) -> Result<ExitCode> {
    let keys = args.place.join("keys");
    private(&args.place)?;
    private(&keys)?;
    let has = |folder: &Path| MASTER.iter().any(|name| folder.join(name).exists());
    if let Some(data) = &args.from {
        if has(&keys) {
            bail!(
                "{} already has a master key; leave out --from to renew the signing key",
                keys.display()
            );
        }
        take_over(&data.join("keys"), &keys)?;
    }
    let fresh = !has(&keys);
    let in_clear = keys.join(MASTER[0]).exists();
    // A key in clear needs none, and a new one gets one unless that is refused.
    let passphrase = if in_clear || (fresh && args.no_passphrase) {
        None
    } else {
        let passphrase = password::read("the passphrase of the master key")?;
        if passphrase.is_empty() {
            bail!("the passphrase is empty; --no-passphrase creates a master key without one");
        }
        Some(passphrase)
    };
    generate(args, passphrase.as_deref())?;
    let key = SigningKey::of(&keys)?;
    let carried = args.place.join(CARRIED);
    private(&carried)?;
    let own = rustix::process::geteuid().as_raw();
    key.install(&carried, own, epoch(SystemTime::now()))?;
    let ends = rfc3339(key.ends());
    if ui.wants_json() {
        ui.json(&json!({
            "format": 1,
            "master_key": keys,
            "for_the_relay": carried,
            "signing_key_until": ends,
        }))?;
    }
    ui.say(&format!(
        "{}: the master key; keep it offline, and a copy of it elsewhere",
        keys.display()
    ));
    ui.say(&format!(
        "{}: a signing key, good until {ends}",
        carried.display()
    ));
    ui.say(&format!(
        "next: carry {} to the relay's machine, and run there: `sudo target/debug/xtask master-key install {CARRIED} --to DATA`",
        carried.display()
    ));
    if let Some(data) = &args.from {
        ui.warn(&format!(
            "the relay still has its master key: once {} is in a safe place, delete {}",
            keys.display(),
            data.join("keys").join(MASTER[0]).display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Copies the master key of a relay, in clear or encrypted, and its public half.
fn take_over(from: &Path, keys: &Path) -> Result<()> {
    let there = MASTER.into_iter().find(|name| from.join(name).exists());
    let Some(master) = there else {
        bail!("{} has no master key", from.display());
    };
    for name in [master, "ed25519_master_id_public_key"] {
        let to = keys.join(name);
        fs::copy(from.join(name), &to)?;
        fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// Has tor make the keys.
fn generate(args: &Make, passphrase: Option<&str>) -> Result<()> {
    let tor = match &args.tor {
        Some(tor) => fs::canonicalize(tor)?,
        None => built(Artifact::TOR)?.context(
            "tor has not been built here yet; `cargo xtask build-image` builds it, or choose another with --tor",
        )?,
    };
    let data = fs::canonicalize(&args.place)?;
    let mut command = Command::new(&tor);
    command
        .args([
            "--keygen",
            "--defaults-torrc",
            "/dev/null",
            "-f",
            "/dev/null",
        ])
        .arg("--ignore-missing-torrc")
        .args(["--SigningKeyLifetime", &format!("{} days", args.days)])
        .arg("--DataDirectory")
        .arg(&data)
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    match passphrase {
        Some(_) => command.args(["--passphrase-fd", "0"]).stdin(Stdio::piped()),
        None => command.arg("--no-passphrase").stdin(Stdio::null()),
    };
    let mut child = command
        .spawn()
        .with_context(|| format!("running {}", tor.display()))?;
    if let (Some(passphrase), Some(mut input)) = (passphrase, child.stdin.take()) {
        // A tor that did not read it says why.
        let _ = std::io::Write::write_all(&mut input, format!("{passphrase}\n").as_bytes());
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let mut warned = said.lines().filter(|line| {
            (line.contains("[warn]") || line.contains("[err]")) && !line.contains("as root")
        });
        let why = warned.next().unwrap_or("it said nothing");
        let why = why.split_once("] ").map_or(why, |(_, why)| why);
        bail!(
            "{} --keygen ended with {}: {}{}",
            tor.display(),
            output.status,
            shown::shown(why.as_bytes()),
            if passphrase.is_some() {
                "; is this the right passphrase?"
            } else {
                ""
            }
        );
    }
    Ok(())
}

fn install(args: &Install, ui: &Ui) -> Result<ExitCode> {
    let key = SigningKey::of(&args.made)?;
    let keys = args.to.join("keys");
    key.install(&keys, args.uid, epoch(SystemTime::now()))?;
    let ends = rfc3339(key.ends());
    if ui.wants_json() {
        ui.json(&json!({ "format": 1, "data": args.to, "signing_key_until": ends }))?;
    }
    ui.say(&format!(
        "{}: a signing key, good until {ends}",
        keys.display()
    ));
    for name in MASTER.iter().map(|name| keys.join(name)) {
        if name.exists() {
            ui.warn(&format!(
                "the master key is here, too: delete {} once a copy of it is in a safe place",
                name.display()
            ));
        }
    }
    ui.say("next: `docker kill --signal HUP NAME` makes a running relay load it; its torrc needs `OfflineMasterKey 1`");
    Ok(ExitCode::SUCCESS)
}

/// A directory that only its owner may enter.
fn private(path: &Path) -> Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    Ok(())
}
