//! What is published where, in every form, and the forms for more than one machine.

use std::net::IpAddr;
use std::path::Path;

use super::*;
use torrc::check::{Files, Memory};

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn torrc(name: &str, more: &str) -> String {
    format!(
        "Nickname {name}\nContactInfo a@example.org\nSocksPort 0\nDataDirectory /tordata\n\
         ExitRelay 0\n{more}\n"
    )
}

/// The services of torrcs in directories of their own, from an image in a registry.
fn described(torrcs: &[String], bind: &[IpAddr], files: &dyn Files) -> Result<Vec<Service>, Error> {
    let host = Host {
        image: format!("registry.example.org/tor@{DIGEST}").parse()?,
        user: 45553,
        open_files: 65536,
        memory: 2048,
        bind,
        data: Path::new("/srv/tor/data"),
    };
    let paths: Vec<String> = (0..torrcs.len())
        .map(|n| format!("/srv/tor/{n}/torrc"))
        .collect();
    let sources: Vec<HostTorrc<'_>> = paths
        .iter()
        .zip(torrcs)
        .map(|(path, text)| HostTorrc {
            path: Path::new(path),
            text: text.as_bytes(),
            files,
        })
        .collect();
    services(&host, &sources)
}

/// What a torrc's ports become: in the compose file, on the command line, in the unit.
#[test]
fn ports_in_every_form() {
    let v4: IpAddr = "192.0.2.1".parse().unwrap();
    let v6: IpAddr = "2001:db8::1".parse().unwrap();
    let table: &[(&str, &[IpAddr], &[&str], bool)] = &[
        ("ORPort 9001", &[], &["9001:9001"], false),
        ("ORPort 443", &[], &["443:443"], true),
        (
            "ORPort 443 NoListen\nORPort 9001 NoAdvertise",
            &[],
            &["443:9001"],
            false,
        ),
        (
            "ORPort 9001 NoListen\nORPort 443 NoAdvertise",
            &[],
            &["9001:443"],
            true,
        ),
        ("ORPort 9001", &[v4], &["192.0.2.1:9001:9001"], false),
        ("ORPort 9001", &[v6], &["[2001:db8::1]:9001:9001"], false),
        (
            "ORPort 9001\nControlPort localhost:9051",
            &[],
            &["9001:9001"],
            false,
        ),
    ];
    for (ports, bind, expected, low) in table {
        let services = described(&[torrc("a", ports)], bind, &Memory::default()).unwrap();
        let (compose, run) = (
            compose(&services, &Beside::default()).unwrap(),
            docker_run(&services[0]),
        );
        let unit = quadlet(&services[0]).1;
        for port in *expected {
            assert!(compose.contains(&format!("- \"{port}\"\n")), "{compose}");
            assert!(run.contains(&format!("--publish {port} ")), "{run}");
            assert!(unit.contains(&format!("PublishPort={port}\n")), "{unit}");
        }
        assert_eq!(run.matches("--publish").count(), expected.len(), "{run}");
        let sysctl = "net.ipv4.ip_unprivileged_port_start=0";
        assert_eq!(compose.contains(sysctl), *low, "{ports}");
        assert_eq!(run.contains(&format!("--sysctl {sysctl}")), *low, "{ports}");
        let argument = format!("PodmanArgs=--sysctl {sysctl}\n");
        assert_eq!(unit.contains(&argument), *low, "{ports}");
    }
}

#[test]
fn one_port_on_two_addresses() {
    let bind: Vec<IpAddr> = ["192.0.2.1", "192.0.2.2"]
        .map(|text| text.parse().unwrap())
        .into();
    let bridge = "BridgeRelay 1\nORPort 9001";
    let two = [torrc("one", bridge), torrc("two", bridge)];
    assert!(described(&two, &bind, &Memory::default()).is_ok());
    for bind in [&bind[..1], &[]] {
        let error = described(&two, bind, &Memory::default()).unwrap_err();
        assert!(
            matches!(error, Error::PortTwice { port: 9001, .. }),
            "{error}"
        );
    }
    let three = [
        torrc("one", bridge),
        torrc("two", bridge),
        torrc("three", bridge),
    ];
    let error = described(&three, &bind, &Memory::default()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Binds {
                given: 2,
                relays: 3
            }
        ),
        "{error}"
    );
}

