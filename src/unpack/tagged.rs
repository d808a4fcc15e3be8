//! Sources for which upstream's signed git tag vouches: what is unpacked of them is in the tag.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use fs_err as fs;

use super::error::{Error, Rule};
use crate::pins::Source;
use crate::verify::blob;

/// Whether the manifest lists `path`, which begins with the archive's top folder, among the files
/// that the tag lacks.
pub(super) fn left_out(source: &Source, path: &Path) -> bool {
    let Some(tag) = &source.evidence.tag else {
        return false;
    };
    let below: std::path::PathBuf = path.components().skip(1).collect();
    tag.generated.iter().any(|lacks| Path::new(lacks) == below)
}

/// Requires that each file below `root` is in the tag, byte for byte.
///
/// That was required of the archive before. But archives can be written so that two readers see
/// two things in them: what counts is what the one reader made of it that compilers work on.
pub(super) fn require(
    archive: &str,
    root: &Path,
    tag: &BTreeMap<String, [u8; 20]>,
) -> Result<(), Error> {
    let unreadable = |source: io::Error| Error::Unreadable {
        archive: archive.to_owned(),
        entry: None,
        source,
    };
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(unreadable)?);
            if kind.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
            let id = match kind.is_file() {
                true => blob(&fs::read(&path).map_err(unreadable)?),
                false => None,
            };
            if id.is_none() || id.as_ref() != tag.get(&*name) {
                return Err(Error::Refused {
                    archive: archive.to_owned(),
                    entry: name.into_owned(),
                    rule: Rule::NotInTag,
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As if a reader of the archive had seen something else than the one before.
    #[test]
    fn what_is_not_in_the_tag_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("b")).unwrap();
        fs::write(root.join("a.py"), "print(1)\n").unwrap();
        fs::write(root.join("b/c.py"), "print(2)\n").unwrap();
        let of = |name: &str, text: &str| (name.to_owned(), blob(text.as_bytes()).unwrap());
        let right = [of("a.py", "print(1)\n"), of("b/c.py", "print(2)\n")];
        let seen = |tag: &[(String, [u8; 20])]| {
            let tag: BTreeMap<_, _> = tag.iter().cloned().collect();
            match require("x.tar.gz", root, &tag) {
                Ok(()) => "all of it is in the tag".to_owned(),
                Err(error) => error.to_string(),
            }
        };
        assert_eq!(seen(&right), "all of it is in the tag");
        for wrong in [
            &right[1..],
            &[of("a.py", "print(0)\n"), right[1].clone()],
            &[of("A.py", "print(1)\n"), right[1].clone()],
        ] {
            let error = seen(wrong);
            assert!(
                error.contains("`a.py` is not what upstream's signed tag"),
                "{error}"
            );
        }
        fs_err::os::unix::fs::symlink("a.py", root.join("b/d.py")).unwrap();
        let error = seen(&[&right[..], &[of("b/d.py", "a.py")]].concat());
        assert!(
            error.contains("`b/d.py` is not what upstream's signed tag"),
            "{error}"
        );
    }
}
