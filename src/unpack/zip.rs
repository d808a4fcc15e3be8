//! Reads zip archives (APPNOTE 6.3.10), as far as wheels need it: one reading or none.
//!
//! A zip can be read by its directory at the end, by the header before each entry, or by
//! some other directory that a lenient reader finds when it searches. The `zip` crate
//! searches, and of two entries with one name it keeps the last. Here all must agree: the
//! entries lie one behind the other from the first byte on, the directory follows and
//! names each of them once, and its end record ends the file.

use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;

use fs_err::File;

use super::catalogue::Name;
use super::error::{Error, Flaw, Rule};
use super::intake::Intake;
use super::packed::{self, BUFFER, Packed, Section};

/// The signatures and lengths (in bytes) of the structures; APPNOTE, section 4.3.
const END_SIGNATURE: u32 = 0x0605_4b50;
const END_LENGTH: usize = 22;
const RECORD_SIGNATURE: u32 = 0x0201_4b50;
const RECORD_LENGTH: usize = 46;
const HEADER_SIGNATURE: u32 = 0x0403_4b50;
const HEADER_LENGTH: usize = 30;
const DESCRIPTOR_SIGNATURE: u32 = 0x0807_4b50;
const DESCRIPTOR_LENGTH: usize = 12;

/// General purpose flags; APPNOTE, section 4.4.4. The unnamed ones among the known say how
/// hard the compressor tried.
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
const DESCRIPTOR: u16 = 1 << 3;
const UTF8: u16 = 1 << 11;
const KNOWN: u16 = 1 << 1 | 1 << 2 | DESCRIPTOR | UTF8;

/// Extra fields that replace what the record itself says; APPNOTE, sections 4.5.3, 4.6.9.
const ZIP64_EXTRA: u16 = 0x0001;
const UNICODE_PATH_EXTRA: u16 = 0x7075;

/// Compression methods; APPNOTE, section 4.4.5.
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// The file-type bits of a mode.
const TYPE: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
const CHARACTER: u32 = 0o020_000;
const BLOCK: u32 = 0o060_000;
const FIFO: u32 = 0o010_000;
const SOCKET: u32 = 0o140_000;

/// The system that made an entry, if its mode is Unix's; APPNOTE, section 4.4.2.
const UNIX: u8 = 3;

/// One record of the directory.
struct Record {
    spelt: Vec<u8>,
    flags: u16,
    method: u16,
    crc: u32,
    packed: u32,
    size: u32,
    /// The mode as Unix has it; 0 if the archive was made elsewhere.
    mode: u32,
    /// Where its header is.
    header: u64,
    /// The name of a file that is wanted.
    wanted: Option<Name>,
}

/// Brings all entries of the zip in `file` to `intake`.
pub(super) fn read(file: &File, intake: &mut Intake) -> Result<(), Error> {
    let (directory, end, count) = read_end(file, intake)?;
    let mut section = BufReader::with_capacity(BUFFER, Section::new(file, directory, end));
    let mut records = Vec::with_capacity(count);
    for _ in 0..count {
        records.push(read_record(&mut section, intake)?);
    }
    if !matches!(section.read(&mut [0]), Ok(0)) {
        return Err(intake.flawed(Flaw::Directory));
    }

    records.sort_by_key(|record| record.header);
    let mut at = 0;
    let mut files = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let next = records.get(index + 1).map_or(directory, |next| next.header);
        let contents;
        (contents, at) = locate(file, record, at, next, intake)?;
        if let Some(name) = &record.wanted {
            files.push(Packed {
                spelt: &record.spelt,
                name,
                at: contents,
                packed: u64::from(record.packed),
                size: u64::from(record.size),
                crc: record.crc,
                deflated: record.method == DEFLATED,
                executable: record.mode & 0o111 != 0,
            });
        }
    }
    if at != directory {
        return Err(intake.flawed(Flaw::Directory));
    }
    packed::write(file, files, intake)
}

