//! One description, three renderings, and what cannot be described.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;
use crate::host::{Beside, compose, docker_run, quadlet};
use torrc::check::Memory;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn torrc(name: &str, port: u16, more: &str) -> String {
    format!(
        "Nickname {name}\nContactInfo a@example.org\nORPort {port}\nSocksPort 0\n\
         DataDirectory /tordata\nExitRelay 0\n{more}\n"
    )
}

fn described(image: &str, torrcs: &[(&str, String)]) -> Result<Vec<Service>, Error> {
    let host = Host {
        image: image.parse()?,
        user: 45553,
        open_files: 65536,
        memory: 2048,
        bind: &[],
        data: Path::new("/srv/tor/data"),
    };
    let files = Memory::default();
    let sources: Vec<HostTorrc<'_>> = torrcs
        .iter()
        .map(|(path, text)| HostTorrc {
            path: Path::new(path),
            text: text.as_bytes(),
            files: &files,
        })
        .collect();
    services(&host, &sources)
}

fn one() -> Service {
    let image = format!("registry.example.org/tor@{DIGEST}");
    let bridge = "BridgeRelay 1\nServerTransportPlugin obfs4 exec /usr/local/bin/lyrebird\n\
                  ServerTransportListenAddr obfs4 0.0.0.0:9002\nExtORPort auto\n\
                  ControlPort 9051\nCookieAuthentication 1\nShutdownWaitLength 1 minute";
    let text = torrc("Relay1", 9001, bridge);
    let mut services = described(&image, &[("/srv/tor/config/torrc.bridge", text)]).unwrap();
    services.remove(0)
}