/// With which torrcs nothing is written: tor would not start, or be of no use.
#[test]
fn what_is_refused() {
    let table = [
        "ORPort 9001\nUser debian-tor",
        "ORPort 9001\nPidFile /run/tor.pid",
        "ORPort 9001\nLog notice file /var/log/tor/log",
        "ORPort 9001\nControlSocket /run/tor/control",
        "ORPort 9001\nHTTPTunnelPort 0.0.0.0:8118",
        "ORPort 9001\nOutboundBindAddress 203.0.113.5",
        "ORPort 9001\n%include /etc/torrc.d/10.conf",
        "BridgeRelay 1\nORPort 9001\nServerTransportPlugin o exec /b\nServerTransportListenAddr o 0.0.0.0:9001",
        "BridgeRelay 1\nORPort 9001\nServerTransportPlugin o exec /b\nServerTransportListenAddr o 0.0.0.0:TODO2",
    ];
    for text in table {
        let error = described(&[torrc("a", text)], &[], &Memory::default()).unwrap_err();
        assert!(matches!(error, Error::Faulty { .. }), "{text}: {error}");
    }
    let private = "BridgeRelay 1\nORPort 9002\nPublishServerDescriptor 0\nBridgeDistribution none";
    assert!(described(&[torrc("a", private)], &[], &Memory::default()).is_ok());
}

#[test]
fn a_swarm() {
    let ports = "ORPort 443 NoListen\nORPort 9001 NoAdvertise";
    let services = described(&[torrc("a", ports)], &[], &Memory::default()).unwrap();
    insta::assert_snapshot!(stack(&services).unwrap(), @r#"
    # Written by relaysmith for a swarm. Before the first start, on each node:
    #   sudo install -d -m 700 -o 45553 -g 45553 /srv/tor/data/a
    version: "3.8"
    services:
      tor-a:
        image: "registry.example.org/tor@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        command: ["-f", "/usr/local/etc/tor/torrc"]
        user: "45553:45553"
        deploy:
          replicas: 1
          update_config: {order: "stop-first"}
          restart_policy: {condition: "any"}
          resources: {limits: {memory: "2048m"}}
        # Tor closes its circuits before it stops.
        stop_signal: "SIGINT"
        stop_grace_period: "45s"
        read_only: true
        cap_drop: ["ALL"]
        ports:
          - {target: 9001, published: 443, protocol: "tcp", mode: "host"}
        volumes:
          - type: "bind"
            source: "/srv/tor/0"
            target: "/usr/local/etc/tor"
            read_only: true
          - type: "bind"
            source: "/srv/tor/data/a"
            target: "/tordata"
          - type: "tmpfs"
            target: "/tmp"
            tmpfs: {size: 16777216}
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
}

#[test]
fn a_cluster() {
    let files = Memory::from(&[("/usr/local/etc/tor/torrc.d/10.conf", "ORPort 443\n")][..]);
    let text = torrc("a", "%include /usr/local/etc/tor/torrc.d/10.conf");
    let services = described(std::slice::from_ref(&text), &[], &files).unwrap();
    let source = HostTorrc {
        path: Path::new("/srv/tor/0/torrc"),
        text: text.as_bytes(),
        files: &files,
    };
    let manifests = kubernetes(&services, &[source], Way::LoadBalancer).unwrap();
    let kinds: Vec<&str> = manifests
        .lines()
        .filter_map(|line| line.strip_prefix("kind: "))
        .collect();
    assert_eq!(
        kinds,
        [
            "\"ConfigMap\"",
            "\"StatefulSet\"",
            "\"Service\"",
            "\"Service\"",
            "\"NetworkPolicy\""
        ]
    );
    for part in [
        "  torrc.d_10.conf: |\n    ORPort 443\n",
        "- key: \"torrc.d_10.conf\"\n                path: \"torrc.d/10.conf\"\n",
        "fsGroup: 45553\n",
        "- name: \"net.ipv4.ip_unprivileged_port_start\"\n            value: \"0\"\n",
        "- \"--DataDirectory\"\n            - \"/tordata/relay\"\n",
        "- \"relay-health\"\n",
        "  type: \"LoadBalancer\"\n",
        "    - port: 443\n",
        "          readOnlyRootFilesystem: true\n",
    ] {
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            flat(&manifests).contains(&flat(part)),
            "{part}\n{manifests}"
        );
    }
    let host = kubernetes(&services, &[source], Way::HostPort).unwrap();
    assert!(
        host.contains("hostPort: 443\n") && !host.contains("LoadBalancer"),
        "{host}"
    );
}

