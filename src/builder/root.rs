//! The root file system that build commands see.
//!
//! Only the tools on one list can be found inside: what `configure` does not find it
//! cannot use, so the host's own compiler, `pkg-config` or Python never reach the bytes.

use std::path::{Path, PathBuf};

use fs_err as fs;
use fs_err::os::unix::fs::symlink;

use super::{Error, Mount};

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
#[derive(Debug, Clone)]
pub struct Root {
    /// What to mount, read-only.
    pub mounts: Vec<Mount>,
    /// Links to make: (what it says, where it is inside).
    pub links: Vec<(String, String)>,
    /// The name for people: `host`, `alpine`.
    pub name: &'static str,
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
    Ok(Root {
        mounts,
        links,
        name: "host",
    })
}

/// `path` and every mount point below it: a read-only bind mount covers only itself.
fn with_mounts_below(path: &Path) -> Result<Vec<Mount>, Error> {
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    let below = mount_points(&table).filter(|point| point.starts_with(path) && point != path);
    let all = std::iter::once(path.to_path_buf()).chain(below);
    Ok(all
        .map(|point| Mount::new(&point, point.to_string_lossy()))
        .collect())
}

/// The mount points in a mount table: the fifth field of a line, see proc_pid_mountinfo(5).
fn mount_points(table: &str) -> impl Iterator<Item = PathBuf> {
    table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(|point| PathBuf::from(point.replace("\\040", " ")))
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
    fn mount_points_are_the_fifth_field() {
        let table = "36 35 98:0 / /usr rw - ext3 /dev/root rw\n37 36 0:5 / /usr/my\\040dir ro - tmpfs x rw\n";
        let points: Vec<_> = mount_points(table).collect();
        assert_eq!(
            points,
            [PathBuf::from("/usr"), PathBuf::from("/usr/my dir")]
        );
    }
}
