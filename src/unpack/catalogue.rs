//! Which entries an archive may have: names, kinds and links, judged without touching a disk.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::fmt;
use std::path::Path;

use super::error::{Rule, shown};

/// The most bytes of a name, and of one part of it (`NAME_MAX` of Linux). The longest name
/// in the pinned sources has 113 bytes.
const NAME_LIMIT: usize = 1024;
const PART_LIMIT: usize = 255;

/// A path in a tree, normalised: parts joined by single slashes, no `.`, no `..`, not
/// absolute, UTF-8 without control characters. The tree's own root is the empty name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(String);

impl Name {
    /// Judges and normalises a name as an archive or a patch spells it.
    pub(crate) fn parse(spelt: &[u8]) -> Result<Self, Rule> {
        let text = text(spelt)?;
        if text.starts_with('/') {
            return Err(Rule::Absolute);
        }
        let mut name = String::with_capacity(text.len());
        for part in text.split('/') {
            match part {
                "" | "." => continue,
                ".." => return Err(Rule::ParentDirectory),
                _ => {}
            }
            if !name.is_empty() {
                name.push('/');
            }
            name.push_str(part);
        }
        Ok(Self(name))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// Whether this is the tree's root.
    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The directory that it lies in; the root is the empty name.
    pub(crate) fn parent(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(parent, _)| parent)
    }

    /// The directories above, outermost first, without the root.
    pub(crate) fn ancestors(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(at, _)| &self.0[..at])
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What names and link targets have in common.
fn text(spelt: &[u8]) -> Result<&str, Rule> {
    if spelt.is_empty() {
        return Err(Rule::NoName);
    }
    let text = str::from_utf8(spelt).map_err(|_| Rule::NotUtf8)?;
    if text.chars().any(char::is_control) {
        return Err(Rule::ControlCharacter);
    }
    if text.contains('\\') {
        return Err(Rule::Backslash);
    }
    if text.len() > NAME_LIMIT || text.split('/').any(|part| part.len() > PART_LIMIT) {
        return Err(Rule::TooLong {
            limit: NAME_LIMIT,
            part: PART_LIMIT,
        });
    }
    Ok(text)
}

/// A symbolic link of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Symlink {
    pub(super) name: Name,
    pub(super) target: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    /// A directory that an entry below it implies.
    Implied,
    Directory,
    File,
    Symlink,
}

/// What an absolute target of a symbolic link is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absolute {
    /// The root of the machine: the link is refused.
    Machine,
    /// The root of the tree, which is to be some machine's root: the link is written
    /// relative to its own place, so that it leads there wherever the tree lies.
    Tree,
}

/// All entries of an archive so far, wanted or not.
#[derive(Debug)]
pub(super) struct Catalogue {
    absolute: Absolute,
    nodes: HashMap<String, Node>,
    symlinks: Vec<Symlink>,
}

impl Catalogue {
    /// Of an archive of which nothing is known yet.
    pub(super) fn new(absolute: Absolute) -> Self {
        Self {
            absolute,
            nodes: HashMap::new(),
            symlinks: Vec::new(),
        }
    }

    /// How many entries and directories implied by entries there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Takes in a directory.
    pub(super) fn directory(&mut self, spelt: &[u8]) -> Result<Name, Rule> {
        let name = Name::parse(spelt)?;
        self.insert(&name, Node::Directory)?;
        Ok(name)
    }

    /// Takes in a file.
    pub(super) fn file(&mut self, spelt: &[u8]) -> Result<Name, Rule> {
        self.leaf(spelt, Node::File)
    }

    /// Takes in a hard link and returns it with the file that it names.
    pub(super) fn hard_link(&mut self, spelt: &[u8], target: &[u8]) -> Result<(Name, Name), Rule> {
        let wrong = || Rule::HardLink {
            target: shown(target),
        };
        let file = Name::parse(target).map_err(|_| wrong())?;
        if self.nodes.get(file.as_str()) != Some(&Node::File) {
            return Err(wrong());
        }
        Ok((self.leaf(spelt, Node::File)?, file))
    }

    /// Takes in a symbolic link, which [`Catalogue::symlinks`] gives back once all is known.
    pub(super) fn symlink(&mut self, spelt: &[u8], target: &[u8]) -> Result<(), Rule> {
        let path = text(target).map_err(|_| Rule::LinkToNothing {
            target: shown(target),
        })?;
        let name = self.leaf(spelt, Node::Symlink)?;
        let out = || Rule::LinkOut {
            target: shown(target),
        };
        let above = name.ancestors().count();
        let relative = match (path.strip_prefix('/'), self.absolute) {
            (None, _) => path.to_owned(),
            (Some(_), Absolute::Machine) => return Err(out()),
            (Some(below), Absolute::Tree) => "../".repeat(above) + below.trim_start_matches('/'),
        };
        let mut depth = above;
        for part in relative.split('/') {
            match part {
                "" | "." => {}
                ".." => depth = depth.checked_sub(1).ok_or_else(out)?,
                _ => depth += 1,
            }
        }
        // What points at the root itself from the root.
        let target = if relative.is_empty() {
            ".".to_owned()
        } else {
            relative
        };
        self.symlinks.push(Symlink { name, target });
        Ok(())
    }

    /// The symbolic links, once every entry is known: none leads out of the tree.
    ///
    /// Each target stays inside if read as text; so it does on disk too, if no part of it
    /// but the last is a link, because only there could `..` mean another directory.
    pub(super) fn symlinks(&self) -> Result<&[Symlink], (&Name, Rule)> {
        for link in &self.symlinks {
            let mut at: Vec<&str> = link.name.as_str().split('/').collect();
            at.pop();
            let mut parts = link
                .target
                .split('/')
                .filter(|part| !matches!(*part, "" | "."));
            let mut next = parts.next();
            while let Some(part) = next {
                next = parts.next();
                if part == ".." {
                    at.pop();
                } else {
                    at.push(part);
                }
                let path = at.join("/");
                if next.is_some() && self.nodes.get(&path) == Some(&Node::Symlink) {
                    let rule = Rule::LinkThroughLink {
                        target: shown(link.target.as_bytes()),
                        link: path,
                    };
                    return Err((&link.name, rule));
                }
            }
        }
        Ok(&self.symlinks)
    }

    /// Takes in what cannot have entries below it.
    fn leaf(&mut self, spelt: &[u8], node: Node) -> Result<Name, Rule> {
        let name = Name::parse(spelt)?;
        if name.is_root() {
            return Err(Rule::NoName);
        }
        if spelt.ends_with(b"/") {
            return Err(Rule::FileWithSlash);
        }
        self.insert(&name, node)?;
        Ok(name)
    }

    fn insert(&mut self, name: &Name, node: Node) -> Result<(), Rule> {
        for above in name.ancestors() {
            match self.nodes.get(above) {
                Some(Node::Directory | Node::Implied) => {}
                Some(Node::File) => {
                    let file = above.to_owned();
                    return Err(Rule::BelowFile { file });
                }
                Some(Node::Symlink) => {
                    let link = above.to_owned();
                    return Err(Rule::BelowLink { link });
                }
                None => {
                    self.nodes.insert(above.to_owned(), Node::Implied);
                }
            }
        }
        match self.nodes.entry(name.as_str().to_owned()) {
            Slot::Vacant(slot) => {
                slot.insert(node);
            }
            Slot::Occupied(mut slot) if *slot.get() == Node::Implied && node == Node::Directory => {
                slot.insert(node);
            }
            Slot::Occupied(_) => return Err(Rule::Duplicate),
        }
        Ok(())
    }
}
