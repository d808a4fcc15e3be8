//! Signing a statement with the user's own key, which stays with the program that keeps it.

use std::io;
use std::path::{Path, PathBuf};

use duct::cmd;

use super::{Error, Statement};
use crate::base::replace;
use crate::verify::{Status, TrustPolicy, judge_bytes};

/// Where statements lie, below the repository's root: a folder for each release.
pub(super) const FOLDER: &str = "attestations";

/// How many of a program's last lines an error repeats.
const LAST_WORDS: usize = 6;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The statement.
    pub statement: PathBuf,
    /// The signature over it.
    pub signature: PathBuf,
    /// The fingerprint of the primary key.
    pub fingerprint: String,
    /// Whether `keys/attesters/` pins it, so that the statement counts for others.
    pub pinned: bool,
}

/// Has `gpg` sign the statement with `key`, a whole fingerprint, checks what it made, and
/// writes both below `root`. `attesters` are those who count.
///
/// # Errors
/// Nothing is written unless the signature is good.
pub fn sign(
    statement: &Statement,
    root: &Path,
    attesters: &TrustPolicy,
    key: &str,
    gpg: &str,
) -> Result<Signed, Error> {
    let fingerprint = whole(key)?;
    let json = statement.to_json()?;
    let make = "--armor --detach-sign --output - --local-user";
    let signature = run(gpg, "sign", make, &fingerprint, json.as_bytes())?;
    let export = "--armor --export-options export-minimal --export";
    let certificate = run(gpg, "export the certificate", export, &fingerprint, b"")?;
    check(&fingerprint, json.as_bytes(), &signature, &certificate).map_err(|why| {
        Error::Worthless {
            program: gpg.to_owned(),
            why,
        }
    })?;

    let folder = root.join(FOLDER).join(statement.release());
    let signed = Signed {
        statement: folder.join(format!("{fingerprint}.json")),
        signature: folder.join(format!("{fingerprint}.json.asc")),
        pinned: attesters.pins(&fingerprint),
        fingerprint,
    };
    // A signature never stands beside a statement that it is not over, not even if this is
    // killed: without one, a statement counts nothing.
    match fs_err::remove_file(&signed.signature) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    replace::with_bytes(&signed.statement, json.as_bytes())?;
    replace::with_bytes(&signed.signature, &signature)?;
    Ok(signed)
}

/// A fingerprint as certificates have it, from one as people copy it.
fn whole(key: &str) -> Result<String, Error> {
    let mut text: String = key.split_whitespace().collect();
    text.make_ascii_uppercase();
    let text = text.strip_prefix("0X").unwrap_or(&text);
    match [40, 64].contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        true => Ok(text.to_owned()),
        false => Err(Error::Key {
            text: key.to_owned(),
        }),
    }
}

/// Runs the program and returns what it prints. It asks for passphrases itself, by its agent.
fn run(
    program: &str,
    what: &'static str,
    options: &str,
    key: &str,
    input: &[u8],
) -> Result<Vec<u8>, Error> {
    let arguments = ["--batch"].into_iter().chain(options.split(' '));
    let output = cmd(program, arguments.chain([key]))
        .stdin_bytes(input)
        .stdout_capture()
        .stderr_capture()
        .unchecked()
        .run()
        .map_err(|why| Error::Start {
            program: program.to_owned(),
            why,
        })?;
    if output.status.success() && !output.stdout.is_empty() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.trim().lines().collect();
    let last = lines.len().saturating_sub(LAST_WORDS);
    Err(Error::Refused {
        program: program.to_owned(),
        what,
        said: lines[last..].join("\n  "),
    })
}

/// Judges the signature as others will: it must be good, by the primary key that was asked for
/// or one of its subkeys.
fn check(fingerprint: &str, data: &[u8], signature: &[u8], cert: &[u8]) -> Result<(), String> {
    let said = |error: crate::verify::Error| error.to_string();
    let exported = Path::new("its certificate");
    let policy = TrustPolicy::only(exported, cert, fingerprint, "this key").map_err(said)?;
    let made = Path::new("its signature");
    let verdict = judge_bytes(&policy, data, made, signature.to_vec()).map_err(said)?;
    match verdict.signatures() {
        [one] if one.counts && one.status == Status::Good => Ok(()),
        [one] => Err(one.to_string()),
        several => Err(format!("there are {} of them", several.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_taken_as_people_copy_it() {
        let key = "2133BC600AB133E1D826D173FE43009C4607B1FB";
        let copied = "2133 bc60 0ab1 33e1 d826  d173 fe43 009c 4607 b1fb";
        for text in [key, copied, &format!("0x{key}")] {
            assert_eq!(whole(text).unwrap(), key, "{text}");
        }
        for text in ["", "4607B1FB", "FE43009C4607B1FB", &key.replace('B', "G")] {
            assert!(whole(text).is_err(), "{text}");
        }
    }
}
