//! The health check: against a control socket that says what a test wants, and against tor.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fs_err as fs;
use tempfile::TempDir;

use super::{Said, compile, run, tor};

/// The check, with the patience of a test.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<TempDir> = OnceLock::new();
    static PATH: OnceLock<std::path::PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let folder = PROGRAM.get_or_init(|| TempDir::new().unwrap());
        let path = folder.path().join("health");
        compile("health", &[("PATIENCE", "2")], &path);
        path
    })
}

/// Writes the file in which tor says where its control socket is.
fn ports(data: &Path, text: &str) {
    fs::write(data.join("control-ports"), text).unwrap();
}

fn check(data: &Path) -> Said {
    run(Command::new(program()).arg(data))
}

/// What a well relay answers, by the beginning of the question; `FOLDER` stands for the data
/// directory.
const WELL: &[(&str, &str)] = &[
    (
        "PROTOCOLINFO",
        "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=COOKIE,SAFECOOKIE COOKIEFILE=\"FOLDER/cookie\"\r\n\
         250-VERSION Tor=\"0.4.9.11\"\r\n250 OK\r\n",
    ),
    ("AUTHENTICATE 2a2a2a", "250 OK\r\n"),
    ("GETINFO uptime", "250-uptime=3600\r\n250 OK\r\n"),
    (
        "GETINFO accounting/hibernating",
        "250-accounting/hibernating=awake\r\n250 OK\r\n",
    ),
    ("GETCONF KeyDirectory", "250 KeyDirectory\r\n"),
    ("GETCONF DataDirectory", "250 DataDirectory=FOLDER\r\n"),
    (
        "GETINFO status/bootstrap-phase",
        "250-status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY=\"Done\"\r\n250 OK\r\n",
    ),
    (
        "GETINFO status/reachability-succeeded/or",
        "250-status/reachability-succeeded/or=1\r\n250 OK\r\n",
    ),
    (
        "GETCONF PublishServerDescriptor",
        "250 PublishServerDescriptor\r\n",
    ),
    (
        "GETINFO status/accepted-server-descriptor",
        "250-status/accepted-server-descriptor=1\r\n250 OK\r\n",
    ),
];

/// A certificate that lapses after `hours`, as tor writes it.
fn certificate(hours: i64) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let lapses = u32::try_from(now.as_secs() as i64 / 3600 + hours).unwrap();
    let mut bytes = b"== ed25519v1-cert: type4 ==\0\0\0\0\0\x01\x04".to_vec();
    bytes.extend(lapses.to_be_bytes());
    bytes.extend([7; 102]);
    bytes
}

/// Asks a relay that answers as a well one but for `other`. What `prepare` does to its data
/// comes before.
fn asked(other: &[(&str, &str)], prepare: impl FnOnce(&Path)) -> Said {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    fs::create_dir(path.join("keys")).unwrap();
    fs::write(path.join("keys/ed25519_signing_cert"), certificate(700)).unwrap();
    fs::write(path.join("cookie"), [0x2a; 32]).unwrap();
    prepare(path);
    let socket = path.join("socket");
    ports(
        path,
        &format!("PORT=127.0.0.1:9051\nUNIX_PORT={}\n", socket.display()),
    );
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (stream, _) = listener.accept().unwrap();
            let mut answers = stream.try_clone().unwrap();
            for question in BufReader::new(stream).lines() {
                // The check hangs up as soon as it knows enough.
                let Ok(question) = question else { break };
                let both = other.iter().chain(WELL);
                let mut known = both.filter(|(begin, _)| question.starts_with(begin));
                // Nobody expected that: the check will say that it was hung up.
                let Some((_, answer)) = known.next() else {
                    break;
                };
                let answer = answer.replace("FOLDER", &path.display().to_string());
                if answers.write_all(answer.as_bytes()).is_err() || answer.is_empty() {
                    break;
                }
            }
        });
        check(path)
    })
}

