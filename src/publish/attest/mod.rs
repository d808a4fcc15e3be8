//! Attestations: people who built an image state what they got and sign it, and others count
//! those who got the same.
//!
//! A statement follows in-toto's Statement v1 with SLSA's provenance v1 as its predicate. It
//! lies in `attestations/<release>/<fingerprint>.json`, and an armored OpenPGP signature over
//! its bytes beside it, in a file of that name with `.asc` behind. Who counts is said by
//! `keys/attesters/`: certificates and a `trust.toml`, as for sources.

mod error;
mod quorum;
mod sign;
mod statement;

pub use error::Error;
pub use quorum::{Attestation, Quorum, Says};
pub use sign::{Signed, sign};
pub use statement::{Site, Statement};
