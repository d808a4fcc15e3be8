//! One row a way in which a tar can lie.

use super::*;

// Guards: U4.
#[test]
fn each_is_refused_and_nothing_is_left() {
    let long_part = "x".repeat(256);
    let long_name = "0123456789/".repeat(100);
    let tar = Tar::default;
    let rows: Vec<(Tar, &'static str)> = vec![
        // Names.
        (
            tar().file("/etc/passwd", b""),
            "`/etc/passwd` has an absolute path",
        ),
        (tar().file("../x", b""), "`../x` has `..` in its path"),
        (
            tar().file("a/../../x", b""),
            "`a/../../x` has `..` in its path",
        ),
        (tar().file("a/..", b""), "`a/..` has `..` in its path"),
        (tar().directory("../"), "`../` has `..` in its path"),
        (tar().file("", b""), "`` has no name"),
        (tar().file("./", b""), "`./` has no name"),
        (tar().symlink(".", "a"), "`.` has no name"),
        (
            tar().file("a/", b""),
            "`a/` is a file whose name ends with a slash",
        ),
        (
            tar().entry(b"a\xffb", EntryType::Regular, "", b""),
            r"`a\xffb` has a name that is not UTF-8",
        ),
        (
            tar().file("a\nb", b""),
            r"`a\nb` has a control character in its name",
        ),
        (
            tar().file("a\u{1b}[2Jb", b""),
            r"`a\u{1b}[2Jb` has a control character in its name",
        ),
        (
            tar().file("a\\b", b""),
            r"`a\\b` has a backslash in its name",
        ),
        (
            tar().pax(&[("path", "a\0b")]).file("c", b""),
            r"`a\0b` has a control character in its name",
        ),
        (
            tar().pax(&[("path", &long_part)]).file("c", b""),
            "has a name longer than 1024 bytes, or a part of it longer than 255",
        ),
        (
            tar().pax(&[("path", &long_name)]).file("c", b""),
            "…` has a name longer than 1024 bytes, or a part of it longer than 255",
        ),
        // Twice the same.
        (tar().file("a", b"1").file("a", b"2"), "`a` comes twice"),
        (
            tar().file("a/b", b"").file("a//b", b""),
            "`a//b` comes twice",
        ),
        (tar().file("a", b"").file("./a", b""), "`./a` comes twice"),
        (tar().directory("a/").directory("a"), "`a` comes twice"),
        (tar().file("a", b"").directory("a/"), "`a/` comes twice"),
        (tar().directory("a/").file("a", b""), "`a` comes twice"),
        (tar().file("a/b", b"").file("a", b""), "`a` comes twice"),
        (tar().file("a/b", b"").symlink("a", "c"), "`a` comes twice"),
        (
            tar().file("a", b"").file("a/b", b""),
            "`a/b` lies below `a`, which is a file",
        ),
        // Links.
        (
            tar().symlink("a", "/etc"),
            "`a` is a link out of the tree, to `/etc`",
        ),
        (
            tar().symlink("a", ".."),
            "`a` is a link out of the tree, to `..`",
        ),
        (
            tar().symlink("a/b", "../../a/c"),
            "`a/b` is a link out of the tree, to `../../a/c`",
        ),
        (
            tar().symlink("a/b", "c/../../../a"),
            "`a/b` is a link out of the tree, to `c/../../../a`",
        ),
        (
            tar().symlink("a", ""),
            "`a` is a link to ``, which is no path",
        ),
        (
            tar().pax(&[("linkpath", "a\0b")]).symlink("a", "b"),
            r"`a` is a link to `a\0b`, which is no path",
        ),
        (
            tar().directory("d").symlink("a", "d").file("a/b", b""),
            "`a/b` lies below `a`, which is a link",
        ),
        (
            tar().symlink("a", "d").file("d/x", b"").directory("a/b/c"),
            "`a/b/c` lies below `a`, which is a link",
        ),
        (
            // `up` is the root: from there, `..` leads out.
            tar()
                .symlink("a/b/up", "../..")
                .symlink("a/b/out", "up/../x"),
            "`a/b/out` is a link to `up/../x`, through the link `a/b/up`",
        ),
        (
            tar().symlink("out", "a/up/./x").symlink("a/up", "../a"),
            "`out` is a link to `a/up/./x`, through the link `a/up`",
        ),
        (
            tar().hard_link("a", "/etc/passwd"),
            "`a` is a hard link to `/etc/passwd`, which is no file before it",
        ),
        (
            tar().hard_link("a", "../x"),
            "`a` is a hard link to `../x`, which is no file before it",
        ),
        (
            tar().hard_link("a", "b").file("b", b""),
            "`a` is a hard link to `b`, which is no file before it",
        ),
        (
            tar().directory("d").hard_link("a", "d"),
            "`a` is a hard link to `d`, which is no file before it",
        ),
        (
            tar().symlink("l", "f").file("f", b"").hard_link("a", "l"),
            "`a` is a hard link to `l`, which is no file before it",
        ),
        (tar().file("f", b"").hard_link("f", "f"), "`f` comes twice"),
        // Kinds.
        (tar().of_type("a", b'3'), "`a` is a character device"),
        (tar().of_type("a", b'4'), "`a` is a block device"),
        (tar().of_type("a", b'6'), "`a` is a FIFO"),
        (tar().of_type("a", b'7'), "`a` is of the unknown type `7`"),
        (tar().of_type("a", b'V'), "`a` is of the unknown type `V`"),
        (
            tar().of_type("a", 0xff),
            r"`a` is of the unknown type `\xff`",
        ),
        (tar().of_type("a", b'S'), "`a` is a sparse file"),
        (
            tar().pax(&[("GNU.sparse.major", "1")]).file("a", b""),
            "`pax` is a sparse file",
        ),
        (
            tar().pax(&[("SCHILY.realsize", "1")]).file("a", b""),
            "`pax` is a sparse file",
        ),
        (
            tar().entry(b"a", EntryType::Directory, "", b"x"),
            "`a` has contents, but is no file",
        ),
        (
            tar().entry(b"a", EntryType::Symlink, "b", b"x"),
            "`a` has contents, but is no file",
        ),
        (
            tar().file("f", b"").entry(b"a", EntryType::Link, "f", b"x"),
            "`a` has contents, but is no file",
        ),
        // Sizes.
        (
            tar().tampered(b"a", EntryType::Regular, "", b"", |header| {
                header.set_size(100_001)
            }),
            "`a` says it has 100001 bytes, 100001 with those before it, \
             and the pin allows 100000 unpacked",
        ),
        (
            tar().file("a", &[1; 49_000]).file("b", &[1; 51_001]),
            "`b` says it has 51001 bytes, 100001 with those before it, \
             and the pin allows 100000 unpacked",
        ),
        (
            tar()
                .pax(&[("size", "18446744073709551615")])
                .file("a", b""),
            "`a` says it has 18446744073709551615 bytes, 18446744073709551615 with those \
             before it, and the pin allows 100000 unpacked",
        ),
        (
            tar().file("a", &[0; 99_900]),
            "it unpacks to more than the 100000 bytes that its pin allows",
        ),
        (
            tar().bytes(&[0; 100_001]),
            "it unpacks to more than the 100000 bytes that its pin allows",
        ),
        (
            (0..21).fold(tar(), |tar, number| tar.directory(&number.to_string())),
            "it has more than 20 entries",
        ),
        (
            tar().directory(&"a/".repeat(21)),
            "it has more than 20 entries",
        ),
        // Headers.
        (
            tar().tampered(b"a", EntryType::Regular, "", b"", |header| {
                // A size from 8 GiB on, in GNU's binary form.
                header.set_size(1 << 40);
            }),
            "`a` has a header with an unreadable size",
        ),
        (
            tar().tampered(b"a", EntryType::Regular, "", b"", |header| {
                header.as_old_mut().size = *b"-0000000001\0";
            }),
            "`a` has a header with an unreadable size",
        ),
        (
            tar().tampered(b"a", EntryType::Regular, "", b"", |header| {
                header.as_old_mut().mode = *b"rw-r--r-";
            }),
            "`a` has a header with an unreadable mode",
        ),
        (
            tar().pax(&[("path", "a"), ("path", "b")]).file("c", b""),
            "`pax` has two extended headers that give its name",
        ),
        (
            tar()
                .pax(&[("path", "a")])
                .pax(&[("path", "b")])
                .file("c", b""),
            "`pax` has two extended headers that give its name",
        ),
        (
            tar()
                .pax(&[("path", "a")])
                .entry(b"long", EntryType::GNULongName, "", b"b\0")
                .file("c", b""),
            "`long` has two extended headers that give its name",
        ),
        (
            tar()
                .pax(&[("linkpath", "a")])
                .entry(b"long", EntryType::GNULongLink, "", b"b\0")
                .symlink("c", "d"),
            "`long` has two extended headers that give its target",
        ),
        (
            tar().entry(b"pax", EntryType::XHeader, "", b"10 path=a\n"),
            "`pax` has a broken extended header",
        ),
        (
            tar().pax(&[("path", "a")]),
            "`pax` has a broken extended header",
        ),
        (
            tar().tampered(b"pax", EntryType::XHeader, "", b"", |header| {
                header.set_size((1 << 20) + 1);
            }),
            "`pax` has a broken extended header",
        ),
        (
            tar().entry(
                b"all",
                EntryType::XGlobalHeader,
                "",
                &super::pax(&[("path", "/x")]),
            ),
            "`all` is a global header that sets `path` for all entries",
        ),
        (
            tar().entry(
                b"all",
                EntryType::XGlobalHeader,
                "",
                &super::pax(&[("size", "1")]),
            ),
            "`all` is a global header that sets `size` for all entries",
        ),
        // What extended headers say is judged like the rest.
        (
            tar().pax(&[("path", "/x")]).file("a", b""),
            "`/x` has an absolute path",
        ),
        (tar().pax(&[("path", "")]).file("a", b""), "`` has no name"),
        (
            tar().pax(&[("linkpath", "/x")]).symlink("a", "b"),
            "`a` is a link out of the tree, to `/x`",
        ),
        (
            tar()
                .entry(b"long", EntryType::GNULongName, "", b"../x\0")
                .file("a", b""),
            "`../x` has `..` in its path",
        ),
        (
            tar()
                .entry(b"long", EntryType::GNULongName, "", b"a\0b\0")
                .file("a", b""),
            r"`a\0b` has a control character in its name",
        ),
    ];
    let packed = rows
        .into_iter()
        .map(|(tar, expected)| (gz(&tar.end()), expected));
    all_refused("x.tar.gz", packed);
}

