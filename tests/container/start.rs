//! The image's entry: what it says instead of tor, and that it says nothing otherwise.

#[path = "../common/program.rs"]
mod program;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;
use tempfile::TempDir;

use super::{Said, compile, run, skip, tor};

use self::program::write_program;

/// The entry and what it looks at, all of it in one folder.
struct Entry {
    folder: TempDir,
    program: PathBuf,
}

impl Entry {
    /// Compiled for the tor of this machine; `data` is where the volume is.
    fn new(tor: &Path, data: Option<&Path>) -> Self {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("defaults"), "# none\n").unwrap();
        fs::create_dir(at("data")).unwrap();
        let program = at("entry");
        let quoted = |path: &Path| format!("\"{}\"", path.display());
        compile(
            "start",
            &[
                ("TOR", &quoted(tor)),
                ("DEFAULTS", &quoted(&at("defaults"))),
                ("TORRC", &quoted(&at("etc/torrc"))),
                ("DATA", &quoted(data.unwrap_or(&at("data")))),
                ("CGROUPS", &quoted(&at("cgroup"))),
            ],
            &program,
        );
        Self { folder, program }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A torrc with `lines`, none of which lets tor try to reach anybody: it ends at the last.
    fn torrc(&self, lines: &str) -> PathBuf {
        let path = self.path("torrc");
        let data = self.path("data");
        let text = format!(
            "DataDirectory {}\nSocksPort 0\nDisableNetwork 1\n{lines}\n",
            data.display()
        );
        fs::write(&path, text).unwrap();
        path
    }

    fn run(&self, arguments: &[&str]) -> Said {
        run(Command::new(&self.program).args(arguments))
    }

    fn run_with(&self, lines: &str) -> Said {
        let torrc = self.torrc(lines);
        self.run(&["-f", torrc.to_str().unwrap()])
    }
}

/// `error: …` on the first line, `hint: …` on the second, and nothing of tor's.
fn refuses(said: &Said, error: &str, hint: &str) {
    // What a sanitizer says of a process that may not look at itself is not the entry's.
    let mut lines = said.err.lines().filter(|line| !line.starts_with("=="));
    let first = lines.next().unwrap_or_default();
    let second = lines.next().unwrap_or_default();
    assert!(
        first.starts_with("error: ") && first.contains(error),
        "{error}: {said:#?}"
    );
    assert!(
        second.starts_with("hint: ") && second.contains(hint),
        "{hint}: {said:#?}"
    );
    assert_eq!((said.code, &said.out[..]), (Some(1), ""));
}

#[test]
fn commands_are_tors_own() {
    let Some(tor) = tor("start::commands_are_tors_own") else {
        return;
    };
    let entry = Entry::new(&tor, None);
    for (arguments, says) in [
        (&["--version"][..], "Tor version 0.4.9"),
        (&["--list-torrc-options"], "AccountingMax"),
        (
            &[
                "--verify-config",
                "--SocksPort",
                "0",
                "--DataDirectory",
                "/nowhere",
            ],
            "Configuration was valid",
        ),
        (
            &["--dump-config", "short", "--DataDirectory", "/nowhere"],
            "DataDirectory /nowhere",
        ),
        (&["--hash-password", "x"], "16:"),
    ] {
        let said = self::run(
            Command::new(&entry.program)
                .args(arguments)
                .env("HOME", "/nowhere"),
        );
        assert!(said.out.contains(says) && said.code == Some(0), "{said:#?}");
    }
    // The image's defaults are tor's, unless others are named.
    fs::write(entry.path("defaults"), "Nickname fromdefaults\n").unwrap();
    let said = entry.run(&["--dump-config", "full", "--DataDirectory", "/nowhere"]);
    assert!(said.out.contains("Nickname fromdefaults"), "{said:#?}");
    let said = entry.run(&[
        "--defaults-torrc",
        "/dev/null",
        "--dump-config",
        "full",
        "--DataDirectory",
        "/nowhere",
    ]);
    assert!(!said.out.contains("fromdefaults"), "{said:#?}");
}

