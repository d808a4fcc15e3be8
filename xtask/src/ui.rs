//! All output goes through here: data to standard output, everything else to standard
//! error; bars on a terminal, plain lines elsewhere.

mod colour;
mod terminal;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{DecimalBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use relaysmith::base::progress::{Progress, Task};
use serde::Serialize;

use self::colour::painted;
pub(crate) use self::colour::{Colour, Piece};
use self::terminal::Terminal;
use crate::options::Output;

/// How often bars are drawn in a second, at the most.
const FRAMES: u8 = 20;

/// The one way out.
#[derive(Clone)]
pub(crate) struct Ui {
    screen: Arc<Screen>,
    json: bool,
    verbose: bool,
}

/// Where lines and bars end up.
struct Screen {
    out: Mutex<Box<dyn Write + Send>>,
    err: Mutex<Box<dyn Write + Send>>,
    /// Present on a terminal only.
    bars: Option<MultiProgress>,
    quiet: bool,
    coloured: Coloured,
}

/// What may be in colour.
#[derive(Clone, Copy, Default)]
struct Coloured {
    /// Results, which go to standard output.
    results: bool,
    /// The rest, which goes to standard error.
    rest: bool,
}

impl Ui {
    /// Output as the options, the terminal and `NO_COLOR` want it.
    pub(crate) fn new(options: &Output) -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = variable("TERM").is_some_and(|term| term == "dumb");
        let terminal = io::stderr().is_terminal() && !dumb;
        let allowed = !dumb && variable("NO_COLOR").is_none();
        let bars = (terminal && !options.quiet)
            .then(|| ProgressDrawTarget::term_like_with_hz(Box::new(Terminal::stderr()), FRAMES))
            .map(MultiProgress::with_draw_target);
        Self::to(
            options,
            Box::new(io::stdout()),
            Box::new(io::stderr()),
            bars,
            Coloured {
                results: allowed && io::stdout().is_terminal(),
                rest: allowed && terminal,
            },
        )
    }

    fn to(
        options: &Output,
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
        bars: Option<MultiProgress>,
        coloured: Coloured,
    ) -> Self {
        let screen = Screen {
            out: Mutex::new(out),
            err: Mutex::new(err),
            bars,
            quiet: options.quiet,
            coloured,
        };
        Self {
            screen: Arc::new(screen),
            json: options.json,
            verbose: options.verbose,
        }
    }

    /// Whether the result is for a machine: then `json` and nothing else goes to
    /// standard output.
    pub(crate) fn wants_json(&self) -> bool {
        self.json
    }

    /// Whether nothing is wanted but results and errors.
    pub(crate) fn is_quiet(&self) -> bool {
        self.screen.quiet
    }

    /// Prints a result as JSON.
    pub(crate) fn json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        self.print(&shown::json(&serde_json::to_string_pretty(value)?))
    }

    /// Prints lines of a result. A reader that has gone, such as `head`, is no error.
    pub(crate) fn data(&self, lines: &str) -> anyhow::Result<()> {
        self.print(&shown::lines(lines))
    }

    /// The same, some words of them in colour on a terminal.
    pub(crate) fn pieces(&self, pieces: &[Piece]) -> anyhow::Result<()> {
        let may_be = self.screen.coloured.results;
        let piece = |(colour, text): &Piece| painted(colour.filter(|_| may_be), text);
        self.print(&pieces.iter().map(piece).collect::<String>())
    }

    /// Prints a JSON document that is there already.
    pub(crate) fn document(&self, json: &str) -> anyhow::Result<()> {
        self.print(&shown::json(json))
    }

    fn print(&self, lines: &str) -> anyhow::Result<()> {
        let mut out = unpoisoned(&self.screen.out);
        match writeln!(out, "{lines}").and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(anyhow::Error::new(error).context("writing to standard output"))
            }
            _ => Ok(()),
        }
    }

    /// Prints rows of a result under a header, in aligned columns.
    pub(crate) fn table<const N: usize>(
        &self,
        header: [&str; N],
        rows: &[[String; N]],
    ) -> anyhow::Result<()> {
        self.data(&table(header, rows))
    }

    /// Says a line about the work, unless `--quiet`.
    pub(crate) fn say(&self, line: &str) {
        self.screen.say(line);
    }

    /// Says a line that even `--quiet` must show.
    pub(crate) fn warn(&self, line: &str) {
        self.screen.labelled("warning", Colour::Yellow, line);
    }

    /// Says a line and ends the program. Nothing is drawn any more, whatever still goes on.
    pub(crate) fn leave(&self, line: &str, code: i32) -> ! {
        let leave = || {
            let warning = self.screen.label("warning", Colour::Yellow, line);
            self.screen.print(&warning);
            std::process::exit(code)
        };
        match &self.screen.bars {
            Some(bars) => bars.suspend(leave),
            None => leave(),
        }
    }

    /// Prints an error as a result of its own, for programs; people get their lines besides.
    pub(crate) fn json_error(&self, message: &str, causes: &[String], hint: Option<&str>) {
        // Where standard output cannot be written nobody reads it.
        let _ = self.json(&serde_json::json!({
            "format": ERROR_FORMAT,
            "error": { "message": message, "causes": causes, "hint": hint },
        }));
    }

    /// Says what failed, why, and what fixes it.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        if self.json {
            let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
            let hint = error.chain().find_map(hint);
            self.json_error(&error.to_string(), &causes, hint.as_deref());
        }
        self.screen
            .labelled("error", Colour::Red, &error.to_string());
        for cause in error.chain().skip(1) {
            self.screen.line(&format!("  caused by: {cause}"));
        }
        if let Some(hint) = error.chain().find_map(hint) {
            self.hint(&hint);
        }
    }

    /// Says what fixes an error that was said.
    pub(crate) fn hint(&self, fix: &str) {
        self.screen.labelled("hint", Colour::Cyan, fix);
    }
}

