//! What Prometheus and Grafana are told of tor: names and labels that tor really prints, and files
//! that Prometheus's own `promtool` takes.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/tor.rs"]
mod built;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fs_err as fs;
use relaysmith::host::monitoring::Monitoring;
use relaysmith::host::{Host, HostTorrc, Service, services};
use torrc::UID;
use torrc::check::Memory;

/// Labels that Prometheus gives each series of a relay.
const OURS: [&str; 3] = ["relay", "role", "job"];

/// Says so past the test runner, which swallows what a passing test prints.
fn skip(test: &str, reason: &str) {
    let line = format!("SKIPPED {test}: {reason}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// The tor that the image has if it is built, or one of this machine.
fn tor() -> Option<PathBuf> {
    let machines = || {
        let output = Command::new("tor").arg("--version").output().ok()?;
        let right = output.stdout.starts_with(b"Tor version 0.4.9");
        right.then(|| PathBuf::from("tor"))
    };
    built::tor().or_else(machines)
}

fn two_relays() -> Vec<Service> {
    let text = |name: &str, more: &str| {
        format!(
            "Nickname {name}\nContactInfo a@example.org\nSocksPort 0\nDataDirectory /tordata\n\
             MetricsPort 0.0.0.0:9035\nMetricsPortPolicy accept 10.90.35.0/24\n{more}"
        )
    };
    let exit = text("one", "ORPort 9001\nExitRelay 1\nReducedExitPolicy 1\n");
    let bridge = text("two", "ORPort 9002\nBridgeRelay 1\nExitRelay 0\n");
    let host = Host {
        image: format!("sha256:{}", "0".repeat(64)).parse().unwrap(),
        user: UID,
        open_files: 65536,
        memory: 2048,
        bind: &[],
        data: Path::new("/srv/tor/data"),
    };
    let files = Memory::default();
    let source = |path, text| HostTorrc {
        path: Path::new(path),
        text,
        files: &files,
    };
    let sources = [
        source("/srv/tor/1/torrc", exit.as_bytes()),
        source("/srv/tor/2/torrc", bridge.as_bytes()),
    ];
    services(&host, &sources).unwrap()
}

/// A tor that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// What an exit whose master key is elsewhere prints. It is of a network that has nobody else in
/// it, and asks nobody outside of this machine.
fn printed(tor: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let keygen = Command::new(tor)
        .args(["--keygen", "--no-passphrase", "--quiet", "-f", "/dev/null"])
        .arg("--DataDirectory")
        .arg(&data)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(keygen.status.success(), "{keygen:?}");
    fs::remove_file(data.join("keys/ed25519_master_id_secret_key")).unwrap();
    let (or_port, metrics) = (free_port(), free_port());
    let nobody = "0".repeat(39) + "1";
    let torrc = format!(
        "TestingTorNetwork 1\nNickname a\nContactInfo none\nAddress 127.0.0.1\nSocksPort 0\n\
         ORPort 127.0.0.1:{or_port}\nPublishServerDescriptor 0\nAssumeReachable 1\n\
         DirAuthority nobody orport=9 no-v2 v3ident={nobody} 127.0.0.1:9 {nobody}\n\
         ExitRelay 1\nExitPolicy accept *:80\nOfflineMasterKey 1\nDataDirectory {}\n\
         MetricsPort 127.0.0.1:{metrics}\nMetricsPortPolicy accept 127.0.0.1\n",
        data.display()
    );
    let file = folder.path().join("torrc");
    fs::write(&file, torrc).unwrap();
    let mut command = Command::new(tor);
    command.arg("-f").arg(&file);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let _tor = Running(command.spawn().unwrap());
    let begun = Instant::now();
    loop {
        let answer = ask(metrics).unwrap_or_default();
        if answer.contains("tor_relay_traffic_bytes") {
            return answer;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "got {answer:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Tor leaves the connection open, and says how long its answer is.
fn ask(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok()?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").ok()?;
    let mut stream = BufReader::new(stream);
    let mut length = None;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(bytes) = line.strip_prefix("Content-Length: ") {
            length = bytes.trim().parse::<usize>().ok();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut answer = vec![0; length?];
    stream.read_exact(&mut answer).ok()?;
    String::from_utf8(answer).ok()
}

/// The series in an answer or an expression: names, each with the labels that it has.
fn series(text: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let mut found = Vec::new();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for (at, _) in text.match_indices("tor_") {
        if text[..at].ends_with(is_name) || text[..at].ends_with('"') {
            continue;
        }
        let rest = &text[at..];
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let labels = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let labels = labels.map_or("", |(labels, _)| labels).split(',');
        let labels = labels.filter_map(|label| {
            let (name, value) = label.trim().split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        });
        found.push((name.to_owned(), labels.collect()));
    }
    found
}

/// Every expression of the rules and the dashboard.
fn expressions(files: &[(PathBuf, String)]) -> Vec<String> {
    let text = |name: &str| {
        let found = files.iter().find(|(path, _)| path.ends_with(name));
        found.unwrap().1.as_str()
    };
    let rules = text("tor.rules.yml").lines();
    let mut all: Vec<String> = rules
        .filter_map(|line| line.trim().strip_prefix("expr: "))
        .map(|quoted| quoted.trim_matches('\'').to_owned())
        .collect();
    let dashboard: serde_json::Value = serde_json::from_str(text("tor.json")).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            all.push(target["expr"].as_str().unwrap().to_owned());
        }
    }
    assert!(all.len() > 20, "{all:?}");
    all
}

#[test]
fn tor_prints_what_is_asked_for() {
    let Some(tor) = tor() else {
        return skip("tor_prints_what_is_asked_for", "there is no tor 0.4.9 here");
    };
    let printed = series(&printed(&tor));
    let files = Monitoring::files(&two_relays()).unwrap();
    let mut faults = BTreeSet::new();
    for expression in expressions(&files) {
        for (name, labels) in series(&expression) {
            let prints = |wanted: &dyn Fn(&BTreeMap<String, String>) -> bool| {
                printed.iter().any(|(own, has)| *own == name && wanted(has))
            };
            if !prints(&|_| true) {
                faults.insert(format!("tor prints no {name}"));
            }
            // The value is compared where it is one: `=~`, `!=` and an absent label are not.
            for (label, value) in labels {
                let (label, is_value) = match label.strip_suffix('!') {
                    Some(label) => (label, false),
                    None => (label.as_str(), !value.starts_with('~') && value != "\"\""),
                };
                if OURS.contains(&label) {
                    continue;
                }
                let has = |own: &BTreeMap<String, String>| match own.get(label) {
                    Some(own) => !is_value || *own == value,
                    None => false,
                };
                if !prints(&has) {
                    faults.insert(format!("tor prints no {name} with {label}={value}"));
                }
            }
        }
    }
    assert_eq!(faults, BTreeSet::new());
}

/// Prometheus's own tool, if it is here.
fn promtool(arguments: &[&str], directory: &Path) -> Option<String> {
    let mut command = Command::new("promtool");
    let output = command.args(arguments).current_dir(directory).output();
    let output = output.ok()?;
    let both = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&both).into_owned();
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
    Some(said)
}

#[test]
fn prometheus_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let files = Monitoring::files(&two_relays()).unwrap();
    for (path, text) in &files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let place = folder.path().join("prometheus");
    let Some(said) = promtool(&["check", "config", "prometheus.yml"], &place) else {
        return skip(
            "prometheus_takes_it",
            "there is no promtool here (Debian's package `prometheus` has it)",
        );
    };
    assert!(said.contains("10 rules found"), "{said}");
    // What the dashboard asks is a rule here, so that the same parser reads it.
    let rules: Vec<serde_json::Value> = expressions(&files)
        .iter()
        .enumerate()
        .map(|(number, expression)| {
            let filled = expression.replace("$relay", ".*");
            serde_json::json!({"record": format!("r{number}"), "expr": filled})
        })
        .collect();
    let rules = serde_json::json!({"groups": [{"name": "all", "rules": rules}]});
    fs::write(place.join("all.yml"), rules.to_string()).unwrap();
    promtool(&["check", "rules", "all.yml"], &place).unwrap();
    fs::write(place.join("tests.yml"), include_str!("data/alerts.yml")).unwrap();
    let said = promtool(&["test", "rules", "tests.yml"], &place).unwrap();
    assert!(said.contains("SUCCESS"), "{said}");
}
