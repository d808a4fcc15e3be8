//! `%include`: a torrc with all that it brings in, as tor would read it (`conffile.c`).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{Files, Limited, What};
use super::finding::{Finding, Fix, Place, Severity};
use super::glob;
use super::lies::{Lies, lies};
use super::parse::{Line, parse};
use super::written::written;
use crate::CONFIG_DIRECTORY;

/// The deepest nesting that tor takes (`MAX_INCLUDE_RECURSION_LEVEL`).
const DEEPEST: usize = 31;

/// The most files that are read. Tor has no such limit: 31 files that each include the next
/// one twice keep it busy for ever.
const MOST: usize = 1000;

/// A torrc with all that it includes.
#[derive(Debug, Default)]
pub(super) struct Expanded {
    /// The settings, in their order.
    pub(super) lines: Vec<Placed>,
    /// What was found while reading.
    pub(super) findings: Vec<Finding>,
    /// The lines of each file, by its name.
    pub(super) texts: BTreeMap<String, Vec<String>>,
    /// The options whose value is not to be read: of them nothing more is known.
    pub(super) broken: Vec<&'static str>,
    /// Whether tor does not start for want of a file, whatever would be in it.
    pub(super) incomplete: bool,
}

/// A setting and where it stands.
pub(super) type Placed = (Place, Line);

/// The settings of `text`, which `name` stands for in findings, with those of the files that
/// it includes in their place.
pub(super) fn expand(name: &str, text: &[u8], files: &dyn Files) -> Expanded {
    let limited = Limited::new(files);
    let mut expansion = Expansion {
        files: &limited,
        open: Vec::new(),
        read: 0,
        found: Expanded::default(),
    };
    expansion.file(name, text);
    if limited.is_used_up() {
        let place = Place {
            file: name.into(),
            line: 1,
        };
        expansion.too_much(&place);
    }
    expansion.found
}

struct Expansion<'a> {
    files: &'a dyn Files,
    /// The files that are being read, each included by the one before it.
    open: Vec<PathBuf>,
    read: usize,
    found: Expanded,
}

