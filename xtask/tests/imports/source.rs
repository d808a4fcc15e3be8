//! The paths in the files of a crate, and the files in which what they name is written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

pub(crate) type Name = Vec<String>;

/// One file, which is one module with those written inside it.
#[derive(Debug, Default)]
pub(crate) struct File {
    /// The names it gives to things of other files, with `pub use`, and where those are.
    exports: BTreeMap<String, Name>,
    /// The same for names it takes for itself, and all other paths that begin at a module.
    pub(crate) paths: BTreeSet<Name>,
    /// Names of things elsewhere, as `use` brought them, with how often they stand in the file.
    words: BTreeMap<String, usize>,
}

/// The files of the crate in `src`, by module, without those that are only compiled for tests.
pub(crate) fn read(src: &Path) -> BTreeMap<Name, File> {
    let mut files = BTreeMap::new();
    let mut open: Vec<PathBuf> = vec![src.to_owned()];
    while let Some(place) = open.pop() {
        if place.is_dir() {
            open.extend(
                fs_err::read_dir(&place)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        if place.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        let inside = place.strip_prefix(src).unwrap().with_extension("");
        let mut module: Name = inside
            .iter()
            .map(|part| part.to_str().unwrap().to_owned())
            .collect();
        if module
            .last()
            .is_some_and(|last| last == "mod" || last == "lib")
        {
            module.pop();
        }
        if module
            .iter()
            .any(|part| part == "tests" || part == "testing")
        {
            continue;
        }
        let text = fs_err::read_to_string(&place).unwrap();
        let tokens = text
            .parse()
            .unwrap_or_else(|error| panic!("{}: {error}", place.display()));
        let file = File::new(&module, tokens);
        files.insert(module, file);
    }
    files
}

impl File {
    /// The file of `module`, which is `["build", "schedule"]` for `src/build/schedule.rs`.
    pub(crate) fn new(module: &[String], tokens: TokenStream) -> Self {
        let mut file = Self::default();
        let mut children = BTreeSet::new();
        declared(&tokens, &mut children);
        file.scan(module, &children, tokens);
        file
    }

    /// Reads the paths among `tokens`, which stand in `module`; `children` are the modules that
    /// are declared there, whose names begin a path too.
    fn scan(&mut self, module: &[String], children: &BTreeSet<String>, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        let mut public = false;
        while at < tokens.len() {
            // What is compiled for tests only may use anything.
            if is_for_tests(&tokens[at..]) {
                at += 2;
                while at < tokens.len() && !ends_item(&tokens[at]) {
                    at += 1;
                }
                at += 1;
                continue;
            }
            match &tokens[at] {
                TokenTree::Ident(word) if word == "pub" => {
                    public = true;
                    at += 1;
                    if matches!(tokens.get(at), Some(TokenTree::Group(_))) {
                        at += 1;
                    }
                    continue;
                }
                TokenTree::Ident(word) if word == "use" => {
                    let end = at
                        + tokens[at..]
                            .iter()
                            .position(ends_item_at_semicolon)
                            .unwrap_or(1);
                    let mut brought = Vec::new();
                    tree(&tokens[at + 1..end], &[], &mut brought);
                    for (name, path) in brought {
                        let Some(path) = resolve(module, children, &path) else {
                            continue;
                        };
                        if public {
                            self.exports.insert(name, path);
                        } else {
                            self.paths.insert(path);
                        }
                    }
                    at = end;
                }
                TokenTree::Ident(word) if word == "mod" => {
                    if let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(body))) =
                        (tokens.get(at + 1), tokens.get(at + 2))
                    {
                        let mut inner = module.to_vec();
                        inner.push(name.to_string());
                        let mut children = BTreeSet::new();
                        declared(&body.stream(), &mut children);
                        self.scan(&inner, &children, body.stream());
                        at += 1;
                    }
                    // The name of the module itself uses nothing.
                    at += 1;
                }
                TokenTree::Ident(_) => {
                    let (path, end) = path(&tokens, at);
                    for word in &path {
                        *self.words.entry(word.clone()).or_default() += 1;
                    }
                    if path.len() > 1 && !follows_path(&tokens, at) {
                        self.paths.extend(resolve(module, children, &path));
                    }
                    at = end;
                }
                TokenTree::Group(group) => self.scan(module, children, group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            public = false;
            at += 1;
        }
    }
}

/// The modules that are declared among `tokens`, in files of their own or in place.
fn declared(tokens: &TokenStream, children: &mut BTreeSet<String>) {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    for pair in tokens.windows(2) {
        if let [TokenTree::Ident(word), TokenTree::Ident(name)] = pair
            && word == "mod"
        {
            children.insert(name.to_string());
        }
    }
}

/// Whether `#[cfg(test)]` stands here.
fn is_for_tests(tokens: &[TokenTree]) -> bool {
    let [TokenTree::Punct(hash), TokenTree::Group(group), ..] = tokens else {
        return false;
    };
    let text: String = group.stream().to_string().split_whitespace().collect();
    hash.as_char() == '#' && (text == "cfg(test)" || text.starts_with("cfg(any(test"))
}

fn ends_item(token: &TokenTree) -> bool {
    match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        other => ends_item_at_semicolon(other),
    }
}

fn ends_item_at_semicolon(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';')
}