/// Answers that differ from a well relay's, and what is made of them.
const CASES: &[(&[(&str, &str)], &str)] = &[
    (
        &[],
        "healthy: bootstrapped, ORPort reachable, descriptor accepted, signing key good until",
    ),
    (
        &[
            (
                "GETCONF PublishServerDescriptor",
                "250 PublishServerDescriptor=0\r\n",
            ),
            (
                "GETINFO status/accepted",
                "250-status/accepted-server-descriptor=0\r\n250 OK\r\n",
            ),
        ],
        "healthy: bootstrapped, ORPort reachable, descriptor not published as PublishServerDescriptor says",
    ),
    // A start.
    (
        &[
            ("GETINFO uptime", "250-uptime=7\r\n250 OK\r\n"),
            (
                "GETINFO status/bootstrap-phase",
                "250-status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=14 \
            TAG=handshake SUMMARY=\"Handshaking with a relay\"\r\n250 OK\r\n",
            ),
        ],
        "starting: bootstrapped 14% after 7 seconds: Handshaking with a relay\n",
    ),
    (
        &[
            ("GETINFO uptime", "250-uptime=7\r\n250 OK\r\n"),
            (
                "GETINFO status/reach",
                "250-status/reachability-succeeded/or=0\r\n250 OK\r\n",
            ),
        ],
        "starting: bootstrapped, but the ORPort was not found reachable",
    ),
    (
        &[
            ("GETINFO uptime", "250-uptime=7\r\n250 OK\r\n"),
            (
                "GETINFO status/accepted",
                "250-status/accepted-server-descriptor=0\r\n250 OK\r\n",
            ),
        ],
        "starting: bootstrapped and reachable, but no authority has accepted",
    ),
    // The same after an hour.
    (
        &[(
            "GETINFO status/bootstrap-phase",
            "250-status/bootstrap-phase=WARN BOOTSTRAP PROGRESS=14 \
            TAG=handshake SUMMARY=\"\x1b[2Jshaking\" WARNING=\"x\"\r\n250 OK\r\n",
        )],
        "unhealthy: bootstrapped 14% after 3600 seconds: ?[2Jshaking\n",
    ),
    (
        &[(
            "GETINFO status/reach",
            "250-status/reachability-succeeded/or=0\r\n250 OK\r\n",
        )],
        "unhealthy: bootstrapped, but the ORPort was not found reachable",
    ),
    (
        &[(
            "GETINFO status/accepted",
            "250-status/accepted-server-descriptor=0\r\n250 OK\r\n",
        )],
        "unhealthy: bootstrapped and reachable, but no authority has accepted",
    ),
    // Accounting.
    (
        &[
            (
                "GETINFO accounting/hibernating",
                "250-accounting/hibernating=soft\r\n250 OK\r\n",
            ),
            (
                "GETINFO accounting/interval-wake",
                "250-accounting/interval-wake=2016-07-01 00:00:00\r\n250 OK\r\n",
            ),
            (
                "GETINFO accounting/interval-end",
                "250-accounting/interval-end=2016-08-01 00:00:00\r\n250 OK\r\n",
            ),
        ],
        "unhealthy: hibernating (soft) until 2016-08-01 00:00:00 UTC, as AccountingMax says\n",
    ),
    (
        &[
            (
                "GETINFO accounting/hibernating",
                "250-accounting/hibernating=hard\r\n250 OK\r\n",
            ),
            (
                "GETINFO accounting/interval-wake",
                "250-accounting/interval-wake=2999-07-01 00:00:00\r\n250 OK\r\n",
            ),
        ],
        "unhealthy: hibernating (hard) until 2999-07-01 00:00:00 UTC",
    ),
    (
        &[(
            "GETINFO accounting/hibernating",
            "250-accounting/hibernating=unknown [3]\r\n250 OK\r\n",
        )],
        "unhealthy: tor is about to end\n",
    ),
    // The way in.
    (
        &[
            ("PROTOCOLINFO", "250-AUTH METHODS=NULL\r\n250 OK\r\n"),
            ("AUTHENTICATE", "250 OK\r\n"),
        ],
        "healthy: ",
    ),
    (
        &[(
            "PROTOCOLINFO",
            "250-AUTH METHODS=HASHEDPASSWORD\r\n250 OK\r\n",
        )],
        "unhealthy: tor wants a password, which is not known here: let the torrc say `CookieAuthentication 1`",
    ),
    (
        &[("AUTHENTICATE", "515 Authentication failed\r\n")],
        "unhealthy: tor answers to `AUTHENTICATE…`: 515 Authentication failed\n",
    ),
    (
        &[(
            "PROTOCOLINFO",
            "250-AUTH METHODS=COOKIE COOKIEFILE=\"/a\\\"b\"\r\n250 OK\r\n",
        )],
        "unhealthy: the path of tor's cookie has characters",
    ),
    (
        &[(
            "PROTOCOLINFO",
            "250-AUTH METHODS=COOKIE COOKIEFILE=\"/a\r\n250 OK\r\n",
        )],
        "unhealthy: the path of tor's cookie has characters",
    ),
    // Nothing that tor would say.
    (
        &[("PROTOCOLINFO", "")],
        "unhealthy: tor hangs up without an answer\n",
    ),
    (
        &[("PROTOCOLINFO", "250-")],
        "unhealthy: tor has not answered within 2 seconds\n",
    ),
    (
        &[("PROTOCOLINFO", "250 OK\r\n")],
        "unhealthy: tor does not say how it can be asked\n",
    ),
    (
        &[("GETINFO uptime", "HTTP/1.1 400\r\n")],
        "unhealthy: tor answers to `GETINFO upti…`: HTTP/1.1 400\n",
    ),
    (
        &[("GETINFO uptime", "250+uptime=\r\n.\r\n250 OK\r\n")],
        "unhealthy: tor answers to `GETINFO upti…`: 250+",
    ),
    (
        &[("GETINFO uptime", "250 OK\r\n")],
        "unhealthy: tor does not answer what `uptime` is\n",
    ),
    (
        &[("GETINFO uptime", "\n\n\n")],
        "unhealthy: tor answers to `GETINFO upti…`: \n",
    ),
];

