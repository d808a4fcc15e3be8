//! `fetch`: the pinned sources into the cache, and nothing else.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use relaysmith::fetch::{Availability, Fetched, Location, Options, survey};
use relaysmith::pins::Source;
use relaysmith::pipeline;
use serde_json::json;

use crate::build_image::Build;
use crate::options::repository;
use crate::ui::{self, Ui};

/// The arguments of `fetch`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    build: Build,
    /// What to fetch: names from sources.toml, `name@version`, or `all` [default: what the image is
    /// built from].
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Download each from all of its origins, keep nothing, and fail unless all deliver the pinned
    /// bytes
    #[arg(long, conflicts_with_all = ["offline", "source_dir", "cache_dir"])]
    check_origins: bool,
}

/// Fetches, and prints what is where.
pub(crate) fn run(args: &Args, ui: &Ui) -> Result<ExitCode> {
    let wanted = wanted(&args.build, &args.names)?;
    let options = args.build.sources.options()?;
    if args.check_origins {
        return check_origins(&wanted, options, ui);
    }
    let fetched = pipeline::fetched(repository(), &wanted, &options, ui)?;
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

/// Asks every origin, and prints what each did.
fn check_origins(wanted: &[Arc<Source>], options: Options, ui: &Ui) -> Result<ExitCode> {
    let answers = survey(wanted, options, ui)?;
    let silent = answers.iter().filter(|it| it.delivered.is_err()).count();
    if ui.wants_json() {
        ui.json(&answers.iter().map(answered).collect::<Vec<_>>())?;
    } else {
        let row = |answer: &Availability| {
            let Source { name, version, .. } = &*answer.source;
            let (origin, outcome) = (origins(answer), outcome(answer));
            [name.clone(), version.clone(), origin, outcome]
        };
        let rows: Vec<_> = answers.iter().map(row).collect();
        ui.table(["name", "version", "origin", "answer"], &rows)?;
    }
    ui.say(&format!(
        "{} of {} origins deliver the pinned bytes",
        answers.len() - silent,
        answers.len()
    ));
    Ok(match silent {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn origins(answer: &Availability) -> String {
    let origins: Vec<String> = answer.origins.iter().map(ToString::to_string).collect();
    origins.join(" or ")
}

fn outcome(answer: &Availability) -> String {
    match &answer.delivered {
        Ok(place) => format!("delivered by {}", place.brief()),
        Err(attempts) => {
            let reasons: Vec<String> = attempts.iter().map(|it| it.reason.to_string()).collect();
            reasons.join("; ")
        }
    }
}

fn answered(answer: &Availability) -> serde_json::Value {
    json!({
        "name": answer.source.name,
        "version": answer.source.version,
        "origin": origins(answer),
        "delivered": answer.delivered.is_ok(),
        "answer": outcome(answer),
    })
}

/// The sources that are meant by `names`, in the versions asked for.
pub(crate) fn wanted(build: &Build, names: &[String]) -> Result<Vec<Arc<Source>>> {
    if names.is_empty() {
        let mut sources = pipeline::plan(&build.request())?.sources();
        sources.sort_by(|a, b| a.name.cmp(&b.name));
        return Ok(sources);
    }
    let manifest = build.sources.manifest()?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let names = match &names[..] {
        ["all"] => manifest.names(),
        _ => names,
    };
    let pinned = |name: &str| match name.split_once('@') {
        Some((name, version)) => manifest.get(name, Some(version)),
        None => manifest.get(name, build.sources.version(name)),
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
            .map_or_else(|| "cache".to_owned(), Location::brief),
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
