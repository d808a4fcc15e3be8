//! What upstream is asked for vouches for what is built, and changes nothing of it: the image is
//! the same with a network and without, the first time and the second.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use relaysmith::base::cache::Cache;
use relaysmith::base::progress::Silent;
use relaysmith::base::target::Target;
use relaysmith::build::outputs::Store;
use relaysmith::build::sandbox::engine::Engine;
use relaysmith::build::sandbox::toolchain::Toolchain;
use relaysmith::fetch::Options;
use relaysmith::image::Variant;
use relaysmith::pins::{Manifest, Rung};
use relaysmith::pipeline::{self, Request};
use sequoia_openpgp::types::{HashAlgorithm, SignatureType};

use crate::material::{Person, Recipe, armored, signed, year};
use crate::server::{Request as Asked, Server, Wire, empty, whole};
use crate::site::PATIENCE;

const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fetch/tls/loopback.pem");

fn request(project: &Path) -> Request<'_> {
    Request {
        project,
        tor_version: None,
        target: Target::X86_64,
        variant: Variant::RelayArm,
        uid: 45_553,
        jobs: 1,
        engine: Engine::Namespaces,
        root: None,
        toolchain: Toolchain::default(),
    }
}

/// Run by the test below, in a process of its own: makes the image from what is built already,
/// and prints its digest and what vouches for tor.
#[test]
#[ignore = "run by another test"]
fn process_that_makes_an_image() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let (project, cache) = (PathBuf::from(variable("PROJECT")), variable("CACHE"));
    let options = Options {
        offline: variable("OFFLINE") == "yes",
        patience: PATIENCE,
        ..Options::new(Cache::open(Some(Path::new(&cache))).unwrap())
    };
    let store = Store::open(options.cache.root()).unwrap();
    let made = pipeline::make(&request(&project), &options, &store, &Silent).unwrap();
    let rung = made.sources["tor"].verdict().rung().name();
    let line = format!("\nMADE {} {rung}\n", made.image.manifest());
    std::io::stdout().write_all(line.as_bytes()).unwrap();
}

fn made(project: &Path, cache: &Path, offline: &str) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "build::process_that_makes_an_image",
        ])
        .env("PROJECT", project)
        .env("CACHE", cache)
        .env("OFFLINE", offline)
        .env("SSL_CERT_FILE", CERTIFICATE)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().find_map(|line| line.strip_prefix("MADE "));
    let errors = String::from_utf8_lossy(&output.stderr);
    line.unwrap_or_else(|| panic!("{said}{errors}")).to_owned()
}

fn copy(from: &Path, to: &Path, how: &str) -> bool {
    let status = Command::new("cp")
        .arg(how)
        .arg(from)
        .arg(to)
        .output()
        .unwrap()
        .status;
    status.success()
}

/// A folder with what is built and downloaded on this machine, if all of it is; nothing in it is
/// changed.
fn cache(beside: &Path, repository: &Path) -> Result<PathBuf, &'static str> {
    let real = Cache::open(None).map_err(|_| "there is no cache")?;
    let store = Store::open(real.root()).map_err(|_| "there is no store")?;
    let plan = pipeline::plan(&request(repository)).unwrap();
    if !plan.steps.iter().all(|step| store.has(step)) {
        return Err("the image is not built on this machine");
    }
    let cache = beside.join("cache");
    fs_err::create_dir(&cache).unwrap();
    for folder in ["built", "downloads", "images"] {
        let from = real.root().join(folder);
        if !copy(&from, &cache, "-al") && !copy(&from, &cache, "-a") {
            return Err("what is built cannot be copied");
        }
    }
    Ok(cache)
}

/// The project with its pins and keys, but for those who sign tor, and whom to ask for that.
fn project(beside: &Path, repository: &Path, people: &[Person; 2], url: &str) -> PathBuf {
    let project = beside.join("project");
    fs_err::create_dir(&project).unwrap();
    for name in ["sources.toml", "tor-series.toml", "keys", "patches"] {
        assert!(copy(&repository.join(name), &project, "-a"));
    }
    let trust = project.join("keys/trust.toml");
    let mut text = fs_err::read_to_string(&trust).unwrap();
    for (signer, person) in ["faeroy", "goulet"].into_iter().zip(people) {
        let at = text.find(&format!("id = \"{signer}\"")).unwrap();
        let fingerprint = text[at..].split('"').nth(5).unwrap().to_owned();
        text = text.replace(
            &format!("fingerprint = \"{fingerprint}\""),
            &format!("fingerprint = \"{}\"", person.fingerprint()),
        );
        let certificate = format!("keys/{signer}-{fingerprint}.asc");
        fs_err::write(project.join(certificate), person.armored()).unwrap();
    }
    fs_err::write(trust, text).unwrap();
    let manifest = project.join("sources.toml");
    let text = fs_err::read_to_string(&manifest).unwrap();
    // All that might be asked is this one server.
    let lines = text.split_inclusive('\n').scan(false, |asks, line| {
        let begins =
            line.starts_with("evidence-origins = [") || line.starts_with("tag-origins = [");
        *asks = begins || (*asks && !line.starts_with(']'));
        let address = line.trim_start().strip_prefix("\"https://");
        let elsewhere = address.filter(|_| *asks);
        Some(elsewhere.map_or_else(
            || line.to_owned(),
            |address| {
                let path = address.split_once('/').map_or("", |(_, path)| path);
                format!("    \"{url}{path}")
            },
        ))
    });
    fs_err::write(&manifest, lines.collect::<String>()).unwrap();
    project
}

#[test]
fn a_build_is_the_same_online_and_offline() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = tempfile::tempdir().unwrap();
    let cache = match cache(beside.path(), repository) {
        Ok(cache) => cache,
        Err(why) => {
            let line = format!("SKIPPED a_build_is_the_same_online_and_offline: {why}\n");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            return;
        }
    };
    let people = [Recipe::default().make(), Recipe::default().make()];
    let manifest = Manifest::load(&repository.join("sources.toml")).unwrap();
    let tor = manifest.get("tor", None).unwrap();
    let list = format!("{}  {}\n", tor.digest.hex(), tor.file).into_bytes();
    let (hash, kind) = (HashAlgorithm::SHA512, SignatureType::Binary);
    let sign = |person: &Person| signed(&person.subkey, year(2020), hash, kind, &list);
    let signature = armored(&[sign(&people[0]), sign(&people[1])]);
    let name = format!("/{}.sha256sum", tor.file);
    let server = Server::https(
        move |asked: &Asked, wire: &mut dyn Wire| match &asked.path {
            path if *path == name => whole(wire, &list),
            path if *path == format!("{name}.asc") => whole(wire, &signature),
            _ => empty(wire, "404 Not Found", &[]),
        },
    );
    let project = project(beside.path(), repository, &people, &server.url);
    let of_tor = || {
        let paths = server.paths();
        paths
            .iter()
            .filter(|path| path.contains("sha256sum"))
            .count()
    };
    let first = made(&project, &cache, "yes");
    let (image, rung) = first.split_once(' ').unwrap();
    assert_eq!(rung, Rung::Debian.name());
    assert_eq!(server.paths(), [""; 0], "without a network nobody is asked");
    for (offline, asked) in [("no", 2), ("no", 2), ("yes", 2)] {
        let before = server.paths().len();
        assert_eq!(made(&project, &cache, offline), format!("{image} upstream"));
        assert_eq!(of_tor(), asked);
        // What nobody had is not asked for again, either.
        assert!(before == 0 || server.paths().len() == before);
    }
}
