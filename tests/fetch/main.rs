//! Fetching from hostile servers, and keeping what came.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

mod server;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fs_err as fs;
use relaysmith::base::cache::Cache;
use relaysmith::base::digest::Digest;
use relaysmith::base::progress::{Progress, Silent, Task};
use relaysmith::fetch::{Error, Fetched, Machine, Options, Patience, fetch, fetch_each, survey};
use relaysmith::pins::{Evidence, Origin, Signature, Size, Source};
use tempfile::TempDir;

use crate::server::{Request, Server, Wire, broken, empty, head, rest, stall, whole};

/// Larger than any buffer on the way, and nowhere the same.
fn body() -> Vec<u8> {
    (0..300_000_u32).flat_map(u32::to_le_bytes).collect()
}

/// A source with these bytes, to be had at `pool/a` and then at `pool/b` of each mirror.
fn source(bytes: &[u8]) -> Source {
    Source {
        name: "thing".to_owned(),
        version: "1".to_owned(),
        machine: None,
        file: "thing-1.tar.gz".to_owned(),
        digest: Digest::sha256(bytes),
        size: Size::Exactly(bytes.len() as u64),
        unpacked: 1,
        released: None,
        license: "MIT".to_owned(),
        signature: Signature::None,
        evidence: Evidence::default(),
        patches: Vec::new(),
        origins: ["pool/a", "pool/b"]
            .map(|path| Origin::Debian(path.to_owned()))
            .to_vec(),
    }
}

const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(5),
    read: Duration::from_secs(5),
    attempts: 3,
    backoff: Duration::from_millis(1),
    longest: Duration::from_millis(2),
};

/// An empty cache, and mirrors to fill it from.
struct Bench {
    options: Options,
    _temp: TempDir,
}

impl Bench {
    fn new(mirrors: &[&str]) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(&temp.path().join("cache"))).unwrap();
        let mirrors = mirrors
            .iter()
            .map(|mirror| mirror.parse().unwrap())
            .collect();
        let options = Options {
            machine: Machine::with_mirrors(mirrors),
            patience: PATIENCE,
            ..Options::new(cache)
        };
        Self {
            options,
            _temp: temp,
        }
    }

    fn fetch(&self, source: &Source) -> Result<Fetched, Error> {
        self.watched(source, &Silent)
    }

    fn watched(&self, source: &Source, progress: &dyn Progress) -> Result<Fetched, Error> {
        let mut fetched = fetch(&[Arc::new(source.clone())], &self.options, progress)?;
        Ok(fetched.remove(0))
    }

    /// The store's file of a source, or with a suffix what stands beside it.
    fn stored(&self, source: &Source, suffix: &str) -> PathBuf {
        let name = format!("{}{suffix}", source.digest.hex());
        self.options
            .cache
            .directory("downloads/sha256")
            .unwrap()
            .join(name)
    }
}

/// Fetches `bytes` from a server that answers as given; the bytes must come.
fn delivers(answer: impl Fn(&Request, &mut dyn Wire) + Send + Sync + 'static) -> Vec<Request> {
    let bytes = body();
    let server = Server::http(answer);
    let bench = Bench::new(&[&server.url]);
    let fetched = bench.fetch(&source(&bytes)).unwrap();
    assert_eq!(fs::read(fetched.path()).unwrap(), bytes);
    server.requests()
}

/// The reason that is given when `pool/a` answers like that; `pool/b` must then deliver.
fn refuses(answer: impl Fn(&Request, &mut dyn Wire) + Send + Sync + 'static) -> String {
    let server = Server::http(move |request, wire| match &*request.path {
        "/pool/b" => whole(wire, &body()),
        _ => answer(request, wire),
    });
    let bench = Bench::new(&[&server.url]);
    let heard = Heard::default();
    let fetched = bench.watched(&source(&body()), &heard).unwrap();
    assert_eq!(
        fetched.from().unwrap().to_string(),
        format!("{}pool/b", server.url)
    );
    let heard = heard.0.into_inner().unwrap();
    heard.join("\n").replace(&server.url, "http://mirror/")
}

