//! The root file system of a relay: what is in it, in which layer, whose it is. No shell, no
//! package manager, nothing setuid.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{About, Archive, Content, Error, Layer, Owner};

/// The built files that the image is made from, as paths on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// The program.
    pub tor: PathBuf,
    /// What looks at tor's environment before it starts tor.
    pub start: PathBuf,
    /// What the engine asks whether the relay is well.
    pub health: PathBuf,
    /// The table of IPv4 addresses and countries, from tor's sources.
    pub geoip: PathBuf,
    /// The table of IPv6 addresses and countries.
    pub geoip6: PathBuf,
    /// The license texts that must go with the program.
    pub licenses: Licenses,
    /// What to watch the relay with, if it is to be in the image.
    pub arm: Option<Arm>,
    /// The transport obfs4, if it is to be in the image.
    pub obfs4: Option<Obfs4>,
}

/// License texts by their path below `/usr/local/share/licenses`: `openssl`.
pub type Licenses = BTreeMap<String, PathBuf>;

/// nyx, which was once arm, with the Python that it is written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arm {
    /// The program.
    pub program: PathBuf,
    /// The folder with all that it reads.
    pub library: PathBuf,
    /// What every layer of its own has.
    pub own: OwnLayer,
}

/// What tor starts to speak obfs4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obfs4 {
    /// The program, `lyrebird`.
    pub program: PathBuf,
    /// What every layer of its own has.
    pub own: OwnLayer,
}

/// What a part brings that has a layer of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnLayer {
    /// The license texts that must go with it, by component and by no other name.
    pub licenses: Licenses,
    /// When the newest of its sources was released, in seconds since 1970: the layer's time,
    /// which is not tor's so that a new tor does not change the layer.
    pub epoch: u64,
}

/// What the image is built for; the torrc, read after this, has the last word. It is not where
/// tor looks for it by itself, since the user's directory is mounted there: `start` names it.
pub(crate) const TORRC_DEFAULTS: &str = "\
DataDirectory /tordata
# Here the health check asks tor, and finds out where that is.
ControlSocket /tordata/control.sock
ControlPortWriteToFile /tordata/control-ports
CookieAuthentication 1
# The health check opens a connection each minute, of which tor would say so each time.
Log [control]warn [~control]notice stdout
";

/// The layers of the image, the lowest first. An engine takes a layer again when one below it
/// changed, so what changes with every release of tor lies above what changes more rarely.
pub fn layers(about: &About, parts: &Parts) -> Result<Vec<Layer>, Error> {
    let mut layers = Vec::new();
    if let Some(part) = &parts.arm {
        layers.push(arm(about, part)?);
    }
    layers.push(geoip(about, parts)?);
    layers.push(tor(about, parts)?);
    // Last: without it the others stay as they are, and so does what they stand on.
    if let Some(part) = &parts.obfs4 {
        layers.push(obfs4(about, part)?);
    }
    Ok(layers)
}

/// The program that speaks obfs4; tor starts it, if its torrc says so.
fn obfs4(about: &About, part: &Obfs4) -> Result<Layer, Error> {
    let mut archive = Archive::default();
    let program = Content::File(part.program.clone());
    archive.file("usr/local/bin/lyrebird", 0o755, Owner::ROOT, program)?;
    add_licenses(&mut archive, &part.own.licenses)?;
    Ok(Layer {
        name: "obfs4".to_owned(),
        created_by: created_by("lyrebird", about, |name| {
            part.own.licenses.contains_key(name)
        }),
        epoch: part.own.epoch,
        archive,
    })
}

/// `arm`, under the name it has today and the one that it had.
fn arm(about: &About, part: &Arm) -> Result<Layer, Error> {
    let mut archive = Archive::default();
    let program = Content::File(part.program.clone());
    archive.file("usr/local/bin/nyx", 0o755, Owner::ROOT, program)?;
    archive.symlink("usr/local/bin/arm", "nyx")?;
    archive.tree("usr/local/lib/nyx", &part.library)?;
    add_licenses(&mut archive, &part.own.licenses)?;
    Ok(Layer {
        name: "arm".to_owned(),
        created_by: created_by("nyx", about, |name| part.own.licenses.contains_key(name)),
        epoch: part.own.epoch,
        archive,
    })
}

