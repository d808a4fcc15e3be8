//! What steps promise to leave for the image and for other commands.

use super::step_id::StepId;

/// A file or a folder that a step leaves; a build without it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Artifact {
    /// The step.
    pub step: StepId,
    /// The path in its output.
    pub path: &'static str,
}

const fn artifact(step: StepId, path: &'static str) -> Artifact {
    Artifact { step, path }
}

impl Artifact {
    /// The program.
    pub const TOR: Self = artifact(StepId::Tor, "bin/tor");
    /// The table of IPv4 addresses and countries, from tor's sources.
    pub const GEOIP: Self = artifact(StepId::Tor, "share/tor/geoip");
    /// The table of IPv6 addresses and countries.
    pub const GEOIP6: Self = artifact(StepId::Tor, "share/tor/geoip6");
    /// What looks at tor's environment before it starts tor.
    pub const START: Self = artifact(StepId::Container, "bin/start");
    /// What the engine asks whether the relay is well.
    pub const HEALTH: Self = artifact(StepId::Container, "bin/health");
    /// nyx, which was once arm.
    pub const NYX: Self = artifact(StepId::Nyx, "bin/nyx");
    /// The folder with all that nyx reads.
    pub const NYX_LIBRARY: Self = artifact(StepId::Nyx, "lib/nyx");
    /// The program of the transport obfs4.
    pub const LYREBIRD: Self = artifact(StepId::Lyrebird, "bin/lyrebird");

    /// Every one above.
    const ALL: [Self; 8] = [
        Self::TOR,
        Self::GEOIP,
        Self::GEOIP6,
        Self::START,
        Self::HEALTH,
        Self::NYX,
        Self::NYX_LIBRARY,
        Self::LYREBIRD,
    ];

    /// The folder with the license texts of the source that a step compiles.
    pub const fn licenses(step: StepId) -> Self {
        artifact(step, "licenses")
    }

    /// What `step` promises, apart from license texts.
    pub fn of(step: StepId) -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(move |artifact| artifact.step == step)
    }
}
