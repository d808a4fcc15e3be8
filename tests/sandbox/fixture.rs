//! An engine, a folder for it and the host's programs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use relaysmith::build::sandbox::namespaces::Namespaces;
use relaysmith::build::sandbox::root::{self, Root};
use relaysmith::build::sandbox::{Error, Job, Limits, Sandbox as _};

pub(crate) struct Fixture {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) engine: Namespaces,
    pub(crate) root: Root,
}

impl Fixture {
    /// Nothing here works without user namespaces, and neither does the product: no skip.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join("build")).unwrap();
        Self {
            engine: Namespaces::new(folder.path()).unwrap(),
            root: root::host(folder.path()).unwrap(),
            folder,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn job(&self, script: &str) -> Job {
        Job {
            step: "test".to_owned(),
            script: script.to_owned(),
            env: BTreeMap::from([("PATH".to_owned(), "/tools".to_owned())]),
            build: self.path("build"),
            root: self.root.clone(),
            mounts: Vec::new(),
            tokens: None,
            log: self.path("log"),
            limits: Limits::default(),
        }
    }

    pub(crate) fn run(&self, job: &Job) -> Result<String, Error> {
        self.engine.run(job, &AtomicBool::new(false))?;
        Ok(fs_err::read_to_string(&job.log).unwrap())
    }

    pub(crate) fn prints(&self, script: &str) -> String {
        self.run(&self.job(script))
            .unwrap_or_else(|error| panic!("{script}: {error}"))
    }
}
