//! An image from a few bytes: its digests are a contract, kept by `IMAGE_FORMAT`.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use fs_err as fs;
use relaysmith::base::digest::Digest;
use relaysmith::base::progress::Silent;
use relaysmith::base::target::Target;
use relaysmith::image::read::{Limits, ThirdPartyImage};
use relaysmith::image::{
    self, About, Arm, Component, IMAGE_FORMAT, Image, Obfs4, OwnLayer, Parts, Referrer, Variant,
};

/// 2026-06-25 15:58:19, UTC.
const EPOCH: u64 = 1_782_403_099;

fn component(name: &str, version: &str, license: &str) -> Component {
    Component {
        name: name.to_owned(),
        version: version.to_owned(),
        license: license.to_owned(),
    }
}

fn about() -> About {
    About {
        version: "0.4.9.11".to_owned(),
        target: Target::X86_64,
        variant: Variant::Relay,
        uid: 45_553,
        epoch: EPOCH,
        components: vec![
            component("zstd", "1.5.7", "BSD-3-Clause OR GPL-2.0-only"),
            component("tor", "0.4.9.11", "BSD-3-Clause"),
            component("openssl", "3.5.7", "Apache-2.0"),
        ],
    }
}

/// The parts as files in `directory`.
fn parts(directory: &Path) -> Parts {
    let file = |name: &str, bytes: &[u8]| {
        let path = directory.join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    Parts {
        tor: file("tor", &bytes(100_000)),
        start: file("start", &bytes(10_000)),
        health: file("health", &bytes(20_000)),
        geoip: file("geoip", &bytes(300_000)),
        geoip6: file("geoip6", b"2001:db8::,2001:db8::ffff,??\n"),
        licenses: BTreeMap::from([("tor/LICENSE".to_owned(), file("LICENSE", b"as is\n"))]),
        arm: None,
        obfs4: None,
    }
}

/// Some bytes of which no two thousand in a row are alike.
fn bytes(length: u64) -> Vec<u8> {
    (0..length).map(|n| (n * n / 1021) as u8).collect()
}

fn assemble(about: &About, layout: &Path) -> Image {
    let parts = parts(layout.parent().unwrap());
    let layers = image::layers(about, &parts).unwrap();
    image::assemble(about, &layers, layout, &Silent).unwrap()
}

#[test]
fn the_small_image_has_its_digests() {
    let directory = tempfile::tempdir().unwrap();
    let image = assemble(&about(), &directory.path().join("layout"));
    let exported = image::export(&image, &about(), &directory.path().join("dist")).unwrap();
    let mut lines = vec![format!("image format {IMAGE_FORMAT}")];
    for layer in image.layers() {
        lines.push(format!("{} tar  {}", layer.name, layer.diff_id));
        lines.push(format!(
            "{} gzip {} {}",
            layer.name, layer.digest, layer.size
        ));
    }
    lines.push(format!("config   {}", image.config()));
    lines.push(format!("manifest {}", image.manifest()));
    lines.push(format!("file     {}", exported.archive_digest));
    insta::assert_snapshot!(lines.join("\n"), @r"
    image format 2
    geoip tar  sha256:ef7cc2c1509042b7fcb27c2496b1027f0f1ac0f01b85f892a9df3b778315f856
    geoip gzip sha256:4f310df97411e032fa945f40663230c2e731d78cf747c67a2c7fdc8df20bf194 217363
    tor tar  sha256:12c8377fcbca2cc3f695c308fd9c6231e64303c7d8c2f638ad91a95773d139d1
    tor gzip sha256:1746807f669a932d12b686d085c3de07fe2d265f86ae790b5b899a94a9d8f211 88137
    config   sha256:073eb1616fa347358bc67f74103afde7d79c72c6fd14dcaa10030522c6b57ee0
    manifest sha256:0c3fb8088d582f480cf8e289dce7b4194f211424d8d61d3083870e1a9a897403
    file     sha256:f5c338af4f23c8d58938b092b2c98c37a5c6d308f83beb67a9dee10eb2e6de5f
    ");
}

#[test]
fn nothing_of_this_machine_gets_in() {
    let directory = tempfile::tempdir().unwrap();
    let expected = assemble(&about(), &directory.path().join("one"));

    let old = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let layout = directory.path().join("elsewhere/two");
    fs::create_dir(layout.parent().unwrap()).unwrap();
    let parts = parts(layout.parent().unwrap());
    rustix::process::umask(old);
    // Other modes, other times.
    for path in [&parts.tor, &parts.geoip] {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o4711)).unwrap();
        fs::File::open(path)
            .unwrap()
            .set_modified(std::time::UNIX_EPOCH)
            .unwrap();
    }
    let mut about = about();
    about.components.reverse();
    let layers = image::layers(&about, &parts).unwrap();
    let got = image::assemble(&about, &layers, &layout, &Silent).unwrap();
    assert_eq!(got.manifest(), expected.manifest());
}

