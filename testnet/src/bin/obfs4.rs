//! What the image with obfs4 promises, seen in a private Tor network; `ci/obfs4.sh` runs it.

#![expect(clippy::print_stdout, reason = "says what it saw")]

use std::fs::Permissions;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddrV4, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use fs_err as fs;
use rustix::process::{Pid, Signal, kill_process};
use testnet::client::Client;
use testnet::control::Stream;
use testnet::image::Image;
use testnet::measured::Measured;
use testnet::namespace::{self, address, run};
use testnet::network::{Member, Network, Relay};
use testnet::process::Tor;
use testnet::{wait_for, web};

/// What goes through the bridges.
const PAGE: usize = 8_000_000;

/// What goes through a bridge that sends at times drawn at random.
const SMALL: usize = 200_000;

/// Another implementation of the protocol, of Debian's package.
const DEBIANS: &str = "/usr/bin/obfs4proxy";

/// For how long nothing may come back from a bridge that was not spoken to as it wants, in
/// seconds. It ends such a connection after a time of its own choice, half a minute at least.
const SILENCE: u64 = 8;

/// Three authorities, two middle relays and an exit.
const RELAYS: usize = 6;

/// How often each bridge is measured, unless that is all that is asked for.
const TURNS: usize = 3;

/// The ports, and the last parts of the addresses, of the two bridges. A transport listens on all
/// addresses, so they cannot share a port here.
const PORT: &str = "8443";
const OTHER_PORT: &str = "8444";
const OURS: u8 = 11;
const OTHER: u8 = 15;

/// From where all clients come to our bridge.
const FROM: u8 = 99;

