//! torrc, check-torrc and compose as their users meet them: exit codes, streams, files.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const LEAST: [&str; 4] = ["--nickname", "relay1", "--contact-email", "ada@example.org"];

fn xtask(directory: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(arguments)
        .current_dir(directory)
        // Where no tor is built: what is said does not depend on what this machine has.
        .env("RELAYSMITH_CACHE", directory.join("cache"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn torrc(directory: &Path, role: &str, more: &[&str], input: &str) -> Output {
    let arguments = [&["torrc", role], &LEAST[..], more].concat();
    xtask(directory, &arguments, input)
}

#[test]
fn a_torrc_goes_to_standard_output_and_passes_the_check() {
    let directory = tempfile::tempdir().unwrap();
    for role in ["bridge", "middle", "exit"] {
        let written = torrc(directory.path(), role, &["--rate", "100Mbit"], "");
        assert_eq!(code(&written), 0, "{}", err(&written));
        assert!(out(&written).contains("Nickname relay1\n"));
        assert!(err(&written).contains("public"), "{}", err(&written));
        let checked = xtask(
            directory.path(),
            &["check-torrc", "-", "--role", role],
            &out(&written),
        );
        assert_eq!((code(&checked), out(&checked).as_str()), (0, ""), "{role}");
    }
}

#[test]
fn an_exit_is_warned_of_even_when_quiet() {
    let directory = tempfile::tempdir().unwrap();
    let written = torrc(directory.path(), "exit", &["--quiet"], "");
    assert!(
        err(&written).starts_with("warning: an exit's traffic"),
        "{}",
        err(&written)
    );
    let written = torrc(directory.path(), "middle", &["--quiet"], "");
    assert_eq!(err(&written), "");
}

#[test]
fn the_password_comes_from_standard_input_and_is_not_repeated() {
    let directory = tempfile::tempdir().unwrap();
    let more = ["--control-port", "9051", "--control-password"];
    let written = torrc(directory.path(), "middle", &more, "sesame\n");
    assert!(
        out(&written).contains("\nHashedControlPassword 16:"),
        "{}",
        err(&written)
    );
    assert!(!out(&written).contains("sesame") && !err(&written).contains("sesame"));
    let empty = torrc(directory.path(), "middle", &more, "");
    assert_eq!(code(&empty), 1);
    assert!(err(&empty).contains("it is empty"), "{}", err(&empty));
}

#[test]
fn a_file_that_is_there_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("torrc");
    let first = torrc(directory.path(), "middle", &["--out", "torrc"], "");
    assert_eq!((code(&first), out(&first).as_str()), (0, ""));
    let text = fs_err::read_to_string(&file).unwrap();
    let again = torrc(directory.path(), "middle", &["--out", "torrc"], "");
    assert!(err(&again).contains("torrc: unchanged"), "{}", err(&again));
    let other = torrc(directory.path(), "exit", &["--out", "torrc"], "");
    assert_eq!(code(&other), 1);
    assert!(err(&other).contains("--force"), "{}", err(&other));
    assert_eq!(fs_err::read_to_string(&file).unwrap(), text);
    let forced = torrc(directory.path(), "exit", &["--out", "torrc", "--force"], "");
    assert_eq!(code(&forced), 0);
    assert_ne!(fs_err::read_to_string(&file).unwrap(), text);
}

#[test]
fn what_is_wrong_in_a_file_of_parameters_is_said_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let said = |text: &str| {
        fs_err::write(directory.path().join("relay.toml"), text).unwrap();
        let output = xtask(
            directory.path(),
            &["torrc", "middle", "--from", "relay.toml"],
            "",
        );
        assert_eq!(code(&output), 1);
        err(&output)
    };
    assert_eq!(
        said("nickname = \"relay1\"\ncolour = \"red\"\n")
            .split(", expected")
            .next(),
        Some("error: relay.toml:2: unknown field `colour`")
    );
    assert_eq!(
        said("nickname = \"relay1\"\nburst = \"1Gbit\"\n"),
        "error: relay.toml:2: --burst does nothing without --rate\n"
    );
}

#[test]
fn a_page_for_exits_only() {
    let directory = tempfile::tempdir().unwrap();
    let more = ["--notice-out", "exit.html"];
    assert_eq!(code(&torrc(directory.path(), "exit", &more, "")), 0);
    let page = fs_err::read_to_string(directory.path().join("exit.html")).unwrap();
    assert!(page.contains("relay1") && page.contains("&lt;ada@example.org&gt;"));
    let refused = torrc(directory.path(), "middle", &more, "");
    assert_eq!(code(&refused), 1);
    assert!(!err(&refused).contains("written"), "{}", err(&refused));
}

#[test]
fn findings_are_data_and_set_the_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let text = "Nickname relay1\nContactInfo a@example.org\nORPort 9001\nSocksPort 0\n\
                DataDirectory /tordata\nExitRelay 0\nDirPort 9030\n";
    fs_err::write(directory.path().join("torrc"), text).unwrap();
    let checked = xtask(directory.path(), &["check-torrc", "torrc"], "");
    assert_eq!(code(&checked), 1);
    assert_eq!(
        out(&checked),
        "torrc:7: warning: relays have had no DirPort since tor 0.4.6: nobody uses it [dirport]\n    \
         | DirPort 9030\n    \
         | ^^^^^^^^^^^^\n    \
         fix: delete the line, and do not publish the port\n    \
         manual: DIRECTORY SERVER OPTIONS, DirPort\n"
    );
    assert_eq!(
        err(&checked),
        "torrc, role middle: 1 warning\ntor itself was not run: it has not been built here \
         yet; `cargo xtask build-image` builds it\n"
    );
    let json = xtask(directory.path(), &["check-torrc", "torrc", "--json"], "");
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["findings"][0]["rule"], "dirport");
    assert_eq!(
        (&json["passes"], &json["role"]),
        (&false.into(), &"middle".into())
    );
    let missing = xtask(directory.path(), &["check-torrc", "none"], "");
    assert_eq!(code(&missing), 1);
    assert!(err(&missing).contains("`none`"), "{}", err(&missing));
}

