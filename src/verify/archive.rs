//! Debian's archive: its keys sign a list (`InRelease`) of indices with their digests, and an
//! index (`Packages.xz`) lists the packages with theirs. Documents: Debian's `repository
//! format`; RFC 9580, section 7, for the signature in clear text.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};

use fs_err::File;
use lzma_rust2::XzReader;

use super::judge::{Beside, conclude};
use super::policy::TrustPolicy;
use super::verdict::Verdict;
use super::verified::Verified;
use super::{Error, evidence};
use crate::fetch::Fetched;
use crate::pins::debian::Packages;

/// The name of the rule in `trust.toml`.
const RULE: &str = "debian";

/// What stands before the text that is signed, and behind it.
const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";

/// Puts the policy to packages of Debian: the archive's signature must cover the index, and the
/// index every package. `fetched` is all of `packages`, the index among them.
///
/// # Errors
/// When the signature does not pass, or the digest of one of them is another.
pub fn verify_packages(
    policy: &TrustPolicy,
    packages: &Packages,
    fetched: Vec<Fetched>,
) -> Result<Vec<Verified>, Error> {
    let path = evidence::locate(&policy.evidence, &packages.release)?;
    let broken = |what: &str| Error::Archive {
        path: path.clone(),
        what: what.to_owned(),
    };
    let release =
        String::from_utf8(evidence::list(&path)?).map_err(|_| broken("it is not text"))?;
    let (text, signature) = clear_text(&release).ok_or_else(|| broken("it is not signed text"))?;
    let signatures = evidence::parse(&path, signature.as_bytes().to_vec())?;
    let hashed = evidence::hash_bytes(text.as_bytes(), &signatures);
    let rule = policy.rule(RULE)?;
    let verdict = conclude(policy, rule, &signatures, &hashed.contexts, Beside::Nothing);
    let verdict: Verdict = verdict.require(&path.display())?;

    let index = &packages.index;
    let listed = listed_index(&text, &packages.index_name);
    if listed != Some(&*index.digest.hex()) {
        return Err(broken(&format!(
            "it does not list `{}` with the pinned digest {}",
            packages.index_name, index.digest
        )));
    }
    let file = fetched.iter().find(|it| it.source().name == index.name);
    let file = file.ok_or_else(|| broken("its index was not fetched"))?;
    let opened = BufReader::new(File::open(file.path())?);
    let stanzas = read_index(BufReader::new(XzReader::new(opened, true)))?;
    for it in &fetched {
        let source = it.source();
        let listed = stanzas.get(&source.file);
        if source.name != index.name && listed != Some(&source.digest.hex()) {
            return Err(Error::Archive {
                path: file.path().to_owned(),
                what: format!(
                    "the index does not list `{}` with the pinned digest {}",
                    source.file, source.digest
                ),
            });
        }
    }
    let verified = |fetched| Verified::new(fetched, verdict.clone(), None);
    fetched.into_iter().map(verified).collect()
}

/// The signed text and its signature. Nothing may stand before the one or behind the other,
/// and only what is signed is returned: with the ends of lines that the signature covers, and
/// without the last.
fn clear_text(document: &str) -> Option<(String, &str)> {
    let rest = document.strip_prefix(BEGIN)?.strip_prefix('\n')?;
    let (headers, rest) = rest.split_once("\n\n")?;
    if !headers.lines().all(|line| line.starts_with("Hash: ")) {
        return None;
    }
    let (signed, _) = rest.split_once(&format!("\n{SIGNATURE}\n"))?;
    let signature = &rest[signed.len() + 1..];
    let mut text = String::with_capacity(signed.len());
    for line in signed.split('\n') {
        // Dashes at the start of a line are escaped; an armour line is not.
        let line = match line.strip_prefix('-') {
            Some(escaped) => escaped.strip_prefix(' ')?,
            None => line,
        };
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(line.trim_end_matches([' ', '\t', '\r']));
    }
    Some((text, signature))
}

/// The SHA-256 that a list of indices gives for `name`.
fn listed_index<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let lines = text.lines().skip_while(|line| *line != "SHA256:").skip(1);
    let mut entries = lines
        .take_while(|line| line.starts_with(' '))
        .map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let entry = entries.find(|entry| entry.len() == 3 && entry[2] == name)?;
    Some(entry[0])
}

/// The SHA-256 of every package of an index, by the name of its file without folders.
fn read_index(index: impl BufRead) -> std::io::Result<BTreeMap<String, String>> {
    let (mut packages, mut file, mut digest) = (BTreeMap::new(), None, None);
    for line in index.lines().chain([Ok(String::new())]) {
        let line = line?;
        if let Some(path) = line.strip_prefix("Filename: ") {
            file = path.rsplit('/').next().map(str::to_owned);
        } else if let Some(hex) = line.strip_prefix("SHA256: ") {
            digest = Some(hex.to_owned());
        } else if line.is_empty() {
            packages.extend(file.take().zip(digest.take()));
        }
    }
    Ok(packages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_signed_text_is_read() {
        let document = |text: &str| format!("{BEGIN}\nHash: SHA256\n\n{text}\n{SIGNATURE}\nx\n");
        for (document, text) in [
            (document("a\nb"), Some("a\nb")),
            (document("a \t\n- -b\n"), Some("a\n-b\n")),
            (document("-a"), None),
            (format!("before\n{}", document("a")), None),
            ("a\n".to_owned(), None),
            (document("a").replace("Hash", "Comment"), None),
            (format!("{BEGIN}\nHash: SHA256\n\na\n"), None),
        ] {
            let found = clear_text(&document);
            assert_eq!(found.as_ref().map(|(text, _)| &**text), text, "{document}");
            if let Some((_, signature)) = found {
                assert_eq!(signature, format!("{SIGNATURE}\nx\n"));
            }
        }
    }

    #[test]
    fn the_digest_of_an_index_is_of_the_right_section() {
        let text =
            "MD5Sum:\n 1 9 main/P\nSHA256:\n 2 9 contrib/P\n 3 9 main/P\nSHA512:\n 4 9 main/Q";
        for (name, digest) in [
            ("main/P", Some("3")),
            ("contrib/P", Some("2")),
            ("P", None),
            ("main/Q", None),
        ] {
            assert_eq!(listed_index(text, name), digest, "{name}");
        }
    }

    #[test]
    fn packages_of_an_index() {
        let index = "Package: a\nFilename: pool/a_1.deb\nSHA256: 11\n\nPackage: b\nSHA256: 22\n\n\
                     Package: c\nFilename: pool/c.deb\nSHA256: 33\n";
        let found = read_index(index.as_bytes()).unwrap();
        let expected = [("a_1.deb", "11"), ("c.deb", "33")];
        let expected = expected.map(|(file, digest)| (file.to_owned(), digest.to_owned()));
        assert_eq!(found, BTreeMap::from(expected));
    }
}
