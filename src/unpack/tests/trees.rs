//! What comes out of archives that are as they should be.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;

/// Everything below `directory`, one line a path: kind, mode, links, contents or target.
fn picture(directory: &Path) -> String {
    let mut found = Vec::new();
    list(directory, directory, &mut found);
    let mut lines = String::new();
    for path in found {
        let full = directory.join(&path);
        let metadata = full.symlink_metadata().unwrap();
        assert_eq!(metadata.mtime(), i64::try_from(EPOCH).unwrap(), "{path}");
        let mode = metadata.permissions().mode() & 0o7777;
        lines += &if metadata.is_symlink() {
            format!(
                "{path} -> {}\n",
                fs_err::read_link(&full).unwrap().display()
            )
        } else if metadata.is_dir() {
            format!("{path}/ {mode:o}\n")
        } else {
            let contents = fs_err::read_to_string(&full).unwrap();
            format!("{path} {mode:o} x{} {contents:?}\n", metadata.nlink())
        };
    }
    lines
}

fn with_mode(tar: Tar, name: &str, mode: u32) -> Tar {
    tar.tampered(name.as_bytes(), EntryType::Regular, "", b"", |header| {
        header.set_mode(mode)
    })
}

#[test]
fn modes_times_and_links() {
    let tar = Tar::default()
        .entry(
            b"all",
            EntryType::XGlobalHeader,
            "",
            &pax(&[("comment", "8cf17aa")]),
        )
        .directory("./")
        .file("a/file", b"text")
        .directory("a/")
        .hard_link("a/hard", "a//file")
        .symlink("a/soft", "../b/./file")
        .symlink("chain", "a/soft")
        .symlink("nowhere", "a/absent")
        .symlink("new/link", "..");
    let tar = with_mode(tar, "b/setuid", 0o4755);
    let tar = with_mode(tar, "b/one-x", 0o601);
    let tar = with_mode(tar, "b/nothing", 0o000);
    let tar = with_mode(tar, "b/all", 0o7666);
    let tar = tar
        .pax(&[
            ("path", "b/file"),
            ("size", "3"),
            ("mtime", "1.5"),
            ("uid", "7"),
        ])
        .tampered(b"x", EntryType::Regular, "", b"", |header| {
            header.set_size(0)
        })
        .bytes(b"yes")
        .entry(b"long", EntryType::GNULongName, "", b"b/long\0")
        .file("x", b"");
    let tar = tar.end();
    let expected = r#"a/ 755
a/file 644 x2 "text"
a/hard 644 x2 "text"
a/soft -> ../b/./file
b/ 755
b/all 644 x1 ""
b/file 644 x1 "yes"
b/long 644 x1 ""
b/nothing 644 x1 ""
b/one-x 755 x1 ""
b/setuid 755 x1 ""
chain -> a/soft
new/ 755
new/link -> ..
nowhere -> a/absent
"#;
    for (archive, bytes) in [
        ("x.tar.gz", gz(&tar)),
        ("x.tgz", gz(&tar)),
        ("x.crate", gz(&tar)),
        ("x.tar.bz2", bz2(&tar)),
        ("x.tar.xz", xz(&tar)),
        // Two streams behind one another are one.
        ("x.tar.gz", [gz(&tar[..700]), gz(&tar[700..])].concat()),
        ("x.tar.bz2", [bz2(&tar[..700]), bz2(&tar[700..])].concat()),
        ("x.tar.xz", [xz(&tar[..700]), xz(&tar[700..])].concat()),
    ] {
        let scene = Scene::new(archive, &bytes);
        scene.unpack().unwrap();
        assert_eq!(picture(&scene.dest()), expected, "{archive}");
        let root = scene.dest().metadata().unwrap();
        assert_eq!(root.mode() & 0o7777, 0o755);
        assert_eq!(root.mtime(), i64::try_from(EPOCH).unwrap());
    }
}

#[test]
fn only_what_is_wanted() {
    let tar = Tar::default()
        .directory("top")
        .directory("top/docs")
        .file("top/docs/big", b"x")
        .directory("top/lib")
        .file("top/lib/c", b"")
        .file("top/lib2/c", b"")
        .hard_link("top/lib/hard", "top/docs/big");
    let scene = Scene::new("x.tgz", &gz(&tar.clone().end()));
    let unwanted = |path: &Path| !path.starts_with("top/docs") && !path.ends_with("hard");
    scene.unpack_some(LIMITS, &unwanted).unwrap();
    assert_eq!(
        picture(&scene.dest()),
        "top/ 755\ntop/lib/ 755\ntop/lib/c 644 x1 \"\"\ntop/lib2/ 755\ntop/lib2/c 644 x1 \"\"\n"
    );

    // What is left out is judged all the same.
    let hostile = tar.clone().symlink("top/docs/link", "../../..");
    let scene = Scene::new("x.tgz", &gz(&hostile.end()));
    scene.unpack_some(LIMITS, &unwanted).unwrap_err();
    assert_eq!(scene.left(), [""; 0]);

    let scene = Scene::new("x.tgz", &gz(&tar.end()));
    let error = scene
        .unpack_some(LIMITS, &|path| !path.starts_with("top/docs"))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "x.tgz: refused: `top/lib/hard` is a hard link to `top/docs/big`, which is left out"
    );
    assert_eq!(scene.left(), [""; 0]);
}

