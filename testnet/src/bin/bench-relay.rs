//! How fast bytes go through one relay and what they cost it: the image's tor against
//! Debian's, in the same network, in turns. `ci/bench-relay.sh` runs it.

#![expect(clippy::print_stdout, reason = "the result")]

use std::net::SocketAddrV4;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use testnet::control::Stream;
use testnet::image::Image;
use testnet::measured::Measured;
use testnet::namespace::{self, address};
use testnet::network::{Member, Network, Relay};
use testnet::web;

/// What goes through in one turn.
const PAGE: usize = 32_000_000;

/// What was measured of one relay.
struct Side {
    what: &'static str,
    relay: Relay,
    fingerprint: String,
    megabytes_per_second: Measured,
    cpu_seconds_per_gigabyte: Measured,
}

fn main() -> Result<()> {
    let arguments = namespace::enter()?;
    let [layout, place, turns] = &arguments[..] else {
        bail!("usage: bench-relay LAYOUT FOLDER TURNS");
    };
    let turns: u32 = turns.to_string_lossy().parse()?;
    let place = Path::new(place);
    let image = Image::unpack(Path::new(layout), &place.join("image"))?;
    let network = Network::start(place)?;

    let member = |name, host, torrc| Member {
        name,
        host,
        torrc,
        first: true,
    };
    let exit = member("exit", 14, &["exit"]);
    let mut exit = network.debian_relay(&image, exit)?;
    let side = |what, relay: Relay| -> Result<Side> {
        Ok(Side {
            what,
            fingerprint: relay.fingerprint()?,
            relay,
            megabytes_per_second: Measured::default(),
            cpu_seconds_per_gigabyte: Measured::default(),
        })
    };
    let ours = network.relay(&image, member("ours", 11, &["middle"]))?;
    let debian = network.debian_relay(&image, member("debian", 12, &["middle"]))?;
    let mut sides = [side("the image", ours)?, side("Debian", debian)?];
    for name in ["exit", "ours", "debian"] {
        network.lists(name)?;
    }
    for relay in sides
        .iter_mut()
        .map(|side| &mut side.relay)
        .chain([&mut exit])
    {
        relay.tor.logged("Bootstrapped 100% (done)", 180)?;
    }
    let website = SocketAddrV4::new(address(80), 80);
    let digest = web::serve(website, PAGE)?;
    let mut client = network.client("client", 20, "")?;
    client.tor.logged("Bootstrapped 100% (done)", 180)?;
    let exit = exit.fingerprint()?;

    // The first turn warms up, and is not counted.
    for turn in 0..=turns {
        for side in &mut sides {
            let circuit = client.circuit(&[&side.fingerprint, &exit])?;
            let Stream::Open(stream) = client.control.open(&circuit, website)? else {
                bail!("the exit refused port 80");
            };
            let (start, before) = (Instant::now(), side.relay.tor.cpu_seconds()?);
            let (length, got) = web::fetch(stream)?;
            let seconds = start.elapsed().as_secs_f64();
            let used = side.relay.tor.cpu_seconds()? - before;
            ensure!(got == digest, "got {got}, expected {digest}");
            client.control.close(&circuit)?;
            let speed = length as f64 / 1e6 / seconds;
            let cost = used / (length as f64 / 1e9);
            println!("{:10} {speed:>6.2} MB/s {cost:>6.2} CPU s/GB", side.what);
            if turn > 0 {
                side.megabytes_per_second.0.push(speed);
                side.cpu_seconds_per_gigabyte.0.push(cost);
            }
        }
    }

    println!(
        "\n{turns} turns of {} MB each; median (least to most)",
        PAGE / 1_000_000
    );
    println!(
        "{:10} {:>22} {:>24} {:>12}",
        "", "MB/s", "CPU s/GB", "peak memory"
    );
    for side in &sides {
        println!(
            "{:10} {:>22} {:>24} {:>8.1} MB",
            side.what,
            side.megabytes_per_second,
            side.cpu_seconds_per_gigabyte,
            side.relay.tor.peak_memory()? as f64 / 1e6
        );
    }
    let [ours, debian] = &sides;
    let ratio = |of: fn(&Side) -> &Measured| of(ours).median() / of(debian).median();
    println!(
        "{:10} {:>22.2} {:>24.2} {:>11.2}",
        "ratio",
        ratio(|side| &side.megabytes_per_second),
        ratio(|side| &side.cpu_seconds_per_gigabyte),
        ours.relay.tor.peak_memory()? as f64 / debian.relay.tor.peak_memory()? as f64
    );
    Ok(())
}
