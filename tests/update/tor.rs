//! Looking for a newer tor.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use relaysmith::base::digest::Digest;
use relaysmith::update::Version;
use sequoia_openpgp::types::{HashAlgorithm, SignatureType};

use crate::material::{Person, Recipe, armored, signed, year};
use crate::project::Project;
use crate::site::{Answer, Site, serve};

const LOG: &str = "\
Changes in version 0.4.9.15 - 2026-10-20
  Another security release.

  o Major bugfixes (security):
    - Fix a crash. TROVE-2026-044.

Changes in version 0.4.9.14 - 2026-10-06
  A small release.

Changes in version 0.4.9.11 - 2026-06-25
  Known.
";

/// A tarball of one version, with its change log.
fn tarball(version: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for name in ["ChangeLog", "configure"] {
        let mut header = tar::Header::new_ustar();
        header.set_size(LOG.len() as u64);
        header.set_mode(0o644);
        let path = format!("tor-{version}/{name}");
        builder
            .append_data(&mut header, path, LOG.as_bytes())
            .unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

fn checksum(version: &str, bytes: &[u8]) -> String {
    format!("{}  tor-{version}.tar.gz\n", Digest::sha256(bytes).hex())
}

/// Signatures over a list of checksums, made at the start of 2020 and 2021.
fn signatures(people: &[&Person], list: &str) -> Vec<u8> {
    let sign = |(person, made): (&&Person, u64)| {
        let kind = SignatureType::Binary;
        signed(
            &person.subkey,
            year(made),
            HashAlgorithm::SHA512,
            kind,
            list.as_bytes(),
        )
    };
    armored(&people.iter().zip(2020..).map(sign).collect::<Vec<_>>())
}

/// A list of releases as a web server makes it.
fn index(versions: &[&str]) -> Answer {
    let mut page = b"<html><body><h1>Index of /</h1><table>\n<a href=\"../\">Up</a>\n".to_vec();
    for version in versions {
        for ending in ["", ".sha256sum", ".sha256sum.asc"] {
            let name = format!("tor-{version}.tar.gz{ending}");
            writeln!(page, "<tr><td><a href=\"{name}\">{name}</a></td></tr>").unwrap();
        }
    }
    Answer::Whole(page)
}

/// Puts a release on a site, signed by `people`.
fn publish(site: &mut Site, version: &str, people: &[&Person]) {
    let tarball = tarball(version);
    let list = checksum(version, &tarball);
    let signatures = signatures(people, &list);
    for (ending, bytes) in [
        ("", tarball),
        (".sha256sum", list.into_bytes()),
        (".sha256sum.asc", signatures),
    ] {
        site.insert(
            format!("/tor-{version}.tar.gz{ending}"),
            Answer::Whole(bytes),
        );
    }
}

/// Two signers, the project that pins them, and a site with everything in order.
struct Scene {
    alice: Person,
    bob: Person,
    /// Whom nobody pinned.
    mallory: Person,
    project: Project,
    site: Site,
}

impl Scene {
    fn new() -> Self {
        Self::with(&Recipe::default())
    }

    /// As `new`, with a certificate of Alice's by `recipe`.
    fn with(recipe: &Recipe) -> Self {
        let (alice, bob) = (recipe.make(), Recipe::default().make());
        let mut site = Site::new();
        site.insert("/".to_owned(), index(&["0.4.8.25", "0.4.9.13", "0.4.9.15"]));
        publish(&mut site, "0.4.9.15", &[&alice, &bob]);
        Self {
            project: Project::new([&alice, &bob]),
            alice,
            bob,
            mallory: Recipe::default().make(),
            site,
        }
    }

    fn put(&mut self, path: &str, answer: Answer) {
        self.site.insert(path.to_owned(), answer);
    }

    /// Why the site is refused; the project must be as it was then.
    fn refused(&self) -> String {
        let before = self.project.files();
        let told = match self.project.update(&serve(&self.site)) {
            Ok((outlook, _)) => format!("{outlook:?}"),
            Err(told) => told,
        };
        assert!(self.project.files() == before, "{told}");
        told
    }
}

/// What the site answers for the newest version's files.
const LIST: &str = "/tor-0.4.9.15.tar.gz.sha256sum";
const SIGNATURE: &str = "/tor-0.4.9.15.tar.gz.sha256sum.asc";
const TARBALL: &str = "/tor-0.4.9.15.tar.gz";

/// Nobody signs the list: a name on it must neither cost time nor hide the release below it.
// Guards: U3.
#[test]
fn a_list_that_lies() {
    let mut scene = Scene::new();
    let bogus = ["0.4.8.25", "0.4.9.15", "0.4.9.99", "9.9.9.9"];
    scene.put("/", index(&bogus));
    let server = serve(&scene.site);
    let (outlook, _) = scene.project.update(&server).unwrap();
    assert_eq!(outlook.newer.unwrap().version.to_string(), "0.4.9.15");

    let mut scene = Scene::new();
    let many: Vec<String> = (0..14_000).map(|n| format!("0.4.8.{n}")).collect();
    let many: Vec<&str> = many
        .iter()
        .map(String::as_str)
        .chain(["0.4.9.15"])
        .collect();
    scene.put("/", index(&many));
    let server = serve(&scene.site);
    let begun = std::time::Instant::now();
    scene.project.update(&server).unwrap();
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

#[test]
fn a_newer_release_is_pinned() {
    let scene = Scene::new();
    let server = serve(&scene.site);
    let before = scene.project.files();
    let (outlook, written) = scene.project.update(&server).unwrap();
    let newer = outlook.newer.unwrap();
    assert_eq!(outlook.pinned.to_string(), "0.4.9.11");
    let changes: Vec<String> = newer
        .changes
        .iter()
        .map(|part| {
            format!(
                "{} {} {:?}",
                part.version, part.security, part.vulnerabilities
            )
        })
        .collect();
    assert_eq!(
        changes,
        [r#"0.4.9.15 true {"TROVE-2026-044"}"#, "0.4.9.14 false {}"]
    );
    let names: Vec<&str> = written
        .iter()
        .map(|path| {
            path.strip_prefix(scene.project.path())
                .unwrap()
                .to_str()
                .unwrap()
        })
        .collect();
    insta::assert_snapshot!(names.join("\n"), @r"
    keys/evidence/tor-0.4.9.15.tar.gz.sha256sum
    keys/evidence/tor-0.4.9.15.tar.gz.sha256sum.asc
    sources.toml
    ");
    // The text is what it was, with one table more and its mark elsewhere.
    let files = scene.project.files();
    let text = |files: &std::collections::BTreeMap<String, Vec<u8>>| {
        String::from_utf8(files["sources.toml"].clone()).unwrap()
    };
    let (old, new) = (text(&before), text(&files));
    let table = new
        .strip_prefix(&old.replace("default = true\n", ""))
        .unwrap();
    let bytes = tarball("0.4.9.15");
    let table = table
        .replace(&Digest::sha256(&bytes).hex(), "DIGEST")
        .replace(&format!("size = {}", bytes.len()), "size = SIZE");
    insta::assert_snapshot!(table, @r#"

    [[source]]
    name = "tor"
    version = "0.4.9.15"
    default = true
    file = "tor-0.4.9.15.tar.gz"
    sha256 = "DIGEST"
    size = SIZE
    max-unpacked = 70_000_000
    released = 2020-01-01T00:00:00Z
    license = "BSD-3-Clause"
    checksums = "tor-0.4.9.15.tar.gz.sha256sum"
    signature = "tor-0.4.9.15.tar.gz.sha256sum.asc"
    rung = "upstream"
    origins = [
        "https://dist.torproject.org/tor-0.4.9.15.tar.gz",
        "debian:pool/main/t/tor/tor_0.4.9.15.orig.tar.gz",
    ]
    "#);
    assert_eq!(files.len(), before.len() + 2);
    // What was written is what verifies.
    assert_eq!(scene.project.verdict(), "1 signed by upstream");
    let (outlook, written) = scene.project.update(&server).unwrap();
    assert!(outlook.newer.is_none() && written.is_empty());
    assert_eq!(scene.project.files(), files);
}

#[test]
fn a_pinned_release_becomes_the_default() {
    let mut scene = Scene::new();
    scene.put("/", index(&["0.4.9.13"]));
    publish(&mut scene.site, "0.4.9.13", &[&scene.alice, &scene.bob]);
    let told = scene.refused();
    let digest = Digest::sha256(&tarball("0.4.9.13")).to_string();
    insta::assert_snapshot!(told.replace(&digest, "DIGEST"), @"tor 0.4.9.13 is pinned as sha256:0491300000000000000000000000000000000000000000000000000000000000, but the signed list at http://upstream/tor-0.4.9.13.tar.gz has DIGEST");

    let path = scene.project.path().join("sources.toml");
    let text = fs_err::read_to_string(&path).unwrap();
    let pinned = text
        .lines()
        .filter(|line| line.starts_with("sha256"))
        .nth(1);
    let text = text.replace(pinned.unwrap(), &format!("sha256 = {:?}", &digest[7..]));
    fs_err::write(&path, text).unwrap();
    let (outlook, written) = scene.project.update(&serve(&scene.site)).unwrap();
    assert_eq!(outlook.newer.unwrap().version.to_string(), "0.4.9.13");
    assert_eq!(written.len(), 3);
    assert_eq!(scene.project.verdict(), "1 signed by upstream");
}

// Guards: U3.
#[test]
fn lists_that_lie() {
    let hostile = [
        ("../tor-0.4.9.99.tar.gz", "a folder above"),
        ("https://elsewhere/tor-0.4.9.99.tar.gz", "elsewhere"),
        ("tor-0.4.9.99.tar.gz/../../x", "beyond"),
        ("tor-0.4.9.99-alpha.tar.gz", "no release"),
        ("tor-0.4.9.99.tar.gz", "without a signature"),
    ];
    for (link, what) in hostile {
        let mut scene = Scene::new();
        let page = format!("<a href=\"{link}\"><a href=\"{link}.sha256sum.asc\">");
        let Answer::Whole(good) = index(&["0.4.9.15"]) else {
            panic!("a page");
        };
        scene.put("/", Answer::Whole([page.as_bytes(), &good].concat()));
        let server = serve(&scene.site);
        let (outlook, _) = scene.project.update(&server).expect(what);
        let newest: Version = outlook.newer.unwrap().version;
        assert_eq!(newest.to_string(), "0.4.9.15", "{what}");
        assert!(
            server.paths().iter().all(|path| !path.contains("99")),
            "{what}"
        );
    }
    let seen = [
        ("older than the pins", index(&["0.4.8.25", "0.4.9.12"])),
        ("without the files it names", index(&["0.4.9.99"])),
        ("empty", Answer::Whole(Vec::new())),
        (
            "something else",
            Answer::Whole(b"<html>Please log in</html>".to_vec()),
        ),
        ("endless", Answer::Endless),
        ("silent", Answer::Silence),
        ("drop by drop", Answer::Drip),
        ("half of it", Answer::Half(vec![b'a'; 1000])),
        ("in a circle", Answer::To("BASE".to_owned())),
        (
            "elsewhere, not by http",
            Answer::To("ftp://127.0.0.1/".to_owned()),
        ),
        ("missing", Answer::Status("404 Not Found")),
        ("out of order", Answer::Status("500 Internal Server Error")),
    ]
    .map(|(what, answer)| {
        let mut scene = Scene::new();
        scene.put("/", answer);
        format!("{what}\n  {}", scene.refused())
    });
    insta::assert_snapshot!(seen.join("\n"), @r"
    older than the pins
      http://upstream/ lists tor 0.4.9.12 as the newest, but 0.4.9.13 is pinned
    without the files it names
      cannot read http://upstream/tor-0.4.9.99.tar.gz.sha256sum: the server says 404 Not Found
    empty
      http://upstream/ lists no releases: expected links to tor-VERSION.tar.gz and its signed checksum
    something else
      http://upstream/ lists no releases: expected links to tor-VERSION.tar.gz and its signed checksum
    endless
      cannot read http://upstream/: it sends more than 4194304 bytes
    silent
      cannot read http://upstream/: the server stopped answering
    drop by drop
      cannot read http://upstream/: the transfer broke: the server is too slow
    half of it
      cannot read http://upstream/: the transfer broke: end of file before message length reached
    in a circle
      cannot read http://upstream/: redirected in a circle
    elsewhere, not by http
      cannot read http://upstream/: redirected to a `ftp:` address, and only http and https are followed
    missing
      cannot read http://upstream/: the server says 404 Not Found
    out of order
      cannot read http://upstream/: the server says 500 Internal Server Error
    ");
}

/// What makes a site lie.
type Spoil = Box<dyn Fn(&mut Scene)>;

// Guards: U3.
#[test]
fn releases_that_lie() {
    let html = || Answer::Whole(b"<html>Not found, but 200</html>".to_vec());
    let older = tarball("0.4.9.9");
    let cases: Vec<(&str, Spoil)> = vec![
        (
            "one signature",
            Box::new(|s| publish(&mut s.site, "0.4.9.15", &[&s.alice])),
        ),
        (
            "signed twice by one",
            Box::new(|s| publish(&mut s.site, "0.4.9.15", &[&s.alice, &s.alice])),
        ),
        (
            "signed by another",
            Box::new(|s| {
                publish(&mut s.site, "0.4.9.15", &[&s.alice, &s.mallory]);
            }),
        ),
        (
            "a signature of something else",
            Box::new(|s| {
                let signatures = signatures(&[&s.alice, &s.bob], "another list");
                s.put(SIGNATURE, Answer::Whole(signatures));
            }),
        ),
        (
            "an older release under a newer name",
            Box::new(|s| {
                let list = checksum("0.4.9.9", &tarball("0.4.9.9"));
                s.put(
                    SIGNATURE,
                    Answer::Whole(signatures(&[&s.alice, &s.bob], &list)),
                );
                s.put(LIST, Answer::Whole(list.into_bytes()));
                s.put(TARBALL, Answer::Whole(tarball("0.4.9.9")));
            }),
        ),
        (
            "an older tarball",
            Box::new(move |s| s.put(TARBALL, Answer::Whole(older.clone()))),
        ),
        ("a page for a list", Box::new(move |s| s.put(LIST, html()))),
        (
            "a page for a signature",
            Box::new(move |s| s.put(SIGNATURE, html())),
        ),
        (
            "a page for a tarball",
            Box::new(move |s| s.put(TARBALL, html())),
        ),
        (
            "half a signature file",
            Box::new(|s| {
                let Some(Answer::Whole(bytes)) = s.site.get(SIGNATURE).cloned() else {
                    panic!("a file");
                };
                let half = bytes[..bytes.len() / 2].to_vec();
                s.put(SIGNATURE, Answer::Whole(half));
            }),
        ),
        (
            "half of a signature",
            Box::new(|s| s.put(SIGNATURE, Answer::Half(vec![b'a'; 500]))),
        ),
        (
            "half of a tarball",
            Box::new(|s| s.put(TARBALL, Answer::Half(tarball("0.4.9.15")))),
        ),
        (
            "an endless list",
            Box::new(|s| s.put(LIST, Answer::Endless)),
        ),
        (
            "an endless signature",
            Box::new(|s| s.put(SIGNATURE, Answer::Endless)),
        ),
        (
            "an endless tarball",
            Box::new(|s| s.put(TARBALL, Answer::Endless)),
        ),
        ("a list in drops", Box::new(|s| s.put(LIST, Answer::Drip))),
        (
            "a tarball in drops",
            Box::new(|s| s.put(TARBALL, Answer::Drip)),
        ),
        (
            "a silent signature",
            Box::new(|s| s.put(SIGNATURE, Answer::Silence)),
        ),
        (
            "a signature in a circle",
            Box::new(|s| s.put(SIGNATURE, Answer::To(format!("BASE{}", &SIGNATURE[1..])))),
        ),
        (
            "no signature",
            Box::new(|s| s.put(SIGNATURE, Answer::Status("404 Not Found"))),
        ),
        (
            "a tarball without a change log",
            Box::new(|s| {
                let empty = GzEncoder::new(Vec::new(), Compression::fast());
                let empty = tar::Builder::new(empty)
                    .into_inner()
                    .unwrap()
                    .finish()
                    .unwrap();
                let list = checksum("0.4.9.15", &empty);
                s.put(
                    SIGNATURE,
                    Answer::Whole(signatures(&[&s.alice, &s.bob], &list)),
                );
                s.put(LIST, Answer::Whole(list.into_bytes()));
                s.put(TARBALL, Answer::Whole(empty));
            }),
        ),
    ];
    let mut seen = Vec::new();
    for (what, spoil) in cases {
        let mut scene = Scene::new();
        spoil(&mut scene);
        seen.push(format!("{what}\n  {}", shown(&scene)));
    }
    let expired = Recipe {
        expires: Some(year(2015)),
        sub_expires: Some(year(2015)),
        ..Recipe::default()
    };
    seen.push(format!(
        "an expired signer\n  {}",
        shown(&Scene::with(&expired))
    ));
    insta::assert_snapshot!(seen.join("\n"), @r"
    one signature
      tor 0.4.9.15 from http://upstream/tor-0.4.9.15.tar.gz is rejected: UPDATE/tor-0.4.9.15.tar.gz.sha256sum: signed by 1 of 2 needed (A)
    signed twice by one
      tor 0.4.9.15 from http://upstream/tor-0.4.9.15.tar.gz is rejected: UPDATE/tor-0.4.9.15.tar.gz.sha256sum: signed by 1 of 2 needed (A)
    signed by another
      tor 0.4.9.15 from http://upstream/tor-0.4.9.15.tar.gz is rejected: UPDATE/tor-0.4.9.15.tar.gz.sha256sum: signed by 1 of 2 needed (A); MALLORY: unknown signer: no certificate in keys/ has this key
    a signature of something else
      tor 0.4.9.15 from http://upstream/tor-0.4.9.15.tar.gz is rejected: UPDATE/tor-0.4.9.15.tar.gz.sha256sum: signature by A: bad: it does not match the file
    an older release under a newer name
      tor 0.4.9.15 from http://upstream/tor-0.4.9.15.tar.gz is rejected: UPDATE/tor-0.4.9.15.tar.gz.sha256sum: expected a checksum of tor-0.4.9.15.tar.gz, got those of: tor-0.4.9.9.tar.gz
    an older tarball
      no origin delivered the pinned bytes:
      tor 0.4.9.15: tor-0.4.9.15.tar.gz, at most 20000000 bytes
        http://upstream/tor-0.4.9.15.tar.gz: expected sha256:8288590919bfd39b4f8c318b198dcae05f765de4d89f72ebee2157f87eef7839, got sha256:500b66bffa4bbec969e2a9216055a6d1f2add62488d8f4c50ec47b8348c018a3
    a page for a list
      tor 0.4.9.15 from http://upstream/tor-0.4.9.15.tar.gz is rejected: UPDATE/tor-0.4.9.15.tar.gz.sha256sum: signature by A: bad: it does not match the file
    a page for a signature
      tor 0.4.9.15 from http://upstream/tor-0.4.9.15.tar.gz is rejected: UPDATE/tor-0.4.9.15.tar.gz.sha256sum.asc: holds no signature
    a page for a tarball
      no origin delivered the pinned bytes:
      tor 0.4.9.15: tor-0.4.9.15.tar.gz, at most 20000000 bytes
        http://upstream/tor-0.4.9.15.tar.gz: expected sha256:8288590919bfd39b4f8c318b198dcae05f765de4d89f72ebee2157f87eef7839, got sha256:c19d6bdeea02f16ebdb07bf20c4fec64e320f322b59a4cd0e7513d325833b514
    half a signature file
      tor 0.4.9.15 from http://upstream/tor-0.4.9.15.tar.gz is rejected: UPDATE/tor-0.4.9.15.tar.gz.sha256sum.asc: truncated: the ASCII armor does not end as it began
    half of a signature
      cannot read http://upstream/tor-0.4.9.15.tar.gz.sha256sum.asc: the transfer broke: end of file before message length reached
    half of a tarball
      no origin delivered the pinned bytes:
      tor 0.4.9.15: tor-0.4.9.15.tar.gz, at most 20000000 bytes
        http://upstream/tor-0.4.9.15.tar.gz: the transfer broke: end of file before message length reached
    an endless list
      cannot read http://upstream/tor-0.4.9.15.tar.gz.sha256sum: it sends more than 65536 bytes
    an endless signature
      cannot read http://upstream/tor-0.4.9.15.tar.gz.sha256sum.asc: it sends more than 65536 bytes
    an endless tarball
      no origin delivered the pinned bytes:
      tor 0.4.9.15: tor-0.4.9.15.tar.gz, at most 20000000 bytes
        http://upstream/tor-0.4.9.15.tar.gz: expected at most 20000000 bytes
    a list in drops
      cannot read http://upstream/tor-0.4.9.15.tar.gz.sha256sum: the transfer broke: the server is too slow
    a tarball in drops
      no origin delivered the pinned bytes:
      tor 0.4.9.15: tor-0.4.9.15.tar.gz, at most 20000000 bytes
        http://upstream/tor-0.4.9.15.tar.gz: the transfer broke: the server is too slow
    a silent signature
      cannot read http://upstream/tor-0.4.9.15.tar.gz.sha256sum.asc: the server stopped answering
    a signature in a circle
      cannot read http://upstream/tor-0.4.9.15.tar.gz.sha256sum.asc: redirected in a circle
    no signature
      cannot read http://upstream/tor-0.4.9.15.tar.gz.sha256sum.asc: the server says 404 Not Found
    a tarball without a change log
      failed to open file `UPDATE/tree/ChangeLog`: No such file or directory (os error 2)
    an expired signer
      tor 0.4.9.15 from http://upstream/tor-0.4.9.15.tar.gz is rejected: UPDATE/tor-0.4.9.15.tar.gz.sha256sum: signed by 1 of 2 needed (B); A: stale: our copy says the key expired on 2015-01-01 (not allowed)
    ");
}

/// Why the site is refused, without what differs from run to run.
fn shown(scene: &Scene) -> String {
    let told = scene.refused();
    let folder = format!("{}/cache/update/", scene.project.path().display());
    let mut parts = told.split(&folder);
    let first = parts.next().unwrap().to_owned();
    // The name of the folder in it is made up.
    let rest = parts.map(|part| format!("UPDATE/{}", part.split_once('/').unwrap().1));
    let told = first + &rest.collect::<String>();
    // How many bytes more than enough came is up to the system.
    let told = told.split(", got 200").next().unwrap();
    let key = scene.mallory.subkey.public().fingerprint().to_hex();
    told.replace(&key, "MALLORY")
}
