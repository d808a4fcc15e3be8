//! Which relays are run by the same people, so that no circuit passes two of them.

use std::fmt;
use std::str::FromStr;

use super::Error;

/// The family a public relay belongs to. Never a bridge's: it would tell where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Family {
    /// The identities of family keys, what clients since 0.4.9 go by.
    pub ids: Vec<FamilyId>,
    /// The fingerprints of the other relays, what older clients go by.
    pub relays: Vec<Fingerprint>,
}

/// The identity of a family key: an Ed25519 public key in base64, or `*` for every key that
/// lies in the key directory (tor's manual, `FamilyId`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FamilyId(String);

impl FromStr for FamilyId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // 32 bytes: 43 characters, the last of which carries four bits; tor's
        // --keygen-family leaves the padding out.
        let base64 = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
        let key = text.strip_suffix('=').unwrap_or(text);
        let last_fits = key.ends_with(|c| "AEIMQUYcgkosw048".contains(c));
        if text == "*" || (key.len() == 43 && key.bytes().all(base64) && last_fits) {
            return Ok(Self(key.to_owned()));
        }
        Err(Error::FamilyId {
            given: text.to_owned(),
        })
    }
}

impl fmt::Display for FamilyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A relay's identity fingerprint: 40 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint(String);

impl FromStr for Fingerprint {
    type Err = Error;

    /// A leading `$` is taken away, and so are blanks between digits: tor prints groups.
    fn from_str(text: &str) -> Result<Self, Error> {
        let digits: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let digits = digits.strip_prefix('$').unwrap_or(&digits);
        if digits.len() != 40 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::Fingerprint {
                given: text.to_owned(),
            });
        }
        Ok(Self(digits.to_ascii_uppercase()))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made with `tor --keygen-family`.
    const ID: &str = "gIuZU4YkmBl1kjzzulzoTQ28i8VqQhWwDgrH94aUDZU";

    #[test]
    fn identities() {
        for (given, written) in [(ID, ID), (&format!("{ID}="), ID), ("*", "*")] {
            assert_eq!(given.parse::<FamilyId>().unwrap().to_string(), written);
        }
        for bad in ["", "**", &ID[1..], &format!("{ID}A"), &ID.replace('U', "-")] {
            assert!(bad.parse::<FamilyId>().is_err(), "{bad}");
        }
        let fingerprint = "65E45DB4F4C312B8B23790937E6EB819204F67F3";
        for given in [
            fingerprint,
            &format!("${fingerprint}"),
            &fingerprint.to_lowercase(),
            "65E4 5DB4 F4C3 12B8 B237  9093 7E6E B819 204F 67F3",
        ] {
            assert_eq!(
                given.parse::<Fingerprint>().unwrap().to_string(),
                fingerprint
            );
        }
        for bad in [
            "",
            "$",
            "foo",
            &fingerprint[1..],
            &fingerprint.replace('6', "g"),
        ] {
            assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
        }
    }
}
