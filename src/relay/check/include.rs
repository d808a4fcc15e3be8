//! `%include`: a torrc with all that it brings in, as tor would read it (`conffile.c`).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::finding::{Finding, Place, Severity};
use super::glob;
use super::parse::{Line, parse};

/// The deepest nesting that tor takes (`MAX_INCLUDE_RECURSION_LEVEL`).
const DEEPEST: usize = 31;

/// The most files that are read. Tor has no such limit: 31 files that each include the next
/// one twice keep it busy for ever.
const MOST: usize = 1000;

/// What there is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// Nothing.
    Nothing,
}

/// The files that a torrc may include.
pub trait Files {
    /// What there is at `path`.
    fn what(&self, path: &Path) -> What;

    /// The bytes of the file at `path`.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The names in the directory at `path`, in any order.
    fn names(&self, path: &Path) -> io::Result<Vec<String>>;
}

/// The files of this machine, where the container's configuration lies in `config`.
#[derive(Debug, Clone)]
pub struct Disk {
    /// The directory that the container sees as [`crate::relay::CONFIG_DIRECTORY`].
    pub config: PathBuf,
}

impl Disk {
    /// Where this machine has what the container sees at `path`.
    pub(super) fn on_host(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(crate::relay::CONFIG_DIRECTORY) {
            // A directory without a name is the current one.
            Ok(rest) if self.config == Path::new("") => Path::new(".").join(rest),
            Ok(rest) => self.config.join(rest),
            Err(_) => path.to_owned(),
        }
    }
}

impl Files for Disk {
    fn what(&self, path: &Path) -> What {
        match fs_err::metadata(self.on_host(path)) {
            Ok(metadata) if metadata.is_dir() => What::Directory,
            Ok(metadata) if metadata.is_file() => What::File,
            _ => What::Nothing,
        }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs_err::read(self.on_host(path))
    }

    fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        let entries = fs_err::read_dir(self.on_host(path))?;
        entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }
}

/// A setting and where it stands.
pub(super) type Placed = (Place, Line);

/// The settings of `text`, which `name` stands for in findings, with those of the files that
/// it includes in their place.
pub(super) fn expand(name: &str, text: &[u8], files: &dyn Files) -> (Vec<Placed>, Vec<Finding>) {
    let mut expansion = Expansion {
        files,
        open: Vec::new(),
        read: 0,
        lines: Vec::new(),
        findings: Vec::new(),
    };
    expansion.file(name, text);
    (expansion.lines, expansion.findings)
}

struct Expansion<'a> {
    files: &'a dyn Files,
    /// The files that are being read, each included by the one before it.
    open: Vec<PathBuf>,
    read: usize,
    lines: Vec<Placed>,
    findings: Vec<Finding>,
}

