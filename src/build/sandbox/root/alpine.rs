//! Alpine's root file system: busybox and its C library, with make and perl beside it.

use std::path::Path;

use fs_err as fs;
use fs_err::os::unix::fs::symlink;

use super::{Root, TOOLS};
use crate::build::sandbox::{Error, Mount};

/// The folders with programs and what these need; nothing of `/etc`, `/var` or apk's.
const FOLDERS: &[&str] = &["bin", "lib", "sbin", "usr"];

/// Where Alpine has its programs.
const PROGRAMS: &[&str] = &["bin", "usr/bin"];

/// A root of the unpacked Alpine `tree` and of `built`, programs that it lacks, each as its
/// name and the folder with its `bin`; these are `/opt/<name>` inside. `folder` receives the
/// folder of tools.
///
/// # Errors
/// [`Error::AlpineLacks`], save for what is built in Alpine itself, or when `folder` cannot
/// be written.
pub fn alpine(folder: &Path, tree: &Path, built: &[(&str, &Path)]) -> Result<Root, Error> {
    let tools = folder.join("tools");
    fs::create_dir(&tools)?;
    let mut missing = Vec::new();
    for tool in TOOLS {
        let place = if built.iter().any(|(name, _)| name == tool) {
            format!("/opt/{tool}/bin/{tool}")
        } else if let Some(at) = PROGRAMS
            .iter()
            .map(|folder| format!("{folder}/{tool}"))
            .find(|at| tree.join(at).is_file())
        {
            format!("/{at}")
        } else {
            missing.push((*tool).to_owned());
            continue;
        };
        symlink(place, tools.join(tool))?;
    }
    missing.retain(|tool| {
        !crate::build::recipe::BUILT_TOOLS
            .iter()
            .any(|own| own.name.as_str() == *tool)
    });
    if !missing.is_empty() {
        return Err(Error::AlpineLacks { missing });
    }
    let mut mounts = vec![Mount::new(tools, "/tools")];
    mounts.extend(
        FOLDERS
            .iter()
            .map(|name| Mount::new(tree.join(name), format!("/{name}"))),
    );
    mounts.extend(
        built
            .iter()
            .map(|(name, path)| Mount::new(*path, format!("/opt/{name}"))),
    );
    Ok(Root {
        mounts,
        links: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree with these programs.
    fn tree(programs: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in FOLDERS.iter().chain(PROGRAMS) {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("bin/busybox"), "").unwrap();
        for name in programs {
            symlink("../bin/busybox", folder.path().join("bin").join(name)).unwrap();
        }
        folder
    }

    #[test]
    fn all_that_alpine_lacks_is_named_at_once() {
        let some: Vec<&str> = TOOLS[3..].to_vec();
        let (tree, folder) = (tree(&some), tempfile::tempdir().unwrap());
        let error = alpine(folder.path(), tree.path(), &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the Alpine root lacks awk, basename, cat, which the build needs"
        );
    }

    #[test]
    fn what_is_built_in_it_is_not_looked_for() {
        let some: Vec<&str> = TOOLS
            .iter()
            .copied()
            .filter(|tool| !["make", "perl"].contains(tool))
            .collect();
        let (tree, folder) = (tree(&some), tempfile::tempdir().unwrap());
        let root = alpine(folder.path(), tree.path(), &[("make", Path::new("/made"))]).unwrap();
        let tools = folder.path().join("tools");
        let says = |tool: &str| fs::read_link(tools.join(tool)).unwrap();
        assert_eq!(says("sh"), Path::new("/bin/sh"));
        assert_eq!(says("make"), Path::new("/opt/make/bin/make"));
        assert!(!tools.join("perl").is_symlink());
        assert!(root.mounts.contains(&Mount::new("/made", "/opt/make")));
    }
}
