//! Where certificates are published: Web Key Directories, which the domain of an e-mail
//! address answers for (draft-koch-openpgp-webkey-service), and keys.openpgp.org.

use reqwest::Url;
use sequoia_openpgp::types::HashAlgorithm;

/// The key server, which answers for fingerprints alone.
const KEY_SERVER: &str = "https://keys.openpgp.org/vks/v1/by-fingerprint/";

/// The alphabet of z-base-32 (RFC 6189, section 5.1.6).
const Z_BASE_32: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";

/// The addresses of one directory. Each is asked only if no server answers for those before.
pub type Directory = Vec<Url>;

/// Where a certificate may be found by its fingerprint and its e-mail addresses.
pub fn directories(fingerprint: &str, emails: &[String]) -> Vec<Directory> {
    let key_server = Url::parse(&format!("{KEY_SERVER}{fingerprint}"));
    let of_email = emails.iter().filter_map(|email| web_key_directory(email));
    of_email
        .chain(key_server.ok().map(|address| vec![address]))
        .collect()
}

/// The advanced method and then the direct one, for an address of a plain domain.
fn web_key_directory(email: &str) -> Option<Directory> {
    let (local, domain) = email.rsplit_once('@')?;
    let domain = domain.to_ascii_lowercase();
    let letters = domain
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    let ends = domain.rsplit('.').next().unwrap_or_default();
    // Not an address of a machine, nor a name within this network.
    if !letters || !domain.contains('.') || ends.is_empty() || ends.parse::<u32>().is_ok() {
        return None;
    }
    let hash = z_base_32(&sha1(local.to_ascii_lowercase().as_bytes())?);
    let bases = [
        format!("https://openpgpkey.{domain}/.well-known/openpgpkey/{domain}/hu/{hash}"),
        format!("https://{domain}/.well-known/openpgpkey/hu/{hash}"),
    ];
    let with_local = |base: &String| {
        let mut url = Url::parse(base).ok()?;
        url.query_pairs_mut().append_pair("l", local);
        Some(url)
    };
    bases.iter().map(with_local).collect()
}

/// The SHA-1 by which the draft names files; nothing is proved by it.
fn sha1(bytes: &[u8]) -> Option<[u8; 20]> {
    let mut context = HashAlgorithm::SHA1.context().ok()?.for_digest();
    context.update(bytes);
    let mut digest = [0; 20];
    context.digest(&mut digest).ok()?;
    Some(digest)
}

/// Five bits a character; 20 bytes make 32 of them and leave none.
fn z_base_32(bytes: &[u8; 20]) -> String {
    let five = |bytes: &[u8]| -> Vec<char> {
        let bits = bytes
            .iter()
            .fold(0, |bits, &byte| bits << 8 | u64::from(byte));
        let character = |at: u32| char::from(Z_BASE_32[(bits >> (35 - 5 * at) & 31) as usize]);
        (0..8).map(character).collect()
    };
    bytes.chunks(5).flat_map(five).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_to_ask() {
        let emails = ["Joe.Doe@Example.ORG", "a+b&c@example.org"].map(str::to_owned);
        let asked: Vec<String> = directories("1C1BC007A9F607AA8152C040BEA7B180B1491921", &emails)
            .iter()
            .map(|addresses| {
                let addresses: Vec<&str> = addresses.iter().map(Url::as_str).collect();
                addresses.join("\n  or ")
            })
            .collect();
        // The first is the draft's own example.
        insta::assert_snapshot!(asked.join("\n"), @r"
        https://openpgpkey.example.org/.well-known/openpgpkey/example.org/hu/iy9q119eutrkn8s1mk4r39qejnbu3n5q?l=Joe.Doe
          or https://example.org/.well-known/openpgpkey/hu/iy9q119eutrkn8s1mk4r39qejnbu3n5q?l=Joe.Doe
        https://openpgpkey.example.org/.well-known/openpgpkey/example.org/hu/rrh5in5j1bricw7s3r7h6znq4sip1z74?l=a%2Bb%26c
          or https://example.org/.well-known/openpgpkey/hu/rrh5in5j1bricw7s3r7h6znq4sip1z74?l=a%2Bb%26c
        https://keys.openpgp.org/vks/v1/by-fingerprint/1C1BC007A9F607AA8152C040BEA7B180B1491921
        ");
    }

    #[test]
    fn addresses_without_a_directory() {
        for email in [
            "",
            "someone",
            "a@localhost",
            "a@127.0.0.1",
            "a@[::1]",
            "a@host/path",
            "a@b:80",
            "a@example.org.",
            "a@exämple.org",
            "a@b c.org",
        ] {
            assert_eq!(web_key_directory(email), None, "{email}");
        }
    }
}
