//! Reading a password: typed without being shown, or from a pipe; never an argument, which
//! every user of the machine could read.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Context, Result, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// The most that is read, in bytes: more than any password that is taken.
const MOST: u64 = 4096;

/// Reads one line. `what` names it for whoever types it.
pub(crate) fn read(what: &str) -> Result<String> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return line(stdin.lock()).with_context(|| format!("reading {what}"));
    }
    let hidden = Hidden::begin()?;
    prompt(&format!("type {what} (it is not shown): "));
    let first = line(stdin.lock());
    prompt("\nand again: ");
    let second = line(stdin.lock());
    prompt("\n");
    drop(hidden);
    let (first, second) = (first?, second?);
    if first != second {
        bail!("the two do not match");
    }
    Ok(first)
}

/// Not a line of its own, so it does not go the way of other output.
fn prompt(text: &str) {
    let mut terminal = io::stderr();
    // Without a terminal to show it there is nobody to read it.
    let _ = terminal
        .write_all(text.as_bytes())
        .and_then(|()| terminal.flush());
}

fn line(input: impl BufRead) -> Result<String> {
    let mut line = String::new();
    io::Read::take(input, MOST).read_line(&mut line)?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// While it lives, the terminal shows nothing of what is typed. Signals from the keyboard are
/// off too: a process that is ended would leave the terminal mute.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> Result<Self> {
        let before = tcgetattr(io::stdin()).context("asking the terminal how it is set")?;
        let mut mute = before.clone();
        mute.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        tcsetattr(io::stdin(), OptionalActions::Flush, &mute)
            .context("keeping the terminal from showing the password")?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // There is no second way to set it back.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_without_its_end() {
        for (input, password) in [("a b \n", "a b "), ("a\r\nb\n", "a"), ("a", "a"), ("", "")] {
            assert_eq!(line(input.as_bytes()).unwrap(), password);
        }
        assert!(line(&b"\xff\n"[..]).is_err());
    }
}
