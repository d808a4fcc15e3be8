//! Fetching: every source wanted, at once, from the first origin that delivers it.

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use fs_err::File;
use reqwest::Url;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use serde::Deserialize;

use super::download::{Failure, download};
use super::downloads::{Downloads, Incoming, Stored, Written};
use super::error::{Attempt, Error, Missing, Reason, Unfetched};
use super::fetched::Fetched;
use super::http::{Http, Patience, shown};
use super::location::Location;
use super::redirect::may_follow;
use super::registries::Machine;
use crate::base::cache::Cache;
use crate::base::progress::{Progress, Silent, Task};
use crate::pins::{Origin, Size, Source};

/// How many files are fetched at a time.
const AT_ONCE: usize = 8;

/// The largest page of an index that is read; those of large projects have a few MB.
const LONGEST_PAGE: u64 = 1 << 25;

/// Where sources come from and go to.
#[derive(Debug)]
pub struct Options {
    /// Where they are kept.
    pub cache: Cache,
    /// A directory to look in first.
    pub source_dir: Option<PathBuf>,
    /// Whether to do without the network.
    pub offline: bool,
    /// Who knows the registries.
    pub machine: Machine,
    /// How long to wait for servers.
    pub patience: Patience,
}

impl Options {
    /// Fetches into `cache`, with the network and the registries of this machine.
    pub fn new(cache: Cache) -> Self {
        Self {
            cache,
            source_dir: None,
            offline: false,
            machine: Machine::new(),
            patience: Patience::default(),
        }
    }
}

/// Brings all that is `wanted` here and returns it in the same order.
///
/// What is in the store already is hashed again. Fails after all have been tried, with
/// all that could not be had.
pub fn fetch(
    wanted: &[Arc<Source>],
    options: &Options,
    progress: &dyn Progress,
) -> Result<Vec<Fetched>, Error> {
    fetch_each(wanted, options, progress, |fetched| fetched)
}

