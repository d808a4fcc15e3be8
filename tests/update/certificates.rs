//! Newer copies of pinned certificates, from directories that lie.

use relaysmith::base::progress::Silent;
use relaysmith::verify::{Directory, Refreshed, TrustPolicy, keep, refresh};
use sequoia_openpgp::packet::UserID;
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::serialize::{Serialize, SerializeInto};
use sequoia_openpgp::types::{HashAlgorithm, ReasonForRevocation, SignatureType};
use sequoia_openpgp::{Cert, Packet};

use crate::material::{Person, Recipe, year};
use crate::project::Project;
use crate::server::Server;
use crate::site::{Answer, PATIENCE, Site, serve};

/// Where Alice's certificate is asked for; Bob's is nowhere.
const ADVANCED: &str = "/advanced";
const DIRECT: &str = "/direct";
const KEY_SERVER: &str = "/key-server";

struct Scene {
    alice: Person,
    project: Project,
    site: Site,
}

fn armored(cert: &Cert) -> Answer {
    Answer::Whole(cert.armored().to_vec().unwrap())
}

fn binary(cert: &Cert) -> Answer {
    Answer::Whole(cert.to_vec().unwrap())
}

/// The certificate with a later statement about its end, by `issuer`.
fn restated(person: &Person, issuer: &Person) -> Cert {
    let user = UserID::from("someone");
    let primary = person.cert.primary_key().key().clone();
    let stated = SignatureBuilder::new(SignatureType::PositiveCertification)
        .set_hash_algo(HashAlgorithm::SHA256)
        .set_signature_creation_time(year(2022))
        .unwrap()
        .sign_userid_binding(&mut issuer.primary.clone(), &primary, &user)
        .unwrap();
    let packets = [Packet::from(user), stated.into()];
    person.cert.clone().insert_packets(packets).unwrap().0
}

impl Scene {
    fn new() -> Self {
        let recipe = Recipe {
            expires: Some(year(2015)),
            ..Recipe::default()
        };
        let alice = recipe.make();
        Self {
            project: Project::new([&alice, &Recipe::default().make()]),
            alice,
            site: Site::new(),
        }
    }

    fn with(mut self, path: &str, answer: Answer) -> Self {
        self.site.insert(path.to_owned(), answer);
        self
    }

    fn policy(&self) -> TrustPolicy {
        TrustPolicy::load(&self.project.path().join("keys")).unwrap()
    }

    /// Refreshes from `server`, and says what became of Alice's certificate.
    fn refresh(&self, server: &Server) -> (Refreshed, usize) {
        let alice = self.alice.fingerprint();
        let directories = |fingerprint: &str, _: &[String]| -> Vec<Directory> {
            let at = |path: &str| format!("{}{}", server.url, &path[1..]).parse().unwrap();
            if fingerprint == alice {
                vec![vec![at(ADVANCED), at(DIRECT)], vec![at(KEY_SERVER)]]
            } else {
                Vec::new()
            }
        };
        let mut refreshed = refresh(&self.policy(), &directories, PATIENCE, &Silent).unwrap();
        let written = keep(&refreshed).unwrap();
        (refreshed.remove(0), written.len())
    }

    /// What is said, without what differs from run to run.
    fn shown(&self) -> String {
        let before = self.project.files();
        let server = serve(&self.site);
        let (refreshed, written) = self.refresh(&server);
        let changed = self.project.files() != before;
        assert_eq!(changed, written == 1);
        assert_eq!(changed, !refreshed.news.is_empty());
        // Whatever came, the certificates are still the pinned ones and hold no secrets.
        let again = self.policy().pinned().remove(0);
        assert_eq!(again.statement, refreshed.pinned.statement);
        let answers = refreshed.answers.iter();
        let answers: Vec<String> = answers
            .map(|(address, answer)| format!("{address}: {answer}"))
            .collect();
        let text = [refreshed.news.clone(), answers].concat().join("\n    ");
        text.replace(&server.url, "/")
            .replace(&self.alice.fingerprint(), "ALICE")
    }
}

