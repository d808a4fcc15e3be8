//! What is known against the parts of an image, and whether it can happen there: a VEX, in the
//! words of CycloneDX's `analysis`.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::update::{self, Vulnerability};

/// The table of all components but tor.
const TABLE: &str = "vulnerabilities.toml";

/// The version of the format that this code reads.
const FORMAT: u64 = 1;

/// Something that a later release fixed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Known {
    /// The component that has it.
    pub(super) component: String,
    /// The versions of it that do, of those that were ever pinned.
    versions: Vec<String>,
    /// Upstream's numbers.
    pub(super) ids: Vec<String>,
    /// How bad the worst of it is, where upstream says so.
    pub(super) severity: Option<String>,
    /// What can happen.
    pub(super) what: String,
    /// The first release without it.
    pub(super) fixed: String,
    /// Where that can be read.
    pub(super) source: String,
    /// Whether it can happen in the image.
    pub(super) state: State,
    /// Why it cannot, where it cannot.
    pub(super) justification: Option<Justification>,
    /// The reason, for people.
    pub(super) detail: String,
}

/// What was found of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// It can happen.
    Exploitable,
    /// That is not known.
    InTriage,
    /// It cannot happen.
    NotAffected,
}

/// Why something cannot happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Justification {
    /// The code is not in the image.
    CodeNotPresent,
    /// Nothing in the image calls it.
    CodeNotReachable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u64,
    vulnerability: Vec<Known>,
}

impl From<Vulnerability> for Known {
    /// What is known against tor.
    fn from(of_tor: Vulnerability) -> Self {
        let (state, detail) = match of_tor.reached {
            Some(how) => (State::Exploitable, how),
            None => (
                State::InTriage,
                "which of it affects the image has not been examined".to_owned(),
            ),
        };
        Self {
            component: "tor".to_owned(),
            versions: Vec::new(),
            ids: of_tor.numbers,
            severity: of_tor.severity,
            what: of_tor.what,
            fixed: of_tor.fixed.to_string(),
            source: of_tor.source,
            state,
            justification: None,
            detail,
        }
    }
}

/// All that is known against `parts`, pairs of a name and a version, by the tables in the folder
/// `project`.
///
/// # Errors
/// When a table cannot be read.
pub(super) fn known<'a>(
    project: &Path,
    parts: impl Iterator<Item = (&'a str, &'a str)>,
) -> io::Result<Vec<Known>> {
    let table = read(project)?;
    let mut all = Vec::new();
    for (name, version) in parts {
        if name == "tor" {
            let of_tor = update::vulnerabilities(&project.join("tor-series.toml"), version);
            all.extend(
                of_tor
                    .map_err(io::Error::other)?
                    .into_iter()
                    .map(Known::from),
            );
        }
        let has =
            |one: &&Known| one.component == name && one.versions.iter().any(|it| it == version);
        all.extend(table.iter().filter(has).cloned());
    }
    Ok(all)
}

/// The table of what is known against all components but tor.
fn read(project: &Path) -> io::Result<Vec<Known>> {
    let path = project.join(TABLE);
    let wrong = |what: String| io::Error::other(format!("{}: {what}", path.display()));
    let text = fs_err::read_to_string(&path)?;
    let document: Document = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if document.version != FORMAT {
        return Err(wrong(format!(
            "format version {} is not supported: expected {FORMAT}",
            document.version
        )));
    }
    let contradicts =
        |one: &&Known| (one.state == State::NotAffected) != one.justification.is_some();
    match document.vulnerability.iter().find(contradicts) {
        Some(one) => Err(wrong(format!(
            "{}: `not_affected` needs a `justification`, and nothing else has one",
            one.ids.join(", ")
        ))),
        None => Ok(document.vulnerability),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::pins::Manifest;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn security_md_says_the_same() {
        let table = read(root()).unwrap();
        let ids = table.iter().flat_map(|one| &one.ids);
        let ids: BTreeSet<String> = ids.cloned().collect();
        let text = fs_err::read_to_string(root().join("SECURITY.md")).unwrap();
        let (_, after) = text.split_once("## OpenSSL since").unwrap();
        let (section, _) = after.split_once("\n## ").unwrap();
        let mut said = BTreeSet::new();
        for row in section
            .lines()
            .filter(|line| line.starts_with("| "))
            .skip(1)
        {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let numbers = cells[2].split(", ").map(|number| format!("CVE-{number}"));
            for id in numbers {
                let one = table.iter().find(|one| one.ids.contains(&id)).unwrap();
                let compiled = one.justification != Some(Justification::CodeNotPresent);
                assert_eq!(!cells[3].starts_with("no"), compiled, "{id}");
                let reached = one.state == State::Exploitable;
                assert_eq!(cells[4].starts_with("**yes**"), reached, "{id}");
                said.insert(id);
            }
        }
        assert_eq!(ids, said);
    }

    #[test]
    fn each_is_about_something_pinned() {
        let manifest = Manifest::load(&root().join("sources.toml")).unwrap();
        for one in read(root()).unwrap() {
            for version in &one.versions {
                let pin = manifest.get(&one.component, Some(version));
                assert!(pin.is_ok(), "{} {version}", one.component);
            }
        }
    }

    #[test]
    fn a_justification_goes_with_not_affected() {
        let folder = tempfile::tempdir().unwrap();
        let entry = |more: &str| {
            let text = format!(
                "version = 1\n[[vulnerability]]\ncomponent = \"a\"\nversions = [\"1\"]\n\
                 ids = [\"CVE-1\"]\nwhat = \"b\"\nfixed = \"2\"\nsource = \"c\"\ndetail = \"d\"\n{more}"
            );
            fs_err::write(folder.path().join(TABLE), text).unwrap();
            read(folder.path()).map_err(|error| error.to_string())
        };
        let reason = "justification = \"code_not_present\"\n";
        assert_eq!(entry("state = \"exploitable\"\n").unwrap().len(), 1);
        let not_affected = "state = \"not_affected\"\n";
        assert_eq!(entry(&format!("{not_affected}{reason}")).unwrap().len(), 1);
        for wrong in [not_affected, &format!("state = \"exploitable\"\n{reason}")] {
            let said = entry(wrong).unwrap_err();
            assert!(said.contains("CVE-1: `not_affected` needs"), "{said}");
        }
        assert!(entry("state = \"fine\"\n").unwrap_err().contains("fine"));
    }
}
