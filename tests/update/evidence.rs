//! Upstream's signed checksum, asked for from servers that lie: it is kept only if it is right.

use std::sync::Arc;

use relaysmith::base::digest::Digest;
use relaysmith::base::progress::Silent;
use relaysmith::pins::{Evidence, Manifest, Rung, Signature, Size, Source};
use relaysmith::verify::{TrustPolicy, ask};
use relaysmith::{pipeline, update};
use sequoia_openpgp::types::{HashAlgorithm, SignatureType};

use crate::material::{Person, Recipe, armored, signed, thing, year};
use crate::project::Project;
use crate::site::{Answer, PATIENCE, Site, serve};

const FILE: &str = "tor-0.4.9.15.tar.gz";
const LIST: &str = "/tor-0.4.9.15.tar.gz.sha256sum";
const SIGNATURE: &str = "/tor-0.4.9.15.tar.gz.sha256sum.asc";

struct Scene {
    people: [Person; 2],
    project: Project,
}

impl Scene {
    fn new() -> Self {
        Self::of([Recipe::default().make(), Recipe::default().make()])
    }

    fn of(people: [Person; 2]) -> Self {
        Self {
            project: Project::new([&people[0], &people[1]]),
            people,
        }
    }

    fn tarball() -> Digest {
        Digest::sha256(b"tor")
    }

    fn list(file: &str, digest: &Digest) -> Vec<u8> {
        format!("{}  {file}\n", digest.hex()).into_bytes()
    }

    fn signature(people: &[&Person], over: &[u8]) -> Answer {
        Self::signed_with(HashAlgorithm::SHA512, people, over)
    }

    fn signed_with(hash: HashAlgorithm, people: &[&Person], over: &[u8]) -> Answer {
        let sign = |person: &&Person| {
            let kind = SignatureType::Binary;
            signed(&person.subkey, year(2020), hash, kind, over)
        };
        let signatures: Vec<_> = people.iter().map(sign).collect();
        Answer::Whole(armored(&signatures))
    }