/// Remembers what is said.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Progress for Heard {
    fn begin(&self, _: &str, _: Option<u64>) -> Box<dyn Task> {
        Box::new(Silent)
    }

    fn note(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }

    fn detail(&self, line: &str) {
        self.note(line);
    }
}

#[test]
fn a_plain_download() {
    let requests = delivers(|_, wire| whole(wire, &body()));
    assert_eq!(requests.len(), 1);
    assert!(
        requests[0]
            .field("user-agent")
            .unwrap()
            .starts_with("relaysmith/")
    );
    assert_eq!(requests[0].field("accept-encoding"), Some("identity"));
}

#[test]
fn trouble_that_passes() {
    let troubles: [fn(&mut dyn Wire); 7] = [
        |wire| empty(wire, "500 Internal Server Error", &[]),
        |wire| empty(wire, "503 Service Unavailable", &[]),
        |wire| empty(wire, "408 Request Timeout", &[]),
        |wire| empty(wire, "429 Too Many Requests", &[("retry-after", "3600")]),
        |wire| drop(wire.write_all(b"HTTP/1.1 200 O")),
        |wire| drop(wire.write_all(b"\0\0\0\0")),
        |_| {},
    ];
    for trouble in troubles {
        let requests = delivers(move |request, wire| match request.nth {
            0 | 1 => trouble(wire),
            _ => whole(wire, &body()),
        });
        assert_eq!(requests.len(), 3);
    }
}

// Guards: N3.
#[test]
fn trouble_that_lasts() {
    let reason = refuses(|_, wire| empty(wire, "500 Internal Server Error", &[]));
    assert_eq!(
        reason,
        "thing 1: http://mirror/pool/a: the server says 500 Internal Server Error"
    );
    let reason = refuses(|_, wire| empty(wire, "404 Not Found", &[]));
    assert_eq!(
        reason,
        "thing 1: http://mirror/pool/a: the server says 404 Not Found"
    );
    let reason = refuses(|_, wire| empty(wire, "403 Forbidden", &[]));
    assert_eq!(
        reason,
        "thing 1: http://mirror/pool/a: the server says 403 Forbidden"
    );
    let reason = refuses(|_, wire| broken(wire, &body(), 10, &[]));
    assert!(
        reason.starts_with("thing 1: http://mirror/pool/a: the transfer broke: "),
        "{reason}"
    );
}

#[test]
fn what_will_not_pass_is_asked_once() {
    for status in [
        "404 Not Found",
        "410 Gone",
        "403 Forbidden",
        "401 Unauthorized",
    ] {
        let server = Server::http(move |_, wire| empty(wire, status, &[]));
        let bench = Bench::new(&[&server.url]);
        bench.fetch(&source(&body())).unwrap_err();
        assert_eq!(server.paths(), ["/pool/a", "/pool/b"], "{status}");
    }
}

// Guards: N1.
#[test]
fn other_bytes() {
    let mut wrong = body();
    wrong[70_000] ^= 1;
    let (expected, got) = (Digest::sha256(&body()), Digest::sha256(&wrong));
    let reason = refuses(move |_, wire| whole(wire, &wrong));
    let line = "thing 1: http://mirror/pool/a delivers something else:";
    assert_eq!(reason, format!("{line} expected {expected}, got {got}"));
}

// Guards: N1.
#[test]
fn another_size_is_refused_before_the_body() {
    for length in ["0", "1199999", "1200001", "99999999999999"] {
        let reason = refuses(move |_, wire| {
            head(wire, "200 OK", &[("content-length", length)]);
            stall(wire);
        });
        let line = "thing 1: http://mirror/pool/a delivers something else:";
        let size = format!("expected 1200000 bytes, got {length} bytes");
        assert_eq!(reason, format!("{line} {size}"));
    }
}

