//! One budget of processes for all steps together: GNU make's job server.
//!
//! The budget is a FIFO with one byte in it for every process that may run besides those
//! that hold a token already. A step takes a token before it starts and gives it back
//! when it ends; its `make` takes and gives back one for every further process it runs.
//! So however many steps run at once, the machine never runs more than the budget.
//!
//! The protocol is in the GNU make manual, "POSIX Jobserver Interaction". Recipes open the
//! FIFO as file descriptor 9 and pass `--jobserver-auth=9,9`, which make 4.2 and later
//! take, whereas `fifo:` needs 4.4.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, mkfifoat};

/// How long a wait for a token lasts before its end is asked for again.
const LOOK: Duration = Duration::from_millis(100);

/// The tokens of one run.
///
/// A command may do to the FIFO what it likes: fill it, empty it, keep what it took. So nothing
/// here ever waits for room in it, and whenever no command runs it is filled anew.
#[derive(Debug)]
pub struct Tokens {
    path: PathBuf,
    fifo: fs::File,
    count: usize,
    state: Mutex<State>,
    /// Somebody waits no more.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// How many tokens are held on this side; every command that runs holds one.
    held: usize,
    /// The ranks of those who wait for one.
    waiting: Vec<u64>,
}

/// The right to run one process, given back when it is dropped.
#[derive(Debug)]
pub struct Token<'a> {
    tokens: &'a Tokens,
}

impl Tokens {
    /// Makes a budget of `count` processes, as a FIFO in `folder`.
    ///
    /// # Errors
    /// When the FIFO cannot be made or filled.
    pub fn new(folder: &Path, count: usize) -> io::Result<Self> {
        let path = folder.join("jobs");
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR)?;
        // Open for both, so that neither end ever waits for the other.
        let fifo = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(&path)?;
        let tokens = Self {
            path,
            fifo,
            count,
            state: Mutex::default(),
            changed: Condvar::new(),
        };
        tokens.set(count)?;
        Ok(tokens)
    }

    /// The FIFO, to be mounted into sandboxes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for a token, unless `stop` says that it is not wanted any more. Of those who wait,
    /// the one with the highest `rank` gets the next.
    ///
    /// # Errors
    /// When the FIFO cannot be read.
    pub fn take_unless(&self, rank: u64, stop: impl Fn() -> bool) -> io::Result<Option<Token<'_>>> {
        self.state().waiting.push(rank);
        let taken = loop {
            if stop() {
                break Ok(None);
            }
            match self.try_take(rank) {
                Ok(None) => {}
                taken => break taken,
            }
        };
        let mut state = self.state();
        if let Some(place) = state.waiting.iter().position(|&other| other == rank) {
            state.waiting.swap_remove(place);
        }
        self.changed.notify_all();
        drop(state);
        taken
    }

    /// Takes a token if there is one, and it is the turn of this `rank`; otherwise waits until
    /// that may have changed.
    fn try_take(&self, rank: u64) -> io::Result<Option<Token<'_>>> {
        let mut state = self.state();
        if state.waiting.iter().max() > Some(&rank) {
            drop(self.changed.wait_timeout(state, LOOK));
            return Ok(None);
        }
        if state.held == 0 {
            self.set(self.count)?;
        }
        match (&self.fifo).read(&mut [0]) {
            Ok(_) => {
                state.held += 1;
                return Ok(Some(Token { tokens: self }));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        drop(state);
        let mut ready = [PollFd::new(self.fifo.file(), PollFlags::IN)];
        let look = Timespec::try_from(LOOK).map_err(io::Error::other)?;
        match poll(&mut ready, Some(&look)) {
            Err(rustix::io::Errno::INTR) | Ok(_) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves `count` tokens in the FIFO, whatever was there.
    fn set(&self, count: usize) -> io::Result<()> {
        let mut bytes = [0; 4096];
        loop {
            match (&self.fifo).read(&mut bytes) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        (&self.fifo).write_all(&vec![b'+'; count])
    }
}

impl Drop for Token<'_> {
    fn drop(&mut self) {
        let mut state = self.tokens.state();
        state.held = state.held.saturating_sub(1);
        // A FIFO that somebody filled takes no more; it is put right when nobody runs.
        let _ = match state.held {
            0 => self.tokens.set(self.tokens.count),
            _ => (&self.tokens.fifo).write_all(b"+"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::Instant;

    #[test]
    fn the_budget_is_never_exceeded() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::new(folder.path(), 2).unwrap();
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _token = tokens.take_unless(0, || false).unwrap().unwrap();
                        most.fetch_max(
                            running.fetch_add(1, Ordering::SeqCst) + 1,
                            Ordering::SeqCst,
                        );
                        std::thread::yield_now();
                        running.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!((1..=2).contains(&most.into_inner()));
    }

    /// Also while `make` after `make` takes every token as soon as there is one.
    #[test]
    fn steps_begin_in_the_order_of_their_ranks() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::new(folder.path(), 1).unwrap();
        let over = AtomicBool::new(false);
        let order = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let first = tokens.take_unless(0, || false).unwrap().unwrap();
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut options = fs::OpenOptions::new();
                    let make = options.read(true).write(true).open(tokens.path());
                    let mut make = make.unwrap();
                    while !over.load(Ordering::Relaxed) {
                        make.read_exact(&mut [0]).unwrap();
                        std::thread::sleep(Duration::from_millis(1));
                        make.write_all(b"+").unwrap();
                    }
                });
            }
            let steps: Vec<_> = [1, 3, 2]
                .into_iter()
                .map(|rank| {
                    let (tokens, order) = (&tokens, &order);
                    scope.spawn(move || {
                        let start = Instant::now();
                        let _token = tokens.take_unless(rank, || false).unwrap().unwrap();
                        order.lock().unwrap().push((rank, start.elapsed()));
                    })
                })
                .collect();
            while tokens.state().waiting.len() < 3 {
                std::thread::yield_now();
            }
            drop(first);
            for step in steps {
                step.join().unwrap();
            }
            over.store(true, Ordering::Relaxed);
        });
        let (ranks, waits): (Vec<_>, Vec<_>) = order.into_inner().unwrap().into_iter().unzip();
        assert_eq!(ranks, [3, 2, 1]);
        assert!(
            waits.iter().max() < Some(&Duration::from_secs(1)),
            "{waits:?}"
        );
    }

    /// A command empties the FIFO and keeps the tokens, or fills it to the brim.
    // Guards: B4.
    #[test]
    fn no_command_can_stop_the_others_for_good() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::new(folder.path(), 2).unwrap();
        let count = || {
            let mut all = [0; 100_000];
            (&tokens.fifo).read(&mut all).unwrap_or(0)
        };
        let hostile = tokens.take_unless(0, || false).unwrap().unwrap();
        assert_eq!(count(), 1);
        // While it runs another waits, and hears that it need not.
        let asked = AtomicUsize::new(0);
        let stop = || asked.fetch_add(1, Ordering::SeqCst) > 2;
        assert!(tokens.take_unless(0, stop).unwrap().is_none());
        drop(hostile);
        assert_eq!(count(), 2);

        let hostile = tokens.take_unless(0, || false).unwrap().unwrap();
        let other = tokens.take_unless(0, || false).unwrap().unwrap();
        while (&tokens.fifo).write(&[b'+'; 4096]).is_ok() {}
        drop(hostile);
        drop(other);
        assert_eq!(count(), 2);
    }
}
