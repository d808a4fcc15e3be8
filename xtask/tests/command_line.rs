//! What the command line says of itself, and of what it does not know.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn xtask(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    command.output().unwrap()
}

#[test]
fn what_is_mistyped_is_guessed() {
    for (arguments, guess) in [
        (&["torrc", "brige"][..], "bridge"),
        (&["check-torrc", "-", "--role", "midle"], "middle"),
        (
            &["build-image", "--target", "aarch64"],
            "aarch64-linux-musl",
        ),
        (&["staus", "x"], "status"),
    ] {
        let output = xtask(arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(&format!("exists: '{guess}'")), "{said}");
    }
}

#[test]
fn the_version_names_tor() {
    let output = xtask(&["--version"]);
    let said = String::from_utf8_lossy(&output.stdout);
    let expected = format!("relaysmith {}, for tor 0.4.", env!("CARGO_PKG_VERSION"));
    assert!(said.starts_with(&expected), "{said}");
}

#[test]
fn what_a_shell_completes() {
    let temp = tempfile::tempdir().unwrap();
    for (shell, sign) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef xtask"),
        ("fish", "complete -c"),
    ] {
        let output = xtask(&["completions", shell]);
        assert!(output.status.success(), "{output:?}");
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(
            script.contains(sign) && script.contains("check-torrc"),
            "{script}"
        );
        if shell == "bash" {
            let file = temp.path().join("xtask");
            fs_err::write(&file, script).unwrap();
            let ask = ". \"$1\"; COMP_WORDS=(xtask check-t); COMP_CWORD=1; _xtask xtask check-t xtask; echo \"${COMPREPLY[*]}\"";
            let bash = Command::new("bash")
                .args(["-c", ask, "bash"])
                .arg(&file)
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(bash.stdout).unwrap(), "check-torrc\n");
        }
    }
}

#[test]
fn a_manual_page_for_each_subcommand() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().to_str().unwrap();
    let output = xtask(&["man", "--out", out]);
    assert!(output.status.success(), "{output:?}");
    let help = String::from_utf8(xtask(&["--help"]).stdout).unwrap();
    let subcommands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let subcommands = subcommands.take_while(|line| line.starts_with("  "));
    let mut seen = 0;
    for subcommand in subcommands.filter_map(|line| line.get(2..)?.split(' ').next()) {
        if subcommand.is_empty() || subcommand == "help" {
            continue;
        }
        let page = temp.path().join(format!("relaysmith-{subcommand}.1"));
        let text = fs_err::read_to_string(page).unwrap();
        assert!(
            text.contains(".SH SYNOPSIS") && text.contains("relaysmith"),
            "{text}"
        );
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
    // And for theirs: a page names no other that is not there.
    for file in fs_err::read_dir(temp.path()).unwrap() {
        let text = fs_err::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines().filter(|line| line.ends_with("(1)")) {
            let name = line.replace('\\', "").replace("(1)", "");
            let page = temp.path().join(format!("{name}.1"));
            assert!(page.is_file(), "there is no page {name}");
        }
    }
}

