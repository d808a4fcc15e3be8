//! Random graphs whose steps succeed, fail, dawdle until they are cancelled, panic or are
//! there already, with every number of jobs.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::build::sandbox::jobs::Tokens;

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Succeed,
    /// Succeeds after the others have had time.
    Dawdle,
    Fail,
    /// Works until it is cancelled, if anything ever fails; otherwise succeeds.
    Cancel,
}

#[derive(Debug, Clone)]
struct Graph {
    before: Vec<Vec<usize>>,
    acts: Vec<Act>,
    there: Vec<bool>,
    wanted: Vec<bool>,
    jobs: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Failure {
    Own(usize),
    Cancelled,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => Just(Act::Succeed),
        2 => Just(Act::Dawdle),
        1 => Just(Act::Fail),
        1 => Just(Act::Cancel),
    ]
}

fn graph() -> impl Strategy<Value = Graph> {
    (1_usize..12).prop_flat_map(|count| {
        let edges = vec(vec(any::<proptest::sample::Index>(), 0..4), count);
        (
            edges,
            vec(act(), count),
            vec(prop::bool::weighted(0.2), count),
            vec(any::<bool>(), count),
            1..=count,
        )
            .prop_map(|(edges, acts, there, wanted, jobs)| {
                let before = edges.iter().enumerate().map(|(step, edges)| {
                    let needs: BTreeSet<usize> = edges
                        .iter()
                        .filter(|_| step > 0)
                        .map(|edge| edge.index(step))
                        .collect();
                    needs.into_iter().collect()
                });
                Graph {
                    before: before.collect(),
                    acts,
                    there,
                    wanted,
                    jobs,
                }
            })
    })
}

/// All that `step` needs, directly or not, and that was missing.
fn ancestors(graph: &Graph, missing: &[bool], step: usize) -> BTreeSet<usize> {
    let mut all = BTreeSet::new();
    let mut open = graph.before[step].clone();
    while let Some(need) = open.pop() {
        if missing[need] && all.insert(need) {
            open.extend(&graph.before[need]);
        }
    }
    all
}

fn check(graph: &Graph) -> Result<(), TestCaseError> {
    let asked = Mutex::new(BTreeSet::new());
    let (found, missing) = missing(&graph.before, &graph.wanted, |step| {
        asked.lock().unwrap().insert(step);
        Ok::<_, Failure>(graph.there[step].then_some(step))
    })
    .unwrap();
    // Asked for: what is wanted, and what something missing needs. Nothing else.
    for (step, &is_missing) in missing.iter().enumerate() {
        let needed =
            (0..missing.len()).any(|user| missing[user] && graph.before[user].contains(&step));
        let asked = asked.lock().unwrap().contains(&step);
        prop_assert_eq!(asked, graph.wanted[step] || needed);
        prop_assert_eq!(is_missing, asked && !graph.there[step]);
    }

    let folder = tempfile::tempdir().unwrap();
    let tokens = Tokens::new(folder.path(), graph.jobs).unwrap();
    let cancelled = AtomicBool::new(false);
    let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (begun, ended) = (Mutex::new(Vec::new()), Mutex::new(BTreeSet::new()));
    let can_fail = (0..missing.len()).any(|step| missing[step] && graph.acts[step] == Act::Fail);
    let outcome = run(
        &graph.before,
        found,
        &missing,
        &cancelled,
        |step, needs| {
            let _token = tokens.take_unless(0, || false).unwrap().unwrap();
            if cancelled.load(Ordering::Relaxed) {
                return Err(Failure::Cancelled);
            }
            assert_eq!(
                needs, graph.before[step],
                "the results it needs, in their order"
            );
            {
                let ended = ended.lock().unwrap();
                assert!(
                    needs
                        .iter()
                        .all(|need| !missing[*need] || ended.contains(need))
                );
            }
            begun.lock().unwrap().push(step);
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let result = match graph.acts[step] {
                Act::Succeed => Ok(step),
                Act::Dawdle => {
                    std::thread::sleep(Duration::from_millis(1));
                    Ok(step)
                }
                Act::Fail => Err(Failure::Own(step)),
                Act::Cancel => {
                    // Long enough to be cancelled, short enough for a failure that needs
                    // this one's token or result.
                    let waits = if can_fail { 20 } else { 0 };
                    (0..waits).for_each(|_| {
                        if !cancelled.load(Ordering::Relaxed) {
                            std::thread::sleep(Duration::from_micros(100));
                        }
                    });
                    match cancelled.load(Ordering::Relaxed) {
                        true => Err(Failure::Cancelled),
                        false => Ok(step),
                    }
                }
            };
            running.fetch_sub(1, Ordering::SeqCst);
            ended.lock().unwrap().insert(step);
            result
        },
        |error| *error == Failure::Cancelled,
    );
    let begun = begun.into_inner().unwrap();
    let once: BTreeSet<usize> = begun.iter().copied().collect();
    prop_assert_eq!(once.len(), begun.len(), "a step ran twice");
    prop_assert!(
        begun.iter().all(|&step| missing[step]),
        "a finished step ran"
    );
    prop_assert!(most.into_inner() <= graph.jobs);
    // Nothing runs that needs a step which failed.
    for &step in &begun {
        let before = ancestors(graph, &missing, step);
        prop_assert!(before.iter().all(|&need| graph.acts[need] != Act::Fail));
    }
    match outcome {
        Ok(finished) => {
            prop_assert!(!can_fail, "a failure got lost");
            for (step, result) in finished.iter().enumerate() {
                let expected =
                    missing[step] || (graph.there[step] && asked.lock().unwrap().contains(&step));
                prop_assert_eq!(*result, expected.then_some(step));
            }
        }
        // A step's own failure, never that it was cancelled because of one.
        Err(failure) => prop_assert!(
            matches!(failure, Failure::Own(step) if graph.acts[step] == Act::Fail && once.contains(&step)),
            "{failure:?}"
        ),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn steps_run_once_in_order_within_the_budget_and_stop_at_a_failure(graph in graph()) {
        // In a thread of its own: a step that waits for ever is a failure, not a hang.
        let (done, over) = mpsc::channel();
        let shown = format!("{graph:?}");
        std::thread::spawn(move || done.send(check(&graph)));
        match over.recv_timeout(Duration::from_secs(60)) {
            Ok(result) => result?,
            Err(error) => prop_assert!(false, "{error}: {shown}"),
        }
    }
}

#[test]
fn a_step_ranks_by_the_longest_way_that_starts_with_it() {
    // 0 and 1 come before 2, and 1 before 3; 4 stands alone.
    let before = [vec![], vec![], vec![0, 1], vec![1], vec![]];
    assert_eq!(ranks(&before, &[1, 2, 10, 30, 5]), [11, 32, 10, 30, 5]);
}

#[test]
fn a_step_that_panics_ends_the_run() {
    let (done, over) = mpsc::channel();
    std::thread::spawn(move || {
        let before = [vec![], vec![0], vec![1]];
        let cancelled = AtomicBool::new(false);
        let ran = std::panic::catch_unwind(|| {
            run(
                &before,
                vec![None; 3],
                &[true; 3],
                &cancelled,
                |step, _| {
                    if step == 1 {
                        panic!("as arranged")
                    } else {
                        Ok::<_, ()>(step)
                    }
                },
                |()| false,
            )
        });
        done.send((ran.is_err(), cancelled.load(Ordering::Relaxed)))
    });
    assert_eq!(over.recv_timeout(Duration::from_secs(60)), Ok((true, true)));
}
