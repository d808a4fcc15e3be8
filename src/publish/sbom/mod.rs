//! The SBOM of an image, for machines: what it was compiled from, under which
//! licenses, who signed that, how it was patched. In two formats, SPDX 2.3 and CycloneDX 1.6.
//!
//! It is made from the plan and the verdicts alone, so that equal images have equal SBOMs. It
//! lies beside the image, or is attached to it by reference; the image does not change.

mod contents;
mod cyclonedx;
mod known;
mod purl;
mod spdx;

use std::io;
use std::path::Path;

pub use self::contents::Sbom;
use crate::base::replace;

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// SPDX 2.3 (ISO/IEC 5962 and after), as JSON.
    Spdx,
    /// CycloneDX 1.6 (ECMA-424), as JSON.
    CycloneDx,
}

impl Format {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Spdx, Self::CycloneDx];

    /// How the names of its files end.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Spdx => "spdx.json",
            Self::CycloneDx => "cdx.json",
        }
    }

    /// Its registered media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Spdx => "application/spdx+json",
            Self::CycloneDx => "application/vnd.cyclonedx+json",
        }
    }
}

impl Sbom<'_> {
    /// The SBOM in `format`, as its file has it.
    pub fn document(&self, format: Format) -> String {
        let document = match format {
            Format::Spdx => spdx::document(self),
            Format::CycloneDx => cyclonedx::document(self),
        };
        format!("{document:#}\n")
    }

    /// The name of its file in `format`: that of the loadable image, with another ending.
    pub fn file_name(&self, format: Format) -> String {
        let image = self.about.file_name();
        let stem = image.strip_suffix(".tar").unwrap_or(&image);
        format!("{stem}.{}", format.ending())
    }

    /// Writes it in both formats into the directory `dist`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, dist: &Path) -> io::Result<()> {
        for format in Format::ALL {
            let path = dist.join(self.file_name(format));
            replace::with_bytes(&path, self.document(format).as_bytes())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
