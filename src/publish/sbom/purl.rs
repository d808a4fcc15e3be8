//! Package URLs (`purl-spec`), and where a source can be had.

use std::fmt::Write;

use crate::base::digest::Digest;
use crate::image::About;
use crate::pins::{Origin, Source};

/// The image, by the digest of its manifest.
pub(super) fn image(about: &About, digest: &Digest) -> String {
    let (digest, tag) = (escaped(&digest.to_string()), escaped(&about.tag()));
    let architecture = about.target.oci_architecture();
    format!("pkg:oci/tor@{digest}?arch={architecture}&tag={tag}")
}

/// A part, whoever carries it: by upstream's version and the digest of the file.
pub(super) fn source(source: &Source) -> String {
    let (name, version) = (escaped(&source.name), escaped(&source.version));
    let checksum = escaped(&source.digest.to_string());
    let mut purl = format!("pkg:generic/{name}@{version}?checksum={checksum}");
    if let Some(address) = address(source) {
        let _ = write!(purl, "&download_url={}", escaped(address));
    }
    purl
}

/// What is ours.
pub(super) fn own(name: &str, version: &str) -> String {
    format!("pkg:generic/{}@{}", escaped(name), escaped(version))
}

/// Upstream's address of a source.
pub(super) fn address(source: &Source) -> Option<&str> {
    source.origins.iter().find_map(|origin| match origin {
        Origin::Https(address) => Some(&**address),
        _ => None,
    })
}

/// The packages of registries that carry a source.
pub(super) fn carriers(source: &Source) -> impl Iterator<Item = String> {
    source.origins.iter().filter_map(|origin| match origin {
        Origin::Pypi(project) => {
            let version = escaped(&source.version);
            Some(format!("pkg:pypi/{project}@{version}"))
        }
        Origin::Crate { name, version } => Some(format!("pkg:cargo/{name}@{}", escaped(version))),
        Origin::Https(_) | Origin::Debian(_) => None,
    })
}

/// Percent-encoded, but for what a URI never gives a meaning.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' => {
                text.push(byte as char);
            }
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
        text
    })
}
