//! The one reader of what a step left: what others made is judged whole before a byte of it is
//! read, and copied into files of our own.
//!
//! Nothing is opened but plain files and folders, each beneath the output and through no link,
//! by openat2(2). So a link to a private file, a device without an end or a FIFO is refused
//! by its name; and what a file has besides its bytes (owner, times of access, attributes,
//! other names, holes) stays behind with it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fs_err as fs;
use fs_err::os::unix::fs::symlink;
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, futimens,
    openat2, readlinkat, statat,
};

/// More entries than any output has.
const MOST_ENTRIES: usize = 200_000;
/// Deeper folders than any output has.
const DEEPEST: usize = 64;
/// How long the reading may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Something in an output that is not what a build leaves.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An entry is refused.
    #[error(
        "{step}: its output has `{path}`, {what}; expected only files, directories and links inside the output"
    )]
    Refused {
        /// The step.
        step: String,
        /// The entry, below the output; what cannot be shown is escaped.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// There is no output.
    #[error("{step}: it ended without an error but left no directory `out`")]
    Nothing {
        /// The step.
        step: String,
    },
    /// Reading took too long.
    #[error("{step}: its output could not be read within {} s", .limit.as_secs())]
    TimedOut {
        /// The step.
        step: String,
        /// The time it had.
        limit: Duration,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// One entry that passed.
struct Entry {
    path: PathBuf,
    what: What,
}

enum What {
    Directory,
    File {
        executable: bool,
        size: u64,
        modified: Timespec,
    },
    Link {
        target: String,
    },
}

/// Copies the folder `out` that `step` left to `to`, which must not be there yet; it may have
/// `most` bytes.
///
/// # Errors
/// [`Error::Refused`] for what a build does not leave, before anything was read.
pub fn collect(step: &str, out: &Path, to: &Path, most: u64) -> Result<(), Error> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = match openat2(
        CWD,
        out,
        flags | OFlags::NOFOLLOW,
        Mode::empty(),
        ResolveFlags::NO_MAGICLINKS,
    ) {
        Ok(root) => root,
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP) => {
            return Err(Error::Nothing {
                step: step.to_owned(),
            });
        }
        Err(error) => return Err(io::Error::from(error).into()),
    };
    let mut reader = Reader {
        step,
        root,
        until: Instant::now() + PATIENCE,
        entries: Vec::new(),
        left: most,
    };
    reader.judge(Path::new(""), 0)?;
    reader.copy(to)
}

struct Reader<'a> {
    step: &'a str,
    root: OwnedFd,
    until: Instant,
    entries: Vec<Entry>,
    /// How many bytes there may be still.
    left: u64,
}

