//! The registries that this machine uses already, as its own package managers know them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use duct::cmd;
use fs_err as fs;
use reqwest::Url;

/// Where apt, pip and cargo of this machine get their packages. Each is asked when first
/// needed, and once.
#[derive(Debug, Default)]
pub struct Machine {
    mirrors: OnceLock<Result<Vec<Url>, String>>,
    index: OnceLock<Result<Url, String>>,
}

impl Machine {
    /// A machine that has not been asked anything yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A machine whose apt is configured with these mirrors.
    pub fn with_mirrors(mirrors: Vec<Url>) -> Self {
        Self {
            mirrors: OnceLock::from(Ok(mirrors)),
            ..Self::default()
        }
    }

    /// The same machine, whose pip is configured with this index.
    pub fn and_index(mut self, index: Url) -> Self {
        self.index = OnceLock::from(Ok(index));
        self
    }

    /// The mirrors that apt is configured with, or why there are none.
    pub(super) fn mirrors(&self) -> Result<&[Url], String> {
        let found = self.mirrors.get_or_init(|| {
            let command = "apt-get indextargets --format $(REPO_URI)";
            let printed = print(command.split(' '))
                .map_err(|error| format!("apt's mirrors are not known: {error}"))?;
            match repositories(&printed) {
                none if none.is_empty() => Err("apt is configured with no mirror".to_owned()),
                mirrors => Ok(mirrors),
            }
        });
        found.as_deref().map_err(Clone::clone)
    }

    /// The index that pip is configured with, or why there is none.
    pub(super) fn index(&self) -> Result<&Url, String> {
        let found = self.index.get_or_init(|| {
            // The order in which pip itself looks.
            let set = std::env::var("PIP_INDEX_URL").ok();
            let configured = || print("python3 -m pip config get global.index-url".split(' '));
            let default = || {
                let ask = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)";
                print(["python3", "-c", ask].into_iter())
            };
            let text = match set.filter(|text| !text.is_empty()) {
                Some(text) => text,
                None => configured().or_else(|_| default()).map_err(|error| {
                    format!("pip's index is not known, install pip or set PIP_INDEX_URL: {error}")
                })?,
            };
            directory(&text).ok_or_else(|| "pip's index is not an http address".to_owned())
        });
        found.as_ref().map_err(Clone::clone)
    }

    /// The `.crate` files of that name and version that cargo has, after fetching it if
    /// there were none.
    pub(super) fn crates(&self, name: &str, version: &str) -> Result<Vec<PathBuf>, String> {
        let home = std::env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(std::env::home_dir()?.join(".cargo")))
            .ok_or("neither CARGO_HOME nor HOME is set")?;
        let find = || cached(&home, &format!("{name}-{version}.crate"));
        let found = find();
        if !found.is_empty() {
            return Ok(found);
        }
        let failed = |error: io::Error| error.to_string();
        let scratch = tempfile::tempdir().map_err(failed)?;
        let manifest = scratch.path().join("Cargo.toml");
        fs::write(&manifest, throw_away(name, version)).map_err(failed)?;
        fs::write(scratch.path().join("lib.rs"), "").map_err(failed)?;
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let manifest = manifest.to_string_lossy();
        // Where this process runs, so that the same configuration applies.
        print_in(
            ".",
            [&cargo, "fetch", "--quiet", "--manifest-path", &manifest].into_iter(),
        )?;
        match find() {
            none if none.is_empty() => Err("cargo fetched it, but kept no .crate file".to_owned()),
            found => Ok(found),
        }
    }
}

/// What a program prints, or what it complains about. It runs in the root directory:
/// Python would import a module from the current one before its own.
fn print<'a>(command: impl Iterator<Item = &'a str>) -> Result<String, String> {
    print_in("/", command)
}

fn print_in<'a>(
    directory: &str,
    mut command: impl Iterator<Item = &'a str>,
) -> Result<String, String> {
    let program = command.next().unwrap_or("");
    let run = cmd(program, command)
        .dir(directory)
        .stdin_null()
        .stdout_capture()
        .stderr_capture()
        .unchecked()
        .run();
    let name = Path::new(program).file_name().unwrap_or(program.as_ref());
    let name = name.to_string_lossy();
    let output = run.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("{name} is not installed"),
        _ => format!("cannot run {name}: {error}"),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name} failed: {}", gist(&complaint)))
}

