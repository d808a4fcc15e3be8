//! What went wrong on the way into a sandbox, in words: it crosses from one process to another.

use std::fmt::Display;

/// Every error on the way, with what was tried.
pub(super) type Failure = String;

/// Says what was tried when it failed.
pub(super) trait Trying<T> {
    fn trying(self, what: impl Display) -> Result<T, Failure>;
}

impl<T, E: Display> Trying<T> for Result<T, E> {
    fn trying(self, what: impl Display) -> Result<T, Failure> {
        self.map_err(|error| format!("{what}: {error}"))
    }
}
