//! The root file system that build commands see.
//!
//! Only the tools on one list can be found inside: what `configure` does not find it
//! cannot use, so the host's own compiler, `pkg-config` or Python never reach the bytes.

mod alpine;

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use fs_err as fs;
use fs_err::os::unix::fs::symlink;

use super::{Error, Mount};

pub use self::alpine::alpine;

/// What a build may call besides the pinned compiler: what `configure` scripts and
/// makefiles take for granted (POSIX utilities, GNU make and perl).
pub const TOOLS: &[&str] = &[
    "awk", "basename", "cat", "chmod", "cksum", "cmp", "comm", "cp", "cut", "date", "diff",
    "dirname", "echo", "egrep", "env", "expr", "false", "fgrep", "find", "grep", "head", "id",
    "install", "ln", "ls", "make", "mkdir", "mktemp", "mv", "nl", "od", "paste", "perl", "printf",
    "pwd", "rm", "rmdir", "sed", "seq", "sh", "sleep", "sort", "stat", "tail", "tee", "test",
    "touch", "tr", "true", "uname", "uniq", "wc", "xargs",
];

/// Folders of the host that its own programs need.
const HOST_FOLDERS: &[&str] = &[
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
];

/// A root file system, ready to be mounted.
#[derive(Debug, Clone, Default)]
pub struct Root {
    /// What to mount, read-only.
    pub mounts: Vec<Mount>,
    /// Links to make: (what it says, where it is inside).
    pub links: Vec<(String, String)>,
}

/// Whose programs a build runs besides the pinned compiler.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Userland {
    /// The host's own.
    #[default]
    Host,
    /// Those of Alpine's root file system, with make and perl built in it.
    Alpine {
        /// One of the versions that are pinned; the manifest's default otherwise.
        version: Option<String>,
    },
}

/// A text that names no userland.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a root: expected `host`, `alpine` or `alpine@VERSION`")]
pub struct ParseUserlandError {
    /// The text as it was given.
    pub text: String,
}

impl Userland {
    /// The version of Alpine that was asked for, if one was.
    pub fn version(&self) -> Option<&str> {
        match self {
            Self::Host => None,
            Self::Alpine { version } => version.as_deref(),
        }
    }
}

impl fmt::Display for Userland {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Alpine { version: None } => f.write_str("alpine"),
            Self::Alpine {
                version: Some(version),
            } => write!(f, "alpine@{version}"),
        }
    }
}

impl FromStr for Userland {
    type Err = ParseUserlandError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('@') {
            None if text == "host" => Ok(Self::Host),
            None if text == "alpine" => Ok(Self::Alpine { version: None }),
            Some(("alpine", version)) if !version.is_empty() => Ok(Self::Alpine {
                version: Some(version.to_owned()),
            }),
            _ => Err(ParseUserlandError {
                text: text.to_owned(),
            }),
        }
    }
}

/// Finds out whether the host has all [`TOOLS`].
///
/// # Errors
/// [`Error::MissingTools`], naming all that it lacks.
pub fn check_host_tools() -> Result<(), Error> {
    check_tools(|tool| locate(tool).is_some())
}

fn check_tools(is_here: impl Fn(&str) -> bool) -> Result<(), Error> {
    let missing: Vec<String> = TOOLS
        .iter()
        .filter(|tool| !is_here(tool))
        .map(|tool| (*tool).to_owned())
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Error::MissingTools { missing })
    }
}

/// The host's own userland: its `/usr` and the links around it, read-only, nothing of
/// `/home`, `/etc`, `/var` or `/run`. `folder` receives the folder of tools.
///
/// # Errors
/// [`Error::MissingTools`], or when `folder` cannot be written.
pub fn host(folder: &Path) -> Result<Root, Error> {
    check_host_tools()?;
    let tools = folder.join("tools");
    fs::create_dir_all(&tools)?;
    for tool in TOOLS {
        // The whole way is resolved, because /etc/alternatives is not there inside.
        if let Some(path) = locate(tool) {
            symlink(fs::canonicalize(path)?, tools.join(tool))?;
        }
    }
    let mut mounts = vec![Mount::new(tools, "/tools")];
    let mut links = Vec::new();
    for name in HOST_FOLDERS {
        let path = Path::new(name);
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => {
                let says = fs::read_link(path)?;
                links.push((says.to_string_lossy().into_owned(), (*name).to_owned()));
            }
            Ok(_) => mounts.extend(with_mounts_below(path)?),
            Err(_) => {}
        }
    }
    Ok(Root { mounts, links })
}

