//! Whether the compiler for another machine gives the same bytes.

use std::sync::Arc;

use super::{Error, Request, place_to_build, plan_of, verdicts, verified_sources};
use crate::base::progress::Progress;
use crate::base::target::Target;
use crate::build::outputs::Store;
use crate::build::recipe::StepId;
use crate::build::sandbox::toolchain::Toolchain;
use crate::fetch;
use crate::pins::Manifest;

/// What is compiled: small, and yet of all kinds, with `configure` and without, and with assembly.
const COMPILED: [StepId; 3] = [StepId::Zlib, StepId::Zstd, StepId::Libevent];

/// The machine that this one is not.
pub fn other_machine() -> Target {
    match Target::usual() {
        Target::X86_64 => Target::Aarch64,
        Target::Aarch64 | Target::Riscv64 => Target::X86_64,
    }
}

/// Compiles zlib, zstd and libevent for every target with the wheel of the compiler for the other
/// machine, which this one must be able to run, and compares each with what the usual one gives;
/// what else they need is taken from the latter. What `store` has of it is not compiled again. Returns the
/// first file that differs, if one does.
///
/// # Errors
/// When something cannot be had or compiled.
pub fn by_other_machine(
    request: &Request<'_>,
    options: &fetch::Options,
    store: &Store,
    progress: &dyn Progress,
) -> Result<Option<String>, Error> {
    let choice = place_to_build(request, progress)?;
    let request = &Request {
        toolchain: Toolchain::Zig,
        ..request.at(&choice)
    };
    let plan = plan_of(request, &Target::ALL, &COMPILED)?;
    let mut sources = verified_sources(request, &plan, options, progress)?;
    let usual = Target::ALL
        .into_iter()
        .flat_map(|target| COMPILED.map(|name| (name, target)));
    let usual: Vec<usize> = usual
        .filter_map(|(name, target)| plan.place_for(name, target))
        .collect();
    let (ours, _) = request.build(&plan, &sources, &usual, store, progress)?;

    let manifest = Manifest::load(&request.project.join("sources.toml"))?;
    let compiler = manifest.on(other_machine().machine()).get("zig", None)?;
    let wanted = [Arc::clone(&compiler)];
    for (source, verdict) in verdicts(request.project, &wanted, options, progress)? {
        sources.insert(source.name.clone(), verdict?);
    }
    let (emulated, places) = plan.compiled_by(&compiler, &usual);
    let (theirs, _) = request.build(&emulated, &sources, &places, store, progress)?;

    for (usual, other) in usual.iter().zip(&places) {
        let step = &plan.steps[*usual];
        let (Some(ours), Some(theirs)) = (ours.get(usual), theirs.get(other)) else {
            continue;
        };
        let (ours, theirs) = (&ours.files().0, &theirs.files().0);
        let mut names = ours.keys().chain(theirs.keys());
        if let Some(name) = names.find(|name| ours.get(*name) != theirs.get(*name)) {
            return Ok(Some(format!("{}: {name}", plan.label(step))));
        }
    }
    Ok(None)
}
