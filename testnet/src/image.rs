//! The image, unpacked as an engine would, and a container's root made of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use fs_err as fs;
use serde_json::Value;

use crate::namespace::run;

/// Where the image expects what a relay brings with it.
const CONFIG: &str = "usr/local/etc/tor";
const DATA: &str = "tordata";

/// An unpacked image and what its config says.
#[derive(Debug)]
pub struct Image {
    root: PathBuf,
    config: Value,
}

/// A root of its own for one relay.
#[derive(Debug, Clone)]
pub struct Root {
    path: PathBuf,
    user: String,
    group: String,
    environment: Vec<String>,
}

impl Image {
    /// Unpacks the one image of an OCI layout into `root`.
    ///
    /// # Errors
    /// When the layout cannot be read.
    pub fn unpack(layout: &Path, root: &Path) -> Result<Self> {
        let blob = |descriptor: &Value| -> Result<PathBuf> {
            let digest = descriptor["digest"].as_str().context("no digest")?;
            Ok(layout.join("blobs").join(digest.replace(':', "/")))
        };
        let json = |path: &Path| -> Result<Value> {
            serde_json::from_slice(&fs::read(path)?)
                .with_context(|| format!("reading {}", path.display()))
        };
        let index = json(&layout.join("index.json"))
            .context("no image; `cargo xtask build-image` makes it")?;
        let manifest = json(&blob(&index["manifests"][0])?)?;
        let config = json(&blob(&manifest["config"])?)?["config"].take();
        fs::create_dir_all(root)?;
        for layer in manifest["layers"].as_array().into_iter().flatten() {
            let (root, layer) = (root.display().to_string(), blob(layer)?);
            let layer = layer.display().to_string();
            run("tar", &["--no-same-owner", "-C", &root, "-xzf", &layer])?;
        }
        for folder in ["proc", "dev", CONFIG, DATA] {
            fs::create_dir_all(root.join(folder))?;
        }
        Ok(Self {
            root: root.to_owned(),
            config,
        })
    }

    /// The command that starts a relay, less its arguments.
    pub fn entrypoint(&self) -> Vec<String> {
        strings(&self.config["Entrypoint"])
    }

    /// The command that asks whether a relay is well, if the image has one.
    pub fn health(&self) -> Option<Vec<String>> {
        let test = strings(&self.config["Healthcheck"]["Test"]);
        (test.first()? == "CMD").then(|| test[1..].to_vec())
    }

    /// Where a file of the image is on this machine.
    pub fn file(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A container's root, as `cargo xtask compose` asks for it: read-only but for the data.
    ///
    /// # Errors
    /// When it cannot be mounted.
    pub fn root(&self, place: &Path, config: &Path, data: &Path) -> Result<Root> {
        fs::create_dir_all(place)?;
        let bind = |from: &Path, to: &Path, how: &str| -> Result<()> {
            let (from, to) = (from.display().to_string(), to.display().to_string());
            run("mount", &["--rbind", &from, &to])?;
            run("mount", &["-o", how, &to]).map(drop)
        };
        bind(&self.root, place, "remount,bind,ro")?;
        bind(config, &place.join(CONFIG), "remount,bind,ro")?;
        bind(data, &place.join(DATA), "remount,bind,nosuid")?;
        for kernel in ["proc", "dev"] {
            let from = format!("/{kernel}");
            let to = place.join(kernel).display().to_string();
            run("mount", &["--rbind", &from, &to])?;
        }
        let user = self.config["User"].as_str().unwrap_or_default();
        let (user, group) = user.split_once(':').context("an image without a user")?;
        Ok(Root {
            path: place.to_owned(),
            user: user.to_owned(),
            group: group.to_owned(),
            environment: strings(&self.config["Env"]),
        })
    }
}

impl Root {
    /// A command inside, as the image's user and so without capabilities.
    pub fn command(&self, words: &[String]) -> Command {
        // By its path: the image's PATH is for the command inside.
        let mut command = Command::new("/usr/bin/unshare");
        command
            .arg("--user")
            .arg(format!("--map-user={}", self.user))
            .arg(format!("--map-group={}", self.group))
            .arg(format!("--root={}", self.path.display()))
            .args(["--wd=/", "--"])
            .args(words)
            .env_clear()
            .envs(
                self.environment
                    .iter()
                    .filter_map(|pair| pair.split_once('=')),
            );
        command
    }
}

fn strings(value: &Value) -> Vec<String> {
    let words = value.as_array().into_iter().flatten();
    words
        .filter_map(|word| Some(word.as_str()?.to_owned()))
        .collect()
}
