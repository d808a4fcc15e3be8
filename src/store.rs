//! Finished outputs, each under its key, and the folders in which they are made.
//!
//! ```text
//! built/<key>/out/        an output
//! built/<key>/step.json   what it is, and the digests of its files
//! images/<tag>-<uid>/     the last image of that name, as an OCI layout
//! locks/<key>             held by the one who makes it
//! logs/<step>-<key>.log   what its command printed
//! work/<random>/          unfinished; removed by the next run when its maker is gone
//! ```
//!
//! An output gets its name by one rename when it is complete and on disk, so whatever
//! is there under a key is whole, whenever the machine stopped.

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::image::About;
use crate::plan::{Key, Step};
use crate::record::{self, Tree};
use crate::replace;

/// Goes up when what lies under a key changes its form.
const FORMAT: u32 = 1;

/// An output that a step made.
#[derive(Debug, Clone)]
pub struct Built {
    step: &'static str,
    key: Key,
    path: PathBuf,
    tree: Tree,
}

impl Built {
    /// The step that made it.
    pub fn step(&self) -> &'static str {
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

    /// What is in it.
    pub fn tree(&self) -> &Tree {
        &self.tree
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
    tree: Tree,
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
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The right to make the output of one key.
#[derive(Debug)]
pub struct Claim {
    _lock: fs::File,
}

impl Store {
    /// Opens the store under `cache` and removes what killed runs left behind.
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub fn open(cache: &Path) -> io::Result<Self> {
        let store = Self {
            root: cache.to_path_buf(),
        };
        for name in ["built", "locks", "logs", "work"] {
            fs::create_dir_all(store.root.join(name))?;
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
        Ok(Claim { _lock: lock })
    }

    /// The output of `step`, if it is here and whole. One that is not what it was when it
    /// was kept is removed, to be made again.
    ///
    /// # Errors
    /// When it is here but cannot be read or removed.
    pub fn find(&self, step: &Step) -> io::Result<Option<Built>> {
        let folder = self.folder(&step.key);
        if !folder.is_dir() {
            return Ok(None);
        }
        let label: Option<Label> = fs::read(folder.join("step.json"))
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .filter(|label: &Label| label.format == FORMAT && label.covers == step.covers);
        let path = folder.join("out");
        match label {
            Some(label) if Tree::read(&path).is_ok_and(|found| found == label.tree) => {
                Ok(Some(Built {
                    step: step.name,
                    key: step.key.clone(),
                    path,
                    tree: label.tree,
                }))
            }
            _ => {
                fs::remove_dir_all(&folder)?;
                Ok(None)
            }
        }
    }

    /// Whether there is an output of `step`, without reading all of it.
    pub fn has(&self, step: &Step) -> bool {
        self.folder(&step.key).join("step.json").is_file()
    }

    /// Keeps the folder `out`, which must be in a [`Workspace`] of this store, as the
    /// output of `step`.
    ///
    /// # Errors
    /// When it cannot be read, written to disk or renamed.
    pub fn keep(&self, step: &Step, out: &Path) -> Result<Built, record::Error> {
        let tree = Tree::read(out)?;
        let finished = tempfile::tempdir_in(out.parent().unwrap_or(&self.root))?;
        fs::rename(out, finished.path().join("out"))?;
        let label = Label {
            format: FORMAT,
            step: step.name.to_owned(),
            covers: step.covers.clone(),
            tree: tree.clone(),
        };
        let label = serde_json::to_vec_pretty(&label).map_err(io::Error::from)?;
        fs::write(finished.path().join("step.json"), label)?;
        rustix::fs::syncfs(fs::File::open(finished.path())?.file()).map_err(io::Error::from)?;
        let folder = self.folder(&step.key);
        fs::rename(finished.keep(), &folder)?;
        replace::sync(&self.root.join("built"))?;
        Ok(Built {
            step: step.name,
            key: step.key.clone(),
            path: folder.join("out"),
            tree,
        })
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

    /// Removes unfinished work whose maker is gone.
    fn sweep(&self) -> io::Result<()> {
        let _quiet = self.no_sweep()?;
        for entry in fs::read_dir(self.work())? {
            let path = entry?.path();
            let at_work = fs::File::open(path.join(".lock"))
                .is_ok_and(|lock| lock.file().try_lock().is_err());
            if !at_work {
                fs::remove_dir_all(&path)?;
            }
        }
        Ok(())
    }
}
