//! Trust, as a reader of the specification would try it: material made for each case, and
//! the real certificates and signatures.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod dsc;
mod files;
mod material;
mod real;
mod report;
mod signatures;
mod tag;
mod tag_lies;
mod twins;
