//! Finished outputs, each under its key, and the folders in which they are made.
//!
//! ```text
//! built/<key>/out/        an output
//! built/<key>/step.json   what it is, and the digests of its files
//! images/<tag>-<uid>/     the last image of that name, as an OCI layout
//! locks/<key>             held by the one who makes it
//! logs/<step>-<key>.log   what its command printed
//! work/<random>/          unfinished; removed by the next run when its maker is gone
//! aside/<random>/         what could not be removed; whoever may is to remove it
//! ```
//!
//! An output gets its name by one rename when it is complete and on disk, so whatever
//! is there under a key is whole, whenever the machine stopped.

use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::base::cache;
use crate::base::listing::{self, Listing};
use crate::base::remove::remove;
use crate::base::replace;
use crate::build::plan::{Key, Step, Work};
use crate::build::recipe::{Artifact, StepId};
use crate::image::About;

/// Goes up when what lies under a key changes its form.
const FORMAT: u32 = 1;

/// An output cannot be kept or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be listed.
    #[error(transparent)]
    Listing(#[from] listing::Error),
    /// It cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It lacks what its step promises.
    #[error("{step}: `{path}` is not in its output")]
    Missing {
        /// The step.
        step: StepId,
        /// The path in the output.
        path: &'static str,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { step, .. } => Some(format!(
                "`make install` of the new {step} may put it elsewhere: see its script in src/build/recipe/"
            )),
            Self::Listing(_) | Self::Io(_) => None,
        }
    }
}

/// An output that a step made, with everything in it that the step promises. Only a [`Store`]
/// makes it.
#[derive(Debug, Clone)]
pub struct Built {
    step: StepId,
    key: Key,
    path: PathBuf,
    files: Listing,
}

impl Built {
    /// The step that made it.
    pub fn step(&self) -> StepId {
        self.step
    }

    /// The key under which it is kept.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The folder that holds it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where `artifact`, which this step leaves, lies.
    ///
    /// # Errors
    /// [`Error::Missing`], if it does not.
    pub fn artifact(&self, artifact: Artifact) -> Result<PathBuf, Error> {
        match self.step == artifact.step && self.files.has(artifact.path) {
            true => Ok(self.path.join(artifact.path)),
            false => Err(Error::Missing {
                step: artifact.step,
                path: artifact.path,
            }),
        }
    }

    /// What is in it.
    pub fn files(&self) -> &Listing {
        &self.files
    }
}

/// The store under one cache folder.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// What lies beside an output.
#[derive(Debug, Serialize, Deserialize)]
struct Label {
    format: u32,
    step: String,
    covers: String,
    tree: Listing,
}

/// A folder for unfinished work, removed when it is dropped.
#[derive(Debug)]
pub struct Workspace {
    path: PathBuf,
    _lock: fs::File,
}

impl Workspace {
    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // What cannot be removed now, the next run removes.
        let _ = remove(&self.path);
    }
}

/// The right to make the output of one key, and to remove what lies under it.
#[derive(Debug)]
pub struct Claim {
    key: Key,
    _lock: fs::File,
}

impl Store {
    /// Opens the store under `cache` and removes what killed runs left behind.
    ///
    /// # Errors
    /// When a folder cannot be made, or others may write to it.
    pub fn open(cache: &Path) -> Result<Self, cache::Error> {
        let store = Self {
            root: cache.to_path_buf(),
        };
        // Whatever the umask: steps trust what they find there.
        for name in ["built", "images", "locks", "logs", "work"] {
            cache::private(&store.root.join(name))?;
        }
        store.sweep()?;
        Ok(store)
    }

