//! What is published of a release: one folder, whole or not there.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::digest::Digest;
use crate::base::replace;
use crate::image::{self, About, Exported};
use crate::record::{self, Platforms, Record};

/// The list of the images, for the scripts that push them: `<archive> <tag> <digest>` a line.
pub const IMAGES: &str = "IMAGES";

/// The list of all other files, as `sha256sum` writes and checks it.
pub const SUMS: &str = "SHA256SUMS";

/// Why a release cannot be put together.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub enum Error {
    /// A file cannot be read or written; the cause names it.
    Io(#[from] io::Error),
    /// An image cannot be read.
    Image(#[from] image::Error),
    /// The record cannot be written.
    Record(#[from] record::Error),
}

/// An image, for one platform or for several, and what goes with it.
#[derive(Debug)]
pub struct Edition<'a> {
    /// Its tag in a registry.
    pub tag: String,
    /// Its loadable file, and the digest of its manifest or index.
    pub exported: &'a Exported,
    /// What describes the image for each platform: that image, and of each document how the name
    /// of the file ends, and its text.
    pub documents: Vec<(&'a About, Vec<(String, String)>)>,
}

/// One file of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub digest: Digest,
}

/// Puts the images and their `records`, one for each platform, together in the folder `to`, in
/// place of what was there, and returns the files, sorted by name. `index` is what is recorded of
/// several platforms.
///
/// # Errors
/// Nothing is replaced unless everything is there.
pub fn gather(
    editions: &[Edition<'_>],
    records: &[Record],
    index: Option<&Platforms>,
    to: &Path,
) -> Result<Vec<File>, Error> {
    let parent = to.parent().unwrap_or(Path::new("."));
    fs_err::create_dir_all(parent)?;
    let staging = tempfile::Builder::new()
        .prefix(".unfinished-release-")
        .tempdir_in(parent)?;
    let put =
        |name: &str, text: &str| replace::with_bytes(&staging.path().join(name), text.as_bytes());
    let mut images = String::new();
    for edition in editions {
        let archive = &edition.exported.archive;
        let name = archive.file_name().unwrap_or_default().to_string_lossy();
        fs_err::copy(archive, staging.path().join(&*name))?;
        for (about, documents) in &edition.documents {
            let stem = about.file_name();
            let stem = stem.trim_end_matches(".tar");
            for (ending, text) in documents {
                put(&format!("{stem}.{ending}"), text)?;
            }
        }
        let (tag, image) = (&edition.tag, edition.exported.digest);
        images += &format!("{name} {tag} {image}\n");
    }
    put(IMAGES, &images)?;
    let hashes = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        format!("hashes-{name}")
    };
    for record in records {
        let path = Record::path(&record.tor, record.target);
        put(&hashes(&path), &record.to_json()?)?;
    }
    if let Some(index) = index {
        put(&hashes(&Platforms::path(&index.tor)), &index.to_json()?)?;
    }
    let mut files = listed(staging.path())?;
    let sums = files
        .iter()
        .map(|it| format!("{}  {}\n", it.digest.hex(), it.name));
    put(SUMS, &sums.collect::<String>())?;
    files.push(described(staging.path(), SUMS.to_owned())?);
    files.sort_by(|a, b| a.name.cmp(&b.name));

    // Readable for others, as files are.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs_err::set_permissions(staging.path(), mode)?;
    let old = away(to, staging.path())?;
    fs_err::rename(staging.keep(), to)?;
    if let Some(old) = old {
        fs_err::remove_dir_all(old)?;
    }
    Ok(files)
}

/// Moves what is at `to` out of the way; a folder cannot be renamed over another.
fn away(to: &Path, staging: &Path) -> Result<Option<PathBuf>, Error> {
    let mut old = staging.as_os_str().to_owned();
    old.push("-old");
    match fs_err::rename(to, &old) {
        Ok(()) => Ok(Some(old.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn listed(folder: &Path) -> Result<Vec<File>, Error> {
    let mut files = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        files.push(described(folder, name)?);
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn described(folder: &Path, name: String) -> Result<File, Error> {
    let path = folder.join(&name);
    let size = fs_err::metadata(&path)?.len();
    let digest = Digest::of_reader(&Digest::sha256(b""), fs_err::File::open(&path)?)?;
    Ok(File { name, size, digest })
}