impl Reader<'_> {
    fn refused(&self, path: &Path, what: impl Into<String>) -> Error {
        Error::Refused {
            step: self.step.to_owned(),
            path: shown::shown(path.as_os_str().as_encoded_bytes()),
            what: what.into(),
        }
    }

    fn in_time(&self) -> Result<(), Error> {
        match Instant::now() < self.until {
            true => Ok(()),
            false => Err(Error::TimedOut {
                step: self.step.to_owned(),
                limit: PATIENCE,
            }),
        }
    }

    /// Opens what is at `path`, through no link and never beside the output.
    fn open(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        Ok(openat2(&self.root, path, flags, Mode::empty(), beneath)?)
    }

    /// Judges everything in the folder at `path`, without reading a file.
    fn judge(&mut self, path: &Path, depth: usize) -> Result<(), Error> {
        self.in_time()?;
        if depth > DEEPEST {
            return Err(self.refused(path, format!("a folder more than {DEEPEST} deep")));
        }
        let folder = self.open(path, OFlags::DIRECTORY).map_err(|error| {
            self.refused(path, format!("a folder that cannot be opened ({error})"))
        })?;
        for entry in Dir::read_from(&folder).map_err(io::Error::from)? {
            let entry = entry.map_err(io::Error::from)?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let Ok(text) = name.to_str() else {
                let path = path.join(&*name.to_string_lossy());
                return Err(self.refused(&path, "whose name is not UTF-8"));
            };
            let path = path.join(text);
            if text.chars().any(char::is_control) {
                return Err(self.refused(&path, "whose name has control characters"));
            }
            if self.entries.len() >= MOST_ENTRIES {
                return Err(self.refused(
                    &path,
                    format!("which is one of more than {MOST_ENTRIES} entries"),
                ));
            }
            let found =
                statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(io::Error::from)?;
            let what = self.kind(&folder, &path, text, &found)?;
            let is_folder = matches!(what, What::Directory);
            self.entries.push(Entry {
                path: path.clone(),
                what,
            });
            if is_folder {
                self.judge(&path, depth + 1)?;
            }
        }
        Ok(())
    }

    fn kind(
        &mut self,
        folder: impl AsFd,
        path: &Path,
        name: &str,
        found: &Stat,
    ) -> Result<What, Error> {
        let refuse = |what: &str| Err(self.refused(path, what));
        match FileType::from_raw_mode(found.st_mode) {
            // The super-user would read them, another user could not: both are told the same.
            FileType::Directory if found.st_mode & 0o500 != 0o500 => {
                refuse("a folder that its owner cannot open")
            }
            FileType::RegularFile if found.st_mode & 0o400 == 0 => {
                refuse("a file that its owner cannot read")
            }
            FileType::Directory => Ok(What::Directory),
            FileType::RegularFile if found.st_mode & 0o6000 != 0 => {
                refuse("a file that runs as its owner (setuid or setgid)")
            }
            FileType::RegularFile => {
                let size = u64::try_from(found.st_size).unwrap_or(u64::MAX);
                let Some(left) = self.left.checked_sub(size) else {
                    return refuse("which makes it larger than the limit");
                };
                self.left = left;
                Ok(What::File {
                    executable: found.st_mode & 0o100 != 0,
                    size,
                    modified: Timespec {
                        tv_sec: found.st_mtime,
                        tv_nsec: i64::try_from(found.st_mtime_nsec).unwrap_or(0),
                    },
                })
            }
            FileType::Symlink => {
                let target = readlinkat(folder, name, Vec::new()).map_err(io::Error::from)?;
                let shown = shown::shown(target.to_bytes());
                match target.into_string() {
                    Ok(target) if self.stays_inside(path, &target) => Ok(What::Link { target }),
                    _ => refuse(&format!("a link to `{shown}`, which is outside the output")),
                }
            }
            FileType::Fifo => refuse("a FIFO"),
            FileType::Socket => refuse("a socket"),
            FileType::CharacterDevice | FileType::BlockDevice => refuse("a device"),
            FileType::Unknown => refuse("something of an unknown kind"),
        }
    }

    /// Whether a link leads to something in the output, by the kernel's own judgement.
    fn stays_inside(&self, path: &Path, target: &str) -> bool {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        !target.starts_with('/')
            && !target.chars().any(char::is_control)
            && openat2(&self.root, path, flags, Mode::empty(), beneath).is_ok()
    }

    /// Copies all that passed. What is not any more what it was when it was judged is refused.
    fn copy(&self, to: &Path) -> Result<(), Error> {
        use std::os::unix::fs::PermissionsExt as _;
        fs::create_dir(to)?;
        let mode =
            |path: &Path, mode| fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
        mode(to, 0o755)?;
        for entry in &self.entries {
            self.in_time()?;
            let target = to.join(&entry.path);
            match &entry.what {
                What::Directory => {
                    fs::create_dir(&target)?;
                    mode(&target, 0o755)?;
                }
                What::Link { target: says } => symlink(says, &target)?,
                What::File {
                    executable,
                    size,
                    modified,
                } => {
                    let file = self.open(&entry.path, OFlags::RDONLY).map_err(|error| {
                        self.refused(
                            &entry.path,
                            format!("a file that cannot be opened ({error})"),
                        )
                    })?;
                    let file = fs::File::from_parts(file.into(), &entry.path);
                    let mut from = io::Read::take(file, *size);
                    let mut copy = fs::File::create_new(&target)?;
                    if io::copy(&mut from, &mut copy)? != *size {
                        return Err(
                            self.refused(&entry.path, "a file that changed while it was read")
                        );
                    }
                    let times = Timestamps {
                        last_access: *modified,
                        last_modification: *modified,
                    };
                    futimens(&copy, &times).map_err(io::Error::from)?;
                    mode(&target, if *executable { 0o755 } else { 0o644 })?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use super::*;

    /// What a script of a shell leaves in `out`, read.
    fn left(script: &str) -> (tempfile::TempDir, Result<(), Error>) {
        let folder = tempfile::tempdir().unwrap();
        let done = Command::new("sh")
            .args(["-euc", script])
            .current_dir(folder.path())
            .status();
        assert!(done.unwrap().success(), "{script}");
        let result = collect(
            "test",
            &folder.path().join("out"),
            &folder.path().join("to"),
            1_000_000,
        );
        (folder, result)
    }

    #[test]
    fn what_a_build_leaves_is_copied() {
        let (folder, result) = left(
            "mkdir -p out/bin out/lib/empty; echo x >out/bin/x; chmod 700 out/bin/x; ln out/bin/x out/lib/y
             chmod 600 out/lib/y; ln -s ../bin/x out/lib/link; ln -s lib out/lib64; chmod 700 out/lib",
        );
        result.unwrap();
        let to = folder.path().join("to");
        let mode = |at: &str| {
            fs::symlink_metadata(to.join(at))
                .unwrap()
                .permissions()
                .mode()
                & 0o7777
        };
        // One file under two names has one mode, the last.
        assert_eq!(
            [mode("bin/x"), mode("lib/y"), mode("lib"), mode("lib/empty")],
            [0o644, 0o644, 0o755, 0o755]
        );
        assert_eq!(fs::read(to.join("lib64/link")).unwrap(), b"x\n");
    }

    // Guards: B5.
    #[test]
    fn what_no_build_leaves_is_refused_by_its_name() {
        for (script, path, what) in [
            (
                "ln -s /etc/passwd out/a/x",
                "a/x",
                "a link to `/etc/passwd`",
            ),
            (
                "ln -s ../../secret out/a/x",
                "a/x",
                "a link to `../../secret`",
            ),
            (
                "ln -s . out/l; ln -s l/l/l/../../../secret out/x",
                "x",
                "a link to",
            ),
            ("ln -s /dev/zero out/a/x", "a/x", "a link to `/dev/zero`"),
            ("ln -s nowhere out/a/x", "a/x", "a link to `nowhere`"),
            ("ln -s x out/a/x", "a/x", "a link to `x`"),
            ("ln -s /proc/self/root out/a/x", "a/x", "a link to"),
            ("mkfifo out/a/x", "a/x", "a FIFO"),
            (
                "perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => \"out/a/x\", Listen => 1) or die'",
                "a/x",
                "a socket",
            ),
            ("touch out/a/x; chmod 4755 out/a/x", "a/x", "setuid"),
            ("touch out/a/x; chmod 2755 out/a/x", "a/x", "setuid"),
            ("touch out/a/x; chmod 300 out/a/x", "a/x", "cannot read"),
            ("mkdir out/a/x; chmod 600 out/a/x", "a/x", "cannot open"),
            ("truncate -s 2000000 out/a/x", "a/x", "larger"),
            (
                "head -c 600000 /dev/zero >out/x; ln out/x out/y",
                "",
                "larger",
            ),
            (
                "touch \"$(printf 'out/a/\\033[2J')\"",
                "a/\\u{1b}[2J",
                "control",
            ),
            ("touch \"$(printf 'out/a/b\\nc')\"", "a/b\\nc", "control"),
            ("touch \"$(printf 'out/a/\\377')\"", "a/\u{fffd}", "UTF-8"),
            (
                "cd out; i=0; while [ $i -lt 70 ]; do mkdir d; cd d; i=$((i + 1)); done",
                "d/d/d",
                "deep",
            ),
        ] {
            let (folder, result) = left(&format!("mkdir -p out/a; echo private >secret; {script}"));
            let error = result.unwrap_err();
            let Error::Refused {
                path: named,
                what: said,
                ..
            } = &error
            else {
                panic!("{script}: {error:?}")
            };
            assert!(
                named.starts_with(path) && said.contains(what),
                "{script}: {error}"
            );
            assert!(!error.to_string().contains('\u{1b}'));
            assert!(!folder.path().join("to").exists(), "{script}");
        }
    }

    // Guards: B5.
    #[test]
    fn an_output_that_is_not_a_folder_is_none() {
        for script in [":", "touch out", "ln -s /etc out", "mkfifo out"] {
            let (_folder, result) = left(script);
            assert!(
                matches!(result, Err(Error::Nothing { .. })),
                "{script}: {result:?}"
            );
        }
    }
}