/// What programs get of each kind of error, whole: a command line that is refused, an error of a
/// subcommand, one of the library with its hint, one with its causes.
#[test]
fn errors_for_programs() {
    let temp = tempfile::tempdir().unwrap();
    fs_err::write(temp.path().join("torrc"), "Nickname a\nUser debian-tor\n").unwrap();
    fs_err::write(temp.path().join("relay.toml"), "nickname = 7\n").unwrap();
    let digest = format!("sha256:{}", "0".repeat(64));
    let table: &[(&[&str], i32)] = &[
        (&["staus"], 2),
        (&["torrc"], 2),
        (&["torrc", "middle", "--or-port", "0"], 2),
        (&["torrc", "middle", "--rate", "fast"], 2),
        (&["compose", "torrc", "--image", "tor:latest"], 2),
        (&["torrc", "middle"], 1),
        (&["torrc", "middle", "--from", "relay.toml"], 1),
        (
            &[
                "torrc",
                "middle",
                "--nickname",
                "a",
                "--contact-email",
                "a@example.org",
                "--notice-out",
                "x",
            ],
            1,
        ),
        (&["compose", "torrc", "--image", &digest], 1),
        (&["restore", "no/such.tar", "--to", "data"], 1),
        (&["master-key", "install", "no", "--to", "data"], 1),
    ];
    let mut all = String::new();
    for (arguments, code) in table {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .arg("--json")
            .args(*arguments)
            .current_dir(temp.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(*code), "{output:?}");
        assert!(output.stderr.starts_with(b"error: "), "{output:?}");
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        let place = temp.path().to_str().unwrap();
        all += &format!(
            "{}\n{value}\n",
            arguments.join(" ").replace(&digest, "sha256:0")
        );
        all = all.replace(place, "PLACE");
    }
    insta::assert_snapshot!(all, @r#"
    staus
    {"format":1,"error":{"message":"unrecognized subcommand 'staus'","causes":[],"hint":"a similar subcommand exists: 'status'"}}
    torrc
    {"format":1,"error":{"message":"the following required arguments were not provided: <ROLE>","causes":[],"hint":"see `--help`"}}
    torrc middle --or-port 0
    {"format":1,"error":{"message":"invalid value '0' for '--or-port <PORT>': number would be zero for non-zero type","causes":[],"hint":"see `--help`"}}
    torrc middle --rate fast
    {"format":1,"error":{"message":"invalid value 'fast' for '--rate <RATE>': `fast` is not a rate: it does not begin with a number; write it like 100Mbit, 12.5MB or 10MiB, each per second","causes":[],"hint":"see `--help`"}}
    compose torrc --image tor:latest
    {"format":1,"error":{"message":"invalid value 'tor:latest' for '--image <IMAGE>': image `tor:latest`: a name or tag may point to another image tomorrow","causes":[],"hint":"name it by digest: NAME@sha256:…, or for an image that was loaded, the sha256:… that `docker image inspect --format '{{.Id}}' NAME` prints"}}
    torrc middle
    {"format":1,"error":{"message":"--nickname is missing: the relay is listed under it","causes":[],"hint":"add --nickname and a name of letters and digits"}}
    torrc middle --from relay.toml
    {"format":1,"error":{"message":"relay.toml:1: invalid type: integer `7`, expected a string","causes":[],"hint":null}}
    torrc middle --nickname a --contact-email a@example.org --notice-out x
    {"format":1,"error":{"message":"--notice-out is for exits: nothing leaves the network here","causes":[],"hint":null}}
    compose torrc --image sha256:0
    {"format":1,"error":{"message":"PLACE/torrc: the container's user may not become another, nor itself again: tor does not start","causes":[],"hint":"`cargo xtask check-torrc PLACE/torrc` lists all of them"}}
    restore no/such.tar --to data
    {"format":1,"error":{"message":"failed to query resolved metadata `no/such.tar`: No such file or directory (os error 2)","causes":[],"hint":null}}
    master-key install no --to data
    {"format":1,"error":{"message":"no has no ed25519_master_id_public_key, so it does not hold a relay's signing key","causes":[],"hint":"`cargo xtask master-key make DIR` creates one, in `DIR/for-the-relay`"}}
    "#);
}

#[test]
fn outside_of_a_clone() {
    let temp = tempfile::tempdir().unwrap();
    // A copy, for the program's own place counts too. Another process writes it: what this one has
    // open for writing, the children of other tests may have inherited, and then it cannot be run.
    let copy = temp.path().join("relaysmith");
    let copied = Command::new("cp")
        .args([env!("CARGO_BIN_EXE_xtask").as_ref(), copy.as_os_str()])
        .status();
    assert!(copied.unwrap().success());
    let run = |arguments: &[&str], directory: &Path| {
        let mut command = Command::new(&copy);
        command
            .args(arguments)
            .current_dir(directory)
            .output()
            .unwrap()
    };
    let output = run(&["plan"], temp.path());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("change to the clone"), "{said}");
    // These need one only for the program that was built there.
    for arguments in [
        &["status", "./control.sock"][..],
        &["family", "a", "--out", "family"],
    ] {
        let output = run(arguments, temp.path());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        assert!(said.contains("change to the clone"), "{said}");
    }
    let clone = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    assert!(run(&["plan"], &clone).status.success());
    // What needs no clone works without one.
    assert!(
        run(&["torrc", "middle", "--help"], temp.path())
            .status
            .success()
    );
}
