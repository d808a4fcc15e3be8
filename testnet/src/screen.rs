//! A terminal that nobody sits at, for programs that draw.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::namespace::run;
use crate::wait_for;

/// A tmux with one program in it.
#[derive(Debug)]
pub struct Screen {
    socket: PathBuf,
}

impl Screen {
    /// Starts `program` in a terminal of 132 by 120, which has room for every connection.
    ///
    /// # Errors
    /// When tmux cannot be run.
    pub fn open(socket: &Path, program: &Command) -> Result<Self> {
        let mut tmux = Command::new("/usr/bin/tmux");
        tmux.args(["-u", "-f", "/dev/null", "-S"])
            .arg(socket)
            .args(["new-session", "-d", "-x", "132", "-y", "120", "--"])
            .args(["/usr/bin/env", "TERM=xterm-256color"])
            .arg(program.get_program())
            .args(program.get_args())
            .env_clear()
            .envs(
                program
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            );
        if !tmux.status().context("running `tmux`")?.success() {
            bail!("tmux does not start");
        }
        Ok(Self {
            socket: socket.to_owned(),
        })
    }

    fn tmux(&self, arguments: &[&str]) -> Result<String> {
        let socket = self.socket.display().to_string();
        run("tmux", &[&["-S", &socket], arguments].concat())
    }

    /// Presses a key, by tmux's name for it.
    ///
    /// # Errors
    /// When the program has ended.
    pub fn press(&self, key: &str) -> Result<()> {
        self.tmux(&["send-keys", key]).map(drop)
    }

    /// Waits until the screen shows all of `texts`, and returns it.
    ///
    /// # Errors
    /// When it does not; with what it does show.
    pub fn shows(&self, texts: &[&str]) -> Result<String> {
        let mut last = String::new();
        let seen = wait_for(&format!("{texts:?} on the screen"), 60, || {
            last = self.tmux(&["capture-pane", "-p"])?;
            let all = texts.iter().all(|text| last.contains(text));
            Ok(all.then(|| last.clone()))
        });
        seen.with_context(|| format!("the screen:\n{last}"))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // It has ended where the program has.
        let _ = self.tmux(&["kill-server"]);
    }
}
