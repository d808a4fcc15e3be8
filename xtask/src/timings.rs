//! `build-image --timings`: where the time of a build went.

use std::time::Duration;

use relaysmith::build::timings::{Timing, Timings};
use serde_json::{Value, json};

use crate::ui;

/// The steps as a table, then what the whole waited for.
pub(crate) fn text(timings: &Timings) -> String {
    if timings.steps.is_empty() {
        return "steps      none: everything was built already".to_owned();
    }
    let rows: Vec<[String; 4]> = timings
        .steps
        .iter()
        .map(|step| {
            [
                step.step.clone(),
                seconds(step.begun),
                seconds(step.wall),
                step.cpu.map_or_else(|| "-".to_owned(), seconds),
            ]
        })
        .collect();
    let table = ui::table(["step", "began at", "wall", "CPU"], &rows);
    let path = timings.critical_path();
    let names: Vec<&str> = path.iter().map(|step| &*step.step).collect();
    let longest: Duration = path.iter().map(|step| step.wall).sum();
    let had = timings.wall * u32::try_from(timings.jobs).unwrap_or(u32::MAX);
    format!(
        "{table}\ncritical   {}: {} of {}\nidle       {} of {} of the processors ({} jobs)",
        names.join(" > "),
        seconds(longest),
        seconds(timings.wall),
        seconds(timings.idle()),
        seconds(had),
        timings.jobs,
    )
}

/// The same for machines; times are in seconds.
pub(crate) fn data(timings: &Timings) -> Value {
    let path: Vec<&str> = (timings.critical_path().iter())
        .map(|step: &&Timing| &*step.step)
        .collect();
    json!({
        "wall": timings.wall.as_secs_f64(),
        "cpu": timings.cpu.as_secs_f64(),
        "idle": timings.idle().as_secs_f64(),
        "jobs": timings.jobs,
        "critical_path": path,
        "steps": timings.steps,
    })
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_and_one_that_had_nothing_to_do() {
        let step = |step: &str, begun, wall, cpu: Option<u64>, needs: &[&str]| Timing {
            step: step.to_owned(),
            begun: Duration::from_secs(begun),
            wall: Duration::from_secs(wall),
            cpu: cpu.map(Duration::from_secs),
            needs: needs.iter().map(|&need| need.to_owned()).collect(),
        };
        let timings = Timings {
            wall: Duration::from_secs(50),
            cpu: Duration::from_secs(88),
            jobs: 2,
            steps: vec![
                step("toolchain", 0, 8, None, &[]),
                step("musl", 8, 12, Some(20), &["toolchain"]),
                step("tor", 20, 28, Some(50), &["toolchain", "musl"]),
            ],
        };
        let expected = "\
step       began at  wall    CPU
toolchain  0.0 s     8.0 s   -
musl       8.0 s     12.0 s  20.0 s
tor        20.0 s    28.0 s  50.0 s
critical   toolchain > musl > tor: 48.0 s of 50.0 s
idle       12.0 s of 100.0 s of the processors (2 jobs)";
        assert_eq!(text(&timings), expected);
        assert_eq!(
            data(&timings)["critical_path"],
            json!(["toolchain", "musl", "tor"])
        );
        assert!(text(&Timings::default()).contains("built already"));
    }
}