#[test]
fn three_renderings_of_one_description() {
    insta::assert_snapshot!(compose(&[one()], &Beside::default()).unwrap(), @r#"
    # Written by relaysmith. Before the first start:
    #   sudo install -d -m 700 -o 45553 -g 45553 /srv/tor/data/relay1
    services:
      tor-relay1:
        container_name: "tor-relay1"
        image: "registry.example.org/tor@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        command: ["-f", "/usr/local/etc/tor/torrc.bridge"]
        user: "45553:45553"
        restart: "unless-stopped"
        mem_limit: "2048m"
        # Tor closes its circuits before it stops.
        stop_signal: "SIGINT"
        stop_grace_period: "75s"
        read_only: true
        cap_drop: ["ALL"]
        security_opt: ["no-new-privileges:true"]
        tmpfs: ["/tmp:rw,noexec,nosuid,nodev,size=16m"]
        ports:
          - "9001:9001"
          - "9002:9002"
        volumes:
          - type: "bind"
            source: "/srv/tor/config"
            target: "/usr/local/etc/tor"
            read_only: true
          - type: "bind"
            source: "/srv/tor/data/relay1"
            target: "/tordata"
        healthcheck:
          test: ["CMD", "relay-health"]
          interval: "60s"
          timeout: "30s"
          start_period: "1200s"
          retries: 3
        ulimits:
          nofile: {soft: 65536, hard: 65536}
        logging:
          driver: "json-file"
          options: {max-size: "10m", max-file: "3"}
    "#);
    insta::assert_snapshot!(docker_run(&one()), @r"
    docker run --detach \
        --name tor-relay1 \
        --user 45553:45553 \
        --restart unless-stopped \
        --stop-signal SIGINT \
        --stop-timeout 75 \
        --read-only \
        --cap-drop ALL \
        --security-opt no-new-privileges \
        --tmpfs /tmp:rw,noexec,nosuid,nodev,size=16m \
        --publish 9001:9001 \
        --publish 9002:9002 \
        --mount type=bind,source=/srv/tor/config,target=/usr/local/etc/tor,readonly \
        --mount type=bind,source=/srv/tor/data/relay1,target=/tordata \
        --ulimit nofile=65536:65536 \
        --memory 2048m \
        --log-driver json-file \
        --log-opt max-size=10m \
        --log-opt max-file=3 \
        registry.example.org/tor@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef \
        -f /usr/local/etc/tor/torrc.bridge
    ");
    let (name, unit) = quadlet(&one());
    assert_eq!(name, "tor-relay1.container");
    insta::assert_snapshot!(unit, @r"
    # Written by relaysmith, for /etc/containers/systemd/ of podman 4.6 or newer; what newer
    # podman has a key for is in PodmanArgs. Before the first start:
    #   sudo install -d -m 700 -o 45553 -g 45553 /srv/tor/data/relay1
    [Unit]
    Description=Tor relay tor-relay1

    [Container]
    ContainerName=tor-relay1
    Image=registry.example.org/tor@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    Exec=-f /usr/local/etc/tor/torrc.bridge
    User=45553
    Group=45553
    ReadOnly=true
    DropCapability=all
    NoNewPrivileges=true
    Tmpfs=/tmp:rw,noexec,nosuid,nodev,size=16m
    PublishPort=9001:9001
    PublishPort=9002:9002
    Volume=/srv/tor/config:/usr/local/etc/tor:ro
    Volume=/srv/tor/data/relay1:/tordata
    HealthCmd=CMD relay-health
    HealthInterval=60s
    HealthTimeout=30s
    HealthStartPeriod=1200s
    HealthRetries=3
    LogDriver=journald
    PodmanArgs=--stop-signal SIGINT --stop-timeout 75 --ulimit nofile=65536:65536 --memory 2048m

    [Service]
    Restart=always
    TimeoutStopSec=90

    [Install]
    WantedBy=multi-user.target
    ");
}

#[test]
fn a_loaded_image_is_not_asked_for_elsewhere() {
    let services = described(DIGEST, &[("/c/torrc", torrc("a", 9001, ""))]).unwrap();
    assert!(
        compose(&services, &Beside::default())
            .unwrap()
            .contains("pull_policy: \"never\"")
    );
    assert!(quadlet(&services[0]).1.contains("--pull never"));
    assert!(docker_run(&services[0]).contains(DIGEST));
}

#[test]
fn several_on_one_host_have_their_own_names_ports_and_data() {
    let family = "FamilyId gIuZU4YkmBl1kjzzulzoTQ28i8VqQhWwDgrH94aUDZU";
    let torrcs = [
        ("/srv/tor/config/one", torrc("one", 9001, family)),
        (
            "/srv/tor/config/two",
            torrc("two", 9002, &format!("{family}\nORPort [::]:9003")),
        ),
        (
            "/srv/tor/config/three",
            torrc("three", 9004, "BridgeRelay 1"),
        ),
    ];
    let services = described(DIGEST, &torrcs).unwrap();
    let shown: Vec<String> = services
        .iter()
        .map(|s| {
            let ports: Vec<String> = s.ports.iter().map(ToString::to_string).collect();
            let ports = ports.join(" ");
            format!("{} {ports} {} {}", s.name, s.torrc, s.data.as_str())
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    tor-one 9001:9001 /usr/local/etc/tor/one /srv/tor/data/one
    tor-two 9002:9002 9003:9003 /usr/local/etc/tor/two /srv/tor/data/two
    tor-three 9004:9004 /usr/local/etc/tor/three /srv/tor/data/three
    ");
}

#[test]
fn what_cannot_be_described() {
    let one = ("/c/one", torrc("one", 9001, ""));
    let cases: Vec<Vec<(&str, String)>> = vec![
        vec![one.clone(), ("/c/two", torrc("ONE", 9002, ""))],
        vec![one.clone(), ("/c/two", torrc("two", 9001, "BridgeRelay 1"))],
        vec![one.clone(), ("/c/two", torrc("two", 9002, ""))],
        vec![(
            "/c/auto",
            torrc("one", 0, "").replace("ORPort 0", "ORPort auto"),
        )],
        vec![("/c/bad", torrc("my-relay", 9001, "DisableNetwork 1"))],
        vec![("relative/torrc", torrc("one", 9001, ""))],
        vec![("/c:d/torrc", torrc("one", 9001, ""))],
    ];
    let said = cases.iter().map(|torrcs| {
        let error = described(DIGEST, torrcs).unwrap_err();
        let hint = error.hint().map(|hint| format!("\n  hint: {hint}"));
        format!("{error}{}", hint.unwrap_or_default())
    });
    insta::assert_snapshot!(said.collect::<Vec<_>>().join("\n"), @r#"
    /c/one and /c/two have the same nickname, `one`
      hint: give each relay a --nickname of its own
    port 9001 is given to /c/one and to /c/two
      hint: give one of them another port, or each an address of the host with --bind
    /c/one and /c/two are run by the same people, and no family says so
      hint: make a family key with `cargo xtask family NAME --out family`, and give each torrc the same --family-id; or give each the other's fingerprint with --my-family
    /c/auto: there is no fixed port to publish
      hint: write a number after `ORPort`: `ORPort 9001`
    /c/bad: nickname `my-relay`: expected 1 to 19 letters and digits, got `-`: tor does not start
      hint: `cargo xtask check-torrc /c/bad` lists all of them
    path `relative`: it is not absolute
    path `/c:d`: engines cannot mount a path with `:`, `,`, `"` or `\` in it
    "#);
}

#[test]
fn images_are_named_by_digest() {
    let named = format!("registry.example.org:5000/a/tor:0.4@{DIGEST}");
    for good in [DIGEST, &named] {
        assert_eq!(good.parse::<ImageName>().unwrap().to_string(), good);
    }
    let upper = DIGEST.to_uppercase();
    for bad in [
        "",
        "tor",
        "tor:latest",
        &upper,
        &DIGEST[1..],
        &format!("@{DIGEST}"),
        &format!("a b@{DIGEST}"),
    ] {
        assert!(bad.parse::<ImageName>().is_err(), "{bad}");
    }
    insta::assert_snapshot!(
        "tor:latest".parse::<ImageName>().unwrap_err(),
        @"image `tor:latest`: a name or tag may point to another image tomorrow"
    );
}

#[test]
fn paths_that_all_three_can_express() {
    for good in ["/", "/srv/tor", "/it's $HOME %n #1/é"] {
        assert_eq!(HostPath::new(Path::new(good)).unwrap().as_str(), good);
    }
    for bad in ["", "srv", "/a:b", "/a,b", "/a\"b", "/a\\b", "/a\nb", "/a "] {
        assert!(HostPath::new(Path::new(bad)).is_err(), "{bad}");
    }
}

fn path() -> impl Strategy<Value = PathBuf> {
    "(/[A-Za-z0-9 .'$%#!&*?{}é€🦀-]{0,10}[a-z$%']){1,3}".prop_map(PathBuf::from)
}

proptest! {
    /// A shell reads the words of the command line back.
    #[test]
    fn odd_paths_survive_the_shell(config in path(), data in path()) {
        let mut service = one();
        service.config = HostPath::new(&config).unwrap();
        service.data = HostPath::new(&data).unwrap();
        let script = docker_run(&service).replacen("docker run", "printf '%s\\n'", 1);
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let words = String::from_utf8(output.stdout).unwrap();
        let mount = format!("type=bind,source={},target=/tordata\n", data.display());
        prop_assert!(words.contains(&mount), "{}", words);
        let mount = format!("source={},target=/usr/local/etc/tor,readonly\n", config.display());
        prop_assert!(words.contains(&mount), "{}", words);
    }
}

/// docker-compose 1.29 takes the file and reads the same from it; only where it is there.
#[test]
fn docker_compose_reads_it_back() {
    let here = |program| Command::new(program).arg("--version").output().is_ok();
    if !here("docker-compose") || !here("python3") {
        let line = "SKIPPED docker_compose_reads_it_back: there is no docker-compose here\n";
        io::stderr().write_all(line.as_bytes()).unwrap();
        return;
    }
    let mut service = one();
    let odd = "/it's $HOME ${X} %n #1: {a} [b] & *c !d é🦀";
    service.config = HostPath(odd.to_owned());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("compose.yaml");
    fs_err::write(
        &file,
        compose(&[service.clone()], &Beside::default()).unwrap(),
    )
    .unwrap();
    let output = Command::new("docker-compose")
        .arg("--file")
        .arg(&file)
        .arg("config")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // What it would send to the engine, with the library that docker-compose itself uses.
    let reader = "import sys, yaml, json; json.dump(yaml.safe_load(sys.stdin), sys.stdout)";
    let mut python = Command::new("python3")
        .args(["-c", reader])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    python
        .stdin
        .take()
        .unwrap()
        .write_all(&output.stdout)
        .unwrap();
    let json = python.wait_with_output().unwrap();
    let Ok(read) = serde_json::from_slice::<serde_json::Value>(&json.stdout) else {
        let line = "SKIPPED docker_compose_reads_it_back: python3 has no yaml\n";
        io::stderr().write_all(line.as_bytes()).unwrap();
        return;
    };
    let read = &read["services"]["tor-relay1"];
    // It writes a dollar sign twice, to be read by itself again.
    let source = read["volumes"][0]["source"]
        .as_str()
        .unwrap()
        .replace("$$", "$");
    assert_eq!(source, odd);
    assert_eq!(read["image"], service.image.to_string());
    assert_eq!(read["stop_grace_period"], "75s");
    assert_eq!(read["cap_drop"][0], "ALL");
    assert_eq!(read["read_only"], true);
    assert_eq!(read["ports"].as_array().unwrap().len(), 2);
    assert_eq!(read["ulimits"]["nofile"]["hard"], 65536);
    assert_eq!(read["mem_limit"], "2048m");
}
