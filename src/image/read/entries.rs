//! What a tar archive says of each of its entries (POSIX.1-2017 `pax` and `ustar`, GNU).
//!
//! Nothing is left out or put right on the way, as an engine would: a comparison shows what is
//! there.

use std::io::{self, BufRead, BufReader, Read};

use shown::shown;
use tar::{Archive, EntryType, Header};

use super::allowance::Allowance;
use super::extent::Extent;

/// The most bytes of one extended header.
const EXTENDED: u64 = 1 << 20;

const BLOCK: u64 = 512;

/// How much is looked through at once, in bytes.
const BUFFER: usize = 256 * 1024;

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// Another name of a file.
    HardLink,
    /// A symbolic link.
    Symlink,
    /// A directory.
    Directory,
    /// A device or a pipe.
    Special(&'static str),
    /// Something else, by the byte that says so.
    Other(u8),
    /// Bytes after the end of the archive, which programs pass over or read as more entries.
    Trailing,
}

/// One entry.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its path, without what leaves it the same: `./` before it and `/` behind it.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permissions and special bits.
    pub mode: u32,
    /// The number of its owner.
    pub uid: u64,
    /// The number of its group.
    pub gid: u64,
    /// Its time, in seconds since 1970.
    pub mtime: u64,
    /// Where a link points.
    pub target: Vec<u8>,
    /// Everything else that is said of it, by name: attributes, names of owners, the numbers of
    /// a device.
    pub more: Vec<(String, Vec<u8>)>,
    /// The bytes of a file, or of something that is not known.
    pub content: Option<Extent>,
}

/// What extended headers say of the entry after them.
#[derive(Default)]
struct Extended {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    more: Vec<(String, Vec<u8>)>,
    /// How many records there were.
    records: usize,
}

/// What reading entries of one image has cost, whichever of its layers they are in: many layers
/// may be one file.
#[derive(Debug, Default)]
pub struct Spent {
    items: usize,
    text: usize,
}

/// The entries of `archive`, in their order, if there are no more than `most` allows after what was
/// `spent`. Fails with what is wrong in words.
pub(super) fn read(
    archive: &Extent,
    most: Allowance,
    spent: &mut Spent,
) -> Result<Vec<Entry>, String> {
    let mut tar = Archive::new(archive.reader());
    let raw = tar.entries().map_err(|error| error.to_string())?.raw(true);
    let mut entries = Vec::new();
    let mut extended = Extended::default();
    let mut end = 0;
    for entry in raw {
        let mut entry = entry.map_err(|error| shown(error.to_string().as_bytes()))?;
        let kind = entry.header().entry_type();
        let at = entry.raw_file_position();
        end = at.saturating_add(entry.size().next_multiple_of(BLOCK));
        if matches!(
            kind,
            EntryType::XHeader
                | EntryType::XGlobalHeader
                | EntryType::GNULongName
                | EntryType::GNULongLink
        ) {
            if entry.size() > EXTENDED {
                return Err(format!("an extended header has {} bytes", entry.size()));
            }
            let mut bytes = Vec::new();
            entry
                .read_to_end(&mut bytes)
                .map_err(|error| error.to_string())?;
            spent.text += bytes.len();
            extended.take(kind, &bytes)?;
            spent.items += std::mem::take(&mut extended.records);
        } else {
            let header = entry.header();
            let size = entry.size();
            let found = described(header, std::mem::take(&mut extended), size, || {
                archive.part(at, size)
            })?;
            spent.text += found.path.len() + found.target.len();
            spent.text += found
                .more
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum::<usize>();
            spent.items += 1;
            entries.push(found);
        }
        if spent.items > most.items {
            let items = most.items;
            return Err(format!(
                "with it there are more than {items} entries and records of extended headers"
            ));
        }
        if spent.text > most.text {
            let text = most.text;
            return Err(format!("with it there are more than {text} bytes of names"));
        }
    }
    entries.extend(trailing(archive, end).map_err(|error| error.to_string())?);
    Ok(entries)
}

/// What follows the end of an archive, of which its last entry ends at `end`: nothing, or zeros,
/// in most.
fn trailing(archive: &Extent, end: u64) -> io::Result<Option<Entry>> {
    let Some(rest) = archive.part(end, archive.size().saturating_sub(end)) else {
        return Ok(None);
    };
    let mut reader = BufReader::with_capacity(BUFFER, rest.reader());
    let mut at = 0;
    let first = loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(None);
        }
        match bytes.iter().position(|byte| *byte != 0) {
            Some(found) => break at + found as u64,
            None => at += bytes.len() as u64,
        }
        let count = bytes.len();
        reader.consume(count);
    };
    Ok(Some(Entry {
        path: b"(after the end of the archive)".to_vec(),
        kind: Kind::Trailing,
        mode: 0,
        uid: 0,
        gid: 0,
        mtime: 0,
        target: Vec::new(),
        more: Vec::new(),
        content: rest.part(first, rest.size() - first),
    }))
}

