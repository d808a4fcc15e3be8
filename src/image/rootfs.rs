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
    /// What looks at tor's surroundings before it starts tor.
    pub start: PathBuf,
    /// What the engine asks whether the relay is well.
    pub health: PathBuf,
    /// The table of IPv4 addresses and countries, from tor's sources.
    pub geoip: PathBuf,
    /// The table of IPv6 addresses and countries.
    pub geoip6: PathBuf,
    /// The licence texts that must go with the program.
    pub licences: Licences,
    /// What to watch the relay with, if it is to be in the image.
    pub arm: Option<Arm>,
}

/// Licence texts by their path below `/usr/local/share/licenses`: `openssl`.
pub type Licences = BTreeMap<String, PathBuf>;

/// nyx, which was once arm, and the Python that it is written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arm {
    /// The folder with the program `bin/nyx` and all it reads, `lib/nyx`.
    pub folder: PathBuf,
    /// The licence texts that must go with it, by component and by no other name.
    pub licences: Licences,
    /// When the newest of its sources was released, in seconds since 1970: the layer's time,
    /// which is not tor's so that a new tor does not change the layer.
    pub epoch: u64,
}

/// What the image is built for; the torrc, read after this, has the last word. It is not where
/// tor looks for it by itself, since the user's directory is mounted there: `start` names it.
const TORRC_DEFAULTS: &str = "\
DataDirectory /tordata
# Here the health check asks tor, and finds out where that is.
ControlSocket /tordata/control.sock
ControlPortWriteToFile /tordata/control-ports
CookieAuthentication 1
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
    Ok(layers)
}

/// `arm`, under the name it has today and the one that it had.
fn arm(about: &About, part: &Arm) -> Result<Layer, Error> {
    let mut archive = Archive::default();
    let program = Content::File(part.folder.join("bin/nyx"));
    archive.file("usr/local/bin/nyx", 0o755, Owner::ROOT, program)?;
    archive.symlink("usr/local/bin/arm", "nyx")?;
    archive.tree("usr/local/lib/nyx", &part.folder.join("lib/nyx"))?;
    add_licences(&mut archive, &part.licences)?;
    Ok(Layer {
        name: "arm".to_owned(),
        created_by: created_by("nyx", about, |name| part.licences.contains_key(name)),
        epoch: part.epoch,
        archive,
    })
}

fn add_licences(archive: &mut Archive, licences: &Licences) -> Result<(), Error> {
    for (name, file) in licences {
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
    add_licences(&mut archive, &parts.licences)?;
    let of_arm = |name: &str| {
        let arm = parts.arm.as_ref();
        arm.is_some_and(|arm| arm.licences.contains_key(name))
    };
    Ok(Layer {
        name: "tor".to_owned(),
        created_by: created_by("tor", about, |name| !of_arm(name)),
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