fn is_colon(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
}

/// The words of the path that begins at `at`, and the place of its last one.
fn path(tokens: &[TokenTree], mut at: usize) -> (Name, usize) {
    let mut words = Vec::new();
    while let Some(TokenTree::Ident(word)) = tokens.get(at) {
        words.push(word.to_string());
        let more = is_colon(tokens.get(at + 1)) && is_colon(tokens.get(at + 2));
        if !more || !matches!(tokens.get(at + 3), Some(TokenTree::Ident(_))) {
            break;
        }
        at += 3;
    }
    (words, at)
}

/// Whether what begins at `at` goes on a path, as in `<T as U>::name`, or begins with `::`.
fn follows_path(tokens: &[TokenTree], at: usize) -> bool {
    at >= 2 && is_colon(tokens.get(at - 1)) && is_colon(tokens.get(at - 2))
}

/// The names that the tree of a `use` brings, each with its path.
fn tree(tokens: &[TokenTree], prefix: &[String], brought: &mut Vec<(String, Name)>) {
    for branch in
        tokens.split(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ','))
    {
        let mut whole = prefix.to_vec();
        let mut alias = None;
        let mut at = 0;
        while at < branch.len() {
            match &branch[at] {
                TokenTree::Ident(word) if word == "as" => {
                    alias = branch.get(at + 1).map(ToString::to_string);
                    break;
                }
                TokenTree::Ident(word) if word == "self" && !whole.is_empty() => {}
                TokenTree::Ident(word) => whole.push(word.to_string()),
                TokenTree::Group(group) => {
                    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                    tree(&inner, &whole, brought);
                    whole.clear();
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            at += 1;
        }
        if let Some(last) = whole.last() {
            brought.push((alias.unwrap_or_else(|| last.clone()), whole));
        }
    }
}

/// A path from the crate's root, or nothing if it begins outside of the crate.
fn resolve(module: &[String], children: &BTreeSet<String>, path: &[String]) -> Option<Name> {
    let (first, mut rest) = path.split_first()?;
    let mut whole = match first.as_str() {
        "crate" => Vec::new(),
        "self" => module.to_vec(),
        "super" => {
            let mut whole = module.to_vec();
            whole.pop()?;
            while let Some(("super", more)) =
                rest.split_first().map(|(word, more)| (word.as_str(), more))
            {
                whole.pop()?;
                rest = more;
            }
            whole
        }
        child if children.contains(child) => {
            let mut whole = module.to_vec();
            whole.push(child.to_owned());
            whole
        }
        _ => return None,
    };
    whole.extend(rest.iter().cloned());
    Some(whole)
}

/// The file in which the thing called `path` is written: the longest module it begins with,
/// and from there on through what that exports of others.
fn home<'a>(files: &'a BTreeMap<Name, File>, path: &[String], left: usize) -> Option<&'a Name> {
    let length = (0..=path.len())
        .rev()
        .find(|length| files.contains_key(&path[..*length]))?;
    let (module, file) = files.get_key_value(&path[..length])?;
    match path.get(length).and_then(|name| file.exports.get(name)) {
        Some(further) if left > 0 => {
            let mut further = further.clone();
            further.extend_from_slice(&path[length + 1..]);
            home(files, &further, left - 1).or(Some(module))
        }
        _ => Some(module),
    }
}

/// Which files each file uses.
pub(crate) fn uses(files: &BTreeMap<Name, File>) -> BTreeMap<Name, BTreeSet<Name>> {
    let mut all = BTreeMap::new();
    for (module, file) in files {
        // What it exports it also uses if it names it.
        let used_exports = file
            .exports
            .iter()
            .filter(|(name, _)| file.words.contains_key(*name))
            .map(|(_, path)| path);
        let homes = file
            .paths
            .iter()
            .chain(used_exports)
            .filter_map(|path| home(files, path, 8));
        let homes = homes.filter(|home| *home != module).cloned().collect();
        all.insert(module.clone(), homes);
    }
    all
}
