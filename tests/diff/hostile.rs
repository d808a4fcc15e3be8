//! Images that were made to deceive or to harm: each is refused, with words that say why, or
//! compared without harm.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use fs_err as fs;
use relaysmith::base::digest::Digest;
use relaysmith::image::read::{Entry, Error, Kind, Limits, Spent, ThirdPartyImage};
use serde_json::{Value, json};

use crate::packed::{Layer, MANIFEST, Packed, Tar, descriptor, gzip, write_index};

/// What `docker save` wrote before version 25.
pub(crate) fn docker_archive(file: &Path, images: &[(&Packed, &str)]) {
    let mut tar = Tar::default();
    let mut list = Vec::new();
    for (packed, tag) in images {
        let (config, _) = packed.documents();
        let name = format!("{}.json", Digest::sha256(&config).hex());
        tar = tar.file(name.as_bytes(), 0o644, &config);
        let mut layers = Vec::new();
        for layer in &packed.layers {
            let name = format!("{}/layer.tar", &Digest::sha256(&layer.plain).hex()[..12]);
            tar = tar.file(name.as_bytes(), 0o644, &layer.plain);
            layers.push(name);
        }
        list.push(json!({ "Config": name, "RepoTags": [tag], "Layers": layers }));
    }
    let list = Value::from(list).to_string();
    let tar = tar.file(b"manifest.json", 0o644, list.as_bytes());
    fs::write(file, tar.finish()).unwrap();
}

fn small(name: &'static str) -> Packed {
    let tar = Tar::default().file(b"file", 0o644, name.as_bytes());
    Packed::new(vec![Layer::new(name, tar.finish(), 9)])
}

/// Opens the image that `make` leaves at a path.
fn open(make: impl FnOnce(&Path)) -> Result<ThirdPartyImage, Error> {
    open_with(Limits::default(), make)
}

fn open_with(limits: Limits, make: impl FnOnce(&Path)) -> Result<ThirdPartyImage, Error> {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("image");
    fs::create_dir(&place).unwrap();
    make(&place);
    ThirdPartyImage::open(place.to_str().unwrap(), limits)
}

fn refused(expected: &str, result: Result<ThirdPartyImage, Error>) {
    let error = result
        .err()
        .unwrap_or_else(|| panic!("not refused: {expected}"));
    let message = error.to_string();
    assert!(message.contains(expected), "{message}, not {expected}");
    assert!(
        !message.contains(|c: char| c.is_control() && c != '\n'),
        "{message:?}"
    );
}

fn blob(layout: &Path, bytes: &[u8]) -> PathBuf {
    layout
        .join("blobs/sha256")
        .join(Digest::sha256(bytes).hex())
}

// Guards: I1.
#[test]
fn bytes_that_are_not_what_is_named() {
    let replaced = |which: fn(&Packed) -> Vec<u8>, by: &'static [u8]| {
        open(move |place| {
            let packed = small("tor");
            packed.write(place);
            let path = blob(place, &which(&packed));
            let mut bytes = fs::read(&path).unwrap();
            match by {
                b"" => bytes[0] ^= 1,
                by => bytes = by.to_vec(),
            }
            fs::write(path, bytes).unwrap();
        })
    };
    let layer = |packed: &Packed| packed.layers[0].packed.clone();
    refused("is not what was named: its digest is", replaced(layer, b""));
    refused("has 5 bytes, expected", replaced(layer, b"short"));
    let (config, manifest) = (|p: &Packed| p.documents().0, |p: &Packed| p.documents().1);
    refused(
        "is not what was named: its digest is",
        replaced(config, b""),
    );
    refused(
        "is not what was named: its digest is",
        replaced(manifest, b""),
    );
    refused(
        "is missing",
        open(|place| {
            let packed = small("tor");
            packed.write(place);
            fs::remove_file(blob(place, &packed.layers[0].packed)).unwrap();
        }),
    );
    // The layer is what the manifest names, and not what the config names.
    refused(
        "the digest of its archive is",
        open(|place| {
            let mut packed = small("tor");
            packed.config["rootfs"]["diff_ids"][0] = Digest::sha256(b"other").to_string().into();
            packed.write(place);
        }),
    );
    refused(
        "describes 2 layers, not 1",
        open(|place| {
            let mut packed = small("tor");
            let more = packed.config["rootfs"]["diff_ids"][0].clone();
            packed.config["rootfs"]["diff_ids"]
                .as_array_mut()
                .unwrap()
                .push(more);
            packed.write(place);
        }),
    );
}