#[test]
fn what_tor_says_itself_is_left_to_it() {
    let Some(tor) = tor("start::what_tor_says_itself_is_left_to_it") else {
        return;
    };
    let entry = Entry::new(&tor, None);
    let said = entry.run_with("ORPort 127.0.0.1:auto\nNoSuchOption 1");
    assert!(
        said.out.contains("Unknown option 'NoSuchOption'"),
        "{said:#?}"
    );
    assert_eq!((said.code, &said.err[..]), (Some(1), ""));
    // Tor runs, and ends as it does: with the process that was started. It makes no control
    // socket in a directory that others can enter.
    let data = entry.path("data");
    fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    let socket = format!("ControlSocket {}/control.sock", data.display());
    let torrc = entry.torrc(&format!("ORPort 127.0.0.1:auto\n{socket}"));
    let mut child = Command::new(&entry.program)
        .arg("-f")
        .arg(&torrc)
        .args(["--RunAsDaemon", "0", "--PidFile"])
        .arg(entry.path("pid"))
        .stdout(fs::File::create(entry.path("log")).unwrap().into_parts().0)
        .spawn()
        .unwrap();
    let started = std::time::Instant::now();
    // Tor runs, and SIGTERM is among the signals that it catches.
    let status = format!("/proc/{}/status", child.id());
    let runs = || {
        let log = fs::read_to_string(entry.path("log")).unwrap();
        let status = fs::read_to_string(&status).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        log.contains("Bootstrapped 0%") && caught.is_some_and(|mask| mask >> 14 & 1 == 1)
    };
    while !runs() && started.elapsed().as_secs() < 60 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let pid = fs::read_to_string(entry.path("pid")).unwrap();
    assert_eq!(pid.trim(), child.id().to_string());
    let ended = Command::new("kill")
        .args(["-TERM", pid.trim()])
        .status()
        .unwrap();
    assert!(ended.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn torrcs() {
    let Some(tor) = tor("start::torrcs") else {
        return;
    };
    let entry = Entry::new(&tor, None);
    let usual = entry.path("etc/torrc").display().to_string();
    let write_one = "on the host: `mkdir -p config && printf ";
    let data = entry.path("data").display().to_string();
    let nothing = entry.run(&["--DataDirectory", &data]);
    refuses(
        &nothing,
        &format!("there is no torrc: {usual} does not exist"),
        write_one,
    );
    refuses(
        &entry.run(&["-f", "/no/torrc"]),
        "there is no torrc: /no/torrc does not exist",
        write_one,
    );
    // The hint does what it says, in a shell and without this repository.
    let hint = nothing.err.lines().nth(1).unwrap();
    let command = hint.split('`').nth(1).unwrap();
    let made = Command::new("sh")
        .args(["-euc", command])
        .current_dir(entry.folder.path())
        .status();
    assert!(made.unwrap().success());
    let made = entry.path("config/torrc").display().to_string();
    let said = entry.run(&["--verify-config", "-f", &made, "--DataDirectory", &data]);
    assert!(said.out.contains("Configuration was valid"), "{said:#?}");
    // Who says everything on the command line needs none.
    let said = entry.run(&[
        "--DataDirectory",
        &data,
        "--ORPort",
        "127.0.0.1:auto",
        "--Log",
        "notice file /nowhere/log",
    ]);
    assert!(
        said.out.contains("/nowhere/log") && said.err.is_empty(),
        "{said:#?}"
    );
}

#[test]
fn a_directory_where_a_torrc_should_be() {
    let Some(tor) = tor("start::a_directory_where_a_torrc_should_be") else {
        return;
    };
    let entry = Entry::new(&tor, None);
    let usual = entry.path("etc/torrc");
    fs::create_dir_all(&usual).unwrap();
    let (usual, data) = (
        usual.display().to_string(),
        entry.path("data").display().to_string(),
    );
    let error = format!("the torrc, {usual}, is a directory");
    for arguments in [
        &["--DataDirectory", &data][..],
        &["--DataDirectory", &data, "-f", &usual],
        &["--DataDirectory", &data, "--ORPort", "127.0.0.1:auto"],
    ] {
        refuses(&entry.run(arguments), &error, "`sudo rmdir ");
    }
}

#[test]
fn a_torrc_of_no_relay() {
    let Some(tor) = tor("start::a_torrc_of_no_relay") else {
        return;
    };
    let entry = Entry::new(&tor, None);
    let ends = "Log notice file /nowhere/log";
    for (lines, warns) in [
        (ends.to_owned(), true),
        (format!("ORPort 0\n{ends}"), true),
        (format!("ORPort 127.0.0.1:auto\n{ends}"), false),
    ] {
        let said = entry.run_with(&lines);
        let warned = "warning: the torrc has no ORPort, so this tor is a client, not a relay\n";
        assert_eq!(said.err.contains(warned), warns, "{said:#?}");
        assert!(said.out.contains("/nowhere/log"), "{said:#?}");
    }
}

#[test]
fn memory() {
    let Some(tor) = tor("start::memory") else {
        return;
    };
    // Instead of running, it shows the defaults that it was given.
    let folder = TempDir::new().unwrap();
    let shows = folder.path().join("shows");
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *' --dump-config '*) exec {} \"$@\" ;; esac\nexec cat \"$2\"\n",
        tor.display()
    );
    write_program(&shows, &script);
    let (v2, v1) = ("memory.max", "memory/memory.limit_in_bytes");
    for (file, limit, torrc, queues) in [
        (v2, "268435456", "", Some(128)),
        (v2, "max", "", None),
        (v2, "nonsense", "", None),
        (v2, "268435456", "MaxMemInQueues 100 MB", None),
        (v2, "50331648", "", Some(64)),
        (v1, "536870912", "", Some(256)),
        // What version 1 shows where there is no limit.
        (v1, "9223372036854771712", "", None),
    ] {
        let entry = Entry::new(&shows, None);
        fs::create_dir_all(entry.path("cgroup/memory")).unwrap();
        fs::write(entry.path("cgroup").join(file), format!("{limit}\n")).unwrap();
        let said = entry.run_with(&format!("ORPort 127.0.0.1:auto\n{torrc}"));
        let line = queues.map(|queues| format!("MaxMemInQueues {queues} MB\n"));
        let expected = format!("# none\n{}", line.unwrap_or_default());
        assert_eq!(said.out, expected, "{file} {limit} {torrc}: {said:#?}");
        assert_eq!(
            said.err.starts_with("note: MaxMemInQueues is "),
            queues.is_some(),
            "{said:#?}"
        );
    }
}