/// The line of a complaint that says what is wrong: the first that calls itself an error, for what
/// follows it may be a trace of calls; or else the last.
fn gist(complaint: &str) -> &str {
    let mut lines = complaint.lines().map(str::trim);
    let is_error = |line: &&str| {
        let label = line.split_once(':').map(|(label, _)| label);
        label.is_some_and(|label| label.eq_ignore_ascii_case("error"))
    };
    let first = lines.find(is_error);
    first.unwrap_or_else(|| complaint.trim().lines().last().unwrap_or("").trim())
}

/// The http mirrors among the repositories that apt prints, each once.
fn repositories(printed: &str) -> Vec<Url> {
    let mut mirrors = Vec::new();
    for mirror in printed.lines().filter_map(directory) {
        if !mirrors.contains(&mirror) {
            mirrors.push(mirror);
        }
    }
    mirrors
}

/// An http address to which a relative path can be joined.
fn directory(text: &str) -> Option<Url> {
    let url = Url::parse(&format!("{}/", text.trim().trim_end_matches('/'))).ok()?;
    matches!(url.scheme(), "http" | "https").then_some(url)
}

/// The files of that name in the caches of all registries that this cargo home knows.
fn cached(home: &Path, file: &str) -> Vec<PathBuf> {
    let registries = fs::read_dir(home.join("registry/cache"));
    let registries = registries.into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = registries
        .map(|registry| registry.path().join(file))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found
}

/// The manifest of a package that depends on one crate, in exactly one version, and is
/// never built.
fn throw_away(name: &str, version: &str) -> String {
    // Build metadata, such as `+zstd.1.5.7`, plays no part in choosing a version.
    let version = version.split('+').next().unwrap_or(version);
    format!(
        "[package]\n\
         name = \"throw-away\"\n\
         version = \"0.0.0\"\n\
         edition = \"2021\"\n\
         [lib]\n\
         path = \"lib.rs\"\n\
         [workspace]\n\
         [dependencies]\n\
         {name} = {{ version = \"={version}\", default-features = false }}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_taken_from_what_apt_prints() {
        let printed = "http://deb.example/debian/\nhttp://deb.example/debian\n\
                       https://sec.example/debian-security/\ncdrom:[Debian]/\nfile:/srv/debian/\n\n";
        let mirrors: Vec<String> = repositories(printed).iter().map(Url::to_string).collect();
        assert_eq!(
            mirrors,
            [
                "http://deb.example/debian/",
                "https://sec.example/debian-security/"
            ]
        );
    }

    #[test]
    fn a_program_that_is_not_there_or_fails() {
        let absent = print(["relaysmith-no-such-program"].into_iter());
        assert_eq!(
            absent.unwrap_err(),
            "relaysmith-no-such-program is not installed"
        );
        let fails = print(["sh", "-c", "echo a >&2; echo b >&2; exit 3"].into_iter());
        assert_eq!(fails.unwrap_err(), "sh failed: b");
    }

    #[test]
    fn the_line_that_says_what_is_wrong() {
        for (complaint, expected) in [
            ("", ""),
            ("one\ntwo\n\n", "two"),
            (
                "warning: x\nerror: no matching package\n\nCaused by:\n  0: a\n  1: b\n",
                "error: no matching package",
            ),
            (
                "  ERROR: no version of it\nERROR: nothing matches\n",
                "ERROR: no version of it",
            ),
            ("no error: here\nbut the last", "but the last"),
        ] {
            assert_eq!(gist(complaint), expected, "{complaint:?}");
        }
    }

    #[test]
    fn crates_are_found_in_any_registry_of_the_cache() {
        let home = tempfile::tempdir().unwrap();
        assert!(cached(home.path(), "a-1.crate").is_empty());
        for registry in ["one", "two"] {
            let registry = home.path().join("registry/cache").join(registry);
            fs::create_dir_all(&registry).unwrap();
            fs::write(registry.join("a-1.crate"), "").unwrap();
        }
        assert_eq!(cached(home.path(), "a-1.crate").len(), 2);
        assert!(cached(home.path(), "a-2.crate").is_empty());
    }

    #[test]
    fn the_throw_away_manifest_is_one() {
        let text = throw_away("zstd-sys", "2.1.2+zstd.1.5.7");
        let manifest: toml::Table = text.parse().unwrap();
        let version = &manifest["dependencies"]["zstd-sys"]["version"];
        assert_eq!(version.as_str(), Some("=2.1.2"));
    }
}