#[test]
fn an_image_of_one_machine_goes_nowhere_else() {
    let mut services = described(&[torrc("a", "ORPort 9001")], &[], &Memory::default()).unwrap();
    services[0].image = DIGEST.parse().unwrap();
    assert!(matches!(stack(&services), Err(Error::LocalImage { .. })));
    let source = HostTorrc {
        path: Path::new("/srv/tor/0/torrc"),
        text: b"",
        files: &Memory::default(),
    };
    let refused = kubernetes(&services, &[source], Way::HostPort);
    assert!(matches!(refused, Err(Error::LocalImage { .. })));
}

/// Whoever may read a ConfigMap is not always who may read secrets.
#[test]
fn a_password_is_in_no_configuration_of_a_cluster() {
    for line in [
        "HashedControlPassword 16:872860B76453A77D60CA2BB8C1A7042072093276A3D701AD684053EC4C",
        "Socks5ProxyPassword x\nSocks5ProxyUsername x\nSocks5Proxy 192.0.2.1:1080",
    ] {
        for included in [false, true] {
            let file = [("/usr/local/etc/tor/torrc.d/10.conf", line)];
            let files = Memory::from(&file[..]);
            let include = "%include /usr/local/etc/tor/torrc.d/10.conf";
            let more = if included { include } else { line };
            let text = torrc("a", &format!("ORPort 9001\n{more}"));
            let services = described(std::slice::from_ref(&text), &[], &files).unwrap();
            let source = HostTorrc {
                path: Path::new("/srv/tor/0/torrc"),
                text: text.as_bytes(),
                files: &files,
            };
            let refused = kubernetes(&services, &[source], Way::LoadBalancer);
            let option = line.split(' ').next().unwrap();
            assert!(
                matches!(&refused, Err(Error::Secret { option: found, .. }) if *found == option),
                "{refused:?}"
            );
        }
    }
}

#[test]
fn a_notice_is_an_exits() {
    let notice = |text: &str, bind: &[IpAddr]| {
        let services = described(&[torrc("a", text)], bind, &Memory::default()).unwrap();
        let beside = Beside {
            notice: Some(notice::Notice {
                image: notice::BUSYBOX.to_owned(),
                page: HostPath::new(Path::new("/srv/tor/notice.html")).unwrap(),
                bind: bind.first().copied(),
            }),
            ..Beside::default()
        };
        compose(&services, &beside)
    };
    let exit = "ExitRelay 1\nReducedExitPolicy 1\nORPort 9001";
    let text = notice(exit, &[]).unwrap();
    assert!(text.contains("    ports: [\"80:8080\"]\n"), "{text}");
    let bound = notice(exit, &["192.0.2.1".parse().unwrap()]).unwrap();
    assert!(bound.contains("[\"192.0.2.1:80:8080\"]"), "{bound}");
    assert!(matches!(notice("ORPort 9001", &[]), Err(Error::NoExit)));
    let taken = notice(&exit.replace("9001", "80"), &[]);
    assert!(
        matches!(taken, Err(Error::PortTwice { port: 80, .. })),
        "{taken:?}"
    );
}
