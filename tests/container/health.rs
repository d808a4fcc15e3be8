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
pub(super) fn program() -> &'static Path {
    static PROGRAM: OnceLock<TempDir> = OnceLock::new();
    static PATH: OnceLock<std::path::PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let folder = PROGRAM.get_or_init(|| TempDir::new().unwrap());
        let path = folder.path().join("health");
        let seconds = [("PATIENCE", "2"), ("QUIET", "1"), ("BUILDING", "2")];
        compile("health", &seconds, &path);
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
/// directory, and `COUNT` for a number that is greater each time, and
/// `OWN` for the number of bytes that were received.
const WELL: &[(&str, &str)] = &[
    (
        "PROTOCOLINFO",
        "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=COOKIE,SAFECOOKIE COOKIEFILE=\"FOLDER/cookie\"\r\n\
         250-VERSION Tor=\"0.4.9.11\"\r\n250 OK\r\n",
    ),
    ("AUTHENTICATE 2a2a2a", "250 OK\r\n"),
    (
        "GETINFO traffic/read",
        "250-traffic/read=COUNT\r\n250 OK\r\n",
    ),
    ("GETINFO uptime", "250-uptime=3600\r\n250 OK\r\n"),
    ("GETINFO version", "250-version=0.4.9.11\r\n250 OK\r\n"),
    (
        "GETINFO status/version/current",
        "250-status/version/current=recommended\r\n250 OK\r\n",
    ),
    (
        "GETINFO consensus/valid-until",
        "250-consensus/valid-until=2999-01-01 00:00:00\r\n250 OK\r\n",
    ),
    (
        "GETINFO status/enough-dir-info",
        "250-status/enough-dir-info=1\r\n250 OK\r\n",
    ),
    (
        "GETINFO network-liveness",
        "250-network-liveness=up\r\n250 OK\r\n",
    ),
    (
        "GETCONF ServerTransportPlugin",
        "250 ServerTransportPlugin\r\n",
    ),
    ("GETCONF BridgeRelay", "250 BridgeRelay=0\r\n"),
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
    (
        "GETINFO fingerprint",
        "250-fingerprint=65E45DB4F4C312B8B23790937E6EB819204F67F3\r\n250 OK\r\n",
    ),
    (
        "GETINFO ns/id/",
        "552 Unrecognized key \"ns/id/65E45DB4F4C312B8B23790937E6EB819204F67F3\"\r\n",
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
    asked_as(other, prepare, check)
}

/// The same, asked in a way of the test's own.
fn asked_as(
    other: &[(&str, &str)],
    prepare: impl FnOnce(&Path),
    ask: impl FnOnce(&Path) -> Said,
) -> Said {
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
            let (mut count, mut own) = (1000, 0);
            for question in BufReader::new(stream).lines() {
                // The check hangs up as soon as it knows enough.
                let Ok(question) = question else { break };
                own += question.len() + "\r\n".len();
                let both = other.iter().chain(WELL);
                let mut known = both.filter(|(begin, _)| question.starts_with(begin));
                // Nobody expected that: the check will say that it was hung up.
                let Some((_, answer)) = known.next() else {
                    break;
                };
                count += 512;
                let answer = answer.replace("FOLDER", &path.display().to_string());
                let answer = answer.replace("COUNT", &count.to_string());
                let answer = answer.replace("OWN", &own.to_string());
                if answers.write_all(answer.as_bytes()).is_err() || answer.is_empty() {
                    break;
                }
            }
        });
        ask(path)
    })
}

