//! `check-torrc`: a torrc in, all there is to say about it out.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use relaysmith::base::cache::Cache;
use relaysmith::base::target::Target;
use relaysmith::build::outputs::Store;
use relaysmith::build::recipe::Artifact;
use relaysmith::build::sandbox::engine::Engine;
use relaysmith::build::sandbox::toolchain::Toolchain;
use relaysmith::host::{ImageName, Said, ask_tor};
use relaysmith::image::Variant;
use relaysmith::pipeline::{self, Request};
use serde_json::json;
use similar::TextDiff;
use torrc::check::{Disk, Finding, Severity, Starts, check_for, facts, fixed, with_what_tor_said};
use torrc::{Role, UID};

use crate::compose::recorded_as;
use crate::options::{one_of, repository};
use crate::torrc::write;
use crate::ui::{Colour, Piece, Ui};

const EXAMPLES: &str = "\
Examples:
  cargo xtask check-torrc torrc --role middle
  cargo xtask torrc exit --from relay.toml | cargo xtask check-torrc - --role exit

Each finding has a severity. An error means that tor does not start, or that the relay would be
useless or dangerous; a warning, that it runs but not as it should; a note is worth knowing. The
name in brackets is stable across versions. Files that `%include` names in /usr/local/etc/tor are
read from the directory of the torrc.

Finally, the tor that `cargo xtask build-image` built reads the file, in a sandbox without a
network and with the image's defaults; anything that only tor finds is called [tor].

--fix makes the changes that are certain, writes the result to FILE.fixed and shows the difference.

Exit codes: 0 no errors or warnings, 1 some, or failed, 2 wrong command line";

/// The most bytes of a torrc.
const LARGEST: u64 = 1 << 20;

/// The arguments of `check-torrc`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The torrc, or `-` for standard input
    file: PathBuf,
    /// What the relay is meant to be [default: what the file makes it]
    #[arg(long, value_parser = one_of::<Role>(&Role::ALL.map(Role::name)))]
    role: Option<Role>,
    /// The image it is for, as NAME@DIGEST or the digest alone: this project's records say which
    /// transports it has
    #[arg(long, value_name = "IMAGE")]
    image: Option<ImageName>,
    /// Do not run tor itself on the file
    #[arg(long)]
    without_tor: bool,
    /// Write a corrected copy to FILE.fixed, and show the difference
    #[arg(long)]
    fix: bool,
    /// Replace an existing FILE.fixed
    #[arg(long, requires = "fix")]
    force: bool,
    #[command(flatten)]
    tor: Tor,
}

/// Which tor is asked.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Tor {
    /// Look for the built tor in this directory [default: $RELAYSMITH_CACHE, or `relaysmith` in
    /// the user's cache directory]
    #[arg(long, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
    /// Use this version of tor, out of those pinned in sources.toml [default: the one marked there]
    #[arg(long, value_name = "VERSION")]
    tor_version: Option<String>,
}

impl Tor {
    /// The version that was asked for, if any was.
    pub(crate) fn version(&self) -> Option<&str> {
        self.tor_version.as_deref()
    }
}

