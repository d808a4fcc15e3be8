//! Upstream's signed tag, asked for from a git host on loopback that lies.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use relaysmith::base::progress::Silent;
use relaysmith::pins::{Evidence, Rung, Signature, Source, Tag};
use relaysmith::verify::{TrustPolicy, ask};
use sequoia_openpgp::types::{HashAlgorithm, SignatureType};
use tempfile::TempDir;

use crate::material::{Person, Recipe, armored, signed, thing, year};
use crate::project::Project;
use crate::server::{Request, Server, Wire, empty, head, whole};
use crate::site::PATIENCE;

/// A repository with two files and tags of it.
struct Repository(TempDir);

fn git(folder: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("git")
        .args([
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "git {arguments:?}");
    output.stdout
}

impl Repository {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        git(folder.path(), &["init", "--quiet", "."], b"");
        fs_err::create_dir(at("b")).unwrap();
        fs_err::write(at("a.py"), "print(1)\n").unwrap();
        fs_err::write(at("b/c.py"), "print(2)\n").unwrap();
        git(folder.path(), &["add", "."], b"");
        git(folder.path(), &["commit", "--quiet", "--message", "x"], b"");
        git(
            folder.path(),
            &["config", "uploadpack.allowFilter", "true"],
            b"",
        );
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    /// Makes the tag `name`, whose own text calls it `called`, signed by `person`.
    fn tag(&self, name: &str, called: &str, person: Option<&Person>) {
        let commit = git(&self.path(), &["rev-parse", "HEAD"], b"");
        let commit = String::from_utf8(commit).unwrap();
        let mut text = format!(
            "object {}\ntype commit\ntag {called}\ntagger a <a@b> 1 +0000\n\nx\n",
            commit.trim()
        );
        if let Some(person) = person {
            let (hash, kind) = (HashAlgorithm::SHA512, SignatureType::Binary);
            let signature = signed(&person.subkey, year(2020), hash, kind, text.as_bytes());
            text += &String::from_utf8(armored([&signature])).unwrap();
        }
        let id = git(
            &self.path(),
            &["hash-object", "-t", "tag", "-w", "--stdin", "--literally"],
            text.as_bytes(),
        );
        let id = String::from_utf8(id).unwrap();
        git(
            &self.path(),
            &["update-ref", &format!("refs/tags/{name}"), id.trim()],
            b"",
        );
    }

    /// Serves it as git hosts do.
    fn serve(&self) -> Server {
        let folder = self.path();
        Server::http(move |request: &Request, wire: &mut dyn Wire| {
            let advertise = request.path.contains("/info/refs");
            let mut command = Command::new("git");
            command.args(["upload-pack", "--stateless-rpc"]);
            if advertise {
                command.arg("--advertise-refs");
            }
            command.arg(&folder);
            let protocol = request
                .field("git-protocol")
                .unwrap_or("version=0")
                .to_owned();
            let mut child = command
                .env("GIT_PROTOCOL", protocol)
                .env("GIT_CONFIG_COUNT", "1")
                .env("GIT_CONFIG_KEY_0", "safe.directory")
                .env("GIT_CONFIG_VALUE_0", "*")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            child
                .stdin
                .take()
                .unwrap()
                .write_all(&request.body)
                .unwrap();
            let mut body = child.wait_with_output().unwrap().stdout;
            let kind = match advertise {
                true => {
                    body = [b"001e# service=git-upload-pack\n0000", &body[..]].concat();
                    "application/x-git-upload-pack-advertisement"
                }
                false => "application/x-git-upload-pack-result",
            };
            let length = body.len().to_string();
            head(
                wire,
                "200 OK",
                &[("content-type", kind), ("content-length", &length)],
            );
            let _ = wire.write_all(&body);
        })
    }
}

struct Scene {
    people: [Person; 2],
    project: Project,
}

impl Scene {
    /// What comes of asking `server` for the tag `1`.
    fn asked(&self, server: &Server) -> String {
        let source = Source {
            name: "tor".to_owned(),
            evidence: Evidence {
                rung: Rung::Digest,
                tag: Some(Tag {
                    objects: "thing.tag".to_owned(),
                    name: "1".to_owned(),
                    origins: vec![format!("{}thing.git", server.url)],
                    generated: Vec::new(),
                }),
                ..Evidence::default()
            },
            ..thing(Signature::None)
        };
        let folder = tempfile::tempdir().unwrap();
        let policy = TrustPolicy::load(&self.project.path().join("keys")).unwrap();
        let wanted = [Arc::new(source)];
        let seen = match ask(&policy, &wanted, folder.path(), true, PATIENCE, &Silent) {
            Err(error) => format!("REFUSED {error}"),
            Ok(asked) => match asked[0].kept.len() {
                0 => format!("passed over: {}", asked[0].silent.join("; ")),
                _ => "kept".to_owned(),
            },
        };
        let left = fs_err::read_dir(folder.path()).unwrap();
        let left: Vec<_> = left.map(|it| it.unwrap().file_name()).collect();
        match seen.as_str() {
            "kept" => assert_eq!(left, ["thing.tag"]),
            _ => assert!(!left.contains(&"thing.tag".into()), "{seen}: {left:?}"),
        }
        let seen = seen.replace(&server.url, "http://host/");
        // Folders in between have names of their own each time.
        let words =
            seen.split(' ')
                .map(|word| match word.find(&*folder.path().to_string_lossy()) {
                    Some(_) => word.rsplit('/').next().unwrap(),
                    None => word,
                });
        words.collect::<Vec<_>>().join(" ")
    }
}

#[test]
fn what_git_hosts_send() {
    if Command::new("git").arg("--version").output().is_err() {
        let line = b"SKIPPED what_git_hosts_send: git is not installed\n";
        std::io::stderr().write_all(line).unwrap();
        return;
    }
    let people = [Recipe::default().make(), Recipe::default().make()];
    let scene = Scene {
        project: Project::new([&people[0], &people[1]]),
        people,
    };
    let trust = scene.project.path().join("keys/trust.toml");
    let text = format!(
        "version = 1\n[[signer]]\nid = \"a\"\nname = \"A\"\nfingerprint = \"{}\"\n\
         certificate = \"a.asc\"\n[[source]]\nname = \"tor\"\nsigners = [\"a\"]\nthreshold = 1\n",
        scene.people[0].fingerprint()
    );
    fs_err::write(&trust, text).unwrap();
    let [alice, bob] = &scene.people;
    let of = |name: &str, called: &str, person: Option<&Person>| {
        let repository = Repository::new();
        repository.tag(name, called, person);
        let server = repository.serve();
        scene.asked(&server)
    };
    let plain = |answer: fn(&mut dyn Wire)| {
        let server = Server::http(move |_: &Request, wire: &mut dyn Wire| answer(wire));
        scene.asked(&server)
    };
    let rows = [
        ("as it should be", of("1", "1", Some(alice))),
        ("no such tag", of("2", "2", Some(alice))),
        (
            "another version's under this name",
            of("1", "0.9", Some(alice)),
        ),
        ("not signed", of("1", "1", None)),
        ("signed by somebody else", of("1", "1", Some(bob))),
        (
            "no repository",
            plain(|wire| empty(wire, "404 Not Found", &[])),
        ),
        (
            "a portal",
            plain(|wire| whole(wire, b"<html>Please log in</html>")),
        ),
        (
            "a password",
            plain(|wire| {
                empty(
                    wire,
                    "401 Unauthorized",
                    &[("www-authenticate", "Basic realm=x")],
                );
            }),
        ),
        (
            "led to a file",
            plain(|wire| {
                empty(wire, "302 Found", &[("location", "file:///etc/passwd")]);
            }),
        ),
        (
            "nothing at all",
            plain(|wire| {
                head(
                    wire,
                    "200 OK",
                    &[(
                        "content-type",
                        "application/x-git-upload-pack-advertisement",
                    )],
                );
            }),
        ),
    ];
    let rows: Vec<String> = rows
        .iter()
        .map(|(name, seen)| {
            // What git says of it is its own.
            let seen = match seen.split_once("git says: ") {
                Some((before, _)) => format!("{before}git says why not"),
                None => seen.replace(&bob.subkey.public().fingerprint().to_hex(), "BOB"),
            };
            format!("{name}\n  {seen}")
        })
        .collect();
    insta::assert_snapshot!(rows.join("\n"));
}
