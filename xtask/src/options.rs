//! Options that several verbs share, each group to be flattened where it is needed.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use relaysmith::cache::Cache;
use relaysmith::source::{self, Manifest};
use relaysmith::update::{self, EndOfLife};

/// How much is said, and for whom. Global: every verb takes these.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Output {
    /// Print data for machines to standard output
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but results and errors
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more about each step
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
    /// Use no network: fail at once, naming all that is missing
    #[arg(long)]
    pub(crate) offline: bool,
    /// Tor's version, one of those pinned in sources.toml [default: the one marked there]
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
    pub(crate) fn options(&self) -> anyhow::Result<source::Options> {
        let cache = Cache::open(self.cache_dir.as_deref())?;
        Ok(source::Options {
            source_dir: self.source_dir.clone(),
            offline: self.offline,
            ..source::Options::new(cache)
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

/// The root of this repository, where the pins, keys, patches and records are.
pub(crate) fn repository() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}