fn add_licenses(archive: &mut Archive, licenses: &Licenses) -> Result<(), Error> {
    for (name, file) in licenses {
        let path = format!("usr/local/share/licenses/{name}");
        archive.file(&path, 0o644, Owner::ROOT, Content::File(file.clone()))?;
    }
    Ok(())
}

/// The tables, where tor looks for them unless `GeoIPFile` and `GeoIPv6File` say otherwise.
fn geoip(about: &About, parts: &Parts) -> Result<Layer, Error> {
    let mut archive = Archive::default();
    for (name, file) in [("geoip", &parts.geoip), ("geoip6", &parts.geoip6)] {
        let path = format!("usr/local/share/tor/{name}");
        archive.file(&path, 0o644, Owner::ROOT, Content::File(file.clone()))?;
    }
    Ok(Layer {
        name: "geoip".to_owned(),
        created_by: format!("the GeoIP tables of tor {}", about.version),
        epoch: about.epoch,
        archive,
    })
}

fn tor(about: &About, parts: &Parts) -> Result<Layer, Error> {
    let uid = about.user()?;
    let user = Owner { uid, gid: uid };
    let mut archive = Archive::default();
    // Both names end in what does not exist: nobody logs in. nyx and engines look users up here.
    let passwd =
        format!("root:x:0:0:root:/:/sbin/nologin\ntor:x:{uid}:{uid}:tor:/tordata:/sbin/nologin\n");
    let group = format!("root:x:0:\ntor:x:{uid}:\n");
    for (path, text) in [
        ("etc/passwd", &passwd[..]),
        ("etc/group", &group),
        ("usr/local/share/tor/torrc-defaults", TORRC_DEFAULTS),
    ] {
        archive.file(path, 0o644, Owner::ROOT, Content::Bytes(text.into()))?;
    }
    // tor refuses a DataDirectory that others can enter.
    archive.directory("tordata", 0o700, user)?;
    archive.directory("tmp", 0o1777, Owner::ROOT)?;
    archive.directory("usr/local/etc/tor", 0o755, Owner::ROOT)?;
    // `sbin` comes first in PATH: who says `tor` gets its start.
    for (path, file) in [
        ("usr/local/bin/tor", &parts.tor),
        ("usr/local/sbin/tor", &parts.start),
        ("usr/local/sbin/relay-health", &parts.health),
    ] {
        archive.file(path, 0o755, Owner::ROOT, Content::File(file.clone()))?;
    }
    add_licenses(&mut archive, &parts.licenses)?;
    let of_others = |name: &str| {
        let arm = parts.arm.iter().map(|part| &part.own);
        let mut others = arm.chain(parts.obfs4.iter().map(|part| &part.own));
        others.any(|own| own.licenses.contains_key(name))
    };
    Ok(Layer {
        name: "tor".to_owned(),
        created_by: created_by("tor", about, |name| !of_others(name)),
        epoch: about.epoch,
        archive,
    })
}

/// `tor 0.4.9.11 with libevent 2.1.13, openssl 3.5.7`: `first`, then what else `is_part`.
fn created_by(first: &str, about: &About, is_part: impl Fn(&str) -> bool) -> String {
    let (mut named, mut with) = (String::new(), Vec::new());
    for part in about.components.iter().filter(|part| is_part(&part.name)) {
        let text = format!("{} {}", part.name, part.version);
        if part.name == first {
            named = text;
        } else {
            with.push(text);
        }
    }
    with.sort();
    match with.is_empty() {
        true => named,
        false => format!("{named} with {}", with.join(", ")),
    }
}
