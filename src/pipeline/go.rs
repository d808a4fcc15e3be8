//! Whether the Go that compiles for an image is what its signed source gives.

use super::{Error, Request, place_to_build, plan_of, verified_sources};
use crate::base::progress::Progress;
use crate::build::go::{Same, compared};
use crate::build::outputs::Store;
use crate::build::recipe::StepId;
use crate::build::sandbox::toolchain::Toolchain;
use crate::fetch;

/// Makes Go from its signed source, unless `store` has what came of it, and compares it with the
/// Go of the wheel that compiles on this machine.
///
/// # Errors
/// When it cannot be made, or is not the same.
pub fn go_from_source(
    request: &Request<'_>,
    options: &fetch::Options,
    store: &Store,
    progress: &dyn Progress,
) -> Result<Same, Error> {
    let choice = place_to_build(request, progress)?;
    let request = &Request {
        // Nothing of it is compiled with either compiler of C.
        toolchain: Toolchain::default(),
        ..request.at(&choice)
    };
    let plan = plan_of(request, &[request.target], &[StepId::GoFromSource])?;
    let sources = verified_sources(request, &plan, options, progress)?;
    let wanted: Vec<usize> = [StepId::Go, StepId::GoFromSource]
        .into_iter()
        .filter_map(|name| plan.place(name))
        .collect();
    let (built, timings) = request.build(&plan, &sources, &wanted, store, progress)?;
    let tree = |name| {
        let output = plan.place(name).and_then(|place| built.get(&place));
        output.map(|it| it.files().clone()).unwrap_or_default()
    };
    let version = plan.go().and_then(|go| go.source());
    let version = version.map_or("", |source| source.version.as_str());
    let same = compared(version, &tree(StepId::Go), &tree(StepId::GoFromSource))?;
    let mut steps = timings.steps.iter();
    let made = steps.find(|it| it.step == StepId::GoFromSource.as_str());
    Ok(Same {
        took: made.map(|it| it.wall),
        ..same
    })
}
