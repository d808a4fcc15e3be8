//! Where the readers of all formats bring their entries: judged, then written if wanted.

use std::io;
use std::path::Path;

use super::catalogue::{Absolute, Catalogue, Name, Symlink};
use super::error::{Error, Flaw, Rule, shown};
use super::staging::{NewFile, Staging};

/// What an archive may grow to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The most bytes that may come out of the decompressor, and that files may state.
    pub(super) bytes: u64,
    /// The most entries, with the directories that they imply.
    pub(super) entries: usize,
}

/// Chooses what is unpacked, by path from the archive's root, normalised.
pub type Keep<'a> = &'a (dyn Fn(&Path) -> bool + Sync);

/// The archive at work: its name for errors, its entries so far, the tree in the making.
pub(super) struct Intake<'a> {
    archive: &'a str,
    limits: Limits,
    keep: Keep<'a>,
    catalogue: Catalogue,
    /// The sum of the sizes stated so far.
    stated: u64,
    staging: Staging,
}

impl<'a> Intake<'a> {
    /// Begins to unpack the archive of that name to `dest`; see [`super::unpack`].
    pub(super) fn begin(
        archive: &'a str,
        limits: Limits,
        keep: Keep<'a>,
        absolute: Absolute,
        dest: &Path,
        epoch: u64,
    ) -> Result<Self, Error> {
        let staging = Staging::begin(dest, epoch).map_err(|source| Error::Write {
            archive: archive.to_owned(),
            source,
        })?;
        let staging = staging.ok_or_else(|| Error::Exists {
            path: dest.to_owned(),
        })?;
        Ok(Self {
            archive,
            limits,
            keep,
            catalogue: Catalogue::new(absolute),
            stated: 0,
            staging,
        })
    }

    /// A directory.
    pub(super) fn directory(&mut self, spelt: &[u8]) -> Result<(), Error> {
        let name = self.judge(spelt, |catalogue| catalogue.directory(spelt))?;
        if (self.keep)(name.as_path()) {
            self.staging
                .directory(name.as_str())
                .map_err(|source| self.cannot_write(source))?;
        }
        Ok(())
    }

    /// A file that states to have `size` bytes; its name if it is wanted. The directory for
    /// it is there then.
    pub(super) fn file(&mut self, spelt: &[u8], size: u64) -> Result<Option<Name>, Error> {
        let name = self.judge(spelt, |catalogue| catalogue.file(spelt))?;
        self.stated = self.stated.saturating_add(size);
        if self.stated > self.limits.bytes {
            let rule = Rule::TooLarge {
                declared: size,
                total: self.stated,
                limit: self.limits.bytes,
            };
            return Err(self.refused(spelt, rule));
        }
        if !(self.keep)(name.as_path()) {
            return Ok(None);
        }
        self.staging
            .directory(name.parent())
            .map_err(|source| self.cannot_write(source))?;
        Ok(Some(name))
    }

    /// A hard link.
    pub(super) fn hard_link(&mut self, spelt: &[u8], target: &[u8]) -> Result<(), Error> {
        let (name, file) = self.judge(spelt, |catalogue| catalogue.hard_link(spelt, target))?;
        if (self.keep)(name.as_path()) {
            if !(self.keep)(file.as_path()) {
                let target = shown(target);
                return Err(self.refused(spelt, Rule::HardLinkToLeftOut { target }));
            }
            self.staging.hard_link(name, file);
        }
        Ok(())
    }

    /// A symbolic link.
    pub(super) fn symlink(&mut self, spelt: &[u8], target: &[u8]) -> Result<(), Error> {
        self.judge(spelt, |catalogue| catalogue.symlink(spelt, target))
    }

    /// Creates a wanted file.
    pub(super) fn create(&self, name: &Name) -> Result<NewFile, Error> {
        self.staging
            .create(name)
            .map_err(|source| self.cannot_write(source))
    }

    /// The archive has ended as it should: the tree moves to its place.
    pub(super) fn finish(self) -> Result<(), Error> {
        let links = self
            .catalogue
            .symlinks()
            .map_err(|(name, rule)| self.refused(name.as_str().as_bytes(), rule))?;
        let wanted: Vec<&Symlink> = links
            .iter()
            .filter(|link| (self.keep)(link.name.as_path()))
            .collect();
        self.staging.finish(&wanted).map_err(|source| Error::Write {
            archive: self.archive.to_owned(),
            source,
        })
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// An entry that breaks a rule.
    pub(super) fn refused(&self, spelt: &[u8], rule: Rule) -> Error {
        Error::Refused {
            archive: self.archive.to_owned(),
            entry: shown(spelt),
            rule,
        }
    }

    /// An archive that breaks a rule.
    pub(super) fn flawed(&self, flaw: Flaw) -> Error {
        Error::Flawed {
            archive: self.archive.to_owned(),
            flaw,
        }
    }

    /// Bytes that cannot be read or decompressed.
    pub(super) fn unreadable(&self, spelt: Option<&[u8]>, source: io::Error) -> Error {
        Error::Unreadable {
            archive: self.archive.to_owned(),
            entry: spelt.map(shown),
            source,
        }
    }

    /// A file that cannot be written.
    pub(super) fn cannot_write(&self, source: io::Error) -> Error {
        Error::Write {
            archive: self.archive.to_owned(),
            source,
        }
    }

    fn judge<T>(
        &mut self,
        spelt: &[u8],
        take_in: impl FnOnce(&mut Catalogue) -> Result<T, Rule>,
    ) -> Result<T, Error> {
        let taken = take_in(&mut self.catalogue).map_err(|rule| self.refused(spelt, rule))?;
        if self.catalogue.len() > self.limits.entries {
            let limit = self.limits.entries;
            return Err(self.flawed(Flaw::TooManyEntries { limit }));
        }
        Ok(taken)
    }
}
