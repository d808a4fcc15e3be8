//! What is wrong with an archive, and where.

use std::io;
use std::path::PathBuf;

/// Why an archive was not unpacked. Nothing of it is left on disk.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file's ending says nothing about how it is packed.
    #[error(
        "{archive}: expected a name that ends in .tar.gz, .tgz, .crate, .tar.bz2, .tar.xz, .zip or .whl"
    )]
    UnknownFormat {
        /// The archive's file name.
        archive: String,
    },
    /// An entry breaks a rule.
    #[error("{archive}: refused: `{entry}` {rule}")]
    Refused {
        /// The archive's file name.
        archive: String,
        /// The entry's name as the archive spells it, escaped where it is not printable.
        entry: String,
        /// What it breaks.
        rule: Rule,
    },
    /// The archive as a whole breaks a rule.
    #[error("{archive}: refused: {flaw}")]
    Flawed {
        /// The archive's file name.
        archive: String,
        /// What it breaks.
        flaw: Flaw,
    },
    /// The archive cannot be read or decompressed.
    #[error("{archive}: cannot be read{}", .entry.as_ref().map(|entry| format!(" at `{entry}`")).unwrap_or_default())]
    Unreadable {
        /// The archive's file name.
        archive: String,
        /// The entry whose contents were being read, if any.
        entry: Option<String>,
        /// What the decompressor or the system says.
        source: io::Error,
    },
    /// The tree is there already.
    #[error("{} already exists", .path.display())]
    Exists {
        /// The tree.
        path: PathBuf,
    },
    /// The tree cannot be written.
    #[error("{archive}: cannot be unpacked")]
    Write {
        /// The archive's file name.
        archive: String,
        /// What the system says; names the file.
        source: io::Error,
    },
}

impl Error {
    /// What fixes it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Flawed {
                flaw: Flaw::TooLarge { .. },
                ..
            }
            | Self::Refused {
                rule: Rule::TooLarge { .. },
                ..
            } => Some(
                "if upstream's release really grew, raise its `max-unpacked` in `sources.toml`"
                    .into(),
            ),
            Self::Exists { path } => Some(format!("remove it with `rm -r {}`", path.display())),
            _ => None,
        }
    }
}