impl Extended {
    fn take(&mut self, kind: EntryType, bytes: &[u8]) -> Result<(), String> {
        let name = || bytes.strip_suffix(b"\0").unwrap_or(bytes).to_vec();
        match kind {
            EntryType::GNULongName => self.path = Some(name()),
            EntryType::GNULongLink => self.target = Some(name()),
            EntryType::XGlobalHeader => {
                // git notes its commit so. What would hold for all entries is told by none of
                // them, and programs differ in what they make of it.
                let overrides = |key: &[u8]| key != b"comment";
                for record in tar::PaxExtensions::new(bytes) {
                    let record = record.map_err(|error| error.to_string())?;
                    if overrides(record.key_bytes()) {
                        let key = shown(record.key_bytes());
                        return Err(format!("a global header sets `{key}` for all entries"));
                    }
                }
            }
            _ => {
                for record in tar::PaxExtensions::new(bytes) {
                    let record = record.map_err(|error| error.to_string())?;
                    self.records += 1;
                    self.record(record.key_bytes(), record.value_bytes())?;
                }
            }
        }
        Ok(())
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let number = || {
            let number = str::from_utf8(value)
                .ok()
                .and_then(|text| text.parse().ok());
            number.ok_or_else(|| {
                let (key, value) = (shown(key), shown(value));
                format!("a pax header says `{key}={value}`, which is no number")
            })
        };
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.target = Some(value.to_vec()),
            b"size" => self.size = Some(number()?),
            b"uid" => self.uid = Some(number()?),
            b"gid" => self.gid = Some(number()?),
            _ if key.starts_with(b"GNU.sparse.") => {
                return Err("sparse files are not read here".to_owned());
            }
            _ => self.more.push((shown(key), value.to_vec())),
        }
        Ok(())
    }
}

fn described(
    header: &Header,
    extended: Extended,
    size: u64,
    content: impl Fn() -> Option<Extent>,
) -> Result<Entry, String> {
    let path = extended
        .path
        .unwrap_or_else(|| header.path_bytes().into_owned());
    let in_entry = |problem: String| format!("`{}`: {problem}", shown(&path));
    let field = |value: std::io::Result<u64>| {
        value.map_err(|error| in_entry(shown(error.to_string().as_bytes())))
    };
    if extended.size.is_some_and(|stated| stated != size) {
        return Err(in_entry("its two headers state two sizes".to_owned()));
    }
    let kind = match header.entry_type() {
        // Go's reader, which engines use, goes by the slash where there is no type.
        EntryType::Regular if header.as_old().linkflag == [0] && path.ends_with(b"/") => {
            Kind::Directory
        }
        EntryType::Regular => Kind::File,
        EntryType::Link => Kind::HardLink,
        EntryType::Symlink => Kind::Symlink,
        EntryType::Directory => Kind::Directory,
        EntryType::Char => Kind::Special("character device"),
        EntryType::Block => Kind::Special("block device"),
        EntryType::Fifo => Kind::Special("pipe"),
        EntryType::GNUSparse => return Err(in_entry("sparse files are not read here".to_owned())),
        other => Kind::Other(other.as_byte()),
    };
    if size > 0 && !matches!(kind, Kind::File | Kind::Other(_)) {
        // Some programs pass over that many bytes, others read them as entries.
        return Err(in_entry(format!(
            "it has no content, and states {size} bytes of it"
        )));
    }
    let content = match kind {
        Kind::File | Kind::Other(_) => {
            Some(content().ok_or_else(|| in_entry("it is cut off".to_owned()))?)
        }
        _ => None,
    };
    let target = match kind {
        Kind::HardLink | Kind::Symlink => extended
            .target
            .or_else(|| header.link_name_bytes().map(|name| name.into_owned()))
            .unwrap_or_default(),
        _ => Vec::new(),
    };
    let mut more = extended.more;
    let names = [
        ("user name", header.username_bytes()),
        ("group name", header.groupname_bytes()),
    ];
    for (name, value) in names {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            more.push((name.to_owned(), value.to_vec()));
        }
    }
    if let Kind::Special("character device" | "block device") = kind {
        let number = |value: std::io::Result<Option<u32>>| value.ok().flatten().unwrap_or(0);
        let (major, minor) = (number(header.device_major()), number(header.device_minor()));
        more.push(("device".to_owned(), format!("{major}:{minor}").into_bytes()));
    }
    Ok(Entry {
        kind,
        mode: u32::try_from(field(header.mode().map(u64::from))?).unwrap_or(u32::MAX),
        uid: extended.uid.map_or_else(|| field(header.uid()), Ok)?,
        gid: extended.gid.map_or_else(|| field(header.gid()), Ok)?,
        mtime: field(header.mtime())?,
        target,
        more,
        content,
        path: plain(&path).to_vec(),
    })
}

/// The path without what leaves it the same.
fn plain(mut path: &[u8]) -> &[u8] {
    while let Some(rest) = path.strip_prefix(b"./") {
        path = rest;
    }
    while let Some(rest) = path.strip_suffix(b"/").filter(|rest| !rest.is_empty()) {
        path = rest;
    }
    path
}
