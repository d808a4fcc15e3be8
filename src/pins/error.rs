//! Every way in which a manifest is wrong, or lacks what is asked for.

use std::fmt;
use std::io;

use crate::base::LineError;

/// Why there is no pin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The manifest says something that cannot stand; all findings at once.
    #[error("{}", lines(.0))]
    Manifest(Vec<LineError>),

    /// Nothing of that name is pinned.
    #[error("no source named `{name}` is pinned; there are {}", listed(known))]
    NotPinned {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },

    /// The name is pinned, but not in that version.
    #[error("{name} {version} is not pinned; pinned versions: {}", pinned.join(", "))]
    VersionNotPinned {
        /// The component.
        name: String,
        /// The version asked for.
        version: String,
        /// The versions there are, the default one marked.
        pinned: Vec<String>,
    },

    /// What is pinned runs on other machines only.
    #[error("{name} {version} is not pinned for {machine}; pinned for {}", pinned.join(", "))]
    MachineNotPinned {
        /// The component.
        name: String,
        /// Its version.
        version: String,
        /// The machine at hand, in the words of `uname -m`.
        machine: String,
        /// The machines there are.
        pinned: Vec<String>,
    },

    /// Debian's packages are for machines of another kind.
    #[error("Debian's clang {version} is pinned for {pinned}, and this machine is {machine}")]
    DebianForOther {
        /// Its version.
        version: String,
        /// The machine that it runs on, in the words of `uname -m`.
        pinned: String,
        /// The machine at hand.
        machine: String,
    },

    /// The manifest cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Error {
    /// What fixes it, where something does.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::VersionNotPinned { name, .. } => Some(format!(
                "choose one of these, or add a `[[source]]` for {name} with its digest to sources.toml"
            )),
            Self::DebianForOther { .. } => Some(
                "leave `--toolchain debian` out: the usual compiler gives the same bytes, and is \
                 pinned for aarch64 too"
                    .to_owned(),
            ),
            Self::Manifest(_)
            | Self::NotPinned { .. }
            | Self::MachineNotPinned { .. }
            | Self::Io(_) => None,
        }
    }
}

fn lines(items: &[impl fmt::Display]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join("\n")
}

fn listed(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