/// A cache that is not fit for use and a version that is not pinned show that both are asked for.
#[test]
fn tor_is_looked_for_where_and_as_the_options_say() {
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("torrc"), "ORPort 9001\n").unwrap();
    fs_err::write(directory.path().join("file"), "").unwrap();
    let not_asked = |more: &[&str]| {
        let arguments = [&["check-torrc", "torrc", "--json"], more].concat();
        let json = xtask(directory.path(), &arguments, "");
        let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
        json["tor_not_asked"].as_str().unwrap().to_owned()
    };
    let not_built = "it has not been built here yet; `cargo xtask build-image` builds it";
    assert_eq!(not_asked(&["--cache-dir", "other"]), not_built);
    assert!(directory.path().join("other/built").is_dir());
    let why = not_asked(&["--cache-dir", "file"]);
    assert!(why.contains("file"), "{why}");
    let why = not_asked(&["--tor-version", "9.9.9.9"]);
    assert!(why.contains("9.9.9.9"), "{why}");
}

#[test]
fn what_a_torrc_includes_lies_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let text = "%include /usr/local/etc/tor/more/*.conf\n";
    fs_err::write(directory.path().join("torrc"), text).unwrap();
    fs_err::create_dir_all(directory.path().join("more")).unwrap();
    fs_err::write(directory.path().join("more/1.conf"), "\nMakeCoffee 1\n").unwrap();
    let checked = xtask(directory.path(), &["check-torrc", "torrc"], "");
    let place = "/usr/local/etc/tor/more/1.conf:2: error: tor has no option `MakeCoffee`";
    assert!(out(&checked).contains(place), "{}", out(&checked));
}

#[test]
fn the_containers_follow_the_torrc() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().canonicalize().unwrap();
    let more = ["--or-port", "443", "--out", "config/torrc"];
    assert_eq!(code(&torrc(&place, "middle", &more, "")), 0);
    let digest = format!("sha256:{}", "0".repeat(64));
    let with = |more: &[&str]| {
        let arguments = [&["compose", "config/torrc", "--image", &digest], more].concat();
        xtask(&place, &arguments, "")
    };
    let compose = with(&[]);
    assert_eq!(code(&compose), 0, "{}", err(&compose));
    let data = place.join("data/relay1").display().to_string();
    assert!(out(&compose).contains("\"443:443\"") && out(&compose).contains(&data));
    assert!(
        err(&compose).contains("sudo install -d"),
        "{}",
        err(&compose)
    );
    let v6 = with(&["--ipv6=fd00:1::/64"]);
    let network = "networks:\n  default:\n    enable_ipv6: true\n";
    assert!(out(&v6).contains(network), "{}", out(&v6));
    assert!(out(&v6).contains("- subnet: \"fd00:1::/64\"\n"));
    let line = out(&v6).lines().next().unwrap().to_owned();
    assert!(line.ends_with("--ipv6=fd00:1::/64"), "{line}");
    assert_eq!(code(&with(&["--ipv6=10.0.0.0/8"])), 2);
    let command = with(&["--docker-run", "--open-files", "20000"]);
    assert!(
        out(&command).contains("--ulimit nofile=20000:20000"),
        "{}",
        out(&command)
    );
    let units = with(&["--systemd", "--out", "units"]);
    assert_eq!((code(&units), out(&units).as_str()), (0, ""));
    let unit = fs_err::read_to_string(place.join("units/tor-relay1.container")).unwrap();
    assert!(unit.contains("PublishPort=443:443\n"), "{unit}");
    let json: serde_json::Value = serde_json::from_slice(&with(&["--json"]).stdout).unwrap();
    assert_eq!(json[0]["ports"][0]["outside"], 443);
    let tagged = xtask(
        &place,
        &["compose", "config/torrc", "--image", "tor:latest"],
        "",
    );
    assert_eq!(code(&tagged), 2);
}

