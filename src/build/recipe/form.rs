//! What there is to say of a component.

use super::step_id::StepId;

/// How one component is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// The component.
    pub name: StepId,
    /// The name of its source in the manifest; none if all of its source is in `files`.
    pub source: Option<&'static str>,
    /// Files of ours that it needs, as (name, text); they are written to `/build/files`.
    pub files: &'static [(&'static str, &'static str)],
    /// The components it needs finished.
    pub needs: &'static [StepId],
    /// Whether it is for the machine that builds, whatever the image is for.
    pub native: bool,
    /// The components it needs finished for the machine that builds too, where the image is for
    /// another one. With the C library comes a compiler.
    pub cross: &'static [StepId],
    /// The script.
    pub script: &'static str,
}