/// Checks, and prints what was found.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let (text, files) = if args.file == Path::new("-") {
        let mut text = Vec::new();
        std::io::stdin()
            .take(LARGEST + 1)
            .read_to_end(&mut text)
            .context("reading standard input")?;
        (text, Disk { config: ".".into() })
    } else {
        let parent = args.file.parent().unwrap_or(Path::new(""));
        (
            read(&args.file)?,
            Disk {
                config: parent.to_owned(),
            },
        )
    };
    if text.len() as u64 > LARGEST {
        bail!(
            "`{}` has more than {LARGEST} bytes, which no torrc needs",
            args.file.display()
        );
    }
    let name = args.file.display().to_string();
    let image = args.image.as_ref();
    let variant = image.and_then(|image| recorded_as(image.digest()));
    let starts = match variant {
        Some(variant) if !variant.has_obfs4() => Starts::Nothing,
        _ => Starts::Obfs4,
    };
    let mut checked = check_for(starts, &name, &text, args.role, &files);
    let asked = match args.without_tor {
        true => Err("--without-tor was given".to_owned()),
        false => ask(&args.tor, &name, &text, &files),
    };
    let not_asked = match asked {
        Ok(said) => {
            checked.findings =
                with_what_tor_said(checked.findings, &name, &text, said.valid, &said.output);
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
            ui.pieces(&pieces(finding))?;
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
    if variant.is_none() && facts(&name, &text, &files).wants_obfs4 {
        ui.say(&format!(
            "it starts {}, which only the image from `cargo xtask build-image --with obfs4` has",
            torrc::LYREBIRD
        ));
    }
    if args.fix {
        fix(args, &name, &text, checked.role, &files, ui)?;
    }
    if let Some(why) = not_asked {
        ui.say(&format!("tor itself was not run: {why}"));
    }
    Ok(if checked.passes() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A finding as it is shown, with the colour of its severity on the pieces that are to catch the
/// eye.
fn pieces(finding: &Finding) -> Vec<Piece> {
    let colour = match finding.severity {
        Severity::Error => Colour::Red,
        Severity::Warning => Colour::Yellow,
        Severity::Note => Colour::Cyan,
    };
    let pieces = finding.pieces().into_iter();
    pieces
        .map(|(marked, text)| (marked.then_some(colour), text))
        .collect()
}

/// As much of the file as a torrc may have and a byte more: a device has no end.
fn read(path: &Path) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let file = fs_err::File::open(path)?;
    file.take(LARGEST + 1).read_to_end(&mut text)?;
    Ok(text)
}

/// Writes the file, with the changes that are certain, beside the old one.
fn fix(args: &Args, name: &str, text: &[u8], role: Role, files: &Disk, ui: &Ui) -> Result<()> {
    let fixed = fixed(name, text, Some(role), files);
    let before = String::from_utf8_lossy(text);
    if fixed == before {
        ui.say("nothing was changed: what is left is for you to decide");
        return Ok(());
    }
    if !ui.wants_json() {
        let diff = TextDiff::from_lines(before.as_ref(), fixed.as_str());
        let after = format!("{name}.fixed");
        let shown = diff.unified_diff().header(name, &after).to_string();
        ui.data(shown.trim_end())?;
    }
    if args.file == Path::new("-") {
        ui.say("read from standard input, so no .fixed file was written");
        return Ok(());
    }
    let mut path = args.file.clone().into_os_string();
    path.push(".fixed");
    write(Path::new(&path), &fixed, args.force, ui)
}

/// What the tor that is asked is built from. It runs here, so it is the one for this machine.
fn request(which: &Tor) -> Option<Request<'_>> {
    Some(Request {
        project: repository(),
        tor_version: which.tor_version.as_deref(),
        target: Target::native()?,
        variant: Variant::Relay,
        uid: UID,
        jobs: 1,
        engine: Engine::Namespaces,
        root: None,
        toolchain: Toolchain::default(),
    })
}

/// What tor itself says of it, or why it was not asked.
pub(crate) fn ask(which: &Tor, name: &str, text: &[u8], files: &Disk) -> Result<Said, String> {
    let Some(request) = request(which) else {
        return Err(format!("there is no tor for {}", std::env::consts::ARCH));
    };
    let built = || -> Result<Option<PathBuf>> {
        let store = Store::open(Cache::open(which.cache_dir.as_deref())?.root())?;
        Ok(pipeline::built(&request, &store, Artifact::TOR)?)
    };
    match built() {
        Ok(Some(tor)) => ask_tor(&tor, name, text, files).map_err(|error| error.to_string()),
        Ok(None) => {
            Err("it has not been built here yet; `cargo xtask build-image` builds it".to_owned())
        }
        Err(error) => Err(format!("{error:#}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Another machine's tor could not be run here.
    #[test]
    fn this_machines_tor_is_asked() {
        let which = Tor {
            cache_dir: None,
            tor_version: Some("0.4.9.11".to_owned()),
        };
        let request = request(&which).unwrap();
        let machine = format!("{}-linux-musl", std::env::consts::ARCH);
        assert_eq!(request.target.to_string(), machine);
        assert_eq!(request.tor_version, Some("0.4.9.11"));
    }
}
