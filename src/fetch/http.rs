//! HTTP as downloads need it: what is worth another try, and what is not.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, Response};
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{StatusCode, Url};

use super::Reason;
use super::redirect::{self, RedirectRefused, may_follow};

/// How long to wait for servers, and how often to come back.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a connection. Short, because there are other origins to try.
    pub connect: Duration,
    /// For an answer, and for each further piece of it.
    pub read: Duration,
    /// Requests without progress before an origin is given up.
    pub attempts: u32,
    /// Before the second attempt; doubled for each further one.
    pub backoff: Duration,
    /// The most that a server may demand with `Retry-After`.
    pub longest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(30),
            attempts: 4,
            backoff: Duration::from_millis(500),
            longest: Duration::from_secs(60),
        }
    }
}

/// Slower than this many bytes a second over the time of `Patience::read` is as good as
/// dead.
const SLOWEST: u64 = 1024;

/// How fast a body comes: a server that sends a byte now and then would keep us for ever.
pub(super) struct Pace {
    window: Duration,
    since: Instant,
    received: u64,
}

impl Pace {
    pub(super) fn new(patience: &Patience) -> Self {
        Self {
            window: patience.read,
            since: Instant::now(),
            received: 0,
        }
    }

    /// Counts `bytes` more; fails if they came too slowly.
    pub(super) fn received(&mut self, bytes: u64) -> Result<(), Setback> {
        self.received += bytes;
        if self.since.elapsed() < self.window {
            return Ok(());
        }
        if u128::from(self.received) * 1000 < u128::from(SLOWEST) * self.window.as_millis() {
            let reason = Reason::Interrupted("the server is too slow".to_owned());
            return Err(Setback::transient(reason));
        }
        (self.since, self.received) = (Instant::now(), 0);
        Ok(())
    }
}

/// Why an attempt failed, and whether there is a point in another.
#[derive(Debug)]
pub(super) struct Setback {
    pub(super) reason: Reason,
    /// Whether the same request may succeed later.
    pub(super) transient: bool,
    /// What the server asked for.
    retry_after: Option<Duration>,
}

impl Setback {
    pub(super) fn transient(reason: Reason) -> Self {
        Self {
            reason,
            transient: true,
            retry_after: None,
        }
    }

    pub(super) fn lasting(reason: Reason) -> Self {
        Self {
            transient: false,
            ..Self::transient(reason)
        }
    }
}

/// The HTTP client of one run.
pub(crate) struct Http {
    client: OnceLock<Result<Client, String>>,
    pub(super) patience: Patience,
    /// What is known of each host: it answered, or it cannot be reached for this reason.
    hosts: Mutex<HashMap<String, Result<(), String>>>,
}

impl Http {
    pub(crate) fn new(patience: Patience) -> Self {
        Self {
            client: OnceLock::new(),
            patience,
            hosts: Mutex::new(HashMap::new()),
        }
    }

