//! The password of the control port, hashed as tor wants it.

use std::fmt;
use std::str::FromStr;

use sequoia_openpgp::crypto::{Password, S2K, random};
use sequoia_openpgp::types::HashAlgorithm;

use super::Error;

/// A value of `HashedControlPassword`: `16:`, then in hexadecimal eight bytes of salt, one
/// that stands for the count, and the twenty of the key. It is OpenPGP's iterated and
/// salted S2K with SHA-1 over 64 KiB (RFC 2440, 3.6.1.3; tor's `crypto_s2k.c`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashedPassword(String);

/// Stands for 65536 bytes to hash: `(16 + 0) << (6 + 6)`.
const COUNT: u8 = 0x60;

/// What `COUNT` stands for.
const HASHED_BYTES: u32 = 1 << 16;

/// The size of a SHA-1 digest, which is the key, in bytes.
const KEY_SIZE: usize = 20;

impl HashedPassword {
    /// The longest password taken, in bytes.
    pub const LONGEST: usize = 1024;

    /// Hashes `password` with a fresh salt from the system's randomness.
    pub fn new(password: &str) -> Result<Self, Error> {
        let mut salt = [0; 8];
        random(&mut salt).map_err(|error| Error::Hashing {
            reason: error.to_string(),
        })?;
        Self::salted(password, salt)
    }

    fn salted(password: &str, salt: [u8; 8]) -> Result<Self, Error> {
        // Control characters cannot be sent in the control protocol's AUTHENTICATE.
        let reason = match password {
            "" => Some("it is empty"),
            long if long.len() > Self::LONGEST => Some("it is longer than 1024 bytes"),
            text if text.contains(char::is_control) => Some("it has a control character in it"),
            _ => None,
        };
        if let Some(reason) = reason {
            return Err(Error::Password { reason });
        }
        let s2k = S2K::Iterated {
            hash: HashAlgorithm::SHA1,
            salt,
            hash_bytes: HASHED_BYTES,
        };
        let key = s2k
            .derive_key(&Password::from(password), KEY_SIZE)
            .map_err(|error| Error::Hashing {
                reason: error.to_string(),
            })?;
        let bytes = salt.iter().chain([&COUNT]).chain(key.iter());
        let hex: String = bytes.map(|byte| format!("{byte:02X}")).collect();
        Ok(Self(format!("16:{hex}")))
    }
}

impl FromStr for HashedPassword {
    type Err = Error;

    /// Takes what `tor --hash-password` prints.
    fn from_str(text: &str) -> Result<Self, Error> {
        let hex = text.strip_prefix("16:").unwrap_or_default();
        let size = 2 * (8 + 1 + KEY_SIZE);
        if hex.len() != size || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::HashedPassword);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for HashedPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_what_tor_prints() {
        // Printed by `tor --hash-password` of tor 0.4.9.11.
        let table = [
            (
                "correct horse",
                "16:AA505C72B8458347608261C6C04831185555B4BEB69785361613FA1D96",
            ),
            (
                "correct horse",
                "16:3CC130356A0E757E60F158B26969A27CD0E19B321565FF2D7D91513E42",
            ),
            (
                "pâß €",
                "16:C42814D1C47F29A660513D9E241D936F27CD38A5655501E5B3DCB48744",
            ),
            (
                "x",
                "16:CCE62D3EDE1427F660E47C32AA413403A7FF3AEA533BF706E6DE2EEEBC",
            ),
            (
                &"a".repeat(300),
                "16:270E4B3B8DCA2426603CCF4B6B6B8498235D91A4A7F346BD6FD38E0C76",
            ),
        ];
        for (password, hashed) in table {
            let salt: Vec<u8> = (0..8)
                .map(|at| u8::from_str_radix(&hashed[3 + 2 * at..5 + 2 * at], 16).unwrap())
                .collect();
            let ours = HashedPassword::salted(password, salt.try_into().unwrap()).unwrap();
            assert_eq!(ours.to_string(), hashed);
            assert_eq!(ours, hashed.parse().unwrap());
        }
    }

    #[test]
    fn the_salt_is_fresh() {
        let hash = || HashedPassword::new("x").unwrap();
        assert_ne!(hash(), hash());
    }

    #[test]
    fn what_is_no_password() {
        for bad in ["", "a\nb", "a\0", &"a".repeat(1025)] {
            assert!(HashedPassword::new(bad).is_err(), "{bad:?}");
        }
        for bad in [
            "",
            "16:",
            "secret",
            "16:AA505C72B8458347608261C6C04831185555B4BEB69785361613FA1D9",
            "16:ZZ505C72B8458347608261C6C04831185555B4BEB69785361613FA1D96",
        ] {
            assert!(bad.parse::<HashedPassword>().is_err(), "{bad:?}");
        }
    }
}