/// A rule that an entry breaks. Reads on after the entry's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// A name of no bytes, or of nothing but dots and slashes for what is no directory.
    #[error("has no name")]
    NoName,
    /// A name that is not UTF-8, or whose encoding the archive does not tell.
    #[error("has a name that is not UTF-8")]
    NotUtf8,
    /// A NUL, a line feed or the like in a name.
    #[error("has a control character in its name")]
    ControlCharacter,
    /// A backslash: a separator to some programs, a letter to others.
    #[error("has a backslash in its name")]
    Backslash,
    /// A name or a part of it that is too long.
    #[error("has a name longer than {limit} bytes, or a part of it longer than {part}")]
    TooLong {
        /// The most bytes a name may have.
        limit: usize,
        /// The most bytes a part of it may have.
        part: usize,
    },
    /// A name that starts at the root.
    #[error("has an absolute path")]
    Absolute,
    /// A name with `..` in it.
    #[error("has `..` in its path")]
    ParentDirectory,
    /// A file whose name is written like a directory's.
    #[error("is a file whose name ends with a slash")]
    FileWithSlash,
    /// The same path, once normalised, as an entry before it.
    #[error("comes twice")]
    Duplicate,
    /// A path below what an earlier entry made a file.
    #[error("lies below `{file}`, which is a file")]
    BelowFile {
        /// The file.
        file: String,
    },
    /// A path below a symbolic link.
    #[error("lies below `{link}`, which is a link")]
    BelowLink {
        /// The link.
        link: String,
    },
    /// A symbolic link to an absolute path, or one that climbs out with `..`.
    #[error("is a link out of the tree, to `{target}`")]
    LinkOut {
        /// Where it points.
        target: String,
    },
    /// A symbolic link whose target goes through another.
    #[error("is a link to `{target}`, through the link `{link}`")]
    LinkThroughLink {
        /// Where it points.
        target: String,
        /// The link on the way.
        link: String,
    },
    /// A link whose target is no path.
    #[error("is a link to `{target}`, which is no path")]
    LinkToNothing {
        /// Where it points.
        target: String,
    },
    /// A hard link to what is not a file before it.
    #[error("is a hard link to `{target}`, which is no file before it")]
    HardLink {
        /// Where it points.
        target: String,
    },
    /// A hard link that is wanted to a file that is not.
    #[error("is a hard link to `{target}`, which is left out")]
    HardLinkToLeftOut {
        /// Where it points.
        target: String,
    },
    /// A file that upstream's signed tag does not have, or has with other bytes.
    #[error("is not what upstream's signed tag has there")]
    NotInTag,
    /// A device, a FIFO, a socket.
    #[error("is a {kind}")]
    Special {
        /// What it is.
        kind: &'static str,
    },
    /// A file with holes.
    #[error("is a sparse file")]
    Sparse,
    /// An entry of a kind that is neither file nor directory nor link.
    #[error("is of the unknown type `{kind}`")]
    UnknownType {
        /// The type flag of a tar header, or the type bits of a mode in octal.
        kind: String,
    },
    /// A directory or a link with contents.
    #[error("has contents, but is no file")]
    Contents,
    /// A file with which the archive exceeds what its pin allows.
    #[error(
        "says it has {declared} bytes, {total} with those before it, and the pin allows {limit} unpacked"
    )]
    TooLarge {
        /// The size that the entry states.
        declared: u64,
        /// The sum of the sizes stated so far.
        total: u64,
        /// The most bytes the archive may unpack to.
        limit: u64,
    },
    /// A header whose checksum does not match.
    #[error("has a header with a wrong checksum")]
    HeaderChecksum,
    /// A header with a field that cannot be read.
    #[error("has a header with an unreadable {field}")]
    HeaderField {
        /// The field.
        field: &'static str,
    },
    /// An extended header that cannot be read.
    #[error("has a broken extended header")]
    ExtendedHeader,
    /// A name, a link target or a size that extended headers give twice.
    #[error("has two extended headers that give its {field}")]
    StatedTwice {
        /// What is given twice.
        field: &'static str,
    },
    /// A global header that renames or resizes every entry after it.
    #[error("is a global header that sets `{key}` for all entries")]
    GlobalOverride {
        /// What it sets.
        key: String,
    },
    /// An encrypted zip entry.
    #[error("is encrypted")]
    Encrypted,
    /// A zip entry that uses what this reader does not know.
    #[error("uses a zip feature that is not supported: {feature}")]
    Unsupported {
        /// The feature.
        feature: String,
    },
    /// A zip entry whose own header and directory record differ.
    #[error("has another {field} in its own header than in the archive's directory")]
    HeadersDiffer {
        /// What differs.
        field: &'static str,
    },
    /// A zip entry that shares bytes with another.
    #[error("overlaps another entry")]
    Overlap,
    /// A zip entry that comes after bytes of no entry.
    #[error("comes after {bytes} bytes that belong to no entry")]
    Gap {
        /// How many bytes.
        bytes: u64,
    },
    /// A zip entry with bytes behind its compressed contents.
    #[error("has bytes behind the end of its compressed contents")]
    TrailingBytes,
    /// Contents of another length than stated.
    #[error("has more or fewer bytes than the {declared} it states")]
    WrongSize {
        /// The size that the entry states.
        declared: u64,
    },
    /// Contents that do not match their checksum.
    #[error("has the checksum {got:08x}, not {expected:08x} as it states")]
    Checksum {
        /// What the archive states.
        expected: u32,
        /// What the contents have.
        got: u32,
    },
}

/// A rule that an archive as a whole breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// More entries than any source has.
    #[error("it has more than {limit} entries")]
    TooManyEntries {
        /// The most entries it may have.
        limit: usize,
    },
    /// More decompressed bytes than the pin allows.
    #[error("it unpacks to more than the {limit} bytes that its pin allows")]
    TooLarge {
        /// The most bytes it may unpack to.
        limit: u64,
    },
    /// A tar that does not end with two blocks of zeros.
    #[error("it is cut short: its end is missing")]
    NoEnd,
    /// Bytes after the end.
    #[error("there are bytes after its end")]
    TrailingBytes,
    /// A zip that does not end with its end record.
    #[error("its last bytes are not a zip's end record: it is cut short or has a comment")]
    NoEndRecord,
    /// A zip whose directory is not where, or not what, its end record says.
    #[error("its directory does not match its end record, or the entries before it")]
    Directory,
    /// A zip with the extensions for more than 65534 entries or 4 GiB.
    #[error("it is a zip64, which no source needs")]
    Zip64,
}

/// A name as the archive spells it, made fit to be shown.
pub(super) fn shown(name: &[u8]) -> String {
    shown::shown_up_to(200, name)
}
