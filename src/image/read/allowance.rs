//! What reading an image may cost: by how many bytes of it somebody had to send, so that a small
//! file cannot fill the disk or the memory.

/// What an image may grow to, lest a small file fill the disk or the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of all layers, decompressed.
    pub bytes: u64,
    /// The most entries of a layer.
    pub entries: usize,
}

impl Default for Limits {
    /// Room for a full distribution with a desktop; a relay's image has 32 MB in 22 entries.
    fn default() -> Self {
        Self {
            bytes: 8 << 30,
            entries: 500_000,
        }
    }
}

/// What any image may decompress to, in bytes, and how many times its own size besides. Layers
/// of programs and text shrink to a third or a sixth; only padding shrinks to a thirtieth.
const BYTES: u64 = 64 << 20;
const RATIO: u64 = 32;

/// How many entries and records any image may have, and how many bytes it has to send for each
/// one more: a header of 512 bytes and a small file compress to more than that.
const ITEMS: u64 = 20_000;
const BYTES_PER_ITEM: u64 = 64;

/// How many bytes of names, targets and attributes any image may have, besides its own size.
const TEXT: u64 = 4 << 20;

/// The most that is read of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    /// Bytes that come out of the decompressor.
    pub(super) bytes: u64,
    /// Entries, and records of extended headers.
    pub(super) items: usize,
    /// Bytes of names, targets and attributes.
    pub(super) text: usize,
}

impl Allowance {
    /// What `sent` bytes may cost, at most `limits`.
    pub(super) fn of(sent: u64, limits: Limits) -> Self {
        let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let bytes = BYTES.saturating_add(RATIO.saturating_mul(sent));
        let items = count(ITEMS.saturating_add(sent / BYTES_PER_ITEM));
        Self {
            bytes: bytes.min(limits.bytes),
            items: items.min(limits.entries),
            text: count(TEXT.saturating_add(sent)),
        }
    }
}