/// No bytes arrive.
const STILL: (&str, &str) = (
    "GETINFO traffic/read",
    "250-traffic/read=1000\r\n250 OK\r\n",
);

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
        "starting: bootstrapped, but tor has not found its ORPort reachable",
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
    // The network was lost when tor was about to publish: it says so of the next descriptor, while
    // clients go on with the one that the consensus lists.
    (
        &[
            (
                "GETINFO status/accepted",
                "250-status/accepted-server-descriptor=0\r\n250 OK\r\n",
            ),
            (
                "GETINFO ns/id/65E45DB4F4C312B8B23790937E6EB819204F67F3",
                "250+ns/id/65E45DB4F4C312B8B23790937E6EB819204F67F3=\r\nr relay1 x\r\n\
                 s Fast Running Valid\r\n.\r\n250 OK\r\n",
            ),
        ],
        "healthy: bootstrapped, ORPort reachable, descriptor in the consensus, signing key good until",
    ),
    // The starts above, after an hour.
    (
        &[(
            "GETINFO status/bootstrap-phase",
            "250-status/bootstrap-phase=WARN BOOTSTRAP PROGRESS=14 \
            TAG=handshake SUMMARY=\"\x1b[2J\u{9b}shaking\" WARNING=\"x\"\r\n250 OK\r\n",
        )],
        "unhealthy: bootstrapped 14% after 3600 seconds: \\x1b[2J\\xc2\\x9bshaking\n",
    ),
    (
        &[(
            "GETINFO status/reach",
            "250-status/reachability-succeeded/or=0\r\n250 OK\r\n",
        )],
        "unhealthy: bootstrapped, but tor has not found its ORPort reachable",
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
        "unhealthy: tor answers to `AUTHENTICATE...`: 515 Authentication failed\n",
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
    // The network: bytes that arrive, or else a circuit.
    (
        &[
            STILL,
            ("SETEVENTS CIRC", "250 OK\r\n"),
            (
                "EXTENDCIRCUIT 0",
                "650 CIRC 4 BUILT\r\n250 EXTENDED 7\r\n650 CIRC 8 FAILED REASON=X\r\n650 CIRC 7 BUILT \
                 $A~a,$B~b PURPOSE=GENERAL\r\n",
            ),
            ("CLOSECIRCUIT 7", "250 OK\r\n"),
        ],
        "healthy: bootstrapped, ORPort reachable",
    ),
    (
        &[
            STILL,
            ("SETEVENTS CIRC", "250 OK\r\n"),
            (
                "EXTENDCIRCUIT 0",
                "250 EXTENDED 7\r\n650 CIRC 7 FAILED PURPOSE=GENERAL REASON=CONNECTFAILED\r\n",
            ),
        ],
        "unhealthy: nothing arrives from the network, and no circuit could be built \
         (REASON=CONNECTFAILED; tor considers the network up)",
    ),
    (
        &[
            STILL,
            ("SETEVENTS CIRC", "250 OK\r\n"),
            (
                "EXTENDCIRCUIT 0",
                "250 EXTENDED 7\r\n650 CIRC 7 EXTENDED $A~a\r\n",
            ),
            ("CLOSECIRCUIT 7", "250 OK\r\n"),
        ],
        "unhealthy: nothing arrives from the network, and no circuit could be built (no answer in time",
    ),
    (
        &[
            STILL,
            ("SETEVENTS CIRC", "250 OK\r\n"),
            ("EXTENDCIRCUIT 0", "551 Couldn't start circuit\r\n"),
        ],
        "unhealthy: nothing arrives from the network, and no circuit could be built (551 Couldn't",
    ),
    // Nor is what the check itself has sent, which tor counts in a test network.
    (
        &[
            ("GETINFO traffic/read", "250-traffic/read=OWN\r\n250 OK\r\n"),
            ("SETEVENTS CIRC", "250 OK\r\n"),
            ("EXTENDCIRCUIT 0", "551 Couldn't start circuit\r\n"),
        ],
        "unhealthy: nothing arrives from the network, and no circuit could be built (551 Couldn't",
    ),
    // What tor itself has noticed needs no second look at the counter.
    (
        &[
            (
                "GETINFO network-liveness",
                "250-network-liveness=down\r\n250 OK\r\n",
            ),
            ("SETEVENTS CIRC", "250 OK\r\n"),
            ("EXTENDCIRCUIT 0", "551 Couldn't start circuit\r\n"),
        ],
        "unhealthy: nothing arrives from the network, and no circuit could be built (551 Couldn't \
         start circuit; tor considers the network down)",
    ),
    (
        &[(
            "GETINFO status/enough-dir-info",
            "250-status/enough-dir-info=0\r\n250 OK\r\n",
        )],
        "unhealthy: tor does not know enough about the network",
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
        "unhealthy: tor answers to `GETINFO upti...`: HTTP/1.1 400\n",
    ),
    (
        &[("GETINFO uptime", "250+uptime=\r\n.\r\n250 OK\r\n")],
        "unhealthy: tor does not answer what `uptime` is\n",
    ),
    (
        &[("GETINFO uptime", "250 OK\r\n")],
        "unhealthy: tor does not answer what `uptime` is\n",
    ),
    (
        &[("GETINFO uptime", "\n\n\n")],
        "unhealthy: tor answers to `GETINFO upti...`: \n",
    ),
];

