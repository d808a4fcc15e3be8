//! What one signature is worth.

use std::fmt;

use serde::Serialize;

/// What one signature is worth, before anything is overlooked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Valid, by a pinned signer.
    Good,
    /// Valid, and made before the key expired: as good.
    ExpiredSince,
    /// Valid, but made after the expiry that our copy of the certificate states.
    Stale,
    /// Valid, but it depends on an algorithm that is refused unless it is named.
    Weak,
    /// By somebody else: it counts nothing.
    UnknownSigner,
    /// Not valid, by a pinned signer: the source fails.
    Bad,
    /// Valid, but made with a key that was retired by then, or one that its owner no
    /// longer vouches for at all: then the source fails.
    Revoked,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "good",
            Self::ExpiredSince => "expired-since",
            Self::Stale => "stale",
            Self::Weak => "weak",
            Self::UnknownSigner => "unknown signer",
            Self::Bad => "bad",
            Self::Revoked => "revoked",
        })
    }
}

/// An algorithm that is refused unless it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weakness {
    /// A DSA key of 1024 bits.
    Dsa1024,
    /// SHA-1 in a signature that ties a key or a name to a certificate. To forge one
    /// takes a second pre-image, which nobody can find.
    Sha1Binding,
    /// SHA-1 in the signature over the file. Collisions can be made: the signer may have
    /// signed another file than ours, so it counts beside a pinned digest only.
    Sha1Data,
}

impl Weakness {
    pub(super) const ALL: [Self; 3] = [Self::Dsa1024, Self::Sha1Binding, Self::Sha1Data];

    /// What people may have heard of it as.
    pub fn plain(self) -> &'static str {
        match self {
            Self::Dsa1024 => "DSA-1024",
            Self::Sha1Binding | Self::Sha1Data => "SHA-1",
        }
    }

    /// The name that `trust.toml` uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dsa1024 => "dsa1024",
            Self::Sha1Binding => "sha1-binding",
            Self::Sha1Data => "sha1-data",
        }
    }
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
