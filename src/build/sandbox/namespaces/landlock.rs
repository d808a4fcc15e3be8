//! A second fence around files, for the day on which the mounts have a hole: the kernel's
//! Landlock, where it has it (5.13 on).

use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, Scope, path_beneath_rules,
};

use super::failure::{Failure, Trying as _};
use super::spec::Spec;

/// The newest rules that are asked for; an older kernel keeps those that it knows.
const NEWEST: ABI = ABI::V6;

/// From here on: everything may be read and executed, `/build`, `/tmp` and what else was given
/// as writable may be changed, and nothing outside can be sent a signal.
pub(super) fn restrict(spec: &Spec) -> Result<(), Failure> {
    let all = AccessFs::from_all(NEWEST);
    let writable = (spec.binds.iter())
        .filter(|bind| bind.writable)
        .map(|bind| bind.inside.as_str())
        .chain(["/tmp", "/dev/shm"]);
    let rules = || -> Result<_, landlock::RulesetError> {
        let mut rules = Ruleset::default()
            .handle_access(all)?
            .scope(Scope::AbstractUnixSocket | Scope::Signal)?
            .create()?
            .add_rules(path_beneath_rules(["/"], AccessFs::from_read(NEWEST)))?;
        for device in ["/dev/null", "/dev/zero", "/dev/full"] {
            rules = rules.add_rules(path_beneath_rules([device], AccessFs::WriteFile))?;
        }
        rules
            .add_rules(path_beneath_rules(writable, all))?
            .restrict_self()
    };
    rules().trying("landlock").map(drop)
}

/// Whether this kernel has Landlock, which only a try can tell.
pub(crate) fn is_there() -> bool {
    let rules = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let first = AccessFs::from_all(ABI::V1);
    rules.handle_access(first).and_then(Ruleset::create).is_ok()
}