    /// What two servers, asked in order, lead to; and whether anybody is asked again.
    fn asked(&self, sites: [&Site; 2]) -> String {
        let servers = sites.map(serve);
        let source = Source {
            name: "tor".to_owned(),
            version: "0.4.9.15".to_owned(),
            file: FILE.to_owned(),
            digest: Self::tarball(),
            size: Size::AtMost(1000),
            evidence: Evidence {
                rung: Rung::Digest,
                origins: servers.iter().map(|it| it.url.clone()).collect(),
                ..Evidence::default()
            },
            ..thing(Signature::Checksum {
                checksums: LIST[1..].to_owned(),
                signature: SIGNATURE[1..].to_owned(),
            })
        };
        let folder = tempfile::tempdir().unwrap();
        let policy = TrustPolicy::load(&self.project.path().join("keys")).unwrap();
        let wanted = [Arc::new(source)];
        let once = |again| ask(&policy, &wanted, folder.path(), again, PATIENCE, &Silent);
        let text = match once(false) {
            Err(error) => format!("REFUSED {error}"),
            Ok(asked) => {
                let one = &asked[0];
                let again = once(false).unwrap();
                assert!(again.is_empty(), "nobody is asked twice");
                match one.kept.len() {
                    0 => format!("passed over: {}", one.silent.join("; ")),
                    kept => format!("{kept} files kept"),
                }
            }
        };
        let refused = text.starts_with("REFUSED");
        let left = fs_err::read_dir(folder.path()).unwrap().count();
        assert_eq!(
            left,
            if refused {
                0
            } else if text.contains("kept") {
                2
            } else {
                1
            }
        );
        let text = text.replace(&*folder.path().to_string_lossy(), "FOLDER");
        let text = servers
            .iter()
            .zip(["http://one/", "http://two/"])
            .fold(text, |text, (it, name)| text.replace(&it.url, name));
        // Folders in between have names of their own each time.
        let words = text.split(' ').map(|word| match word.find("FOLDER/") {
            Some(_) => word.rsplit('/').next().unwrap(),
            None => word,
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

fn site(list: Answer, signature: Answer) -> Site {
    Site::from([(LIST.to_owned(), list), (SIGNATURE.to_owned(), signature)])
}

#[test]
fn what_servers_send() {
    let scene = Scene::new();
    let [alice, bob] = &scene.people;
    let stranger = Recipe::default().make();
    let right = Scene::list(FILE, &Scene::tarball());
    let other = Scene::list("tor-0.4.9.14.tar.gz", &Scene::tarball());
    let wrong = Scene::list(FILE, &Digest::sha256(b"another tor"));
    let good = Scene::signature(&[alice, bob], &right);
    let older = Scene::list("tor-0.4.9.11.tar.gz", &Digest::sha256(b"old tor"));
    let both = [older.clone(), right.clone()].concat();
    let twice = [right.clone(), wrong.clone()].concat();
    let crlf = String::from_utf8(right.clone())
        .unwrap()
        .replace('\n', "\r\n")
        .into_bytes();
    let whole = |list: &[u8]| Answer::Whole(list.to_vec());
    let honest = site(whole(&right), good.clone());
    let mirror = serve(&honest);
    let nothing = Site::new();
    let portal = Answer::Whole(b"<html>Please log in</html>".to_vec());
    let elsewhere = Answer::To("http://127.0.0.1:1/".to_owned());
    let rows = [
        ("as it should be", honest.clone()),
        ("nothing there", Site::new()),
        (
            "the list alone",
            Site::from([(LIST.to_owned(), whole(&right))]),
        ),
        ("a portal", site(portal.clone(), portal)),
        ("an endless list", site(Answer::Endless, good.clone())),
        ("an endless signature", site(whole(&right), Answer::Endless)),
        ("led elsewhere", site(elsewhere.clone(), elsewhere)),
        (
            "half a signature",
            site(whole(&right), Answer::Half(vec![b'-'; 100])),
        ),
        (
            "an error",
            site(whole(&right), Answer::Status("500 Internal Server Error")),
        ),
        (
            "another file's",
            site(whole(&other), Scene::signature(&[alice, bob], &other)),
        ),
        (
            "another digest",
            site(whole(&wrong), Scene::signature(&[alice, bob], &wrong)),
        ),
        (
            "the signature of another list",
            site(whole(&wrong), good.clone()),
        ),
        (
            "one signer of two",
            site(whole(&right), Scene::signature(&[alice], &right)),
        ),
        (
            "the list of an older version",
            site(whole(&older), Scene::signature(&[alice, bob], &older)),
        ),
        (
            "both lists in one",
            site(whole(&both), Scene::signature(&[alice, bob], &both)),
        ),
        (
            "a list that says two things",
            site(whole(&twice), Scene::signature(&[alice, bob], &twice)),
        ),
        (
            "line ends of Windows",
            site(whole(&crlf), Scene::signature(&[alice, bob], &crlf)),
        ),
        (
            "one signer twice",
            site(whole(&right), Scene::signature(&[alice, alice], &right)),
        ),
        (
            "signed with SHA-1",
            site(
                whole(&right),
                Scene::signed_with(HashAlgorithm::SHA1, &[alice, bob], &right),
            ),
        ),
        (
            "led to the same elsewhere",
            site(
                Answer::To(format!("{}{}", mirror.url, &LIST[1..])),
                Answer::To(format!("{}{}", mirror.url, &SIGNATURE[1..])),
            ),
        ),
        (
            "led in a circle",
            site(Answer::To(format!("BASE{}", &LIST[1..])), good.clone()),
        ),
        (
            "led to a file of this machine",
            site(Answer::To("file:///etc/passwd".to_owned()), good.clone()),
        ),
        ("a byte now and then", site(Answer::Drip, good.clone())),
        ("silence", site(Answer::Silence, good.clone())),
        (
            "nothing in the signature",
            site(whole(&right), Answer::Whole(Vec::new())),
        ),
        (
            "a certificate for a signature",
            site(whole(&right), Answer::Whole(alice.armored())),
        ),
        (
            "another signer",
            site(whole(&right), Scene::signature(&[alice, &stranger], &right)),
        ),
    ];
    let mut seen = Vec::new();
    for (name, one) in &rows {
        let text = scene.asked([one, &nothing]);
        let text = text.replace(&stranger.subkey.public().fingerprint().to_hex(), "STRANGER");
        seen.push(format!("{name}\n  {text}"));
    }
    seen.push(format!(
        "the second has it\n  {}",
        scene.asked([&nothing, &honest])
    ));
    let ended = Recipe {
        expires: Some(year(2019)),
        ..Recipe::default()
    };
    let late = Scene::of([Recipe::default().make(), ended.make()]);
    let signed = Scene::signature(&[&late.people[0], &late.people[1]], &right);
    seen.push(format!(
        "one key had ended by then\n  {}",
        late.asked([&site(whole(&right), signed), &nothing])
    ));
    insta::assert_snapshot!(seen.join("\n"));
}

/// A signature over the file itself is judged when the file is here; what is wrong then is not
/// kept, so that whoever sent it may have something better next time.
#[test]
fn a_signature_that_does_not_match_is_not_kept() {
    let scene = Scene::new();
    let [alice, bob] = &scene.people;
    let file = b"tor".to_vec();
    let wrong = Scene::signature(&[alice, bob], b"another tor");
    let right = Scene::signature(&[alice, bob], &file);
    for (signature, accepted) in [(wrong, false), (right, true)] {
        let server = serve(&Site::from([("/tor.asc".to_owned(), signature)]));
        let options = scene.project.options();
        let folder = options.cache.directory("evidence").unwrap();
        let source = Arc::new(Source {
            name: "tor".to_owned(),
            file: "tor-1.tar.gz".to_owned(),
            digest: Digest::sha256(&file),
            size: Size::Exactly(3),
            evidence: Evidence {
                rung: Rung::Digest,
                origins: vec![server.url.clone()],
                ..Evidence::default()
            },
            ..thing(Signature::Detached {
                signature: "tor.asc".to_owned(),
            })
        });
        let here = scene.project.path().join("here");
        fs_err::create_dir_all(&here).unwrap();
        fs_err::write(here.join("tor-1.tar.gz"), &file).unwrap();
        let options = relaysmith::fetch::Options {
            source_dir: Some(here),
            ..options
        };
        let verdicts = || {
            let wanted = [Arc::clone(&source)];
            let all = pipeline::verdicts(scene.project.path(), &wanted, &options, &Silent);
            all.unwrap().remove(0).1
        };
        let verdict = verdicts();
        assert_eq!(verdict.is_ok(), accepted, "{verdict:?}");
        assert_eq!(folder.join("tor.asc").exists(), accepted);
        let asked = server.paths().len();
        assert_eq!(verdicts().is_ok(), accepted);
        // What is good is not asked for again, what was bad is.
        assert_eq!(server.paths().len(), asked + usize::from(!accepted));
        if let Ok(verified) = verdict {
            assert_eq!(verified.verdict().rung(), Rung::Upstream);
        }
    }
}

/// Nobody is asked for what nobody here could judge.
#[test]
fn without_the_certificate_nobody_is_asked() {
    let scene = Scene::new();
    let [alice, bob] = &scene.people;
    let list = Scene::list(FILE, &Scene::tarball());
    let server = serve(&site(
        Answer::Whole(list.clone()),
        Scene::signature(&[alice, bob], &list),
    ));
    let trust = scene.project.path().join("keys/trust.toml");
    let text = fs_err::read_to_string(&trust).unwrap();
    fs_err::write(
        &trust,
        text.replace("certificate = \"b.asc\"", "wanted = \"b.asc\""),
    )
    .unwrap();
    let source = Arc::new(Source {
        name: "tor".to_owned(),
        file: FILE.to_owned(),
        digest: Scene::tarball(),
        evidence: Evidence {
            origins: vec![server.url.clone()],
            ..Evidence::default()
        },
        ..thing(Signature::Checksum {
            checksums: LIST[1..].to_owned(),
            signature: SIGNATURE[1..].to_owned(),
        })
    });
    let folder = tempfile::tempdir().unwrap();
    let asked = || {
        let policy = TrustPolicy::load(&scene.project.path().join("keys")).unwrap();
        let wanted = [Arc::clone(&source)];
        let mut asked = ask(&policy, &wanted, folder.path(), true, PATIENCE, &Silent).unwrap();
        let one = asked.remove(0);
        (one.kept.len(), one.silent.join("; "))
    };
    // It is here: `wanted` says that it may be absent, not that it is.
    assert_eq!(asked(), (2, String::new()));
    for entry in fs_err::read_dir(folder.path()).unwrap() {
        fs_err::remove_file(entry.unwrap().path()).unwrap();
    }
    let before = server.paths().len();
    fs_err::remove_file(scene.project.path().join("keys/b.asc")).unwrap();
    let why = "the certificate of B is missing; `cargo xtask keys refresh` fetches it";
    assert_eq!(asked(), (0, why.to_owned()));
    assert_eq!(server.paths().len(), before);
}

/// What upstream has is written for a commit, with what it is worth.
#[test]
fn what_is_found_is_written() {
    let scene = Scene::new();
    let [alice, bob] = &scene.people;
    let list = Scene::list(FILE, &Scene::tarball());
    let honest = site(
        Answer::Whole(list.clone()),
        Scene::signature(&[alice, bob], &list),
    );
    let server = serve(&honest);
    let project = scene.project.path();
    let manifest = project.join("sources.toml");
    let pins = format!(
        "version = 1\n\n# Never available.\n[[source]]\nname = \"tor\"\nversion = \"0.4.9.15\"\n\
         file = \"{FILE}\"\nsha256 = \"{}\"\nmax-size = 1000\nmax-unpacked = 1000\n\
         license = \"MIT\"\nchecksums = \"{}\"\nsignature = \"{}\"\nrung = \"digest\"\n\
         evidence-origins = [\"https://dist.torproject.org/\"]\n\
         origins = [\"https://dist.torproject.org/{FILE}\"]\n",
        Scene::tarball().hex(),
        &LIST[1..],
        &SIGNATURE[1..],
    );
    fs_err::write(&manifest, &pins).unwrap();
    let pinned = Manifest::load(&manifest).unwrap().get("tor", None).unwrap();
    assert_eq!(
        update::lacking(project, &pinned),
        [&LIST[1..], &SIGNATURE[1..]]
    );
    let source = |url: &str| {
        let mut source = Source::clone(&pinned);
        source.evidence.origins = vec![url.to_owned()];
        [Arc::new(source)]
    };
    let options = scene.project.options();
    let silent = serve(&Site::new());
    let found = update::evidence(project, &source(&silent.url), &options, &Silent).unwrap();
    assert!(
        found.1.is_empty(),
        "nothing is written where nobody has anything"
    );
    let wrong = Scene::list(FILE, &Digest::sha256(b"another"));
    let liar = site(
        Answer::Whole(wrong.clone()),
        Scene::signature(&[alice, bob], &wrong),
    );
    let liar = serve(&liar);
    update::evidence(project, &source(&liar.url), &options, &Silent).unwrap_err();
    assert_eq!(fs_err::read_to_string(&manifest).unwrap(), pins);
    let (found, written) =
        update::evidence(project, &source(&server.url), &options, &Silent).unwrap();
    assert_eq!(found[0].rung, Some(Rung::Upstream));
    assert_eq!(written.len(), 3);
    assert_eq!(
        fs_err::read_to_string(&manifest).unwrap(),
        pins.replace("rung = \"digest\"", "rung = \"upstream\"")
    );
    assert_eq!(update::lacking(project, &pinned), [""; 0]);
}