#[test]
fn a_limit_of_memory_is_tors_own() {
    let Some(tor) = tor("start::a_limit_of_memory_is_tors_own") else {
        return;
    };
    let entry = Entry::new(&tor, None);
    fs::create_dir(entry.path("cgroup")).unwrap();
    fs::write(entry.path("cgroup/memory.max"), "1073741824\n").unwrap();
    let said = entry.run_with("ORPort 127.0.0.1:auto\nLog notice file /nowhere/log");
    // It has read the defaults, to the end.
    assert!(said.out.contains("/proc/self/fd/"), "{said:#?}");
    assert!(said.out.contains("/nowhere/log"), "{said:#?}");
}

#[test]
fn a_full_volume() {
    let Some(tor) = tor("start::a_full_volume") else {
        return;
    };
    let entry = Entry::new(&tor, None);
    let data = entry.path("data").display().to_string();
    let torrc = entry.torrc("ORPort 127.0.0.1:auto\nLog notice file /nowhere/log");
    for full in ["size=16k", "size=1m,nr_inodes=1"] {
        let before = format!("mount -t tmpfs -o mode=700,{full} none {data}");
        if let Some(said) = in_namespaces(&entry, &before, &torrc) {
            let error = format!("{data} has no space left (");
            refuses(&said, &error, "`df -h` and `df -i` show what is full");
        }
    }
    // A relay that has its keys may go on, and its operator should know.
    for before in [
        format!("mount -t tmpfs -o mode=700,size=16k none {data} && mkdir -m 700 {data}/keys"),
        format!("mount -t tmpfs -o mode=700,size=8m none {data}"),
    ] {
        if let Some(said) = in_namespaces(&entry, &before, &torrc) {
            let warning = format!("warning: {data} has ");
            assert!(said.err.starts_with(&warning), "{said:#?}");
            assert!(said.out.contains("/nowhere/log"), "{said:#?}");
        }
    }
}

