//! One row a way in which a zip can lie.

use super::*;
use flate2::Crc;

/// An entry of a zip, as its record in the directory and its own header state it.
#[derive(Clone)]
struct Entry {
    name: Vec<u8>,
    flags: u16,
    method: u16,
    crc: u32,
    packed: u32,
    size: u32,
    made_by: u8,
    attributes: u32,
    extra: Vec<u8>,
    contents: Vec<u8>,
    /// Stands between the contents and the next header.
    behind: Vec<u8>,
    /// Where the record says that the header is; absent for the truth.
    offset: Option<u32>,
    /// What the entry's own header states, where it is something else.
    header: Option<Box<Entry>>,
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn stored(name: &str, contents: &[u8]) -> Entry {
    let length = u32::try_from(contents.len()).unwrap();
    Entry {
        name: name.into(),
        flags: 0,
        method: 0,
        crc: crc(contents),
        packed: length,
        size: length,
        made_by: 3,
        attributes: 0o100_644 << 16,
        extra: Vec::new(),
        contents: contents.to_vec(),
        behind: Vec::new(),
        offset: None,
        header: None,
    }
}

fn deflated(name: &str, contents: &[u8]) -> Entry {
    let packed = deflate(contents);
    Entry {
        method: 8,
        packed: u32::try_from(packed.len()).unwrap(),
        contents: packed,
        ..stored(name, contents)
    }
}

/// `entry`, changed in its record and in its own header alike.
fn changed(mut entry: Entry, change: impl FnOnce(&mut Entry)) -> Entry {
    change(&mut entry);
    entry
}

/// `entry`, whose own header is changed.
fn differing(mut entry: Entry, change: impl FnOnce(&mut Entry)) -> Entry {
    let mut header = entry.clone();
    change(&mut header);
    entry.header = Some(Box::new(header));
    entry
}

fn with_mode(name: &str, mode: u32) -> Entry {
    changed(stored(name, b""), |entry| entry.attributes = mode << 16)
}

/// The zip of `entries`; `tamper` may change its end record.
fn zip(entries: &[Entry], tamper: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    let common = |entry: &Entry| {
        let mut fields = Vec::new();
        fields.extend(entry.flags.to_le_bytes());
        fields.extend(entry.method.to_le_bytes());
        fields.extend([0; 4]);
        for number in [entry.crc, entry.packed, entry.size] {
            fields.extend(number.to_le_bytes());
        }
        for length in [entry.name.len(), entry.extra.len()] {
            fields.extend(u16::try_from(length).unwrap().to_le_bytes());
        }
        fields
    };
    for entry in entries {
        let offset = u32::try_from(bytes.len()).unwrap();
        let header = entry.header.as_deref().unwrap_or(entry);
        bytes.extend(b"PK\x03\x04\x14\0");
        bytes.extend(common(header));
        bytes.extend(&header.name);
        bytes.extend(&header.extra);
        bytes.extend(&entry.contents);
        bytes.extend(&entry.behind);

        directory.extend(b"PK\x01\x02\x14");
        directory.extend([entry.made_by, 0x14, 0]);
        directory.extend(common(entry));
        directory.extend([0; 6]);
        directory.extend(entry.attributes.to_le_bytes());
        directory.extend(entry.offset.unwrap_or(offset).to_le_bytes());
        directory.extend(&entry.name);
        directory.extend(&entry.extra);
    }
    let count = u16::try_from(entries.len()).unwrap();
    let start = u32::try_from(bytes.len()).unwrap();
    let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
    end.extend(count.to_le_bytes());
    end.extend(count.to_le_bytes());
    end.extend(u32::try_from(directory.len()).unwrap().to_le_bytes());
    end.extend(start.to_le_bytes());
    end.extend([0; 2]);
    tamper(&mut end);
    bytes.extend(directory);
    bytes.extend(end);
    bytes
}

/// The sums behind the contents, as bit 3 of the flags announces them.
fn described(mut entry: Entry, signature: &[u8]) -> Entry {
    entry.flags |= 1 << 3;
    entry.behind = signature.to_vec();
    for number in [entry.crc, entry.packed, entry.size] {
        entry.behind.extend(number.to_le_bytes());
    }
    differing(entry, |header| {
        (header.crc, header.packed, header.size) = (0, 0, 0);
    })
}

#[test]
fn an_honest_zip() {
    let big: Vec<u8> = (0..90_000_u32)
        .flat_map(|number| number.to_le_bytes())
        .collect();
    let limits = Limits {
        bytes: 1_000_000,
        ..LIMITS
    };
    let entries = [
        with_mode("d/", 0o040_755),
        stored("d/stored", b"as it is"),
        deflated("d/deflated", b"packed packed packed"),
        deflated("d/big", &big),
        stored("d/big-stored", &big),
        deflated("empty", b""),
        described(deflated("described", b"one"), b"PK\x07\x08"),
        described(stored("described-2", b"two"), b""),
        changed(stored("naïve", b""), |entry| entry.flags |= 1 << 11),
        with_mode("setuid-x", 0o104_755),
        changed(stored("from-dos", b""), |entry| {
            (entry.made_by, entry.attributes) = (0, 0o777 << 16);
        }),
        // Times, as Info-ZIP adds them.
        changed(stored("extra", b""), |entry| {
            entry.extra = b"UT\x05\0\x01\0\0\0\0".into()
        }),
    ];
    let scene = Scene::new("x.whl", &zip(&entries, |_| {}));
    scene.unpack_some(limits, &|_| true).unwrap();
    let read = |name: &str| fs_err::read(scene.dest().join(name)).unwrap();
    assert_eq!(read("d/stored"), b"as it is");
    assert_eq!(read("d/deflated"), b"packed packed packed");
    assert!(read("d/big") == big && read("d/big-stored") == big);
    assert_eq!(read("described"), b"one");
    assert_eq!(read("described-2"), b"two");
    assert_eq!(scene.left().len(), 1 + entries.len());
    for (name, mode) in [("setuid-x", 0o755), ("from-dos", 0o644), ("empty", 0o644)] {
        let metadata = scene.dest().join(name).metadata().unwrap();
        assert_eq!(
            std::os::unix::fs::MetadataExt::mode(&metadata) & 0o7777,
            mode,
            "{name}"
        );
        assert_eq!(
            std::os::unix::fs::MetadataExt::mtime(&metadata),
            EPOCH as i64,
            "{name}"
        );
    }
}

// Guards: U4.
#[test]
fn each_is_refused_and_nothing_is_left() {
    let one = || stored("a", b"contents");
    let two = || stored("b", b"more");
    let text = b"text text text text text";
    let rows: Vec<(Vec<Entry>, &'static str)> = vec![
        // Names and kinds.
        (vec![stored("/a", b"")], "`/a` has an absolute path"),
        (
            vec![stored("a/../../b", b"")],
            "`a/../../b` has `..` in its path",
        ),
        (
            vec![with_mode("../", 0o040_755)],
            "`../` has `..` in its path",
        ),
        (
            vec![stored("a\\b", b"")],
            r"`a\\b` has a backslash in its name",
        ),
        (
            vec![stored("a\0b", b"")],
            r"`a\0b` has a control character in its name",
        ),
        (vec![stored("", b"")], "`` has no name"),
        // Without the flag, the name is in some code page.
        (
            vec![stored("naïve", b"")],
            "`naïve` has a name that is not UTF-8",
        ),
        (
            vec![changed(stored("a", b""), |entry| {
                entry.flags = 1 << 11;
                entry.name = b"\xff".to_vec();
            })],
            r"`\xff` has a name that is not UTF-8",
        ),
        (vec![one(), stored("a", b"")], "`a` comes twice"),
        (
            vec![stored("a/b", b""), stored("a//b", b"")],
            "`a//b` comes twice",
        ),
        (
            vec![one(), stored("a/b", b"")],
            "`a/b` lies below `a`, which is a file",
        ),
        (
            vec![changed(one(), |entry| entry.attributes = 0o120_777 << 16)],
            "`a` uses a zip feature that is not supported: a symbolic link",
        ),
        (vec![with_mode("a", 0o020_644)], "`a` is a character device"),
        (vec![with_mode("a", 0o060_644)], "`a` is a block device"),
        (vec![with_mode("a", 0o010_644)], "`a` is a FIFO"),
        (vec![with_mode("a", 0o140_644)], "`a` is a socket"),
        (
            vec![with_mode("a", 0o170_644)],
            "`a` is of the unknown type `0o170000`",
        ),
        (
            vec![with_mode("a", 0o040_755)],
            "`a` uses a zip feature that is not supported: \
             a directory whose name does not end with a slash",
        ),
        (
            vec![with_mode("a/", 0o100_644)],
            "`a/` is a file whose name ends with a slash",
        ),
        (
            vec![stored("a/", b"x")],
            "`a/` has contents, but is no file",
        ),
        // Features.
        (
            vec![changed(one(), |entry| entry.flags = 1)],
            "`a` is encrypted",
        ),
        (
            vec![changed(one(), |entry| entry.flags = 1 << 6)],
            "`a` is encrypted",
        ),
        (
            vec![changed(one(), |entry| entry.flags = 1 << 13)],
            "`a` is encrypted",
        ),
        (
            vec![changed(one(), |entry| entry.flags = 1 << 5)],
            "`a` uses a zip feature that is not supported: flags 0x0020",
        ),
        (
            vec![changed(one(), |entry| entry.method = 12)],
            "`a` uses a zip feature that is not supported: compression method 12",
        ),
        (
            vec![changed(one(), |entry| entry.size = u32::MAX)],
            "`a` uses a zip feature that is not supported: zip64",
        ),
        (
            vec![changed(one(), |entry| {
                entry.extra = b"UT\0\0\x01\0\0\0".into()
            })],
            "`a` uses a zip feature that is not supported: zip64",
        ),
        (
            vec![changed(one(), |entry| entry.extra = b"up\x01\0x".into())],
            "`a` uses a zip feature that is not supported: a second name",
        ),
        // Sizes and sums.
        (
            vec![
                one(),
                changed(deflated("b", b""), |entry| entry.size = 99_993),
            ],
            "`b` says it has 99993 bytes, 100001 with those before it, \
             and the pin allows 100000 unpacked",
        ),
        (
            vec![changed(deflated("a", text), |entry| entry.size -= 1)],
            "`a` has more or fewer bytes than the 23 it states",
        ),
        (
            vec![changed(deflated("a", text), |entry| entry.size += 1)],
            "`a` has more or fewer bytes than the 25 it states",
        ),
        (
            vec![changed(deflated("a", &[0; 1 << 24]), |entry| {
                entry.size = 24
            })],
            "`a` has more or fewer bytes than the 24 it states",
        ),
        (
            vec![changed(one(), |entry| entry.size += 1)],
            "`a` has more or fewer bytes than the 9 it states",
        ),
        (
            vec![changed(one(), |entry| entry.crc = 1)],
            "`a` has the checksum b4fa1177, not 00000001 as it states",
        ),
        (
            vec![changed(deflated("a", b"contents"), |entry| entry.crc = 1)],
            "`a` has the checksum b4fa1177, not 00000001 as it states",
        ),
        (
            vec![changed(deflated("a", text), |entry| {
                entry.contents.push(0);
                entry.packed += 1;
            })],
            "`a` has bytes behind the end of its compressed contents",
        ),
        (
            vec![changed(deflated("a", text), |entry| {
                entry.contents.pop();
                entry.packed -= 1;
            })],
            "cannot be read at `a`: unexpected end of file",
        ),
        (
            vec![changed(deflated("a", text), |entry| {
                entry.contents[0] = 0xff
            })],
            "cannot be read at `a`: deflate decompression error",
        ),
        // Two headers of one entry.
        (
            vec![differing(one(), |header| header.name = b"b".to_vec())],
            "`a` has another name in its own header than in the archive's directory",
        ),
        (
            vec![differing(one(), |header| header.name = b"a/b".to_vec())],
            "`a` has another name in its own header than in the archive's directory",
        ),
        (
            vec![differing(one(), |header| header.flags = 1 << 11)],
            "`a` has another set of flags in its own header than in the archive's directory",
        ),
        (
            vec![differing(one(), |header| header.method = 8)],
            "`a` has another compression method in its own header \
             than in the archive's directory",
        ),
        (
            vec![differing(one(), |header| header.size = 0)],
            "`a` has another checksum or size in its own header \
             than in the archive's directory",
        ),
        (
            vec![differing(one(), |header| header.crc = 0)],
            "`a` has another checksum or size in its own header \
             than in the archive's directory",
        ),
        (
            vec![changed(described(one(), b"PK\x07\x08"), |entry| {
                entry.behind[5] ^= 1
            })],
            "`a` has another data descriptor in its own header \
             than in the archive's directory",
        ),
        (
            vec![changed(described(one(), b"PK\x07\x08"), |entry| {
                entry.behind[0] ^= 1
            })],
            "`a` has another data descriptor in its own header \
             than in the archive's directory",
        ),
        // Places.
        (
            vec![
                one(),
                changed(stored("b", b"contents"), |entry| entry.offset = Some(0)),
            ],
            "`a` overlaps another entry",
        ),
        (
            vec![changed(one(), |entry| entry.offset = Some(1))],
            "`a` comes after 1 bytes that belong to no entry",
        ),
        (
            vec![changed(one(), |entry| entry.offset = Some(1 << 30))],
            "`a` comes after 1073741824 bytes that belong to no entry",
        ),
        (
            vec![
                changed(one(), |entry| entry.behind = b"hidden".to_vec()),
                two(),
            ],
            "`b` comes after 6 bytes that belong to no entry",
        ),
        (
            vec![changed(one(), |entry| entry.behind = b"hidden".to_vec())],
            "its directory does not match its end record, or the entries before it",
        ),
        (
            vec![
                changed(one(), |entry| (entry.packed, entry.size) = (20, 20)),
                two(),
            ],
            "`a` overlaps another entry",
        ),
        (
            vec![changed(one(), |entry| (entry.packed, entry.size) = (9, 9))],
            "`a` overlaps another entry",
        ),
        (
            (0..21)
                .map(|number| stored(&number.to_string(), b""))
                .collect(),
            "it has more than 20 entries",
        ),
        (
            vec![stored("a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", b"")],
            "it has more than 20 entries",
        ),
    ];
    let packed = rows
        .into_iter()
        .map(|(entries, expected)| (zip(&entries, |_| {}), expected));
    all_refused("x.whl", packed);
}

#[test]
fn broken_ends() {
    let entries = [stored("a", b"contents"), stored("b", b"more")];
    let whole = zip(&entries, |_| {});
    let no_end = "its last bytes are not a zip's end record: it is cut short or has a comment";
    let directory = "its directory does not match its end record, or the entries before it";
    let rows: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", vec![], no_end),
        (
            "not a zip",
            b"<html><body>404 Not Found</body></html>".to_vec(),
            no_end,
        ),
        ("cut short", whole[..whole.len() - 1].to_vec(), no_end),
        ("bytes behind", [&whole[..], b"x"].concat(), no_end),
        (
            "bytes before",
            [b"#!/bin/sh\n", &whole[..]].concat(),
            directory,
        ),
        (
            "two behind one another",
            [&whole[..], &zip(&[stored("c", b"")], |_| {})].concat(),
            directory,
        ),
        ("comment", zip(&entries, |end| end[20] = 1), no_end),
        ("another disk", zip(&entries, |end| end[4] = 1), directory),
        ("fewer here", zip(&entries, |end| end[8] = 1), directory),
        (
            "one record less",
            zip(&entries, |end| (end[8], end[10]) = (1, 1)),
            directory,
        ),
        (
            "one record more",
            zip(&entries, |end| (end[8], end[10]) = (3, 3)),
            directory,
        ),
        (
            "no record",
            zip(&entries, |end| (end[8], end[10]) = (0, 0)),
            directory,
        ),
        ("later start", zip(&entries, |end| end[16] += 1), directory),
        (
            "shorter, later start",
            zip(&entries, |end| {
                end[12] -= 1;
                end[16] += 1;
            }),
            directory,
        ),
        (
            "zip64",
            zip(&entries, |end| end[12..20].fill(0xff)),
            "it is a zip64, which no source needs",
        ),
    ];
    for (what, bytes, expected) in rows {
        assert_eq!(
            refusal("x.zip", &bytes),
            format!("x.zip: refused: {expected}"),
            "{what}"
        );
    }
}

#[test]
fn the_zip_crate_writes_what_is_read_here() {
    let mut writer = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = ::zip::write::SimpleFileOptions::default();
    writer.add_directory("d", options).unwrap();
    writer
        .start_file("d/a", options.unix_permissions(0o755))
        .unwrap();
    writer.write_all(b"contents").unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    let scene = Scene::new("x.zip", &bytes);
    scene.unpack().unwrap();
    assert_eq!(fs_err::read(scene.dest().join("d/a")).unwrap(), b"contents");
}
