//! Each check, with what it says of a host that is well and of one that is not.

use std::io;
use std::path::Path;

use super::relay::{data, port, space, torrc};
use super::{Asked, Check, State, engine, host, resolver};
use crate::base::digest::Digest;
use crate::host::{Host, HostTorrc, services};

#[test]
fn each_check_says_what_it_found_and_what_fixes_it() {
    let digest = Digest::sha256(b"config");
    let (id, name) = (digest.to_string(), "relaysmith/tor:1");
    let yes = Asked::Yes;
    let no = Asked::No("it is not built".to_owned());
    let taken = || Err(io::ErrorKind::AddrInUse.into());
    let rights = || Err(io::ErrorKind::PermissionDenied.into());
    let limits = "Max cpu time unlimited unlimited seconds\nMax open files 1024 20000 files\n";
    let cases: Vec<(Check, State, &str)> = vec![
        (host::builder(false), State::Ok, ""),
        (host::builder(true), State::Warn, "ordinary user"),
        (host::terminal(Some("0\n")), State::Ok, ""),
        (host::terminal(None), State::Ok, ""),
        (
            host::terminal(Some("1\n")),
            State::Warn,
            "sudo sysctl dev.tty.legacy_tiocsti=0",
        ),
        (host::landlock(true), State::Ok, ""),
        (host::landlock(false), State::Warn, "lsm="),
        (host::cgroups(true), State::Ok, ""),
        (host::cgroups(false), State::Warn, "systemd-run --user"),
        (host::clock(Some("yes")), State::Ok, ""),
        (
            host::clock(Some("no")),
            State::Fail,
            "sudo timedatectl set-ntp true",
        ),
        (host::clock(None), State::Warn, "date --utc"),
        (host::memory(Some("MemTotal:  2000000 kB\n")), State::Ok, ""),
        (
            host::memory(Some("MemTotal:  200000 kB\n")),
            State::Warn,
            "MaxMemInQueues",
        ),
        (resolver::of(Some("nameserver 192.0.2.53\n")), State::Ok, ""),
        (
            resolver::of(Some("# x\nnameserver 192.0.2.53\nnameserver 8.8.8.8\n")),
            State::Warn,
            "unbound",
        ),
        (
            resolver::of(Some("search example.org\n")),
            State::Warn,
            "unbound",
        ),
        (resolver::of(None), State::Warn, "unbound"),
        (host::memory(None), State::Warn, "free -m"),
        (host::backlog(Some("4096\n")), State::Ok, ""),
        (
            host::backlog(Some("128\n")),
            State::Warn,
            "sudo sysctl --write net.core.somaxconn=4096",
        ),
        (
            host::backlog(Some("many")),
            State::Warn,
            "sysctl net.core.somaxconn",
        ),
        (engine::runs(Some("20.10.24"), true, None), State::Ok, ""),
        (
            engine::runs(Some("19.03.1"), true, None),
            State::Fail,
            "install Docker",
        ),
        (engine::runs(None, false, Some("4.3.1")), State::Ok, ""),
        (
            engine::runs(None, true, None),
            State::Fail,
            "sudo systemctl start docker",
        ),
        (
            engine::runs(None, false, None),
            State::Fail,
            "install Docker",
        ),
        (engine::compose(Some("2.20"), None), State::Ok, ""),
        (engine::compose(None, Some("1.29.2")), State::Ok, ""),
        (engine::compose(None, None), State::Warn, "--docker-run"),
        (
            engine::files(engine::hard_files(limits), 20_000),
            State::Ok,
            "",
        ),
        (
            engine::files(engine::hard_files(limits), 20_001),
            State::Fail,
            "--open-files 20000",
        ),
        (
            engine::files(engine::hard_files(""), 1),
            State::Warn,
            "--open-files N",
        ),
        (engine::image(name, Some(&id), Some(digest)), State::Ok, ""),
        (
            engine::image(name, Some("sha256:0"), Some(digest)),
            State::Fail,
            "docker load",
        ),
        (
            engine::image(name, None, Some(digest)),
            State::Fail,
            "docker load",
        ),
        (
            engine::image(name, Some(&id), None),
            State::Warn,
            "cargo xtask build-image",
        ),
        (torrc("torrc", &[], &yes), State::Ok, ""),
        (
            torrc("torrc", &[], &no),
            State::Warn,
            "cargo xtask build-image",
        ),
        (port(9001, Ok(())), State::Ok, ""),
        (
            port(9001, taken()),
            State::Fail,
            "sudo ss -ltnp 'sport = :9001'",
        ),
        (port(443, rights()), State::Ok, ""),
        (space(Path::new("/d"), Some(1000)), State::Ok, ""),
        (
            space(Path::new("/d"), Some(999)),
            State::Fail,
            "docker system df",
        ),
        (space(Path::new("/d"), None), State::Warn, "df -h /d"),
    ];
    for (check, state, fix) in cases {
        assert_eq!(check.state, state, "{check:?}");
        assert!(
            check.fix.clone().unwrap_or_default().contains(fix),
            "{check:?}"
        );
        assert_eq!(check.fix.is_none(), state == State::Ok, "{check:?}");
    }
}

/// What is to be pasted means the very folder, whatever is in its name.
#[test]
fn a_command_names_one_folder_whatever_it_is_called() {
    let image = format!("registry.example.org/tor@{}", Digest::sha256(b"image"));
    let host = Host {
        image: image.parse().unwrap(),
        user: 45553,
        open_files: 65536,
        memory: 2048,
        bind: &[],
        data: Path::new("/srv/tor data"),
    };
    let text = "Nickname relay1\nContactInfo a@example.org\nORPort 9001\nSocksPort 0\n\
                DataDirectory /tordata\nExitRelay 0\n";
    let torrc = HostTorrc {
        path: Path::new("/srv/torrc"),
        text: text.as_bytes(),
        files: &::torrc::check::Memory::default(),
    };
    let service = services(&host, &[torrc]).unwrap().remove(0);
    let fix = data(&service, Ok((true, 0, 0o755))).fix.unwrap();
    assert_eq!(
        fix,
        "sudo chown -R 45553:45553 '/srv/tor data/relay1' && sudo chmod 700 '/srv/tor data/relay1'"
    );
}
