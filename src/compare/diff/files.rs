//! Two layers, entry by entry.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use super::content::Content;
use crate::base::date::rfc3339;
use crate::compare::ComparisonVerdict;
use crate::image::read::{Entry, Kind, shown};

/// A file, a directory or a link that two layers do not have alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileDiff {
    /// Its path, escaped.
    pub path: String,
    /// How the two compare: different, or absent from one.
    pub verdict: ComparisonVerdict,
    /// What differs besides the bytes; all that is said of it, where one side does not have it.
    pub aspects: Vec<Aspect>,
    /// How the bytes differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
}

/// One thing that is said of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Aspect {
    /// What: `mode`, `owner`.
    pub what: String,
    /// In the first layer.
    pub a: Option<String>,
    /// In the second.
    pub b: Option<String>,
}

/// A layer may have one path twice: the last is what an engine shows.
type Key = (Vec<u8>, usize);

/// How many differences are described, in all layers together, and how many sections of programs.
const DESCRIBED: usize = 10_000;
const SECTIONS: usize = 20_000;

/// What is left to be described.
pub(super) struct Room {
    files: usize,
    sections: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            files: DESCRIBED,
            sections: SECTIONS,
        }
    }
}

/// What two lists of entries came to.
#[derive(Default)]
pub(super) struct Compared {
    /// How many are the same.
    pub(super) same: usize,
    /// Those that are not, by path, as far as there was room.
    pub(super) files: Vec<FileDiff>,
    /// How many more are not.
    pub(super) more: usize,
}

/// Compares entries by path.
pub(super) fn compare(a: Vec<Entry>, b: Vec<Entry>, room: &mut Room) -> io::Result<Compared> {
    let a = keyed(a);
    let mut b = keyed(b);
    let mut differences = BTreeMap::new();
    let mut compared = Compared::default();
    let mut add = |key: Key, a: Option<&Entry>, b: Option<&Entry>| -> io::Result<()> {
        match difference(&key, a, b, room)? {
            Found::Same => compared.same += 1,
            Found::Different(found) => drop(differences.insert(key, *found)),
            Found::More => compared.more += 1,
        }
        Ok(())
    };
    for (key, a) in a {
        let b = b.remove(&key);
        add(key, Some(&a), b.as_ref())?;
    }
    for (key, b) in b {
        add(key, None, Some(&b))?;
    }
    compared.files = differences.into_values().collect();
    Ok(compared)
}

fn keyed(entries: Vec<Entry>) -> BTreeMap<Key, Entry> {
    let mut all = BTreeMap::new();
    let mut seen: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for entry in entries {
        let count = seen.entry(entry.path.clone()).or_default();
        all.insert((entry.path.clone(), *count), entry);
        *count += 1;
    }
    all
}

/// How one entry compares.
enum Found {
    Same,
    Different(Box<FileDiff>),
    /// Different, and there is no room to say how.
    More,
}

fn difference(
    (path, number): &Key,
    a: Option<&Entry>,
    b: Option<&Entry>,
    room: &mut Room,
) -> io::Result<Found> {
    let content = match (a, b) {
        (Some(a), Some(b)) => match (&a.content, &b.content) {
            (Some(a), Some(b)) => Content::compare(a, b, &mut room.sections)?,
            _ => None,
        },
        _ => None,
    };
    let aspects = aspects(a, b);
    if aspects.is_empty() && content.is_none() {
        return Ok(Found::Same);
    }
    match room.files.checked_sub(1) {
        Some(left) => room.files = left,
        None => return Ok(Found::More),
    }
    let path = shown(path);
    Ok(Found::Different(Box::new(FileDiff {
        path: match number {
            0 => path,
            _ => format!("{path} (entry {})", number + 1),
        },
        verdict: match (a, b) {
            (Some(_), Some(_)) => ComparisonVerdict::Different,
            _ => ComparisonVerdict::Absent,
        },
        aspects,
        content,
    })))
}

/// What the two sides do not say alike.
fn aspects(a: Option<&Entry>, b: Option<&Entry>) -> Vec<Aspect> {
    // A name may be there twice: each is compared with the one of its place.
    let numbered = |facts: Vec<(String, String)>| {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let number = move |(name, value): (String, String)| {
            let count = seen.entry(name.clone()).or_default();
            *count += 1;
            ((name, *count), value)
        };
        facts.into_iter().map(number).collect::<Vec<_>>()
    };
    let (a, b) = (numbered(facts(a)), numbered(facts(b)));
    let mut others: BTreeMap<_, _> = b.iter().cloned().collect();
    let mut all: Vec<Aspect> = Vec::new();
    for ((what, number), a) in a {
        let b = others.remove(&(what.clone(), number));
        let a = Some(a);
        all.push(Aspect { what, a, b });
    }
    for (key, _) in b {
        if let Some((key, b)) = others.remove_entry(&key) {
            let (what, a) = (key.0, None);
            all.push(Aspect {
                what,
                a,
                b: Some(b),
            });
        }
    }
    all.retain(|aspect| aspect.a != aspect.b);
    all
}

fn facts(entry: Option<&Entry>) -> Vec<(String, String)> {
    let Some(entry) = entry else {
        return Vec::new();
    };
    let kind = match entry.kind {
        Kind::File => "file".to_owned(),
        Kind::HardLink => "hard link".to_owned(),
        Kind::Symlink => "symbolic link".to_owned(),
        Kind::Directory => "directory".to_owned(),
        Kind::Special(what) => what.to_owned(),
        Kind::Other(byte) => format!("entry of type `{}`", byte.escape_ascii()),
        Kind::Trailing => "bytes after the end".to_owned(),
    };
    let mut facts = vec![
        ("kind".to_owned(), kind),
        ("mode".to_owned(), format!("{:04o}", entry.mode)),
        ("owner".to_owned(), format!("{}:{}", entry.uid, entry.gid)),
        ("time".to_owned(), rfc3339(entry.mtime)),
    ];
    if matches!(entry.kind, Kind::HardLink | Kind::Symlink) {
        facts.push(("target".to_owned(), shown(&entry.target)));
    }
    if let Some(content) = &entry.content {
        facts.push(("size".to_owned(), content.size().to_string()));
    }
    facts.extend(
        entry
            .more
            .iter()
            .map(|(name, value)| (name.clone(), shown(value))),
    );
    facts
}
