//! `torrc`: what an operator says about a relay in, its torrc out.

use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use relaysmith::base::replace;
use serde_json::json;
use torrc::check::{Disk, Finding, check};
use torrc::{
    Address, Bandwidth, ContactName, Distribution, Email, FamilyId, Fingerprint, HashedPassword,
    MetricsNetwork, Nickname, Parameters, PgpFingerprint, PolicyChoice, Proof, PublicV6, Relay,
    Role, Rule, SocketPath, Start, Transport, Url, Volume, line_of_parameter,
};

use crate::options::one_of;
use crate::password;
use crate::ui::Ui;

const EXAMPLES: &str = "\
Examples:
  A middle relay on 100 Mbit/s, to standard output:
    cargo xtask torrc middle --nickname relay1 --contact-email tor@example.org --rate 100Mbit
  An exit that sleeps once a terabyte is used up, with a page for its port 80:
    cargo xtask torrc exit --from relay.toml --accounting-max 1TB --out torrc --notice-out exit.html
  A bridge whose control port has a password, read from a file:
    cargo xtask torrc bridge --from relay.toml --control-port 9051 --control-password < password

A file for --from has these options as keys, without the dashes:
    nickname = \"relay1\"
    contact-email = \"tor@example.org\"
    rate = \"100Mbit\"
    or-port = 9001
The command line takes precedence over the file.

Exit codes: 0 done, 1 failed, 2 wrong command line";