fn main() -> Result<()> {
    let arguments = namespace::enter()?;
    let (layout, place, turns) = match &arguments[..] {
        [layout, place] => (layout, place, None),
        [layout, place, turns] => (layout, place, Some(turns.to_string_lossy().parse()?)),
        _ => bail!("usage: obfs4 LAYOUT FOLDER [TURNS]"),
    };
    let start = Instant::now();
    let saw = |what: &str| println!("{:5.1} s  {what}", start.elapsed().as_secs_f64());

    let place = Path::new(place);
    let image = Image::unpack(Path::new(layout), &place.join("image"))?;
    let lyrebird = image.file("usr/local/bin/lyrebird").display().to_string();
    ensure!(
        Path::new(&lyrebird).exists(),
        "the image has no lyrebird; `cargo xtask build-image --with obfs4` makes one that has"
    );
    let network = Network::start(place)?;
    let (to, from) = (address(OURS).to_string(), address(FROM).to_string());
    let route = ["route", "add", "table", "local", "local", &to];
    run("ip", &[&route[..], &["dev", "lo", "src", &from]].concat())?;
    let as_middle = ["middle"];
    let as_exit = ["exit"];
    let mut others = [
        network.relay(&image, member("guard", 12, true, &as_middle))?,
        network.relay(&image, member("middle", 13, false, &as_middle))?,
        network.relay(&image, member("exit", 14, true, &as_exit))?,
    ];
    network.lists("exit")?;
    network.lists("middle")?;
    // Only now: a bridge that starts asks for the descriptions of all relays at once, and one that
    // runs already may take minutes until it knows a new one.
    let as_bridge = ["bridge", "--obfs4-port", PORT];
    let mut bridge = network.relay(&image, member("bridge", OURS, false, &as_bridge))?;
    let program = format!("obfs4={DEBIANS}:{OTHER_PORT}");
    let as_other = ["bridge", "--transport", &program];
    let mut other = network.debian_relay(&image, member("other", OTHER, false, &as_other))?;
    for relay in others.iter_mut().chain([&mut bridge, &mut other]) {
        relay.tor.logged("Bootstrapped 100% (done)", 180)?;
    }
    bridge.published()?;
    for bridge in [&bridge, &other] {
        bridge.knows(RELAYS)?;
    }
    others[2].lists("middle")?;
    let health = image.health().context("an image without a health check")?;
    bridge.is(
        &health,
        "starting: bootstrapped and reachable, but no authority",
    )?;
    saw("our bridge, one of Debian's tor and obfs4proxy, and three relays are bootstrapped");

    let data = place.join("bridge/data");
    let line = printed(&bridge, &data)?;
    ensure!(
        line.starts_with(&format!("obfs4 {}:{PORT} ", address(OURS)))
            && line.ends_with(" iat-mode=0"),
        "not the line of this bridge: {line}"
    );
    saw(&format!("bridge-line, from outside as from inside: {line}"));

    let pages = [(address(80), PAGE), (address(81), SMALL)].map(|(host, length)| {
        let website = SocketAddrV4::new(host, 80);
        anyhow::Ok((website, web::serve(website, length)?))
    });
    let [large, small] = pages;
    let (large, small) = (large?, small?);
    let hops = [others[1].fingerprint()?, others[2].fingerprint()?];
    let fetch = |client: &mut Client, bridge: &str, page: &(SocketAddrV4, String)| -> Result<f64> {
        let (website, digest) = page;
        let start = Instant::now();
        let circuit = client.circuit(&[bridge, &hops[0], &hops[1]])?;
        let stream = match client.control.open(&circuit, *website)? {
            Stream::Open(stream) => stream,
            Stream::Refused(reason) => bail!("the exit refused port 80: {reason}"),
        };
        let (length, got) = web::fetch(stream)?;
        ensure!(got == *digest, "got {got}, expected {digest}");
        Ok(length as f64 / 1e6 / start.elapsed().as_secs_f64())
    };
    let client = |name: &str, host, program: &str, line: &str| -> Result<Client> {
        let plugin = format!("ClientTransportPlugin obfs4 exec {program}");
        network.client(
            name,
            host,
            &format!("UseBridges 1\n{plugin}\nBridge {line}\n"),
        )
    };
    let comes_in = |name: &str, host, program: &str, line: &str| -> Result<Client> {
        let page = if line.ends_with("iat-mode=0") {
            &large
        } else {
            &small
        };
        let mut client = client(name, host, program, line)?;
        client.tor.logged("Bootstrapped 100% (done)", 180)?;
        let rate = fetch(&mut client, fingerprint(line)?, page)?;
        saw(&format!(
            "{name} → obfs4 → bridge → middle → exit: the page, {rate:.1} MB/s"
        ));
        Ok(client)
    };
    drop(comes_in("debians", 21, DEBIANS, &line)?);
    let mut ours = comes_in("lyrebird", 22, &lyrebird, &line)?;

    // What the kernel counts of each transport's program, over the same pages in turn.
    let other_line = read_line(&place.join("other/data"))?;
    let mut theirs = comes_in("lyrebird-other", 23, &lyrebird, &other_line)?;
    let mut sides = [
        Side::new("lyrebird", &bridge.tor, &mut ours, fingerprint(&line)?),
        Side::new(
            "obfs4proxy",
            &other.tor,
            &mut theirs,
            fingerprint(&other_line)?,
        ),
    ];
    for _ in 0..turns.unwrap_or(TURNS) {
        for side in &mut sides {
            let before = used(side.tor)?.0;
            let rate = fetch(side.client, side.bridge, &large)?;
            let cost = (used(side.tor)?.0 - before) / (PAGE as f64 / 1e9);
            side.rates.0.push(rate);
            side.costs.0.push(cost);
        }
    }
    for side in &sides {
        let Side {
            program,
            rates,
            costs,
            ..
        } = side;
        let most = used(side.tor)?.1;
        saw(&format!(
            "as the bridge's transport {program}: {rates} MB/s, {costs} CPU seconds a gigabyte, {most:.1} MB at most"
        ));
    }
    let [first, second] = &sides;
    saw(&format!(
        "lyrebird's to obfs4proxy's: throughput {:.2}, processor time {:.2}",
        first.rates.median() / second.rates.median(),
        first.costs.median() / second.costs.median()
    ));
    if turns.is_some() {
        return Ok(());
    }
    drop((ours, theirs));

    // Whoever does not know the bridge's key learns nothing.
    let mut wrong = line.clone();
    let at = wrong.find("cert=").context("a line without a cert")? + "cert=".len() + 30;
    let letter = if &wrong[at..=at] == "A" { "B" } else { "A" };
    wrong.replace_range(at..=at, letter);
    let mut stranger = client("stranger", 24, DEBIANS, &wrong)?;
    let hello = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03".repeat(20);
    for (what, bytes) in [
        ("HTTP", b"GET / HTTP/1.1\r\nHost: bridge\r\n\r\n".to_vec()),
        ("TLS", hello),
        ("nothing", Vec::new()),
    ] {
        answers_nothing(&bytes).with_context(|| format!("{what} to the bridge's port"))?;
        saw(&format!(
            "{what} to the port: no byte back, open after {SILENCE} s"
        ));
    }
    ends_without_a_word(&[0x5a; 40_000])?;
    saw("forty kilobytes of noise: no byte back, and then the end");
    stranger.tor.logged("unable to connect", 120)?;
    saw("a client with another `cert=` does not get in");
    drop(stranger);

    // The same bridge after a restart; then with packets and times that are drawn at random.
    for mode in [0, 1, 2] {
        bridge.tor.end(Signal::TERM, 60)?;
        if mode > 0 {
            let torrc = place.join("bridge/config/torrc");
            let text = fs::read_to_string(&torrc)?;
            let plain: String = text
                .lines()
                .filter(|line| !line.starts_with("ServerTransportOptions"))
                .map(|line| format!("{line}\n"))
                .collect();
            fs::write(
                &torrc,
                plain + &format!("ServerTransportOptions obfs4 iat-mode={mode}\n"),
            )?;
        }
        bridge.restart()?;
        bridge.tor.logged("Bootstrapped 100% (done)", 180)?;
        let expected = line.replace("iat-mode=0", &format!("iat-mode={mode}"));
        let now = wait_for("the bridge line after a restart", 60, || {
            Ok(printed(&bridge, &data).ok().filter(|now| *now == expected))
        })?;
        drop(comes_in(&format!("iat{mode}"), 25 + mode, DEBIANS, &now)?);
    }
    saw("after each restart it is the same bridge");
    let mut kept: Vec<String> = fs::read_dir(data.join("pt_state"))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    kept.sort();
    ensure!(
        kept == ["obfs4_bridgeline.txt", "obfs4_state.json"],
        "in pt_state: {kept:?}"
    );

    // Its program is killed: tor starts it again, and nothing is left of the other.
    let killed = plugin(&bridge.tor)?;
    let pid = Pid::from_raw(killed.try_into()?).context("not a process")?;
    kill_process(pid, Signal::KILL)?;
    let start = Instant::now();
    wait_for("another lyrebird", 60, || {
        Ok(plugin(&bridge.tor).ok().filter(|id| *id != killed))
    })?;
    let later = start.elapsed().as_secs_f64();
    ensure!(
        !Path::new(&format!("/proc/{killed}")).exists(),
        "a zombie is left of lyrebird"
    );
    saw(&format!(
        "lyrebird is killed: tor starts another {later:.1} s later, and no zombie is left"
    ));
    drop(comes_in("again", 30, DEBIANS, &printed(&bridge, &data)?)?);
    bridge.tor.end(Signal::TERM, 60)?;
    wait_for("the end of lyrebird with its tor", 30, || {
        Ok(plugins()?
            .iter()
            .all(|(_, words)| !words.starts_with("/usr/local/bin/lyrebird"))
            .then_some(()))
    })?;
    saw("it goes with its tor");

    // It is not able to write its state, and so to start.
    let state = data.join("pt_state");
    let allow = |mode| fs::set_permissions(&state, Permissions::from_mode(mode));
    allow(0o000)?;
    bridge.restart()?;
    let no_transport = "unhealthy: the bridge has no running transport";
    let help = "/tordata/pt_state, where its keys are; on the host: `sudo chmod -R u+rwX ";
    let said = bridge.says(&health, no_transport, help)?;
    saw(&format!("lyrebird cannot be started: {}", said.trim_end()));
    bridge.tor.end(Signal::TERM, 60)?;
    allow(0o700)?;

    let places = [network.logs(), data.clone()];
    let seen = naming(&places, "bridge", &from)?;
    ensure!(seen.is_empty(), "the address of a client is in {seen:?}");
    // That it is looked for where it would be shows a bridge that is told to write it down.
    let torrc = place.join("bridge/config/torrc");
    let text = fs::read_to_string(&torrc)?;
    fs::write(&torrc, text + "Log info stdout\nSafeLogging 0\n")?;
    bridge.restart()?;
    bridge.tor.logged("Bootstrapped 100% (done)", 180)?;
    let now = wait_for("the bridge line", 60, || Ok(printed(&bridge, &data).ok()))?;
    drop(comes_in("logged", 31, DEBIANS, &now)?);
    ensure!(
        !naming(&places, "bridge", &from)?.is_empty(),
        "no client's address is in a log that is to have it"
    );
    saw("no client's address in the log, in the data or in the transport's state");
    Ok(())
}

