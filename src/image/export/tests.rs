use std::path::Path;

use super::*;
use crate::base::progress::Silent;
use crate::base::target::Target;
use crate::image::read::{Limits, ThirdPartyImage};
use crate::image::{Layer, Variant, assemble, open, open_each};

fn about(target: Target) -> About {
    About {
        version: "0.4.9.12".to_owned(),
        target,
        variant: Variant::RelayArm,
        uid: 45_553,
        epoch: 1_782_403_099,
        components: Vec::new(),
    }
}

/// An image with a layer of its own and one that all images have.
fn image(target: Target, layout: &Path) -> Image {
    let layer = |name: &str, text: &str| {
        let mut archive = Archive::default();
        let content = Content::Bytes(text.into());
        archive.file(name, 0o644, Owner::ROOT, content).unwrap();
        Layer {
            name: name.to_owned(),
            created_by: name.to_owned(),
            epoch: 1,
            archive,
        }
    };
    let layers = [layer("geoip", "tables"), layer("tor", target.triple())];
    assemble(&about(target), &layers, layout, &Silent).unwrap()
}

/// Both images, and what was exported of them.
fn exported(folder: &Path, targets: [Target; 2]) -> Exported {
    let abouts = targets.map(about);
    let images = targets.map(|target| image(target, &folder.join(target.triple())));
    let pairs: Vec<_> = images.iter().zip(&abouts).collect();
    export_all(&pairs, &folder.join("dist")).unwrap()
}

#[test]
fn the_index_of_two_small_images_has_its_digest() {
    let folder = tempfile::tempdir().unwrap();
    let first = exported(folder.path(), [Target::X86_64, Target::Aarch64]);
    // Whoever reads the layout finds this file under this digest.
    let hex = first.digest.hex();
    let text = fs_err::read_to_string(first.layout.join("blobs/sha256").join(hex)).unwrap();
    assert_eq!(Digest::sha256(text.as_bytes()), first.digest);
    insta::assert_snapshot!(text, @r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:81d5144d4bf35bb41ca70596af4a2c6360c40d9c3d723a16e962bea77a38a182","size":555,"platform":{"architecture":"amd64","os":"linux"}},{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:9652db5678f61fbfbfe92741aa0199f5e3aba078a4be76bf192339a603309042","size":555,"platform":{"architecture":"arm64","os":"linux"}}]}"#);
    insta::assert_snapshot!(first.digest, @"sha256:0aa80004bb6bf3c859a90ca846e913a09a1ec0cc6c28b6b540b357cd60791b6f");
    insta::assert_snapshot!(first.archive_digest, @"sha256:1a94413766339b4f75175d84e54f5464f5c1a79228e89c51c6e7799ff0ad8df4");
    assert_eq!(first.archive.file_name().unwrap(), "tor-0.4.9.12-arm.tar");

    // The order in which they are given says nothing; what is there is left alone.
    let again = exported(folder.path(), [Target::Aarch64, Target::X86_64]);
    assert_eq!(again.digest, first.digest);
    assert_eq!(again.archive_digest, first.archive_digest);
    assert!(!again.written);
    // The layer that both have is there once: two layers, two configs, two manifests, one index
    // beside it.
    let blobs = fs_err::read_dir(first.layout.join("blobs/sha256")).unwrap();
    assert_eq!(blobs.count(), 8);
}

#[test]
fn a_platform_chooses_one_of_several() {
    let folder = tempfile::tempdir().unwrap();
    let exported = exported(folder.path(), [Target::X86_64, Target::Aarch64]);
    let open_at = |place: &str| ThirdPartyImage::open(place, Limits::default());
    for place in [&exported.layout, &exported.archive] {
        let place = place.to_str().unwrap();
        assert!(
            open_at(place)
                .unwrap_err()
                .to_string()
                .contains("linux/arm64")
        );
        let choices = ThirdPartyImage::choices(place).unwrap();
        assert_eq!(choices.len(), 2);
        for (target, choice) in Target::ALL.into_iter().zip(&choices) {
            let platform = target.platform();
            let chosen = open_at(&format!("{place}:{platform}")).unwrap();
            assert_eq!(chosen.platform(), platform);
            let same = open_at(choice).unwrap();
            assert_eq!(
                chosen.manifest().unwrap().digest,
                same.manifest().unwrap().digest
            );
        }
        let one = format!("{place}:linux/arm64");
        assert_eq!(
            ThirdPartyImage::choices(&one).unwrap(),
            std::slice::from_ref(&one)
        );
        assert!(open_at(&format!("{place}:linux/riscv64")).is_err());
    }
    let images = open_each(&exported.layout).unwrap();
    let alone = Target::ALL.map(|it| image(it, &folder.path().join(it.triple())));
    for (image, alone) in images.iter().zip(&alone) {
        assert_eq!(image.manifest(), alone.manifest());
    }
    let error = open(&exported.layout).unwrap_err().to_string();
    assert!(error.contains("it lists 2 images, not one"), "{error}");
}

#[test]
fn docker_has_a_name_for_each_platform() {
    let folder = tempfile::tempdir().unwrap();
    let exported = exported(folder.path(), [Target::X86_64, Target::Aarch64]);
    let file = fs_err::File::open(&exported.archive).unwrap();
    let mut archive = tar::Archive::new(file);
    let mut entries = archive.entries().unwrap().map(Result::unwrap);
    let mut list = entries
        .find(|it| it.path().unwrap() == Path::new("manifest.json"))
        .unwrap();
    let list: serde_json::Value = serde_json::from_reader(&mut list).unwrap();
    let tags: Vec<_> = (0..2)
        .map(|at| list[at]["RepoTags"][0].as_str().unwrap())
        .collect();
    let name = "relaysmith/tor:0.4.9.12-arm";
    assert_eq!(tags, [format!("{name}-amd64"), format!("{name}-arm64")]);
}

#[test]
fn two_images_for_one_platform_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let about = about(Target::X86_64);
    let image = image(Target::X86_64, &folder.path().join("layout"));
    let twice = [(&image, &about), (&image, &about)];
    for images in [&twice[..], &[]] {
        let error = export_all(images, &folder.path().join("dist")).unwrap_err();
        assert!(matches!(error, Error::Platforms { count } if count == images.len()));
    }
}
