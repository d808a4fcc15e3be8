//! Replacing a file whole: whoever looks sees the old one or the new one, never a half.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

/// What the names of unfinished files start with, so that a later run can tell them.
const UNFINISHED: &str = ".unfinished-";

/// A new file in `directory` (made if absent), under a name of its own until [`put`] gives it
/// its final one. Dropped before that, it is removed.
pub fn begin(directory: &Path) -> io::Result<NamedTempFile> {
    fs_err::create_dir_all(directory)?;
    Builder::new()
        .prefix(UNFINISHED)
        // Readable for others, less what the umask takes away.
        .permissions(PermissionsExt::from_mode(0o644))
        .tempfile_in(directory)
}

/// Gives the finished file its name, in the directory in which it was begun. Its bytes and then
/// its name are on the disk when this returns.
pub fn put(file: NamedTempFile, name: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(name)
        .map_err(|error| in_file(error.error, name))?;
    fs_err::File::open(directory_of(name))?.sync_all()
}

/// The directory that `name` is in; a name alone is in the current one.
fn directory_of(name: &Path) -> &Path {
    let parent = name.parent().filter(|parent| *parent != Path::new(""));
    parent.unwrap_or(Path::new("."))
}

/// Replaces the file `name` by `bytes`, unless they are what is there; says whether it did.
pub fn with_bytes(name: &Path, bytes: &[u8]) -> io::Result<bool> {
    if fs_err::read(name).is_ok_and(|found| found == bytes) {
        return Ok(false);
    }
    let mut file = begin(directory_of(name))?;
    io::Write::write_all(&mut file, bytes)?;
    put(file, name)?;
    Ok(true)
}

/// Removes from `directory` what a killed run began and never finished. Nobody else may be
/// writing there.
pub fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs_err::read_dir(directory)? {
        let entry = entry?;
        if entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(UNFINISHED.as_bytes())
        {
            fs_err::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn in_file(error: io::Error, path: &Path) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("cannot write `{}`: {error}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_are_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let name = directory.path().join("new/file");
        assert!(with_bytes(&name, b"one").unwrap());
        assert!(!with_bytes(&name, b"one").unwrap());
        assert!(with_bytes(&name, b"two").unwrap());
        assert_eq!(fs_err::read(&name).unwrap(), b"two");
    }

    #[test]
    fn a_name_alone_is_in_the_current_directory() {
        let table = [("a/b", "a"), ("b", "."), ("/b", "/")];
        for (name, directory) in table {
            assert_eq!(directory_of(Path::new(name)), Path::new(directory));
        }
    }

    #[test]
    fn what_was_begun_and_never_finished_is_swept() {
        let directory = tempfile::tempdir().unwrap();
        drop(begin(directory.path()).unwrap());
        assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 0);

        let (_, left) = begin(directory.path()).unwrap().keep().unwrap();
        fs_err::write(directory.path().join("kept"), "").unwrap();
        sweep(directory.path()).unwrap();
        assert!(!left.exists());
        assert!(directory.path().join("kept").exists());
    }
}