// Guards: I2.
#[test]
fn bombs_and_giants() {
    let limits = Limits {
        bytes: 1 << 20,
        entries: 100,
    };
    let layer = |plain: Vec<u8>| {
        move |place: &Path| Packed::new(vec![Layer::new("tor", plain, 9)]).write(place)
    };
    let zeros = Tar::default()
        .file(b"zeros", 0o644, &vec![0; 2 << 20])
        .finish();
    refused(
        "is too large: all that the layers hold may have 1048576 bytes",
        open_with(limits, layer(zeros)),
    );
    // Two that are small enough each, and not together.
    let half = |name: &str| {
        Tar::default()
            .file(name.as_bytes(), 0o644, &vec![0; 600 << 10])
            .finish()
    };
    refused(
        "is too large",
        open_with(limits, |place| {
            let layers = vec![
                Layer::new("one", half("one"), 9),
                Layer::new("two", half("two"), 9),
            ];
            Packed::new(layers).write(place);
        }),
    );
    let many = (0..101).fold(Tar::default(), |tar, n| {
        tar.file(format!("{n}").as_bytes(), 0o644, b"")
    });
    let image = open_with(limits, layer(many.finish())).unwrap();
    let message = image.layers()[0]
        .entries(&mut Spent::default())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("more than 100 entries and records"),
        "{message}"
    );
    refused(
        "no engine takes more than 128",
        open(|place| {
            let layer = || Layer::new("tor", Tar::default().finish(), 9);
            Packed::new((0..129).map(|_| layer()).collect()).write(place);
        }),
    );
    refused(
        "is too large: a document may have 1048576 bytes",
        open(|place| {
            let index = fs::File::create(place.join("index.json")).unwrap();
            index.set_len((1 << 20) + 1).unwrap();
        }),
    );
}

// Guards: I3.
#[test]
fn layers_that_cannot_be_read() {
    let entries = |plain: Vec<u8>| {
        let packed = Packed::new(vec![Layer::new("tor", plain, 9)]);
        let image = open(|place| packed.write(place)).unwrap();
        image.layers()[0]
            .entries(&mut Spent::default())
            .unwrap_err()
            .to_string()
    };
    let file = || Tar::default().file(b"file", 0o644, &[1; 600]);
    let cut = |end| file().finish()[..end].to_vec();
    for (plain, problem) in [
        (cut(700), "`file`: it is cut off"),
        (vec![7; 512], "numeric field"),
        (
            Tar::default()
                .pax(&[("size", b"9")])
                .file(b"f", 0, b"x")
                .finish(),
            "two sizes",
        ),
        (
            Tar::default()
                .pax(&[("uid", b"-\x1b1")])
                .file(b"f", 0, b"")
                .finish(),
            r"`uid=-\u{1b}1`",
        ),
        (
            Tar::default()
                .entry(b"f", b'S', 0, (0, 0), b"", b"")
                .finish(),
            "sparse",
        ),
        (
            Tar::default()
                .entry(b"g", b'g', 0, (0, 0), b"", b"10 path=x\n")
                .finish(),
            "global header sets `path`",
        ),
        (
            Tar::default()
                .entry(b"l", b'L', 0, (0, 0), b"", &vec![b'x'; (1 << 20) + 1])
                .finish(),
            "extended header has 1048577 bytes",
        ),
    ] {
        let message = entries(plain);
        assert!(message.contains(problem), "{message}, not {problem}");
    }
    // What has no content states none: engines would read it as more entries.
    let smuggled = Tar::default()
        .entry(b"link", b'2', 0o777, (0, 0), b"tor", &[1; 512])
        .finish();
    let message = entries(smuggled);
    assert!(message.contains("states 512 bytes"), "{message}");
    let holes = Tar::default()
        .pax(&[("GNU.sparse.major", b"1")])
        .file(b"f", 0, b"")
        .finish();
    let message = entries(holes);
    assert!(message.contains("sparse"), "{message}");
    for (bytes, problem) in [
        (gzip(b"x", 9)[..15].to_vec(), "as gzip: "),
        ([gzip(b"x", 9), b"behind".to_vec()].concat(), "as gzip: "),
        (
            b"\x28\xb5\x2f\xfdzstd".to_vec(),
            "is compressed with zstd, which is not read here",
        ),
    ] {
        refused(
            problem,
            open(|place| {
                let mut layer = Layer::new("tor", b"x".to_vec(), 9);
                layer.packed = bytes;
                Packed::new(vec![layer]).write(place);
            }),
        );
    }
}