/// `path` and every mount point below it: a read-only bind mount covers only itself.
fn with_mounts_below(path: &Path) -> Result<Vec<Mount>, Error> {
    let table = fs::read("/proc/self/mountinfo")?;
    let below = mount_points(&table).filter(|point| point.starts_with(path) && point != path);
    let all = std::iter::once(path.to_path_buf()).chain(below);
    Ok(all
        .map(|point| Mount::new(&point, point.to_string_lossy()))
        .collect())
}

/// The mount points in a mount table: the fifth field of a line, see proc_pid_mountinfo(5).
fn mount_points(table: &[u8]) -> impl Iterator<Item = PathBuf> {
    table
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(|point| PathBuf::from(OsString::from_vec(unescaped(point))))
}

/// A path as a mount table writes it: the kernel puts `\` and three octal digits for a space,
/// a tab, a newline, a backslash and, for some file systems, other bytes.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, more @ ..] = rest {
        let (byte, after) = match (first, more) {
            (
                b'\\',
                [
                    a @ b'0'..=b'3',
                    b @ b'0'..=b'7',
                    c @ b'0'..=b'7',
                    after @ ..,
                ],
            ) => ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), after),
            _ => (*first, more),
        };
        bytes.push(byte);
        rest = after;
    }
    bytes
}

/// Where the host's `PATH` has `tool`; the usual folders are searched too, because an
/// ordinary user's `PATH` may lack `sbin`.
fn locate(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter(|folder| folder.starts_with("/usr") || folder.starts_with("/bin"))
        .chain(["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(tool))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_sorted_and_single() {
        assert!(TOOLS.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn all_that_is_missing_is_named_at_once() {
        let error = check_tools(|tool| tool != "make" && tool != "perl").unwrap_err();
        assert_eq!(
            error.to_string(),
            "this host lacks make, perl, which the build needs"
        );
        assert!(
            error
                .hint()
                .unwrap()
                .contains("`sudo apt-get install make perl`")
        );
        assert!(check_tools(|_| true).is_ok());
    }

    #[test]
    fn a_userland_reads_as_it_is_written() {
        for text in ["host", "alpine", "alpine@3.24.2"] {
            assert_eq!(text.parse::<Userland>().unwrap().to_string(), text);
        }
        for text in ["", "debian", "alpine@", "host@1", "Alpine"] {
            assert!(text.parse::<Userland>().is_err(), "{text}");
        }
    }

    #[test]
    fn mount_points_are_the_fifth_field() {
        let table = b"36 35 98:0 / /usr rw - ext3 /dev/root rw\n\
            37 36 0:5 / /usr/my\\040dir ro - tmpfs x rw\n";
        let points: Vec<_> = mount_points(table).collect();
        assert_eq!(points, ["/usr", "/usr/my dir"].map(PathBuf::from));
    }

    #[test]
    fn every_escape_of_the_kernel_is_undone() {
        for (written, meant) in [
            ("/a", "/a"),
            ("/a\\040b", "/a b"),
            ("/a\\011b\\012c", "/a\tb\nc"),
            ("/a\\134b", "/a\\b"),
            ("/\\134040", "/\\040"),
            ("/a\\043", "/a#"),
            ("/\\303\\244", "/ä"),
            // Nothing that the kernel writes.
            ("/a\\", "/a\\"),
            ("/a\\04", "/a\\04"),
            ("/a\\+12", "/a\\+12"),
            ("/a\\400", "/a\\400"),
        ] {
            assert_eq!(unescaped(written.as_bytes()), meant.as_bytes(), "{written}");
        }
    }
}
