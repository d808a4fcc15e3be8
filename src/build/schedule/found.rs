//! What is built already.

use std::collections::BTreeMap;

use crate::build::outputs::{Built, Error, Store};
use crate::build::parallel;
use crate::build::plan::Plan;

/// What the store holds of what is wanted, and what is missing.
#[derive(Debug)]
pub struct Found {
    /// The places of the steps that are wanted.
    pub(super) wanted: Vec<usize>,
    /// The steps that each step needs.
    pub(super) before: Vec<Vec<usize>>,
    /// By place, the outputs that are there.
    pub(super) built: Vec<Option<Built>>,
    /// By place, whether a step has to be made.
    pub(super) missing: Vec<bool>,
}

impl Found {
    pub(super) fn read(plan: &Plan, store: &Store, wanted: &[usize]) -> Result<Self, Error> {
        let steps = &plan.steps;
        let before: Vec<Vec<usize>> = steps
            .iter()
            .map(|step| step.needs.iter().chain(&step.root).copied().collect())
            .collect();
        let wants = (0..steps.len()).map(|step| wanted.contains(&step));
        let find = |step: usize| store.find(&steps[step]);
        let (built, missing) = parallel::missing(&before, &wants.collect::<Vec<_>>(), find)?;
        Ok(Self {
            wanted: wanted.to_vec(),
            before,
            built,
            missing,
        })
    }

    /// The outputs that are wanted, by place, if none is missing.
    ///
    /// # Errors
    /// What there is, otherwise.
    pub fn whole(self) -> Result<BTreeMap<usize, Built>, Self> {
        match self.missing.contains(&true) {
            true => Err(self),
            false => Ok(those(self.built, &self.wanted)),
        }
    }
}

/// The outputs at the places `wanted`.
pub(super) fn those(built: Vec<Option<Built>>, wanted: &[usize]) -> BTreeMap<usize, Built> {
    let outputs = built.into_iter().enumerate();
    let outputs = outputs.filter_map(|(place, built)| Some((place, built?)));
    outputs
        .filter(|(place, _)| wanted.contains(place))
        .collect()
}
