//! How a build is started in another environment: by a few lines of shell and the tools of
//! util-linux, as anybody could do by hand.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err as fs;

use super::{BuildFolder, Variation};

/// Where a build's files are seen if they are not seen where they are.
const USUAL: &str = "place";
/// The same, at a path that is unlike any other.
const ODD: &str = "a longer path, nämlich hier";
/// The downloads of a program that needs none.
const NOTHING: &str = "nothing";

/// Where builds with variations are made.
#[derive(Debug)]
pub struct Site {
    /// The folder for unfinished work: what is left there somebody removes.
    work: PathBuf,
    /// Empty folders, where any user can get to; a build's files are mounted there, for itself.
    elsewhere: tempfile::TempDir,
}

impl Site {
    /// A site in the folder `work`.
    ///
    /// # Errors
    /// When a folder cannot be made.
    pub fn new(work: &Path) -> io::Result<Self> {
        let elsewhere = tempfile::Builder::new()
            .prefix("relaysmith-")
            .permissions(std::fs::Permissions::from_mode(0o755))
            .tempdir()?;
        for name in [USUAL, ODD, NOTHING] {
            fs::create_dir(elsewhere.path().join(name))?;
        }
        Ok(Self {
            work: work.to_owned(),
            elsewhere,
        })
    }

    /// The command that starts `program` with `variations`. Its working directory is a folder
    /// of its own that holds `cache`, with a copy of `downloads`. The options of the variations
    /// come after `arguments`.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn command(
        &self,
        variations: &[&Variation],
        downloads: &Path,
        program: &Path,
        arguments: &[OsString],
    ) -> io::Result<Command> {
        let folder = tempfile::tempdir_in(&self.work)?.keep();
        let odd = variations.iter().any(|it| it.name == "path");
        let seen_at = self.elsewhere.path().join(if odd { ODD } else { USUAL });
        let place = variations.iter().map(|it| it.place).max();
        let enter = match place {
            None | Some(BuildFolder::Usual) => "cd \"$1\"",
            Some(BuildFolder::Bound) => "mount --bind \"$1\" \"$2\" && cd \"$2\"",
            Some(BuildFolder::Memory) => {
                "mount -t tmpfs -o mode=755,size=75% relaysmith \"$2\" && cd \"$2\""
            }
        };
        let all = |part: fn(&Variation) -> &'static str, between: &str| {
            let parts = variations.iter().map(|it| part(it));
            let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
            parts.join(between)
        };
        let before = all(|it| it.before, "\n");
        let identity = all(|it| it.identity, " ");
        let personality = match all(|it| it.personality, " ") {
            words if words.is_empty() => words,
            words => format!("setarch {words}"),
        };
        // What is started dies with this process, as a build does that is made in it.
        let script = format!(
            "set -eu\n{enter}\nmkdir cache tail\nchmod 700 cache\ncp -R \"$3\" cache/downloads\n\
             {before}\nshift 3\nexec {personality} setpriv {identity} --pdeathsig=KILL \"$@\"",
        );

        let mut namespaces: Vec<&str> = variations
            .iter()
            .flat_map(|it| it.namespaces)
            .copied()
            .collect();
        if place > Some(BuildFolder::Usual) {
            namespaces.push("--mount");
        }
        let mut words: Vec<&OsStr> = Vec::new();
        if !namespaces.is_empty() {
            words.push("unshare".as_ref());
            if !rustix::process::geteuid().is_root() {
                words.extend(["--user", "--map-root-user"].map(OsStr::new));
            }
            words.extend(namespaces.into_iter().map(OsStr::new));
        }
        words.extend(["sh", "-c", &script, "sh"].map(OsStr::new));
        words.extend([
            folder.as_os_str(),
            seen_at.as_os_str(),
            downloads.as_os_str(),
        ]);
        words.push(program.as_os_str());
        words.extend(arguments.iter().map(OsString::as_os_str));
        let options = variations.iter().filter_map(|it| it.option);
        words.extend(options.flat_map(|(name, value)| [OsStr::new(name), OsStr::new(value)]));

        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::null());
        Ok(command)
    }

    /// Whether this machine can do `variation`: in this environment a small program is
    /// started, and checks whether it can read what is `needed`.
    ///
    /// # Errors
    /// What was said where it cannot.
    pub fn probe(&self, variation: &Variation, needed: &[&Path]) -> Result<(), String> {
        let environment = Variation {
            option: None,
            ..*variation
        };
        let script = "for file; do test -r \"$file\" || exec echo \"cannot read $file\"; done";
        let mut arguments = ["-c", script, "sh"].map(OsString::from).to_vec();
        arguments.extend(needed.iter().map(OsString::from));
        let (shell, nothing) = (Path::new("/bin/sh"), self.elsewhere.path().join(NOTHING));
        let said = self
            .command(&[&environment], &nothing, shell, &arguments)
            .and_then(|mut command| command.output())
            .map_err(|error| error.to_string())?;
        if said.status.success() && said.stdout.is_empty() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
        Err(text.lines().last().unwrap_or("it failed").to_owned())
    }
}