/// Whoever keeps a directory can add names without end, and signatures that look like the owner's.
// Guards: K1.
#[test]
fn certificates_that_never_end() {
    let scene = Scene::new();
    let public = scene.alice.cert.clone().strip_secret_key_material();
    let bomb = |signed: bool| {
        let mut bytes = public.to_vec().unwrap();
        for number in 0_usize.. {
            let user = UserID::from(format!("\u{1b}[2J{number}"));
            Packet::from(user.clone()).serialize(&mut bytes).unwrap();
            if signed {
                // By somebody else, and valid.
                let stated = scene.alice.cert.userids().next().unwrap();
                let stated = stated.self_signatures().next().unwrap().clone();
                Packet::from(stated).serialize(&mut bytes).unwrap();
            }
            if bytes.len() > 900_000 {
                return Answer::Whole(bytes);
            }
        }
        unreachable!()
    };
    for (signed, expected) in [(false, "has it"), (true, "has more than 400 signatures")] {
        let fresh = Scene {
            alice: scene.alice.clone(),
            project: Project::new([&scene.alice, &Recipe::default().make()]),
            site: Site::new(),
        };
        let begun = std::time::Instant::now();
        let shown = fresh.with(KEY_SERVER, bomb(signed)).shown();
        assert!(shown.contains(expected), "{shown}");
        assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
    }
}

/// Long names, and signatures that say they are the owner's and belong to none of them: each is
/// tried on each, so no more are taken than can be tried in a second or two.
// Guards: K1.
#[test]
fn signatures_that_belong_nowhere() {
    let alice = Scene::new().alice;
    let mallory = Recipe::default().make();
    let sent = |names: usize| {
        let public = alice.cert.clone().strip_secret_key_material();
        let mut bytes = public.to_vec().unwrap();
        for number in 0..names {
            let user = UserID::from(format!("{number}{}", "x".repeat(1500)));
            Packet::from(user).serialize(&mut bytes).unwrap();
            let nobody = UserID::from(format!("nobody {number}"));
            let stated = SignatureBuilder::new(SignatureType::PositiveCertification)
                .set_hash_algo(HashAlgorithm::SHA512)
                .set_signature_creation_time(year(2022))
                .unwrap()
                .set_issuer_fingerprint(alice.cert.fingerprint())
                .unwrap()
                .sign_userid_binding(
                    &mut mallory.primary.clone(),
                    alice.cert.primary_key().key(),
                    &nobody,
                )
                .unwrap();
            Packet::from(stated).serialize(&mut bytes).unwrap();
        }
        assert!(bytes.len() < 1 << 20, "{}", bytes.len());
        Answer::Whole(bytes)
    };
    for (names, expected) in [(195, "has it"), (495, "has more than 400 signatures")] {
        let scene = Scene {
            alice: alice.clone(),
            project: Project::new([&alice, &Recipe::default().make()]),
            site: Site::new(),
        };
        let begun = std::time::Instant::now();
        let shown = scene.with(KEY_SERVER, sent(names)).shown();
        assert!(shown.contains(expected), "{shown}");
        assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    }
}

/// A certificate that is pinned by its fingerprint alone: what comes is taken if it has that, and
/// only what its owner signed of it.
#[test]
fn a_certificate_that_was_wanted() {
    let (other, lost) = (
        Recipe::default().make(),
        ReasonForRevocation::KeyCompromised,
    );
    let mut seen = Vec::new();
    for what in [
        "it",
        "it, with secret keys",
        "another",
        "it, revoked",
        "nothing",
        "a portal",
    ] {
        let mut scene = Scene::new();
        let public = |cert: &Cert| cert.clone().strip_secret_key_material();
        let revoked = scene.alice.clone().revoked(year(2014), lost);
        let answer = match what {
            "it" => Some(armored(&public(&scene.alice.cert))),
            "it, with secret keys" => Some(binary_with_secrets(&scene.alice.cert)),
            "another" => Some(armored(&public(&other.cert))),
            "it, revoked" => Some(armored(&public(&revoked.cert))),
            "a portal" => Some(Answer::Whole(b"<html>Please log in</html>".to_vec())),
            _ => None,
        };
        if let Some(answer) = answer {
            scene = scene.with(KEY_SERVER, answer);
        }
        let keys = scene.project.path().join("keys");
        let trust = fs_err::read_to_string(keys.join("trust.toml")).unwrap();
        let wanted = trust.replace("certificate = \"a.asc\"", "wanted = \"a.asc\"");
        fs_err::write(keys.join("trust.toml"), wanted).unwrap();
        fs_err::remove_file(keys.join("a.asc")).unwrap();
        let shown = scene.shown().replace(&other.fingerprint(), "OTHER");
        let here = keys.join("a.asc").exists();
        let own = scene.alice.subkey.public().fingerprint().to_hex();
        seen.push(format!(
            "{what}, kept: {here}\n    {}",
            shown.replace(&own, "SUBKEY")
        ));
    }
    insta::assert_snapshot!(seen.join("\n"));
}