#[test]
fn what_is_made_of_answers() {
    for (other, expected) in CASES {
        let said = asked(other, |_| {});
        assert!(said.out.starts_with(expected), "{expected}: {said:?}");
        assert_eq!(said.out.lines().count(), 1, "{said:?}");
        assert_eq!(
            said.code,
            Some(i32::from(!expected.starts_with("healthy"))),
            "{said:?}"
        );
        assert_eq!(said.err, "");
    }
}

#[test]
fn answers_without_an_end() {
    let line = "250-".to_owned() + &"x".repeat(100_000);
    let lines = "250-x\r\n".repeat(1000);
    for (answer, expected) in [
        (
            &line,
            "unhealthy: tor answers with more than 4096 bytes in a line\n",
        ),
        (
            &lines,
            "unhealthy: tor answers to `GETINFO upti…` with more than 64 lines\n",
        ),
    ] {
        assert_eq!(asked(&[("GETINFO uptime", answer)], |_| {}).out, expected);
    }
}

#[test]
fn certificates() {
    let cert = "keys/ed25519_signing_cert";
    let write =
        |hours: i64| move |folder: &Path| fs::write(folder.join(cert), certificate(hours)).unwrap();
    let starts = |said: Said, expected: &str| {
        assert!(said.out.starts_with(expected), "{expected}: {said:?}");
    };
    starts(asked(&[], write(8 * 24)), "healthy: ");
    let here = "the master key is not here, so make a new one where it is: tor --keygen\n";
    let said = asked(&[], write(6 * 24));
    starts(said, "unhealthy: the signing key lapses 2");
    let said = asked(&[], write(-2));
    assert!(
        said.out.ends_with(here) && said.out.contains(" lapsed 2"),
        "{said:?}"
    );
    // With the master key tor makes a new one a day ahead, and nobody has to be told.
    let with_master = |hours: i64| {
        move |folder: &Path| {
            write(hours)(folder);
            fs::write(folder.join("keys/ed25519_master_id_secret_key"), "").unwrap();
        }
    };
    starts(asked(&[], with_master(6)), "healthy: ");
    let said = asked(&[], with_master(0));
    assert!(said.out.contains("its log says why it did not"), "{said:?}");

    let said = asked(&[], |folder| fs::remove_file(folder.join(cert)).unwrap());
    starts(said, "unhealthy: cannot read the certificate ");
    for bytes in [&b""[..], &[b'='; 200], &certificate(700)[..37]] {
        let said = asked(&[], |folder| fs::write(folder.join(cert), bytes).unwrap());
        assert!(
            said.out
                .ends_with("is not a certificate of a signing key\n"),
            "{said:?}"
        );
    }
}

