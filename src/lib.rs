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
//! reach a compiler, because it does not type-check.

pub mod cache;
pub mod date;
pub mod digest;
pub mod progress;
pub mod replace;
pub mod target;

pub mod source;

pub mod trust;

pub mod unpack;

pub mod patch;

pub mod recipe;

pub mod plan;

pub mod builder;

pub mod store;

pub mod build;

pub mod image;

pub mod record;

pub mod diff;

pub mod relay;

pub mod doctor;

pub mod flow;

pub mod sbom;

pub mod attest;

pub mod update;

pub mod release;

pub mod vary;
