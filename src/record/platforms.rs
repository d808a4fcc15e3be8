//! The file `hashes/<tor version>-platforms.json`: the images for several platforms, each under
//! the digest of its index and with the manifests in it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Error;
use super::document::FORMAT;
use crate::base::digest::Digest;
use crate::base::replace;
use crate::image::Variant;

/// What names the images of one release on all platforms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platforms {
    format: u64,
    /// tor's version.
    pub tor: String,
    /// The user of the images.
    pub uid: u32,
    /// The index of each kind of image.
    pub images: BTreeMap<Variant, IndexRecord>,
}

/// An index, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexRecord {
    /// The digest of the index.
    pub index: Digest,
    /// The digest of the manifest for each platform: `linux/amd64`.
    pub manifests: BTreeMap<String, Digest>,
}

impl Platforms {
    /// A record of nothing yet.
    pub fn new(tor: &str, uid: u32) -> Self {
        Self {
            format: FORMAT,
            tor: tor.to_owned(),
            uid,
            images: BTreeMap::new(),
        }
    }

    /// Where the record of `tor` is kept, below the repository's root.
    pub fn path(tor: &str) -> PathBuf {
        PathBuf::from(format!("hashes/{tor}-platforms.json"))
    }

    /// The record as its file has it.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn to_json(&self) -> Result<String, Error> {
        let mut text = serde_json::to_string_pretty(self).map_err(io::Error::from)?;
        text.push('\n');
        Ok(text)
    }

    /// Reads the text of the file `path`. It must be as [`Self::to_json`] writes it, to the byte.
    ///
    /// # Errors
    /// When it is not.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let wrong = |line: usize, problem: String| Error::Parse {
            path: path.to_owned(),
            line,
            text: text
                .lines()
                .nth(line.saturating_sub(1))
                .map_or_else(String::new, |it| it.trim().to_owned()),
            problem,
        };
        let record: Self =
            serde_json::from_str(text).map_err(|error| wrong(error.line(), error.to_string()))?;
        if record.format != FORMAT {
            return Err(Error::Format {
                path: path.to_owned(),
                found: record.format,
                reads: FORMAT,
            });
        }
        let canonical = record.to_json()?;
        if text != canonical {
            let lines = text.lines().zip(canonical.lines());
            let same = lines.take_while(|(a, b)| a == b).count();
            let problem = "the order, the spelling or the layout is not as it is written";
            return Err(wrong(same + 1, problem.to_owned()));
        }
        Ok(record)
    }

    /// Reads the record of `tor` below the directory `root`, if there is one.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn load(root: &Path, tor: &str) -> Result<Option<Self>, Error> {
        let path = Self::path(tor);
        match fs_err::read_to_string(root.join(&path)) {
            Ok(text) => Self::parse(&path, &text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the record below the directory `root`; says whether that changed the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, root: &Path) -> Result<bool, Error> {
        let path = root.join(Self::path(&self.tor));
        Ok(replace::with_bytes(&path, self.to_json()?.as_bytes())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::target::Target;
    use crate::record::Record;

    fn some() -> Platforms {
        let mut some = Platforms::new("0.4.9.12", 45_553);
        let image = IndexRecord {
            index: Digest::sha256(b"index"),
            manifests: [("linux/amd64".to_owned(), Digest::sha256(b"manifest"))].into(),
        };
        some.images.insert(Variant::Relay, image);
        some
    }

    #[test]
    fn it_reads_as_it_is_written() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Platforms::load(root.path(), "0.4.9.12").unwrap(), None);
        fs_err::create_dir(root.path().join("hashes")).unwrap();
        assert!(some().save(root.path()).unwrap());
        assert!(!some().save(root.path()).unwrap());
        let read = Platforms::load(root.path(), "0.4.9.12").unwrap();
        assert_eq!(read, Some(some()));
    }

    #[test]
    fn another_spelling_or_format_is_refused() {
        let text = some().to_json().unwrap();
        let says = |text: &str| {
            let error = Platforms::parse(Path::new("platforms.json"), text).unwrap_err();
            error.to_string()
        };
        for (from, to, expected) in [
            (
                "\"uid\": 45553",
                "\"uid\":  45553",
                "platforms.json:4: the order",
            ),
            ("\"format\": 1", "\"format\": 9", "has the format 9"),
            ("\"uid\"", "\"user\"", "unknown field `user`"),
        ] {
            let said = says(&text.replace(from, to));
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn what_is_recorded_of_an_index_is_what_is_recorded_of_each_platform() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut seen = 0;
        for entry in fs_err::read_dir(root.join("hashes")).unwrap() {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            let Some(tor) = name.strip_suffix("-platforms.json") else {
                continue;
            };
            let platforms = Platforms::load(root, tor).unwrap().unwrap();
            for (variant, image) in &platforms.images {
                for (platform, manifest) in &image.manifests {
                    let mut targets = Target::ALL.into_iter();
                    let target = targets.find(|it| it.platform() == *platform).unwrap();
                    let record = Record::load(root, tor, target).unwrap().unwrap();
                    let of_platform = record.images[variant].manifest;
                    assert_eq!(*manifest, of_platform, "{name}: {variant} {platform}");
                    assert_eq!(record.uid, platforms.uid, "{name}");
                    seen += 1;
                }
            }
        }
        assert!(seen > 0, "there is no record of an index");
    }
}