/// As [`fetch`], and does `then` with each source as soon as it is here, in the thread that
/// brought it: what is done with a small one need not wait for a large one.
pub fn fetch_each<T: Send>(
    wanted: &[Arc<Source>],
    options: &Options,
    progress: &dyn Progress,
    then: impl Fn(Fetched) -> T + Sync,
) -> Result<Vec<T>, Error> {
    let run = Run {
        options,
        store: Downloads::new(options.cache.clone()),
        http: Http::new(options.patience),
        progress,
        told: Mutex::default(),
    };
    // The largest first: it takes longest.
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(wanted[index].size.most()));
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, Result<T, Lost>)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(wanted.len()) {
            scope.spawn(|| {
                while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = run.one(&wanted[index]).map(&then);
                    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                    results.push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    collect(results.into_iter().map(|(_, result)| result))
}

/// Why a source is not here.
enum Lost {
    /// It was sought everywhere.
    Unfetched(Unfetched),
    /// It was sought without the network.
    Missing(Missing),
    /// Something is wrong on this side.
    Error(Error),
}

impl<E: Into<Error>> From<E> for Lost {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

fn collect<T>(results: impl Iterator<Item = Result<T, Lost>>) -> Result<Vec<T>, Error> {
    let (mut fetched, mut unfetched, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(one) => fetched.push(one),
            Err(Lost::Unfetched(one)) => unfetched.push(one),
            Err(Lost::Missing(one)) => missing.push(one),
            Err(Lost::Error(error)) => return Err(error),
        }
    }
    if !missing.is_empty() {
        return Err(Error::Missing(missing));
    }
    if !unfetched.is_empty() {
        return Err(Error::Unfetched(unfetched));
    }
    Ok(fetched)
}

struct Run<'a> {
    options: &'a Options,
    store: Downloads,
    http: Http,
    progress: &'a dyn Progress,
    /// What was said once and need not be said again.
    told: Mutex<HashSet<String>>,
}

impl Run<'_> {
    /// From the store, or else from wherever it can be had.
    fn one(&self, source: &Arc<Source>) -> Result<Fetched, Lost> {
        if let Stored::Sound(fetched) = self.store.get(source)? {
            return Ok(fetched);
        }
        let waiting = || {
            let line = format!("{source}: waiting for another process that fetches it");
            self.progress.note(&line);
        };
        let entry = self.store.lock(source, waiting)?;
        let mut attempts = Vec::new();
        // Another process may have brought it meanwhile.
        match self.store.get(source)? {
            Stored::Sound(fetched) => return Ok(fetched),
            Stored::Absent => attempts.push(self.nothing_stored(source)?),
            Stored::Corrupted(mismatch) => {
                let place = self.store.path(&source.digest)?.display().to_string();
                let line =
                    format!("{source}: {place} is corrupted and is fetched again: {mismatch}");
                self.progress.note(&line);
                entry.discard()?;
                let reason = mismatch.into();
                attempts.push(Attempt { place, reason });
            }
        }
        let incoming = entry.incoming()?;
        if incoming.check().is_ok() {
            return Ok(incoming.keep(Location::EarlierRun)?);
        }
        self.search(incoming, attempts)
    }

    /// Tries the source directory and then each origin; `attempts` says where it is not.
    fn search(&self, mut incoming: Incoming, mut attempts: Vec<Attempt>) -> Result<Fetched, Lost> {
        let source = &Arc::clone(incoming.source());
        let task = self.begin(source);
        task.advance(incoming.length());
        for path in self.files(source) {
            let place = Location::File(path);
            if self.tried(&place, &mut incoming, &*task, &mut attempts)? {
                return done(incoming, task, place);
            }
        }
        if self.options.offline {
            let (source, looked) = (Arc::clone(source), attempts);
            return Err(Lost::Missing(Missing { source, looked }));
        }
        // That it is not in the store is no news when every origin was asked.
        attempts.retain(|attempt| attempt.reason != Reason::Absent);
        for origin in &source.origins {
            task.stage(&origin.to_string());
            let places = self.places(origin, source).unwrap_or_else(|reason| {
                let place = origin.to_string();
                attempts.push(self.refused(source, place, reason));
                Vec::new()
            });
            for place in places {
                if self.tried(&place, &mut incoming, &*task, &mut attempts)? {
                    return done(incoming, task, place);
                }
            }
        }
        let source = Arc::clone(source);
        Err(Lost::Unfetched(Unfetched { source, attempts }))
    }

    fn begin(&self, source: &Source) -> Box<dyn Task> {
        let total = match source.size {
            Size::Exactly(size) => Some(size),
            Size::AtMost(_) => None,
        };
        // Without the network there is nothing to wait for, and the error tells all.
        match self.options.offline {
            true => Silent.begin("", None),
            false => self.progress.begin(&source.to_string(), total),
        }
    }

    fn nothing_stored(&self, source: &Source) -> Result<Attempt, Error> {
        Ok(Attempt {
            place: self.store.path(&source.digest)?.display().to_string(),
            reason: Reason::Absent,
        })
    }

    /// Tries one place; whether it delivered.
    fn tried(
        &self,
        place: &Location,
        incoming: &mut Incoming,
        task: &dyn Task,
        attempts: &mut Vec<Attempt>,
    ) -> Result<bool, Error> {
        task.stage(&place.brief());
        let result = match place {
            Location::Address(url) => download(&self.http, url, incoming, task),
            Location::File(path) => copy(path, incoming, task),
            Location::EarlierRun => Ok(()),
        };
        match result {
            Ok(()) => Ok(true),
            Err(Failure::Here(error)) => Err(error),
            Err(Failure::There(reason)) => {
                let source = Arc::clone(incoming.source());
                attempts.push(self.refused(&source, place.to_string(), reason));
                Ok(false)
            }
        }
    }

    /// Says why a place did not deliver: loudly if it delivered something else, once if
    /// the whole host is out of reach.
    fn refused(&self, source: &Source, place: String, reason: Reason) -> Attempt {
        let host = |place: &str| Url::parse(place).ok()?.host_str().map(str::to_owned);
        match (&reason, host(&place)) {
            (Reason::Mismatch(mismatch), _) => {
                let line = format!("{source}: {place} delivers something else: {mismatch}");
                self.progress.note(&line);
            }
            (Reason::Unreachable(why), Some(host)) => {
                let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                if told.insert(host.clone()) {
                    let line = format!("{host} cannot be reached, continuing without it: {why}");
                    self.progress.note(&line);
                }
            }
            _ => self
                .progress
                .detail(&format!("{source}: {place}: {reason}")),
        }
        Attempt { place, reason }
    }

    /// The places that an origin stands for on this machine.
    fn places(&self, origin: &Origin, source: &Source) -> Result<Vec<Location>, Reason> {
        let machine = &self.options.machine;
        let unavailable = |why: String| Reason::Unavailable(why);
        match origin {
            Origin::Https(address) => {
                let url = Url::parse(address).map_err(|error| unavailable(error.to_string()))?;
                Ok(vec![Location::Address(url)])
            }
            Origin::Debian(path) => {
                let mirrors = machine.mirrors().map_err(unavailable)?;
                let under = mirrors.iter().filter_map(|mirror| mirror.join(path).ok());
                Ok(under.map(Location::Address).collect())
            }
            Origin::Pypi(project) => {
                let index = machine.index().map_err(unavailable)?;
                self.listed(index, project, &source.file)
                    .map(|url| vec![Location::Address(url)])
            }
            Origin::Crate { name, version } => {
                let files = machine.crates(name, version).map_err(unavailable)?;
                Ok(files.into_iter().map(Location::File).collect())
            }
        }
    }

    /// The address of a project's file, from the index's JSON page (PEP 691).
    fn listed(&self, index: &Url, project: &str, file: &str) -> Result<Url, Reason> {
        #[derive(Deserialize)]
        struct Page {
            files: Vec<Listed>,
        }
        #[derive(Deserialize)]
        struct Listed {
            filename: String,
            url: String,
        }
        let no_page = |error: &dyn std::fmt::Display| {
            Reason::Unavailable(format!("{} is not a PEP 691 page: {error}", shown(index)))
        };
        let address = index.join(&format!("{project}/"));
        let address = address.map_err(|error| no_page(&error))?;
        let json = HeaderValue::from_static("application/vnd.pypi.simple.v1+json");
        let headers = HeaderMap::from_iter([(ACCEPT, json)]);
        let (base, text) = self.http.page(&address, &headers, LONGEST_PAGE)?;
        let page: Page = serde_json::from_slice(&text).map_err(|error| no_page(&error))?;
        let listed = page.files.iter().find(|listed| listed.filename == file);
        let listed = listed.ok_or(Reason::Absent)?;
        let url = base.join(&listed.url).map_err(|error| no_page(&error))?;
        let follows = may_follow(std::slice::from_ref(&base), &url);
        follows.map_err(|refused| Reason::Redirect(refused.to_string()))?;
        Ok(url)
    }

    /// The files in the source directory that may be the source: by upstream's name, and
    /// by the names that its origins give it.
    fn files(&self, source: &Source) -> Vec<PathBuf> {
        let Some(directory) = &self.options.source_dir else {
            return Vec::new();
        };
        let mut names = vec![source.file.as_str()];
        for origin in &source.origins {
            let path = match origin {
                Origin::Https(path) | Origin::Debian(path) => path,
                Origin::Pypi(_) | Origin::Crate { .. } => continue,
            };
            names.extend(path.rsplit('/').next());
        }
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(*name));
        names.iter().map(|name| directory.join(name)).collect()
    }
}

fn done(incoming: Incoming, task: Box<dyn Task>, from: Location) -> Result<Fetched, Lost> {
    let outcome = format!("from {}", from.brief());
    let fetched = incoming.keep(from)?;
    task.finish(&outcome);
    Ok(fetched)
}

/// Copies a file of this machine into `incoming`.
fn copy(path: &Path, incoming: &mut Incoming, task: &dyn Task) -> Result<(), Failure> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Failure::There(Reason::Absent));
        }
        Err(error) => return Err(Failure::There(Reason::Unavailable(error.to_string()))),
    };
    let length = file.metadata()?.len();
    if !incoming.source().size.allows(length) {
        let mismatch = incoming.wrong_size(length);
        return Err(Failure::There(mismatch.into()));
    }
    task.restart();
    incoming.restart()?;
    let mut buffer = vec![0; 1 << 17];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        if let Written::TooLong(mismatch) = incoming.write(&buffer[..count])? {
            return Err(Failure::There(mismatch.into()));
        }
        task.advance(count as u64);
    }
    incoming.check().or_else(|mismatch| {
        incoming.restart()?;
        Err(Failure::There(mismatch.into()))
    })
}