#[test]
fn obfs4_has_a_layer_above_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("lyrebird");
    for path in ["bin/lyrebird", "licenses/goptlib"] {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "bytes").unwrap();
    }
    let mut parts = parts(directory.path());
    let without = image::layers(&about(), &parts).unwrap();
    parts.obfs4 = Some(Obfs4 {
        program: folder.join("bin/lyrebird"),
        own: OwnLayer {
            licenses: BTreeMap::from([("goptlib".to_owned(), folder.join("licenses/goptlib"))]),
            epoch: 42,
        },
    });
    let mut about = about();
    about
        .components
        .push(component("goptlib", "1.6.0", "CC0-1.0"));
    let layers = image::layers(&about, &parts).unwrap();
    let (obfs4, others) = layers.split_last().unwrap();
    assert_eq!(others, without);
    assert_eq!((&*obfs4.name, obfs4.epoch), ("obfs4", 42));
    let files: Vec<_> = obfs4
        .archive
        .paths()
        .filter(|path| path.contains("lyrebird") || path.contains("goptlib"))
        .collect();
    let expected = ["usr/local/bin/lyrebird", "usr/local/share/licenses/goptlib"];
    assert_eq!(files, expected);
}

#[test]
fn arm_has_a_layer_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("nyx");
    for path in ["bin/nyx", "lib/nyx/os.pyc", "licenses/python"] {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "bytes").unwrap();
    }
    let mut parts = parts(directory.path());
    let without = image::layers(&about(), &parts).unwrap();
    parts.arm = Some(Arm {
        program: folder.join("bin/nyx"),
        library: folder.join("lib/nyx"),
        own: OwnLayer {
            licenses: BTreeMap::from([("python".to_owned(), folder.join("licenses/python"))]),
            epoch: 42,
        },
    });
    let mut about = about();
    about
        .components
        .push(component("python", "3.13.5", "Python-2.0"));
    let layers = image::layers(&about, &parts).unwrap();
    // A new tor does not move it, and it changes nothing of tor's.
    let (arm, others) = layers.split_first().unwrap();
    assert_eq!(others, without);
    assert_eq!(arm.epoch, 42);
    let files: Vec<_> = arm
        .archive
        .paths()
        .filter(|path| path.contains("nyx") || path.contains("arm") || path.contains("python"))
        .collect();
    assert_eq!(
        files,
        [
            "usr/local/bin/arm",
            "usr/local/bin/nyx",
            "usr/local/lib/nyx",
            "usr/local/lib/nyx/os.pyc",
            "usr/local/share/licenses/python",
        ]
    );
}

