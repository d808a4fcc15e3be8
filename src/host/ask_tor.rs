//! What tor itself says of a torrc: the one that was built, in a sandbox that has the torrc, the
//! files that it includes, and nothing else.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use torrc::check::{Disk, Files, What, facts, normal};
use torrc::{CONFIG_DIRECTORY, DATA_DIRECTORY};

use crate::build::sandbox::{self, Mount};
use crate::image::TORRC_DEFAULTS;

/// Where the torrc is inside.
const TORRC: &str = "/torrc";

/// Where the image has its defaults.
const DEFAULTS: &str = "/usr/local/share/tor/torrc-defaults";

/// What an engine writes into each container; here nobody answers, and that is known at once.
const HOSTS: &str = "127.0.0.1 localhost\n::1 localhost\n";
const RESOLVER: &str = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n";

/// What tor said of a torrc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Whether it takes the file.
    pub valid: bool,
    /// All that it printed.
    pub output: String,
}

/// Lets `tor`, a built one, verify `text`, which `name` stands for in what it prints, as it would
/// in the image: with the image's defaults, home and directories. What it includes is at its
/// place.
///
/// # Errors
/// When tor cannot be run.
pub fn ask_tor(tor: &Path, name: &str, text: &[u8], disk: &Disk) -> Result<Said, sandbox::Error> {
    let read = Read::of(name, text, disk);
    let (torrc, defaults) = (readable(text)?, readable(TORRC_DEFAULTS.as_bytes())?);
    let (hosts, resolver) = (readable(HOSTS.as_bytes())?, readable(RESOLVER.as_bytes())?);
    let mut mounts = vec![
        Mount::new(torrc.path(), TORRC),
        Mount::new(defaults.path(), DEFAULTS),
        Mount::new(hosts.path(), "/etc/hosts"),
        Mount::new(resolver.path(), "/etc/resolv.conf"),
    ];
    let mut copies = Vec::new();
    for file in read.files.take() {
        let copy = readable(&disk.read(&file)?)?;
        mounts.push(Mount::new(copy.path(), normal(&file).to_string_lossy()));
        copies.push(copy);
    }
    let directories: Vec<String> = read
        .directories
        .take()
        .iter()
        .map(|directory| normal(directory).to_string_lossy().into_owned())
        .collect();
    // Tor makes this one itself, as the volume would be; below it there is nothing yet.
    let arguments = [
        "--defaults-torrc",
        DEFAULTS,
        "--verify-config",
        "-f",
        TORRC,
        "--DataDirectory",
        DATA_DIRECTORY,
    ];
    let home = [("HOME", DATA_DIRECTORY)];
    let answer = sandbox::ask(tor, &arguments, &mounts, &directories, &home)?;
    Ok(Said {
        valid: answer.yes,
        output: answer.text.replace(TORRC, name),
    })
}

/// A file with these bytes that everybody may read: in the sandbox tor is another user.
fn readable(bytes: &[u8]) -> io::Result<NamedTempFile> {
    let file = NamedTempFile::new()?;
    fs_err::write(file.path(), bytes)?;
    fs_err::set_permissions(file.path(), Permissions::from_mode(0o644))?;
    Ok(file)
}

/// The files and directories that reading a torrc leads to.
struct Read<'a> {
    disk: &'a Disk,
    files: RefCell<BTreeSet<PathBuf>>,
    directories: RefCell<BTreeSet<PathBuf>>,
}

impl<'a> Read<'a> {
    fn of(name: &str, text: &[u8], disk: &'a Disk) -> Self {
        let read = Self {
            disk,
            files: RefCell::default(),
            directories: RefCell::default(),
        };
        // Whoever wants to know what the torrc says opens all that it includes.
        facts(name, text, &read);
        read
    }
}

impl Files for Read<'_> {
    fn what(&self, path: &Path) -> What {
        self.disk.what(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let bytes = self.disk.read(path)?;
        self.files.borrow_mut().insert(path.to_owned());
        // The way there may lead through a directory and out of it again.
        let through = path.ancestors().skip(1);
        let inside = through.filter(|above| normal(above).starts_with(CONFIG_DIRECTORY));
        self.directories
            .borrow_mut()
            .extend(inside.map(Path::to_owned));
        Ok(bytes)
    }

    fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        let names = self.disk.names(path)?;
        self.directories.borrow_mut().insert(path.to_owned());
        Ok(names)
    }
}