// Guards: N1.
#[test]
fn a_body_without_end_is_cut_off() {
    let (told, written) = mpsc::channel();
    let reason = refuses(move |_, wire| {
        head(wire, "200 OK", &[]);
        let mut count = 0_u64;
        // Ends when the client hangs up, or never.
        while wire.write_all(&[7; 1 << 16]).is_ok() {
            count += 1 << 16;
        }
        told.send(count).unwrap();
    });
    assert!(reason.contains("expected 1200000 bytes, got "), "{reason}");
    // What the client's and the kernel's buffers took in before it hung up.
    assert!(written.recv().unwrap() < 20_000_000);
}

#[test]
fn a_short_body_without_a_length() {
    let reason = refuses(|_, wire| {
        head(wire, "200 OK", &[]);
        let _ = wire.write_all(&body()[..1000]);
    });
    assert!(
        reason.ends_with("expected 1200000 bytes, got 1000 bytes"),
        "{reason}"
    );
}

#[test]
fn a_size_that_is_not_known_has_a_limit() {
    let bytes = body();
    let most = bytes.len() as u64;
    for (size, fits) in [(most, true), (most + 7, true), (most - 1, false)] {
        let server = Server::http(|_, wire| {
            head(wire, "200 OK", &[]);
            let _ = wire.write_all(&body());
        });
        let bench = Bench::new(&[&server.url]);
        let mut source = source(&bytes);
        source.size = Size::AtMost(size);
        assert_eq!(bench.fetch(&source).is_ok(), fits, "{size}");
    }
}

#[test]
fn goes_on_where_it_broke() {
    let requests = delivers(|request, wire| match request.range() {
        None => broken(wire, &body(), 500_000, &[("etag", "\"v1\"")]),
        Some(from) if request.nth == 1 => {
            let range = format!("bytes {from}-1199999/1200000");
            let length = (1_200_000 - from).to_string();
            let fields = [
                ("content-range", &*range),
                ("content-length", &*length),
                ("etag", "\"v1\""),
            ];
            head(wire, "206 Partial Content", &fields);
            let _ = wire.write_all(&body()[from..900_000]);
        }
        Some(from) => rest(wire, &body(), from),
    });
    let ranges: Vec<_> = requests.iter().map(Request::range).collect();
    assert_eq!(ranges, [None, Some(500_000), Some(900_000)]);
    assert_eq!(requests[1].field("if-range"), Some("\"v1\""));
}

#[test]
fn goes_on_after_silence() {
    let bytes = body();
    let server = Server::http(|request, wire| match request.range() {
        None => {
            broken(wire, &body(), 500_000, &[]);
            stall(wire);
        }
        Some(from) => rest(wire, &body(), from),
    });
    let mut bench = Bench::new(&[&server.url]);
    // Long enough for a machine that is busy with other tests.
    bench.options.patience.read = Duration::from_secs(1);
    bench.fetch(&source(&bytes)).unwrap();
    assert_eq!(server.requests()[1].range(), Some(500_000));
}

