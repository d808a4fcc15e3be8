//! What the check says of a torrc is what the built tor says of it: some hundreds of torrcs, put
//! together from values of each kind and collected in the shape that people's have, judged by both
//! with the image's defaults, home, user and read-only root. Only where the tor is built.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../common/tor.rs"]
mod built;
mod table;

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use fs_err as fs;
use relaysmith::host::ask_tor;
use torrc::Role;
use torrc::check::{Disk, Finding, Severity, check};

// A sandbox starts as this program would, if it called `enter`; it finds `relaysmith-sandbox`.

/// A torrc of the table: a sound one of its role with the change, in which `-Option` takes a line
/// away.
fn text_of(role: Role, change: &str) -> Vec<u8> {
    let own = match role {
        Role::Bridge => "BridgeRelay 1\nExitRelay 0\n",
        Role::Middle => "ExitRelay 0\n",
        Role::Exit => "ExitRelay 1\nReducedExitPolicy 1\n",
    };
    let sound = format!(
        "Nickname relay1\nContactInfo Ada <ada@example.org>\nORPort 9001\nSocksPort 0\n\
         DataDirectory /tordata\n{own}"
    );
    let gone = |line: &str| {
        let mut options = change.split('\n').filter_map(|line| line.strip_prefix('-'));
        options.any(|option| option == "all" || line.split(' ').next() == Some(option))
    };
    let kept = sound.lines().filter(|line| !gone(line));
    let added = change.split('\n').filter(|line| !line.starts_with('-'));
    let text: String = kept.chain(added).map(|line| format!("{line}\n")).collect();
    bytes(&text)
}

/// The bytes of a text in which `«XX»` stands for a byte.
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('«') {
        let (byte, after) = after.split_once('»').unwrap();
        bytes.extend_from_slice(before.as_bytes());
        bytes.push(u8::from_str_radix(byte, 16).unwrap());
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// Whether the check says that tor does not start, of what tor is asked here: it verifies the
/// file, and opens neither its files nor its ports.
fn refused(findings: &[Finding]) -> (bool, bool) {
    let fatal = findings.iter().filter(|finding| {
        finding.severity == Severity::Error && finding.what.contains("does not start")
    });
    let (later, now): (Vec<&Finding>, Vec<&Finding>) =
        fatal.partition(|finding| table::WHEN_STARTED.contains(&finding.rule));
    (!now.is_empty(), !later.is_empty())
}

#[test]
fn the_built_tor_agrees() {
    let Some(tor) = built::tor() else {
        let line =
            "SKIPPED the_built_tor_agrees: `cargo xtask build-image` has not built tor here\n";
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return;
    };
    let place = tempfile::tempdir().unwrap();
    for (name, text) in table::INCLUDED {
        let path = place.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes(text)).unwrap();
    }
    let disk = Disk {
        config: place.path().to_owned(),
    };
    // All of them take minutes.
    let each = std::env::var_os("RELAYSMITH_TEST_ALL").is_some();
    let all = table::all(each);
    assert!(all.len() > 500, "{}", all.len());
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    let excused = Mutex::new(Vec::new());
    let one = |role: Role, change: &str| {
        let text = text_of(role, change);
        let findings = check("torrc", &text, Some(role), &disk).findings;
        let said = ask_tor(&tor, "torrc", &text, &disk).unwrap();
        let (now, later) = refused(&findings);
        // What it would refuse when it is started it need not refuse now.
        if now != said.valid || (later && !said.valid) {
            return;
        }
        if let Some((place, _)) = table::EXCEPTIONS
            .iter()
            .enumerate()
            .find(|(_, (shape, _))| change.contains(shape))
        {
            excused.lock().unwrap().push(place);
            return;
        }
        let rules: Vec<String> = findings
            .iter()
            .map(|finding| format!("{} {}: {}", finding.severity, finding.rule, finding.what))
            .collect();
        let verdict = if said.valid { "takes" } else { "refuses" };
        let warned: Vec<&str> = said
            .output
            .lines()
            .filter(|line| line.contains("[warn]") || line.contains("[err]"))
            .collect();
        wrong.lock().unwrap().push(format!(
            "{role}: {change:?}\n  tor {verdict} it: {}\n  found: {}",
            warned.join("\n    "),
            rules.join("\n    ")
        ));
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((role, change)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    one(*role, change);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        all.len(),
        wrong.join("\n")
    );
    // An exception that nothing needs any more goes.
    let excused = excused.into_inner().unwrap();
    let excused: Vec<usize> = if each { excused } else { return };
    for (place, (shape, _)) in table::EXCEPTIONS.iter().enumerate() {
        assert!(
            excused.contains(&place),
            "no torrc needs the exception of {shape:?}"
        );
    }
}