/// What kind of file it is and what follows the archive are content, as engines read them.
// Guards: I3.
#[test]
fn archives_that_hold_the_same_files() {
    let pair = |a: Vec<u8>, b: Vec<u8>| {
        let directory = tempfile::tempdir().unwrap();
        let images = [("a", a), ("b", b)].map(|(name, tar)| {
            let place = directory.path().join(name);
            Packed::new(vec![Layer::new("tor", tar, 9)]).write(&place);
            ThirdPartyImage::open(place.to_str().unwrap(), Limits::default()).unwrap()
        });
        let diff = relaysmith::compare::diff::Diff::new(("a", &images[0]), ("b", &images[1]));
        diff.unwrap().text()
    };
    let file = |kind: u8| {
        Tar::default()
            .entry(b"tor", kind, 0o755, (0, 0), b"", b"elf")
            .finish()
    };
    let more = |kind: u8| {
        let hidden = Tar::default().file(b"etc/evil", 0o644, b"evil").finish();
        [file(kind), hidden].concat()
    };
    for (a, b, expected) in [
        (file(b'0'), file(b'7'), "kind: file -> entry of type `7`"),
        (
            file(b'0'),
            more(b'0'),
            "(after the end of the archive): absent from A",
        ),
        (
            file(b'7'),
            file(b'8'),
            "kind: entry of type `7` -> entry of type `8`",
        ),
        (file(b'0'), file(0), "only in order, padding or encoding"),
    ] {
        let text = pair(a, b);
        assert!(text.contains(expected), "{text}, not {expected}");
    }
}

/// What other programs write is read like theirs, or named for what it is.
#[test]
fn images_of_other_programs() {
    let directory = tempfile::tempdir().unwrap();
    let (plain, packed) = (
        directory.path().join("saved.tar"),
        directory.path().join("saved.tar.gz"),
    );
    let image = small("tor");
    docker_archive(&plain, &[(&image, "tor:1")]);
    fs::write(&packed, gzip(&fs::read(&plain).unwrap(), 6)).unwrap();
    let open = |place: &Path| ThirdPartyImage::open(place.to_str().unwrap(), Limits::default());
    let (a, b) = (open(&plain).unwrap(), open(&packed).unwrap());
    assert_eq!(a.config(), b.config());
    assert_eq!(a.layers()[0].digests, b.layers()[0].digests);

    let xz = directory.path().join("saved.tar.xz");
    fs::write(&xz, b"\xfd7zXZ\0").unwrap();
    let error = open(&xz).unwrap_err();
    assert!(
        error.to_string().contains("is compressed with xz"),
        "{error}"
    );
    assert!(
        error
            .hint()
            .unwrap()
            .starts_with("decompress it first: `xz -dk ")
    );

    let folder = directory.path().join("dir");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("manifest.json"), image.documents().1).unwrap();
    fs::write(folder.join("version"), "Directory Transport Version: 1.1\n").unwrap();
    let error = open(&folder).unwrap_err();
    assert!(
        error.to_string().contains("in skopeo's `dir:` format"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("skopeo copy dir:"));
}

/// Nothing is unpacked: a path is text that is shown.
#[test]
fn paths_that_lead_out_are_shown_as_they_are() {
    let tar = Tar::default()
        .file(b"../../etc/passwd", 0o644, b"")
        .file(b"/etc/shadow", 0o644, b"")
        .file(b"./etc/group", 0o644, b"")
        .file(b"\xff\xfe\n", 0o644, b"")
        .entry(b"link", b'2', 0o777, (0, 0), b"../../..", b"")
        .pax(&[("path", b"long\x07"), ("uid", b"4294967296")])
        .file(b"short", 0o644, b"");
    let packed = Packed::new(vec![Layer::new("tor\x1b]0;x", tar.finish(), 9)]);
    let image = open(|place| packed.write(place)).unwrap();
    let entries = image.layers()[0].entries(&mut Spent::default()).unwrap();
    let paths: Vec<&[u8]> = entries.iter().map(|entry| &*entry.path).collect();
    let expected: [&[u8]; 6] = [
        b"../../etc/passwd",
        b"/etc/shadow",
        b"etc/group",
        b"\xff\xfe\n",
        b"link",
        b"long\x07",
    ];
    assert_eq!(paths, expected);
    let Entry {
        kind: Kind::File,
        uid: 4_294_967_296,
        ..
    } = entries[5]
    else {
        panic!("{:?}", entries[5]);
    };
    assert_eq!(image.layers()[0].digests.name, r"tor\u{1b}]0;x");
}

