//! A sandbox seen from the engine: a process to talk to, and to end.

use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::again::keeper_command;
use super::spec::{Ended, Outcome, Spec, receive, send};

/// How long the kernel may take to end all processes of a sandbox.
const ENDING: Duration = Duration::from_secs(10);

/// A keeper and what it keeps; ended when it is dropped.
pub(super) struct Running {
    keeper: Child,
    socket: UnixStream,
    over: bool,
    cpu: Duration,
}

impl Running {
    /// Starts what `spec` says.
    pub(super) fn start(spec: &Spec, stdout: Stdio, stderr: Stdio) -> io::Result<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        let Some(mut command) = keeper_command() else {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the program `relaysmith-sandbox` is not beside this one, and this one does not \
                 call `relaysmith::build::sandbox::enter`",
            ));
        };
        command
            .stdin(OwnedFd::from(theirs))
            .stdout(stdout)
            .stderr(stderr);
        let keeper = command.spawn()?;
        let running = Self {
            keeper,
            socket,
            over: false,
            cpu: Duration::ZERO,
        };
        send(&running.socket, spec)?;
        Ok(running)
    }

    /// The keeper's process; all of the sandbox descend from it.
    pub(super) fn id(&self) -> u32 {
        self.keeper.id()
    }

    /// The processor time of all its processes, once it has ended.
    pub(super) fn cpu(&self) -> Duration {
        self.cpu
    }

    /// How it ended, if it does within `patience`. By then nothing of it runs any more.
    pub(super) fn outcome(&mut self, patience: Duration) -> io::Result<Option<Outcome>> {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).map_err(io::Error::other)?;
            let mut ready = [PollFd::new(&self.socket, PollFlags::IN)];
            match poll(&mut ready, Some(&left)) {
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(0) => return Ok(None),
                Ok(_) => break,
            }
        }
        let ended = receive::<Ended>(&self.socket);
        self.over = true;
        let status = self.keeper.wait()?;
        Ok(Some(match ended {
            Ok(ended) => {
                self.cpu = ended.cpu;
                ended.outcome
            }
            Err(_) => Outcome::Engine(format!("the sandbox's keeper process ended: {status}")),
        }))
    }

    /// Ends it, with all its processes, and waits until they are gone.
    pub(super) fn end(&mut self) -> io::Result<()> {
        if self.over {
            return Ok(());
        }
        // A keeper that is gone has taken the sandbox with it.
        let _ = (&self.socket).write_all(b"!");
        if self.outcome(ENDING)?.is_none() {
            self.keeper.kill()?;
            self.keeper.wait()?;
            self.over = true;
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Only after an error, of which this is not the place to speak.
        let _ = self.end();
    }
}
