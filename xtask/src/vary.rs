//! `verify --vary`: builds again where all is different that must not matter, and says of each
//! difference whether the image is still the recorded one.

use std::cell::LazyCell;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::Result;
use relaysmith::base::emulation::emulates;
use relaysmith::build::outputs::Store;
use relaysmith::build::sandbox::root::Userland;
use relaysmith::build::sandbox::toolchain::Toolchain;
use relaysmith::compare::Item;
use relaysmith::compare::vary::{self, Site, Variation, Wanted};
use relaysmith::fetch;
use relaysmith::pipeline::{self, Request};
use relaysmith::record::Record;
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::build_image::{Build, recorded};
use crate::exit::{ABSENT, DIFFERENT};
use crate::options::no_record;
use crate::options::repository;
use crate::ui::Ui;

/// Whose programs a build with variations uses if not the host's.
const ALPINE: Userland = Userland::Alpine { version: None };

/// Builds, and prints what was found of each variation.
pub(crate) fn run(wanted: &Wanted, build: &Build, ui: &Ui) -> Result<ExitCode> {
    let options = build.sources.options()?;
    build.one_target()?;
    let request = build.request();
    let plan = pipeline::plan(&request)?;
    let path = Record::path(&plan.tor.version, request.target);
    if recorded(&plan.tor.version, request.target, request.variant)?.is_none() {
        ui.data(&no_record(&path))?;
        return Ok(ExitCode::from(ABSENT));
    }
    pipeline::verified_sources(&request, &plan, &options, ui)?;

    let workspace = Store::open(options.cache.root())?.workspace()?;
    let site = Site::new(workspace.path())?;
    let downloads = options.cache.directory("downloads")?;
    let program = std::env::current_exe()?;
    // The last is what a user needs to make namespaces.
    let needed = [
        &repository().join("hashes"),
        &program,
        Path::new("/proc/self/uid_map"),
    ];
    // Its sources: several variations need them, and they may have to be fetched.
    let alpine = LazyCell::new(|| alpine(&request, &options, ui));
    let debian = LazyCell::new(|| debian(&request, &options, ui));
    let works = |variation: &'static Variation| {
        if variation.is_emulated() {
            return emulates(pipeline::other_machine());
        }
        let engine = variation.engine().unwrap_or(request.engine);
        let root = match variation.needs_alpine() {
            true => Some(ALPINE),
            false => request.root.clone(),
        };
        if variation.name == "toolchain" {
            debian.as_ref().map_err(|error| error.to_string())?;
        }
        engine.choose(root).map_err(|error| error.to_string())?;
        if variation.needs_alpine() {
            alpine.as_ref().map_err(|error| error.to_string())?;
        }
        site.probe(variation, &needed)
    };
    let findings = vary::judge(&wanted.0, works, |variations| {
        if variations.iter().any(|it| it.is_emulated()) {
            ui.say("compiling under emulation, unless it was done before");
            let store = Store::open(options.cache.root()).map_err(io::Error::other)?;
            let found = pipeline::by_other_machine(&request, &options, &store, ui);
            return found.map_err(io::Error::other);
        }
        let names: Vec<&str> = variations.iter().map(|it| it.name).collect();
        ui.say(&match names[..] {
            [] => "building without any variation".to_owned(),
            _ => format!("building with {}", names.join(", ")),
        });
        let arguments = arguments(build, variations, ui);
        let mut command = site.command(variations, &downloads, &program, &arguments)?;
        difference(&mut command)
    })?;

    if ui.wants_json() {
        let described = findings.iter().map(|(variation, outcome)| {
            json!({
                "variation": variation.name,
                "what": variation.what,
                "outcome": outcome.word().to_lowercase(),
                "why": outcome.why(),
            })
        });
        ui.json(&json!({ "record": path, "variations": described.collect::<Vec<_>>() }))?;
    } else {
        let rows: Vec<_> = findings
            .iter()
            .map(|(variation, outcome)| {
                let why = outcome
                    .why()
                    .map_or(String::new(), |why| format!(": {why}"));
                [
                    variation.name.to_owned(),
                    variation.what.to_owned(),
                    format!("{}{why}", outcome.word()),
                ]
            })
            .collect();
        ui.table(
            ["variation", "this time", "the image is the recorded one"],
            &rows,
        )?;
    }
    Ok(match findings.iter().any(|(_, outcome)| outcome.failed()) {
        false => ExitCode::SUCCESS,
        true => ExitCode::from(DIFFERENT),
    })
}

/// Fetches and verifies what a build in Alpine's root needs.
fn alpine(request: &Request<'_>, options: &fetch::Options, ui: &Ui) -> Result<(), pipeline::Error> {
    let request = &Request {
        root: Some(ALPINE),
        ..request.clone()
    };
    pipeline::verified_sources(request, &pipeline::plan(request)?, options, ui)?;
    Ok(())
}

/// Fetches and verifies Debian's compiler.
fn debian(request: &Request<'_>, options: &fetch::Options, ui: &Ui) -> Result<(), pipeline::Error> {
    let request = &Request {
        toolchain: Toolchain::Debian,
        ..request.clone()
    };
    pipeline::verified_sources(request, &pipeline::plan(request)?, options, ui)?;
    Ok(())
}

/// The arguments of a build that is as `build` says but for `variations`.
fn arguments(build: &Build, variations: &[&Variation], ui: &Ui) -> Vec<OsString> {
    let varied = |name| {
        variations
            .iter()
            .any(|it| it.option.is_some_and(|it| it.0 == name))
    };
    let in_container = variations.iter().any(|it| it.engine().is_some());
    let mut options = vec![
        ("--cache-dir", "cache".to_owned()),
        ("--target", build.targets()[0].to_string()),
        ("--uid", build.uid.to_string()),
    ];
    if !in_container {
        options.push(("--engine", build.engine.to_string()));
    }
    let root = build
        .root
        .as_ref()
        .filter(|_| !in_container && !varied("--root"));
    options.extend(root.map(|root| ("--root", root.to_string())));
    if !varied("--toolchain") {
        options.push(("--toolchain", build.toolchain.to_string()));
    }
    let jobs = build.jobs.filter(|_| !varied("--jobs"));
    options.extend(jobs.map(|jobs| ("--jobs", jobs.to_string())));
    let tor = build.sources.tor_version.clone();
    options.extend(tor.map(|version| ("--tor-version", version)));

    let mut arguments: Vec<OsString> = ["verify", "--json", "--offline"].map(Into::into).into();
    arguments.extend(build.without_arm.then(|| "--without-arm".into()));
    let with = build
        .with
        .iter()
        .flat_map(|it| ["--with".into(), it.into()]);
    arguments.extend(with);
    // No variation is about it, and it would be made anew each time.
    let only_the_image = "--without-go-from-source";
    arguments.extend(build.with.is_some().then(|| only_the_image.into()));
    arguments.extend(ui.is_quiet().then(|| "--quiet".into()));
    for (name, value) in options {
        arguments.extend([name.into(), value.into()]);
    }
    arguments
}

/// Runs a build that compares itself with the record: how it differs, if it does.
fn difference(command: &mut Command) -> io::Result<Option<String>> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if output.status.success() {
        return Ok(None);
    }
    if output.status.code() != Some(i32::from(DIFFERENT)) {
        return Ok(Some(format!("it does not build ({})", output.status)));
    }
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let first = Item::deserialize(&report["comparison"]["first"])?;
    Ok(Some(first.subject()))
}
