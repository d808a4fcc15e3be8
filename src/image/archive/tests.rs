use proptest::prelude::*;

use super::*;
use crate::base::digest::Digest;

fn written(archive: &Archive) -> Vec<u8> {
    let mut bytes = Vec::new();
    archive.write(1_782_403_099, &mut bytes).unwrap();
    bytes
}

#[test]
fn what_cannot_be_in_an_image_is_refused() {
    let file = |archive: &mut Archive, path: &str, mode| {
        archive.file(path, mode, Owner::ROOT, Content::Bytes(Vec::new()))
    };
    for path in [
        "", "/", "/etc", "etc/", "a//b", ".", "a/./b", "..", "a/../b", "a\nb", "a\0b",
    ] {
        let error = file(&mut Archive::default(), path, 0o644)
            .unwrap_err()
            .to_string();
        assert!(error.contains("cannot be a path"), "{error}");
    }
    for mode in [0o4755, 0o2755, 0o1755, 0o100_644] {
        let error = file(&mut Archive::default(), "a", mode)
            .unwrap_err()
            .to_string();
        assert!(error.contains("no setuid"), "{error}");
    }
    let mut archive = Archive::default();
    file(&mut archive, "a/b", 0o644).unwrap();
    archive.directory("a", 0o700, Owner::ROOT).unwrap();
    archive.directory("a", 0o700, Owner::ROOT).unwrap();
    for (error, message) in [
        (
            file(&mut archive, "a/b", 0o644),
            "`a/b` is twice in one layer",
        ),
        (
            archive.directory("a", 0o755, Owner::ROOT),
            "`a` is twice in one layer",
        ),
        (
            archive.symlink("a", "b"),
            "`a` is in one layer as a directory and as something else",
        ),
        (
            file(&mut archive, "a/b/c", 0o644),
            "`a/b` is in one layer as a directory and as something else",
        ),
        (
            archive.symlink("c", ""),
            "`` cannot be a path in an image: expected a relative one without `.`, `..`, empty parts and control characters",
        ),
    ] {
        assert_eq!(error.unwrap_err().to_string(), message);
    }
}

#[test]
fn a_tree_keeps_what_matters_of_its_files() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs_err::create_dir_all(root.join("lib/empty")).unwrap();
    fs_err::write(root.join("lib/module.py"), "pass\n").unwrap();
    fs_err::write(root.join("python"), "elf").unwrap();
    fs_err::set_permissions(root.join("python"), PermissionsExt::from_mode(0o6700)).unwrap();
    fs_err::os::unix::fs::symlink("lib/module.py", root.join("link")).unwrap();
    let mut archive = Archive::default();
    archive.tree("usr/local", root).unwrap();
    let bytes = written(&archive);
    let lines: Vec<_> = tar::Archive::new(&bytes[..])
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let mode = entry.header().mode().unwrap();
            format!("{mode:o} {}", entry.path().unwrap().display())
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    755 usr/
    755 usr/local/
    755 usr/local/lib/
    755 usr/local/lib/empty/
    644 usr/local/lib/module.py
    777 usr/local/link
    755 usr/local/python
    ");

    let socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    let error = Archive::default()
        .tree("usr", root)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("is not a file, directory or symbolic link"),
        "{error}"
    );
    drop(socket);
}

/// The kernel's own files say a size that is not theirs, as a file does that somebody
/// writes to.
#[test]
fn a_file_of_another_size_than_it_said_is_refused() {
    for path in ["/proc/self/status", "/sys/devices/system/cpu/online"] {
        let mut archive = Archive::default();
        let content = Content::File(path.into());
        archive.file("a", 0o644, Owner::ROOT, content).unwrap();
        let error = archive.write(0, &mut Vec::new()).unwrap_err();
        assert!(matches!(error, Error::Changed { .. }), "{error}");
    }
}

/// Between the look at an output and the reading of it, somebody may put something else there.
// Guards: B5.
#[test]
fn what_is_no_plain_file_is_neither_followed_nor_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs_err::write(at("secret"), "secret").unwrap();
    fs_err::os::unix::fs::symlink(at("secret"), at("link")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        at("fifo"),
        rustix::fs::FileType::Fifo,
        mode,
        0,
    )
    .unwrap();
    for path in [
        at("link"),
        at("fifo"),
        "/dev/zero".into(),
        folder.path().into(),
    ] {
        let mut archive = Archive::default();
        let content = Content::File(path.clone());
        archive.file("a", 0o644, Owner::ROOT, content).unwrap();
        let error = archive.write(0, &mut Vec::new()).unwrap_err();
        assert!(
            matches!(error, Error::Special { .. } | Error::Io(_)),
            "{error}"
        );
        assert!(
            error.to_string().contains(&path.display().to_string()),
            "{error}"
        );
        assert!(archive.content_size().is_err(), "{}", path.display());
    }
}

proptest! {
    #[test]
    fn the_order_of_insertion_does_not_matter(
        names in proptest::collection::btree_set("[a-c]{1,2}(/[a-c-]{1,3}){0,3}", 1..12),
        seed in any::<u64>(),
    ) {
        let archive = |names: &[&String]| {
            let mut archive = Archive::default();
            let mut refused = Vec::new();
            for name in names {
                let content = Content::Bytes(name.as_bytes().to_vec());
                if archive.file(&format!("{name}/file"), 0o644, Owner::ROOT, content).is_err() {
                    refused.push(name.to_string());
                }
                archive.directory(name, 0o700, Owner::ROOT).unwrap();
            }
            (written(&archive), refused)
        };
        let sorted: Vec<_> = names.iter().collect();
        let mut shuffled = sorted.clone();
        shuffled.sort_by_key(|name| Digest::sha256(format!("{seed}{name}").as_bytes()));
        prop_assert_eq!(archive(&sorted), archive(&shuffled));
    }
}
