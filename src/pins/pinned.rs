//! A source, and how it stands among others of its name.

use std::sync::Arc;

use super::source::Source;

/// One pin of the manifest.
#[derive(Debug, Clone)]
pub(super) struct Pinned {
    pub(super) source: Arc<Source>,
    /// Whether this is marked as the version to take when none is asked for.
    pub(super) default: bool,
}
