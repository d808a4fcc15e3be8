//! Signed git tags made on the spot, one lie a row.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use insta::assert_snapshot;
use relaysmith::base::digest::Digest;
use relaysmith::fetch::Fetched;
use relaysmith::pins::{Evidence, Rung, Signature, Size, Source, Tag};
use relaysmith::unpack::unpack;
use relaysmith::verify::{Error, TrustPolicy, Verified, verify};
use sequoia_openpgp::types::{HashAlgorithm, SignatureType};

use crate::material::{Keys, Person, Recipe, armored, signed, thing, year};

/// The files of the tarball, without its top folder.
const FILES: [(&str, &str); 4] = [
    ("PKG-INFO", "made by a program\n"),
    ("a.py", "print(1)\n"),
    ("b/c.py", "print(2)\n"),
    ("b/d.py", "print(3)\n"),
];

/// The name of an object.
fn id(kind: &str, bytes: &[u8]) -> [u8; 20] {
    let mut hash = sha1collisiondetection::Sha1CD::default();
    hash.update(format!("{kind} {}\0", bytes.len()));
    hash.update(bytes);
    hash.finalize_cd().unwrap().into()
}

fn hex(id: &[u8; 20]) -> String {
    id.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Objects as `git cat-file --batch` prints them.
#[derive(Default)]
struct Objects(Vec<u8>);

impl Objects {
    fn add(&mut self, kind: &str, bytes: &[u8]) -> [u8; 20] {
        let id = id(kind, bytes);
        self.0
            .extend(format!("{} {kind} {}\n", hex(&id), bytes.len()).bytes());
        self.0.extend(bytes);
        self.0.push(b'\n');
        id
    }

    /// A tree with these entries: mode, name and what it is.
    fn tree(&mut self, entries: &[(&str, &str, [u8; 20])]) -> [u8; 20] {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend(format!("{mode} {name}\0").bytes());
            bytes.extend(id);
        }
        self.add("tree", &bytes)
    }

    fn commit(&mut self, tree: &[u8; 20]) -> [u8; 20] {
        let text = format!("tree {}\nauthor A <a@b> 1 +0000\n\nhello\n", hex(tree));
        self.add("commit", text.as_bytes())
    }
}

fn blob(text: &str) -> [u8; 20] {
    id("blob", text.as_bytes())
}

/// The usual tree: all files but PKG-INFO.
fn usual(objects: &mut Objects) -> [u8; 20] {
    let b = objects.tree(&[
        ("100644", "c.py", blob("print(2)\n")),
        ("100755", "d.py", blob("print(3)\n")),
    ]);
    objects.tree(&[("100644", "a.py", blob("print(1)\n")), ("40000", "b", b)])
}

/// What comes before the signature of a tag of `commit`.
fn text(commit: &[u8; 20]) -> String {
    format!(
        "object {}\ntype commit\ntag 1\ntagger A <a@b> 1 +0000\n\nrelease 1\n",
        hex(commit)
    )
}

fn signature(person: &Person, hash: HashAlgorithm, text: &str) -> String {
    let kind = SignatureType::Binary;
    let signature = signed(&person.subkey, year(2020), hash, kind, text.as_bytes());
    String::from_utf8(armored([&signature])).unwrap()
}

/// A tag of a tree that `tree` makes, and what `tagged` makes of its text.
fn made(tree: impl Fn(&mut Objects) -> [u8; 20], tagged: impl Fn(&str) -> String) -> Vec<u8> {
    let mut objects = Objects::default();
    let tree = tree(&mut objects);
    let commit = objects.commit(&tree);
    objects.add("tag", tagged(&text(&commit)).as_bytes());
    objects.0
}

/// The tarball: a gzip of a tar with `files` below `thing-1/`, each by its kind.
fn tarball(files: &[(&str, &str, tar::EntryType)]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    for (name, content, kind) in files {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        let name = format!("thing-1/{name}");
        if *kind == tar::EntryType::Symlink {
            header.set_size(0);
            archive.append_link(&mut header, name, content).unwrap();
        } else {
            header.set_size(content.len() as u64);
            archive
                .append_data(&mut header, name, content.as_bytes())
                .unwrap();
        }
    }
    archive.into_inner().unwrap().finish().unwrap()
}

fn plain(files: &[(&'static str, &'static str)]) -> Vec<u8> {
    let files = files
        .iter()
        .map(|(name, content)| (*name, *content, tar::EntryType::Regular));
    tarball(&files.collect::<Vec<_>>())
}

