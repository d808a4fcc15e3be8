//! What tor itself says of a torrc: the one that was built, in a sandbox that has the torrc, the
//! files that it includes, and nothing else.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::finding::{Finding, Severity};
use super::include::{self, Disk, Files, What};
use crate::builder::{self, Mount};

/// Where the torrc is inside.
const TORRC: &str = "/torrc";

/// Lets `tor`, a built one, verify `text`, which `name` stands for in findings. What it includes
/// is at its place.
///
/// # Errors
/// When tor cannot be run.
pub fn ask_tor(
    tor: &Path,
    name: &str,
    text: &[u8],
    disk: &Disk,
) -> Result<Vec<Finding>, builder::Error> {
    let read = Read::of(name, text, disk);
    let torrc = tempfile::NamedTempFile::new()?;
    fs_err::write(torrc.path(), text)?;
    let mut mounts = vec![Mount::new(torrc.path(), TORRC)];
    for file in read.files.take() {
        let host = fs_err::canonicalize(disk.on_host(&file))?;
        mounts.push(Mount::new(host, file.to_string_lossy()));
    }
    let directories: Vec<String> = read
        .directories
        .take()
        .iter()
        .map(|directory| directory.to_string_lossy().into_owned())
        .collect();
    let arguments = [
        "--defaults-torrc",
        "/dev/null",
        "--verify-config",
        "-f",
        TORRC,
    ];
    let answer = builder::ask(tor, &arguments, &mounts, &directories)?;
    Ok(findings(name, answer.yes, &answer.text))
}

/// What of tor's output is more than that it reads files.
fn findings(name: &str, valid: bool, output: &str) -> Vec<Finding> {
    let find = |severity, what: &str| Finding {
        file: name.to_owned(),
        line: None,
        severity,
        rule: "tor",
        option: None,
        what: format!("tor says: {}", what.replace(TORRC, name)),
        mend: "see what tor's manual says of the option".to_owned(),
        manual: None,
    };
    let said = output.lines().filter_map(|line| {
        let (_, what) = line
            .split_once("[warn] ")
            .or_else(|| line.split_once("[err] "))?;
        Some(what)
    });
    // What keeps it from starting is the last that it says before it sums up.
    let mut said: Vec<&str> = said
        .filter(|what| !what.starts_with("Reading config failed"))
        .collect();
    let refused = (!valid).then(|| said.pop().unwrap_or("it does not take the file"));
    let warnings = said.into_iter().map(|what| find(Severity::Note, what));
    warnings
        .chain(refused.map(|what| find(Severity::Error, what)))
        .collect()
}

/// The files and directories that reading a torrc leads to.
struct Read<'a> {
    disk: &'a Disk,
    files: RefCell<BTreeSet<PathBuf>>,
    directories: RefCell<BTreeSet<PathBuf>>,
}

impl<'a> Read<'a> {
    fn of(name: &str, text: &[u8], disk: &'a Disk) -> Self {
        let read = Self {
            disk,
            files: RefCell::default(),
            directories: RefCell::default(),
        };
        // The findings are those of the check.
        include::expand(name, text, &read);
        read
    }
}

impl Files for Read<'_> {
    fn what(&self, path: &Path) -> What {
        self.disk.what(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let bytes = self.disk.read(path)?;
        self.files.borrow_mut().insert(path.to_owned());
        Ok(bytes)
    }

    fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        let names = self.disk.names(path)?;
        self.directories.borrow_mut().insert(path.to_owned());
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tors_lines_become_findings() {
        let output = "Nov 25 09:55:22.712 [notice] Read configuration file \"/torrc\".\n\
            Nov 25 09:55:22.754 [warn] Your ContactInfo config option is not set.\n\
            Nov 25 09:55:22.754 [warn] Failed to parse/validate config: Unknown option 'X'.  Failing.\n\
            Nov 25 09:55:22.755 [err] Reading config failed--see warnings above.\n";
        let shown = |valid| -> Vec<String> {
            let found = findings("torrc", valid, output);
            found.iter().map(ToString::to_string).collect()
        };
        insta::assert_snapshot!(shown(false).join("\n"), @r"
        torrc: note: tor says: Your ContactInfo config option is not set. [tor]
            mend: see what tor's manual says of the option
        torrc: error: tor says: Failed to parse/validate config: Unknown option 'X'.  Failing. [tor]
            mend: see what tor's manual says of the option
        ");
        let valid = findings(
            "torrc",
            true,
            "Nov 25 [notice] x\nConfiguration was valid\n",
        );
        assert_eq!(valid, []);
        let silent = findings("torrc", false, "");
        assert_eq!(silent[0].what, "tor says: it does not take the file");
    }
}
