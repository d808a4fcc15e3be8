//! The files that a torrc may include, on disk or in memory.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

/// What there is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A pipe, a device or a socket.
    Special,
    /// Nothing.
    Nothing,
}

/// The files that a torrc may include.
pub trait Files {
    /// What there is at `path`.
    fn what(&self, path: &Path) -> What;

    /// The bytes of the file at `path`.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The names in the directory at `path`, in any order.
    fn names(&self, path: &Path) -> io::Result<Vec<String>>;
}

/// The most bytes of one file: tor's own sample has twelve thousand.
const LARGEST: u64 = 1 << 20;

/// The files of this machine, where the container's configuration lies in `config`. Of all other
/// paths the container has nothing of this machine.
#[derive(Debug, Clone)]
pub struct Disk {
    /// The directory that the container sees as [`crate::CONFIG_DIRECTORY`].
    pub config: PathBuf,
}

impl Disk {
    /// Where this machine has what the container sees at `path`: in the configuration's directory,
    /// whatever `..` and links say.
    ///
    /// # Errors
    /// When it is not there, or lies elsewhere.
    pub fn on_host(&self, path: &Path) -> io::Result<PathBuf> {
        let elsewhere = || {
            let path = shown::shown(path.as_os_str().as_encoded_bytes());
            let problem = format!("`{path}` does not lie in {}", crate::CONFIG_DIRECTORY);
            io::Error::new(io::ErrorKind::NotFound, problem)
        };
        let inside = normal(path);
        let rest = inside
            .strip_prefix(crate::CONFIG_DIRECTORY)
            .map_err(|_| elsewhere())?;
        // A directory without a name is the current one.
        let config = match self.config == Path::new("") {
            true => Path::new("."),
            false => &self.config,
        };
        let config = fs_err::canonicalize(config)?;
        let found = fs_err::canonicalize(config.join(rest))?;
        match found.starts_with(&config) {
            true => Ok(found),
            false => Err(elsewhere()),
        }
    }
}

/// An absolute path without `.` and `..`; above the root is the root.
pub fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => normal.push(name),
            Component::ParentDir => drop(normal.pop()),
            _ => {}
        }
    }
    normal
}

impl Files for Disk {
    fn what(&self, path: &Path) -> What {
        match self.on_host(path).and_then(fs_err::metadata) {
            Ok(metadata) if metadata.is_dir() => What::Directory,
            Ok(metadata) if metadata.is_file() => What::File,
            Ok(_) => What::Special,
            Err(_) => What::Nothing,
        }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let host = self.on_host(path)?;
        // A pipe would be waited for, a device has no end.
        if !fs_err::metadata(&host)?.is_file() {
            return Err(io::Error::other("it is not a plain file"));
        }
        let mut bytes = Vec::new();
        let file = fs_err::File::open(host)?;
        file.take(LARGEST + 1).read_to_end(&mut bytes)?;
        match bytes.len() as u64 > LARGEST {
            true => Err(io::Error::other(format!(
                "it has more than {LARGEST} bytes, which no torrc needs"
            ))),
            false => Ok(bytes),
        }
    }

    fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        let entries = fs_err::read_dir(self.on_host(path)?)?;
        entries
            .take(MOST_NAMES)
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }
}

/// How many names of directories are looked at for one torrc, how many paths are asked about, and
/// how many bytes are read.
const MOST_NAMES: usize = 20_000;
const MOST_PATHS: usize = 20_000;
const MOST_BYTES: usize = 8 << 20;

/// Files of which no torrc can ask for more than there is patience for.
pub(super) struct Limited<'a> {
    files: &'a dyn Files,
    names: Cell<usize>,
    paths: Cell<usize>,
    bytes: Cell<usize>,
}

impl<'a> Limited<'a> {
    pub(super) fn new(files: &'a dyn Files) -> Self {
        Self {
            files,
            names: Cell::new(MOST_NAMES),
            paths: Cell::new(MOST_PATHS),
            bytes: Cell::new(MOST_BYTES),
        }
    }

    /// Whether more was asked for than was answered.
    pub(super) fn is_used_up(&self) -> bool {
        [&self.names, &self.paths, &self.bytes]
            .iter()
            .any(|left| left.get() == 0)
    }

    fn take(&self, left: &Cell<usize>, count: usize) -> io::Result<()> {
        left.set(left.get().saturating_sub(count));
        match self.is_used_up() {
            true => Err(io::Error::other("the torrc includes too much")),
            false => Ok(()),
        }
    }
}

