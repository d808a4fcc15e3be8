//! What is asked of a plan.

use std::path::Path;
use std::sync::Arc;

use crate::base::target::Target;
use crate::build::recipe::StepId;
use crate::build::sandbox::root::Userland;
use crate::pins::Source;
use crate::pins::debian::Packages;

/// What is to be planned.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    /// The components.
    pub wanted: &'a [StepId],
    /// What they are to run on.
    pub targets: &'a [Target],
    /// What programs run on the machine that builds.
    pub native: Target,
    /// Whose programs the steps use.
    pub userland: &'a Userland,
    /// Pins that records and SBOMs name, in place of those of the same names for this machine.
    pub named: Vec<Arc<Source>>,
    /// The packages with the compiler, in place of the usual one.
    pub packages: Option<Packages>,
    /// The folder of the project: patches are read from `patches/<component>/` in it.
    pub project: &'a Path,
}