#[test]
fn what_is_in_the_image() {
    let directory = tempfile::tempdir().unwrap();
    let image = assemble(&about(), &directory.path().join("layout"));
    let mut lines = Vec::new();
    for layer in image.layers() {
        lines.push(format!("{}:", layer.name));
        let blob = image.layout().join("blobs/sha256").join(layer.digest.hex());
        let bytes = flate2::read::GzDecoder::new(fs::File::open(blob).unwrap());
        for entry in tar::Archive::new(bytes).entries().unwrap() {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!(header.mtime().unwrap(), EPOCH);
            assert_eq!(header.username_bytes(), Some(&b""[..]));
            assert_eq!(header.groupname_bytes(), Some(&b""[..]));
            lines.push(format!(
                "  {:4o} {}:{} {}",
                header.mode().unwrap(),
                header.uid().unwrap(),
                header.gid().unwrap(),
                entry.path().unwrap().display(),
            ));
        }
    }
    insta::assert_snapshot!(lines.join("\n"), @r"
    geoip:
       755 0:0 usr/
       755 0:0 usr/local/
       755 0:0 usr/local/share/
       755 0:0 usr/local/share/tor/
       644 0:0 usr/local/share/tor/geoip
       644 0:0 usr/local/share/tor/geoip6
    tor:
       755 0:0 etc/
       644 0:0 etc/group
       644 0:0 etc/passwd
      1777 0:0 tmp/
       700 45553:45553 tordata/
       755 0:0 usr/
       755 0:0 usr/local/
       755 0:0 usr/local/bin/
       755 0:0 usr/local/bin/tor
       755 0:0 usr/local/etc/
       755 0:0 usr/local/etc/tor/
       755 0:0 usr/local/sbin/
       755 0:0 usr/local/sbin/relay-health
       755 0:0 usr/local/sbin/tor
       755 0:0 usr/local/share/
       755 0:0 usr/local/share/licenses/
       755 0:0 usr/local/share/licenses/tor/
       644 0:0 usr/local/share/licenses/tor/LICENSE
       755 0:0 usr/local/share/tor/
       644 0:0 usr/local/share/tor/torrc-defaults
    ");
    let config = image
        .layout()
        .join("blobs/sha256")
        .join(image.config().hex());
    let config: serde_json::Value = serde_json::from_slice(&fs::read(config).unwrap()).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&config).unwrap(), @r#"
    {
      "created": "2026-06-25T15:58:19Z",
      "architecture": "amd64",
      "os": "linux",
      "config": {
        "User": "45553:45553",
        "ExposedPorts": {
          "9001/tcp": {}
        },
        "Env": [
          "PATH=/usr/local/sbin:/usr/local/bin",
          "HOME=/tordata"
        ],
        "Entrypoint": [
          "tor"
        ],
        "Volumes": {
          "/tordata": {},
          "/usr/local/etc/tor": {}
        },
        "WorkingDir": "/",
        "Labels": {
          "org.opencontainers.image.created": "2026-06-25T15:58:19Z",
          "org.opencontainers.image.description": "A Tor relay, built from signed sources bit for bit",
          "org.opencontainers.image.licenses": "(BSD-3-Clause OR GPL-2.0-only) AND Apache-2.0 AND BSD-3-Clause",
          "org.opencontainers.image.revision": "tor-0.4.9.11",
          "org.opencontainers.image.source": "https://gitlab.torproject.org/tpo/core/tor",
          "org.opencontainers.image.title": "tor",
          "org.opencontainers.image.version": "0.4.9.11",
          "org.relaysmith.image-format": "2",
          "org.relaysmith.source.openssl": "3.5.7",
          "org.relaysmith.source.tor": "0.4.9.11",
          "org.relaysmith.source.zstd": "1.5.7"
        },
        "StopSignal": "SIGTERM",
        "Healthcheck": {
          "Test": [
            "CMD",
            "relay-health"
          ],
          "Interval": 60000000000,
          "Timeout": 30000000000,
          "StartPeriod": 1200000000000,
          "Retries": 3
        }
      },
      "rootfs": {
        "type": "layers",
        "diff_ids": [
          "sha256:ef7cc2c1509042b7fcb27c2496b1027f0f1ac0f01b85f892a9df3b778315f856",
          "sha256:12c8377fcbca2cc3f695c308fd9c6231e64303c7d8c2f638ad91a95773d139d1"
        ]
      },
      "history": [
        {
          "created": "2026-06-25T15:58:19Z",
          "created_by": "relaysmith, image format 2: the GeoIP tables of tor 0.4.9.11",
          "comment": "geoip"
        },
        {
          "created": "2026-06-25T15:58:19Z",
          "created_by": "relaysmith, image format 2: tor 0.4.9.11 with openssl 3.5.7, zstd 1.5.7",
          "comment": "tor"
        }
      ]
    }
    "#);
}