struct Scene {
    alice: Person,
    bob: Person,
    keys: Keys,
}

impl Scene {
    fn new() -> Self {
        let (alice, bob) = (Recipe::default().make(), Recipe::default().make());
        let keys = Keys::pin(&[&alice, &bob], 1).only_a();
        Self { alice, bob, keys }
    }

    fn good(&self, text: &str) -> String {
        text.to_owned() + &signature(&self.alice, HashAlgorithm::SHA512, text)
    }

    fn pin(&self, archive: &[u8], generated: &[&str]) -> Source {
        Source {
            digest: Digest::sha256(archive),
            size: Size::Exactly(archive.len() as u64),
            unpacked: 100_000,
            evidence: Evidence {
                rung: Rung::Tag,
                tag: Some(Tag {
                    objects: "thing.tag".to_owned(),
                    name: "1".to_owned(),
                    origins: Vec::new(),
                    generated: generated.iter().map(ToString::to_string).collect(),
                }),
                ..Evidence::default()
            },
            ..thing(Signature::None)
        }
    }

    fn verified(
        &self,
        objects: &[u8],
        archive: &[u8],
        generated: &[&str],
    ) -> Result<Verified, Error> {
        self.keys.evidence("thing.tag", objects);
        let path = self.keys.dir.path().join("thing-1.tar.gz");
        fs_err::write(&path, archive).unwrap();
        let source = Arc::new(self.pin(archive, generated));
        verify(&self.policy(), Fetched::check(&source, &path).unwrap())
    }

    fn policy(&self) -> TrustPolicy {
        self.keys.policy().unwrap()
    }

