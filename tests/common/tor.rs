//! The tor that tests ask.

use std::path::{Path, PathBuf};

use relaysmith::base::cache::Cache;
use relaysmith::base::target::Target;
use relaysmith::build::outputs::Store;
use relaysmith::build::recipe::Artifact;
use relaysmith::build::sandbox::engine::Engine;
use relaysmith::build::sandbox::toolchain::Toolchain;
use relaysmith::image::Variant;
use relaysmith::pipeline::{self, Request};
use torrc::UID;

/// The tor that the image has, if it is built.
pub(crate) fn tor() -> Option<PathBuf> {
    let request = Request {
        project: Path::new(env!("CARGO_MANIFEST_DIR")),
        tor_version: None,
        target: Target::native()?,
        variant: Variant::Relay,
        uid: UID,
        jobs: 1,
        engine: Engine::Namespaces,
        root: None,
        toolchain: Toolchain::default(),
    };
    let store = Store::open(Cache::open(None).ok()?.root()).ok()?;
    pipeline::built(&request, &store, Artifact::TOR).ok()?
}
