//! git's objects, as `git cat-file --batch` prints them: a tag, its commit and the trees.
//!
//! An object's name is its SHA-1. Two objects of one name can be made, but not without a trace
//! that the hash used here detects; and nothing rests on SHA-1 alone, for the tarball's pinned
//! SHA-256 stands beside it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use sha1collisiondetection::Sha1CD;

use super::Error;

/// The name of an object.
pub(crate) type Id = [u8; 20];

/// The deepest folder of a tree that is followed.
const DEPTH: usize = 32;

/// The most files and folders of a tag: each tree may be named many times over.
const ENTRIES: usize = 100_000;

/// How much is shown of a tag's name.
const LONGEST_NAME: usize = 80;

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Tag,
    Commit,
    Tree,
    Blob,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
        }
    }
}

/// The name of an object, unless its bytes were made for a collision.
pub(super) fn id(kind: Kind, bytes: &[u8]) -> Option<Id> {
    let mut hash = Sha1CD::default();
    hash.update(format!("{} {}\0", kind.name(), bytes.len()));
    hash.update(bytes);
    hash.finalize_cd().ok().map(Into::into)
}

/// The name that git gives to a file, unless its bytes were made for a collision.
pub(crate) fn blob(bytes: &[u8]) -> Option<Id> {
    id(Kind::Blob, bytes)
}

/// Objects by name, each with the hash that its name says.
#[derive(Debug)]
pub(super) struct Objects<'a> {
    path: &'a Path,
    objects: HashMap<Id, (Kind, &'a [u8])>,
    /// The only tag among them.
    tag: Id,
}

impl<'a> Objects<'a> {
    /// Reads `<name> <kind> <size>`, the object's bytes and a line end, again and again.
    pub(super) fn parse(path: &'a Path, mut bytes: &'a [u8]) -> Result<Self, Error> {
        let mut objects = HashMap::new();
        let mut tags = Vec::new();
        while !bytes.is_empty() {
            let object = take(&mut bytes);
            let (named, kind, content) = object.ok_or_else(|| refuse(path, "it is cut off"))?;
            if id(kind, content) != Some(named) {
                return Err(refuse(path, &format!("{} has another hash", hex(&named))));
            }
            if kind == Kind::Tag {
                tags.push(named);
            }
            objects.insert(named, (kind, content));
        }
        match tags[..] {
            [tag] => Ok(Self { path, objects, tag }),
            _ => Err(refuse(
                path,
                &format!("expected one tag, got {}", tags.len()),
            )),
        }
    }

    /// The tag, if it is called `name`: what is signed, and the armored signature that follows.
    pub(super) fn tag(&self, name: &str) -> Result<(&'a [u8], &'a [u8]), Error> {
        let bytes = self.object(&self.tag, Kind::Tag)?;
        // git writes these three lines first, in this order, and nothing that a message says can
        // come before them.
        let mut head = bytes.split(|&b| b == b'\n').skip(1);
        if head.next() != Some(b"type commit") {
            return Err(refuse(self.path, "the tag is not one of a commit"));
        }
        let called = head.next().and_then(|line| line.strip_prefix(b"tag "));
        if called != Some(name.as_bytes()) {
            let called = shown::shown_up_to(LONGEST_NAME, called.unwrap_or_default());
            let why = format!("expected the tag `{name}`, got `{called}`");
            return Err(refuse(self.path, &why));
        }
        let mark: &[u8] = b"\n-----BEGIN PGP SIGNATURE-----\n";
        let at = bytes.windows(mark.len()).position(|window| window == mark);
        let at = at.ok_or_else(|| refuse(self.path, "the tag is not signed"))?;
        let (signed, signature) = bytes.split_at(at + 1);
        // One block of armor and nothing behind it: nobody signed what would follow.
        let end: &[u8] = b"-----END PGP SIGNATURE-----";
        let ends = signature
            .windows(end.len())
            .position(|window| window == end);
        if ends.map(|at| signature[at + end.len()..].trim_ascii_end()) != Some(b"") {
            return Err(refuse(self.path, "there is something after the signature"));
        }
        Ok((signed, signature))
    }