impl Expansion<'_> {
    fn file(&mut self, name: &str, text: &[u8]) {
        let file: Arc<str> = name.into();
        let (lines, errors) = parse(text);
        for error in errors {
            let place = Place {
                file: Arc::clone(&file),
                line: error.number,
            };
            let what = format!("{}: tor does not start", error.reason);
            self.find(&place, "syntax", &what, "mend the line");
        }
        for line in lines {
            let place = Place {
                file: Arc::clone(&file),
                line: line.number,
            };
            if line.name == "%include" {
                self.include(&place, &line.value);
            } else {
                self.lines.push((place, line));
            }
        }
    }

    fn include(&mut self, place: &Place, pattern: &str) {
        if !pattern.starts_with('/') {
            self.find(
                place,
                "include-relative",
                &format!("what `{pattern}` includes depends on the directory tor is started in"),
                "write the path from the root on, as the container sees it",
            );
            return;
        }
        // The torrc itself is the first level.
        if self.open.len() + 1 >= DEEPEST {
            self.find(
                place,
                "include-too-deep",
                &format!("more than {DEEPEST} files are nested: tor does not start"),
                "include the file from one that is less deep",
            );
            return;
        }
        for path in glob::expand(pattern, self.files) {
            match self.files.what(&path) {
                What::File => self.include_file(place, path),
                What::Directory => self.include_directory(place, &path),
                What::Nothing => self.find(
                    place,
                    "include-missing",
                    &format!("there is no `{}`: tor does not start", path.display()),
                    "put the file there, or take the line away",
                ),
            }
        }
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
                place,
                "include-loop",
                &format!("`{}` includes itself: tor does not start", path.display()),
                "take this line away, or the one that leads here",
            );
            return;
        }
        self.read += 1;
        if self.read > MOST {
            if self.read == MOST + 1 {
                self.find(
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

    fn unreadable(&mut self, place: &Place, error: &io::Error) {
        self.find(
            place,
            "include-unreadable",
            &error.to_string(),
            "let tor's user read it",
        );
    }

    fn find(&mut self, place: &Place, rule: &'static str, what: &str, mend: &str) {
        self.findings.push(Finding {
            file: place.file.to_string(),
            line: Some(place.line),
            severity: Severity::Error,
            rule,
            option: None,
            what: what.to_owned(),
            mend: mend.to_owned(),
            manual: Some("THE CONFIGURATION FILE FORMAT".to_owned()),
        });
    }
}

#[cfg(test)]
pub(in crate::relay) mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Files that are not there.
    #[derive(Default)]
    pub(in crate::relay) struct Memory(pub(in crate::relay) BTreeMap<PathBuf, Vec<u8>>);

    impl Memory {
        fn of(files: &[(&str, &str)]) -> Self {
            let owned = |&(path, text): &(&str, &str)| (path.into(), text.into());
            Self(files.iter().map(owned).collect())
        }
    }

    impl Files for Memory {
        fn what(&self, path: &Path) -> What {
            if self.0.contains_key(path) {
                What::File
            } else if self.0.keys().any(|file| file.starts_with(path)) {
                What::Directory
            } else {
                What::Nothing
            }
        }

        fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
            let missing = || io::Error::from(io::ErrorKind::NotFound);
            self.0.get(path).cloned().ok_or_else(missing)
        }

        fn names(&self, path: &Path) -> io::Result<Vec<String>> {
            let below = self
                .0
                .keys()
                .filter_map(|file| file.strip_prefix(path).ok());
            let name = |file: &Path| file.components().next().map(|c| c.as_os_str().to_owned());
            let mut names: Vec<_> = below.filter_map(name).collect();
            names.dedup();
            Ok(names
                .into_iter()
                .map(|name| name.into_string().unwrap())
                .collect())
        }
    }

    fn shown(text: &str, files: &[(&str, &str)]) -> String {
        let (lines, findings) = expand("torrc", text.as_bytes(), &Memory::of(files));
        let lines = lines
            .iter()
            .map(|(place, line)| format!("{place} {} {}", line.name, line.value));
        let findings = findings.iter().map(|finding| {
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
            ("/c/one", "B 1\n"),
            ("/c/d/20.conf", "D 20"),
            ("/c/d/10.conf", "D 10\n\n%include /c/one\n"),
            ("/c/d/.hidden", "Hidden 1"),
            ("/c/d/sub/30.conf", "D 30"),
            ("/c/d/notes", "N 1"),
        ];
        insta::assert_snapshot!(shown("A 1\n%include /c/one\n%include /c/d\nE 1\n", &files), @r"
        torrc:1 A 1
        /c/one:1 B 1
        /c/d/10.conf:1 D 10
        /c/one:1 B 1
        /c/d/20.conf:1 D 20
        /c/d/notes:1 N 1
        torrc:4 E 1
        ");
        insta::assert_snapshot!(shown("%include \"/c/?/*.conf\"\n%include /c/*.none\n", &files), @r"
        /c/d/10.conf:1 D 10
        /c/one:1 B 1
        /c/d/20.conf:1 D 20
        ");
        // Hidden files only where the dot is named.
        insta::assert_snapshot!(shown("%include /c/d/.*\n%include /c/d/*dden\n", &files), @"/c/d/.hidden:1 Hidden 1");
    }

    #[test]
    fn what_cannot_be_included() {
        let files = [
            ("/c/self", "%include /c/self\nA 1\n"),
            ("/c/a", "%include /c/b\n"),
            ("/c/b", "\n%include /c/*\n"),
            ("/c/bad", "A \"\n"),
        ];
        insta::assert_snapshot!(shown("%include /c/self\n%include /none\n%include relative\n", &files), @r"
        /c/self:2 A 1
        /c/self:1 include-loop
        torrc:2 include-missing
        torrc:3 include-relative
        ");
        insta::assert_snapshot!(shown("%include /c/a\n", &files), @r"
        /c/self:2 A 1
        /c/b:2 include-loop
        /c/b:2 include-loop
        /c/bad:1 syntax
        /c/self:1 include-loop
        ");
    }

    #[test]
    fn a_tree_without_end() {
        let file = |n: usize| {
            (
                format!("/{n}"),
                format!("%include /{0}\n%include /{0}\n", n + 1),
            )
        };
        let files: Vec<(String, String)> = (0..40).map(file).collect();
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        let shown = shown("%include /0\n", &files);
        assert!(shown.contains("include-too-deep"), "{shown}");
        assert_eq!(shown.matches("include-too-many").count(), 1);
    }
}
