//! relaysmith turns signed source tarballs into a minimal OCI image of a Tor relay
//! whose every byte anyone can rebuild and compare.
//!
//! The modules stand in the order in which the work flows, one way, no going back:
//!
//! ```text
//! sources.toml ─► fetch ─► verify ─► unpack ─► build ─► assemble ─► record
//!  (pins)        Fetched   Verified   Tree      Built     Image      Record
//! ```
//!
//! Each arrow is a function that takes the type on its left and returns the one on its
//! right, and there is no other way to make that type: bytes that nobody verified cannot
//! reach a compiler, because it does not type-check. A module uses only those above it.

pub mod base;

pub mod pins;

pub mod fetch;

pub mod verify;

pub mod unpack;

pub mod image;

pub mod build;

pub mod record;

pub mod pipeline;

pub mod compare;

pub mod update;

pub mod publish;

pub mod host;

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
