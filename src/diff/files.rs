//! Two layers, entry by entry.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use super::content::Content;
use crate::date::rfc3339;
use crate::image::foreign::{Entry, Kind, shown};
use crate::record::Verdict;

/// A file, a directory or a link that two layers do not have alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileDiff {
    /// Its path, escaped.
    pub path: String,
    /// How the two compare: different, or absent from one.
    pub verdict: Verdict,
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

/// How many entries are the same, and those that are not, by path.
pub(super) fn compare(a: Vec<Entry>, b: Vec<Entry>) -> io::Result<(usize, Vec<FileDiff>)> {
    let a = keyed(a);
    let mut b = keyed(b);
    let mut differences = BTreeMap::new();
    let mut same = 0;
    for (key, a) in a {
        let b = b.remove(&key);
        match difference(&key, Some(&a), b.as_ref())? {
            Some(found) => drop(differences.insert(key, found)),
            None => same += 1,
        }
    }
    for (key, b) in b {
        if let Some(found) = difference(&key, None, Some(&b))? {
            differences.insert(key, found);
        }
    }
    Ok((same, differences.into_values().collect()))
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

fn difference(
    (path, number): &Key,
    a: Option<&Entry>,
    b: Option<&Entry>,
) -> io::Result<Option<FileDiff>> {
    let content = match (a, b) {
        (Some(a), Some(b)) => match (&a.content, &b.content) {
            (Some(a), Some(b)) => Content::compare(a, b)?,
            _ => None,
        },
        _ => None,
    };
    let aspects = aspects(a, b);
    if aspects.is_empty() && content.is_none() {
        return Ok(None);
    }
    let path = shown(path);
    Ok(Some(FileDiff {
        path: match number {
            0 => path,
            _ => format!("{path} (entry {})", number + 1),
        },
        verdict: match (a, b) {
            (Some(_), Some(_)) => Verdict::Different,
            _ => Verdict::Absent,
        },
        aspects,
        content,
    }))
}

/// What the two sides do not say alike.
fn aspects(a: Option<&Entry>, b: Option<&Entry>) -> Vec<Aspect> {
    let (mut a, mut b) = (facts(a), facts(b));
    let mut names: Vec<String> = a.iter().map(|(name, _)| name.clone()).collect();
    let new = b.iter().map(|(name, _)| name.clone());
    for name in new.collect::<Vec<_>>() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut take = |name: &str| {
        let of = |facts: &mut Vec<(String, String)>| {
            let at = facts.iter().position(|(other, _)| other == name)?;
            Some(facts.remove(at).1)
        };
        (of(&mut a), of(&mut b))
    };
    let all = names.into_iter().map(|what| {
        let (a, b) = take(&what);
        Aspect { what, a, b }
    });
    all.filter(|aspect| aspect.a != aspect.b).collect()
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
