//! Processor time, as getrusage(2) counts it.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

/// That of this process.
pub(crate) fn of_this_process() -> Duration {
    of(UsageWho::RUSAGE_SELF)
}

/// That of the processes that this one waited for, and of those that they waited for.
pub(crate) fn of_children() -> Duration {
    of(UsageWho::RUSAGE_CHILDREN)
}

fn of(who: UsageWho) -> Duration {
    getrusage(who).map_or(Duration::ZERO, |used| {
        let micros = (used.user_time() + used.system_time()).num_microseconds();
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    })
}