// Guards: U4.
#[test]
fn broken_streams() {
    let tar = Tar::default().file("a", b"contents").file("b", &[7; 3000]);
    let unended = tar.clone().0;
    let whole = tar.clone().end();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        gz(&bytes)
    };
    let lone_block = [&unended[..], &[0; 512]].concat();
    let packed = gz(&whole);
    let rows: Vec<(&str, Vec<u8>, &str)> = vec![
        (
            "wrong header checksum",
            with(&|tar| tar[3] ^= 1),
            "refused: `a` has a header with a wrong checksum",
        ),
        (
            "no end",
            gz(&unended),
            "refused: it is cut short: its end is missing",
        ),
        (
            "half an end",
            gz(&lone_block),
            "refused: it is cut short: its end is missing",
        ),
        (
            "an end within",
            gz(&[&lone_block, &whole[..]].concat()),
            "refused: there are bytes after its end",
        ),
        (
            "cut within contents",
            gz(&whole[..2000]),
            "refused: it is cut short: its end is missing",
        ),
        (
            "empty tar",
            gz(b""),
            "refused: it is cut short: its end is missing",
        ),
        (
            "byte behind",
            with(&|tar| tar.push(1)),
            "refused: there are bytes after its end",
        ),
        (
            "bytes behind zeros",
            with(&|tar| tar.extend([[0; 512], [1; 512]].concat())),
            "refused: there are bytes after its end",
        ),
    ];
    for (what, bytes, expected) in rows {
        let error = refusal("x.tar.gz", &bytes);
        assert_eq!(error, format!("x.tar.gz: {expected}"), "{what}");
    }
    for (archive, packed) in [
        ("x.tar.gz", packed),
        ("x.tar.bz2", bz2(&whole)),
        ("x.tar.xz", xz(&whole)),
    ] {
        let middle = packed.len() / 2;
        let mut flipped = packed.clone();
        flipped[middle] ^= 0x10;
        for (what, bytes) in [
            ("empty", vec![]),
            ("cut in the middle", packed[..middle].to_vec()),
            ("cut by a byte", packed[..packed.len() - 1].to_vec()),
            ("cut by eight bytes", packed[..packed.len() - 8].to_vec()),
            ("a bit flipped", flipped),
            ("a byte behind", [&packed[..], b"x"].concat()),
            (
                "text behind",
                [&packed[..], b"some text or other, longer"].concat(),
            ),
            ("another format", b"<html><body>404</body></html>".to_vec()),
        ] {
            let error = refusal(archive, &bytes);
            assert!(
                error.starts_with(&format!("{archive}: ")),
                "{what}: {error}"
            );
        }
    }
}