// Guards: I1.
#[test]
fn folders_that_lead_elsewhere() {
    // A list that names files outside, in a folder and in a tar.
    let list = r#"[{"Config": "../secret", "RepoTags": null, "Layers": []}]"#;
    refused(
        "`../secret` is missing",
        open(|place| {
            fs::write(place.join("../secret"), "{}").unwrap();
            fs::write(place.join("manifest.json"), list).unwrap();
        }),
    );
    let absolute = list.replace("../secret", "/etc/passwd");
    refused(
        "`/etc/passwd` is missing",
        open(|place| {
            fs::write(place.join("manifest.json"), absolute).unwrap();
        }),
    );
    refused(
        "`sha256:../../x` is not a digest",
        open(|place| {
            write_index(
                place,
                &[json!({ "mediaType": MANIFEST, "digest": "sha256:../../x", "size": 1 })],
            );
        }),
    );
    refused(
        r"`\u{1b}[2J` is not a digest",
        open(|place| {
            write_index(
                place,
                &[json!({ "mediaType": MANIFEST, "digest": "\x1b[2J", "size": 1 })],
            );
        }),
    );
    // A pipe would be waited for without end.
    refused(
        "is not a plain file",
        open(|place| {
            let status = std::process::Command::new("mkfifo")
                .arg(place.join("index.json"))
                .status();
            assert!(status.unwrap().success());
        }),
    );
    refused(
        "is a link that leads out of it",
        open(|place| symlink("/dev/zero", place.join("index.json")).unwrap()),
    );
    refused("is not an image", open(|_| ()));
    let error = ThirdPartyImage::open("ghcr.io/x/tor:1", Limits::default()).unwrap_err();
    assert!(
        error
            .hint()
            .unwrap()
            .contains("skopeo copy docker://ghcr.io/x/tor:1 oci:pulled")
    );
}

// Guards: I1.
#[test]
fn one_file_that_is_two_images() {
    let two = |layers: Value| {
        open(move |place| {
            let (packed, other) = (small("tor"), small("other"));
            packed.write(place);
            other.add(place);
            let name = |bytes: &[u8]| format!("blobs/sha256/{}", Digest::sha256(bytes).hex());
            let config = name(&packed.documents().0);
            let layers = match layers {
                Value::Null => json!([name(&other.layers[0].packed)]),
                _ => json!([name(&packed.layers[0].packed)]),
            };
            let list = json!([{ "Config": config, "RepoTags": null, "Layers": layers }]);
            fs::write(place.join("manifest.json"), list.to_string()).unwrap();
        })
    };
    assert!(two(json!("the same")).is_ok());
    refused("is two images in one", two(Value::Null));

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("twice.tar");
    let tar = Tar::default()
        .file(b"index.json", 0o644, b"{}")
        .file(b"./index.json", 0o644, b"[]");
    fs::write(&file, tar.finish()).unwrap();
    refused(
        "`index.json` is in it twice",
        ThirdPartyImage::open(file.to_str().unwrap(), Limits::default()),
    );
}