impl Expansion<'_> {
    fn file(&mut self, name: &str, text: &[u8]) {
        let file: Arc<str> = name.into();
        let (lines, errors) = parse(text);
        let shown = String::from_utf8_lossy(text);
        let shown = shown.split('\n').map(|line| line.trim_end().to_owned());
        self.found.texts.insert(name.to_owned(), shown.collect());
        let written = written(text, lines, errors);
        self.found.broken.extend(written.broken);
        self.found.incomplete |= written.incomplete;
        for fault in written.faults {
            let place = Place {
                file: Arc::clone(&file),
                line: fault.line,
            };
            self.find(fault.severity, &place, "syntax", &fault.what, fault.fix);
        }
        for line in written.lines {
            let place = Place {
                file: Arc::clone(&file),
                line: line.number,
            };
            if line.name == "%include" {
                self.include(&place, &line.value);
            } else {
                self.found.lines.push((place, line));
            }
        }
    }

    fn include(&mut self, place: &Place, pattern: &str) {
        if !pattern.starts_with('/') {
            let (severity, end) = match glob::is_pattern(pattern) {
                true => (Severity::Warning, "includes nothing, and does not say so"),
                false => (Severity::Error, "does not start"),
            };
            self.find(
                severity,
                place,
                "include-relative",
                &format!(
                    "`{pattern}` does not begin at the root, where the container starts tor and has no such file: tor {end}"
                ),
                "write the path from the root on, as the container sees it",
            );
            return;
        }
        if !self.is_inside(place, pattern) {
            return;
        }
        // The torrc itself is the first level.
        if self.open.len() + 1 >= DEEPEST {
            self.find(
                Severity::Error,
                place,
                "include-too-deep",
                &format!("more than {DEEPEST} files are nested: tor does not start"),
                "include the file from one that is less deep",
            );
            return;
        }
        let paths = glob::expand(pattern, self.files);
        if paths.is_empty() {
            self.find(
                Severity::Note,
                place,
                "include-empty",
                &format!("nothing is at `{pattern}`: tor includes nothing, and does not say so"),
                "put the files there, or delete the line",
            );
        }
        for path in paths {
            match self.files.what(&path) {
                What::File => self.include_file(place, path),
                What::Directory => self.include_directory(place, &path),
                What::Special => self.special(place, &path),
                What::Nothing => self.find(
                    Severity::Error,
                    place,
                    "include-missing",
                    &format!("there is no `{}`: tor does not start", path.display()),
                    "put the file there, or delete the line",
                ),
            }
        }
    }

    /// Whether the container has what `pattern` names: nothing of the host's is there but the
    /// configuration. Of its volume nothing is known before it runs.
    fn is_inside(&mut self, place: &Place, pattern: &str) -> bool {
        let glob = glob::is_pattern(pattern);
        let (severity, rule, what) = match lies(pattern) {
            Lies::Configuration => return true,
            Lies::Volume | Lies::Memory => (
                Severity::Warning,
                "include-unchecked",
                format!(
                    "`{pattern}` cannot be checked here: it depends on what the container has there when it runs"
                ),
            ),
            _ if glob => (
                Severity::Warning,
                "include-outside",
                format!(
                    "the container has nothing at `{pattern}`: tor includes nothing, and does not say so"
                ),
            ),
            _ => (
                Severity::Error,
                "include-outside",
                format!("the container has no `{pattern}`: tor does not start"),
            ),
        };
        let last = pattern
            .rsplit('/')
            .find(|part| !part.is_empty())
            .unwrap_or("torrc.d");
        let fix = Fix::from(format!(
            "put it beside the torrc, which is {CONFIG_DIRECTORY} in the container, and write `%include {CONFIG_DIRECTORY}/{last}`"
        ));
        self.find(severity, place, rule, &what, fix);
        false
    }

    /// All files in it but hidden ones, in the order of their names; no directories.
    fn include_directory(&mut self, place: &Place, directory: &Path) {
        match self.files.names(directory) {
            Ok(mut names) => {
                names.sort();
                let shown = names.iter().filter(|name| !name.starts_with('.'));
                for path in shown.map(|name| directory.join(name)) {
                    if self.files.what(&path) == What::File {
                        self.include_file(place, path);
                    }
                }
            }
            Err(error) => self.unreadable(place, &error),
        }
    }

    fn include_file(&mut self, place: &Place, path: PathBuf) {
        if self.open.contains(&path) {
            self.find(
                Severity::Error,
                place,
                "include-loop",
                &format!("`{}` includes itself: tor does not start", path.display()),
                "delete this line, or the one that leads here",
            );
            return;
        }
        self.read += 1;
        if self.read > MOST {
            if self.read == MOST + 1 {
                self.find(
                    Severity::Error,
                    place,
                    "include-too-many",
                    &format!("more than {MOST} files are included: the rest was not read"),
                    "include each file once",
                );
            }
            return;
        }
        match self.files.read(&path) {
            Ok(text) => {
                let name = path.display().to_string();
                self.open.push(path);
                self.file(&name, &text);
                self.open.pop();
            }
            Err(error) => self.unreadable(place, &error),
        }
    }

    fn special(&mut self, place: &Place, path: &Path) {
        self.find(
            Severity::Error,
            place,
            "include-special",
            &format!(
                "`{}` is a pipe or a device, and was not read",
                path.display()
            ),
            "include a plain file",
        );
    }

    fn too_much(&mut self, place: &Place) {
        self.find(
            Severity::Error,
            place,
            "include-too-many",
            "what is included has no end, or more files than a relay needs: the rest was not read",
            "include each file once, by its name",
        );
    }

    fn unreadable(&mut self, place: &Place, error: &io::Error) {
        self.find(
            Severity::Error,
            place,
            "include-unreadable",
            &error.to_string(),
            "let it be a plain file beside the torrc that tor's user can read",
        );
    }

    fn find(
        &mut self,
        severity: Severity,
        place: &Place,
        rule: &'static str,
        what: &str,
        fix: impl Into<Fix>,
    ) {
        let (fix, edit) = fix.into().parts();
        self.found.incomplete |= severity == Severity::Error && rule.starts_with("include-");
        self.found.findings.push(Finding {
            file: place.file.to_string(),
            line: Some(place.line),
            severity,
            rule,
            option: None,
            what: what.to_owned(),
            fix,
            edit,
            excerpt: None,
            manual: Some("THE CONFIGURATION FILE FORMAT".to_owned()),
        });
    }
}

