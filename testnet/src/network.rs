//! Authorities, relays and clients that make one network.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;
use rustix::process::Signal;

use crate::client::{Client, debian, ports};
use crate::image::{Image, Root};
use crate::namespace::{address, run};
use crate::process::Tor;
use crate::wait_for;

/// How many authorities vote: the fewest with a majority.
const AUTHORITIES: u8 = 3;

/// What makes an hour's votes a matter of seconds, and a signing key's month a matter of days.
/// A relay gets nothing else that it would not have on the real network, but for who the
/// authorities are.
const HURRY: &str = "\
TestingTorNetwork 1
TestingV3AuthInitialVotingInterval 20
TestingV3AuthInitialVoteDelay 4
TestingV3AuthInitialDistDelay 4
V3AuthVotingInterval 20
V3AuthVoteDelay 4
V3AuthDistDelay 4
SigningKeyLifetime 5 days
";

/// On the real network these are settled by years of being there.
const VOTES: &str = "\
AssumeReachable 1
TestingDirAuthVoteGuard *
";

/// The network: its authorities, and what its members must know.
#[derive(Debug)]
pub struct Network {
    place: PathBuf,
    overrides: String,
    authorities: Vec<Tor>,
}

/// What tells one relay from another.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// Its nickname.
    pub name: &'a str,
    /// The last part of its address, and of its port.
    pub host: u8,
    /// The arguments of `cargo xtask torrc`.
    pub torrc: &'a [&'a str],
    /// Published at once, without a test of its own port: somebody has to be first, for the
    /// others' tests go over three relays that are not their own.
    pub first: bool,
}

/// A relay and all that it is started with again.
#[derive(Debug)]
pub struct Relay {
    name: String,
    program: Program,
    data: PathBuf,
    logs: PathBuf,
    /// The running tor.
    pub tor: Tor,
}

/// Whose tor a relay is.
#[derive(Debug)]
enum Program {
    Image(Root, Vec<String>),
    Debian(Vec<String>),
}

impl Network {
    /// Makes the authorities' keys in `place` and starts them.
    ///
    /// # Errors
    /// When Debian's tor is missing or does not start.
    pub fn start(place: &Path) -> Result<Self> {
        let mut overrides = HURRY.to_owned();
        // The keys take a while: all at once.
        let keys = std::thread::scope(|scope| {
            let threads: Vec<_> = (1..=AUTHORITIES)
                .map(|number| scope.spawn(move || authority_keys(place, number)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| bail!("a thread failed")))
                .collect::<Result<Vec<_>>>()
        })?;
        for line in keys {
            writeln!(overrides, "DirAuthority {line}")?;
        }
        let mut network = Self {
            place: place.to_owned(),
            overrides,
            authorities: Vec::new(),
        };
        fs::create_dir_all(network.logs())?;
        for number in 1..=AUTHORITIES {
            let (name, host) = (format!("authority{number}"), address(number));
            let torrc = format!(
                "{}{VOTES}Nickname {name}\nContactInfo {name}@example.org\nAddress {host}\n\
                 ORPort {host}:9001\nDirPort {host}:9030\nSocksPort 0\nExitPolicy reject *:*\n\
                 AuthoritativeDirectory 1\nV3AuthoritativeDirectory 1\n",
                network.overrides
            );
            let torrc = network.torrc(&name, &torrc)?;
            let tor = Tor::start(&name, &network.logs(), debian(&torrc))?;
            network.authorities.push(tor);
        }
        Ok(network)
    }

    /// Where every member logs.
    pub fn logs(&self) -> PathBuf {
        self.place.join("logs")
    }

    fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.place.join(name);
        // Only its owner may enter: tor insists.
        let data = folder.join("data");
        fs::create_dir_all(&data)?;
        fs::set_permissions(&data, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        Ok(folder)
    }

    /// Waits until the authorities' consensus lists a relay of this name.
    ///
    /// # Errors
    /// When it does not.
    pub fn lists(&self, name: &str) -> Result<()> {
        let consensus = self.place.join("authority1/data/cached-consensus");
        listed(name, name, &consensus)
    }

