//! Removing what others made: folders that nobody may enter, and folders in folders without end.
//!
//! The standard library removes a folder by going down into it, with a file open for every
//! level, and stops at the first that it may not read. Here a folder that is in the way is
//! first opened to its owner, and what lies deeper is moved up, so nothing is ever deep.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, RawMode, chmodat, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;

/// All that an owner may do.
const OWNER: RawMode = 0o700;

/// Removes the folder `path` and all that is in it, through no link. What is not there any more
/// is removed.
///
/// # Errors
/// When something cannot be removed, which is the first of its kind.
pub fn remove(path: &Path) -> io::Result<()> {
    let outcome = try_remove(path);
    outcome.map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("removing `{}`: {error}", path.display()),
        )
    })
}

fn try_remove(path: &Path) -> io::Result<()> {
    let top = match enter(CWD, path) {
        Ok(top) => top,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut moved = 0_u64;
    loop {
        let names = names(&top)?;
        if names.is_empty() {
            break;
        }
        for name in names {
            if is_folder(&top, &name)? {
                empty(&enter(&top, &*name)?, &top, &mut moved)?;
                unlinkat(&top, &*name, AtFlags::REMOVEDIR)?;
            } else {
                unlinkat(&top, &*name, AtFlags::empty())?;
            }
        }
    }
    Ok(unlinkat(CWD, path, AtFlags::REMOVEDIR)?)
}

/// Empties `folder`, of which the folders that are not empty go to `top`.
fn empty(folder: &OwnedFd, top: &OwnedFd, moved: &mut u64) -> io::Result<()> {
    for name in names(folder)? {
        if !is_folder(folder, &name)? {
            unlinkat(folder, &*name, AtFlags::empty())?;
            continue;
        }
        match unlinkat(folder, &*name, AtFlags::REMOVEDIR) {
            Ok(()) => continue,
            Err(Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        // The kernel writes in a folder that gets another parent.
        chmodat(folder, &*name, Mode::from_raw_mode(OWNER), AtFlags::empty())?;
        loop {
            *moved += 1;
            match renameat(folder, &*name, top, format!(".removed-{moved}")) {
                Ok(()) => break,
                // Something has that name already.
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Opens the folder `name`, which its owner may then read, search and change.
fn enter(at: impl AsFd, name: impl rustix::path::Arg + Copy) -> Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = statat(&at, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let is_folder = FileType::from_raw_mode(found.st_mode) == FileType::Directory;
    if is_folder && found.st_mode & OWNER != OWNER {
        chmodat(&at, name, Mode::from_raw_mode(OWNER), AtFlags::empty())?;
    }
    openat(&at, name, flags, Mode::empty())
}

fn is_folder(at: impl AsFd, name: &CString) -> Result<bool, Errno> {
    let found = statat(at, &**name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(found.st_mode) == FileType::Directory)
}

fn names(folder: &OwnedFd) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let name = entry?.file_name().to_owned();
        if &*name != c"." && &*name != c".." {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    // Guards: B6.
    #[test]
    fn whatever_a_command_leaves_is_removed() {
        for script in [
            "mkdir -p x/ro/sub; touch x/ro/f x/ro/sub/f; chmod 555 x/ro/sub x/ro",
            "mkdir -p x/none/sub; touch x/none/sub/f; chmod 000 x/none/sub x/none",
            "mkdir x; chmod 000 x",
            "mkdir -p x/.removed-1/a/b x/.removed-2; touch x/.removed-2/f x/.removed-3; mkdir -p x/d/e/f/g",
            "mkdir x; ln -s ../keep x/link; ln -s keep/f x/dangling",
            "mkdir x; mkfifo x/fifo; touch x/-rf 'x/a b' \"$(printf 'x/\\n')\"",
            "mkdir x; cd x; perl -e 'for (1..3000) { mkdir \"d\" x 50 or die; chdir \"d\" x 50 or die }'",
            ":",
        ] {
            let folder = tempfile::tempdir().unwrap();
            fs_err::create_dir(folder.path().join("keep")).unwrap();
            fs_err::write(folder.path().join("keep/f"), "kept").unwrap();
            let shell = |script: &str| {
                let mut command = Command::new("sh");
                command.args(["-euc", script]).current_dir(folder.path());
                assert!(command.status().unwrap().success(), "{script}");
            };
            shell(script);
            remove(&folder.path().join("x")).unwrap();
            assert!(!folder.path().join("x").exists(), "{script}");
            assert_eq!(fs_err::read(folder.path().join("keep/f")).unwrap(), b"kept");
        }
    }
}
