//! Asking every origin, not only the first that delivers: so that one which falls silent is
//! noticed while there is another.

use std::sync::Arc;

use super::{Attempt, Error, Location, Options, fetch};
use crate::base::cache::Cache;
use crate::base::progress::Progress;
use crate::pins::{Origin, Source};

/// What one of a source's origins did when it was asked.
#[derive(Debug)]
pub struct Availability {
    /// The source.
    pub source: Arc<Source>,
    /// The origin. The paths on Debian's mirrors are one: a file moves between them.
    pub origins: Vec<Origin>,
    /// The place that delivered the pinned bytes, or what each said instead.
    pub delivered: Result<Location, Vec<Attempt>>,
}

/// Downloads each of the sources from each of its origins, and keeps nothing.
///
/// # Errors
/// When something is wrong on this side; an origin that does not deliver is an answer.
pub fn survey(
    wanted: &[Arc<Source>],
    options: Options,
    progress: &dyn Progress,
) -> Result<Vec<Availability>, Error> {
    let mut options = Options {
        source_dir: None,
        offline: false,
        ..options
    };
    let mut answers = Vec::new();
    for source in wanted {
        for origins in apart(&source.origins) {
            let scratch = tempfile::tempdir()?;
            options.cache = Cache::open(Some(scratch.path()))?;
            let alone = Arc::new(Source {
                origins: origins.clone(),
                ..Source::clone(source)
            });
            let delivered = match fetch(&[alone], &options, progress) {
                Ok(fetched) => Ok(fetched.iter().find_map(|it| it.from().cloned())),
                Err(Error::Unfetched(lost)) => {
                    Err(lost.into_iter().flat_map(|it| it.attempts).collect())
                }
                Err(error) => return Err(error),
            };
            answers.push(Availability {
                source: Arc::clone(source),
                origins,
                delivered: delivered.map(|place| place.unwrap_or(Location::EarlierRun)),
            });
        }
    }
    Ok(answers)
}

/// The origins, each on its own but for Debian's.
fn apart(origins: &[Origin]) -> Vec<Vec<Origin>> {
    let mut groups: Vec<Vec<Origin>> = Vec::new();
    let debian = |origin: &Origin| matches!(origin, Origin::Debian(_));
    for origin in origins {
        let known = groups.iter_mut().find(|group| group.iter().all(debian));
        match known.filter(|_| debian(origin)) {
            Some(group) => group.push(origin.clone()),
            None => groups.push(vec![origin.clone()]),
        }
    }
    groups
}