#[test]
fn cookies() {
    for bytes in [&[0x2a; 31][..], &[0x2a; 33]] {
        let said = asked(&[], |folder| {
            fs::write(folder.join("cookie"), bytes).unwrap()
        });
        assert!(
            said.out
                .contains("cannot read tor's cookie of 32 bytes in /"),
            "{said:?}"
        );
    }
}

#[test]
fn control_sockets() {
    let folder = TempDir::new().unwrap();
    let begins = |expected: &str| {
        let said = check(folder.path());
        assert!(said.out.starts_with(expected), "{said:?}");
        assert_eq!(said.code, Some(1));
    };
    begins("starting: tor has not opened its control socket yet, /");
    let _listener = UnixListener::bind(folder.path().join("control.sock")).unwrap();
    begins("unhealthy: tor has not answered within 2 seconds");
    ports(folder.path(), "PORT=127.0.0.1:9051\n");
    begins("unhealthy: tor has no control socket: let the torrc say");
    let nobody = folder.path().join("nobody");
    drop(UnixListener::bind(&nobody).unwrap());
    ports(folder.path(), &format!("UNIX_PORT={}\n", nobody.display()));
    begins("unhealthy: tor's control socket /");
    ports(folder.path(), &format!("UNIX_PORT=/{}\n", "a".repeat(200)));
    begins("unhealthy: the path of tor's control socket is longer");
    ports(folder.path(), &"a".repeat(10_000));
    begins("unhealthy: tor has no control socket");
}

/// A running tor, ended with the test.
struct Relay(Child);

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts tor with `more` in its torrc, in a network of its own that has no authority: all it
/// ever tries to reach is a closed port of the loopback interface.
fn relay(tor: &Path, folder: &Path, more: &str) -> Relay {
    let data = folder.display();
    let torrc = format!(
        "DataDirectory {data}\nControlSocket {data}/control.sock\n\
         ControlPortWriteToFile {data}/control-ports\nORPort 127.0.0.1:auto\nSocksPort 0\n\
         Address 127.0.0.1\nTestingTorNetwork 1\nAssumeReachable 1\n\
         DirAuthority a orport=1 v3ident={0} 127.0.0.1:1 {0}\n{more}",
        "A".repeat(40)
    );
    let mut tor = Command::new(tor)
        .args(["--defaults-torrc", "/dev/null", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(fs::File::create(folder.join("log")).unwrap().into_parts().0)
        .spawn()
        .unwrap();
    tor.stdin
        .take()
        .unwrap()
        .write_all(torrc.as_bytes())
        .unwrap();
    Relay(tor)
}

/// Asks until the answer begins as expected, for tor takes a while to start.
fn until(data: &Path, expected: &str) -> Said {
    let started = Instant::now();
    loop {
        let said = check(data);
        if said.out.starts_with(expected) || started.elapsed() > Duration::from_secs(60) {
            let log = fs::read_to_string(data.join("log"));
            assert!(said.out.starts_with(expected), "{said:?}: {log:#?}");
            return said;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_real_relay() {
    let Some(tor) = tor("health::a_real_relay") else {
        return;
    };
    let data = TempDir::new().unwrap();
    let private = std::fs::Permissions::from_mode(0o700);
    fs::set_permissions(data.path(), private).unwrap();
    let ports = data.path().join("control-ports");
    {
        let _relay = relay(
            &tor,
            data.path(),
            "CookieAuthentication 1\nAccountingMax 100 GB\n",
        );
        until(data.path(), "starting: bootstrapped 0% after ");
    }
    // The same relay after it has used up its traffic.
    let state = data.path().join("state");
    let mut text = fs::read_to_string(&state).unwrap();
    for name in ["BytesRead", "BytesWritten"] {
        text += &format!("Accounting{name}InInterval {}\n", 200u64 << 30);
    }
    fs::write(&state, text).unwrap();
    fs::remove_file(&ports).unwrap();
    {
        let _relay = relay(
            &tor,
            data.path(),
            "CookieAuthentication 1\nAccountingMax 100 GB\n",
        );
        let said = until(data.path(), "unhealthy: hibernating (");
        assert_eq!(said.code, Some(1));
    }
    fs::remove_file(&ports).unwrap();
    let password = "16:AA505C72B8458347608261C6C04831185555B4BEB69785361613FA1D96";
    let _relay = relay(
        &tor,
        data.path(),
        &format!("HashedControlPassword {password}\n"),
    );
    until(data.path(), "unhealthy: tor wants a password");
}
