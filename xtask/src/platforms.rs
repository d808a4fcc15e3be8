//! Images for several platforms under one name, and how their index compares with the record.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use relaysmith::base::digest::Digest;
use relaysmith::image::read::{Limits, ThirdPartyImage};
use relaysmith::image::{self, About, Exported, Image};
use relaysmith::pipeline::Made;
use relaysmith::record::{IndexRecord, Platforms};
use serde::Serialize;

use crate::options::repository;

/// Puts one image, or several for as many platforms, into the directory `out`.
pub(crate) fn export(made: &[Made], out: &Path) -> Result<Exported> {
    Ok(match made {
        [one] => image::export(&one.image, &one.about, out)?,
        _ => {
            let each: Vec<(&Image, &About)> =
                made.iter().map(|it| (&it.image, &it.about)).collect();
            image::export_all(&each, out)?
        }
    })
}

/// The index of several images, and what is recorded of it.
#[derive(Debug, Serialize)]
pub(crate) struct Compared {
    /// The digest of the index.
    index: Digest,
    /// What is recorded.
    recorded: Option<Digest>,
    /// Where.
    #[serde(skip)]
    path: String,
}

impl Compared {
    /// Whether another one is recorded.
    pub(crate) fn differs(&self) -> bool {
        self.recorded.is_some_and(|recorded| recorded != self.index)
    }

    /// Whether it is the recorded one.
    pub(crate) fn is_as_recorded(&self) -> bool {
        self.recorded == Some(self.index)
    }

    /// What people read of it.
    pub(crate) fn text(&self) -> String {
        let (index, path) = (self.index, &self.path);
        let record = match self.recorded {
            None => format!("absent: there is no index in {path}; `--record` writes it"),
            Some(recorded) if recorded == index => format!("same as {path}"),
            Some(recorded) => format!("NOT THE SAME as {path}, which has {recorded}"),
        };
        format!("index      {index}\nrecord     {record}")
    }
}

/// How the index of several images compares with the record; nothing, if there is one image only.
pub(crate) fn compared(made: &[Made], exported: &Exported) -> Result<Option<Compared>> {
    let [first, _, ..] = made else {
        return Ok(None);
    };
    let about = &first.about;
    let known = Platforms::load(repository(), &about.version)?;
    let known = known.filter(|known| known.uid == about.uid);
    let known = known.and_then(|known| known.images.get(&about.variant).cloned());
    // An index of other platforms is another one, and not a wrong one.
    let known = known.filter(|known| known.manifests.keys().eq(manifests(made).keys()));
    Ok(Some(Compared {
        index: exported.digest,
        recorded: known.map(|known| known.index),
        path: Platforms::path(&about.version).display().to_string(),
    }))
}

/// An image that somebody packed, one of several perhaps.
pub(crate) struct Opened {
    /// What chooses it.
    pub(crate) place: String,
    /// What it runs on: `linux/amd64`.
    pub(crate) platform: String,
    /// The image.
    pub(crate) image: ThirdPartyImage,
}

/// Opens the image at `place`; where there are several for as many platforms and nothing chooses
/// one of them, all.
pub(crate) fn open(place: &str) -> Result<Vec<Opened>> {
    let open = |place: String| {
        let image = ThirdPartyImage::open(&place, Limits::default())?;
        let platform = image.platform();
        Ok(Opened {
            place,
            platform,
            image,
        })
    };
    ThirdPartyImage::choices(place)?
        .into_iter()
        .map(open)
        .collect()
}

fn manifests(made: &[Made]) -> BTreeMap<String, Digest> {
    let each = made.iter();
    each.map(|it| (it.about.target.platform().to_owned(), it.image.manifest()))
        .collect()
}

/// Records the index of several images, beside those of the same release that are recorded.
pub(crate) fn record(made: &[Made], exported: &Exported) -> Result<()> {
    let [first, _, ..] = made else {
        return Ok(());
    };
    let about = &first.about;
    let known = Platforms::load(repository(), &about.version)?;
    let known = known.filter(|known| known.uid == about.uid);
    let mut platforms = known.unwrap_or_else(|| Platforms::new(&about.version, about.uid));
    let index = IndexRecord {
        index: exported.digest,
        manifests: manifests(made),
    };
    platforms.images.insert(about.variant, index);
    platforms.save(repository())?;
    Ok(())
}