// Guards: S1.
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
fn warnings_leave_a_relay_healthy() {
    for (other, expected) in [
        (
            (
                "GETINFO status/version/current",
                "250-status/version/current=obsolete\r\n250 OK\r\n",
            ),
            "; warning: the directory authorities call tor 0.4.9.11 obsolete: build an image",
        ),
        (
            (
                "GETINFO status/version/current",
                "250-status/version/current=unrecommended\r\n250 OK\r\n",
            ),
            "; warning: the directory authorities call tor 0.4.9.11 unrecommended: ",
        ),
        (
            (
                "GETINFO consensus/valid-until",
                "250-consensus/valid-until=2016-07-01 12:00:00\r\n250 OK\r\n",
            ),
            "; warning: the consensus expired at 2016-07-01 12:00:00 UTC, and tor could not get",
        ),
        (
            (
                "GETCONF ServerTransportPlugin",
                "250 ServerTransportPlugin=obfs4,meek exec /no/such/proxy -log\r\n",
            ),
            "; warning: the transport obfs4,meek is not running: /no/such/proxy has ended: tor's log",
        ),
    ] {
        let said = asked(&[other], |_| {});
        assert!(said.out.starts_with("healthy: "), "{said:?}");
        assert!(said.out.contains(expected), "{expected}: {said:?}");
        assert_eq!((said.code, said.out.lines().count()), (Some(0), 1));
    }
    // Newer than what is recommended is nobody's fault, and no news is none.
    for status in [
        "new",
        "new in series",
        "recommended",
        "unknown",
        "none recommended",
    ] {
        let answer = format!("250-status/version/current={status}\r\n250 OK\r\n");
        let said = asked(&[("GETINFO status/version/current", &answer)], |_| {});
        assert!(
            said.out.starts_with("healthy: ") && !said.out.contains("warning"),
            "{said:?}"
        );
    }
}

#[test]
fn transports_of_a_bridge() {
    let bridge = ("GETCONF BridgeRelay", "250 BridgeRelay=1\r\n");
    let folder = TempDir::new().unwrap();
    let proxy = folder.path().join("proxy");
    fs::copy("/bin/sleep", &proxy).unwrap();
    let mut child = Command::new(&proxy).arg("600").spawn().unwrap();
    let one = format!(
        "250 ServerTransportPlugin=obfs4 exec {}\r\n",
        proxy.display()
    );
    let two = format!(
        "250-ServerTransportPlugin=obfs4 exec {}\r\n\
         250 ServerTransportPlugin=snowflake exec /no/such/proxy\r\n",
        proxy.display()
    );
    let with = |plugins: &str| {
        asked(
            &[("GETCONF ServerTransportPlugin", plugins), bridge],
            |_| {},
        )
    };
    let said = with(&one);
    assert!(
        said.out.starts_with("healthy: ") && !said.out.contains("warning"),
        "{said:?}"
    );
    let said = with(&two);
    assert!(
        said.out
            .contains("; warning: the transport snowflake is not running"),
        "{said:?}"
    );
    assert_eq!(said.code, Some(0));
    // Whoever has ended but was not waited for does not run either.
    child.kill().unwrap();
    while fs::read(format!("/proc/{}/cmdline", child.id())).is_ok_and(|words| !words.is_empty()) {}
    let said = with(&one);
    let expected = format!(
        "unhealthy: the bridge has no running transport: {} of obfs4 has ended",
        proxy.display()
    );
    assert!(said.out.starts_with(&expected), "{said:?}");
    child.wait().unwrap();
}

/// What is done to a folder, and what is then said of it.
type Spoilt<'a> = (&'a dyn Fn(&Path), &'a [&'a str]);

/// What is said to help is what helps: a restart alone gives no transport its keys.
#[test]
fn transports_without_their_keys() {
    let nobody = Command::new("unshare").args(["--user", "true"]).status();
    if !nobody.is_ok_and(|status| status.success()) {
        super::skip("health", "no user namespace can be made here");
        return;
    }
    let plugin = (
        "GETCONF ServerTransportPlugin",
        "250 ServerTransportPlugin=obfs4 exec /no/such/proxy\r\n",
    );
    let bridge = ("GETCONF BridgeRelay", "250 BridgeRelay=1\r\n");
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let chmod = "; on the host: `sudo chmod -R u+rwX ";
    let restart = "; then restart the container";
    let cases: [Spoilt<'_>; 5] = [
        (
            &|_| {},
            &["tor's log says why; once that is fixed, restart"],
        ),
        (
            &|state| mode(state, 0o500),
            &["/pt_state, where its keys are", chmod, restart],
        ),
        (
            &|state| mode(state, 0),
            &["/pt_state, where its keys are", chmod, restart],
        ),
        (
            &|state| mode(&state.join("obfs4_state.json"), 0o400),
            &[
                "/pt_state/obfs4_state.json, where its keys are",
                chmod,
                restart,
            ],
        ),
        (
            &|state| fs::write(state.join("obfs4_state.json"), "").unwrap(),
            &[
                "/pt_state/obfs4_state.json, where its keys were, is empty",
                restart,
            ],
        ),
    ];
    for (spoil, expected) in cases {
        for (other, start) in [
            (&[plugin][..], "healthy: "),
            (
                &[plugin, bridge],
                "unhealthy: the bridge has no running transport",
            ),
        ] {
            let said = asked_as(
                other,
                |folder| {
                    let state = folder.join("pt_state");
                    fs::create_dir(&state).unwrap();
                    fs::write(state.join("obfs4_state.json"), "{}").unwrap();
                    spoil(&state);
                },
                // As the owner of all of it, who may pass over nothing.
                |path| {
                    let said = run(Command::new("unshare")
                        .args(["--user", "--"])
                        .arg(program())
                        .arg(path));
                    mode(&path.join("pt_state"), 0o700);
                    said
                },
            );
            assert!(said.out.starts_with(start), "{start}: {said:?}");
            for part in expected {
                assert!(said.out.contains(part), "{part}: {said:?}");
            }
        }
    }
}