    fn seen(&self, objects: &[u8], archive: &[u8], generated: &[&str]) -> String {
        let result = self.verified(objects, archive, generated);
        let shown = self.keys.shown(result.as_ref().map(Verified::verdict));
        // Names of objects change with the signatures, which are new each time.
        let words = shown.split(' ').map(|word| {
            let hex = word.len() == 40 && word.bytes().all(|b| b.is_ascii_hexdigit());
            if hex { "ID" } else { word }
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

#[test]
fn what_the_tag_says() {
    let scene = Scene::new();
    let good = |text: &str| scene.good(text);
    let with = |change: &dyn Fn(&str) -> String| made(usual, |text| good(&change(text)));
    let ordinary = made(usual, good);
    let twice = |text: &str| {
        let signed = good(text);
        format!("{signed}{}", &signed[text.len()..])
    };
    let mut tag_of_tag = Objects::default();
    let tree = usual(&mut tag_of_tag);
    let commit = tag_of_tag.commit(&tree);
    let inner = good(&text(&commit));
    let inner_id = id("tag", inner.as_bytes());
    let outer = text(&inner_id).replace("type commit", "type tag");
    tag_of_tag.add("tag", good(&outer).as_bytes());
    let rows = [
        ("as it should be", ordinary.clone()),
        (
            "another version's",
            with(&|text| text.replace("tag 1\n", "tag 1.1\n")),
        ),
        (
            "its name in the message alone",
            with(&|text| text.replace("tag 1\n", "tag 2\n") + "\ntag 1\n"),
        ),
        ("no name", with(&|text| text.replace("tag 1\n", ""))),
        (
            "of a tree",
            with(&|text| text.replace("type commit", "type tree")),
        ),
        (
            "its type in the message alone",
            with(&|text| text.replace("type commit\n", "") + "\ntype commit\n"),
        ),
        ("of a tag", tag_of_tag.0),
        ("not signed", made(usual, str::to_owned)),
        (
            "signed by somebody else",
            made(usual, |text| {
                text.to_owned() + &signature(&scene.bob, HashAlgorithm::SHA512, text)
            }),
        ),
        (
            "signed with SHA-1",
            made(usual, |text| {
                text.to_owned() + &signature(&scene.alice, HashAlgorithm::SHA1, text)
            }),
        ),
        (
            "the signature of another tag",
            made(usual, |text| {
                text.to_owned() + &signature(&scene.alice, HashAlgorithm::SHA512, "object")
            }),
        ),
        (
            "a line added after signing",
            made(usual, |text| {
                good(text).replace("release 1\n", "release 1\nmore\n")
            }),
        ),
        (
            "text before",
            made(usual, |text| format!("hello\n{}", good(text))),
        ),
        (
            "text after the signature",
            made(usual, |text| good(text) + "hello\n"),
        ),
        ("signed twice", made(usual, twice)),
        (
            "line ends of Windows",
            made(usual, |text| good(text).replace('\n', "\r\n")),
        ),
        (
            "a certificate for a signature",
            made(usual, |text| {
                text.to_owned() + &String::from_utf8(scene.alice.armored()).unwrap()
            }),
        ),
    ];
    let archive = plain(&FILES);
    let rows: Vec<String> = rows
        .iter()
        .map(|(name, objects)| {
            format!("{name}\n  {}", scene.seen(objects, &archive, &["PKG-INFO"]))
        })
        .collect();
    assert_snapshot!(rows.join("\n"));
}

#[test]
fn what_the_trees_say() {
    let scene = Scene::new();
    let good = |text: &str| scene.good(text);
    let a = || ("100644", "a.py", blob("print(1)\n"));
    let b = |objects: &mut Objects| {
        objects.tree(&[
            ("100644", "c.py", blob("print(2)\n")),
            ("100755", "d.py", blob("print(3)\n")),
        ])
    };
    let whole = made(usual, good);
    let first = whole.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let rows = [
        ("as it should be", whole.clone()),
        ("a tree of another name", {
            let mut objects = whole.clone();
            objects[0] = if objects[0] == b'0' { b'1' } else { b'0' };
            objects
        }),
        ("a byte of a tree changed", {
            let mut objects = whole.clone();
            objects[first] ^= 1;
            objects
        }),
        (
            "a tree missing",
            made(
                |objects| {
                    let mut elsewhere = Objects::default();
                    let b = b(&mut elsewhere);
                    objects.tree(&[a(), ("40000", "b", b)])
                },
                good,
            ),
        ),
        (
            "a file of another content",
            made(
                |objects| {
                    let b = b(objects);
                    objects.tree(&[("100644", "a.py", blob("print(0)\n")), ("40000", "b", b)])
                },
                good,
            ),
        ),
        (
            "a file missing",
            made(
                |objects| {
                    let b = b(objects);
                    objects.tree(&[("40000", "b", b)])
                },
                good,
            ),
        ),
        (
            "a link where the file is",
            made(
                |objects| {
                    let b = b(objects);
                    objects.tree(&[("120000", "a.py", blob("print(1)\n")), ("40000", "b", b)])
                },
                good,
            ),
        ),
        (
            "another repository where the file is",
            made(
                |objects| {
                    let b = b(objects);
                    objects.tree(&[("160000", "a.py", blob("print(1)\n")), ("40000", "b", b)])
                },
                good,
            ),
        ),
        (
            "a name twice",
            made(
                |objects| {
                    let b = b(objects);
                    objects.tree(&[a(), a(), ("40000", "b", b)])
                },
                good,
            ),
        ),
        (
            "a name with a slash",
            made(
                |objects| objects.tree(&[a(), ("100644", "b/c.py", blob("print(2)\n"))]),
                good,
            ),
        ),
        (
            "a name that leads up",
            made(
                |objects| {
                    let b = b(objects);
                    objects.tree(&[a(), ("40000", "..", b)])
                },
                good,
            ),
        ),
        (
            "the listed file, but another",
            made(
                |objects| {
                    let b = b(objects);
                    objects.tree(&[("100644", "PKG-INFO", blob("x\n")), a(), ("40000", "b", b)])
                },
                good,
            ),
        ),
        (
            "folders without end",
            made(
                |objects| {
                    let mut tree = usual(objects);
                    for _ in 0..40 {
                        tree = objects.tree(&[("40000", "b", tree)]);
                    }
                    tree
                },
                good,
            ),
        ),
        (
            "folders that double",
            made(
                |objects| {
                    let mut tree = objects.tree(&[]);
                    for _ in 0..30 {
                        tree = objects.tree(&[("40000", "a", tree), ("40000", "b", tree)]);
                    }
                    tree
                },
                good,
            ),
        ),
        (
            "a blob among them",
            [
                &whole[..],
                format!("{} blob 1\nx\n", hex(&blob("x"))).as_bytes(),
            ]
            .concat(),
        ),
        ("something after them", [&whole[..], b"hello\n"].concat()),
        ("a size beyond the end", {
            let text = String::from_utf8_lossy(&whole[..first]).replace("tree ", "tree 9");
            [text.as_bytes(), &whole[first..]].concat()
        }),
        ("another size", {
            let mut objects = whole.clone();
            objects.insert(first - 1, b'0');
            objects
        }),
    ];
    let archive = plain(&FILES);
    let rows: Vec<String> = rows
        .iter()
        .map(|(name, objects)| {
            format!("{name}\n  {}", scene.seen(objects, &archive, &["PKG-INFO"]))
        })
        .collect();
    assert_snapshot!(rows.join("\n"));
}

#[test]
fn what_the_tarball_holds() {
    use tar::EntryType::{Continuous, Regular, Symlink};
    let scene = Scene::new();
    let objects = made(usual, |text| scene.good(text));
    let usual: Vec<(&str, &str, tar::EntryType)> = FILES
        .iter()
        .map(|(name, content)| (*name, *content, Regular))
        .collect();
    let with = |more: &[(&'static str, &'static str, tar::EntryType)]| {
        tarball(&[&usual[..], more].concat())
    };
    let rows = [
        ("as it should be", tarball(&usual), &["PKG-INFO"][..]),
        ("a file that is not listed", tarball(&usual), &[]),
        (
            "one more file",
            with(&[("e.py", "print(4)\n", Regular)]),
            &["PKG-INFO"],
        ),
        (
            "one more, and listed",
            with(&[("e.py", "print(4)\n", Regular)]),
            &["PKG-INFO", "e.py"],
        ),
        ("fewer files", tarball(&usual[..2]), &["PKG-INFO"]),
        (
            "a file changed",
            {
                let mut files = usual.clone();
                files[1].1 = "print(0)\n";
                tarball(&files)
            },
            &["PKG-INFO"],
        ),
        (
            "a file changed, and listed",
            {
                let mut files = usual.clone();
                files[1].1 = "print(0)\n";
                tarball(&files)
            },
            &["PKG-INFO", "a.py"],
        ),
        (
            "a file twice",
            with(&[("a.py", "print(0)\n", Regular)]),
            &["PKG-INFO"],
        ),
        ("a link", with(&[("e.py", "a.py", Symlink)]), &["PKG-INFO"]),
        (
            "a link, and listed",
            with(&[("e.py", "a.py", Symlink)]),
            &["PKG-INFO", "e.py"],
        ),
        (
            "a kind of file that nobody uses",
            with(&[("e.py", "x", Continuous)]),
            &["PKG-INFO"],
        ),
        ("not an archive", b"hello".to_vec(), &["PKG-INFO"]),
        ("cut off", tarball(&usual)[..60].to_vec(), &["PKG-INFO"]),
    ];
    let rows: Vec<String> = rows
        .iter()
        .map(|(name, archive, generated)| {
            format!("{name}\n  {}", scene.seen(&objects, archive, generated))
        })
        .collect();
    assert_snapshot!(rows.join("\n"));
}

/// The files below a folder, with their content.
fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs_err::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(folder)
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                files.insert(name, fs_err::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

/// What the tag does not vouch for does not get to where compilers and packers work.
#[test]
fn what_is_unpacked_is_in_the_tag() {
    let scene = Scene::new();
    let objects = made(usual, |text| scene.good(text));
    let archive = plain(&FILES);
    let verified = scene.verified(&objects, &archive, &["PKG-INFO"]).unwrap();
    let place = tempfile::tempdir().unwrap();
    let unpacked = unpack(&verified, 0, &place.path().join("tree"), &|_| true).unwrap();
    let expected: BTreeMap<String, String> = FILES[1..]
        .iter()
        .map(|(name, content)| ((*name).to_owned(), (*content).to_owned()))
        .collect();
    assert_eq!(tree(unpacked.root()), expected);
    // Whatever evidence was reached: an image must not depend on that.
    let mut keys = Keys::pin(&[&scene.alice], 1);
    keys.rule += "digest-only = \"nobody knows\"\n";
    let path = keys.dir.path().join("thing-1.tar.gz");
    fs_err::write(&path, &archive).unwrap();
    let mut source = scene.pin(&archive, &["PKG-INFO"]);
    source.evidence.rung = Rung::Digest;
    if let Some(tag) = &mut source.evidence.tag {
        tag.origins.push("https://example.org/thing.git".to_owned());
    }
    let fetched = Fetched::check(&Arc::new(source), &path).unwrap();
    let verified = verify(&keys.policy().unwrap(), fetched).unwrap();
    assert_eq!(verified.verdict().rung(), Rung::Digest);
    let unpacked = unpack(&verified, 0, &place.path().join("again"), &|_| true).unwrap();
    assert_eq!(tree(unpacked.root()), expected);
}