#[test]
fn an_image_reads_back_from_its_layout() {
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("layout");
    let image = assemble(&about(), &layout);
    assert_eq!(image::open(&layout).unwrap(), image);
    let exported = image::export(&image, &about(), &directory.path().join("dist")).unwrap();
    let again = image::open(&exported.layout).unwrap();
    assert_eq!(again.manifest(), image.manifest());
    assert_eq!(again.layers(), image.layers());

    // The index as skopeo 1.9 writes it.
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{}","size":564}}]}}"#,
        image.manifest()
    );
    fs::write(exported.layout.join("index.json"), index).unwrap();
    assert_eq!(
        image::open(&exported.layout).unwrap().config(),
        image.config()
    );

    let blob = layout
        .join("blobs/sha256")
        .join(image.layers()[0].digest.hex());
    fs::write(&blob, "other").unwrap();
    let message = image::open(&layout).unwrap_err().to_string();
    assert!(message.contains("is damaged"), "{message}");
    let message = image::export(&image, &about(), &directory.path().join("new")).unwrap_err();
    assert!(message.to_string().contains("is damaged"), "{message}");
    fs::write(
        layout.join("index.json"),
        r#"{"schemaVersion":2,"mediaType":"","manifests":[]}"#,
    )
    .unwrap();
    let message = image::open(&layout).unwrap_err().to_string();
    assert!(message.ends_with("it lists 0 images, not one"), "{message}");
}

/// Whoever can write the note on a compressed layer can write any layer beside it.
// Guards: P1.
#[test]
fn a_note_that_lies_about_a_layer_is_not_believed() {
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("layout");
    let image = assemble(&about(), &layout);
    let mut evil = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut evil, b"another archive").unwrap();
    let evil = evil.finish().unwrap();
    let digest = Digest::sha256(&evil);
    fs::write(layout.join("blobs/sha256").join(digest.hex()), &evil).unwrap();
    for note in fs::read_dir(layout.join("layers")).unwrap() {
        let note = note.unwrap().path();
        let mut said: serde_json::Value =
            serde_json::from_slice(&fs::read(&note).unwrap()).unwrap();
        said["digest"] = digest.to_string().into();
        said["size"] = evil.len().into();
        fs::write(&note, said.to_string()).unwrap();
    }
    assert_eq!(assemble(&about(), &layout), image);
}

#[test]
fn an_export_is_left_alone_mended_or_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let dist = directory.path().join("dist");
    let image = assemble(&about(), &directory.path().join("layout"));
    let first = image::export(&image, &about(), &dist).unwrap();
    assert!(first.written);
    let expected = listing(&dist);

    let again = image::export(&image, &about(), &dist).unwrap();
    assert!(!again.written);
    assert_eq!(again.archive_digest, first.archive_digest);

    // Whatever is missing, cut off, changed or left over by a killed run.
    let blob = Path::new("oci/blobs/sha256").join(image.layers()[1].digest.hex());
    let archive = Path::new(first.archive.file_name().unwrap());
    for path in [
        &blob,
        archive,
        Path::new("oci/index.json"),
        Path::new("oci/oci-layout"),
    ] {
        let path = dist.join(path);
        let bytes = fs::read(&path).unwrap();
        let mut changed = bytes.clone();
        changed[bytes.len() / 2] ^= 1;
        for wrong in [None, Some(&bytes[..bytes.len() / 2]), Some(&changed)] {
            match wrong {
                None => fs::remove_file(&path).unwrap(),
                Some(wrong) => fs::write(&path, wrong).unwrap(),
            }
            assert!(image::export(&image, &about(), &dist).unwrap().written);
            assert_eq!(listing(&dist), expected, "{}", path.display());
        }
    }
    for left in [
        ".unfinished-1",
        "oci/.unfinished-2",
        "oci/blobs/sha256/.unfinished-3",
    ] {
        fs::write(dist.join(left), "half").unwrap();
    }
    image::export(&image, &about(), &dist).unwrap();
    assert_eq!(listing(&dist), expected);

    // Another image takes the place of the layout; the other file stays.
    let other = About {
        uid: 1000,
        ..about()
    };
    let image = assemble(&other, &directory.path().join("other"));
    let other = About {
        version: "0.4.9.13".to_owned(),
        ..other
    };
    assert!(image::export(&image, &other, &dist).unwrap().written);
    assert_eq!(
        image::open(&dist.join("oci")).unwrap().manifest(),
        image.manifest()
    );
    let blobs = fs::read_dir(dist.join("oci/blobs/sha256")).unwrap().count();
    assert_eq!(blobs, image.layers().len() + 2);
    assert!(first.archive.exists());
}