/// The arguments of `torrc`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The kind of relay
    #[arg(value_parser = one_of::<Role>(&Role::ALL.map(Role::name)))]
    role: Role,
    /// Read parameters from this file (TOML)
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Write the torrc here instead of to standard output; existing files are kept
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace existing files
    #[arg(long)]
    force: bool,

    /// The relay's public name: 1 to 19 letters and digits
    #[arg(long, value_name = "NAME", help_heading = "Who")]
    nickname: Option<Nickname>,
    /// Your name or pseudonym. Public
    #[arg(long, value_name = "NAME", help_heading = "Who")]
    contact_name: Option<ContactName>,
    /// Where you read mail about the relay. Public: do not use your personal address
    #[arg(long, value_name = "ADDRESS", help_heading = "Who")]
    contact_email: Option<Email>,
    /// Write the address as `tor AT example DOT org`, which some harvesters do not recognise
    #[arg(long, help_heading = "Who")]
    obfuscate_email: bool,
    /// Write the contact in machine-readable fields (CIISS, version 2)
    #[arg(long, help_heading = "Who")]
    ciiss: bool,
    /// The website of whoever runs the relay, with --ciiss. Public
    #[arg(long, value_name = "URL", help_heading = "Who")]
    url: Option<Url>,
    /// How that website vouches for the relay, with --url: uri-rsa (a file with its fingerprint) or
    /// dns-rsa
    #[arg(long, value_name = "WAY", help_heading = "Who")]
    proof: Option<Proof>,
    /// The fingerprint of your OpenPGP key. Public
    #[arg(long, value_name = "HEX", help_heading = "Who")]
    pgp: Option<PgpFingerprint>,
    /// The identity of a family key, as printed by `cargo xtask family`; repeatable, or
    /// comma-separated
    #[arg(long, value_name = "ID", value_delimiter = ',', help_heading = "Who")]
    family_id: Vec<FamilyId>,
    /// The fingerprint of another relay of yours; repeatable, or comma-separated
    #[arg(long, value_name = "HEX", value_delimiter = ',', help_heading = "Who")]
    my_family: Vec<Fingerprint>,

    /// The machine's public IPv4 address, or its fully qualified name [default: tor finds it]
    #[arg(long, value_name = "ADDRESS", help_heading = "Where")]
    address: Option<Address>,
    /// The machine's public IPv6 address, if it should be reachable there
    #[arg(long, value_name = "ADDRESS", help_heading = "Where")]
    ipv6: Option<PublicV6>,
    /// The port for all of tor's traffic [default: 9001]
    #[arg(long, value_name = "PORT", help_heading = "Where")]
    or_port: Option<NonZeroU16>,

    /// The average rate in each direction, per second: 100Mbit, 12.5MB or 10MiB. Units are powers
    /// of ten, except MiB and the like
    #[arg(long, value_name = "RATE", help_heading = "How much")]
    rate: Option<Bandwidth>,
    /// The highest rate for short periods
    #[arg(long, value_name = "RATE", help_heading = "How much")]
    burst: Option<Bandwidth>,
    /// The quota per period, in either direction: 500GB, 1TB. After that, the relay sleeps
    #[arg(long, value_name = "VOLUME", help_heading = "How much")]
    accounting_max: Option<Volume>,
    /// When each period begins: `month 1 00:00`, `week 1 00:00`, `day 00:00`
    #[arg(long, value_name = "WHEN", help_heading = "How much")]
    accounting_start: Option<Start>,
    /// What counts: max (the busier direction, tor's default), sum (both directions, as most
    /// providers count), in or out
    #[arg(long, value_name = "RULE", help_heading = "How much")]
    accounting_rule: Option<Rule>,

    /// What an exit allows: reduced (tor's own list), web, full (tor's default),
    /// guide-2016, or a file of lines like `accept *:443` [default: reduced]
    #[arg(long, value_name = "POLICY", help_heading = "Exits")]
    exit_policy: Option<PolicyChoice>,
    /// Write a page for port 80 that explains what the machine is
    #[arg(long, value_name = "FILE", help_heading = "Exits")]
    notice_out: Option<PathBuf>,

    /// How the bridge is distributed: any, none, https, email or settings [default: any]
    #[arg(long, value_name = "WAY", help_heading = "Bridges")]
    bridge_distribution: Option<Distribution>,
    /// Disguise the traffic with obfs4 on this port; needs the image from `build-image --with
    /// obfs4`
    #[arg(long, value_name = "PORT", help_heading = "Bridges")]
    obfs4_port: Option<NonZeroU16>,
    /// Another transport and its program in the container: obfs4=/usr/bin/lyrebird, or with a port,
    /// obfs4=/usr/bin/lyrebird:9002; repeatable
    #[arg(long, value_name = "NAME=PATH", help_heading = "Bridges")]
    transport: Vec<Transport>,

    /// The path of the control socket in the container
    /// [default: /tordata/control.sock]
    #[arg(long, value_name = "PATH", help_heading = "Control")]
    control_socket: Option<SocketPath>,
    /// Open a control port on the container's loopback interface, with cookie authentication
    #[arg(long, value_name = "PORT", help_heading = "Control")]
    control_port: Option<NonZeroU16>,
    /// Also accept a password on the control port. It is prompted for or read from standard input,
    /// and stored as tor's hash
    #[arg(long, help_heading = "Control")]
    control_password: bool,
    /// Let a Prometheus in this container network read tor's metrics; `compose --monitoring` writes
    /// both [default: 10.90.35.0/24]
    #[arg(
        long,
        value_name = "NETWORK",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = MetricsNetwork::USUAL,
        help_heading = "Control"
    )]
    metrics: Option<MetricsNetwork>,
    /// The port for Prometheus; without --metrics, it is on the container's loopback interface
    /// [default, with --metrics: 9035]
    #[arg(long, value_name = "PORT", help_heading = "Control")]
    metrics_port: Option<NonZeroU16>,
    /// The master key is kept elsewhere: tor never makes or reads it
    #[arg(long, help_heading = "Control")]
    offline_master_key: bool,
    /// Let tor restrict its own system calls; this needs a tor built with libseccomp
    #[arg(long, help_heading = "Control")]
    sandbox: bool,
}

/// Writes the torrc, and says what goes with it.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let relay = relay(args)?;
    if args.notice_out.is_some() && args.role != Role::Exit {
        bail!("--notice-out is for exits: nothing leaves the network here");
    }
    let torrc = relay.torrc();
    let name = args.out.as_deref().unwrap_or(Path::new("torrc"));
    let config = Disk {
        config: name.parent().unwrap_or(Path::new("")).to_owned(),
    };
    let findings = check(
        &name.display().to_string(),
        torrc.as_bytes(),
        Some(args.role),
        &config,
    )
    .findings;
    if let (Some(path), Some(page)) = (&args.notice_out, relay.notice()) {
        write(path, &page, args.force, ui)?;
    }
    match &args.out {
        Some(path) => write(path, &torrc, args.force, ui)?,
        None if ui.wants_json() => {}
        None => ui.data(torrc.trim_end())?,
    }
    if ui.wants_json() {
        ui.json(&json!({ "role": args.role, "torrc": torrc, "findings": findings }))?;
    }
    remarks(&relay, &findings, ui);
    Ok(ExitCode::SUCCESS)
}

