//! What every other module stands on: the cache folder, whole files, digests, listings of
//! folders, dates, targets and progress.

pub mod cache;
pub(crate) mod cpu;
pub mod date;
pub mod digest;
pub mod emulation;
mod line_error;
pub mod listing;
pub mod progress;
pub mod remove;
pub mod replace;
pub mod target;

pub use line_error::LineError;
