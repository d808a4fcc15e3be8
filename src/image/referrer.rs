//! What is said of an image, attached to it in its layout (OCI image specification 1.1,
//! `manifest.md`, "subject"): the image does not change, whoever copies referrers takes it along.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::layout::json;
use super::oci::{self, Descriptor, blob_path};
use super::{Error, Image};
use crate::base::digest::Digest;
use crate::base::replace;

/// The config of what needs none, and its type.
const EMPTY: (&str, &[u8]) = ("application/vnd.oci.empty.v1+json", b"{}");

/// A document on an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrer {
    /// What it is: a media type.
    pub media_type: &'static str,
    /// What to call its file.
    pub title: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// When it was made, in seconds since 1970.
    pub epoch: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    schema_version: u32,
    media_type: &'a str,
    artifact_type: &'a str,
    config: Descriptor,
    layers: [Descriptor; 1],
    subject: Descriptor,
    annotations: BTreeMap<&'a str, String>,
}

/// Attaches `referrer` to `image`, in place of one of the same type; gives the digest of its
/// manifest. Blobs come first, and the index that names them last and in one step.
pub fn attach(image: &Image, referrer: &Referrer) -> Result<Digest, Error> {
    let layout = image.layout();
    let subject = image.descriptor();
    let mut content = put(layout, referrer.media_type, &referrer.bytes)?;
    let title = (
        "org.opencontainers.image.title".to_owned(),
        referrer.title.clone(),
    );
    content.annotations = BTreeMap::from([title]);
    let manifest = Manifest {
        schema_version: 2,
        media_type: oci::MANIFEST,
        artifact_type: referrer.media_type,
        config: put(layout, EMPTY.0, EMPTY.1)?,
        layers: [content],
        subject: subject.clone(),
        annotations: BTreeMap::from([(
            "org.opencontainers.image.created",
            crate::base::date::rfc3339(referrer.epoch),
        )]),
    };
    let mut descriptor = put(layout, oci::MANIFEST, &json(&manifest)?)?;
    descriptor.artifact_type = Some(referrer.media_type.to_owned());

    // As a value, so that what another program wrote there stays.
    let path = layout.join("index.json");
    let wrong = |problem: String| Error::Layout {
        path: path.clone(),
        problem,
    };
    let mut index: Value =
        serde_json::from_slice(&fs_err::read(&path)?).map_err(|error| wrong(error.to_string()))?;
    let manifests = index.get_mut("manifests").and_then(Value::as_array_mut);
    let manifests = manifests.ok_or_else(|| wrong("it has no list `manifests`".to_owned()))?;
    manifests.retain(|other| !replaces(layout, &subject, referrer, other));
    let entry = serde_json::to_value(&descriptor).map_err(std::io::Error::from)?;
    manifests.push(entry);
    replace::with_bytes(&path, &json(&index)?)?;
    Ok(descriptor.digest)
}

/// Whether `referrer` comes in place of what the index lists as `other`.
fn replaces(layout: &Path, subject: &Descriptor, referrer: &Referrer, other: &Value) -> bool {
    let same_type = other["artifactType"] == referrer.media_type;
    let digest: Option<Digest> = other["digest"].as_str().and_then(|text| text.parse().ok());
    let of_subject = digest.is_some_and(|digest| {
        let manifest = fs_err::read(layout.join(blob_path(&digest))).unwrap_or_default();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap_or_default();
        manifest["subject"]["digest"] == subject.digest.to_string()
    });
    same_type && of_subject
}

fn put(layout: &Path, media_type: &str, bytes: &[u8]) -> Result<Descriptor, Error> {
    let digest = Digest::sha256(bytes);
    replace::with_bytes(&layout.join(blob_path(&digest)), bytes)?;
    Ok(Descriptor::new(media_type, digest, bytes.len() as u64))
}