#[cfg(test)]
pub(crate) mod tests {

    use super::*;

    use crate::check::Memory;

    fn shown(text: &str, files: &[(&str, &str)]) -> String {
        let read = expand("torrc", text.as_bytes(), &Memory::from(files));
        let lines = read
            .lines
            .iter()
            .map(|(place, line)| format!("{place} {} {}", line.name, line.value));
        let findings = read.findings.iter().map(|finding| {
            format!(
                "{}:{} {}",
                finding.file,
                finding.line.unwrap(),
                finding.rule
            )
        });
        lines.chain(findings).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn in_place_and_in_order() {
        let files = [
            ("/usr/local/etc/tor/one", "B 1\n"),
            ("/usr/local/etc/tor/d/20.conf", "D 20"),
            (
                "/usr/local/etc/tor/d/10.conf",
                "D 10\n\n%include /usr/local/etc/tor/one\n",
            ),
            ("/usr/local/etc/tor/d/.hidden", "Hidden 1"),
            ("/usr/local/etc/tor/d/sub/30.conf", "D 30"),
            ("/usr/local/etc/tor/d/notes", "N 1"),
        ];
        insta::assert_snapshot!(shown("A 1\n%include /usr/local/etc/tor/one\n%include /usr/local/etc/tor/d\nE 1\n", &files), @r"
        torrc:1 A 1
        /usr/local/etc/tor/one:1 B 1
        /usr/local/etc/tor/d/10.conf:1 D 10
        /usr/local/etc/tor/one:1 B 1
        /usr/local/etc/tor/d/20.conf:1 D 20
        /usr/local/etc/tor/d/notes:1 N 1
        torrc:4 E 1
        ");
        insta::assert_snapshot!(shown("%include \"/usr/local/etc/tor/?/*.conf\"\n%include /usr/local/etc/tor/*.none\n", &files), @r"
        /usr/local/etc/tor/d/10.conf:1 D 10
        /usr/local/etc/tor/one:1 B 1
        /usr/local/etc/tor/d/20.conf:1 D 20
        torrc:2 include-empty
        ");
        // Hidden files only where the dot is named.
        insta::assert_snapshot!(shown("%include /usr/local/etc/tor/d/.*\n%include /usr/local/etc/tor/d/*dden\n", &files), @r"
        /usr/local/etc/tor/d/.hidden:1 Hidden 1
        torrc:2 include-empty
        ");
    }

    #[test]
    fn what_cannot_be_included() {
        let files = [
            (
                "/usr/local/etc/tor/self",
                "%include /usr/local/etc/tor/self\nA 1\n",
            ),
            ("/usr/local/etc/tor/a", "%include /usr/local/etc/tor/b\n"),
            ("/usr/local/etc/tor/b", "\n%include /usr/local/etc/tor/*\n"),
            ("/usr/local/etc/tor/bad", "A \"\n"),
        ];
        insta::assert_snapshot!(shown("%include /usr/local/etc/tor/self\n%include /usr/local/etc/tor/none\n%include relative\n", &files), @r"
        /usr/local/etc/tor/self:2 A 1
        /usr/local/etc/tor/self:1 include-loop
        torrc:2 include-missing
        torrc:3 include-relative
        ");
        insta::assert_snapshot!(shown("%include /usr/local/etc/tor/a\n", &files), @r"
        /usr/local/etc/tor/self:2 A 1
        /usr/local/etc/tor/b:2 include-loop
        /usr/local/etc/tor/b:2 include-loop
        /usr/local/etc/tor/bad:1 syntax
        /usr/local/etc/tor/self:1 include-loop
        ");
    }

    #[test]
    fn a_tree_without_end() {
        let file = |n: usize| {
            (
                format!("/usr/local/etc/tor/{n}"),
                format!(
                    "%include /usr/local/etc/tor/{0}\n%include /usr/local/etc/tor/{0}\n",
                    n + 1
                ),
            )
        };
        let files: Vec<(String, String)> = (0..40).map(file).collect();
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        let shown = shown("%include /usr/local/etc/tor/0\n", &files);
        assert!(shown.contains("include-too-deep"), "{shown}");
        assert_eq!(shown.matches("include-too-many").count(), 1);
    }
}