    /// Ends all authorities: from here on nobody gets a newer consensus.
    ///
    /// # Errors
    /// When one does not go.
    pub fn end_authorities(&mut self) -> Result<()> {
        for mut authority in self.authorities.drain(..) {
            authority.end(Signal::KILL, 60)?;
        }
        Ok(())
    }

    /// Starts a relay of the image under a torrc by `cargo xtask torrc`.
    ///
    /// # Errors
    /// When the torrc or the relay's root cannot be made.
    pub fn relay(&self, image: &Image, member: Member<'_>) -> Result<Relay> {
        let folder = self.folder(member.name)?;
        let (config, data) = (folder.join("config"), folder.join("data"));
        self.configure(&config, member)?;
        let root = image.root(&folder.join("root"), &config, &data)?;
        let mut words = image.entrypoint();
        let inside = "/usr/local/etc/tor";
        words.extend(["--defaults-torrc".to_owned(), format!("{inside}/overrides")]);
        words.extend(["-f".to_owned(), format!("{inside}/torrc")]);
        Relay::start(member.name, Program::Image(root, words), data, self.logs())
    }

    /// Starts a relay of Debian's tor under the same torrc, but for where its data are, and
    /// with the GeoIP tables of the image.
    ///
    /// # Errors
    /// When the torrc cannot be made.
    pub fn debian_relay(&self, image: &Image, member: Member<'_>) -> Result<Relay> {
        let folder = self.folder(member.name)?;
        self.configure(&folder, member)?;
        let (torrc, data) = (folder.join("torrc"), folder.join("data"));
        let text = fs::read_to_string(&torrc)?;
        let mut text = text.replace("/tordata", &data.display().to_string());
        for (option, table) in [("GeoIPFile", "geoip"), ("GeoIPv6File", "geoip6")] {
            let table = image.file("usr/local/share/tor").join(table);
            writeln!(text, "{option} {}", table.display())?;
        }
        fs::write(&torrc, text)?;
        let overrides = folder.join("overrides").display().to_string();
        let torrc = torrc.display().to_string();
        let words = ["tor", "--defaults-torrc", &overrides, "-f", &torrc].map(str::to_owned);
        Relay::start(
            member.name,
            Program::Debian(words.into()),
            data,
            self.logs(),
        )
    }

    /// Writes a torrc by `cargo xtask torrc`, and beside it what is read before: so the torrc
    /// stays as it was written.
    fn configure(&self, folder: &Path, member: Member<'_>) -> Result<()> {
        fs::create_dir_all(folder)?;
        let first = u8::from(member.first);
        let overrides = format!("{}AssumeReachable {first}\n", self.overrides);
        fs::write(folder.join("overrides"), overrides)?;
        let xtask = std::env::current_exe()?.with_file_name("xtask");
        let file = folder.join("torrc").display().to_string();
        let address = address(member.host).to_string();
        let or_port = (9000 + u16::from(member.host)).to_string();
        let mut all = vec!["--quiet", "torrc"];
        all.extend(member.torrc);
        all.extend([
            "--nickname",
            member.name,
            "--contact-email",
            "tor@example.org",
        ]);
        all.extend(["--address", &address, "--or-port", &or_port, "--out", &file]);
        run(&xtask.display().to_string(), &all).map(drop)
    }

    /// A client of Debian's tor, which leaves circuits and streams to its control port.
    ///
    /// # Errors
    /// When it does not start.
    pub fn client(&self, name: &str, host: u8, more: &str) -> Result<Client> {
        let local = Ipv4Addr::new(127, 0, 0, host);
        let [socks, control] = ports(local);
        let torrc = format!(
            "{}SocksPort {socks}\nControlPort {control}\n__LeaveStreamsUnattached 1\n\
             LearnCircuitBuildTimeout 0\nCircuitBuildTimeout 60\n{more}",
            self.overrides
        );
        Client::start(name, self.torrc(name, &torrc)?, self.logs(), local)
    }

