//! A relay whose master key is kept elsewhere: what it gets instead, a signing key for some weeks
//! and the certificate by which the master key vouches for it.

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::identity::{self, folder, write_private};
use crate::base::date::rfc3339;

/// What the relay needs of a directory of keys; the one that replaces the last one comes last.
const FILES: [&str; 3] = [PUBLIC, "ed25519_signing_secret_key", CERTIFICATE];
const PUBLIC: &str = "ed25519_master_id_public_key";
const CERTIFICATE: &str = "ed25519_signing_cert";

/// The master key as tor writes it, in clear or encrypted by a passphrase.
pub const MASTER: [&str; 2] = [
    "ed25519_master_id_secret_key",
    "ed25519_master_id_secret_key_encrypted",
];

/// What tor writes before the certificate, padded to 32 bytes.
const HEADER: &[u8] = b"== ed25519v1-cert: type4 ==";

/// Why a signing key cannot be read or installed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A directory that has none.
    #[error("{} has no {file}, so it does not hold a relay's signing key", place.display())]
    NoKey {
        /// The directory.
        place: PathBuf,
        /// What is missing.
        file: &'static str,
    },
    /// A certificate that tor did not write.
    #[error("{} is not the certificate of a signing key", place.display())]
    Certificate {
        /// The file.
        place: PathBuf,
    },
    /// A certificate that is of no use any more.
    #[error("the signing key in {} expired on {ended}", place.display())]
    Lapsed {
        /// The directory.
        place: PathBuf,
        /// When.
        ended: String,
    },
    /// A key of another relay than that of the data directory.
    #[error("{} belongs to another relay than {}", place.display(), data.display())]
    OtherRelay {
        /// The signing key's directory.
        place: PathBuf,
        /// The data directory.
        data: PathBuf,
    },
    /// What cannot be written or given away.
    #[error(transparent)]
    Place(#[from] identity::Error),
    /// A file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Error {
    /// What fixes it, if that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoKey { .. } => Some(
                "`cargo xtask master-key make DIR` creates one, in `DIR/for-the-relay`".to_owned(),
            ),
            Self::Lapsed { .. } => {
                Some("create a new one: `cargo xtask master-key make DIR`".to_owned())
            }
            Self::OtherRelay { .. } => Some(
                "use the directory of this relay's master key; a new relay needs an empty data \
                 directory"
                    .to_owned(),
            ),
            Self::Place(error) => error.hint(),
            _ => None,
        }
    }
}

/// A signing key, in memory.
pub struct SigningKey {
    place: PathBuf,
    files: [Vec<u8>; 3],
    ends: u64,
}

impl SigningKey {
    /// Reads that of a directory of keys.
    ///
    /// # Errors
    /// When a file is missing or is none of tor's.
    pub fn of(keys: &Path) -> Result<Self, Error> {
        let read = |file: &'static str| match fs::read(keys.join(file)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::NoKey {
                place: keys.into(),
                file,
            }),
            other => Ok(other?),
        };
        let files = [read(FILES[0])?, read(FILES[1])?, read(FILES[2])?];
        let ends = ends(&files[2]).ok_or_else(|| Error::Certificate {
            place: keys.join(CERTIFICATE),
        })?;
        Ok(Self {
            place: keys.into(),
            files,
            ends,
        })
    }

    /// When it lapses, in seconds since 1970.
    pub fn ends(&self) -> u64 {
        self.ends
    }

    /// Puts it into `keys`, for a tor that runs as `uid`.
    ///
    /// # Errors
    /// When another relay's is there, it lapsed before `now`, or it cannot be written or given to
    /// that user.
    pub fn install(&self, keys: &Path, uid: u32, now: u64) -> Result<(), Error> {
        if self.ends <= now {
            return Err(Error::Lapsed {
                place: self.place.clone(),
                ended: rfc3339(self.ends),
            });
        }
        let there = fs::read(keys.join(PUBLIC));
        if there.is_ok_and(|there| there != self.files[0]) {
            return Err(Error::OtherRelay {
                place: self.place.clone(),
                data: keys.into(),
            });
        }
        // The data directory, and the one in it.
        if let Some(data) = keys.parent() {
            folder(data, uid)?;
        }
        folder(keys, uid)?;
        for (name, bytes) in FILES.iter().zip(&self.files) {
            write_private(&keys.join(name), bytes, uid)?;
        }
        Ok(())
    }
}

/// When a certificate lapses (cert-spec: version, type, and hours since 1970).
fn ends(certificate: &[u8]) -> Option<u64> {
    let inner = certificate.get(32..38)?;
    let [1, 4, hours @ ..] = inner else {
        return None;
    };
    let hours = u32::from_be_bytes(hours.try_into().ok()?);
    certificate
        .starts_with(HEADER)
        .then_some(u64::from(hours) * 3600)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn certificate(hours: u32) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        bytes.resize(32, 0);
        bytes.extend([1, 4]);
        bytes.extend(hours.to_be_bytes());
        bytes.resize(172, 7);
        bytes
    }

    fn made(place: &Path, relay: &str, hours: u32) {
        fs::create_dir_all(place).unwrap();
        fs::write(place.join(FILES[0]), relay).unwrap();
        fs::write(place.join(FILES[1]), format!("secret {hours}")).unwrap();
        fs::write(place.join(FILES[2]), certificate(hours)).unwrap();
    }

    #[test]
    fn certificates() {
        assert_eq!(ends(&certificate(498_000)), Some(1_792_800_000));
        assert_eq!(ends(&certificate(498_000)[..37]), None);
        assert_eq!(ends(&[0; 172]), None);
    }

    #[test]
    fn it_is_renewed_and_no_other_relay_gets_it() {
        let temp = tempfile::tempdir().unwrap();
        let (elsewhere, keys) = (temp.path().join("made"), temp.path().join("data/keys"));
        let uid = rustix::process::geteuid().as_raw();
        made(&elsewhere, "one", 500_000);
        let key = SigningKey::of(&elsewhere).unwrap();
        key.install(&keys, uid, 0).unwrap();
        made(&elsewhere, "one", 500_001);
        let key = SigningKey::of(&elsewhere).unwrap();
        key.install(&keys, uid, 0).unwrap();
        assert_eq!(SigningKey::of(&keys).unwrap().ends(), 500_001 * 3600);
        let late = key.install(&keys, uid, key.ends());
        assert!(matches!(late, Err(Error::Lapsed { .. })));
        made(&elsewhere, "two", 500_002);
        let other = SigningKey::of(&elsewhere).unwrap();
        assert!(matches!(
            other.install(&keys, uid, 0),
            Err(Error::OtherRelay { .. })
        ));
        assert_eq!(SigningKey::of(&keys).unwrap().ends(), 500_001 * 3600);
        fs::remove_file(elsewhere.join(PUBLIC)).unwrap();
        assert!(matches!(
            SigningKey::of(&elsewhere),
            Err(Error::NoKey { .. })
        ));
    }
}
