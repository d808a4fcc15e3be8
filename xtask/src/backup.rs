//! `backup`, `restore` and `import`: a relay's identity, from a data directory to a file and to
//! another data directory.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use fs_err::os::unix::fs::OpenOptionsExt as _;
use relaysmith::host::identity::Identity;
use serde_json::json;
use torrc::UID;

use crate::ui::Ui;

/// More than any backup of a relay has, in bytes.
const LONGEST: u64 = 256 << 20;

/// The arguments of `backup`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sudo target/debug/xtask backup /srv/relay/data/myrelay --out myrelay.tar

The file contains the keys, tor's state and the state of transports, but nothing that tor recreates
by itself. The relay can keep running. Whoever has the file can impersonate the relay: only its owner
can read it, and it belongs on an encrypted disk. The torrc is not included.

Exit codes: 0 done, 1 failed, 2 wrong command line")]
pub(crate) struct Backup {
    /// The relay's data directory
    data: PathBuf,
    /// Write the backup here
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The id of the user that the relay runs as
    #[arg(long, default_value_t = UID)]
    uid: u32,
}

/// The arguments of `restore`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sudo target/debug/xtask restore myrelay.tar --to /srv/relay/data/myrelay

A directory that already has a relay is left untouched.

Exit codes: 0 done, 1 failed, 2 wrong command line")]
pub(crate) struct Restore {
    /// A file written by `cargo xtask backup`
    backup: PathBuf,
    /// The data directory, which is created if it does not exist
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The id of the user that the relay will run as
    #[arg(long, default_value_t = UID)]
    uid: u32,
}

/// The arguments of `import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sudo systemctl disable --now tor@default
  sudo target/debug/xtask import /var/lib/tor --to /srv/relay/data/myrelay

The data directory of Debian's tor is /var/lib/tor; that of another container is whatever is mounted
as its data, such as /var/lib/docker/volumes/NAME/_data. Its tor must be stopped. The directory is
copied, and nothing in it changes.

Exit codes: 0 done, 1 failed, 2 wrong command line")]
pub(crate) struct Import {
    /// The data directory of the tor that has run the relay until now
    from: PathBuf,
    /// The new data directory, which is created if it does not exist
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The id of the user that the relay will run as
    #[arg(long, default_value_t = UID)]
    uid: u32,
}

/// Writes a backup.
pub(crate) fn backup(args: &Backup, ui: &Ui) -> Result<ExitCode> {
    let identity = Identity::of(&args.data)?;
    let bytes = identity.archive(args.uid)?;
    // Nobody else can read it, not for a moment; and no other backup is lost.
    let mut file = fs_err::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&args.out)?;
    file.write_all(&bytes)
        .and_then(|()| file.sync_all())
        .with_context(|| format!("writing {}", args.out.display()))?;
    says(&identity, ui);
    ui.say(&format!("backup: {}", args.out.display()));
    for_programs(&identity, "backup", &args.out, ui)?;
    Ok(ExitCode::SUCCESS)
}

/// Places what is in a backup.
pub(crate) fn restore(args: &Restore, ui: &Ui) -> Result<ExitCode> {
    let length = fs_err::metadata(&args.backup)?.len();
    if length > LONGEST {
        bail!(
            "{} has {length} bytes, which is more than a backup of a relay has",
            args.backup.display()
        );
    }
    let identity = Identity::from_archive(&args.backup, &fs_err::read(&args.backup)?)?;
    place(&identity, &args.to, args.uid, ui)
}

/// Copies what makes the relay from a data directory of another tor.
pub(crate) fn import(args: &Import, ui: &Ui) -> Result<ExitCode> {
    let identity = Identity::of_stopped(&args.from)?;
    if !identity.left_behind.is_empty() {
        ui.say(&format!(
            "left out, tor recreates it: {}",
            identity.left_behind.join(", ")
        ));
    }
    for name in &identity.unknown {
        ui.warn(&format!(
            "left out, not part of a relay: {}",
            args.from.join(name).display()
        ));
    }
    place(&identity, &args.to, args.uid, ui)
}

fn place(identity: &Identity, to: &Path, uid: u32, ui: &Ui) -> Result<ExitCode> {
    identity.place(to, uid)?;
    says(identity, ui);
    ui.warn(
        "start it only once the relay it was copied from is stopped for good: two relays with \
         one identity harm each other",
    );
    ui.say(&format!(
        "data: {}; next: `cargo xtask check-torrc` for its torrc, and `cargo xtask compose`",
        to.display()
    ));
    for_programs(identity, "data", to, ui)?;
    Ok(ExitCode::SUCCESS)
}

/// With `--json`: what was copied to `place`, and what was not.
fn for_programs(identity: &Identity, place: &str, path: &Path, ui: &Ui) -> Result<()> {
    if !ui.wants_json() {
        return Ok(());
    }
    ui.json(&json!({
        "format": 1,
        "relay": identity.fingerprint(),
        "files": identity.paths().collect::<Vec<_>>(),
        "left_out": identity.left_behind,
        "unknown": identity.unknown,
        "master_key_offline": identity.lacks_master_key(),
        place: path,
    }))
}

fn says(identity: &Identity, ui: &Ui) {
    ui.say(&format!(
        "relay: {}",
        identity
            .fingerprint()
            .unwrap_or_else(|| "without a file `fingerprint`".to_owned())
    ));
    ui.say(&format!("files: {}", identity.paths().count()));
    if identity.lacks_master_key() {
        ui.say("its ed25519 master key is kept offline, so it is not included");
    }
}