    /// Writes the torrc of one of Debian's, whose data lie beside it.
    fn torrc(&self, name: &str, torrc: &str) -> Result<PathBuf> {
        let folder = self.folder(name)?;
        let file = folder.join("torrc");
        let data = folder.join("data");
        fs::write(&file, format!("{torrc}DataDirectory {}\n", data.display()))?;
        Ok(file)
    }
}

impl Relay {
    fn start(name: &str, program: Program, data: PathBuf, logs: PathBuf) -> Result<Self> {
        let tor = Tor::start(name, &logs, program.command())?;
        Ok(Self {
            name: name.to_owned(),
            program,
            data,
            logs,
            tor,
        })
    }

    /// Starts it again, after its end.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> Result<()> {
        self.tor = Tor::start(&self.name, &self.logs, self.program.command())?;
        Ok(())
    }

    /// The fingerprint of its identity, once it has one.
    ///
    /// # Errors
    /// When it never writes one.
    pub fn fingerprint(&self) -> Result<String> {
        let file = self.data.join("fingerprint");
        let what = format!("the fingerprint of {}", self.name);
        wait_for(&what, 120, || {
            let text = fs::read_to_string(&file).unwrap_or_default();
            Ok(text.split_whitespace().nth(1).map(str::to_owned))
        })
    }

    /// Waits until it has tested its own port and published itself.
    ///
    /// # Errors
    /// When that takes too long.
    pub fn published(&mut self) -> Result<()> {
        self.tor
            .logged("is reachable from the outside", 180)
            .map(drop)
    }

    /// Waits until its own consensus lists a relay of this name: an exit opens no stream for one
    /// that it does not know.
    ///
    /// # Errors
    /// When it does not.
    pub fn lists(&self, name: &str) -> Result<()> {
        let consensus = self.data.join("cached-microdesc-consensus");
        listed(&format!("{name} by {}", self.name), name, &consensus)
    }

    /// Waits until it has the description of each of the consensus's relays, this many at least:
    /// a client behind a bridge learns of relays what the bridge knows, and one that asks too
    /// early waits longer and longer before it asks again.
    ///
    /// # Errors
    /// When it does not get them.
    pub fn knows(&self, relays: usize) -> Result<()> {
        wait_for(
            &format!("{relays} relays known to {}", self.name),
            240,
            || {
                let read =
                    |name: &str| fs::read_to_string(self.data.join(name)).unwrap_or_default();
                let known = read("cached-microdescs") + &read("cached-microdescs.new");
                let keys: HashSet<&str> = known
                    .lines()
                    .filter(|line| line.starts_with("ntor-onion-key "))
                    .collect();
                Ok((keys.len() >= relays).then_some(()))
            },
        )
    }

    /// Waits until the image's health check says so of it.
    ///
    /// # Errors
    /// When it says something else for too long, or its exit code is not that of its word.
    pub fn is(&self, check: &[String], expected: &str) -> Result<()> {
        self.says(check, expected, "").map(drop)
    }

    /// Waits until the image's health check begins so, and has `more` in its line.
    ///
    /// # Errors
    /// When it says something else for too long, or its exit code is not that of its word.
    pub fn says(&self, check: &[String], expected: &str, more: &str) -> Result<String> {
        let what = format!("`{expected}` of {}", self.name);
        let mut said = String::new();
        let seen = wait_for(&what, 240, || {
            let output = self.inside(check)?.output()?;
            said = String::from_utf8_lossy(&output.stdout).into_owned();
            if output.status.success() != said.starts_with("healthy: ") {
                bail!(
                    "the health check ended with {} and said: {said}",
                    output.status
                );
            }
            let right = said.starts_with(expected) && said.contains(more);
            Ok(right.then(|| said.clone()))
        });
        seen.with_context(|| format!("the health check says: {said}"))
    }

    /// Takes its master key away, as one keeps it who keeps it offline.
    ///
    /// # Errors
    /// When it has none.
    pub fn lose_master_key(&self) -> Result<()> {
        let key = self.data.join("keys/ed25519_master_id_secret_key");
        Ok(fs::rename(
            key,
            self.logs.with_file_name(format!("{}.master", self.name)),
        )?)
    }

    /// What `see` returns while the certificate of its signing key on disk ended in 1970. The tor
    /// that runs has read it before.
    ///
    /// # Errors
    /// Those of `see`, and when the certificate cannot be changed.
    pub fn with_lapsed_key<T>(&self, see: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let path = self.data.join("keys/ed25519_signing_cert");
        let good = fs::read(&path)?;
        let mut lapsed = good.clone();
        // cert-spec: hours since 1970, after tor's 32 bytes of header, the version and the type.
        lapsed
            .get_mut(34..38)
            .context("a short certificate")?
            .fill(0);
        fs::write(&path, lapsed)?;
        let seen = see(self);
        fs::write(&path, good)?;
        seen
    }

    /// A command inside the container of this relay.
    ///
    /// # Errors
    /// When it has none.
    pub fn inside(&self, words: &[String]) -> Result<Command> {
        match &self.program {
            Program::Image(root, _) => Ok(root.command(words)),
            Program::Debian(_) => bail!("{} is in no container", self.name),
        }
    }
}

