//! Two images side by side, and images that were made to deceive or to harm.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod costs;
mod hostile;
mod packed;

use std::path::Path;

use fs_err as fs;
use packed::{Layer, Packed, Tar, program};
use relaysmith::compare::ComparisonVerdict;
use relaysmith::compare::diff::Diff;
use relaysmith::image::read::{Limits, ThirdPartyImage};

fn open(place: &Path) -> ThirdPartyImage {
    ThirdPartyImage::open(place.to_str().unwrap(), Limits::default()).unwrap()
}

fn diff(a: &Path, b: &Path) -> Diff {
    Diff::new(("first", &open(a)), ("second", &open(b))).unwrap()
}

/// A relay's image in small.
fn relay() -> Packed {
    let tor = program(&[
        (".text", &[0x90; 100]),
        (".rodata", b"torrc\0/usr/local/etc/tor"),
        (".data", &[0; 16]),
    ]);
    let layer = Tar::default()
        .entry(b"etc/", b'5', 0o755, (0, 0), b"", b"")
        .file(b"etc/passwd", 0o644, b"root:x:0:0\n")
        .entry(b"tordata/", b'5', 0o700, (45553, 45553), b"", b"")
        .file(b"usr/bin/tor", 0o755, &tor)
        .entry(b"usr/bin/t", b'2', 0o777, (0, 0), b"tor", b"")
        .file(b"usr/share/notes", 0o644, b"the same\n");
    let geoip = Tar::default().file(b"usr/share/geoip", 0o644, &[b'7'; 5000]);
    Packed::new(vec![
        Layer::new("geoip", geoip.finish(), 9),
        Layer::new("tor", layer.finish(), 9),
    ])
}

/// The same, as somebody might hand it on who means no good.
fn other() -> Packed {
    let mut text = [0x90; 100];
    text[70] = 0xcc;
    let tor = program(&[
        (".text", &text),
        (".rodata", b"torrc\0/usr/local/etc/tor.d"),
        (".note", b"hello"),
    ]);
    let layer = Tar::default()
        .entry(b"etc/", b'5', 0o755, (0, 0), b"", b"")
        .file(b"etc/passwd", 0o644, b"root::0:0\n")
        .entry(b"tordata/", b'5', 0o777, (0, 0), b"", b"")
        .pax(&[("SCHILY.xattr.security.capability", b"\x01\0\0\x02")])
        .file(b"usr/bin/tor", 0o4755, &tor)
        .entry(b"usr/bin/t", b'2', 0o777, (0, 0), b"/bin/sh", b"")
        .file(b"usr/share/notes", 0o644, b"the same\n")
        .file(b"x\x1b[31m<script>alert('&')</script>", 0o600, b"");
    let geoip = Tar::default().file(b"usr/share/geoip", 0o644, &[b'7'; 5000]);
    let extra = Tar::default().entry(b"dev/mem", b'3', 0o666, (0, 0), b"", b"");
    let mut packed = Packed::new(vec![
        Layer::new("geoip", geoip.finish(), 1),
        Layer::new("tor", layer.finish(), 9),
        Layer::new("extra", extra.finish(), 9),
    ]);
    packed.config["config"]["User"] = "0:0".into();
    packed.config["config"]["Env"] = serde_json::json!(["LD_PRELOAD=<b>\u{202e}"]);
    packed
}

#[test]
fn the_report_on_two_images() {
    let directory = tempfile::tempdir().unwrap();
    let (a, b) = (directory.path().join("a"), directory.path().join("b"));
    relay().write(&a);
    other().write(&b);
    let diff = diff(&a, &b);
    assert_eq!(diff.verdict(), ComparisonVerdict::Different);
    insta::assert_snapshot!("text", diff.text());
    insta::assert_snapshot!("html", diff.html());
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&diff).unwrap());
}

#[test]
fn an_image_is_the_same_as_itself_however_it_is_carried() {
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("layout");
    relay().write(&layout);
    let file = directory.path().join("image.tar");
    let mut tar = tar::Builder::new(fs::File::create(&file).unwrap());
    tar.append_dir_all(".", &layout).unwrap();
    tar.finish().unwrap();
    let found = diff(&layout, &file);
    assert_eq!(found.verdict(), ComparisonVerdict::Same);
    assert!(found.documents.is_empty());
    insta::assert_snapshot!(found.text().lines().skip(2).collect::<Vec<_>>().join("\n"), @r"
    layer geoip          same (1 entry)
    layer tor            same (6 entries)
    config               same
    manifest             same
    ");
}

#[test]
fn what_docker_saves_has_the_same_content() {
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("layout");
    let packed = relay();
    packed.write(&layout);
    let file = directory.path().join("saved.tar");
    hostile::docker_archive(&file, &[(&packed, "relaysmith/tor:1")]);
    let found = diff(&layout, &file);
    assert_eq!(found.verdict(), ComparisonVerdict::Recompressed);
    insta::assert_snapshot!(found.text().lines().skip(2).collect::<Vec<_>>().join("\n"), @r"
    layer geoip          same content, compressed differently (1 entry)
    layer tor            same content, compressed differently (6 entries)
    config               same
    ");
}

#[test]
fn archives_that_differ_in_nothing_they_hold() {
    let directory = tempfile::tempdir().unwrap();
    let (a, b) = (directory.path().join("a"), directory.path().join("b"));
    let tar = |names: [&[u8]; 2]| {
        let [one, two] = names;
        let tar = Tar::default().file(one, 0o644, b"").file(two, 0o644, b"");
        Packed::new(vec![Layer::new("files", tar.finish(), 9)])
    };
    tar([b"one", b"two"]).write(&a);
    tar([b"two", b"one"]).write(&b);
    let diff = diff(&a, &b);
    assert_eq!(diff.verdict(), ComparisonVerdict::Different);
    assert_eq!(diff.layers[0].files, []);
    let text = diff.text();
    assert!(
        text.contains("layer files          different, though what they hold is the same"),
        "{text}"
    );
    assert!(text.contains("first different byte: 0x0 (0)"), "{text}");
}

#[test]
fn layers_of_one_content_are_found_whatever_they_are_called() {
    let directory = tempfile::tempdir().unwrap();
    let (a, b) = (directory.path().join("a"), directory.path().join("b"));
    relay().write(&a);
    let mut anonymous = relay();
    // As BuildKit writes it.
    for step in anonymous.config["history"].as_array_mut().unwrap() {
        step["comment"] = "buildkit.dockerfile.v0".into();
    }
    anonymous.write(&b);
    let found = diff(&a, &b);
    let verdicts: Vec<_> = found
        .layers
        .iter()
        .map(|layer| (&*layer.name, layer.verdict))
        .collect();
    assert_eq!(
        verdicts,
        [
            ("geoip", ComparisonVerdict::Same),
            ("tor", ComparisonVerdict::Same)
        ]
    );
    // Their names alone, it says.
    assert_eq!(found.documents[0].values.len(), 2);
}
