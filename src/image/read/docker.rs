//! The list that `docker save` writes and `docker load` reads (Docker image specification 1.2).

use std::collections::BTreeMap;

use serde::Deserialize;
use shown::shown;

use super::chosen::{Blob, Chosen};
use super::document::Document;
use super::error::Error;
use super::files::Files;
use crate::base::digest::Digest;
use crate::image::oci::blob_path;

const LIST: &str = "manifest.json";

/// The most images that one file may hold.
const IMAGES: usize = 256;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// The image that `wanted` names by tag or by the digest of its config, or the only one.
pub(super) fn choose(files: &Files, wanted: Option<&str>) -> Result<Chosen, Error> {
    let document = files.document(LIST)?.ok_or_else(|| Error::NoImage {
        image: files.path().to_owned(),
    })?;
    if document.bytes.trim_ascii_start().starts_with(b"{") {
        return Err(Error::SkopeoDir {
            image: files.path().to_owned(),
        });
    }
    let all: Vec<Listed> = document.parse(files)?;
    if all.len() > IMAGES {
        return Err(Error::TooMany {
            image: files.path().to_owned(),
            what: "its `manifest.json` names more images than one would save",
            limit: IMAGES,
        });
    }
    // Configs are read again when one is chosen: all of them would fill the memory.
    let mut digests: BTreeMap<String, Digest> = BTreeMap::new();
    let mut images = Vec::new();
    for listed in all {
        let digest = match digests.get(&listed.config) {
            Some(known) => *known,
            None => config(files, &listed)?.digest,
        };
        digests.insert(listed.config.clone(), digest);
        images.push((listed, digest));
    }
    let is_wanted = |(listed, config): &&(Listed, Digest)| {
        wanted.is_none_or(|wanted| {
            config.to_string() == wanted || listed.names().any(|name| is_name(name, wanted))
        })
    };
    let found: Vec<_> = images.iter().filter(is_wanted).collect();
    let [(listed, _)] = found[..] else {
        let line = |(listed, config): &(Listed, Digest)| {
            let names: Vec<&str> = listed.names().collect();
            shown(format!("{config}  {}", names.join("  ")).as_bytes())
        };
        return Err(Error::Choice {
            image: files.path().to_owned(),
            wanted: wanted.map(|wanted| shown(wanted.as_bytes())),
            there: images.iter().map(line).collect(),
        });
    };
    let layers = listed.layers.iter().map(|file| Blob {
        file: file.clone(),
        digest: digest_of_name(file),
    });
    Ok(Chosen {
        config: config(files, listed)?,
        layers: layers.collect(),
    })
}

/// Whether Docker's list, where there is one, has the image `chosen` too.
pub(super) fn agrees(files: &Files, chosen: &Chosen) -> Result<(), Error> {
    let Some(document) = files.document(LIST)? else {
        return Ok(());
    };
    let all: Vec<Listed> = document.parse(files)?;
    let layers = || chosen.layers.iter().map(|layer| &layer.file);
    let same = |listed: &Listed| {
        listed.config == blob_path(&chosen.config.digest) && listed.layers.iter().eq(layers())
    };
    match all.iter().any(same) {
        true => Ok(()),
        false => Err(Error::TwoImages {
            image: files.path().to_owned(),
            image_digest: Box::new(chosen.config.digest),
        }),
    }
}

/// Whether an image called `name` is meant by `wanted`: by all of it, or by the end of it.
pub(super) fn is_name(name: &str, wanted: &str) -> bool {
    let before = name.strip_suffix(wanted);
    before.is_some_and(|before| before.is_empty() || before.ends_with(['/', ':']))
}

impl Listed {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.repo_tags.iter().flatten().map(String::as_str)
    }
}

/// The config of an image. Where its name is a digest, it is that of its bytes.
fn config(files: &Files, listed: &Listed) -> Result<Document, Error> {
    let name = &listed.config;
    let document = files.document(name)?.ok_or_else(|| Error::Missing {
        image: files.path().to_owned(),
        file: shown(name.as_bytes()),
    })?;
    match digest_of_name(name) {
        Some(expected) if expected != document.digest => {
            Err(files.other_digest(name, "its digest", expected, document.digest))
        }
        _ => Ok(document),
    }
}

/// The digest that a file's name promises: `<hex>.json`, `blobs/sha256/<hex>`. What Docker and
/// podman call `<hex>.tar` is either the compressed or the plain digest, so it promises nothing.
fn digest_of_name(name: &str) -> Option<Digest> {
    let hex = name
        .strip_suffix(".json")
        .or_else(|| name.strip_prefix("blobs/sha256/"))?;
    format!("sha256:{hex}").parse().ok()
}