// Guards: U4.
#[test]
fn a_bomb_is_stopped_at_the_limit() {
    // 1 GiB of zeros in a few hundred kilobytes, as contents and as an end without end.
    let contents = Tar::default().tampered(b"a", EntryType::Regular, "", b"", |header| {
        header.set_size(90_000);
    });
    for tar in [contents.0, Vec::new()] {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&tar).unwrap();
        for _ in 0..1024 {
            encoder.write_all(&vec![0; 1 << 20]).unwrap();
        }
        let bomb = encoder.finish().unwrap();
        assert_eq!(
            refusal("x.tgz", &bomb),
            "x.tgz: refused: it unpacks to more than the 100000 bytes that its pin allows"
        );
    }
}

#[test]
fn an_xz_does_not_take_any_memory_it_likes() {
    let mut packed = xz(&Tar::default().file("a", b"x").end());
    // The first block's header: its size, flags, then the filter LZMA2 (0x21) with one byte
    // of properties, the dictionary's size; 40 is 4 GiB. A checksum ends it.
    assert_eq!(packed[12..16], [2, 0, 0x21, 1]);
    packed[16] = 40;
    let mut crc = flate2::Crc::new();
    crc.update(&packed[12..20]);
    packed[20..24].copy_from_slice(&crc.sum().to_le_bytes());
    let error = refusal("x.tar.xz", &packed);
    assert!(error.contains("memory"), "{error}");

    // Nor any stack: many streams in which there is nothing.
    let error = refusal("x.tar.xz", &xz(b"").repeat(200_000));
    assert_eq!(
        error,
        "x.tar.xz: refused: it is cut short: its end is missing"
    );
}