#[test]
fn ports() {
    let Some(tor) = tor("start::ports") else {
        return;
    };
    let entry = Entry::new(&tor, None);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let shows = format!("`ss -ltnp 'sport = :{port}'` shows by what");
    for (lines, option) in [
        (format!("ORPort 127.0.0.1:{port}"), "ORPort 127.0.0.1:"),
        (format!("ORPort {port} IPv4Only"), "ORPort "),
        (
            format!("ORPort 127.0.0.1:auto\nControlPort {port}"),
            "ControlPort ",
        ),
        (
            format!("ORPort 127.0.0.1:auto\nMetricsPort 127.0.0.1:{port}"),
            "MetricsPort 127.0.0.1:",
        ),
    ] {
        let said = entry.run_with(&lines);
        refuses(
            &said,
            &format!("port {port}, which `{option}{port}"),
            &shows,
        );
        assert!(said.err.contains(" wants, is taken"), "{said:#?}");
    }
    let said = entry.run_with("ORPort 192.0.2.1:9001");
    refuses(
        &said,
        "the address in `ORPort 192.0.2.1:9001` is not one of this container",
        "`ORPort 9001`",
    );
}

/// Runs the entry after `before`, shell commands, as the super-user of a user namespace of its
/// own, with mounts of its own.
fn in_namespaces(entry: &Entry, before: &str, torrc: &Path) -> Option<Said> {
    let possible = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "true"])
        .status();
    if !possible.is_ok_and(|status| status.success()) {
        skip("start", "no user namespace can be made here");
        return None;
    }
    let script = format!(
        "{before} && exec {} -f {}",
        entry.program.display(),
        torrc.display()
    );
    let mut unshare = Command::new("unshare");
    unshare.args([
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-euc",
        &script,
    ]);
    Some(run(&mut unshare))
}

