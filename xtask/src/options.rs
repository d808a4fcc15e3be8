//! Options that several verbs share, each group to be flattened where it is needed.

use std::path::PathBuf;

use clap::Args;

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
