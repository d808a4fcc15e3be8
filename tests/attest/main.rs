//! Attestations: what counts, what does not, and what fails loudly; and a real GnuPG.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod gpg;
#[path = "../verify/material.rs"]
#[allow(dead_code, reason = "shared with the tests of trust")]
mod material;
mod quorum;
mod release;
mod scene;
