//! `diff` as it is run: what goes where, and the exit code.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../tests/common/program.rs"]
mod program;

use std::path::Path;
use std::process::{Command, Output};

use relaysmith::base::digest::Digest;
use serde_json::{Value, json};

use self::program::write_program;

fn xtask(arguments: &[&str], directory: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).current_dir(directory);
    command.output().unwrap()
}

/// A layout of an image without layers, run by `user`.
fn layout(directory: &Path, user: &str) {
    let blobs = directory.join("blobs/sha256");
    fs_err::create_dir_all(&blobs).unwrap();
    let put = |media_type: &str, document: &Value| {
        let bytes = document.to_string().into_bytes();
        let digest = Digest::sha256(&bytes);
        fs_err::write(blobs.join(digest.hex()), &bytes).unwrap();
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    };
    let config = json!({
        "config": { "User": user },
        "rootfs": { "type": "layers", "diff_ids": [] },
    });
    let config = put("application/vnd.oci.image.config.v1+json", &config);
    let manifest = json!({ "schemaVersion": 2, "config": config, "layers": [] });
    let manifest = put("application/vnd.oci.image.manifest.v1+json", &manifest);
    let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
    fs_err::write(directory.join("index.json"), index.to_string()).unwrap();
}

#[test]
fn exit_codes_and_streams() {
    let temp = tempfile::tempdir().unwrap();
    layout(&temp.path().join("a"), "45553");
    layout(&temp.path().join("b"), "0");
    for (arguments, code, out, err) in [
        (&["a", "a"][..], 0, "manifest             same\n", ""),
        (&["a", "b"], 3, "config.User: \"45553\" -> \"0\"\n", ""),
        (&["--json", "a", "b"], 3, "\"verdict\": \"different\"", ""),
        (
            &["--html", "r.html", "a", "b"],
            3,
            "",
            "the report is in r.html\n",
        ),
        (
            &["a", "c"],
            1,
            "",
            "error: there is no file or folder `c`\nhint: ",
        ),
        (
            &["a"],
            2,
            "",
            "error: the following required arguments were not provided",
        ),
    ] {
        let output = xtask(&[&["diff"], arguments].concat(), temp.path());
        let (said, complaint) = (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        );
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {complaint}"
        );
        assert!(said.contains(out), "{arguments:?}: {said}");
        assert!(complaint.starts_with(err), "{arguments:?}: {complaint}");
        assert!(
            err.is_empty() == complaint.is_empty(),
            "{arguments:?}: {complaint}"
        );
    }
    let report = fs_err::read_to_string(temp.path().join("r.html")).unwrap();
    assert!(report.ends_with("</html>\n"));
}

/// A stand-in that says how it was called: the real one is large, and rarely there.
#[test]
fn diffoscope_is_called_if_it_is_asked_for_and_there() {
    let temp = tempfile::tempdir().unwrap();
    layout(&temp.path().join("a"), "45553");
    let run = |path: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(["diff", "--diffoscope", "a", "a"]);
        let output = command.env("PATH", path).current_dir(temp.path()).output();
        let output = output.unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, complaint) = run(temp.path());
    assert_eq!(code, Some(1));
    assert!(
        complaint.starts_with("error: `diffoscope` is missing"),
        "{complaint}"
    );

    let fake = temp.path().join("diffoscope");
    write_program(&fake, "#!/bin/sh\nexit 0\n");
    assert_eq!(run(temp.path()), (Some(0), String::new()));
}
