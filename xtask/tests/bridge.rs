//! A bridge with obfs4 as its operator meets it: the torrc, the image, the line to hand on.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use relaysmith::base::target::Target;
use relaysmith::image::Variant;
use relaysmith::pins::Manifest;
use relaysmith::record::Record;
use xshell::{Shell, cmd};

const LINE: &str =
    "obfs4 203.0.113.7:8443 65E45DB4F4C312B8B23790937E6EB819204F67F3 cert=ss/H+9 iat-mode=0";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// What a command prints, and what it says besides; its code is 0 if `well`.
fn xtask(directory: &Path, arguments: &[&str], well: bool) -> (String, String) {
    let shell = Shell::new().unwrap();
    shell.change_dir(directory);
    shell.set_var("RELAYSMITH_CACHE", directory.join("cache"));
    let xtask = env!("CARGO_BIN_EXE_xtask");
    let output = cmd!(shell, "{xtask} {arguments...}")
        .quiet()
        .ignore_status();
    let output = output.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.success(), well, "{arguments:?}: {out}{err}");
    (out, err)
}

fn torrc(directory: &Path, more: &[&str]) -> (String, String) {
    let least = ["--nickname", "b", "--contact-email", "ada@example.org"];
    let arguments = [&["torrc", "bridge"], &least[..], more].concat();
    xtask(directory, &arguments, true)
}

#[test]
fn one_option_gives_a_torrc_with_obfs4() {
    let directory = tempfile::tempdir().unwrap();
    let written = [
        "--or-port",
        "9443",
        "--obfs4-port",
        "8443",
        "--out",
        "torrc",
    ];
    let (_, said) = torrc(directory.path(), &written);
    assert!(!said.contains("9001"), "{said}");
    let text = fs_err::read_to_string(directory.path().join("torrc")).unwrap();
    for line in [
        "ServerTransportPlugin obfs4 exec /usr/local/bin/lyrebird\n",
        "ServerTransportListenAddr obfs4 0.0.0.0:8443\n",
        "ExtORPort auto\n",
        "BridgeDistribution any\n",
    ] {
        assert_eq!(text.matches(line).count(), 1, "{line}{text}");
    }
    xtask(
        directory.path(),
        &["check-torrc", "torrc", "--without-tor"],
        true,
    );
    // Ports that censors try first.
    let (_, said) = torrc(directory.path(), &["--obfs4-port", "8443"]);
    assert!(said.contains("port 9001 is tor's usual port"), "{said}");
    let wanted = ["--or-port", "9443", "--obfs4-port", "9001"];
    let (_, said) = torrc(directory.path(), &wanted);
    assert!(said.contains("listens on 9001"), "{said}");
}

#[test]
fn an_image_that_has_no_obfs4_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let wanted = [
        "--or-port",
        "9443",
        "--obfs4-port",
        "8443",
        "--out",
        "config/torrc",
    ];
    torrc(directory.path(), &wanted);
    let manifest = Manifest::load(&root().join("sources.toml")).unwrap();
    let tor = &manifest.get("tor", None).unwrap().version;
    let record = Record::load(root(), tor, Target::X86_64).unwrap().unwrap();
    let with = |digest: &str, well| {
        let arguments = ["compose", "config/torrc", "--image", digest, "--docker-run"];
        xtask(directory.path(), &arguments, well)
    };
    let check = |more: &[&str], well| {
        let arguments = [&["check-torrc", "config/torrc", "--without-tor"], more].concat();
        xtask(directory.path(), &arguments, well)
    };
    let without = &record.images[&Variant::RelayArm];
    for digest in [without.config, without.manifest] {
        let digest = digest.to_string();
        let (_, said) = with(&digest, false);
        assert!(said.contains("which has no such program"), "{said}");
        assert!(said.contains("build-image --with obfs4"), "{said}");
        let (found, _) = check(&["--image", &digest], false);
        assert!(found.contains("this image has no"), "{found}");
        assert!(found.contains("build-image --with obfs4"), "{found}");
    }
    let (_, said) = check(&[], true);
    assert!(said.contains("build-image --with obfs4"), "{said}");
    // Where the image with obfs4 is recorded.
    if let Some(image) = record.images.get(&Variant::RelayArmObfs4) {
        let (run, said) = with(&image.config.to_string(), true);
        assert!(run.contains("--publish 8443:8443"), "{run}");
        assert!(!said.contains("--with obfs4"), "{said}");
        let (_, said) = check(&["--image", &image.config.to_string()], true);
        assert!(!said.contains("--with obfs4"), "{said}");
    }
    // Of an image that is not recorded nobody knows.
    let (_, said) = with(&format!("sha256:{}", "5".repeat(64)), true);
    assert!(said.contains("build-image --with obfs4"), "{said}");
}

#[test]
fn the_line_to_hand_on() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    fs_err::create_dir(&data).unwrap();
    let (_, said) = xtask(directory.path(), &["bridge-line", "./data"], false);
    assert!(
        said.contains("there is no bridge line") && said.contains("hint: "),
        "{said}"
    );
    let bridge = |text: &str| fs_err::write(data.join("bridgelines"), text).unwrap();
    bridge(&format!("Bridge {LINE}\n"));
    let (out, _) = xtask(directory.path(), &["bridge-line", "./data"], true);
    assert_eq!(out, format!("{LINE}\n"));
    let (out, _) = xtask(directory.path(), &["--json", "bridge-line", "./data"], true);
    assert!(out.contains(&format!("[\n    \"{LINE}\"\n  ]")), "{out}");
    let (out, _) = xtask(directory.path(), &["bridge-line", "./data", "--qr"], true);
    let (first, code) = out.split_once('\n').unwrap();
    assert_eq!(first, LINE);
    assert!(
        code.lines().count() > 20 && code.contains('\u{2580}'),
        "{out}"
    );
    bridge(&format!(
        "Bridge {}\n",
        LINE.replace("203.0.113.7", "<IP ADDRESS>")
    ));
    let (out, said) = xtask(directory.path(), &["bridge-line", "./data"], false);
    assert_eq!(out, "");
    assert!(said.contains("write `Address`"), "{said}");
}
