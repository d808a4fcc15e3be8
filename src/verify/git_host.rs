//! The objects of a tag from a git host: the tag, its commit and its trees, and no file.
//!
//! `git` itself fetches them, with no configuration of this machine, into a folder of its own. It
//! may say and send what it likes: what comes is read by [`super::git`], and judged.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fs_err::File;

use super::tag;

/// How long all of it may take: it is some kilobytes.
const LONGEST: Duration = Duration::from_secs(30);

/// The largest file that it may write, in blocks of 512 bytes: 16 MiB.
const LARGEST: u32 = 32 << 10;

/// Brings the objects of the tag `name` of the repository at `address`, as
/// `git cat-file --batch` prints them; or says why there are none. `scratch` is an empty folder.
pub(super) fn bring(address: &str, name: &str, scratch: &Path) -> Result<Vec<u8>, String> {
    let place = format!("refs/tags/{name}");
    let deadline = Instant::now() + LONGEST;
    let git = |arguments: &[&str]| run(scratch, arguments, deadline);
    git(&["init", "--quiet", "--bare", "."])?;
    git(&[
        "fetch",
        "--quiet",
        "--no-tags",
        "--depth=1",
        "--filter=blob:none",
        address,
        &format!("{place}:{place}"),
    ])?;
    let tag = git(&["rev-parse", "--verify", &place])?;
    let listed = git(&[
        "rev-list",
        "--objects",
        "--no-object-names",
        "--filter=blob:none",
        &place,
    ])?;
    let mut names: Vec<&[u8]> = vec![tag.trim_ascii()];
    names.extend(
        listed
            .split(|&b| b == b'\n')
            .filter(|name| !name.is_empty()),
    );
    // The tag itself may be listed, too.
    let mut wanted: Vec<&[u8]> = Vec::new();
    for name in names {
        if !wanted.contains(&name) {
            wanted.push(name);
        }
    }
    let wanted = [wanted.join(&b'\n'), b"\n".to_vec()].concat();
    let path = scratch.join("wanted");
    fs_err::write(&path, wanted).map_err(|error| error.to_string())?;
    run_from(scratch, &["cat-file", "--batch"], Some(&path), deadline)
}

fn run(folder: &Path, arguments: &[&str], deadline: Instant) -> Result<Vec<u8>, String> {
    run_from(folder, arguments, None, deadline)
}

/// What `git` prints, if it ends in time and well.
fn run_from(
    folder: &Path,
    arguments: &[&str],
    input: Option<&Path>,
    deadline: Instant,
) -> Result<Vec<u8>, String> {
    let stdin = match input {
        Some(path) => {
            let file = File::open(path).map_err(|error| error.to_string())?;
            Stdio::from(file.into_file())
        }
        None => Stdio::null(),
    };
    let log = folder.join("log");
    let errors = File::create(&log).map_err(|error| error.to_string())?;
    let limited = format!("ulimit -f {LARGEST} && exec git \"$@\"");
    let mut child = Command::new("sh")
        .args(["-c", &limited, "git"])
        .args(["-c", "protocol.allow=never"])
        .args(["-c", "protocol.https.allow=always"])
        // A manifest names https alone; a server on loopback is for tests to name.
        .args(["-c", "protocol.http.allow=always"])
        .args(["-c", "http.followRedirects=initial"])
        .args(["-c", "http.lowSpeedLimit=100"])
        .args(["-c", "http.lowSpeedTime=10"])
        .args(["-c", "credential.helper="])
        .args(["-c", "core.hooksPath=/dev/null"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_DIR", folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "false")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::from(errors.into_file()))
        .spawn()
        .map_err(|error| format!("git cannot be run: {error}"))?;
    let printed = child.stdout.take();
    let reading = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let limited = printed.map(|printed| printed.take(tag::LIMIT + 1));
        let read = limited.map(|mut printed| printed.read_to_end(&mut bytes));
        read.transpose().map(|_| bytes)
    });
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(20));
            }
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return Err("the repository took too long".to_owned());
            }
        }
    };
    if !status.success() {
        let said = fs_err::read(&log).unwrap_or_default();
        let line = said.split(|&b| b == b'\n').find(|line| !line.is_empty());
        let line = shown::shown_up_to(200, line.unwrap_or_default());
        return Err(match line.is_empty() {
            true => format!("git {status}"),
            false => format!("git says: {line}"),
        });
    }
    let bytes = reading.join().unwrap_or_else(|_| Ok(Vec::new()));
    let bytes = bytes.map_err(|error| error.to_string())?;
    match bytes.len() as u64 > tag::LIMIT {
        true => Err(format!("it sends more than {} bytes", tag::LIMIT)),
        false => Ok(bytes),
    }
}
