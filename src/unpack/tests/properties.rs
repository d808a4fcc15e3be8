//! What holds for any archive.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Files by path, none of which lies below another.
fn files() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    let path = "[a-zA-Z0-9 ._~é-]{1,9}(/[a-z]{1,30}){0,5}";
    let files = proptest::collection::btree_map(path, any::<Vec<u8>>(), 0..10);
    files.prop_map(|files| {
        let mut kept: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for (path, contents) in files {
            // Sorted, a directory's name may come long before the files in it.
            let below = |file: &String| Path::new(&path).starts_with(file);
            if !path.split('/').any(|part| part == "." || part == "..") && !kept.keys().any(below) {
                kept.insert(path, contents);
            }
        }
        kept
    })
}

fn tar_of(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    for (path, contents) in files {
        let mut header = Header::new_gnu();
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        builder
            .append_data(&mut header, path, &contents[..])
            .unwrap();
    }
    builder.into_inner().unwrap()
}

fn zip_of(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut writer = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, contents) in files {
        let options = ::zip::write::SimpleFileOptions::default();
        writer.start_file(path, options).unwrap();
        writer.write_all(contents).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A tar with something of everything.
fn varied_tar() -> Vec<u8> {
    Tar::default()
        .entry(
            b"g",
            EntryType::XGlobalHeader,
            "",
            &pax(&[("comment", "c")]),
        )
        .directory("a/")
        .file("a/b", b"contents")
        .symlink("a/link", "../a/b")
        .hard_link("hard", "a/b")
        .pax(&[("path", "a/long"), ("size", "3")])
        .file("x", b"yes")
        .entry(b"L", EntryType::GNULongName, "", b"a/longer\0")
        .entry(b"K", EntryType::GNULongLink, "", b"longer/still\0")
        .symlink("x", "y")
        .end()
}

/// An archive that may be anything: nothing is ever outside the tree, nothing in it leads
/// out, and it is whole or not there.
fn is_harmless(archive: &str, bytes: &[u8]) {
    let scene = Scene::new(archive, bytes);
    let done = scene.unpack();
    let left = scene.left();
    if done.is_err() {
        assert_eq!(left, [""; 0], "{done:?}");
        return;
    }
    let dest = scene.dest().canonicalize().unwrap();
    for path in left {
        let full = scene.directory.path().join(&path);
        assert!(full.starts_with(scene.dest()), "{path}");
        if let Ok(real) = full.canonicalize() {
            assert!(
                real.starts_with(&dest),
                "{path} leads to {}",
                real.display()
            );
        }
    }
}

fn mutated(mut bytes: Vec<u8>, mutations: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    for (index, byte) in mutations {
        let at = index.index(bytes.len());
        bytes[at] = *byte;
    }
    bytes
}

fn mutations() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)
}

proptest! {
    // Each case writes four archives and their trees.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_other_writers_pack_comes_out_again(files in files()) {
        let limits = Limits { bytes: 1 << 20, entries: 100 };
        let tar = tar_of(&files);
        for (archive, bytes) in [
            ("x.tar.gz", gz(&tar)),
            ("x.tar.bz2", bz2(&tar)),
            ("x.tar.xz", xz(&tar)),
            ("x.whl", zip_of(&files)),
        ] {
            let scene = Scene::new(archive, &bytes);
            scene.unpack_some(limits, &|_| true).unwrap();
            let mut found = BTreeMap::new();
            let mut paths = Vec::new();
            list(&scene.dest(), &scene.dest(), &mut paths);
            for path in paths {
                let full = scene.dest().join(&path);
                if full.is_file() {
                    found.insert(path, fs_err::read(full).unwrap());
                }
            }
            prop_assert_eq!(&found, &files, "{}", archive);
        }
    }
}

proptest! {
    #[test]
    fn a_changed_tar_is_harmless(
        headers in proptest::collection::vec(
            (any::<prop::sample::Index>(), 0..512_usize, prop_oneof![any::<u8>(), b'.'..=b'9']),
            1..5,
        ),
    ) {
        let mut tar = varied_tar();
        let blocks = tar.len() / 512;
        for (block, at, byte) in headers {
            let start = block.index(blocks) * 512;
            tar[start + at] = byte;
            // With the right checksum, it has to be caught by what it says.
            let mut header = Header::from_byte_slice(&tar[start..start + 512]).clone();
            if header.as_ustar().is_some() {
                header.set_cksum();
                tar[start..start + 512].copy_from_slice(header.as_bytes());
            }
        }
        is_harmless("x.tgz", &gz(&tar));
    }

    #[test]
    fn changed_bytes_are_harmless(mutations in mutations()) {
        let tar = varied_tar();
        let files = BTreeMap::from([("a/b".into(), b"text".repeat(9)), ("c".into(), vec![])]);
        is_harmless("x.tar.gz", &mutated(gz(&tar), &mutations));
        is_harmless("x.tar.bz2", &mutated(bz2(&tar), &mutations));
        is_harmless("x.tar.xz", &mutated(xz(&tar), &mutations));
        is_harmless("x.whl", &mutated(zip_of(&files), &mutations));
    }

    #[test]
    fn any_bytes_are_harmless(bytes in any::<Vec<u8>>()) {
        for archive in ["x.tar.gz", "x.tar.bz2", "x.tar.xz", "x.whl"] {
            is_harmless(archive, &bytes);
        }
        is_harmless("x.tgz", &gz(&bytes));
    }
}
