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

use fs_err as fs;
use rustix::fs::{CWD, Mode, mkfifoat};

/// The tokens of one run.
#[derive(Debug)]
pub struct Tokens {
    path: PathBuf,
    fifo: fs::File,
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
        let fifo = fs::OpenOptions::new().read(true).write(true).open(&path)?;
        (&fifo).write_all(&vec![b'+'; count])?;
        Ok(Self { path, fifo })
    }

    /// The FIFO, to be mounted into sandboxes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for a token.
    ///
    /// # Errors
    /// When the FIFO cannot be read.
    pub fn take(&self) -> io::Result<Token<'_>> {
        let mut byte = [0];
        (&self.fifo).read_exact(&mut byte)?;
        Ok(Token { tokens: self })
    }
}

impl Drop for Token<'_> {
    fn drop(&mut self) {
        // The FIFO's buffer holds far more than the budget, so this neither waits nor fails.
        let _ = (&self.tokens.fifo).write_all(b"+");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn the_budget_is_never_exceeded() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::new(folder.path(), 2).unwrap();
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _token = tokens.take().unwrap();
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
}