/// The user and the group of this process, as `chown` takes them.
fn user() -> String {
    let id = |option: &str| {
        let output = Command::new("id").arg(option).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    format!("{}:{}", id("-u"), id("-g"))
}

#[test]
fn a_read_only_volume() {
    let Some(tor) = tor("start::a_read_only_volume") else {
        return;
    };
    let entry = Entry::new(&tor, None);
    let data = entry.path("data").display().to_string();
    let torrc = entry.torrc("ORPort 127.0.0.1:auto");
    let before = format!("mount --bind {data} {data} && mount -o remount,ro,bind {data}");
    if let Some(said) = in_namespaces(&entry, &before, &torrc) {
        refuses(
            &said,
            &format!("{data} is mounted read-only"),
            "without `:ro`",
        );
    }
    let torrc = entry.torrc(&format!(
        "DataDirectory {data}/below\nORPort 127.0.0.1:auto"
    ));
    if let Some(said) = in_namespaces(&entry, &before, &torrc) {
        refuses(
            &said,
            &format!("user 0 cannot create {data}/below: Read-only file system"),
            "mount a writable volume",
        );
    }
}

#[test]
fn a_volume_of_somebody_else() {
    let Some(tor) = tor("start::a_volume_of_somebody_else") else {
        return;
    };
    // In a user namespace with one user in it the super-user's files are nobody's.
    let entry = Entry::new(&tor, Some(Path::new("/proc")));
    let torrc = entry.torrc("DataDirectory /proc\nORPort 127.0.0.1:auto");
    if let Some(said) = in_namespaces(&entry, "true", &torrc)
        && !user().starts_with("0:")
    {
        refuses(
            &said,
            "/proc belongs to user 65534, but tor runs as user 0",
            &format!("sudo chown -R {} DIR", user()),
        );
    }
    if !user().starts_with("0:") {
        skip(
            "start::a_volume_of_somebody_else",
            "only the super-user can give a directory away",
        );
        return;
    }
    let chown = |path: &Path| {
        assert!(
            Command::new("chown")
                .arg("45553:45553")
                .arg(path)
                .status()
                .unwrap()
                .success()
        )
    };
    let data = entry.path("data");
    let entry = Entry::new(&tor, Some(&data));
    chown(&data);
    let torrc = entry.torrc(&format!(
        "DataDirectory {}\nORPort 127.0.0.1:auto",
        data.display()
    ));
    let said = entry.run(&["-f", torrc.to_str().unwrap()]);
    refuses(
        &said,
        "belongs to user 45553, but tor runs as user 0",
        "sudo chown -R 0:0 ",
    );
    // The directory on the host is told where the mount says it.
    let below = data.file_name().unwrap().to_str().unwrap();
    let before = format!("mount --bind {0} {0}", data.display());
    if let Some(said) = in_namespaces(&entry, &before, &torrc) {
        refuses(
            &said,
            "belongs to user 65534, but tor runs as user 0",
            "sudo chown -R 0:0 /",
        );
        assert!(
            said.err
                .contains(&format!("/{below}`; if that is on a separate file system")),
            "{said:#?}"
        );
    }
    // As one word for a shell, whatever the kernel makes of it in its table.
    let data = entry.path("my 'own' data");
    fs::create_dir(&data).unwrap();
    chown(&data);
    let named = Entry::new(&tor, Some(&data));
    let torrc = named.torrc(&format!(
        "DataDirectory {}\nORPort 127.0.0.1:auto",
        data.display()
    ));
    let before = format!("mount --bind \"{0}\" \"{0}\"", data.display());
    if let Some(said) = in_namespaces(&named, &before, &torrc) {
        assert!(
            said.err.contains(r"/my '\''own'\'' data'`; if that is"),
            "{said:#?}"
        );
    }
}

#[test]
fn keys_of_somebody_else() {
    let Some(tor) = tor("start::keys_of_somebody_else") else {
        return;
    };
    if user().starts_with("0:") {
        // Nothing is unreadable to the super-user: as another, then.
        let entry = Entry::new(&tor, None);
        let run_as = |path: &Path| {
            let mut setpriv = Command::new("setpriv");
            setpriv.args(["--reuid", "45553", "--regid", "45553", "--clear-groups"]);
            run(setpriv.arg(&entry.program).arg("-f").arg(path))
        };
        let open = |path: &Path, mode: u32| {
            fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        open(entry.folder.path(), 0o755);
        let keys = entry.path("data/keys");
        fs::create_dir(&keys).unwrap();
        let data = entry.path("data");
        let chown = Command::new("chown")
            .args(["-R", "45553:45553"])
            .arg(&data)
            .status();
        assert!(chown.unwrap().success());
        let torrc = entry.torrc("ORPort 127.0.0.1:auto");
        open(&torrc, 0o600);
        refuses(
            &run_as(&torrc),
            "user 45553 cannot read the torrc, /",
            "chmod a+rX",
        );
        open(&torrc, 0o644);
        fs::write(keys.join("secret_id_key"), "x").unwrap();
        open(&keys.join("secret_id_key"), 0o600);
        refuses(
            &run_as(&torrc),
            "keys/secret_id_key belongs to user 0, and user 45553 cannot read it",
            "sudo chown -R 45553:45553 ",
        );
        fs::remove_file(keys.join("secret_id_key")).unwrap();
        refuses(
            &run_as(&entry.torrc("ORPort 127.0.0.1:80")),
            "user 45553 may not listen on port 80",
            "ip_unprivileged_port_start",
        );
    } else {
        skip(
            "start::keys_of_somebody_else",
            "only the super-user can run the entry as another",
        );
    }
}
