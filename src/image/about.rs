//! What an image says of itself.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Error, IMAGE_FORMAT, ustar};
use crate::base::target::Target;
use crate::pins::Source;

/// Which image it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Variant {
    /// tor and its GeoIP tables.
    #[serde(rename = "relay")]
    Relay,
    /// The same, with `arm` to watch it.
    #[serde(rename = "relay+arm")]
    RelayArm,
    /// With the transport obfs4, for a bridge.
    #[serde(rename = "relay+obfs4")]
    RelayObfs4,
    /// With both.
    #[serde(rename = "relay+arm+obfs4")]
    RelayArmObfs4,
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Relay,
        Self::RelayArm,
        Self::RelayObfs4,
        Self::RelayArmObfs4,
    ];

    /// The one with these parts.
    pub fn with(arm: bool, obfs4: bool) -> Self {
        match (arm, obfs4) {
            (false, false) => Self::Relay,
            (true, false) => Self::RelayArm,
            (false, true) => Self::RelayObfs4,
            (true, true) => Self::RelayArmObfs4,
        }
    }

    /// Whether `arm` is in it.
    pub fn has_arm(self) -> bool {
        matches!(self, Self::RelayArm | Self::RelayArmObfs4)
    }

    /// Whether `lyrebird`, the program of the transport obfs4, is in it.
    pub fn has_obfs4(self) -> bool {
        matches!(self, Self::RelayObfs4 | Self::RelayArmObfs4)
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Relay => "",
            Self::RelayArm => "-arm",
            Self::RelayObfs4 => "-obfs4",
            Self::RelayArmObfs4 => "-arm-obfs4",
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Relay => "relay",
            Self::RelayArm => "relay+arm",
            Self::RelayObfs4 => "relay+obfs4",
            Self::RelayArmObfs4 => "relay+arm+obfs4",
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
    /// The license as an SPDX expression.
    pub license: String,
}

impl From<&Source> for Component {
    fn from(source: &Source) -> Self {
        Self {
            name: source.name.clone(),
            version: source.version.clone(),
            license: source.license.clone(),
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

/// What tells an image apart that is for another user than the usual.
fn of_user(uid: u32) -> String {
    match uid {
        torrc::UID => String::new(),
        uid => format!("-uid{uid}"),
    }
}

impl About {
    /// The tag in a registry: `0.4.9.11`, `0.4.9.11-arm`.
    pub fn tag(&self) -> String {
        Self::tag_of(&self.version, self.variant, self.uid)
    }

    /// The tag of such an image; one for another user than the usual has a tag of its own.
    pub fn tag_of(version: &str, variant: Variant, uid: u32) -> String {
        format!("{version}{}{}", variant.suffix(), of_user(uid))
    }

    /// The name under which engines load it: `relaysmith/tor:0.4.9.11`.
    pub fn reference(&self) -> String {
        format!("relaysmith/tor:{}", self.tag())
    }

    /// The name of the loadable file: `tor-0.4.9.11-x86_64-linux-musl.tar`.
    pub fn file_name(&self) -> String {
        let release = Self::release(&self.version, self.target, self.variant);
        format!("tor-{release}{}.tar", of_user(self.uid))
    }

    /// The name of the loadable file with images for several platforms: `tor-0.4.9.11-arm.tar`.
    pub fn file_name_of_all(&self) -> String {
        format!("tor-{}.tar", self.tag())
    }

    /// The name under which an engine that has no name for several platforms loads one of them:
    /// `relaysmith/tor:0.4.9.11-arm-arm64`.
    pub fn reference_on_platform(&self) -> String {
        format!("{}-{}", self.reference(), self.target.oci_architecture())
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
            ("licenses", self.licenses()),
            ("created", crate::base::date::rfc3339(self.epoch)),
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
        let format = (
            "org.relaysmith.image-format".into(),
            IMAGE_FORMAT.to_string(),
        );
        defined.chain(sources).chain([format])
    }

    /// One SPDX expression for all components.
    pub(crate) fn licenses(&self) -> String {
        let components = self.components.iter();
        // A choice stays one, in brackets; of the rest, each is named once.
        let each: BTreeSet<String> = components
            .flat_map(|part| match part.license.contains(" OR ") {
                true => vec![format!("({})", part.license)],
                false => part.license.split(" AND ").map(str::to_owned).collect(),
            })
            .collect();
        each.into_iter().collect::<Vec<_>>().join(" AND ")
    }
}
