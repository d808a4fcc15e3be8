//! The small documents around an image: descriptor, manifest and index (OCI image specification
//! 1.1), the layout marker, and Docker's list of images in a loadable file. Fields stand in the
//! order in which the specification's own Go types have them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::About;
use crate::base::digest::Digest;
use crate::base::target::Target;

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The file that marks a directory as an image layout.
pub(super) const OCI_LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// What is not an image but speaks of one says here what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
}

impl Descriptor {
    pub(super) fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest,
            size,
            artifact_type: None,
            annotations: BTreeMap::new(),
            platform: None,
        }
    }

    /// The same, with what the image runs on.
    pub(super) fn on(mut self, target: Target) -> Self {
        self.platform = Some(Platform {
            architecture: target.oci_architecture().to_owned(),
            os: "linux".to_owned(),
        });
        self
    }

    /// What the image is called.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        NAMES
            .iter()
            .filter_map(|key| self.annotations.get(*key).cloned())
    }

    /// What it runs on: `linux/amd64`.
    pub(super) fn platform(&self) -> Option<String> {
        let platform = self.platform.as_ref()?;
        Some(format!("{}/{}", platform.os, platform.architecture))
    }
}

/// Whether it is a list of images, by its media type; Docker has one of its own.
pub(super) fn is_index(media_type: &str) -> bool {
    [
        INDEX,
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ]
    .contains(&media_type)
}

/// Whether it is an image, and not something that only speaks of one: that has a type of its own
/// or, as builders attest things, no platform that exists.
pub(super) fn is_image(descriptor: &Descriptor) -> bool {
    let types = [
        MANIFEST,
        "application/vnd.docker.distribution.manifest.v2+json",
    ];
    types.contains(&&*descriptor.media_type)
        && descriptor.artifact_type.is_none()
        && descriptor
            .platform()
            .is_none_or(|platform| platform != "unknown/unknown")
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

/// The keys under which an index names an image: the reference, and what engines on containerd
/// load it under.
const NAMES: [&str; 2] = [
    "org.opencontainers.image.ref.name",
    "io.containerd.image.name",
];

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    schema_version: u32,
    /// Some programs leave it out.
    #[serde(default)]
    media_type: String,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
}

impl Manifest {
    pub(super) fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: MANIFEST.to_owned(),
            config,
            layers,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    schema_version: u32,
    /// Some programs leave it out.
    #[serde(default)]
    media_type: String,
    pub(super) manifests: Vec<Descriptor>,
}

impl Index {
    /// The index of a layout that holds one image.
    pub(super) fn new(manifest: Descriptor, about: &About) -> Self {
        Self::named(manifest.on(about.target), about)
    }

    /// The index of a layout that holds one thing, by the name of the image that `about`
    /// describes.
    pub(super) fn named(mut thing: Descriptor, about: &About) -> Self {
        thing.annotations = BTreeMap::from([
            // The first alone is a tag.
            (NAMES[0].to_owned(), about.tag()),
            (
                NAMES[1].to_owned(),
                format!("docker.io/{}", about.reference()),
            ),
        ]);
        Self::of(vec![thing])
    }

    /// The index of one image for several platforms: what it is called is no part of it, so that
    /// its digest does not depend on that.
    pub(super) fn of(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: INDEX.to_owned(),
            manifests,
        }
    }
}

/// One image in the `manifest.json` of a file that `docker load` reads (Docker image
/// specification 1.2); the paths are those of the layout in the same file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DockerImage {
    pub(super) config: String,
    pub(super) repo_tags: Vec<String>,
    pub(super) layers: Vec<String>,
}

/// Where a layout keeps a blob.
pub(super) fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}
