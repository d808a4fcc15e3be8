//! What the image promises, seen in a private Tor network; `ci/network.sh` runs it.

#![expect(clippy::print_stdout, reason = "says what it saw")]

use std::net::SocketAddrV4;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::Signal;
use testnet::client::Client;
use testnet::control::Stream;
use testnet::image::Image;
use testnet::namespace::{self, address, run};
use testnet::network::{Member, Network};
use testnet::screen::Screen;
use testnet::web;

/// What goes through the relays.
const PAGE: usize = 8_000_000;
/// How many the consensus lists: three authorities, two middle relays and an exit.
const RELAYS: usize = 6;

fn main() -> Result<()> {
    let arguments = namespace::enter()?;
    let [layout, place] = &arguments[..] else {
        bail!("usage: network LAYOUT FOLDER");
    };
    let start = Instant::now();
    let saw = |what: &str| println!("{:5.1} s  {what}", start.elapsed().as_secs_f64());

    let place = Path::new(place);
    let image = Image::unpack(Path::new(layout), &place.join("image"))?;
    let mut network = Network::start(place)?;
    saw("three authorities of Debian's tor are started");

    let start_relay = |name, host, first, torrc: &[&str]| {
        let member = Member {
            name,
            host,
            torrc,
            first,
        };
        network.relay(&image, member)
    };
    let mut guard = start_relay("guard", 12, true, &["middle", "--rate", "400Mbit"])?;
    let mut middle = start_relay("middle", 13, false, &["middle", "--rate", "400Mbit"])?;
    let mut exit = start_relay("exit", 14, true, &["exit", "--rate", "400Mbit"])?;
    let fingerprints = [&guard, &middle, &exit].map(|relay| relay.fingerprint());
    let [guard_id, middle_id, exit_id] = fingerprints;
    let (guard_id, middle_id, exit_id) = (guard_id?, middle_id?, exit_id?);
    saw("two middle relays and an exit of the image are started");
    let health = image.health().context("an image without a health check")?;
    middle.is(&health, "starting: ")?;
    network.lists("exit")?;
    saw("the authorities agree on a consensus");

    for relay in [&mut guard, &mut middle, &mut exit] {
        relay.tor.logged("Bootstrapped 100% (done)", 180)?;
    }
    saw("all three are bootstrapped");
    middle.published()?;
    saw("a middle relay found its port reachable");
    network.lists("middle")?;
    // A relay that runs already asks for the description of a new one once a minute only, and puts
    // it off when there is anything else to ask for. One that starts asks for all at once, and a
    // client behind a bridge learns of relays what the bridge knows.
    let mut bridge = start_relay("bridge", 11, false, &["bridge"])?;
    let bridge_id = bridge.fingerprint()?;
    bridge.tor.logged("Bootstrapped 100% (done)", 180)?;
    bridge.published()?;
    bridge.knows(RELAYS)?;
    exit.lists("middle")?;
    saw("a bridge of the image is bootstrapped, found its port reachable, and knows the others");
    for relay in [&guard, &middle, &exit] {
        relay.is(
            &health,
            "healthy: bootstrapped, ORPort reachable, descriptor accepted",
        )?;
    }
    // This network has no authority for bridges.
    bridge.is(
        &health,
        "starting: bootstrapped and reachable, but no authority has accepted",
    )?;
    exit.lose_master_key()?;
    let said = exit.says(&health, "healthy: ", "; warning: the signing key expires ")?;
    saw(&format!("a signing key will lapse: {}", said.trim_end()));
    let said =
        exit.with_lapsed_key(|exit| exit.says(&health, "unhealthy: the signing key expired ", ""))?;
    saw(&format!("one has lapsed: {}", said.trim_end()));
    saw("the health check went from starting to healthy, and to unhealthy where a key has lapsed");

    let website = SocketAddrV4::new(address(80), 80);
    let digest = web::serve(website, PAGE)?;
    let mut client = network.client("client", 20, "")?;
    let line = format!("UseBridges 1\nBridge {}:9011 {bridge_id}\n", address(11));
    let mut bridged = network.client("bridged", 21, &line)?;
    client.tor.logged("Bootstrapped 100% (done)", 180)?;
    bridged.tor.logged("Bootstrapped 100% (done)", 180)?;
    saw("a client is bootstrapped, and one behind the bridge");

    let path = [&guard_id[..], &middle_id, &exit_id];
    let fetch = |client: &mut Client, path: &[&str], way: &str| -> Result<()> {
        let start = Instant::now();
        let circuit = client.circuit(path)?;
        let stream = match client.control.open(&circuit, website)? {
            Stream::Open(stream) => stream,
            Stream::Refused(reason) => bail!("{way}: the exit refused port 80: {reason}"),
        };
        let (length, got) = web::fetch(stream)?;
        ensure!(got == digest, "{way}: got {got}, expected {digest}");
        let megabytes = length as f64 / 1e6;
        let rate = megabytes / start.elapsed().as_secs_f64();
        saw(&format!(
            "{way}: {megabytes} MB, digest right, {rate:.1} MB/s"
        ));
        Ok(())
    };
    fetch(&mut client, &path, "client → guard → middle → exit")?;
    let through_bridge = [&bridge_id[..], &middle_id, &exit_id];
    fetch(
        &mut bridged,
        &through_bridge,
        "client → bridge → middle → exit",
    )?;

    if image.file("usr/local/bin/arm").exists() {
        let arm = middle.inside(&["arm", "-s", "/tordata/control.sock"].map(str::to_owned))?;
        let screen = Screen::open(&place.join("tmux"), &arm)?;
        screen.shows(&["page 1 / 5", "middle - 203.0.113.13"])?;
        screen.press("Right")?;
        // A circuit of its own, hop by hop.
        screen.shows(&["page 2 / 5", "1 / Guard", "2 / Middle", "3 / End"])?;
        saw("arm in the middle relay shows its circuits");
    } else {
        println!("SKIPPED: this image is without arm, so no circuits were shown");
    }

    // Something does listen there: the policy alone refuses.
    let mail = SocketAddrV4::new(address(80), 25);
    web::serve(mail, 1)?;
    let circuit = client.circuit(&path)?;
    match client.control.open(&circuit, mail)? {
        Stream::Refused(reason) if reason == "EXITPOLICY" => {
            saw("the exit refuses port 25: EXITPOLICY")
        }
        other => bail!("port 25 through the exit: {other:?}"),
    }

    middle.tor.end(Signal::KILL, 60)?;
    middle.is(&health, "unhealthy: tor's control socket")?;
    saw("the health check says unhealthy while the middle relay is dead");
    middle.restart()?;
    middle.tor.logged("Bootstrapped 100% (done)", 180)?;
    let now = middle.fingerprint()?;
    ensure!(
        now == middle_id,
        "the middle relay was {middle_id} and is {now}"
    );
    fetch(
        &mut client,
        &path,
        "after SIGKILL and a restart of the middle relay",
    )?;

    let loopback = |state| run("ip", &["link", "set", "lo", state]).map(drop);
    for relay in [&guard, &middle] {
        relay.is(&health, "healthy: ")?;
    }
    loopback("down")?;
    let gone = "unhealthy: nothing arrives from the network, and no circuit could be built";
    for relay in [&guard, &middle] {
        let said = relay.says(&health, gone, "")?;
        saw(&format!("the network is cut: {}", said.trim_end()));
    }
    loopback("up")?;
    // One that was about to publish itself anew is still in the consensus.
    for relay in [&guard, &middle] {
        let said = relay.says(&health, "healthy: ", "")?;
        saw(&format!("the network is back: {}", said.trim_end()));
    }

    network.end_authorities()?;
    for relay in [&guard, &middle] {
        let said = relay.says(&health, "healthy: ", "; warning: the consensus expired at ")?;
        saw(&format!("no authority is left: {}", said.trim_end()));
    }

    for (name, relay) in [("exit", &mut exit), ("bridge", &mut bridge)] {
        let status = relay.tor.end(Signal::TERM, 60)?;
        ensure!(status.success(), "{name} ended with {status} after SIGTERM");
        relay.tor.logged("exiting cleanly", 0)?;
        saw(&format!(
            "SIGTERM: the {name} says it exits cleanly, and does with {status}"
        ));
    }
    Ok(())
}
