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
pub mod job;
pub mod jobs;
mod mount;
pub mod namespaces;
pub mod root;
pub mod toolchain;

pub use ask::{ProgramOutput, ask};
pub use error::Error;
pub use job::{Job, Limits, Sandbox, Used};
pub use mount::Mount;
pub use namespaces::enter;