/// Reads the end record: where the directory starts and ends, and how many records it has.
fn read_end(file: &File, intake: &Intake) -> Result<(u64, u64, usize), Error> {
    let unreadable = |error| intake.unreadable(None, error);
    let length = file.metadata().map_err(unreadable)?.len();
    let Some(at) = length.checked_sub(END_LENGTH as u64) else {
        return Err(intake.flawed(Flaw::NoEndRecord));
    };
    let mut end = [0; END_LENGTH];
    file.file()
        .read_exact_at(&mut end, at)
        .map_err(unreadable)?;
    let comment = u16_at(&end, 20);
    if u32_at(&end, 0) != END_SIGNATURE || comment != 0 {
        return Err(intake.flawed(Flaw::NoEndRecord));
    }
    let (disk, directory_disk) = (u16_at(&end, 4), u16_at(&end, 6));
    let (count_here, count) = (u16_at(&end, 8), u16_at(&end, 10));
    let (size, directory) = (u32_at(&end, 12), u32_at(&end, 16));
    if count == u16::MAX || size == u32::MAX || directory == u32::MAX {
        return Err(intake.flawed(Flaw::Zip64));
    }
    let one_disk = disk == 0 && directory_disk == 0 && count_here == count;
    if !one_disk || u64::from(directory) + u64::from(size) != at {
        return Err(intake.flawed(Flaw::Directory));
    }
    let limit = intake.limits().entries;
    if usize::from(count) > limit {
        return Err(intake.flawed(Flaw::TooManyEntries { limit }));
    }
    Ok((directory.into(), at, count.into()))
}

/// Reads and judges the next record of the directory.
fn read_record(section: &mut impl Read, intake: &mut Intake) -> Result<Record, Error> {
    let short = |intake: &Intake, error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => intake.flawed(Flaw::Directory),
        _ => intake.unreadable(None, error),
    };
    let mut fixed = [0; RECORD_LENGTH];
    let read = section.read_exact(&mut fixed);
    read.map_err(|error| short(intake, error))?;
    if u32_at(&fixed, 0) != RECORD_SIGNATURE {
        return Err(intake.flawed(Flaw::Directory));
    }
    let made_by = fixed[5];
    let attributes = u32_at(&fixed, 38);
    let mut record = Record {
        spelt: vec![0; u16_at(&fixed, 28).into()],
        flags: u16_at(&fixed, 8),
        method: u16_at(&fixed, 10),
        crc: u32_at(&fixed, 16),
        packed: u32_at(&fixed, 20),
        size: u32_at(&fixed, 24),
        mode: if made_by == UNIX { attributes >> 16 } else { 0 },
        header: u32_at(&fixed, 42).into(),
        wanted: None,
    };
    let mut extra = vec![0; u16_at(&fixed, 30).into()];
    let mut comment = vec![0; u16_at(&fixed, 32).into()];
    for bytes in [&mut record.spelt, &mut extra, &mut comment] {
        let read = section.read_exact(bytes);
        read.map_err(|error| short(intake, error))?;
    }

    judge(&record, &extra).map_err(|rule| intake.refused(&record.spelt, rule))?;
    if record.spelt.ends_with(b"/") && record.mode & TYPE != REGULAR {
        intake.directory(&record.spelt)?;
    } else {
        record.wanted = intake.file(&record.spelt, record.size.into())?;
    }
    Ok(record)
}