// Guards: N3.
#[test]
fn a_trickle_is_not_waited_for() {
    let server = Server::http(|_, wire| {
        head(wire, "200 OK", &[("content-length", "1200000")]);
        while wire.write_all(&[7]).is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let mut bench = Bench::new(&[&server.url]);
    bench.options.patience.read = Duration::from_millis(100);
    let error = bench.fetch(&source(&body())).unwrap_err().to_string();
    assert!(
        error.contains("pool/a: the transfer broke: the server is too slow"),
        "{error}"
    );
}

#[test]
fn as_long_as_there_is_progress_it_goes_on() {
    // Twelve interruptions, and three attempts are allowed.
    let requests = delivers(|request, wire| {
        let from = request.range().unwrap_or(0);
        let to = (from + 100_000).min(1_200_000);
        let range = format!("bytes {from}-1199999/1200000");
        let length = (1_200_000 - from).to_string();
        let fields = [("content-range", &*range), ("content-length", &*length)];
        match from {
            0 => broken(wire, &body(), to, &[]),
            _ => {
                head(wire, "206 Partial Content", &fields);
                let _ = wire.write_all(&body()[from..to]);
            }
        }
    });
    assert_eq!(requests.len(), 12);
}

#[test]
fn a_server_that_starts_again_each_time_is_given_up() {
    let server = Server::http(|request, wire| match &*request.path {
        "/pool/a" => broken(wire, &body(), 500_000, &[]),
        _ => empty(wire, "404 Not Found", &[]),
    });
    let bench = Bench::new(&[&server.url]);
    bench.fetch(&source(&body())).unwrap_err();
    // One attempt that got further than any before it, and the three allowed after that.
    assert_eq!(
        server
            .paths()
            .iter()
            .filter(|path| *path == "/pool/a")
            .count(),
        3
    );
}

#[test]
fn a_range_that_is_not_honoured() {
    let answers: [fn(&mut dyn Wire, usize); 7] = [
        // Ignored: the whole file again.
        |wire, _| whole(wire, &body()),
        // A lie: another part than was asked for.
        |wire, from| rest(wire, &body(), from - 1000),
        |wire, _| rest(wire, &body(), 0),
        |wire, _| {
            head(
                wire,
                "206 Partial Content",
                &[("content-range", "bytes */5")],
            )
        },
        |wire, _| {
            head(
                wire,
                "206 Partial Content",
                &[("content-range", "nonsense")],
            )
        },
        |wire, _| head(wire, "206 Partial Content", &[]),
        // The file is said to have shrunk.
        |wire, _| empty(wire, "416 Range Not Satisfiable", &[]),
    ];
    for answer in answers {
        delivers(move |request, wire| match (request.nth, request.range()) {
            (0, _) => broken(wire, &body(), 500_000, &[]),
            (_, Some(from)) => answer(wire, from),
            (_, None) => whole(wire, &body()),
        });
    }
}

#[test]
fn a_part_that_nobody_asked_for() {
    delivers(|_, wire| rest(wire, &body(), 0));
    let reason = refuses(|_, wire| rest(wire, &body(), 1000));
    assert!(
        reason.ends_with("the server sent a part that was not requested"),
        "{reason}"
    );
}

// Guards: N2.
#[test]
fn redirects_are_followed_within_reason() {
    let requests = delivers(|request, wire| match &*request.path {
        "/pool/a" => empty(wire, "302 Found", &[("location", "/elsewhere/x")]),
        _ => whole(wire, &body()),
    });
    assert_eq!(requests[1].path, "/elsewhere/x");
    let reason = refuses(|request, wire| {
        let other = if request.path == "/pool/a" {
            "/x"
        } else {
            "/pool/a"
        };
        empty(wire, "302 Found", &[("location", other)]);
    });
    assert!(reason.ends_with("redirected in a circle"), "{reason}");
    let reason = refuses(|request, wire| {
        empty(
            wire,
            "302 Found",
            &[("location", &format!("/{}", request.nth))],
        );
    });
    assert!(
        reason.ends_with("redirected more than 10 times"),
        "{reason}"
    );
    let reason = refuses(|_, wire| empty(wire, "302 Found", &[("location", "ftp://127.0.0.1/x")]));
    assert!(
        reason.contains("redirected to a `ftp:` address"),
        "{reason}"
    );
    for location in ["file:///etc/passwd", "file:/etc/passwd", "javascript:x"] {
        let reason = refuses(|_, wire| empty(wire, "302 Found", &[("location", location)]));
        let (scheme, _) = location.split_once(':').unwrap();
        let expected = format!("redirected to a `{scheme}:` address");
        assert!(reason.contains(&expected), "{reason}");
    }
}

#[test]
fn a_host_that_stays_silent_is_tried_once() {
    // The kernel takes connections in; nobody answers them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", silent.local_addr().unwrap());
    let mut bench = Bench::new(&[&url]);
    bench.options.patience.connect = Duration::from_millis(50);
    let heard = Heard::default();
    bench.watched(&source(&body()), &heard).unwrap_err();
    let told = "127.0.0.1 cannot be reached, continuing without it: operation timed out";
    assert_eq!(*heard.0.lock().unwrap(), [told]);
    silent.set_nonblocking(true).unwrap();
    assert!(silent.accept().is_ok());
    assert!(silent.accept().is_err());
}

#[test]
fn every_reason_is_told() {
    let server = Server::http(|request, wire| match &*request.path {
        "/pool/a" => empty(wire, "404 Not Found", &[]),
        _ => whole(wire, b"something else"),
    });
    // Nobody listens on this one any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = format!("http://user:secret@{}/", gone.local_addr().unwrap());
    drop(gone);
    let bench = Bench::new(&[&server.url, &dead]);
    let mut source = source(&body());
    source
        .origins
        .push(Origin::Https("https://127.0.0.1:1/thing".to_owned()));
    let error = bench.fetch(&source).unwrap_err();
    let text = error.to_string().replace(&server.url, "http://mirror/");
    let shown = dead.replace("user:secret@", "");
    insta::assert_snapshot!(text.replace(&shown, "http://dead/"), @r"
    no origin delivered the pinned bytes:
      thing 1: thing-1.tar.gz, 1200000 bytes
        http://mirror/pool/a: the server says 404 Not Found
        http://dead/pool/a: no connection: Connection refused (os error 111)
        http://mirror/pool/b: expected 1200000 bytes, got 14 bytes
        http://dead/pool/b: no connection: Connection refused (os error 111)
        https://127.0.0.1:1/thing: no connection: Connection refused (os error 111)
    ");
    assert!(error.hint().unwrap().contains("--source-dir"));
}

#[test]
fn what_is_stored_is_not_fetched_again() {
    let server = Server::http(|_, wire| whole(wire, &body()));
    let bench = Bench::new(&[&server.url]);
    let source = source(&body());
    assert!(bench.fetch(&source).unwrap().from().is_some());
    assert!(bench.fetch(&source).unwrap().from().is_none());
    assert_eq!(server.requests().len(), 1);
    assert!(!bench.stored(&source, ".part").exists());
}

#[test]
fn what_is_here_does_not_wait_for_what_is_not() {
    // The large source comes only once something was done with the small one.
    let (tell, told) = mpsc::channel();
    let (tell, told) = (Mutex::new(tell), Mutex::new(told));
    let server = Server::http(move |_, wire| {
        let patience = Duration::from_secs(4);
        match told.lock().unwrap().recv_timeout(patience) {
            Ok(()) => whole(wire, &body()),
            Err(_) => empty(wire, "404 Not Found", &[]),
        }
    });
    let bench = Bench::new(&[&server.url]);
    let (large, small) = (source(&body()), source(b"small"));
    fs::write(bench.stored(&small, ""), b"small").unwrap();
    let wanted = [Arc::new(large), Arc::new(small)];
    let sizes = fetch_each(&wanted, &bench.options, &Silent, |fetched| {
        let size = fetched.source().size;
        if size == Size::Exactly(5) {
            tell.lock().unwrap().send(()).unwrap();
        }
        size
    });
    // In the order in which they were wanted, not in that in which they came.
    assert_eq!(sizes.unwrap(), wanted.map(|source| source.size));
}

#[test]
fn a_corrupted_file_is_fetched_again() {
    let mut flipped = body();
    flipped[1_000_000] ^= 1;
    for corrupted in [&flipped[..], b"", &body()[1..], &[body(), vec![0]].concat()] {
        let server = Server::http(|_, wire| whole(wire, &body()));
        let bench = Bench::new(&[&server.url]);
        let source = source(&body());
        fs::write(bench.stored(&source, ""), corrupted).unwrap();
        let heard = Heard::default();
        let fetched = bench.watched(&source, &heard).unwrap();
        assert_eq!(fs::read(fetched.path()).unwrap(), body());
        let heard = heard.0.into_inner().unwrap();
        assert!(
            heard[0].contains("is corrupted and is fetched again"),
            "{heard:?}"
        );
    }
}

#[test]
fn what_an_earlier_run_left() {
    let mut other = body()[..600_000].to_vec();
    other[0] ^= 1;
    for (left, ranges) in [
        // All of it: killed before the last step.
        (body(), vec![]),
        (body()[..600_000].to_vec(), vec![Some(600_000)]),
        (Vec::new(), vec![None]),
        // Too much, or rubbish: found out and fetched anew.
        ([body(), vec![0]].concat(), vec![None]),
        (other, vec![Some(600_000), None]),
        (vec![0; 1_200_000], vec![Some(1_200_000), None]),
    ] {
        let server = Server::http(|request, wire| match request.range() {
            None => whole(wire, &body()),
            Some(1_200_000) => empty(wire, "416 Range Not Satisfiable", &[]),
            Some(from) => rest(wire, &body(), from),
        });
        let bench = Bench::new(&[&server.url]);
        let source = source(&body());
        fs::write(bench.stored(&source, ".part"), &left).unwrap();
        let fetched = bench.fetch(&source).unwrap();
        assert_eq!(fs::read(fetched.path()).unwrap(), body());
        let asked: Vec<_> = server.requests().iter().map(Request::range).collect();
        assert_eq!(asked, ranges);
        assert!(server.paths().iter().all(|path| path == "/pool/a"));
    }
}

#[test]
fn a_directory_is_looked_in_first() {
    for name in ["thing-1.tar.gz", "b"] {
        let server = Server::http(|_, wire| whole(wire, &body()));
        let mut bench = Bench::new(&[&server.url]);
        let directory = tempfile::tempdir().unwrap();
        bench.options.source_dir = Some(directory.path().to_owned());
        // A file of the right name and the wrong content does no harm.
        fs::write(directory.path().join("a"), "rubbish").unwrap();
        fs::write(directory.path().join(name), body()).unwrap();
        bench.fetch(&source(&body())).unwrap();
        assert_eq!(server.requests().len(), 0);
    }
}

#[test]
fn offline_tells_all_that_is_missing() {
    let server = Server::http(|_, wire| whole(wire, &body()));
    let mut bench = Bench::new(&[&server.url]);
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("other-2.tar.gz"), "rubbish").unwrap();
    bench.options.source_dir = Some(directory.path().to_owned());
    let here = source(&body());
    let there = bench.fetch(&here).unwrap();
    assert_eq!(fs::read(there.path()).unwrap(), body());
    bench.options.offline = true;
    bench.fetch(&here).unwrap();
    let missing = |name: &str| {
        let mut source = source(name.as_bytes());
        source.name = name.to_owned();
        source.file = format!("{name}-2.tar.gz");
        source.origins.truncate(1);
        Arc::new(source)
    };
    let wanted = [missing("other"), Arc::new(here), missing("third")];
    let error = fetch(&wanted, &bench.options, &Silent).unwrap_err();
    let text = error
        .to_string()
        .replace(directory.path().to_str().unwrap(), "DIR");
    let text = text.replace(bench.options.cache.root().to_str().unwrap(), "CACHE");
    insta::assert_snapshot!(text, @r"
    not available without a network:
      other 1: other-2.tar.gz, 5 bytes
        CACHE/downloads/sha256/d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa: no such file
        DIR/other-2.tar.gz: expected 5 bytes, got 7 bytes
        DIR/a: no such file
      third 1: third-2.tar.gz, 5 bytes
        CACHE/downloads/sha256/b1e99324505bd32da0e1f85dcf5e19a09db0481e8a15f62c41eb320304a8e927: no such file
        DIR/third-2.tar.gz: no such file
        DIR/a: no such file
    ");
    insta::assert_snapshot!(error.hint().unwrap(), @"run `cargo xtask fetch` once with a network, or put the files into a directory and name it with `--source-dir`");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn threads_that_want_the_same_fetch_it_once() {
    let server = Server::http(|_, wire| whole(wire, &body()));
    let bench = Bench::new(&[&server.url]);
    let wanted = [(); 6].map(|()| Arc::new(source(&body())));
    let fetched = fetch(&wanted, &bench.options, &Silent).unwrap();
    assert_eq!(fetched.len(), 6);
    assert_eq!(server.requests().len(), 1);
}

/// That one origin delivers is no reason not to ask the others.
#[test]
fn every_origin_is_asked() {
    let bytes = body();
    let server = Server::http(move |request, wire| match request.path.as_str() {
        "/pool/b" => whole(wire, &bytes),
        "/simple/thing/" => whole(wire, b"{\"files\": []}"),
        _ => empty(wire, "404 Not Found", &[]),
    });
    let bench = Bench::new(&[&server.url]);
    let index = format!("{}simple/", server.url).parse().unwrap();
    let options = Options {
        machine: bench.options.machine.and_index(index),
        ..bench.options
    };
    let wanted = |origins: &[&str]| {
        let origins = origins.iter().map(|text| text.parse().unwrap()).collect();
        vec![Arc::new(Source {
            origins,
            ..source(&body())
        })]
    };
    let origins = ["debian:pool/a", "pypi:thing", "debian:pool/b"];
    let answers = survey(&wanted(&origins), options, &Silent).unwrap();
    let seen: Vec<_> = answers
        .iter()
        .map(|it| (it.origins.len(), it.delivered.is_ok()))
        .collect();
    // Debian's two paths are one origin, and the second of them delivers.
    assert_eq!(seen, [(2, true), (1, false)]);
    assert_eq!(server.paths(), ["/pool/a", "/pool/b", "/simple/thing/"]);
}

#[test]
fn an_index_is_asked_for_its_json() {
    let server = Server::http(|request, wire| match &*request.path {
        "/simple/thing/" => {
            let accepts = request.field("accept").unwrap();
            assert_eq!(accepts, "application/vnd.pypi.simple.v1+json");
            let page = r#"{"meta": {"api-version": "1.1"}, "files": [
                {"filename": "thing-0.tar.gz", "url": "/files/0"},
                {"filename": "thing-1.tar.gz", "url": "../../files/1", "hashes": {}}]}"#;
            whole(wire, page.as_bytes());
        }
        "/simple/absent/" => whole(wire, br#"{"files": []}"#),
        "/simple/html/" => whole(wire, b"<!DOCTYPE html>"),
        "/files/1" => whole(wire, &body()),
        _ => empty(wire, "404 Not Found", &[]),
    });
    let mut bench = Bench::new(&[]);
    let index = format!("{}simple/", server.url);
    bench.options.machine = Machine::new().and_index(index.parse().unwrap());
    let from = |project: &str| {
        let mut source = source(&body());
        source.origins = vec![Origin::Pypi(project.to_owned())];
        source
    };
    for (project, reason) in [
        ("absent", "pypi:absent: no such file"),
        ("html", "is not a PEP 691 page: expected value at line 1"),
        ("nothing", "pypi:nothing: the server says 404 Not Found"),
    ] {
        let error = bench.fetch(&from(project)).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    bench.fetch(&from("thing")).unwrap();
}

/// Starts this test program again to run one ignored test, with these variables.
fn process(test: &str, variables: &[(&str, &str)]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What another process does in the tests below.
#[test]
#[ignore = "run by other tests"]
fn process_that_fetches() {
    let mut bench = Bench::new(&[&std::env::var("MIRROR").unwrap()]);
    let cache = PathBuf::from(std::env::var_os("CACHE").unwrap());
    bench.options.cache = Cache::open(Some(&cache)).unwrap();
    let heard = Heard::default();
    let result = bench.watched(&source(&body()), &heard);
    for line in heard.0.into_inner().unwrap() {
        println!("{line}");
    }
    match result {
        Ok(fetched) => assert_eq!(fs::read(fetched.path()).unwrap(), body()),
        Err(error) => panic!("{error}"),
    }
}

fn output(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}\n{complaint}");
    text
}

#[test]
fn processes_that_want_the_same_fetch_it_once() {
    let (told, asked) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let server = Server::http(move |_, wire| {
        told.send(()).unwrap();
        wait.lock().unwrap().recv().unwrap();
        whole(wire, &body());
    });
    let temp = tempfile::tempdir().unwrap();
    let cache = temp.path().to_str().unwrap();
    let variables = [("MIRROR", &*server.url), ("CACHE", cache)];
    let first = process("process_that_fetches", &variables);
    asked.recv().unwrap();
    // The first holds the entry now, and waits for the server.
    let mut bench = Bench::new(&[&server.url]);
    bench.options.cache = Cache::open(Some(cache.as_ref())).unwrap();
    let second = bench
        .watched(&source(&body()), &Waited(Mutex::new(Some(go))))
        .unwrap();
    assert!(second.from().is_none(), "became available meanwhile");
    output(first);
    assert_eq!(server.requests().len(), 1);
}

/// Lets the server go on once somebody waits.
struct Waited(Mutex<Option<mpsc::Sender<()>>>);

impl Progress for Waited {
    fn begin(&self, _: &str, _: Option<u64>) -> Box<dyn Task> {
        Box::new(Silent)
    }

    fn note(&self, line: &str) {
        assert_eq!(line, "thing 1: waiting for another process that fetches it");
        self.0.lock().unwrap().take().unwrap().send(()).unwrap();
    }

    fn detail(&self, _: &str) {}
}

#[test]
fn killed_in_the_middle_the_next_run_goes_on() {
    let server = Server::http(|request, wire| match request.range() {
        None => {
            broken(wire, &body(), 700_000, &[]);
            stall(wire);
        }
        Some(from) => rest(wire, &body(), from),
    });
    let bench = Bench::new(&[&server.url]);
    let source = source(&body());
    let cache = bench.options.cache.root().to_str().unwrap();
    let variables = [("MIRROR", &*server.url), ("CACHE", cache)];
    let mut child = process("process_that_fetches", &variables);
    let part = bench.stored(&source, ".part");
    let arrived = || part.metadata().map_or(0, |metadata| metadata.len());
    while arrived() < 700_000 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(1));
    }
    // SIGKILL: nothing can be tidied up.
    child.kill().unwrap();
    child.wait().unwrap();
    let fetched = bench.fetch(&source).unwrap();
    assert_eq!(fs::read(fetched.path()).unwrap(), body());
    assert_eq!(server.requests()[1].range(), Some(700_000));
}

const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fetch/tls/loopback.pem");

#[test]
fn certificates_are_those_of_the_platform() {
    let server = Server::https(|_, wire| whole(wire, &body()));
    let bench = Bench::new(&[]);
    let cache = bench.options.cache.root().to_str().unwrap();
    let variables = [("MIRROR", &*server.url), ("CACHE", cache)];
    let trusted = [&variables[..], &[("SSL_CERT_FILE", CERTIFICATE)]].concat();
    output(process("process_that_fetches", &trusted));
    assert_eq!(server.requests().len(), 1);

    let bench = Bench::new(&[&server.url]);
    let error = bench.fetch(&source(&body())).unwrap_err().to_string();
    assert!(
        error.contains("pool/a: TLS: invalid peer certificate"),
        "{error}"
    );
    assert!(
        error.contains("pool/b: TLS: invalid peer certificate"),
        "{error}"
    );
    assert_eq!(server.requests().len(), 1);
}

// Guards: N2.
#[test]
fn a_redirect_from_https_to_http_is_refused() {
    let plain = Server::http(|_, wire| whole(wire, &body()));
    let elsewhere = plain.url.clone();
    let server = Server::https(move |request, wire| match &*request.path {
        "/pool/a" => empty(wire, "302 Found", &[("location", &elsewhere)]),
        _ => whole(wire, &body()),
    });
    let bench = Bench::new(&[]);
    let cache = bench.options.cache.root().to_str().unwrap();
    let variables = [
        ("MIRROR", &*server.url),
        ("CACHE", cache),
        ("SSL_CERT_FILE", CERTIFICATE),
    ];
    let said = output(process("process_that_fetches", &variables));
    assert!(
        said.contains("pool/a: redirected from https to http"),
        "{said}"
    );
    assert_eq!(server.paths(), ["/pool/a", "/pool/b"]);
    assert!(plain.requests().is_empty());
}
