//! How long the steps of a build took, and what the whole of it waited for.

use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

use crate::base::cpu;

/// A step that was made. In JSON, times are in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timing {
    /// The step; with what it is for, if there were steps for several machines.
    pub step: String,
    /// When it began, counted from the beginning of the build.
    #[serde(serialize_with = "seconds")]
    pub begun: Duration,
    /// How long it took by the clock.
    #[serde(serialize_with = "seconds")]
    pub wall: Duration,
    /// The processor time of its commands, where the engine can tell.
    #[serde(serialize_with = "maybe_seconds")]
    pub cpu: Option<Duration>,
    /// The steps whose outputs it needs.
    #[serde(skip)]
    pub needs: Vec<String>,
}

/// A build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timings {
    /// How long it took by the clock.
    pub wall: Duration,
    /// The processor time of the steps and of this program meanwhile.
    pub cpu: Duration,
    /// How many processes could run at once.
    pub jobs: usize,
    /// The steps that were made, in the order in which they began.
    pub steps: Vec<Timing>,
}

impl Timings {
    /// Of a build in which nothing was missing.
    pub fn of_nothing(jobs: usize) -> Self {
        Self {
            jobs,
            ..Self::default()
        }
    }

    /// The processor time that the jobs had and did not use.
    pub fn idle(&self) -> Duration {
        let had = self.wall * u32::try_from(self.jobs).unwrap_or(u32::MAX);
        had.saturating_sub(self.cpu)
    }

    /// The steps, each needing the one before it, that took longest together: no number of
    /// processors makes the build shorter, unless these get shorter.
    pub fn critical_path(&self) -> Vec<&Timing> {
        // A step begins after those it needs, so the best way to each of them is known by then.
        let mut best: Vec<(Duration, Option<usize>)> = Vec::new();
        for timing in &self.steps {
            let needed = (best.iter().enumerate())
                .filter(|(at, _)| timing.needs.contains(&self.steps[*at].step))
                .max_by_key(|(_, (length, _))| *length);
            let (before, from) = needed.map_or((Duration::ZERO, None), |(at, (length, _))| {
                (*length, Some(at))
            });
            best.push((before + timing.wall, from));
        }
        let last = (best.iter().enumerate()).max_by_key(|(_, (length, _))| *length);
        let mut at = last.map(|(at, _)| at);
        let mut path = Vec::new();
        while let Some(step) = at {
            path.push(&self.steps[step]);
            at = best[step].1;
        }
        path.reverse();
        path
    }
}

/// Measures a build from now on.
pub(super) struct Clock {
    begun: Instant,
    cpu: Duration,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            begun: Instant::now(),
            cpu: all_cpu(),
        }
    }

    /// How long ago it was started.
    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// The whole, of which `steps` were the parts.
    pub(super) fn stop(self, jobs: usize, mut steps: Vec<Timing>) -> Timings {
        steps.sort_by_key(|timing| timing.begun);
        Timings {
            wall: self.begun.elapsed(),
            cpu: all_cpu().saturating_sub(self.cpu),
            jobs,
            steps,
        }
    }
}

/// The processor time of this process and of all that it waited for.
fn all_cpu() -> Duration {
    cpu::of_this_process() + cpu::of_children()
}

fn seconds<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64((time.as_secs_f64() * 1000.0).round() / 1000.0)
}

fn maybe_seconds<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => seconds(time, to),
        None => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(step: &'static str, begun: u64, wall: u64, needs: &[&'static str]) -> Timing {
        Timing {
            step: step.to_owned(),
            begun: Duration::from_secs(begun),
            wall: Duration::from_secs(wall),
            cpu: None,
            needs: needs.iter().map(|&need| need.to_owned()).collect(),
        }
    }

    #[test]
    fn the_longest_chain_is_found() {
        let timings = Timings {
            wall: Duration::from_secs(60),
            cpu: Duration::from_secs(90),
            jobs: 2,
            steps: vec![
                timing("musl", 0, 10, &["toolchain"]),
                timing("zlib", 10, 5, &["musl"]),
                timing("openssl", 11, 30, &["musl"]),
                timing("python", 15, 28, &["musl", "zlib"]),
                timing("tor", 42, 18, &["musl", "openssl", "zlib"]),
                timing("nyx", 44, 2, &["python"]),
            ],
        };
        let path: Vec<_> = timings.critical_path().iter().map(|it| &it.step).collect();
        assert_eq!(path, ["musl", "openssl", "tor"]);
        assert_eq!(timings.idle(), Duration::from_secs(30));
        assert!(Timings::default().critical_path().is_empty());
    }
}