impl Program {
    fn command(&self) -> Command {
        match self {
            Self::Image(root, words) => root.command(words),
            Self::Debian(words) => {
                let mut command = Command::new(&words[0]);
                command.args(&words[1..]);
                command
            }
        }
    }
}

fn listed(what: &str, name: &str, consensus: &Path) -> Result<()> {
    let line = format!("\nr {name} ");
    wait_for(&format!("{what} in the consensus"), 180, || {
        let text = fs::read_to_string(consensus).unwrap_or_default();
        Ok(text.contains(&line).then_some(()))
    })
}

/// Makes the keys of an authority, and returns what its `DirAuthority` line says.
fn authority_keys(place: &Path, number: u8) -> Result<String> {
    let (name, host) = (format!("authority{number}"), address(number));
    let data = place.join(&name).join("data");
    let keys = data.join("keys");
    fs::create_dir_all(&keys)?;
    for folder in [&data, &keys] {
        fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    }
    let made = Command::new("tor-gencert")
        .args(["--create-identity-key", "--passphrase-fd", "0", "-m", "1"])
        .args(["-a", &format!("{host}:9030")])
        .args([
            "-i",
            "authority_identity_key",
            "-s",
            "authority_signing_key",
        ])
        .args(["-c", "authority_certificate"])
        .current_dir(&keys)
        .stdin(Stdio::null())
        .output()
        .context("running `tor-gencert`, which Debian's package tor has")?;
    let certificate = fs::read_to_string(keys.join("authority_certificate"))
        .with_context(|| String::from_utf8_lossy(&made.stderr).into_owned())?;
    let v3 = certificate
        .lines()
        .find_map(|line| line.strip_prefix("fingerprint "))
        .context("a certificate without a fingerprint")?;
    let data = data.display().to_string();
    let nobody = format!("nobody 127.0.0.1:1 {}", "f".repeat(40));
    let listed = run(
        "tor",
        &[
            "--ignore-missing-torrc",
            "-f",
            "/dev/null",
            "--defaults-torrc",
            "/dev/null",
            "--list-fingerprint",
            "--ORPort",
            "1",
            "--Nickname",
            &name,
            "--DirAuthority",
            &nobody,
            "--DataDirectory",
            &data,
            "--quiet",
        ],
    )?;
    let (_, fingerprint) = listed
        .trim()
        .split_once(' ')
        .with_context(|| format!("no fingerprint in `{listed}`"))?;
    Ok(format!(
        "{name} orport=9001 no-v2 v3ident={v3} {host}:9030 {fingerprint}"
    ))
}