/// The first line of a file is the command that wrote it, also where an option of the file before
/// is none of the new form.
#[test]
fn what_is_kept_fits_the_form() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().canonicalize().unwrap();
    let page = [
        "--out",
        "config/torrc",
        "--notice-out",
        "page.html",
        "--metrics",
    ];
    assert_eq!(code(&torrc(&place, "exit", &page, "")), 0);
    let image = format!("example.org/tor@sha256:{}", "0".repeat(64));
    let with = |more: &[&str]| {
        let usual = [
            "compose",
            "config/torrc",
            "--image",
            &image,
            "--out",
            "file",
            "--force",
        ];
        xtask(&place, &[&usual, more].concat(), "")
    };
    for form in ["--docker-run", "--swarm", "--kubernetes"] {
        let all = ["--bind=192.0.2.1", "--ipv6", "--memory=512", "--monitoring"];
        let images = [
            "--notice=page.html",
            "--notice-image=b",
            "--grafana-image=g",
        ];
        let first = with(&[&all[..], &images].concat());
        assert_eq!(code(&first), 0, "{}", err(&first));
        let second = with(&[form]);
        assert_eq!(code(&second), 0, "{}", err(&second));
        for lost in ["--ipv6", "--monitoring", "--notice"] {
            let line = format!("warning: {lost} from the old file is dropped");
            assert!(err(&second).contains(&line), "{}", err(&second));
        }
        let bound = err(&second).contains("warning: --bind from the old file");
        assert_eq!(bound, form != "--docker-run", "{}", err(&second));
        let text = fs_err::read_to_string(place.join("file")).unwrap();
        let line = text.lines().next().unwrap();
        assert!(line.contains("--memory 512"), "{line}");
        let words = line.strip_prefix("# cargo xtask ").unwrap().split(' ');
        let words: Vec<&str> = words.chain(["--force"]).collect();
        let again = xtask(&place, &words, "");
        assert_eq!(code(&again), 0, "{line}: {}", err(&again));
        assert_eq!(fs_err::read_to_string(place.join("file")).unwrap(), text);
        fs_err::remove_file(place.join("file")).unwrap();
    }
}

#[test]
fn a_file_is_written_for_programs_too() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().canonicalize().unwrap();
    assert_eq!(
        code(&torrc(&place, "middle", &["--out", "config/torrc"], "")),
        0
    );
    let image = format!("example.org/tor@sha256:{}", "0".repeat(64));
    for (form, file) in [
        (&["--out", "file"][..], "file"),
        (
            &["--out", "units", "--systemd"],
            "units/tor-relay1.container",
        ),
    ] {
        let usual = ["compose", "config/torrc", "--image", &image, "--json"];
        let output = xtask(&place, &[&usual, form].concat(), "");
        assert_eq!(code(&output), 0, "{}", err(&output));
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json[0]["name"], "tor-relay1");
        assert!(place.join(file).is_file(), "{file}");
    }
}

/// Prometheus and Grafana run as users of their own.
#[test]
fn others_can_read_what_monitors_even_if_the_umask_is_strict() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().canonicalize().unwrap();
    let more = ["--metrics", "--out", "config/torrc"];
    assert_eq!(code(&torrc(&place, "middle", &more, "")), 0);
    let script =
        "umask 077; exec \"$0\" compose config/torrc --image \"$1\" --monitoring --out file";
    let status = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_xtask")])
        .arg(format!("sha256:{}", "0".repeat(64)))
        .current_dir(&place)
        .status();
    assert!(status.unwrap().success());
    let mode = |path: &str| {
        let metadata = fs_err::metadata(place.join("monitoring").join(path)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    for (folder, file) in [
        ("prometheus", "prometheus/prometheus.yml"),
        ("prometheus", "prometheus/tor.rules.yml"),
        ("grafana/datasources", "grafana/datasources/prometheus.yml"),
        ("grafana/dashboards", "grafana/dashboards/tor.json"),
    ] {
        assert_eq!((mode(folder), mode(file)), (0o755, 0o644), "{file}");
    }
}

#[test]
fn a_policy_that_is_no_file_is_told_what_there_is() {
    let directory = tempfile::tempdir().unwrap();
    let refused = torrc(directory.path(), "exit", &["--exit-policy", "web,ssh"], "");
    assert_eq!(code(&refused), 1);
    let said = err(&refused);
    assert!(said.contains("hint: choose `reduced`, `web`"), "{said}");
}