    /// Made when first needed: a run that finds everything in the store loads no
    /// certificates.
    fn client(&self) -> Result<&Client, Setback> {
        let made = self.client.get_or_init(|| {
            // An error means that a provider is installed already.
            let _ = rustls::crypto::ring::default_provider().install_default();
            Client::builder()
                .user_agent(concat!("relaysmith/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(self.patience.connect)
                .timeout(self.patience.read)
                .referer(false)
                .redirect(Policy::custom(|attempt| {
                    match may_follow(attempt.previous(), attempt.url()) {
                        Ok(()) => attempt.follow(),
                        Err(refused) => attempt.error(refused),
                    }
                }))
                .build()
                .map_err(|error| innermost(&error))
        });
        made.as_ref()
            .map_err(|error| Setback::lasting(Reason::Unavailable(error.clone())))
    }

    /// Sends one GET request; a success is any 2xx status.
    pub(super) fn get(&self, url: &Url, headers: HeaderMap) -> Result<Response, Setback> {
        if let Some(Err(reason)) = self.known(&host(url)) {
            return Err(Setback::lasting(Reason::Unreachable(reason)));
        }
        let request = self.client()?.get(url.clone()).headers(headers);
        let response = request.send().map_err(|error| self.setback(&error, url))?;
        self.remember(host(response.url()), Ok(()));
        match response.status() {
            status if status.is_success() => Ok(response),
            status => Err(refused(status, response.headers())),
        }
    }

    /// The whole body of a small page, of `longest` bytes at most, and the address it came
    /// from in the end.
    pub(crate) fn page(
        &self,
        url: &Url,
        headers: &HeaderMap,
        longest: u64,
    ) -> Result<(Url, Vec<u8>), Reason> {
        let once = || {
            let response = self.get(url, headers.clone())?;
            let from = response.url().clone();
            Ok((from, self.body(response, longest)?))
        };
        let mut attempt = 0;
        loop {
            match once() {
                Ok(page) => return Ok(page),
                Err(setback) if !self.again(&setback, &mut attempt) => return Err(setback.reason),
                Err(_) => {}
            }
        }
    }

    fn body(&self, response: Response, longest: u64) -> Result<Vec<u8>, Setback> {
        let mut pace = Pace::new(&self.patience);
        let mut body = Vec::new();
        let mut buffer = vec![0; 1 << 14];
        let mut rest = response.take(longest.saturating_add(1));
        loop {
            let count = match rest.read(&mut buffer) {
                Ok(0) => return Ok(body),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Setback::transient(broken(&error))),
            };
            body.extend_from_slice(&buffer[..count]);
            if body.len() as u64 > longest {
                return Err(Setback::lasting(Reason::TooLong(longest)));
            }
            pace.received(count as u64)?;
        }
    }

    fn setback(&self, error: &reqwest::Error, asked: &Url) -> Setback {
        let reason = reason(error);
        if !matches!(reason, Reason::Unreachable(_)) {
            let transient = matches!(reason, Reason::TimedOut | Reason::Interrupted(_));
            return Setback {
                transient,
                ..Setback::lasting(reason)
            };
        }
        let host = host(error.url().unwrap_or(asked));
        // A host that answered a moment ago will again; one that never did is not waited
        // for twice.
        if let Some(Ok(())) = self.known(&host) {
            return Setback::transient(reason);
        }
        if let Reason::Unreachable(text) = &reason {
            self.remember(host, Err(text.clone()));
        }
        Setback::lasting(reason)
    }

    fn known(&self, host: &str) -> Option<Result<(), String>> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.get(host).cloned()
    }

    fn remember(&self, host: String, state: Result<(), String>) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.insert(host, state);
    }

    /// Whether there is to be another attempt after this setback; if so, waits for it.
    pub(super) fn again(&self, setback: &Setback, attempts: &mut u32) -> bool {
        if !setback.transient || *attempts + 1 >= self.patience.attempts {
            return false;
        }
        // A fresh RandomState is seeded at random; that is all the randomness needed.
        let random = RandomState::new().build_hasher().finish();
        let wait = delay(&self.patience, *attempts, setback.retry_after, random);
        std::thread::sleep(wait);
        *attempts += 1;
        true
    }
}

/// How long to wait after attempt number `attempt`, counted from 0: what the server asked for, or else
/// twice as long each time; up to 50 % more at random, so that many clients do
/// not come back at the same moment.
fn delay(
    patience: &Patience,
    attempt: u32,
    retry_after: Option<Duration>,
    random: u64,
) -> Duration {
    if let Some(asked) = retry_after {
        return asked.min(patience.longest);
    }
    let doubled = patience.backoff.saturating_mul(1 << attempt.min(10));
    let jitter = doubled.mul_f64((random % 1024) as f64 / 2048.0);
    (doubled + jitter).min(patience.longest)
}

