//! Where a build command runs: the [`Sandbox`] seam, its engines, the root file system
//! it sees and the pinned compiler.
//!
//! Inside, everything that could reach the bytes is fixed: the paths (`/build`,
//! `/toolchain`, `/tools`), the user, the host name, the environment. There is no
//! network: a build that tries it fails.

mod ask;
pub mod containers;
pub mod elf;
pub mod engine;
mod error;
pub mod jobs;
pub mod namespaces;
pub mod root;
pub mod sandbox;
pub mod toolchain;

pub use ask::{Answer, ask};
pub use error::Error;
pub use sandbox::{Job, Limits, Mount, Sandbox};

/// The user and group inside; outside they are whoever runs the build.
const USER: u32 = 1000;
/// The host name inside.
const HOST_NAME: &str = "relaysmith";