#[test]
fn a_relay_runs_as_somebody_else_than_root() {
    let directory = tempfile::tempdir().unwrap();
    for uid in [0, 0o1000_0000] {
        let about = About { uid, ..about() };
        let error = image::layers(&about, &parts(directory.path())).unwrap_err();
        assert_eq!(error.hint().unwrap(), "choose another user with `--uid`");
    }
}

/// Every file under `directory` and its bytes.
fn listing(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(listing(&path));
        } else {
            files.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    files
}

#[test]
fn a_layer_is_compressed_once_and_again_when_its_blob_is_not_right() {
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("layout");
    let image = assemble(&about(), &layout);
    let blob = |at: usize| {
        layout
            .join("blobs/sha256")
            .join(image.layers()[at].digest.hex())
    };
    let when = |at| fs_err::metadata(blob(at)).unwrap().modified().unwrap();
    let (first, second) = (when(0), when(1));

    assert_eq!(assemble(&about(), &layout), image);
    assert_eq!((when(0), when(1)), (first, second));

    fs_err::write(blob(0), "another layer").unwrap();
    assert_eq!(assemble(&about(), &layout), image);
    assert_eq!(image::open(&layout).unwrap().manifest(), image.manifest());
    assert_eq!(when(1), second);
}

#[test]
fn what_is_attached_leaves_the_image_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("layout");
    let image = assemble(&about(), &layout);
    let sbom = |text: &str| Referrer {
        media_type: "application/spdx+json",
        title: "tor.spdx.json".to_owned(),
        bytes: text.as_bytes().to_vec(),
        epoch: EPOCH,
    };
    let index = || -> serde_json::Value {
        serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap()
    };
    let before = index()["manifests"][0].clone();
    let first = image::attach(&image, &sbom("one")).unwrap();
    assert_eq!(image::attach(&image, &sbom("one")).unwrap(), first);
    let digest = image::attach(&image, &sbom("two")).unwrap();
    assert_ne!(digest, first);
    assert_eq!(image::open(&layout).unwrap(), image);

    // The one takes the place of the other, and the image's own entry stays.
    let manifests = index()["manifests"].as_array().unwrap().clone();
    assert_eq!(manifests.len(), 2);
    assert_eq!(manifests[0], before);
    assert_eq!(manifests[1]["artifactType"], "application/spdx+json");
    let blob = layout.join("blobs/sha256").join(digest.hex());
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(blob).unwrap()).unwrap();
    assert_eq!(manifest["subject"]["digest"], image.manifest().to_string());
    insta::assert_snapshot!(serde_json::to_string_pretty(&manifest).unwrap(), @r#"
    {
      "schemaVersion": 2,
      "mediaType": "application/vnd.oci.image.manifest.v1+json",
      "artifactType": "application/spdx+json",
      "config": {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "size": 2
      },
      "layers": [
        {
          "mediaType": "application/spdx+json",
          "digest": "sha256:3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3",
          "size": 3,
          "annotations": {
            "org.opencontainers.image.title": "tor.spdx.json"
          }
        }
      ],
      "subject": {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": "sha256:0c3fb8088d582f480cf8e289dce7b4194f211424d8d61d3083870e1a9a897403",
        "size": 561
      },
      "annotations": {
        "org.opencontainers.image.created": "2026-06-25T15:58:19Z"
      }
    }
    "#);

    let place = layout.to_str().unwrap();
    let opened = ThirdPartyImage::open(place, Limits::default()).unwrap();
    assert_eq!(opened.manifest().unwrap().digest, image.manifest());
}