    /// Every file of the tag's tree with the name of its blob.
    pub(super) fn files(&self) -> Result<BTreeMap<String, Id>, Error> {
        let tag = self.object(&self.tag, Kind::Tag)?;
        let commit = self.header(tag, "object ")?;
        let tree = self.header(self.object(&commit, Kind::Commit)?, "tree ")?;
        let mut files = BTreeMap::new();
        self.walk(&tree, "", DEPTH, &mut 0, &mut files)?;
        Ok(files)
    }

    fn walk(
        &self,
        tree: &Id,
        folder: &str,
        depth: usize,
        seen: &mut usize,
        files: &mut BTreeMap<String, Id>,
    ) -> Result<(), Error> {
        let mut rest = self.object(tree, Kind::Tree)?;
        while !rest.is_empty() {
            let (mode, name, id) =
                tree_entry(&mut rest).ok_or_else(|| refuse(self.path, "a tree is cut off"))?;
            let path = format!("{folder}{name}");
            *seen += 1;
            if *seen > ENTRIES {
                return Err(refuse(
                    self.path,
                    "more files and folders than any source has",
                ));
            }
            match mode {
                "40000" if depth == 0 => return Err(refuse(self.path, "a tree too deep")),
                "40000" => self.walk(&id, &format!("{path}/"), depth - 1, seen, files)?,
                "100644" | "100755" => {
                    let known = files.insert(path, id);
                    known.map_or(Ok(()), |_| {
                        Err(refuse(self.path, "a tree has a name twice"))
                    })?;
                }
                // Links and submodules are in no tarball that is built.
                _ => {}
            }
        }
        Ok(())
    }

    fn object(&self, id: &Id, kind: Kind) -> Result<&'a [u8], Error> {
        match self.objects.get(id) {
            Some((found, bytes)) if *found == kind => Ok(bytes),
            _ => Err(refuse(
                self.path,
                &format!("{} {} is missing", kind.name(), hex(id)),
            )),
        }
    }

    /// The object that the first line of a tag or commit names.
    fn header(&self, bytes: &[u8], start: &str) -> Result<Id, Error> {
        let line = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
        let line = std::str::from_utf8(line).unwrap_or_default();
        let named = line.strip_prefix(start).and_then(unhex);
        named.ok_or_else(|| refuse(self.path, &format!("expected `{start}`")))
    }
}

fn refuse(path: &Path, why: &str) -> Error {
    Error::GitObjects {
        path: path.to_owned(),
        why: why.to_owned(),
    }
}

/// Takes the first object off `bytes`.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<(Id, Kind, &'a [u8])> {
    let at = bytes.iter().position(|&b| b == b'\n')?;
    let mut words = std::str::from_utf8(&bytes[..at]).ok()?.split(' ');
    let id = unhex(words.next()?)?;
    let kind = words.next()?;
    let kinds = [Kind::Tag, Kind::Commit, Kind::Tree];
    let kind = kinds.into_iter().find(|it| it.name() == kind)?;
    let size: usize = words.next()?.parse().ok()?;
    let rest = &bytes[at + 1..];
    let content = rest.get(..size)?;
    *bytes = rest.get(size..)?.strip_prefix(b"\n")?;
    words.next().is_none().then_some((id, kind, content))
}

/// Takes the first entry off a tree: its mode, its name, and what it is.
fn tree_entry<'a>(rest: &mut &'a [u8]) -> Option<(&'a str, &'a str, Id)> {
    let end = rest.iter().position(|&b| b == 0)?;
    let (mode, name) = std::str::from_utf8(&rest[..end]).ok()?.split_once(' ')?;
    let id = rest.get(end + 1..end + 21)?.try_into().ok()?;
    *rest = &rest[end + 21..];
    let plain = !name.is_empty() && !name.contains('/') && name != "." && name != "..";
    plain.then_some((mode, name, id))
}

pub(super) fn hex(id: &Id) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Id> {
    let lower = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 40 || !text.bytes().all(lower) {
        return None;
    }
    let mut id = [0; 20];
    for (at, byte) in id.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(id)
}
