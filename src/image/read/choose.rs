//! Which of the images of a layout is meant.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use shown::shown;

use super::document::Document;
use super::files::Files;
use super::{Error, docker};
use crate::base::digest::Digest;
use crate::image::oci::{Descriptor, Index, is_image, is_index};

/// How deep an index may be in an index: a layout's, and one for several platforms.
const DEPTH: usize = 3;

/// The path, and what chooses an image there. A path that exists is taken as it stands.
pub(super) fn split(place: &str) -> Result<(PathBuf, Option<&str>), Error> {
    let exists = |path: &str| Path::new(path).symlink_metadata().is_ok();
    if exists(place) {
        return Ok((place.into(), None));
    }
    let split = place
        .match_indices(['@', ':'])
        .map(|(at, _)| (&place[..at], &place[at + 1..]))
        .rfind(|(path, wanted)| exists(path) && !wanted.is_empty());
    match split {
        Some((path, wanted)) => Ok((path.into(), Some(wanted))),
        None => Err(Error::NotThere {
            place: place.to_owned(),
        }),
    }
}

/// The most images, and the most names of all of them together: more than any registry keeps
/// under one name.
const IMAGES: usize = 1000;
const NAMES: usize = 10_000;

/// An image in a layout, and what it is called there.
#[derive(Clone)]
struct Candidate {
    manifest: Descriptor,
    names: BTreeSet<String>,
}

/// The manifest of the one image of the layout that `wanted` names, by reference or digest;
/// without it, of the only image there is.
pub(super) fn manifest(
    files: &Files,
    index: &Document,
    wanted: Option<&str>,
) -> Result<Document, Error> {
    let mut lists = Lists {
        files,
        read: BTreeMap::new(),
        names: 0,
    };
    let candidates = lists.images(&index.parse(files)?, 0)?;
    let found: Vec<&Candidate> = candidates
        .iter()
        .filter(|candidate| wanted.is_none_or(|wanted| candidate.is(wanted)))
        .collect();
    match found[..] {
        [only] => files.blob(&only.manifest),
        _ => Err(Error::Choice {
            image: files.path().to_owned(),
            wanted: wanted.map(|wanted| shown(wanted.as_bytes())),
            there: candidates.iter().map(Candidate::line).collect(),
        }),
    }
}

/// The digests of the images of a layout, if each is for a platform of its own, so that whoever
/// names none of them means all.
pub(super) fn several(files: &Files, index: &Document) -> Result<Vec<Digest>, Error> {
    let mut lists = Lists {
        files,
        read: BTreeMap::new(),
        names: 0,
    };
    let candidates = lists.images(&index.parse(files)?, 0)?;
    let platforms: BTreeSet<_> = candidates
        .iter()
        .filter_map(|candidate| candidate.manifest.platform())
        .collect();
    Ok(match platforms.len() == candidates.len() {
        true => candidates.iter().map(|it| it.manifest.digest).collect(),
        false => Vec::new(),
    })
}

/// The lists of images in a layout, each of which is read once, however many name it.
struct Lists<'f> {
    files: &'f Files,
    read: BTreeMap<Digest, Rc<Vec<Candidate>>>,
    /// How many names were given to images.
    names: usize,
}

impl Lists<'_> {
    /// The images of `index` and of the indexes in it, each once, in their order; what says only
    /// something about an image is not one.
    fn images(&mut self, index: &Index, depth: usize) -> Result<Vec<Candidate>, Error> {
        let mut images: Vec<Candidate> = Vec::new();
        let mut places: BTreeMap<Digest, usize> = BTreeMap::new();
        for descriptor in &index.manifests {
            let own: Vec<String> = descriptor.names().collect();
            let found = if is_index(&descriptor.media_type) {
                self.list(descriptor, depth)?
            } else if is_image(descriptor) {
                Rc::new(vec![Candidate {
                    manifest: descriptor.clone(),
                    names: BTreeSet::new(),
                }])
            } else {
                continue;
            };
            for image in found.iter() {
                let digest = image.manifest.digest;
                let place = *places.entry(digest).or_insert(images.len());
                if place == images.len() {
                    images.push(Candidate {
                        manifest: image.manifest.clone(),
                        names: BTreeSet::new(),
                    });
                }
                self.names += 1 + own.len() + image.names.len();
                if images.len() > IMAGES || self.names > NAMES {
                    return Err(Error::TooMany {
                        image: self.files.path().to_owned(),
                        what: "its indexes name more images than one would publish",
                        limit: IMAGES,
                    });
                }
                // One image under several names has one line for each.
                let names = own.iter().chain(&image.names).cloned();
                images[place].names.extend(names);
            }
        }
        Ok(images)
    }

    /// The images of the list that `descriptor` names, each under the digest of the list too.
    fn list(&mut self, descriptor: &Descriptor, depth: usize) -> Result<Rc<Vec<Candidate>>, Error> {
        if depth == DEPTH {
            let problem = "it lists a list in a list of lists".to_owned();
            return Err(self.files.wrong("index.json", problem));
        }
        if let Some(known) = self.read.get(&descriptor.digest) {
            return Ok(Rc::clone(known));
        }
        let inner: Index = self.files.blob(descriptor)?.parse(self.files)?;
        let mut images = self.images(&inner, depth + 1)?;
        for image in &mut images {
            image.names.insert(descriptor.digest.to_string());
        }
        let images = Rc::new(images);
        self.read.insert(descriptor.digest, Rc::clone(&images));
        Ok(images)
    }
}

impl Candidate {
    fn is(&self, wanted: &str) -> bool {
        let digest = self.manifest.digest.to_string();
        digest == wanted
            || self.manifest.platform().as_deref() == Some(wanted)
            || self.names.iter().any(|name| docker::is_name(name, wanted))
    }

    fn line(&self) -> String {
        let platform = self.manifest.platform();
        let all = [self.manifest.digest.to_string()].into_iter();
        let words: Vec<String> = all
            .chain(
                self.names
                    .iter()
                    .filter(|name| name.parse::<Digest>().is_err())
                    .cloned(),
            )
            .chain(platform)
            .map(|word| shown(word.as_bytes()))
            .collect();
        words.join("  ")
    }
}
