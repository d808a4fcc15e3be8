//! What goes out with an image: the SBOM, attestations, the files of a release.

pub mod attest;
pub mod release;
pub mod sbom;
