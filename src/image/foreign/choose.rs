//! Which of the images of a layout is meant.

use std::path::{Path, PathBuf};

use super::document::Document;
use super::files::Files;
use super::shown::shown;
use super::{Error, docker};
use crate::digest::Digest;
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

/// An image in a layout, and what it is called there.
struct Candidate {
    manifest: Descriptor,
    names: Vec<String>,
}

/// The manifest of the one image of the layout that `wanted` names, by reference or digest;
/// without it, of the only image there is.
pub(super) fn manifest(
    files: &Files,
    index: &Document,
    wanted: Option<&str>,
) -> Result<Document, Error> {
    let mut candidates = Vec::new();
    let index: Index = index.parse(files)?;
    flatten(files, &index, &[], 0, &mut candidates)?;
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

/// Collects the images of `index` and of the indexes in it; what says only something about an
/// image is not one.
fn flatten(
    files: &Files,
    index: &Index,
    names: &[String],
    depth: usize,
    candidates: &mut Vec<Candidate>,
) -> Result<(), Error> {
    for descriptor in &index.manifests {
        let mut names = names.to_vec();
        names.extend(descriptor.names());
        if is_index(&descriptor.media_type) {
            if depth == DEPTH {
                let problem = "it lists a list in a list of lists".to_owned();
                return Err(files.wrong("index.json", problem));
            }
            names.push(descriptor.digest.to_string());
            let inner: Index = files.blob(descriptor)?.parse(files)?;
            flatten(files, &inner, &names, depth + 1, candidates)?;
        } else if is_image(descriptor) {
            // One image under several names has one line for each.
            let same = |known: &&mut Candidate| known.manifest.digest == descriptor.digest;
            match candidates.iter_mut().find(same) {
                Some(known) => known.names.extend(names),
                None => candidates.push(Candidate {
                    manifest: descriptor.clone(),
                    names,
                }),
            }
        }
    }
    Ok(())
}

impl Candidate {
    fn is(&self, wanted: &str) -> bool {
        let digest = self.manifest.digest.to_string();
        digest == wanted || self.names.iter().any(|name| docker::is_name(name, wanted))
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
