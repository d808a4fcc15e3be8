//! Carries out the steps of a graph, each as soon as those it needs are finished.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How far the steps are.
struct State<T, E> {
    finished: Vec<Option<T>>,
    failed: Option<E>,
    /// A step panicked: what waits for it must not wait for ever.
    panicked: bool,
}

/// The state, and the news that it changed.
struct Board<'a, T, E> {
    state: Mutex<State<T, E>>,
    changed: Condvar,
    cancelled: &'a AtomicBool,
}

impl<T, E> Board<'_, T, E> {
    fn lock(&self) -> MutexGuard<'_, State<T, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until each step of `before` is finished and returns their results in that order;
    /// nothing if that will never be, because some step failed.
    fn await_all(&self, before: &[usize]) -> Option<Vec<T>>
    where
        T: Clone,
    {
        let state = self
            .changed
            .wait_while(self.lock(), |state| {
                !state.over() && before.iter().any(|&step| state.finished[step].is_none())
            })
            .unwrap_or_else(PoisonError::into_inner);
        if state.over() {
            return None;
        }
        Some(
            before
                .iter()
                .filter_map(|&step| state.finished[step].clone())
                .collect(),
        )
    }
}

impl<T, E> State<T, E> {
    /// Whether no further step is to begin.
    fn over(&self) -> bool {
        self.failed.is_some() || self.panicked
    }
}

/// Tells the others if the step under way panics.
struct Alarm<'a, 'b, T, E>(&'a Board<'b, T, E>);

impl<T, E> Drop for Alarm<'_, '_, T, E> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().panicked = true;
            self.0.cancelled.store(true, Ordering::Relaxed);
            self.0.changed.notify_all();
        }
    }
}

/// Makes every step that is not yet in `finished` and is `missing`. `before[n]` are the steps
/// whose results step `n` gets, all of them with smaller numbers. Each step has a thread of its
/// own; how many of them work at the same time is for `make` to say.
///
/// # Errors
/// That of the first step that failed. `cancelled` is set then, so that those under way can
/// end; what they return because of it, `is_consequence` says, is not the error.
///
/// # Panics
/// When `make` does, once the other steps have ended.
pub(super) fn run<T: Clone + Send, E: Send>(
    before: &[Vec<usize>],
    finished: Vec<Option<T>>,
    missing: &[bool],
    cancelled: &AtomicBool,
    make: impl Fn(usize, Vec<T>) -> Result<T, E> + Sync,
    is_consequence: impl Fn(&E) -> bool + Sync,
) -> Result<Vec<Option<T>>, E> {
    let board = Board {
        state: Mutex::new(State {
            finished,
            failed: None,
            panicked: false,
        }),
        changed: Condvar::new(),
        cancelled,
    };
    std::thread::scope(|scope| {
        let (board, make, is_consequence) = (&board, &make, &is_consequence);
        for (step, before) in before.iter().enumerate().filter(|(step, _)| missing[*step]) {
            scope.spawn(move || {
                let Some(needs) = board.await_all(before) else {
                    return;
                };
                let alarm = Alarm(board);
                let outcome = make(step, needs);
                drop(alarm);
                let mut state = board.lock();
                match outcome {
                    Ok(result) => state.finished[step] = Some(result),
                    Err(error) => {
                        cancelled.store(true, Ordering::Relaxed);
                        if state.failed.as_ref().is_none_or(is_consequence) {
                            state.failed = Some(error);
                        }
                    }
                }
                board.changed.notify_all();
            });
        }
    });
    let state = board
        .state
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    state.failed.map_or(Ok(state.finished), Err)
}

/// Which steps have to be made for `wanted`, and the results that are there already. Only what
/// is wanted or needed by something missing is asked for by `find`: what a finished step was
/// made from need not be there.
///
/// # Errors
/// The first of `find`.
pub(super) fn missing<T, E>(
    before: &[Vec<usize>],
    wanted: &[bool],
    mut find: impl FnMut(usize) -> Result<Option<T>, E>,
) -> Result<(Vec<Option<T>>, Vec<bool>), E> {
    let mut asked = wanted.to_vec();
    let mut missing = vec![false; before.len()];
    let mut found: Vec<Option<T>> = before.iter().map(|_| None).collect();
    // Backwards, since every step stands after those it needs.
    for step in (0..before.len()).rev().collect::<Vec<_>>() {
        if asked[step] {
            found[step] = find(step)?;
            if found[step].is_none() {
                missing[step] = true;
                before[step].iter().for_each(|&need| asked[need] = true);
            }
        }
    }
    Ok((found, missing))
}

/// How much work there is from each step to the end of the graph, on the longest way, where
/// `work` is that of each step alone. A step must wait for those of a higher rank only.
pub(super) fn ranks(before: &[Vec<usize>], work: &[u64]) -> Vec<u64> {
    let mut ranks = work.to_vec();
    // Backwards, since every step stands after those it needs.
    for (step, needs) in before.iter().enumerate().rev() {
        for &need in needs {
            ranks[need] = ranks[need].max(work[need] + ranks[step]);
        }
    }
    ranks
}

#[cfg(test)]
mod tests;