#[test]
fn the_umask_changes_nothing() {
    // A process has one umask, so it is asked of another.
    let scene = Scene::new("x.tgz", &gz(&Tar::default().file("d/a", b"x").end()));
    if std::env::var_os("WITH_UMASK").is_some() {
        scene.unpack().unwrap();
        assert_eq!(picture(&scene.dest()), "d/ 755\nd/a 644 x1 \"x\"\n");
        return;
    }
    let name = "unpack::tests::trees::the_umask_changes_nothing";
    let run = "umask 077; exec \"$0\" --exact \"$1\"";
    let program = std::env::current_exe().unwrap();
    let output = std::process::Command::new("sh")
        .args(["-c", run])
        .arg(program)
        .arg(name)
        .env("WITH_UMASK", "1")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn what_a_killed_run_left_is_replaced() {
    let scene = Scene::new("x.tgz", &gz(&Tar::default().file("a", b"new").end()));
    let left = scene.dest().with_file_name(".tree.unpacking");
    fs_err::create_dir_all(left.join("b/c")).unwrap();
    fs_err::write(left.join("a"), "half").unwrap();
    fs_err::os::unix::fs::symlink("/", left.join("b/root")).unwrap();
    scene.unpack().unwrap();
    assert_eq!(picture(&scene.dest()), "a 644 x1 \"new\"\n");
    assert_eq!(scene.left(), ["out/tree", "out/tree/a"]);
}

#[test]
fn a_tree_is_not_replaced() {
    let scene = Scene::new("x.tgz", &gz(&Tar::default().file("a", b"new").end()));
    scene.unpack().unwrap();
    let error = scene.unpack().unwrap_err();
    let dest = scene.dest().display().to_string();
    assert_eq!(error.to_string(), format!("{dest} already exists"));
    assert_eq!(error.hint(), Some(format!("remove it with `rm -r {dest}`")));
    assert_eq!(scene.left(), ["out/tree", "out/tree/a"]);
}

#[test]
fn several_at_once_make_one_tree() {
    let tar = (0..15).fold(Tar::default(), |tar, number| {
        tar.file(&number.to_string(), b"x")
    });
    let scene = Scene::new("x.tgz", &gz(&tar.end()));
    let done: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| scene.unpack())).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(
        done.iter().filter(|done| done.is_ok()).count(),
        1,
        "{done:?}"
    );
    let late = |done: &&Result<(), Error>| matches!(done, Err(Error::Exists { .. }));
    assert_eq!(done.iter().filter(late).count(), 7, "{done:?}");
    assert_eq!(scene.left().len(), 16);
}

/// Unpacks while another process, played by this one, holds the half-made tree; `end` is
/// what the other does with it before it lets go.
fn beside_another(end: impl FnOnce(&Path)) -> (Scene, Result<(), Error>) {
    let scene = Scene::new("x.tgz", &gz(&Tar::default().file("a", b"ours").end()));
    let half_made = scene.dest().with_file_name(".tree.unpacking");
    fs_err::create_dir(&half_made).unwrap();
    fs_err::write(half_made.join("a"), "theirs").unwrap();
    let lock = fs_err::File::open(&half_made).unwrap();
    lock.file().lock().unwrap();
    let done = std::thread::scope(|scope| {
        let unpacking = scope.spawn(|| scene.unpack());
        // Long enough for it to do harm, did it not wait. Too short, it does none.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let untouched = fs_err::read_to_string(half_made.join("a")).unwrap();
        assert_eq!(untouched, "theirs");
        end(&half_made);
        drop(lock);
        unpacking.join().unwrap()
    });
    (scene, done)
}

#[test]
fn another_that_is_at_work_is_waited_for() {
    let finish = |half_made: &Path| {
        fs_err::rename(half_made, half_made.with_file_name("tree")).unwrap();
    };
    let (scene, done) = beside_another(finish);
    assert!(matches!(done, Err(Error::Exists { .. })), "{done:?}");
    assert_eq!(
        fs_err::read_to_string(scene.dest().join("a")).unwrap(),
        "theirs"
    );
    assert_eq!(scene.left(), ["out/tree", "out/tree/a"]);

    let give_up = |half_made: &Path| fs_err::remove_dir_all(half_made).unwrap();
    let (scene, done) = beside_another(give_up);
    done.unwrap();
    assert_eq!(picture(&scene.dest()), "a 644 x1 \"ours\"\n");
    assert_eq!(scene.left(), ["out/tree", "out/tree/a"]);
}

#[test]
fn the_ending_says_the_format() {
    for name in ["x.tar", "x.gz", "x.rpm", "xz", "tar.xz.asc", "", "x.TAR.GZ"] {
        let scene = Scene::new("file", b"");
        let file = scene.directory.path().join("file");
        let error = {
            let machine = Absolute::Machine;
            unpack_archive(
                name,
                &file,
                LIMITS,
                &|_| true,
                machine,
                &scene.dest(),
                EPOCH,
            )
            .unwrap_err()
        };
        assert!(matches!(error, Error::UnknownFormat { .. }), "{name}");
    }
    assert_eq!(
        chain(&Scene::new("x.rpm", b"").unpack().unwrap_err()),
        "x.rpm: expected a name that ends in .tar.gz, .tgz, .crate, .tar.bz2, .tar.xz, .zip or .whl"
    );
}

#[test]
fn the_root_is_the_only_directory_at_the_top() {
    let tar = Tar::default;
    for (tar, root) in [
        (tar().file("zlib-1.3/zlib.h", b""), "tree/zlib-1.3"),
        (tar().file("zlib-1.3/zlib.h", b"").file("b/c", b""), "tree"),
        (
            tar().file("zlib-1.3/zlib.h", b"").file("README", b""),
            "tree",
        ),
        (tar().file("README", b""), "tree"),
        (tar().directory("a").symlink("b", "a"), "tree"),
        (tar(), "tree"),
    ] {
        let scene = Scene::new("x.tgz", &gz(&tar.end()));
        scene.unpack().unwrap();
        assert_eq!(
            top(&scene.dest()).unwrap(),
            scene.directory.path().join("out").join(root)
        );
    }
}
