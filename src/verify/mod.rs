//! Trust: who must have signed a source, and whether they did.
//!
//! `keys/` holds all that is needed: the signers' certificates, the policy
//! (`trust.toml`) and upstream's signatures (`evidence/`). No key server, no keyring and
//! no network has a say. The documents followed are RFC 9580 (OpenPGP) and, for what it
//! leaves to policy, `trust.toml`'s own comments.

mod archive;
mod armor;
mod ask;
mod certificate;
mod checksums;
mod cleartext;
mod directory;
mod dsc;
mod error;
mod evidence;
mod git;
mod git_host;
mod judge;
mod minisign;
mod minisign_key;
mod owner;
mod policy;
mod policy_file;
mod refresh;
mod report;
mod revocation;
mod signature;
mod status;
mod tag;
mod verdict;
mod verified;

pub use archive::verify_packages;
pub use ask::{Asked, ask, forget};
pub use directory::{Directory, directories};
pub use error::Error;
pub(crate) use git::blob;
pub use judge::{judge, judge_bytes};
pub use owner::{Statement, Validity};
pub use policy::TrustPolicy;
pub use refresh::{Answer, Pinned, Refreshed, keep, refresh};
pub use report::Report;
pub use status::{Status, Weakness};
pub use verdict::{Conclusion, JudgedSignature, Verdict};
pub use verified::{Verified, listed, verify};

/// Reads any bytes as armor and what is in it as signatures, for [`crate::fuzzing`].
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz_armor(bytes: &[u8]) {
    use sequoia_openpgp::armor::Kind;
    for kind in [Kind::Signature, Kind::PublicKey] {
        let _ = armor::blocks(std::path::Path::new("armor"), bytes, kind);
    }
}

/// Looks for a file in any bytes taken as a list of checksums, for [`crate::fuzzing`].
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz_checksums(bytes: &[u8]) {
    let _ = checksums::listed(std::path::Path::new("list"), bytes, "tor-0.4.9.11.tar.gz");
}

/// Reads any bytes as a signed `.dsc`, for [`crate::fuzzing`].
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz_dsc(bytes: &[u8]) {
    let path = std::path::Path::new("dsc");
    if let Ok(text) = cleartext::Cleartext::parse(path, bytes) {
        let _ = text.signed();
        let _ = dsc::require(path, &text.lines, &any_source());
    }
}

/// Reads any bytes as the objects of a tag, for [`crate::fuzzing`].
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz_git(bytes: &[u8]) {
    let path = std::path::Path::new("tag");
    if let Ok(objects) = git::Objects::parse(path, bytes) {
        let _ = objects.tag("1");
        let _ = objects.files();
    }
}

/// Some source, to be looked for.
#[cfg(any(test, fuzzing))]
fn any_source() -> crate::pins::Source {
    use crate::pins::{Evidence, Signature, Size, Source};
    Source {
        name: "zlib".to_owned(),
        version: "1".to_owned(),
        machine: None,
        file: "zlib_1.3.dfsg+really1.3.2.orig.tar.gz".to_owned(),
        digest: crate::base::digest::Digest::sha256(b""),
        size: Size::AtMost(u64::MAX),
        unpacked: 1,
        released: None,
        license: "Zlib".to_owned(),
        signature: Signature::None,
        evidence: Evidence::default(),
        patches: Vec::new(),
        origins: Vec::new(),
    }
}
