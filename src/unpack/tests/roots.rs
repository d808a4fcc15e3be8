//! Trees that are to be the root of a machine: absolute links mean the tree's own root.

use super::*;

/// Unpacks a tree as a root; what its links say, by path.
fn links(tar: Tar, names: &[&str]) -> Vec<String> {
    let scene = Scene::new("root.tar.gz", &gz(&tar.end()));
    scene.unpack_root().unwrap();
    let says = |name: &&str| fs_err::read_link(scene.dest().join(name)).unwrap();
    names
        .iter()
        .map(|name| format!("{name} -> {}", says(name).display()))
        .collect()
}

#[test]
fn absolute_links_mean_the_root_of_the_tree() {
    let tar = Tar::default()
        .file("bin/busybox", b"")
        .symlink("bin/sh", "/bin/busybox")
        .symlink("usr/bin/awk", "//bin/./busybox")
        .symlink("var/run", "/run")
        .symlink("top", "/etc/absent")
        .symlink("root", "/")
        .symlink("a/root", "/")
        .symlink("a/b", "b")
        .symlink("usr/up", "/bin/../bin/busybox");
    let names = [
        "bin/sh",
        "usr/bin/awk",
        "var/run",
        "top",
        "root",
        "a/root",
        "a/b",
        "usr/up",
    ];
    assert_eq!(
        links(tar, &names),
        [
            "bin/sh -> ../bin/busybox",
            "usr/bin/awk -> ../../bin/./busybox",
            "var/run -> ../run",
            "top -> etc/absent",
            "root -> .",
            "a/root -> ../",
            "a/b -> b",
            "usr/up -> ../bin/../bin/busybox",
        ]
    );
}

#[test]
fn a_host_that_follows_them_stays_inside() {
    let tar = Tar::default()
        .file("etc/passwd", b"of the tree")
        .symlink("a/b/c", "/etc/passwd")
        .symlink("d", "/a");
    let scene = Scene::new("root.tar.gz", &gz(&tar.end()));
    scene.unpack_root().unwrap();
    for name in ["a/b/c", "d/b/c"] {
        let read = fs_err::read_to_string(scene.dest().join(name)).unwrap();
        assert_eq!(read, "of the tree", "{name}");
    }
}

#[test]
fn what_leads_out_of_the_root_is_refused() {
    let tar = Tar::default;
    for (tar, expected) in [
        (
            tar().symlink("l", "/.."),
            "`l` is a link out of the tree, to `/..`",
        ),
        (
            tar().symlink("a/l", "/../etc/passwd"),
            "`a/l` is a link out of the tree, to `/../etc/passwd`",
        ),
        (
            tar().symlink("a/l", "/x/../../etc"),
            "`a/l` is a link out of the tree, to `/x/../../etc`",
        ),
        (
            tar().symlink("a/l", "../../etc"),
            "`a/l` is a link out of the tree, to `../../etc`",
        ),
        // On disk `..` of what a link leads to is another directory than in the text.
        (
            tar()
                .directory("deep/er")
                .symlink("in", "/deep/er")
                .symlink("l", "/in/../../x"),
            "`l` is a link out of the tree, to `/in/../../x`",
        ),
        (
            tar()
                .directory("a")
                .symlink("b/in", "/a")
                .symlink("l", "/b/in/../../etc"),
            "`l` is a link to `b/in/../../etc`, through the link `b/in`",
        ),
        (
            tar().symlink("l", "/etc").file("l/passwd", b""),
            "`l/passwd` lies below `l`, which is a link",
        ),
        (
            tar().file("/etc/passwd", b""),
            "`/etc/passwd` has an absolute path",
        ),
        (
            tar().hard_link("h", "/etc/passwd"),
            "`h` is a hard link to `/etc/passwd`, which is no file before it",
        ),
    ] {
        let scene = Scene::new("root.tar.gz", &gz(&tar.end()));
        let error = scene.unpack_root().expect_err(expected);
        assert_eq!(scene.left(), [""; 0], "after: {error}");
        assert_eq!(
            error.to_string(),
            format!("root.tar.gz: refused: {expected}")
        );
    }
}
