//! A key of minisign that is pinned.

use minisign_verify::PublicKey;

/// Somebody whose key is pinned.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// The name in reports.
    pub(super) name: String,
    /// The key as upstream publishes it.
    pub(super) text: String,
    pub(super) key: PublicKey,
}

impl Key {
    /// The key that `text` is, if it is one.
    pub(super) fn parse(name: &str, text: &str) -> Option<Self> {
        let key = PublicKey::from_base64(text).ok()?;
        Some(Self {
            name: name.to_owned(),
            text: text.to_owned(),
            key,
        })
    }
}
