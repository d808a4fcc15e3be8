//! Options that several subcommands share, each group to be flattened where it is needed.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use relaysmith::base::cache::Cache;
use relaysmith::base::target::Target;
use relaysmith::build::outputs::Store;
use relaysmith::build::recipe::Artifact;
use relaysmith::build::sandbox::engine::Engine;
use relaysmith::build::sandbox::toolchain::Toolchain;
use relaysmith::fetch;
use relaysmith::image::Variant;
use relaysmith::pins::Manifest;
use relaysmith::pipeline::{self, Request};
use relaysmith::update::{self, EndOfLife};
use torrc::UID;

/// Reads one of some names, and says which of them a mistyped one is like.
pub(crate) fn one_of<T>(names: &[&'static str]) -> impl TypedValueParser<Value = T> + use<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}

/// How much is said, and for whom. Global: every subcommand takes these.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Output {
    /// Print JSON to standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print only results and errors
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print more about each step
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
}

/// Where downloads come from and where they are kept.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Sources {
    /// Keep downloads and outputs in this directory [default: $RELAYSMITH_CACHE, or
    /// `relaysmith` in the user's cache directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Look for source files in this directory first
    #[arg(long, value_name = "DIR")]
    pub(crate) source_dir: Option<PathBuf>,
    /// Do not use the network: fail at once and name everything that is missing
    #[arg(long)]
    pub(crate) offline: bool,
    /// The version of tor, out of those pinned in sources.toml [default: the one marked there]
    #[arg(long, value_name = "VERSION")]
    pub(crate) tor_version: Option<String>,
}

impl Sources {
    /// The manifest of this repository.
    pub(crate) fn manifest(&self) -> anyhow::Result<Manifest> {
        Ok(Manifest::load(&repository().join("sources.toml"))?)
    }

    /// The version of `name` that was asked for, if any was.
    pub(crate) fn version(&self, name: &str) -> Option<&str> {
        self.tor_version.as_deref().filter(|_| name == "tor")
    }

    /// What fetching needs to know.
    pub(crate) fn options(&self) -> anyhow::Result<fetch::Options> {
        let cache = Cache::open(self.cache_dir.as_deref())?;
        Ok(fetch::Options {
            source_dir: self.source_dir.clone(),
            offline: self.offline,
            ..fetch::Options::new(cache)
        })
    }
}

/// Whether the series of this tor has ended, by `tor-series.toml`.
pub(crate) fn past_end_of_life(
    version: &str,
    now: SystemTime,
) -> anyhow::Result<Option<EndOfLife>> {
    let table = repository().join("tor-series.toml");
    Ok(update::end_of_life(&table, version, now)?)
}

/// The root of this repository, where the pins, keys, patches and records are. Outside of every
/// clone it is the working directory, where they are not.
pub(crate) fn repository() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| clone().unwrap_or_else(|| PathBuf::from(".")))
}

/// The clone that the working directory or else this program is in, so that neither a clone that
/// was moved nor a program that was copied looks at another.
pub(crate) fn clone() -> Option<PathBuf> {
    let here = std::env::current_dir().ok();
    let program = std::env::current_exe().ok();
    let places = here.into_iter().chain(program);
    let root = |place: PathBuf| {
        let mut above = place.ancestors();
        above.find(|root| is_clone(root)).map(Path::to_owned)
    };
    places.into_iter().find_map(root)
}

fn is_clone(root: &Path) -> bool {
    root.join("sources.toml").is_file() && root.join("keys/trust.toml").is_file()
}

/// What to do outside of every clone.
pub(crate) const NO_CLONE: &str = "neither this directory nor this program is in a clone of \
    relaysmith, whose pins and keys are needed: change to the clone, then run `cargo xtask ...`";

/// Where a program of the relay's image is that was built on this machine, if it was.
pub(crate) fn built(artifact: Artifact) -> anyhow::Result<Option<PathBuf>> {
    if clone().is_none() {
        anyhow::bail!(NO_CLONE);
    }
    let request = Request {
        project: repository(),
        tor_version: None,
        target: Target::usual(),
        variant: Variant::Relay,
        uid: UID,
        jobs: 1,
        engine: Engine::Namespaces,
        root: None,
        toolchain: Toolchain::default(),
    };
    let store = Store::open(Cache::open(None)?.root())?;
    Ok(pipeline::built(&request, &store, artifact)?)
}

/// That there is nothing to compare with.
pub(crate) fn no_record(path: &Path) -> String {
    format!("there is no record of it in {}", path.display())
}

/// What is known against `version`, a sentence each.
pub(crate) fn faults(version: &str, now: SystemTime) -> anyhow::Result<Vec<String>> {
    const UPDATE: &str = "`cargo xtask update` looks for a newer one";
    let ended = past_end_of_life(version, now)?;
    let mut faults: Vec<String> = ended.iter().map(|end| format!("{end}; {UPDATE}")).collect();
    let known = update::vulnerabilities(&repository().join("tor-series.toml"), version)?;
    let known = known.iter();
    faults.extend(
        known.map(|one| format!("tor {version} is known to be vulnerable: {one}; {UPDATE}")),
    );
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_clone() {
        let here = clone().unwrap();
        assert!(is_clone(&here));
        assert!(!is_clone(&here.join("keys")));
    }
}