#[test]
fn one_of_several_is_chosen_by_name_or_digest() {
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("lay:out");
    let (one, two) = (small("one"), small("two"));
    one.add(&layout);
    two.add(&layout);
    let named = |packed: &Packed, name: &str| {
        let mut described = packed.described();
        described["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        described
    };
    // One of them in a list for platforms, with what a builder attests beside it.
    let mut about = two.described();
    about["platform"] = json!({ "architecture": "unknown", "os": "unknown" });
    let inner = json!({ "schemaVersion": 2, "manifests": [two.described(), about] }).to_string();
    fs::write(
        layout
            .join("blobs/sha256")
            .join(Digest::sha256(inner.as_bytes()).hex()),
        &inner,
    )
    .unwrap();
    let mut list = descriptor("application/vnd.oci.image.index.v1+json", inner.as_bytes());
    list["annotations"] = json!({ "io.containerd.image.name": "docker.io/relaysmith/tor:two" });
    let mut attached = one.described();
    attached["artifactType"] = "application/spdx+json".into();
    write_index(
        &layout,
        &[named(&one, "one"), named(&one, "again"), list, attached],
    );

    let open = |chosen: &str| {
        ThirdPartyImage::open(&format!("{}{chosen}", layout.display()), Limits::default())
    };
    let manifest = |packed: &Packed| Digest::sha256(&packed.documents().1);
    for (chosen, packed) in [
        (":one".to_owned(), &one),
        (":again".to_owned(), &one),
        (":two".to_owned(), &two),
        (":relaysmith/tor:two".to_owned(), &two),
        (":docker.io/relaysmith/tor:two".to_owned(), &two),
        (format!("@{}", manifest(&one)), &one),
        (format!("@{}", manifest(&two)), &two),
        (format!("@{}", Digest::sha256(inner.as_bytes())), &two),
    ] {
        let image = open(&chosen).unwrap_or_else(|error| panic!("{chosen}: {error}"));
        assert_eq!(
            image.manifest().unwrap().digest,
            manifest(packed),
            "{chosen}"
        );
    }
    for chosen in [":three", ":wo", ":tor", ""] {
        let error = open(chosen).unwrap_err();
        let message = error.to_string();
        let line = format!("\n  {}  again  one", manifest(&one));
        assert!(message.contains(&line), "{message}");
        let line = format!("\n  {}  docker.io/relaysmith/tor:two", manifest(&two));
        assert!(message.contains(&line), "{message}");
        assert!(error.hint().unwrap().contains("@DIGEST"));
    }

    let file = directory.path().join("saved.tar");
    docker_archive(&file, &[(&one, "tor:one"), (&two, "tor:two")]);
    let open = |chosen: &str| {
        ThirdPartyImage::open(&format!("{}{chosen}", file.display()), Limits::default())
    };
    let config = |packed: &Packed| Digest::sha256(&packed.documents().0);
    for (chosen, packed) in [
        (":two", &two),
        (":tor:one", &one),
        (&format!("@{}", config(&two)), &two),
    ] {
        assert_eq!(open(chosen).unwrap().config().digest, config(packed));
    }
    refused("there is not exactly one image", open(""));
}

/// What looks like a loop of lists ends.
// Guards: I2.
#[test]
fn lists_in_lists() {
    refused(
        "a list in a list",
        open(|place| {
            fs::create_dir_all(place.join("blobs/sha256")).unwrap();
            let media_type = "application/vnd.oci.image.index.v1+json";
            let mut inner = json!({ "schemaVersion": 2, "manifests": [] });
            for _ in 0..5 {
                let bytes = inner.to_string().into_bytes();
                fs::write(blob(place, &bytes), &bytes).unwrap();
                inner =
                    json!({ "schemaVersion": 2, "manifests": [descriptor(media_type, &bytes)] });
            }
            fs::write(place.join("index.json"), inner.to_string()).unwrap();
        }),
    );
}

/// Each command of a hint can be pasted: what names an image elsewhere is not put behind a second
/// `docker://`.
#[test]
fn what_is_no_path_is_said() {
    for (place, expected) in [
        (
            "docker://ghcr.io/x/tor:1",
            "`skopeo copy docker://ghcr.io/x/tor:1 oci:pulled`",
        ),
        (
            "https://example.org/tor.tar",
            "`curl --location --remote-name https://example.org/tor.tar`",
        ),
        ("oci:no/layout", "give the path alone: `no/layout`"),
        ("oci-archive:no.tar", "give the path alone: `no.tar`"),
        ("docker-archive:no.tar", "give the path alone: `no.tar`"),
    ] {
        let error = ThirdPartyImage::open(place, Limits::default()).unwrap_err();
        let hint = error.hint().unwrap();
        assert!(
            hint.contains(expected) && !hint.contains("docker://docker"),
            "{hint}"
        );
        assert!(
            expected.contains("docker://") || !hint.contains("docker://"),
            "{hint}"
        );
    }
}
