//! Where the container has a path.

use std::path::Path;

use crate::{CONFIG_DIRECTORY, DATA_DIRECTORY};

/// Where the container has a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lies {
    /// In the volume, which stays.
    Volume,
    /// In memory: it is there to be written, and empty at each start.
    Memory,
    /// A device.
    Device,
    /// In the configuration, which is read-only.
    Configuration,
    /// In the image, or nowhere.
    Outside,
}

/// A path without `.`, `..` and empty parts. A relative one begins at the root, where the
/// container starts tor.
pub(crate) fn whole(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Where the container has `path`.
pub(crate) fn lies(path: &str) -> Lies {
    let whole = whole(path);
    let whole = Path::new(&whole);
    if whole.starts_with(DATA_DIRECTORY) {
        Lies::Volume
    } else if whole.starts_with("/tmp") || whole.starts_with("/dev/shm") {
        Lies::Memory
    } else if whole.starts_with("/dev") || whole.starts_with("/proc/self/fd") {
        Lies::Device
    } else if whole.starts_with(CONFIG_DIRECTORY) {
        Lies::Configuration
    } else {
        Lies::Outside
    }
}
