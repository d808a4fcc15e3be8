//! The image config (OCI image specification 1.1, `config.md`), fields in the order given there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{About, Error, IMAGE_FORMAT, Layer, LayerDigests};
use crate::base::date::rfc3339;
use crate::base::digest::Digest;

/// A second in the unit of [`Healthcheck`].
pub const SECOND: u64 = 1_000_000_000;

/// How the engine asks whether the relay is well: Docker's extension of the config, which
/// podman reads too. Times are in nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Healthcheck {
    /// `CMD` and the command with its arguments: there is no shell for `CMD-SHELL`.
    pub test: Vec<String>,
    /// From one question to the next.
    pub interval: u64,
    /// How long an answer may take.
    pub timeout: u64,
    /// How long failures do not count after the start.
    pub start_period: u64,
    /// After how many failures in a row it is unwell.
    pub retries: u32,
}

impl Default for Healthcheck {
    /// The image's own.
    fn default() -> Self {
        Self {
            test: vec!["CMD".to_owned(), "relay-health".to_owned()],
            interval: 60 * SECOND,
            // It answers within 27 seconds, whatever tor does, and at once where bytes arrive.
            timeout: 30 * SECOND,
            // As long as it says `starting` itself.
            start_period: 20 * 60 * SECOND,
            retries: 3,
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct ImageConfig {
    created: String,
    architecture: String,
    os: String,
    config: Config,
    rootfs: RootFs,
    history: Vec<History>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    user: String,
    exposed_ports: BTreeMap<String, Nothing>,
    env: Vec<String>,
    entrypoint: Vec<String>,
    volumes: BTreeMap<String, Nothing>,
    working_dir: String,
    labels: BTreeMap<String, String>,
    stop_signal: String,
    healthcheck: Healthcheck,
}

/// `{}`, the value of what is a set in truth.
#[derive(Debug, Serialize)]
struct Nothing {}

#[derive(Debug, Serialize)]
struct RootFs {
    r#type: &'static str,
    diff_ids: Vec<Digest>,
}

#[derive(Debug, Serialize)]
struct History {
    created: String,
    created_by: String,
    /// The name of the layer: the one place for it that survives a push to a registry.
    comment: String,
}

/// What is read back of a config, which another program may have written.
#[derive(Debug, Deserialize)]
pub(super) struct Layers {
    rootfs: DiffIds,
    #[serde(default)]
    history: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct DiffIds {
    diff_ids: Vec<Digest>,
}

#[derive(Debug, Deserialize)]
struct Step {
    #[serde(default)]
    comment: String,
    #[serde(default)]
    empty_layer: bool,
}

impl Layers {
    /// The name and the `diff_id` of each layer; `layer 1` where none is given.
    pub(super) fn each(self) -> impl Iterator<Item = (String, Digest)> {
        let mut steps = self.history.into_iter().filter(|step| !step.empty_layer);
        self.rootfs
            .diff_ids
            .into_iter()
            .zip(1..)
            .map(move |(diff_id, number)| {
                let name = steps.next().map(|step| step.comment).unwrap_or_default();
                match name.is_empty() {
                    true => (format!("layer {number}"), diff_id),
                    false => (name, diff_id),
                }
            })
    }
}

impl ImageConfig {
    pub(super) fn new(
        about: &About,
        layers: &[Layer],
        written: &[LayerDigests],
    ) -> Result<Self, Error> {
        let uid = about.user()?;
        let created = rfc3339(about.epoch);
        let set = |values: &[&str]| {
            values
                .iter()
                .map(|&value| (value.into(), Nothing {}))
                .collect()
        };
        let mut env = vec![
            "PATH=/usr/local/sbin:/usr/local/bin".to_owned(),
            // Where `/etc/passwd` puts tor's user, said for any other that `--user` names, too.
            "HOME=/tordata".to_owned(),
        ];
        if about.variant.has_arm() {
            // Engines say `xterm`, which has no colours; arm's curses know this one by heart.
            env.push("TERM=xterm-256color".to_owned());
        }
        let history = layers.iter().map(|layer| History {
            created: created.clone(),
            created_by: format!(
                "relaysmith, image format {IMAGE_FORMAT}: {}",
                layer.created_by
            ),
            comment: layer.name.clone(),
        });
        Ok(Self {
            created: created.clone(),
            architecture: about.target.oci_architecture().to_owned(),
            os: "linux".to_owned(),
            config: Config {
                user: format!("{uid}:{uid}"),
                exposed_ports: set(&["9001/tcp"]),
                env,
                entrypoint: vec!["tor".to_owned()],
                volumes: set(&["/tordata", "/usr/local/etc/tor"]),
                // Not `/tordata`: where that may not be entered, the engine would fail with a
                // message of its own before tor could say what is wrong with the volume.
                working_dir: "/".to_owned(),
                labels: about.labels().collect(),
                // tor writes its state and leaves at once. At SIGINT a relay first waits
                // ShutdownWaitLength, 30 seconds unless set, and engines kill after 10: whoever
                // wants the polite way sets the signal and the time together.
                stop_signal: "SIGTERM".to_owned(),
                healthcheck: Healthcheck::default(),
            },
            rootfs: RootFs {
                r#type: "layers",
                diff_ids: written.iter().map(|layer| layer.diff_id).collect(),
            },
            history: history.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_have_names_whoever_wrote_the_config() {
        let digest = Digest::sha256(b"");
        for (history, names) in [
            ("", ["layer 1", "layer 2"]),
            (r#", "history": []"#, ["layer 1", "layer 2"]),
            (
                r#", "history": [{"comment": "geoip"}, {"created_by": "ENV", "empty_layer": true}, {"comment": "tor"}]"#,
                ["geoip", "tor"],
            ),
            (
                r#", "history": [{"created_by": "COPY"}, {"comment": "tor"}]"#,
                ["layer 1", "tor"],
            ),
        ] {
            let text = format!(
                r#"{{"os": "linux", "rootfs": {{"type": "layers", "diff_ids": ["{digest}", "{digest}"]}}{history}}}"#
            );
            let layers: Layers = serde_json::from_str(&text).unwrap();
            let found: Vec<_> = layers.each().map(|(name, _)| name).collect();
            assert_eq!(found, names);
        }
    }
}
