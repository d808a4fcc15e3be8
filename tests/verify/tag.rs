//! nyx's real signed tag, from a folder beside this clone: its objects are not committed.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use relaysmith::base::cache::Cache;
use relaysmith::fetch::Fetched;
use relaysmith::pins::{Evidence, Manifest, Rung, Source, Tag};
use relaysmith::verify::{TrustPolicy, Verified, verify};

/// As sources.toml lists them: what `setup.py sdist` makes and upstream's tree does not have.
const GENERATED: [&str; 9] = [
    "MANIFEST.in",
    "PKG-INFO",
    "nyx.egg-info/PKG-INFO",
    "nyx.egg-info/SOURCES.txt",
    "nyx.egg-info/dependency_links.txt",
    "nyx.egg-info/entry_points.txt",
    "nyx.egg-info/requires.txt",
    "nyx.egg-info/top_level.txt",
    "setup.cfg",
];

fn skipped(why: &str) {
    let line = format!("SKIPPED the tag of nyx 2.1.0: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// A loose object as `git cat-file --batch` prints it.
fn object(kind: &str, id: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!("{id} {kind} {}\n", bytes.len());
    [head.as_bytes(), bytes, b"\n"].concat()
}

/// The tag's objects in one file, and what each row does to them.
fn objects(folder: &Path) -> Option<Vec<u8>> {
    let tag = fs_err::read(folder.join("tag")).ok()?;
    let commit = fs_err::read(folder.join("commit")).ok()?;
    let text = String::from_utf8_lossy(&tag).into_owned();
    let of_commit = text.strip_prefix("object ")?.get(..40)?.to_owned();
    let mut all = object("tag", "TAG", &tag);
    all.extend(object("commit", &of_commit, &commit));
    for entry in fs_err::read_dir(folder.join("trees")).ok()? {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        all.extend(object("tree", &name, &fs_err::read(entry.path()).ok()?));
    }
    Some(all)
}

/// The name of an object, as git has it.
fn id(kind: &str, bytes: &[u8]) -> String {
    let mut hash = sha1collisiondetection::Sha1CD::default();
    hash.update(format!("{kind} {}\0", bytes.len()));
    hash.update(bytes);
    let digest = hash.finalize_cd().unwrap();
    digest.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// nyx's tarball, where an earlier build or fetch left it.
fn tarball(pin: &Source) -> Option<PathBuf> {
    let cache = Cache::open(None).ok()?;
    let folder = cache.root().join("downloads").join(pin.digest.algorithm());
    Some(folder.join(pin.digest.hex())).filter(|path| path.exists())
}

#[test]
fn every_file_of_nyx_is_in_its_signed_tag() {
    let repository = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folder = repository.join("../shared/test-only/nyx-2.1.0-tag");
    let folder = match folder.exists() {
        true => folder,
        false => repository.join("../../shared/test-only/nyx-2.1.0-tag"),
    };
    let Some(objects) = objects(&folder) else {
        skipped("its objects are not beside this clone");
        return;
    };
    let tag = fs_err::read(folder.join("tag")).unwrap();
    let name = id("tag", &tag);
    let mut objects = objects;
    objects.splice(..3, name.bytes());
    let manifest = Manifest::load(&repository.join("sources.toml")).unwrap();
    let pin = manifest.get("nyx", None).unwrap();
    let Some(tarball) = tarball(&pin) else {
        skipped("its tarball is not in the cache; `cargo xtask fetch nyx` brings it");
        return;
    };
    let source = |generated: &[&str]| Source {
        evidence: Evidence {
            rung: Rung::Tag,
            dsc: None,
            tag: Some(Tag {
                objects: "nyx.tag".to_owned(),
                name: "2.1.0".to_owned(),
                origins: Vec::new(),
                generated: generated.iter().map(ToString::to_string).collect(),
            }),
            ..Evidence::default()
        },
        ..Source::clone(&pin)
    };
    let evidence = tempfile::tempdir().unwrap();
    let seen = |generated: &[&str], objects: &[u8]| {
        fs_err::write(evidence.path().join("nyx.tag"), objects).unwrap();
        let now = UNIX_EPOCH + Duration::from_secs(1_795_305_600);
        let policy = TrustPolicy::load_at(&repository.join("keys"), now).unwrap();
        let policy = policy.with_evidence(evidence.path());
        let fetched = Fetched::check(&Arc::new(source(generated)), &tarball).unwrap();
        let verified = verify(&policy, fetched);
        match verified.as_ref().map(Verified::verdict) {
            Ok(verdict) => format!("{}: {}", verdict.rung(), verdict.conclusion()),
            Err(error) => error
                .to_string()
                .replace(&evidence.path().display().to_string(), "."),
        }
    };
    let changed = |from: &str, to: &str| {
        let at = objects
            .windows(from.len())
            .position(|it| it == from.as_bytes())
            .unwrap();
        let mut objects = objects.clone();
        objects.splice(at..at + from.len(), to.bytes());
        objects
    };
    let half = &objects[..objects.len() / 2];
    let rows = [
        ("as it is", seen(&GENERATED, &objects)),
        ("cut off", seen(&GENERATED, half)),
        (
            "an author changed",
            seen(&GENERATED, &changed("Damian", "Damien")),
        ),
        (
            "two tags",
            seen(&GENERATED, &[&objects[..], &objects].concat()),
        ),
        ("nothing", seen(&GENERATED, b"")),
    ];
    let rows: Vec<String> = rows
        .iter()
        .map(|(name, it)| format!("{name}\n  {it}"))
        .collect();
    insta::assert_snapshot!(rows.join("\n"));
}
