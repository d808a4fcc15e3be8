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
    /// The table of IPv4 addresses and countries, from tor's sources.
    pub geoip: PathBuf,
    /// The table of IPv6 addresses and countries.
    pub geoip6: PathBuf,
    /// The licence texts that must go with the program, by their path below
    /// `/usr/local/share/licenses`: `tor/LICENSE`.
    pub licences: BTreeMap<String, PathBuf>,
    /// Layers for other concerns, such as `arm`, the lowest first.
    pub others: Vec<Layer>,
}

/// Where tor looks for its defaults and the user's `torrc`, built with `--prefix=/usr/local`.
const TORRC_DEFAULTS: &str = "\
# What the image is built for; torrc, read after this, has the last word.
DataDirectory /tordata
";

/// The layers of the image, the lowest first. An engine takes a layer again when one below it
/// changed, so what changes with every release of tor lies above what changes more rarely.
pub fn layers(about: &About, parts: &Parts) -> Result<Vec<Layer>, Error> {
    let mut layers = parts.others.clone();
    layers.push(geoip(about, parts)?);
    layers.push(tor(about, parts)?);
    Ok(layers)
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
        ("usr/local/etc/tor/torrc-defaults", TORRC_DEFAULTS),
    ] {
        archive.file(path, 0o644, Owner::ROOT, Content::Bytes(text.into()))?;
    }
    // tor refuses a DataDirectory that others can enter.
    archive.directory("tordata", 0o700, user)?;
    archive.directory("tmp", 0o1777, Owner::ROOT)?;
    let tor = Content::File(parts.tor.clone());
    archive.file("usr/local/bin/tor", 0o755, Owner::ROOT, tor)?;
    for (name, file) in &parts.licences {
        let path = format!("usr/local/share/licenses/{name}");
        archive.file(&path, 0o644, Owner::ROOT, Content::File(file.clone()))?;
    }
    Ok(Layer {
        name: "tor".to_owned(),
        created_by: created_by(about),
        archive,
    })
}

/// `tor 0.4.9.11 with libevent 2.1.13, openssl 3.5.7`.
fn created_by(about: &About) -> String {
    let mut with: Vec<String> = about
        .components
        .iter()
        .filter(|part| part.name != "tor")
        .map(|part| format!("{} {}", part.name, part.version))
        .collect();
    with.sort();
    let tor = format!("tor {}", about.version);
    match with.is_empty() {
        true => tor,
        false => format!("{tor} with {}", with.join(", ")),
    }
}