/// The verdict on a status that is no success.
fn refused(status: StatusCode, headers: &HeaderMap) -> Setback {
    // RFC 9110 also allows a date, which those who throttle do not send.
    let retry_after = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    // Such an address is no address to reqwest, which then takes the redirect for an answer.
    let scheme = headers
        .get(LOCATION)
        .filter(|_| status.is_redirection())
        .and_then(|location| {
            let (scheme, _) = location.to_str().ok()?.split_once(':')?;
            let letters = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
            (letters && !["http", "https"].contains(&scheme)).then(|| scheme.to_owned())
        });
    if let Some(scheme) = scheme {
        return Setback::lasting(Reason::Redirect(redirect::elsewhere(&scheme)));
    }
    let transient = status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT;
    Setback {
        reason: Reason::Status(status.as_u16()),
        transient,
        retry_after,
    }
}

/// What a failed request or a broken answer means.
fn reason(error: &reqwest::Error) -> Reason {
    for cause in causes(error) {
        if let Some(refused) = cause.downcast_ref::<RedirectRefused>() {
            return Reason::Redirect(refused.to_string());
        }
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return Reason::Tls(tls.to_string());
        }
    }
    if error.is_connect() {
        Reason::Unreachable(innermost(error))
    } else if error.is_timeout() {
        Reason::TimedOut
    } else {
        Reason::Interrupted(innermost(error))
    }
}

/// What a failed read from a body means.
pub(super) fn broken(error: &io::Error) -> Reason {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref());
    match cause {
        Some(error) => reason(error),
        None if error.kind() == io::ErrorKind::TimedOut => Reason::TimedOut,
        None => Reason::Interrupted(error.to_string()),
    }
}

/// An error and what caused it. An `io::Error` hides the error it carries from
/// `source()`, so that is looked for, too.
fn causes<'a>(error: &'a Cause) -> impl Iterator<Item = &'a Cause> {
    let next = |&error: &&'a Cause| -> Option<&'a Cause> {
        match error.downcast_ref::<io::Error>().map(io::Error::get_ref) {
            Some(Some(inner)) => Some(inner),
            _ => error.source(),
        }
    };
    std::iter::successors(Some(error), next)
}

type Cause = dyn StdError + 'static;

/// The cause at the bottom: those above it name addresses, which may carry passwords.
fn innermost(error: &Cause) -> String {
    let last = causes(error).last();
    last.map_or_else(String::new, ToString::to_string)
}

fn host(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or(0);
    format!("{}:{port}", url.host_str().unwrap_or(""))
}

/// An address as it may be shown: a mirror's or an index's may carry a password.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // These fail for addresses without a host only, which have no password.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn statuses() {
        for (status, retry_after, transient, waits) in [
            (404, None, false, None),
            (403, None, false, None),
            (410, Some("7"), false, Some(7)),
            (408, None, true, None),
            (429, Some("7"), true, Some(7)),
            (429, Some("Fri, 31 Dec 1999 23:59:59 GMT"), true, None),
            (429, Some("-1"), true, None),
            (500, None, true, None),
            (503, Some(" 0 "), true, Some(0)),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(value) = retry_after {
                headers.insert(RETRY_AFTER, value.parse().unwrap());
            }
            let setback = refused(StatusCode::from_u16(status).unwrap(), &headers);
            assert_eq!(setback.transient, transient, "{status}");
            assert_eq!(
                setback.retry_after,
                waits.map(Duration::from_secs),
                "{status}"
            );
        }
    }

    #[test]
    fn delays_grow_and_have_an_end() {
        let patience = Patience::default();
        let ms = |attempt, asked: Option<u64>, random| {
            delay(&patience, attempt, asked.map(Duration::from_secs), random).as_millis()
        };
        assert_eq!(ms(0, None, 0), 500);
        assert_eq!(ms(1, None, 0), 1000);
        assert_eq!(ms(1, None, 1023), 1499);
        assert_eq!(ms(2, None, 0), 2000);
        assert_eq!(ms(40, None, 0), 60_000);
        assert_eq!(ms(0, Some(7), 1023), 7000);
        assert_eq!(ms(0, Some(86_400), 0), 60_000);
    }

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(
            shown(&url("https://me:secret@host/a?token=x")),
            "https://host/a"
        );
    }
}
