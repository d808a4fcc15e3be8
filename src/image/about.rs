//! What an image says of itself.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ASSEMBLER, Error, ustar};
use crate::source::Source;
use crate::target::Target;

/// Which image it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Variant {
    /// tor and its GeoIP tables.
    #[serde(rename = "relay")]
    Relay,
    /// The same, with `arm` to watch it.
    #[serde(rename = "relay+arm")]
    RelayArm,
}

impl Variant {
    fn suffix(self) -> &'static str {
        match self {
            Self::Relay => "",
            Self::RelayArm => "-arm",
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Relay => "relay",
            Self::RelayArm => "relay+arm",
        })
    }
}

/// A source that something in the image was compiled from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Its name: `tor`, `openssl`.
    pub name: String,
    /// Upstream's version.
    pub version: String,
    /// The licence as an SPDX expression.
    pub licence: String,
}

impl From<&Source> for Component {
    fn from(source: &Source) -> Self {
        Self {
            name: source.name.clone(),
            version: source.version.clone(),
            licence: source.licence.clone(),
        }
    }
}

/// What the config, the manifest and the file names of an image are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// tor's version.
    pub version: String,
    /// The target it was built for.
    pub target: Target,
    /// Which image it is.
    pub variant: Variant,
    /// The user and the group that tor runs as.
    pub uid: u32,
    /// `SOURCE_DATE_EPOCH`: tor's release, in seconds since 1970.
    pub epoch: u64,
    /// What it was compiled from, in any order.
    pub components: Vec<Component>,
}

impl About {
    /// The tag in a registry: `0.4.9.11`, `0.4.9.11-arm`.
    pub fn tag(&self) -> String {
        format!("{}{}", self.version, self.variant.suffix())
    }

    /// The name under which engines load it: `relaysmith/tor:0.4.9.11`.
    pub fn reference(&self) -> String {
        format!("relaysmith/tor:{}", self.tag())
    }

    /// The name of the loadable file: `tor-0.4.9.11-x86_64-linux-musl.tar`.
    pub fn file_name(&self) -> String {
        let release = Self::release(&self.version, self.target, self.variant);
        format!("tor-{release}.tar")
    }

    /// What an image is called where file names tell images apart:
    /// `0.4.9.11-x86_64-linux-musl`.
    pub fn release(version: &str, target: Target, variant: Variant) -> String {
        format!("{version}-{target}{}", variant.suffix())
    }

    /// The user, unless it is the super-user or more than a layer can hold.
    pub(super) fn user(&self) -> Result<u32, Error> {
        match self.uid {
            uid @ 1..=ustar::MAX_ID => Ok(uid),
            uid => Err(Error::Uid { uid }),
        }
    }

    /// The labels: the keys that the OCI image specification defines, and our own for what it
    /// was built from.
    pub(super) fn labels(&self) -> impl Iterator<Item = (String, String)> {
        let defined = [
            ("title", "tor".into()),
            (
                "description",
                "A Tor relay, built from signed sources bit for bit".into(),
            ),
            ("version", self.version.clone()),
            // Source and revision belong together: upstream's repository and its tag.
            (
                "source",
                "https://gitlab.torproject.org/tpo/core/tor".into(),
            ),
            ("revision", format!("tor-{}", self.version)),
            ("licenses", self.licences()),
            ("created", crate::date::rfc3339(self.epoch)),
        ];
        let defined = defined
            .into_iter()
            .map(|(key, value)| (format!("org.opencontainers.image.{key}"), value));
        let sources = self.components.iter().map(|part| {
            (
                format!("org.relaysmith.source.{}", part.name),
                part.version.clone(),
            )
        });
        let assembler = ("org.relaysmith.assembler".into(), ASSEMBLER.to_string());
        defined.chain(sources).chain([assembler])
    }

    /// One SPDX expression for all components.
    pub(crate) fn licences(&self) -> String {
        let components = self.components.iter();
        // A choice stays one, in brackets; of the rest, each is named once.
        let each: BTreeSet<String> = components
            .flat_map(|part| match part.licence.contains(" OR ") {
                true => vec![format!("({})", part.licence)],
                false => part.licence.split(" AND ").map(str::to_owned).collect(),
            })
            .collect();
        each.into_iter().collect::<Vec<_>>().join(" AND ")
    }
}