/// The files below `places` that name `address`; of logs, those of the relay `whose`.
fn naming(places: &[PathBuf], whose: &str, address: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut left: Vec<PathBuf> = places.to_vec();
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let kind = fs::symlink_metadata(&path)?.file_type();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_log = name.ends_with(".log");
            if kind.is_dir() {
                left.push(path);
            } else if kind.is_file() && (!is_log || name.starts_with(&format!("{whose}."))) {
                let bytes = fs::read(&path)?;
                let mut at = bytes.windows(address.len());
                if at.any(|window| window == address.as_bytes()) {
                    found.push(path);
                }
            }
        }
    }
    Ok(found)
}

fn member<'a>(name: &'a str, host: u8, first: bool, torrc: &'a [&'a str]) -> Member<'a> {
    Member {
        name,
        host,
        torrc,
        first,
    }
}

/// A bridge whose transport is measured, and a client that comes through it.
struct Side<'a> {
    program: &'static str,
    tor: &'a Tor,
    client: &'a mut Client,
    /// The bridge's fingerprint.
    bridge: &'a str,
    /// In MB/s.
    rates: Measured,
    /// In CPU seconds a gigabyte.
    costs: Measured,
}

impl<'a> Side<'a> {
    fn new(program: &'static str, tor: &'a Tor, client: &'a mut Client, bridge: &'a str) -> Self {
        Self {
            program,
            tor,
            client,
            bridge,
            rates: Measured::default(),
            costs: Measured::default(),
        }
    }
}