impl Files for Limited<'_> {
    fn what(&self, path: &Path) -> What {
        match self.take(&self.paths, 1) {
            Ok(()) => self.files.what(path),
            Err(_) => What::Nothing,
        }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.take(&self.paths, 1)?;
        let bytes = self.files.read(path)?;
        self.take(&self.bytes, bytes.len())?;
        Ok(bytes)
    }

    fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        self.take(&self.names, 1)?;
        let names = self.files.names(path)?;
        self.take(&self.names, names.len())?;
        Ok(names)
    }
}

/// Files in memory, by their paths.
#[derive(Debug, Clone, Default)]
pub struct Memory(pub BTreeMap<PathBuf, Vec<u8>>);

impl From<&[(&str, &str)]> for Memory {
    fn from(files: &[(&str, &str)]) -> Self {
        let owned = |&(path, text): &(&str, &str)| (path.into(), text.into());
        Self(files.iter().map(owned).collect())
    }
}

impl Files for Memory {
    fn what(&self, path: &Path) -> What {
        if self.0.contains_key(path) {
            What::File
        } else if self.0.keys().any(|file| file.starts_with(path)) {
            What::Directory
        } else {
            What::Nothing
        }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        self.0.get(path).cloned().ok_or_else(missing)
    }

    fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        let below = self
            .0
            .keys()
            .filter_map(|file| file.strip_prefix(path).ok());
        let name = |file: &Path| file.components().next().map(|c| c.as_os_str().to_owned());
        let mut names: Vec<_> = below.filter_map(name).collect();
        names.dedup();
        Ok(names
            .into_iter()
            .map(|name| name.to_string_lossy().into_owned())
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;

    /// What a torrc in `folder` comes to, as text.
    fn checked(folder: &Path, text: &str) -> String {
        let disk = Disk {
            config: folder.to_owned(),
        };
        let checked = check("torrc", text.as_bytes(), None, &disk);
        let found = checked.findings.iter();
        found
            .map(|it| format!("{} {}\n", it.rule, it.what))
            .collect()
    }

    // Guards: T1.
    #[test]
    fn what_is_not_read_for_a_torrc() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config");
        fs_err::create_dir(&config).unwrap();
        fs_err::write(folder.path().join("secret"), "Secret 1\n").unwrap();
        fs_err::write(config.join("large"), vec![b'#'; (1 << 20) + 1]).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(config.join("pipe"))
            .status();
        assert!(made.unwrap().success());
        for (name, target) in [
            ("link", "../secret"),
            ("zero", "/dev/zero"),
            ("loop", "loop"),
        ] {
            std::os::unix::fs::symlink(target, config.join(name)).unwrap();
        }
        for path in [
            "/usr/local/etc/tor/link",
            "/usr/local/etc/tor/zero",
            "/usr/local/etc/tor/loop",
            "/usr/local/etc/tor/pipe",
            "/usr/local/etc/tor/large",
            "/usr/local/etc/tor/../../../../../etc/hostname",
            "/usr/local/etc/tor/../tor/../../../../proc/self/pagemap",
            "/proc/self/pagemap",
            "/dev/zero",
            "/etc/hostname",
        ] {
            let said = checked(&config, &format!("%include {path}\n"));
            assert!(said.contains("include-"), "{path}: {said}");
            assert!(!said.contains("Secret"), "{path}: {said}");
        }
        // What goes up and comes back lies there.
        fs_err::write(config.join("more"), "Unheard 1\n").unwrap();
        let said = checked(&config, "%include /usr/local/etc/tor/../tor/more\n");
        assert!(said.contains("Unheard"), "{said}");
    }

    // Guards: T1.
    #[test]
    fn patterns_that_explode() {
        let folder = tempfile::tempdir().unwrap();
        for name in 0..60 {
            let inner = folder.path().join(format!("d{name}"));
            fs_err::create_dir(&inner).unwrap();
            for file in 0..20 {
                fs_err::write(inner.join(format!("f{file}")), "\n").unwrap();
            }
        }
        let pattern = "%include /usr/local/etc/tor/*/*\n".repeat(2000);
        let long = format!("%include /usr/local/etc/tor/{}\n", "*a".repeat(200_000));
        let lines = "ORPort 9001\n".repeat(80_000);
        for text in [&pattern, &long, &lines] {
            let begun = std::time::Instant::now();
            checked(folder.path(), text);
            assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
        }
        let said = checked(folder.path(), &pattern);
        assert!(said.contains("include-too-many"), "{said}");
    }
}