    /// A fresh folder for unfinished work.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn workspace(&self) -> io::Result<Workspace> {
        let _quiet = self.no_sweep()?;
        let path = tempfile::tempdir_in(self.work())?.keep();
        let lock = fs::File::create(path.join(".lock"))?;
        lock.file().lock()?;
        Ok(Workspace { path, _lock: lock })
    }

    /// Waits until nobody else makes the output of `key`; `waiting` is called if somebody does.
    ///
    /// # Errors
    /// When the lock cannot be taken.
    pub fn claim(&self, key: &Key, waiting: impl FnOnce()) -> io::Result<Claim> {
        let lock = fs::File::create(self.root.join("locks").join(key.as_str()))?;
        if lock.file().try_lock().is_err() {
            waiting();
            lock.file().lock()?;
        }
        Ok(Claim {
            key: key.clone(),
            _lock: lock,
        })
    }

    /// The output of `step`, if it is here and what it was when it was kept. Nothing is
    /// removed: another run may be about to replace it.
    ///
    /// # Errors
    /// When it is here but cannot be read.
    pub fn find(&self, step: &Step) -> Result<Option<Built>, Error> {
        let folder = self.folder(&step.key);
        let Some(text) = there(fs::read(folder.join("step.json")))? else {
            return Ok(None);
        };
        let path = folder.join("out");
        let label = serde_json::from_slice(&text)
            .ok()
            .filter(|label: &Label| label.format == FORMAT && label.covers == step.covers);
        let Some(label) = label else {
            return Ok(None);
        };
        let found = match Listing::read(&path) {
            // Gone, perhaps while it was read; or replaced by what no step leaves.
            Err(listing::Error::Io(error)) => there(Err(error))?,
            Err(listing::Error::Name { .. } | listing::Error::Special { .. }) => None,
            found => Some(found?),
        };
        let whole = found.filter(|found| *found == label.tree);
        whole.map(|files| self.built(step, files)).transpose()
    }

    /// Removes what lies under the key of `claim`, which is nothing that can be used.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn clear(&self, claim: &Claim) -> io::Result<()> {
        remove(&self.folder(&claim.key))
    }

    /// Whether there is an output of `step`, without reading all of it.
    pub fn has(&self, step: &Step) -> bool {
        self.folder(&step.key).join("step.json").is_file()
    }

    /// Keeps the folder `out`, which must be in a [`Workspace`] of this store, as the
    /// output of `step`. Whoever holds the claim found that there was none, and cleared its
    /// place.
    ///
    /// # Errors
    /// When it cannot be read, written to disk or renamed.
    pub fn keep(&self, claim: &Claim, step: &Step, out: &Path) -> Result<Built, Error> {
        debug_assert_eq!(claim.key, step.key);
        let files = Listing::read(out)?;
        // Before it has a name: what is not whole is not kept.
        let built = self.built(step, files)?;
        let finished = tempfile::tempdir_in(out.parent().unwrap_or(&self.root))?;
        fs::rename(out, finished.path().join("out"))?;
        let label = Label {
            format: FORMAT,
            step: step.name.to_string(),
            covers: step.covers.clone(),
            tree: built.files.clone(),
        };
        let label = serde_json::to_vec_pretty(&label).map_err(io::Error::from)?;
        fs::write(finished.path().join("step.json"), label)?;
        rustix::fs::syncfs(fs::File::open(finished.path())?.file()).map_err(io::Error::from)?;
        let folder = self.folder(&step.key);
        fs::rename(finished.keep(), &folder)?;
        replace::sync(&self.root.join("built"))?;
        Ok(built)
    }

    /// The output of `step` with `files`, at the place that its key gives it.
    fn built(&self, step: &Step, files: Listing) -> Result<Built, Error> {
        let built = Built {
            step: step.name,
            key: step.key.clone(),
            path: self.folder(&step.key).join("out"),
            files,
        };
        let licenses = matches!(step.work, Work::Component(_, Some(_)));
        let licenses = licenses.then(|| Artifact::licenses(step.name));
        for promised in Artifact::of(step.name).chain(licenses) {
            built.artifact(promised)?;
        }
        Ok(built)
    }

    /// Where the output of the command of `step` goes.
    pub fn log(&self, step: &Step) -> PathBuf {
        self.root
            .join("logs")
            .join(format!("{}-{}.log", step.name, step.key.short()))
    }

    /// The folder of the image that `about` describes.
    pub fn layout(&self, about: &About) -> PathBuf {
        self.root
            .join("images")
            .join(format!("{}-{}-{}", about.tag(), about.target, about.uid))
    }

    fn folder(&self, key: &Key) -> PathBuf {
        self.root.join("built").join(key.as_str())
    }

    fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// While this is held no other run begins a workspace or looks for abandoned ones, so
    /// one that has no lock has no maker.
    fn no_sweep(&self) -> io::Result<fs::File> {
        let lock = fs::File::create(self.root.join("locks").join("work"))?;
        lock.file().lock()?;
        Ok(lock)
    }

    /// Moves what cannot be removed out of the way, so that it stops no build.
    fn set_aside(&self, path: &Path) -> io::Result<()> {
        let aside = self.root.join("aside");
        fs::create_dir_all(&aside)?;
        let place = tempfile::tempdir_in(aside)?.keep();
        fs::rename(path, place)
    }

    /// Removes unfinished work whose maker is gone.
    fn sweep(&self) -> io::Result<()> {
        let _quiet = self.no_sweep()?;
        for entry in fs::read_dir(self.work())? {
            let path = entry?.path();
            // Without a lock it has no maker either: those begin while nobody sweeps.
            let lock = there(fs::File::open(path.join(".lock")))?;
            match lock.as_ref().map(|lock| lock.file().try_lock()) {
                None | Some(Ok(())) => {
                    if remove(&path).is_err() {
                        self.set_aside(&path)?;
                    }
                }
                Some(Err(TryLockError::WouldBlock)) => {}
                Some(Err(TryLockError::Error(error))) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Nothing, where there is no such file: every other error is one.
fn there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
