//! The record of a build: what went in, what each step gave, what came out, as digests that
//! anybody can rebuild and compare.

mod document;
mod error;
mod platforms;

pub use document::{ComponentRecord, Facts, ImageRecord, PinRecord, Record, ToolchainRecord};
pub use error::Error;
pub use platforms::{IndexRecord, Platforms};