/// What fixes `error`, if it is one of the library's and there is something.
pub(crate) fn hint(error: &(dyn Error + 'static)) -> Option<String> {
    macro_rules! first_hint {
        ($($known:ty),* $(,)?) => {
            None$(.or_else(|| error.downcast_ref::<$known>()?.hint()))*
        };
    }
    first_hint![
        relaysmith::base::cache::Error,
        relaysmith::compare::diff::Error,
        relaysmith::fetch::Error,
        relaysmith::host::BridgeLineError,
        relaysmith::host::Error,
        relaysmith::host::identity::Error,
        relaysmith::host::signing_key::Error,
        relaysmith::host::status::Error,
        relaysmith::image::Error,
        relaysmith::image::read::Error,
        relaysmith::pins::Error,
        relaysmith::pipeline::Error,
        relaysmith::publish::attest::Error,
        relaysmith::record::Error,
        relaysmith::update::Error,
        relaysmith::verify::Error,
        torrc::Error,
    ]
}

/// Bytes as people read them: `10.86 MB`, decimal.
pub(crate) fn bytes(count: u64) -> String {
    DecimalBytes(count).to_string()
}

/// Rows under a header, in aligned columns.
pub(crate) fn table<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> String {
    let header = header.map(str::to_owned);
    let widths: [usize; N] = std::array::from_fn(|column| {
        let all = std::iter::once(&header).chain(rows);
        all.map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    });
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths);
        let line: String = cells.map(|(cell, w)| format!("{cell:w$}  ")).collect();
        line.trim_end().to_owned()
    };
    let lines: Vec<String> = std::iter::once(&header).chain(rows).map(line).collect();
    lines.join("\n")
}

impl Progress for Ui {
    fn begin(&self, task: &str, total: Option<u64>) -> Box<dyn Task> {
        let bar = self.screen.bars.as_ref().map(|bars| {
            let bar = bars.add(match total {
                Some(total) => ProgressBar::new(total),
                None => ProgressBar::new_spinner(),
            });
            let template = match total {
                Some(_) => {
                    "{prefix:24} {bar:24} {decimal_bytes:>9}/{decimal_total_bytes:9} {wide_msg}"
                }
                None => "{prefix:32} {spinner} {elapsed} {wide_msg}",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("━╸ "));
            }
            bar.set_prefix(shown::shown(task.as_bytes()));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        // Without bars, what has no known end would leave a reader in the dark.
        if bar.is_none() && total.is_none() {
            self.say(&format!("{task} …"));
        }
        Box::new(Running {
            screen: Arc::clone(&self.screen),
            name: task.to_owned(),
            begun: Instant::now(),
            bar,
            finished: false,
        })
    }

    fn note(&self, line: &str) {
        self.say(line);
    }

    fn detail(&self, line: &str) {
        if self.verbose {
            self.say(line);
        }
    }
}

/// A task on the screen.
struct Running {
    screen: Arc<Screen>,
    name: String,
    begun: Instant,
    bar: Option<ProgressBar>,
    finished: bool,
}

impl Running {
    fn end(&mut self, outcome: &str) {
        self.finished = true;
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let seconds = self.begun.elapsed().as_secs_f64();
        // Shorter times say nothing, and would make the lines of two runs differ.
        if seconds < 0.5 {
            self.screen.say(&format!("{}: {outcome}", self.name));
        } else {
            self.screen
                .say(&format!("{}: {outcome} ({seconds:.1} s)", self.name));
        }
    }
}

impl Task for Running {
    fn advance(&self, by: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(by);
        }
    }

    fn restart(&self) {
        if let Some(bar) = &self.bar {
            bar.reset();
        }
    }

    fn stage(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(shown::shown(what.as_bytes()));
        }
    }

    fn finish(mut self: Box<Self>, outcome: &str) {
        self.end(outcome);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.finished {
            self.end("failed");
        }
    }
}

/// The version of the object that an error is with `--json`.
const ERROR_FORMAT: u32 = 1;

impl Screen {
    /// A line after a word in colour.
    fn labelled(&self, label: &str, colour: Colour, line: &str) {
        self.write(&self.label(label, colour, line));
    }

    fn label(&self, label: &str, colour: Colour, line: &str) -> String {
        let label = painted(Some(colour).filter(|_| self.coloured.rest), label);
        format!("{label}: {}", shown::lines(line))
    }

    fn say(&self, line: &str) {
        if !self.quiet {
            self.line(line);
        }
    }

    fn line(&self, line: &str) {
        self.write(&shown::lines(line));
    }

    fn write(&self, line: &str) {
        match &self.bars {
            // Bars are taken off the screen while the line is printed.
            Some(bars) => bars.suspend(|| self.print(line)),
            None => self.print(line),
        }
    }

    fn print(&self, line: &str) {
        let mut err = unpoisoned(&self.err);
        // Where standard error cannot be written there is nobody left to tell.
        let _ = writeln!(err, "{line}");
    }
}

/// A panic elsewhere is no reason to fall silent here.
fn unpoisoned<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