/// Whether a record says nothing but what is understood here.
fn judge(record: &Record, extra: &[u8]) -> Result<(), Rule> {
    let unsupported = |feature: String| Err(Rule::Unsupported { feature });
    if record.flags & ENCRYPTED != 0 {
        return Err(Rule::Encrypted);
    }
    if record.flags & !KNOWN != 0 {
        return unsupported(format!("flags {:#06x}", record.flags & !KNOWN));
    }
    if record.flags & UTF8 == 0 && !record.spelt.is_ascii() {
        return Err(Rule::NotUtf8);
    }
    if !matches!(record.method, STORED | DEFLATED) {
        return unsupported(format!("compression method {}", record.method));
    }
    if [record.packed, record.size].contains(&u32::MAX) || record.header == u64::from(u32::MAX) {
        return unsupported("zip64".into());
    }
    let mut extra = extra;
    while let [tag_low, tag_high, low, high, rest @ ..] = extra {
        match u16::from_le_bytes([*tag_low, *tag_high]) {
            ZIP64_EXTRA => return unsupported("zip64".into()),
            UNICODE_PATH_EXTRA => return unsupported("a second name".into()),
            _ => {}
        }
        let length = u16::from_le_bytes([*low, *high]);
        extra = rest.get(length.into()..).unwrap_or_default();
    }
    let directory = record.spelt.ends_with(b"/");
    match record.mode & TYPE {
        0 | REGULAR => {}
        DIRECTORY if directory => {}
        DIRECTORY => return unsupported("a directory whose name does not end with a slash".into()),
        SYMLINK => return unsupported("a symbolic link".into()),
        CHARACTER => {
            return Err(Rule::Special {
                kind: "character device",
            });
        }
        BLOCK => {
            return Err(Rule::Special {
                kind: "block device",
            });
        }
        FIFO => return Err(Rule::Special { kind: "FIFO" }),
        SOCKET => return Err(Rule::Special { kind: "socket" }),
        other => {
            return Err(Rule::UnknownType {
                kind: format!("{other:#o}"),
            });
        }
    }
    if directory && (record.size > 0 || record.packed > 0) {
        return Err(Rule::Contents);
    }
    Ok(())
}

/// Compares an entry's own header with its record. The entry has to begin at `at` and to
/// end before `next`. Returns where its contents begin and where it ends.
fn locate(
    file: &File,
    record: &Record,
    at: u64,
    next: u64,
    intake: &Intake,
) -> Result<(u64, u64), Error> {
    let refused = |rule| intake.refused(&record.spelt, rule);
    let differ = |field| refused(Rule::HeadersDiffer { field });
    if record.header > at {
        let bytes = record.header - at;
        return Err(refused(Rule::Gap { bytes }));
    }
    // Where it begins too early, it overlaps; where it ends too late, the next does.
    let mut header = vec![0; HEADER_LENGTH + record.spelt.len()];
    let room = next.saturating_sub(record.header);
    if record.header < at || room < header.len() as u64 {
        return Err(refused(Rule::Overlap));
    }
    let read_at = |bytes: &mut [u8], at| {
        let read = file.file().read_exact_at(bytes, at);
        read.map_err(|error| intake.unreadable(Some(&record.spelt), error))
    };
    read_at(&mut header, at)?;
    if u32_at(&header, 0) != HEADER_SIGNATURE {
        return Err(differ("signature"));
    }
    let sums = [record.crc, record.packed, record.size];
    let sums_here = [14, 18, 22].map(|field| u32_at(&header, field));
    let described = record.flags & DESCRIPTOR != 0;
    if usize::from(u16_at(&header, 26)) != record.spelt.len()
        || header[HEADER_LENGTH..] != record.spelt
    {
        return Err(differ("name"));
    }
    if u16_at(&header, 6) != record.flags {
        return Err(differ("set of flags"));
    }
    if u16_at(&header, 8) != record.method {
        return Err(differ("compression method"));
    }
    if sums_here != sums && !(described && sums_here == [0; 3]) {
        return Err(differ("checksum or size"));
    }
    let extra = u64::from(u16_at(&header, 28));
    let contents = at + header.len() as u64 + extra;
    let mut end = contents + u64::from(record.packed);
    if described {
        // The descriptor's signature may be left out.
        let mut descriptor = [0; 4 + DESCRIPTOR_LENGTH];
        let length = if next.checked_sub(end) == Some(DESCRIPTOR_LENGTH as u64) {
            DESCRIPTOR_LENGTH
        } else {
            descriptor.len()
        };
        read_at(&mut descriptor[..length], end)?;
        let signed = length > DESCRIPTOR_LENGTH;
        let first = if signed { 4 } else { 0 };
        let sums_here = [0, 4, 8].map(|field| u32_at(&descriptor, first + field));
        if sums_here != sums || signed && u32_at(&descriptor, 0) != DESCRIPTOR_SIGNATURE {
            return Err(differ("data descriptor"));
        }
        end += length as u64;
    }
    if end > next {
        return Err(refused(Rule::Overlap));
    }
    Ok((contents, end))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
