//! Certificates: the public keys of the signers, as they are committed in `keys/`.

use std::path::Path;

use sequoia_openpgp::Fingerprint;
use sequoia_openpgp::armor::Kind;
use sequoia_openpgp::cert::{Cert, CertParser};
use sequoia_openpgp::parse::Parse;

use super::{Error, armor};

/// The most bytes a certificate file may have. Today's have 7 kB at most; one that
/// carries a web of trust can be cut down with `gpg --export-options export-minimal`.
pub(super) const LIMIT: u64 = 256 << 10;

/// A certificate that has the fingerprint pinned for it.
#[derive(Debug, Clone)]
pub(super) struct Certificate(Cert);

impl Certificate {
    /// Reads the one armored certificate in the file, which must be `pinned` and hold no
    /// secret keys.
    pub(super) fn load(path: &Path, pinned: &Fingerprint) -> Result<Self, Error> {
        Self::parse(path, &armor::read(path, LIMIT)?, pinned)
    }

    /// As `load`, from the bytes of the file.
    pub(super) fn parse(path: &Path, bytes: &[u8], pinned: &Fingerprint) -> Result<Self, Error> {
        let blocks = match armor::blocks(path, bytes, Kind::PublicKey) {
            Err(Error::WrongArmor { found, .. }) if found == "PRIVATE KEY BLOCK" => {
                return Err(Error::SecretKey {
                    path: path.to_owned(),
                });
            }
            other => other?,
        };
        let mut certs = Vec::new();
        for block in &blocks {
            for cert in CertParser::from_bytes(block).map_err(|e| Error::malformed(path, e))? {
                certs.push(cert.map_err(|e| Error::malformed(path, e))?);
            }
        }
        let [cert] = certs.as_slice() else {
            return Err(Error::NotOneCertificate {
                path: path.to_owned(),
                found: certs.len(),
            });
        };
        if cert.is_tsk() {
            return Err(Error::SecretKey {
                path: path.to_owned(),
            });
        }
        if cert.fingerprint() != *pinned {
            return Err(Error::WrongFingerprint {
                path: path.to_owned(),
                pinned: pinned.to_hex(),
                found: cert.fingerprint().to_hex(),
            });
        }
        Ok(Self(cert.clone()))
    }

    /// The whole certificate.
    pub(super) fn cert(&self) -> &Cert {
        &self.0
    }
}
