//! The Go that compiles for an image beside the Go that its signed source gives.

use std::time::Duration;

use serde::Serialize;

use crate::base::listing::{Listing, Node};

/// Where the step that makes Go from its source leaves it.
const TOP: &str = "go/";

/// Go is what its signed source gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Same {
    /// Its version.
    pub version: String,
    /// How many files of it something may be compiled with, programs among them.
    pub files: usize,
    /// How many of them are programs.
    pub programs: usize,
    /// How long it took to make it from source, in seconds; absent if that was done before.
    #[serde(serialize_with = "seconds", skip_serializing_if = "Option::is_none")]
    pub took: Option<Duration>,
}

/// Go is not what its signed source gives.
#[derive(Debug, thiserror::Error)]
#[error(
    "go {version}: the compiler of the image does not match what its signed source builds: {}",
    list(.differ)
)]
pub struct Differs {
    /// Its version.
    pub version: String,
    /// The files that differ, or that the source does not give.
    pub differ: Vec<String>,
}

impl Differs {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(
            "do not build with obfs4 until you know why: either the wheel of Go was altered, or \
             `src/build/recipe/go-from-source.sh` does not build Go the way its release was \
             built"
                .to_owned(),
        )
    }
}

/// The first few of `files`, and how many more there are.
fn list(files: &[String]) -> String {
    const SHOWN: usize = 5;
    if files.is_empty() {
        return "there is no program in it".to_owned();
    }
    let shown = files.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    match files.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Compares the files of `used`, what is unpacked of the wheel, with those of the same names in
/// `made`, what the source gave. What only the latter has, nothing is compiled with.
///
/// # Errors
/// When they are not the same.
pub(crate) fn compared(version: &str, used: &Listing, made: &Listing) -> Result<Same, Differs> {
    // Whoever packs it says which files may be executed.
    let bytes = |node: &Node| match node {
        Node::File { digest, .. } => format!("{digest}"),
        other => other.to_string(),
    };
    let is_same = |(path, node): &(&String, &Node)| {
        let made = made.0.get(&format!("{TOP}{path}"));
        made.is_some_and(|made| bytes(made) == bytes(node))
    };
    let is_program = |path: &&String| path.starts_with("bin/") || path.starts_with("pkg/tool/");
    let differ: Vec<String> = (used.0.iter())
        .filter(|entry| !is_same(entry))
        .map(|(path, _)| path.clone())
        .collect();
    let programs = used.0.keys().filter(is_program).count();
    // Of a wheel of another form nothing may be unpacked.
    if !differ.is_empty() || programs == 0 {
        return Err(Differs {
            version: version.to_owned(),
            differ,
        });
    }
    Ok(Same {
        version: version.to_owned(),
        files: used.0.len(),
        programs,
        took: None,
    })
}

fn seconds<S: serde::Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => to.serialize_u64(time.as_secs()),
        None => to.serialize_none(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Listing {
        let node = |text: &str| Node::File {
            digest: crate::base::digest::Digest::sha256(text.as_bytes()),
            executable: text.starts_with("program"),
        };
        let files = files.iter();
        Listing(
            files
                .map(|(path, text)| ((*path).to_owned(), node(text)))
                .collect(),
        )
    }

    #[test]
    fn each_file_that_is_used_is_compared() {
        let used = [
            ("VERSION", "go1"),
            ("bin/go", "program go"),
            ("pkg/tool/linux_amd64/compile", "program compile"),
            ("src/fmt/print.go", "package fmt"),
        ];
        let made = [
            ("go/VERSION", "go1"),
            ("go/bin/go", "program go"),
            ("go/bin/gofmt", "program gofmt"),
            ("go/pkg/tool/linux_amd64/compile", "program compile"),
            ("go/src/fmt/print.go", "package fmt"),
        ];
        let compare = |made: &[(&str, &str)]| compared("1", &tree(&used), &tree(made));
        let same = compare(&made).unwrap();
        assert_eq!((same.files, same.programs), (4, 2));

        let differs = |at: usize, edit: fn(&mut Vec<(&str, &str)>, usize)| {
            let mut made = made.to_vec();
            edit(&mut made, at);
            compare(&made).unwrap_err().differ
        };
        assert_eq!(
            differs(1, |made, at| made[at].1 = "program go2"),
            ["bin/go"]
        );
        assert_eq!(
            differs(4, |made, at| {
                made.remove(at);
            }),
            ["src/fmt/print.go"]
        );
    }

    #[test]
    fn nothing_is_not_the_same() {
        let error = compared("1", &tree(&[]), &tree(&[])).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("builds: there is no program in it")
        );
        let error = compared("1", &tree(&[("bin/go", "a")]), &tree(&[])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "go 1: the compiler of the image does not match what its signed source builds: bin/go"
        );
    }
}