/// The fingerprint in a bridge line, after the transport's name and the address.
fn fingerprint(line: &str) -> Result<&str> {
    let word = line.split(' ').nth(2);
    word.context("a line without a fingerprint")
}

/// The line by `cargo xtask bridge-line`, which must be the one of the image itself.
fn printed(bridge: &Relay, data: &Path) -> Result<String> {
    let inside = ["/usr/local/sbin/relay-health", "bridge-line"].map(str::to_owned);
    let inside = bridge.inside(&inside)?.output()?;
    let outside = read_line(data)?;
    let said = String::from_utf8_lossy(&inside.stdout);
    ensure!(
        inside.status.success() && said.trim_end() == outside,
        "inside: {said}{}outside: {outside}",
        String::from_utf8_lossy(&inside.stderr)
    );
    Ok(outside)
}

fn read_line(data: &Path) -> Result<String> {
    let xtask = std::env::current_exe()?.with_file_name("xtask");
    let line = run(
        &xtask.display().to_string(),
        &["bridge-line", &data.display().to_string()],
    )?;
    Ok(line.trim_end().to_owned())
}

/// All processes that can be seen here, and their first words.
fn plugins() -> Result<Vec<(u32, String)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if let Ok(id) = name.to_string_lossy().parse() {
            // One that has ended meanwhile is none.
            let words = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let first = words.split(|byte| *byte == 0).next().unwrap_or_default();
            all.push((id, String::from_utf8_lossy(first).into_owned()));
        }
    }
    Ok(all)
}

/// The process that a tor has started.
fn plugin(tor: &Tor) -> Result<u32> {
    let id = tor.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
    let first = children.split_whitespace().next();
    Ok(first.context("tor has started no transport")?.parse()?)
}

/// Seconds of processor time, and the most memory in megabytes, of the transport of a tor.
fn used(tor: &Tor) -> Result<(f64, f64)> {
    let id = plugin(tor)?;
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{id}/task"))? {
        let schedstat = fs::read_to_string(thread?.path().join("schedstat"))?;
        let running = schedstat.split(' ').next().context("an empty schedstat")?;
        nanoseconds += running.parse::<u64>().context("reading a schedstat")?;
    }
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let peak = status.lines().find_map(|line| {
        line.strip_prefix("VmHWM:")?
            .split_whitespace()
            .next()?
            .parse()
            .ok()
    });
    let kibibytes: f64 = peak.context("no VmHWM in the status of a transport")?;
    Ok((nanoseconds as f64 / 1e9, kibibytes * 1024.0 / 1e6))
}

fn connected(bytes: &[u8]) -> Result<TcpStream> {
    let mut stream = TcpStream::connect((address(OURS), PORT.parse()?))?;
    stream.set_read_timeout(Some(Duration::from_secs(SILENCE)))?;
    // It may have been closed before all was sent.
    let _ = stream.write_all(bytes);
    Ok(stream)
}

/// Sends `bytes`: nothing may come back, and the connection stays open.
fn answers_nothing(bytes: &[u8]) -> Result<()> {
    match connected(bytes)?.read(&mut [0; 1]) {
        Ok(0) => bail!("the bridge hung up within {SILENCE} s"),
        Ok(_) => bail!("the bridge answered"),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Sends `bytes`, of which there are too many: the bridge reads on for a while, and then ends.
fn ends_without_a_word(bytes: &[u8]) -> Result<()> {
    let mut stream = connected(bytes)?;
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    match stream.read(&mut [0; 1]) {
        Ok(0) => Ok(()),
        Ok(_) => bail!("the bridge answered noise"),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(()),
        Err(error) => Err(error.into()),
    }
}
