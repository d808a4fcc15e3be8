//! `fetch`: the pinned sources into the cache, and nothing else.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use relaysmith::source::{Fetched, Manifest, Place, Source, fetch};
use serde_json::json;

use crate::options::Sources;
use crate::ui::{self, Ui};

/// What a relay is built from, the compiler included.
const RELAY: [&str; 6] = ["libevent", "openssl", "tor", "zig", "zlib", "zstd"];

/// The arguments of `fetch`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    sources: Sources,
    /// What to fetch: names from sources.toml, `name@version`, or `all` [default: what a
    /// relay is built from]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// Fetches, and prints what is where.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let manifest = args.sources.manifest()?;
    let wanted = wanted(&manifest, &args.sources, &args.names)?;
    let fetched = fetch(&wanted, &args.sources.options()?, ui)?;
    if ui.wants_json() {
        ui.json(&fetched.iter().map(described).collect::<Vec<_>>())?;
    } else {
        ui.table(
            ["name", "version", "size", "from"],
            &fetched.iter().map(row).collect::<Vec<_>>(),
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The sources that are meant by `names`, in the versions asked for.
pub(crate) fn wanted(
    manifest: &Manifest,
    options: &Sources,
    names: &[String],
) -> Result<Vec<Arc<Source>>> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let names = match &names[..] {
        [] => RELAY.to_vec(),
        ["all"] => manifest.names(),
        _ => names,
    };
    let pinned = |name: &str| match name.split_once('@') {
        Some((name, version)) => manifest.get(name, Some(version)),
        None => manifest.get(name, options.version(name)),
    };
    Ok(names.into_iter().map(pinned).collect::<Result<_, _>>()?)
}

fn size(fetched: &Fetched) -> u64 {
    // Hashed a moment ago; that it has gone since is no reason to fail.
    fetched
        .path()
        .metadata()
        .map_or(0, |metadata| metadata.len())
}

fn row(fetched: &Fetched) -> [String; 4] {
    let source = fetched.source();
    [
        source.name.clone(),
        source.version.clone(),
        ui::bytes(size(fetched)),
        fetched
            .from()
            .map_or_else(|| "cache".to_owned(), Place::brief),
    ]
}

fn described(fetched: &Fetched) -> serde_json::Value {
    let source = fetched.source();
    json!({
        "name": source.name,
        "version": source.version,
        "file": source.file,
        "digest": source.digest,
        "size": size(fetched),
        "path": fetched.path(),
        "from": fetched.from().map(ToString::to_string),
    })
}