fn relay(args: &Args) -> Result<Relay> {
    let mut given = parameters(args);
    let file = match &args.from {
        Some(path) => {
            let text = fs_err::read_to_string(path)?;
            given = given.over(Parameters::from_toml(&path.display().to_string(), &text)?);
            Some((path, text))
        }
        None => None,
    };
    if args.control_password {
        let password = password::read("the password of the control port")?;
        given.hashed_control_password = Some(HashedPassword::new(&password)?);
    }
    given.relay(args.role).map_err(|error| {
        // Where the file says what is wrong, its line helps.
        let line = file.and_then(|(path, text)| {
            let line = line_of_parameter(&text, error.parameter()?)?;
            Some(torrc::Error::Parameters {
                file: path.display().to_string(),
                line,
                reason: error.to_string(),
            })
        });
        line.unwrap_or(error).into()
    })
}

fn parameters(args: &Args) -> Parameters {
    Parameters {
        nickname: args.nickname.clone(),
        contact_name: args.contact_name.clone(),
        contact_email: args.contact_email.clone(),
        pgp: args.pgp.clone(),
        obfuscate_email: args.obfuscate_email,
        ciiss: args.ciiss,
        url: args.url.clone(),
        proof: args.proof,
        address: args.address.clone(),
        ipv6: args.ipv6,
        or_port: args.or_port,
        rate: args.rate,
        burst: args.burst,
        accounting_max: args.accounting_max,
        accounting_start: args.accounting_start,
        accounting_rule: args.accounting_rule,
        control_socket: args.control_socket.clone(),
        control_port: args.control_port,
        hashed_control_password: None,
        metrics_port: args.metrics_port,
        metrics: args.metrics,
        family_id: args.family_id.clone(),
        my_family: args.my_family.clone(),
        offline_master_key: args.offline_master_key,
        sandbox: args.sandbox,
        exit_policy: args.exit_policy.clone(),
        bridge_distribution: args.bridge_distribution,
        transport: args.transport.clone(),
        obfs4_port: args.obfs4_port,
    }
}

/// Writes a file an operator may have changed: what is there is kept unless told otherwise.
pub(crate) fn write(path: &Path, text: &str, force: bool, ui: &Ui) -> Result<()> {
    let same = fs_err::read(path).is_ok_and(|found| found == text.as_bytes());
    if path.exists() && !same && !force {
        bail!(
            "{} already exists and differs; --force replaces it",
            path.display()
        );
    }
    let written = replace::with_bytes(path, text.as_bytes())
        .with_context(|| format!("writing {}", path.display()))?;
    ui.say(&format!(
        "{}: {}",
        path.display(),
        if written { "written" } else { "unchanged" }
    ));
    Ok(())
}

/// What the operator should know besides.
fn remarks(relay: &Relay, findings: &[Finding], ui: &Ui) {
    ui.say("the name, the contact and its e-mail address are public, permanently");
    match relay.role() {
        Role::Exit => {
            ui.warn(
                "an exit's traffic appears to be yours: expect complaints, perhaps even the police",
            );
            ui.say(
                "  tell your provider first, run it on a separate machine and address, never at",
            );
            ui.say(
                "  home, give the address a name that says it is a tor exit, and read your mail:",
            );
            ui.say("  https://community.torproject.org/relay/community-resources/");
        }
        Role::Bridge => {
            ui.say("do not publish that this is a bridge, and do not list it in a family");
            if relay.or_port.get() == 9001 {
                ui.warn("port 9001 is tor's usual port, and the first that censors try: choose another --or-port");
            }
        }
        Role::Middle => {}
    }
    if relay.sandbox {
        ui.warn(
            "the image's tor is built without libseccomp: it warns about `Sandbox` and continues",
        );
    }
    for finding in findings {
        ui.say(&format!(
            "{}: {} ({})",
            finding.severity, finding.what, finding.fix
        ));
    }
}
