//! The wildcards of `%include`: `*` and `?`, a backslash before either for the character
//! itself (tor's manual, THE CONFIGURATION FILE FORMAT).

use std::path::{Path, PathBuf};

use super::files::{Files, What};

/// The most paths that one pattern stands for.
const PATHS: usize = 10_000;

/// The most bytes of a path (`PATH_MAX`).
const LONGEST: usize = 4096;

/// The paths that `pattern` stands for, in the order of their names: `pattern` itself if
/// there are no wildcards in it, and only what exists if there are.
pub(super) fn expand(pattern: &str, files: &dyn Files) -> Vec<PathBuf> {
    if !is_pattern(pattern) {
        return vec![PathBuf::from(pattern)];
    }
    // The kernel takes no longer path.
    if pattern.len() > LONGEST {
        return Vec::new();
    }
    let mut paths = vec![PathBuf::from("/")];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        paths = paths
            .iter()
            .flat_map(|path| matches_in(path, part, files))
            .take(PATHS)
            .collect();
    }
    paths.retain(|path| files.what(path) != What::Nothing);
    paths.sort();
    paths
}

fn matches_in(directory: &Path, part: &str, files: &dyn Files) -> Vec<PathBuf> {
    if !is_pattern(part) {
        return vec![directory.join(part.replace('\\', ""))];
    }
    let names = files.names(directory).unwrap_or_default();
    let fits = |name: &String| {
        // Hidden files are meant only where the pattern names the dot.
        (!name.starts_with('.') || part.starts_with('.')) && matches(part, name)
    };
    let fitting = names.into_iter().filter(fits);
    fitting.map(|name| directory.join(name)).collect()
}

pub(super) fn is_pattern(text: &str) -> bool {
    let mut before = ' ';
    text.chars().any(|c| {
        let wildcard = matches!(c, '*' | '?') && before != '\\';
        before = c;
        wildcard
    })
}

/// One character of a pattern.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Any,
    One,
    Exactly(char),
}

/// Whether `name` fits `pattern`, in time that grows with the product of their lengths.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        parts.push(match character {
            '*' => Part::Any,
            '?' => Part::One,
            '\\' => Part::Exactly(characters.next().unwrap_or('\\')),
            _ => Part::Exactly(character),
        });
    }
    // Whether the first n parts fit what was seen of the name.
    let mut fit = vec![false; parts.len() + 1];
    fit[0] = true;
    for at in 0..parts.len() {
        fit[at + 1] = fit[at] && parts[at] == Part::Any;
    }
    for character in name.chars() {
        let before = std::mem::replace(&mut fit, vec![false; parts.len() + 1]);
        for (at, part) in parts.iter().enumerate() {
            fit[at + 1] = match part {
                Part::Any => fit[at] || before[at + 1],
                Part::One => before[at],
                Part::Exactly(wanted) => before[at] && *wanted == character,
            };
        }
    }
    fit[parts.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let table = [
            ("*", "", true),
            ("*", "a", true),
            ("?", "", false),
            ("?", "é", true),
            ("*.conf", "10.conf", true),
            ("*.conf", "10.conf.bak", false),
            ("a*b*c", "axxbxxc", true),
            ("a*b*c", "axxbxx", false),
            ("a**", "a", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a\\?*", "a?b", true),
            ("abc", "abc", true),
            ("abc", "ab", false),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        // Not exponential.
        assert!(!matches(&"*a".repeat(50), &"a".repeat(49)));
    }
}
