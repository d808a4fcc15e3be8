//! Replacing a file whole: whoever looks sees the old one or the new one, never a half.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

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
    sync(directory_of(name))
}

/// Brings the names in `directory` to the disk.
pub fn sync(directory: &Path) -> io::Result<()> {
    fs_err::File::open(directory)?.sync_all()
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

/// Replaces all of `files`, or none: every byte is on the disk before the first name changes,
/// and if a name cannot be given, those given before are taken back. Returns which of them
/// are new or changed.
///
/// A run that is killed between two names leaves the first ones: put last what refers to the
/// others.
pub fn all(files: &[(PathBuf, Vec<u8>)]) -> io::Result<Vec<PathBuf>> {
    let mut begun = Vec::new();
    for (name, bytes) in files {
        let old = match fs_err::read(name) {
            Ok(old) if old == *bytes => continue,
            Ok(old) => Some(old),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let mut file = begin(directory_of(name))?;
        io::Write::write_all(&mut file, bytes)?;
        file.as_file().sync_all()?;
        begun.push((file, name, old));
    }
    let mut done: Vec<(&PathBuf, Option<Vec<u8>>)> = Vec::new();
    for (file, name, old) in begun {
        if let Err(error) = put(file, name) {
            for (name, old) in done {
                // The error that is told is the first one.
                let _ = match old {
                    Some(old) => with_bytes(name, &old).map(drop),
                    None => fs_err::remove_file(name),
                };
            }
            return Err(error);
        }
        done.push((name, old));
    }
    Ok(done.into_iter().map(|(name, _)| name.clone()).collect())
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
    fn all_or_none() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let file = |name: &str, text: &str| (at(name), text.as_bytes().to_vec());
        fs_err::write(at("old"), "old").unwrap();
        fs_err::write(at("same"), "same").unwrap();
        let good = [file("sub/new", "1"), file("same", "same"), file("old", "2")];
        fs_err::create_dir(at("folder")).unwrap();
        // The last one can be begun, and not be given its name.
        for spoilt in ["folder", "old/below", "missing/.."] {
            let spoilt = file(spoilt, "3");
            assert!(all(&[&good[..], &[spoilt]].concat()).is_err());
            assert!(!at("sub/new").exists());
            assert_eq!(fs_err::read(at("old")).unwrap(), b"old");
        }
        assert_eq!(all(&good).unwrap(), [at("sub/new"), at("old")]);
        assert_eq!(fs_err::read(at("old")).unwrap(), b"2");
        assert!(all(&good).unwrap().is_empty());
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