#[test]
fn news_of_the_owner() {
    let scene = Scene::new();
    let longer = restated(&scene.alice, &scene.alice);
    let later = scene.alice.clone().with_another_subkey(&Recipe {
        sub_created: year(2023),
        ..Recipe::default()
    });
    let subkey = later.0.subkey.public().fingerprint().to_hex();
    let lost = ReasonForRevocation::KeyCompromised;
    let revoked = scene.alice.clone().revoked(year(2024), lost);
    let subkey_revoked = scene.alice.clone().subkey_revoked(year(2024), lost);
    let public = |cert: &Cert| cert.clone().strip_secret_key_material();
    let old_subkey = scene.alice.subkey.public().fingerprint().to_hex();
    let mut seen = Vec::new();
    for (what, answer) in [
        ("a later expiry", armored(&public(&longer))),
        ("the same, in binary", binary(&public(&longer))),
        ("the same, with secret keys", binary_with_secrets(&longer)),
        ("a new subkey", armored(&public(&later.0.cert))),
        ("a revocation", armored(&public(&revoked.cert))),
        ("a subkey revoked", armored(&public(&subkey_revoked.cert))),
        ("nothing new", armored(&public(&scene.alice.cert))),
    ] {
        let fresh = Scene {
            alice: scene.alice.clone(),
            project: Project::new([&scene.alice, &Recipe::default().make()]),
            site: Site::new(),
        };
        let shown = fresh.with(KEY_SERVER, answer).shown();
        let shown = shown.replace(&subkey, "NEW").replace(&old_subkey, "OLD");
        seen.push(format!("{what}\n    {shown}"));
    }
    insta::assert_snapshot!(seen.join("\n"), @r"
    a later expiry
        no expiry; before: expired on 2015-01-01
        /advanced: does not have it
        /key-server: has it
    the same, in binary
        no expiry; before: expired on 2015-01-01
        /advanced: does not have it
        /key-server: has it
    the same, with secret keys
        no expiry; before: expired on 2015-01-01
        /advanced: does not have it
        /key-server: has it
    a new subkey
        new signing subkey NEW: no expiry
        /advanced: does not have it
        /key-server: has it
    a revocation
        revoked on 2024-01-01: key material has been compromised; before: expired on 2015-01-01
        /advanced: does not have it
        /key-server: has it
    a subkey revoked
        signing subkey OLD: revoked on 2024-01-01: key material has been compromised; before: no expiry
        /advanced: does not have it
        /key-server: has it
    nothing new
        /advanced: does not have it
        /key-server: has it
    ");
}

fn binary_with_secrets(cert: &Cert) -> Answer {
    let mut bytes = Vec::new();
    cert.as_tsk().serialize(&mut bytes).unwrap();
    Answer::Whole(bytes)
}

// Guards: K1.
#[test]
fn an_older_copy_takes_nothing_away() {
    let scene = Scene::new();
    let longer = restated(&scene.alice, &scene.alice).strip_secret_key_material();
    let old = scene.alice.cert.clone().strip_secret_key_material();
    let scene = scene
        .with(ADVANCED, armored(&longer))
        .with(KEY_SERVER, armored(&old));
    assert_eq!(scene.refresh(&serve(&scene.site)).1, 1);
    let files = scene.project.files();
    let old = Site::from([(KEY_SERVER.to_owned(), armored(&old))]);
    let (refreshed, written) = scene.refresh(&serve(&old));
    assert_eq!((refreshed.news.len(), written), (0, 0));
    assert_eq!(scene.project.files(), files);
}

/// What is answered instead of somebody's certificate.
type Lie = Box<dyn Fn(&Person) -> Answer>;

// Guards: K1.
#[test]
fn answers_that_lie() {
    let mallory = Recipe::default().make();
    let public = |cert: &Cert| cert.clone().strip_secret_key_material();
    let others = public(&mallory.cert).armored().to_vec().unwrap();
    let (fingerprint, mut seen) = (mallory.fingerprint(), Vec::new());
    let lies: Vec<(&str, Lie)> = vec![
        ("another's", {
            let others = others.clone();
            Box::new(move |_| Answer::Whole(others.clone()))
        }),
        ("another's beside it", {
            let others = others.clone();
            Box::new(move |alice| Answer::Whole([others.clone(), alice.armored()].concat()))
        }),
        ("a later expiry that another signed", {
            let mallory = mallory.clone();
            Box::new(move |alice| armored(&public(&restated(alice, &mallory))))
        }),
        ("another's subkey and name", {
            let mallory = mallory.clone();
            Box::new(move |alice| {
                let subkey = mallory.cert.keys().subkeys().next().unwrap().key().clone();
                let packets = [Packet::from(UserID::from("mallory")), public_key(subkey)];
                armored(&public(
                    &alice.cert.clone().insert_packets(packets).unwrap().0,
                ))
            })
        }),
        (
            "with secret keys, armored",
            Box::new(|alice| Answer::Whole(alice.cert.as_tsk().armored().to_vec().unwrap())),
        ),
        (
            "cut off",
            Box::new(|alice| {
                let text = alice.armored();
                Answer::Whole(text[..text.len() / 2].to_vec())
            }),
        ),
        ("half sent", Box::new(|alice| Answer::Half(alice.armored()))),
        (
            "a page",
            Box::new(|_| Answer::Whole(b"<html>Hello</html>".to_vec())),
        ),
        ("noise", Box::new(|_| Answer::Whole(vec![0xff; 1000]))),
        ("nothing", Box::new(|_| Answer::Whole(Vec::new()))),
        ("endless", Box::new(|_| Answer::Endless)),
        ("drop by drop", Box::new(|_| Answer::Drip)),
        ("silence", Box::new(|_| Answer::Silence)),
        (
            "in a circle",
            Box::new(|_| Answer::To("BASEkey-server".to_owned())),
        ),
        ("missing", Box::new(|_| Answer::Status("404 Not Found"))),
        (
            "out of order",
            Box::new(|_| Answer::Status("503 Service Unavailable")),
        ),
    ];
    for (what, lie) in lies {
        let scene = Scene::new();
        let answer = lie(&scene.alice);
        let shown = scene.with(KEY_SERVER, answer).shown();
        seen.push(format!(
            "{what}\n    {}",
            shown.replace(&fingerprint, "MALLORY")
        ));
    }
    insta::assert_snapshot!(seen.join("\n"), @r"
    another's
        /advanced: does not have it
        /key-server: has another certificate, ignored: MALLORY
    another's beside it
        /advanced: does not have it
        /key-server: has it
    a later expiry that another signed
        /advanced: does not have it
        /key-server: has it
    another's subkey and name
        /advanced: does not have it
        /key-server: has it
    with secret keys, armored
        /advanced: does not have it
        /key-server: its answer is not a certificate
    cut off
        /advanced: does not have it
        /key-server: its answer is cut off
    half sent
        /advanced: does not have it
        /key-server: the transfer broke: end of file before message length reached
    a page
        /advanced: does not have it
        /key-server: its answer holds no certificate
    noise
        /advanced: does not have it
        /key-server: its answer is broken: unexpected EOF
    nothing
        /advanced: does not have it
        /key-server: its answer holds no certificate
    endless
        /advanced: does not have it
        /key-server: it sends more than 1048576 bytes
    drop by drop
        /advanced: does not have it
        /key-server: the transfer broke: the server is too slow
    silence
        /advanced: does not have it
        /key-server: the server stopped answering
    in a circle
        /advanced: does not have it
        /key-server: redirected in a circle
    missing
        /advanced: does not have it
        /key-server: does not have it
    out of order
        /advanced: does not have it
        /key-server: the server says 503 Service Unavailable
    ");
}

fn public_key(
    key: sequoia_openpgp::packet::Key<
        sequoia_openpgp::packet::key::PublicParts,
        sequoia_openpgp::packet::key::SubordinateRole,
    >,
) -> Packet {
    key.into()
}

#[test]
fn the_direct_method_is_for_domains_without_the_advanced_one() {
    let scene = Scene::new();
    let server = serve(&scene.site);
    scene.refresh(&server);
    assert_eq!(server.paths(), [ADVANCED, KEY_SERVER]);

    // Nobody listens where this listener was.
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let directories = |_: &str, _: &[String]| -> Vec<Directory> {
        let advanced = format!("http://{nowhere}{ADVANCED}").parse().unwrap();
        vec![vec![
            advanced,
            format!("{}direct", server.url).parse().unwrap(),
        ]]
    };
    let refreshed = refresh(&scene.policy(), &directories, PATIENCE, &Silent).unwrap();
    assert_eq!(server.paths()[2..], [DIRECT, DIRECT]);
    assert!(refreshed.iter().all(Refreshed::answered));

    let directories = |_: &str, _: &[String]| -> Vec<Directory> {
        vec![vec![format!("http://{nowhere}/").parse().unwrap()]]
    };
    let refreshed = refresh(&scene.policy(), &directories, PATIENCE, &Silent).unwrap();
    assert!(!refreshed.iter().any(Refreshed::answered));
}