/// Asks in namespaces of its own, where `mount` was done to the data directory before.
fn with_mount(mount: &str) -> Option<Said> {
    let possible = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "true"])
        .status();
    if !possible.is_ok_and(|status| status.success()) {
        super::skip("health", "no user namespace can be made here");
        return None;
    }
    let folder = TempDir::new().unwrap();
    let at = folder.path().display();
    let script = format!("D={at}; {mount}; exec {} {at}", program().display());
    Some(run(Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-euc"])
        .arg(script)))
}

#[test]
fn data_that_cannot_be_written() {
    for (mount, expected) in [
        (
            "mount -t tmpfs -o size=64k none $D; head -c 100000 /dev/zero >$D/cached 2>/dev/null || true",
            "is full, so tor cannot save its keys and its state: No space left on device\n",
        ),
        (
            "mount -t tmpfs -o nr_inodes=2 none $D; : >$D/cached",
            "is full, so tor cannot save",
        ),
        (
            "mount -t tmpfs -o ro none $D",
            "is read-only, so tor cannot save its keys and its state\n",
        ),
        (
            "mount --bind $D $D; mount -o remount,ro,bind $D",
            "is read-only, so tor cannot save its keys and its state\n",
        ),
        (
            "mount -t tmpfs -o size=1m none $D",
            "; warning: only 1 MB are left in /",
        ),
    ] {
        let Some(said) = with_mount(mount) else {
            return;
        };
        assert!(said.out.contains(expected), "{expected}: {said:?}");
        assert_eq!(
            said.out.starts_with("unhealthy: /"),
            expected.starts_with("is "),
            "{said:?}"
        );
        assert_eq!(said.code, Some(1));
    }
}

#[test]
fn nothing_stays_in_the_data() {
    let said = asked_as(
        &[],
        |_| {},
        |path| {
            let names = || {
                let mut names: Vec<_> = fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().file_name())
                    .collect();
                names.sort();
                names
            };
            let before = names();
            let said = check(path);
            assert_eq!(names(), before);
            said
        },
    );
    assert!(said.out.starts_with("healthy: "));
}

#[test]
fn the_command_line() {
    for (arguments, code) in [
        (&["--help"][..], 0),
        (&["-h"], 0),
        (&["--json", "--help"], 0),
        (&["--socket"], 2),
        (&["--socket", "name"], 2),
        (&["--jsno"], 2),
        (&["/a", "/b"], 2),
    ] {
        let said = run(Command::new(program()).args(arguments));
        assert_eq!(said.code, Some(code), "{arguments:?}: {said:?}");
        let help = if code == 0 { &said.out } else { &said.err };
        assert!(
            help.starts_with("usage: relay-health [--json]"),
            "{arguments:?}: {said:?}"
        );
    }
}

/// What `--json` asks besides.
const DESCRIBED: &[(&str, &str)] = &[
    ("GETCONF Nickname", "250 Nickname=relay1\r\n"),
    (
        "GETCONF ContactInfo",
        "250 ContactInfo=\"Ada\" \x1b[31m \\ x\r\n",
    ),
    ("GETCONF MyFamily", "250-MyFamily=A\r\n250 MyFamily=B\r\n"),
    ("GETINFO address/v4", "551 Address unknown\r\n"),
    (
        "GETINFO fingerprint",
        "250-fingerprint=65E45DB4F4C312B8B23790937E6EB819204F67F3\r\n250 OK\r\n",
    ),
    (
        "GETINFO ns/id/65E45DB4F4C312B8B23790937E6EB819204F67F3",
        "250+ns/id/65E45DB4F4C312B8B23790937E6EB819204F67F3=\r\nr relay1 x\r\ns Fast Running Valid\r\n\
         w Bandwidth=4200\r\n.\r\n250 OK\r\n",
    ),
];

