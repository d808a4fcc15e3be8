//! A client's tor, steered over its control port: circuits along a given path, and streams
//! on them.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddrV4, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// No answer takes longer, not even through three busy relays.
const PATIENCE: Duration = Duration::from_secs(90);

/// A connection to the control port of a client that leaves its streams to us.
#[derive(Debug)]
pub struct Control {
    answers: BufReader<TcpStream>,
    events: VecDeque<String>,
    socks: SocketAddrV4,
}

/// A circuit that was built.
#[derive(Debug, Clone)]
pub struct Circuit(String);

/// How a stream to a destination turned out.
#[derive(Debug)]
pub enum Stream {
    /// The exit has connected.
    Open(TcpStream),
    /// The exit has not, for this reason of its own.
    Refused(String),
}

impl Control {
    /// Connects; the port asks for no password.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn connect(control: SocketAddrV4, socks: SocketAddrV4) -> Result<Self> {
        let stream = TcpStream::connect(control).context("connecting to the control port")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut new = Self {
            answers: BufReader::new(stream),
            events: VecDeque::new(),
            socks,
        };
        new.ask("AUTHENTICATE")?;
        new.ask("SETEVENTS CIRC STREAM")?;
        Ok(new)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .context("reading from the control port")?;
        if line.is_empty() {
            bail!("tor closed the control port");
        }
        Ok(line.trim_end().to_owned())
    }

    /// Asks and returns the lines of the answer without their codes.
    ///
    /// # Errors
    /// When tor says no, or nothing.
    pub fn ask(&mut self, command: &str) -> Result<Vec<String>> {
        write!(self.answers.get_mut(), "{command}\r\n")?;
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            let (code, rest) = line.split_at_checked(4).context("a short answer")?;
            match code {
                "650 " => self.events.push_back(rest.to_owned()),
                "250-" => lines.push(rest.to_owned()),
                "250+" => {
                    lines.push(rest.to_owned());
                    loop {
                        match self.line()? {
                            end if end == "." => break,
                            line => lines.push(line),
                        }
                    }
                }
                "250 " => {
                    lines.push(rest.to_owned());
                    return Ok(lines);
                }
                _ => bail!("`{command}`: {line}"),
            }
        }
    }

    fn event(&mut self, wanted: impl Fn(&str) -> bool) -> Result<String> {
        loop {
            while let Some(event) = self.events.pop_front() {
                if wanted(&event) {
                    return Ok(event);
                }
            }
            let line = self.line()?;
            self.events
                .extend(line.strip_prefix("650 ").map(str::to_owned));
        }
    }

    /// Builds a circuit over the relays with these fingerprints; none where tor lacks the
    /// description of one of them for so many seconds.
    ///
    /// # Errors
    /// When a relay does not extend it.
    pub fn circuit(&mut self, path: &[&str], seconds: u64) -> Result<Option<Circuit>> {
        let path = path.join(",");
        let start = Instant::now();
        let answer = loop {
            match self.ask(&format!("EXTENDCIRCUIT 0 {path}")) {
                // It is in the consensus, and its keys are on their way.
                Err(error) if error.to_string().contains("552 No descriptor") => {
                    if start.elapsed() > Duration::from_secs(seconds) {
                        return Ok(None);
                    }
                    std::thread::sleep(Duration::from_millis(100));
                }
                answer => break answer?.concat(),
            }
        };
        let id = answer
            .strip_prefix("EXTENDED ")
            .context("no circuit")?
            .to_owned();
        let of_it = format!("CIRC {id} ");
        let event = self.event(|event| {
            event.starts_with(&of_it)
                && ["BUILT", "FAILED", "CLOSED"]
                    .iter()
                    .any(|end| event[of_it.len()..].starts_with(end))
        })?;
        if !event[of_it.len()..].starts_with("BUILT") {
            bail!("no circuit over {path}: {event}");
        }
        Ok(Some(Circuit(id)))
    }

    /// Takes a circuit down.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn close(&mut self, Circuit(id): &Circuit) -> Result<()> {
        self.ask(&format!("CLOSECIRCUIT {id}")).map(drop)
    }

    /// Opens a stream through the exit of `circuit`, as a SOCKS client does (RFC 1928).
    ///
    /// # Errors
    /// When tor fails. That the exit refuses is no error.
    pub fn open(&mut self, circuit: &Circuit, to: SocketAddrV4) -> Result<Stream> {
        let mut stream = TcpStream::connect(self.socks).context("connecting to the SOCKS port")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&[5, 1, 0])?;
        stream.read_exact(&mut [0; 2])?;
        let mut request = vec![5, 1, 0, 1];
        request.extend(to.ip().octets());
        request.extend(to.port().to_be_bytes());
        stream.write_all(&request)?;

        let new = format!(" NEW 0 {to}");
        let event = self.event(|event| event.starts_with("STREAM ") && event.contains(&new))?;
        let id = event.split(' ').nth(1).context("a stream without a name")?;
        let Circuit(circuit) = circuit;
        self.ask(&format!("ATTACHSTREAM {id} {circuit}"))?;
        let of_it = format!("STREAM {id} ");
        let event = self.event(|event| {
            event.starts_with(&of_it)
                && ["SUCCEEDED", "DETACHED", "FAILED", "CLOSED"]
                    .iter()
                    .any(|end| event[of_it.len()..].starts_with(end))
        })?;
        if !event[of_it.len()..].starts_with("SUCCEEDED") {
            // What the client itself does not like, it says without this word.
            let reason = event
                .split(' ')
                .find_map(|word| word.strip_prefix("REMOTE_REASON="))
                .with_context(|| format!("the client let go of {to}: {event}"))?;
            return Ok(Stream::Refused(reason.to_owned()));
        }
        stream.read_exact(&mut [0; 10])?;
        Ok(Stream::Open(stream))
    }
}
