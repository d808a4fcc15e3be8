//! What is published: whole, listed, and nothing of what was there before.

use relaysmith::base::digest::Digest;
use relaysmith::base::target::Target;
use relaysmith::image::{About, Exported, Variant};
use relaysmith::publish::release::{Edition, gather};

use crate::scene::record;

#[test]
fn a_release_replaces_the_last_one_whole() {
    let dist = tempfile::tempdir().unwrap();
    let about = About {
        version: "0.4.9.11".to_owned(),
        target: Target::X86_64,
        variant: Variant::RelayArm,
        uid: 45553,
        epoch: 0,
        components: Vec::new(),
    };
    let (archive, to) = (
        dist.path().join(about.file_name()),
        dist.path().join("release"),
    );
    fs_err::write(&archive, "an image").unwrap();
    fs_err::create_dir(&to).unwrap();
    fs_err::write(to.join("stale"), "of the last release").unwrap();
    let mut exported = Exported {
        digest: Digest::sha256(b"a manifest"),
        layout: dist.path().join("oci"),
        archive,
        archive_digest: Digest::sha256(b"an image"),
        written: true,
    };
    let files = |exported: &Exported| {
        let edition = Edition {
            tag: about.tag(),
            exported,
            documents: vec![(&about, vec![("txt".to_owned(), "about it".to_owned())])],
        };
        gather(&[edition], &[record("")], None, &to)
    };
    let names: Vec<String> = files(&exported)
        .unwrap()
        .into_iter()
        .map(|it| it.name)
        .collect();
    let expected = [
        "IMAGES",
        "SHA256SUMS",
        "hashes-0.4.9.11-x86_64-linux-musl.json",
        "tor-0.4.9.11-x86_64-linux-musl-arm.tar",
        "tor-0.4.9.11-x86_64-linux-musl-arm.txt",
    ];
    assert_eq!(names, expected);
    let there = || {
        let entries = fs_err::read_dir(&to).unwrap();
        let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(there(), expected);
    let image = Digest::sha256(b"a manifest");
    assert_eq!(
        fs_err::read_to_string(to.join("IMAGES")).unwrap(),
        format!("tor-0.4.9.11-x86_64-linux-musl-arm.tar 0.4.9.11-arm {image}\n")
    );
    let check = duct::cmd!("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS");
    check.dir(&to).run().unwrap();

    // Without its image there is no release, and the last one stays.
    exported.archive = dist.path().join("gone.tar");
    assert!(files(&exported).is_err());
    assert_eq!(there(), expected);
    assert_eq!(fs_err::read_dir(dist.path()).unwrap().count(), 2);
}
