//! One file from one address, over as many requests as it takes.

use std::io::Read;

use reqwest::StatusCode;
use reqwest::Url;
use reqwest::blocking::Response;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE,
};

use super::downloads::{Incoming, Written};
use super::http::{Http, Pace, Setback, broken};
use super::{Error, Reason};
use crate::base::progress::Task;

/// What an attempt must add to what any earlier one reached, or it counts as one
/// without progress.
const PROGRESS: u64 = 1 << 16;

/// Why nothing came from one place: the place's fault, or ours.
pub(super) enum Failure {
    /// The next place may do better.
    There(Reason),
    /// No place would help: the disk is full, or the like.
    Here(Error),
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Here(error.into())
    }
}

/// Downloads `url` into `incoming`, going on from what is there already.
pub(super) fn download(
    http: &Http,
    url: &Url,
    incoming: &mut Incoming,
    task: &dyn Task,
) -> Result<(), Failure> {
    let mut session = Session {
        http,
        url,
        incoming,
        task,
        validator: None,
        third_party: true,
    };
    let (mut attempts, mut reached) = (0, session.incoming.length());
    loop {
        match session.attempt() {
            Ok(()) => return Ok(()),
            Err(Stop::Failed(failure)) => return Err(failure),
            Err(Stop::Setback(setback)) => {
                let length = session.incoming.length();
                if length >= reached + PROGRESS {
                    (attempts, reached) = (0, length);
                }
                if !http.again(&setback, &mut attempts) {
                    return Err(Failure::There(setback.reason));
                }
            }
        }
    }
}

enum Stop {
    Setback(Setback),
    Failed(Failure),
}

impl From<Setback> for Stop {
    fn from(setback: Setback) -> Self {
        Self::Setback(setback)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(Failure::Here(error))
    }
}

struct Session<'a> {
    http: &'a Http,
    url: &'a Url,
    incoming: &'a mut Incoming,
    task: &'a dyn Task,
    /// What tells this server's file from another version of it.
    validator: Option<HeaderValue>,
    /// Whether what has arrived began elsewhere: at another address or in another run.
    third_party: bool,
}

impl Session<'_> {
    fn attempt(&mut self) -> Result<(), Stop> {
        let response = self.request()?;
        self.receive(response)?;
        match self.incoming.check() {
            Ok(()) => Ok(()),
            // The beginning may be to blame, and it did not come from here.
            Err(_) if self.third_party => {
                self.restart()?;
                self.attempt()
            }
            Err(mismatch) => {
                self.restart()?;
                Err(Stop::Failed(Failure::There(mismatch.into())))
            }
        }
    }

    fn restart(&mut self) -> Result<(), Error> {
        self.third_party = false;
        self.validator = None;
        self.task.restart();
        self.incoming.restart()
    }

    /// Asks for what is missing. Afterwards the body goes on where `incoming` ends.
    fn request(&mut self) -> Result<Response, Stop> {
        let from = self.incoming.length();
        let mut headers = HeaderMap::new();
        // The pin is on the bytes as upstream packed them.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if from > 0 {
            let range = HeaderValue::from_str(&format!("bytes={from}-"));
            headers.extend(range.ok().map(|range| (RANGE, range)));
            headers.extend(self.validator.clone().map(|tag| (IF_RANGE, tag)));
        }
        let response = match self.http.get(self.url, headers) {
            // The server has fewer bytes than are here, so these are not its own.
            Err(setback) if from > 0 && setback.reason == Reason::Status(416) => {
                self.restart()?;
                return self.request();
            }
            other => other?,
        };
        let partial = response.status() == StatusCode::PARTIAL_CONTENT;
        if partial && !continues(&response, from) {
            if from == 0 {
                let reason =
                    Reason::Interrupted("the server sent a part that was not requested".to_owned());
                return Err(Setback::lasting(reason).into());
            }
            self.restart()?;
            return self.request();
        }
        if !partial {
            self.restart()?;
        }
        self.validator = validator(response.headers());
        let rest = response.content_length();
        if let Some(rest) = rest
            && !self
                .incoming
                .source()
                .size
                .allows(self.incoming.length().saturating_add(rest))
        {
            let size = self.incoming.length().saturating_add(rest);
            let reason = Reason::Mismatch(self.incoming.wrong_size(size));
            return Err(Setback::lasting(reason).into());
        }
        Ok(response)
    }

    /// Reads the body to its end, or to the first byte too many.
    fn receive(&mut self, mut response: Response) -> Result<(), Stop> {
        let mut buffer = vec![0; 1 << 16];
        let mut pace = Pace::new(&self.http.patience);
        loop {
            let count = match response.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Setback::transient(broken(&error)).into()),
            };
            if let Written::TooLong(mismatch) = self.incoming.write(&buffer[..count])? {
                self.restart()?;
                return Err(Setback::lasting(mismatch.into()).into());
            }
            self.task.advance(count as u64);
            pace.received(count as u64)?;
        }
    }
}

/// Whether a 206 answer begins at byte `from` (RFC 9110, section 14.4).
fn continues(response: &Response, from: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE);
    let begin = range.and_then(|range| {
        let range = range.to_str().ok()?.strip_prefix("bytes ")?;
        range.split_once('-')?.0.parse::<u64>().ok()
    });
    begin == Some(from)
}

/// A strong validator, which `If-Range` demands: a weak ETag would not do.
fn validator(headers: &HeaderMap) -> Option<HeaderValue> {
    let strong = |tag: &&HeaderValue| !tag.as_bytes().starts_with(b"W/");
    let tag = headers.get(ETAG).filter(strong);
    tag.or_else(|| headers.get(LAST_MODIFIED)).cloned()
}