#[test]
fn as_json() {
    let mut other = vec![(
        "GETINFO status/version/current",
        "250-status/version/current=obsolete\r\n250 OK\r\n",
    )];
    other.extend(DESCRIBED);
    // Whatever this relay does not have.
    let rest = [
        ("GETINFO address", "551 none\r\n"),
        (
            "GETINFO accounting/hibernating",
            "250-accounting/hibernating=awake\r\n250 OK\r\n",
        ),
        ("GETINFO accounting/", "551 none\r\n"),
        ("GETINFO traffic/written", "551 none\r\n"),
        ("GETINFO limits/", "552 Unrecognized key\r\n"),
        ("GETCONF ", "250 x\r\n"),
        ("GETINFO ns/", "551 none\r\n"),
    ];
    other.extend(
        WELL.iter()
            .filter(|(question, _)| question.starts_with("GETCONF ")),
    );
    other.extend(rest);
    let said = asked_as(
        &other,
        |folder| {
            fs::write(
                folder.join("bridgelines"),
                "Bridge obfs4 <IP ADDRESS>:443\n",
            )
            .unwrap();
            fs::write(folder.join("fingerprint-ed25519"), "relay1 abc\n").unwrap();
        },
        |path| run(Command::new(program()).arg("--json").arg(path)),
    );
    assert_eq!(said.out.lines().count(), 1, "{said:?}");
    let value: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(value["format"], 1);
    assert_eq!(value["state"], "healthy", "{said:?}");
    let warning = value["warnings"][0].as_str().unwrap();
    assert!(
        warning.starts_with("the directory authorities call tor 0.4.9.11 obsolete"),
        "{warning}"
    );
    let facts = &value["facts"];
    for (name, expected) in [
        ("nickname", serde_json::json!("relay1")),
        ("contact", "\"Ada\" \u{1b}[31m \\ x".into()),
        ("my_family", "A\nB".into()),
        ("flags", "Fast Running Valid".into()),
        ("consensus_weight", "Bandwidth=4200".into()),
        ("bootstrapped", 100.into()),
        ("uptime", 3600.into()),
        ("version_status", "obsolete".into()),
        ("bridge", false.into()),
        ("master_key_here", false.into()),
        ("fingerprint_ed25519", "relay1 abc\n".into()),
        ("bridge_lines", serde_json::Value::Null),
        ("address", serde_json::Value::Null),
    ] {
        assert_eq!(facts[name], expected, "{name}: {said:?}");
    }
    // An answer that is no relay's still is JSON.
    let said = run(Command::new(program()).args(["--json", "--socket", "/nowhere/\"socket"]));
    let value: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, &value["state"]), (Some(1), &"unhealthy".into()));
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
            "unhealthy: tor answers to `GETINFO upti...` with more than 64 lines\n",
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
    let well = asked(&[], write(8 * 24));
    assert!(!well.out.contains("warning"), "{well:?}");
    starts(well, "healthy: ");
    // It works until then: the last hour counts.
    let here = "the master key is kept elsewhere, so renew it there: tor --keygen\n";
    for hours in [6 * 24, 1] {
        let said = asked(&[], write(hours));
        assert!(
            said.out.contains("; warning: the signing key expires 2") && said.out.ends_with(here),
            "{said:?}"
        );
        assert_eq!(said.code, Some(0));
        starts(said, "healthy: ");
    }
    for hours in [0, -2] {
        let said = asked(&[], write(hours));
        assert!(said.out.ends_with(here), "{said:?}");
        starts(said, "unhealthy: the signing key expired 2");
    }
    // With the master key tor makes a new one a day ahead, and nobody has to be told.
    let with_master = |hours: i64| {
        move |folder: &Path| {
            write(hours)(folder);
            fs::write(folder.join("keys/ed25519_master_id_secret_key"), "").unwrap();
        }
    };
    let well = asked(&[], with_master(6));
    assert!(!well.out.contains("warning"), "{well:?}");
    starts(well, "healthy: ");
    for (hours, expected) in [
        (1, "healthy: "),
        (0, "unhealthy: the signing key expired 2"),
    ] {
        let said = asked(&[], with_master(hours));
        assert!(said.out.contains("its log says why it did not"), "{said:?}");
        starts(said, expected);
    }

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
