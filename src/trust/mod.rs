//! Trust: who must have signed a source, and whether they did.
//!
//! `keys/` holds all that is needed: the signers' certificates, the policy
//! (`trust.toml`) and upstream's signatures (`evidence/`). No key server, no keyring and
//! no network has a say. The documents followed are RFC 9580 (OpenPGP) and, for what it
//! leaves to policy, `trust.toml`'s own comments.

mod armor;
mod certificate;
mod checksums;
mod directory;
mod error;
mod evidence;
mod owner;
mod policy;
mod policy_file;
mod refresh;
mod report;
mod signature;
mod verdict;
mod verified;

pub use directory::{Directory, directories};
pub use error::Error;
pub use owner::{Statement, Validity};
pub use policy::{TrustPolicy, Weakness};
pub use refresh::{Answer, Pinned, Refreshed, keep, refresh};
pub use report::Report;
pub use signature::Status;
pub use verdict::{Conclusion, Finding, Verdict, judge, judge_bytes};
pub use verified::{Verified, listed, verify};
