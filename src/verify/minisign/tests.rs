use std::path::PathBuf;
use std::time::SystemTime;

use ed25519_dalek::{Signer as _, SigningKey, Verifier as _, VerifyingKey};

use super::*;

/// Base64 as RFC 4648 has it, with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, at| {
            bits << 8 | u32::from(chunk.get(at).copied().unwrap_or(0))
        });
        for at in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= chunk.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    text
}

fn unbase64(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    for chunk in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = chunk
            .iter()
            .fold(0u32, |bits, &c| bits << 6 | u32::from(digit(c)));
        let bits = bits << (6 * (4 - chunk.len()));
        bytes.extend(&bits.to_be_bytes()[1..chunk.len()]);
    }
    bytes
}

const NAME: &str = "zig-1.tar.xz";
const FILE: &[u8] = b"a compiler";

/// Somebody who signs, with the number of their key.
struct Person(SigningKey, [u8; 8]);

impl Person {
    fn new(seed: u8) -> Self {
        Self(SigningKey::from_bytes(&[seed; 32]), [seed; 8])
    }

    fn public(&self) -> String {
        base64(&[b"Ed", &self.1[..], self.0.verifying_key().as_bytes()].concat())
    }

    /// A signature over `file` with `comment`, by the format's method of today (`ED`).
    fn sign(&self, file: &[u8], comment: &str) -> String {
        let hash = minisign_hash(file);
        self.signed(b"ED", &hash, comment)
    }

    fn signed(&self, kind: &[u8; 2], over: &[u8], comment: &str) -> String {
        let signature = self.0.sign(over).to_bytes();
        let global = self.0.sign(&[&signature[..], comment.as_bytes()].concat());
        format!(
            "untrusted comment: x\n{}\ntrusted comment: {comment}\n{}\n",
            base64(&[&kind[..], &self.1, &signature].concat()),
            base64(&global.to_bytes())
        )
    }
}

fn minisign_hash(file: &[u8]) -> Vec<u8> {
    use blake2::Digest as _;
    blake2::Blake2b512::digest(file).to_vec()
}

fn policy(keys: &[&Person]) -> TrustPolicy {
    let key = |(at, person): (usize, &&Person)| {
        Key::parse(&format!("signer {at}"), &person.public()).unwrap()
    };
    let mut rule = super::super::policy::Rule::digest_only("zig", "nobody");
    rule.minisign = keys.iter().enumerate().map(key).collect();
    TrustPolicy {
        dir: PathBuf::new(),
        evidence: PathBuf::new(),
        asked: None,
        now: SystemTime::now(),
        signers: Vec::new(),
        rules: vec![rule],
    }
}

#[test]
fn what_is_signed_and_what_is_not() {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let policy = policy(&[&alice]);
    let comment = format!("timestamp:1755707121\tfile:{NAME}\thashed");
    let good = alice.sign(FILE, &comment);
    let same_number = Person(SigningKey::from_bytes(&[7; 32]), [1; 8]);
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let with = |line: usize, text: &str| {
        let mut lines = lines(&good);
        lines[line] = text.to_owned();
        lines.join("\n") + "\n"
    };
    let other = alice.sign(b"another", &comment);
    let rows = [
        ("as it should be", good.clone()),
        ("with CR LF", good.replace('\n', "\r\n")),
        (
            "another untrusted comment",
            with(0, "untrusted comment: hello"),
        ),
        (
            "another trusted comment",
            with(2, "trusted comment: timestamp:1\tfile:zig-1.tar.xz"),
        ),
        (
            "the comment of another signature",
            with(3, &lines(&other)[3]),
        ),
        ("of another file", other.clone()),
        (
            "for a file of another name",
            alice.sign(FILE, "timestamp:1\tfile:zig-2.tar.xz\thashed"),
        ),
        (
            "for a longer name",
            alice.sign(FILE, "timestamp:1\tfile:zig-1.tar.xz.old\thashed"),
        ),
        ("for no name", alice.sign(FILE, "timestamp:1\thashed")),
        ("by somebody else", bob.sign(FILE, &comment)),
        (
            "by somebody else, under the same number",
            same_number.sign(FILE, &comment),
        ),
        ("without a hash", alice.signed(b"Ed", FILE, &comment)),
        ("two signatures", good.clone() + &good),
        ("text before", format!("hello\n{good}")),
        ("text after", format!("{good}hello\n")),
        ("cut off", lines(&good)[..3].join("\n")),
        ("no base64", with(1, "????")),
    ];
    let folder = tempfile::tempdir().unwrap();
    let (file, signature) = (folder.path().join(NAME), folder.path().join("sig"));
    fs_err::write(&file, FILE).unwrap();
    let seen: Vec<String> = rows
        .iter()
        .map(|(name, text)| {
            fs_err::write(&signature, text).unwrap();
            let seen = match is_one(&signature).unwrap() {
                false => "no signature of minisign".to_owned(),
                true => match judge(&policy, &file, &signature, Some("zig")) {
                    Ok(verdict) => verdict.conclusion().to_string(),
                    Err(error) => with_cause(&error),
                },
            };
            format!(
                "{name}\n  {}",
                seen.replace(&*folder.path().to_string_lossy(), ".")
            )
        })
        .collect();
    insta::assert_snapshot!(seen.join("\n"));
}

fn with_cause(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

/// zig's own key and signatures of 0.15.1 and 0.16.0. Their tarballs are not here, but what signs
/// the trusted comments is all in the signatures.
#[test]
fn the_trusted_comments_of_real_signatures() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify/minisign");
    let keys = fs_err::read_to_string(folder.join("../../../keys/trust.toml")).unwrap();
    let text = fs_err::read_to_string(folder.join("zig.pub")).unwrap();
    let text = text.lines().nth(1).unwrap();
    assert!(keys.contains(text), "zig's key is pinned");
    let bytes = unbase64(text);
    let key = VerifyingKey::from_bytes(bytes[10..].try_into().unwrap()).unwrap();
    for (version, made) in [("0.15.1", 1_755_707_121), ("0.16.0", 1_776_173_777)] {
        let name = format!("zig-x86_64-linux-{version}.tar.xz");
        let text = fs_err::read_to_string(folder.join(format!("{name}.minisig"))).unwrap();
        let signature = Signature::decode(&text).unwrap();
        let comment = signature.trusted_comment();
        assert!(is_for(comment, &name));
        assert_eq!(
            timestamp(comment),
            Some(UNIX_EPOCH + Duration::from_secs(made))
        );
        let line = |at: usize| unbase64(text.lines().nth(at).unwrap());
        let global = ed25519_dalek::Signature::from_slice(&line(3)).unwrap();
        let signed = |comment: &str| [&line(1)[10..], comment.as_bytes()].concat();
        assert_eq!(line(1)[2..10], bytes[2..10], "made with that key");
        assert!(key.verify(&signed(comment), &global).is_ok());
        assert!(
            key.verify(&signed(&comment.replace("zig", "zag")), &global)
                .is_err()
        );
    }
}
