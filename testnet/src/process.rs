//! A running tor: its log, its signals, what it used.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;
use rustix::process::{Pid, Signal, kill_process};

use crate::wait_for;

/// A tor that was started and is ended with this value, if it has not been before.
#[derive(Debug)]
pub struct Tor {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Tor {
    /// Starts it, with its output in a fresh log `<name>.<n>.log` of `logs`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, logs: &Path, mut command: Command) -> Result<Self> {
        let log = (0..)
            .map(|number: u32| logs.join(format!("{name}.{number}.log")))
            .find(|path| !path.exists())
            .context("no free name for a log")?;
        let file = fs::File::create(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stderr(file.file().try_clone()?)
            .stdout(file.into_file())
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            log,
            child,
        })
    }

    /// Waits until its log has a line with `text`, and returns the line.
    ///
    /// # Errors
    /// When it takes longer than `seconds`, or tor ends before.
    pub fn logged(&mut self, text: &str, seconds: u64) -> Result<String> {
        let what = format!("`{text}` in the log of {}", self.name);
        wait_for(&what, seconds, || {
            let log = fs::read_to_string(&self.log)?;
            let line = log.lines().find(|line| line.contains(text));
            if line.is_none()
                && let Some(status) = self.child.try_wait()?
            {
                bail!("{} ended ({status}):\n{log}", self.name);
            }
            Ok(line.map(str::to_owned))
        })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When it is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.child), signal)
            .with_context(|| format!("signalling {}", self.name))
    }

    /// Sends a signal and waits for the end.
    ///
    /// # Errors
    /// When it is gone, or does not go within `seconds`.
    pub fn end(&mut self, signal: Signal, seconds: u64) -> Result<ExitStatus> {
        self.signal(signal)?;
        let what = format!("the end of {}", self.name);
        wait_for(&what, seconds, || Ok(self.child.try_wait()?))
    }

    /// Seconds of processor time so far, of all threads, in user mode and in the kernel.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let mut nanoseconds = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.id()))? {
            // The `stat` of proc(5) counts in hundredths of a second; this in nanoseconds.
            let schedstat = fs::read_to_string(thread?.path().join("schedstat"))?;
            let running = schedstat.split(' ').next().context("an empty schedstat")?;
            nanoseconds += running.parse::<u64>().context("reading a schedstat")?;
        }
        Ok(nanoseconds as f64 / 1e9)
    }

    /// The most memory it ever held, in bytes.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn peak_memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let kibibytes: u64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .context("no VmHWM in the status of tor")?;
        Ok(kibibytes * 1024)
    }
}

impl Drop for Tor {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
