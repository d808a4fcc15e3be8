//! Paths in a torrc, as the container sees them: its root is read-only, tor writes to the volume
//! and to `/tmp` alone, and nothing of the host's is there but the configuration.

use std::path::Path;

use super::config::{Config, Setting};
use super::finding::Fix;
use super::finding::Severity::{Error, Note, Warning};
use super::lies::{Lies, lies, whole};
use crate::{CONFIG_DIRECTORY, DATA_DIRECTORY};

/// A path that tor puts its user's home in: `~` and `~/…`.
fn expanded(path: &str) -> String {
    match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{DATA_DIRECTORY}{rest}"),
        _ => path.to_owned(),
    }
}

/// Files that the image has, beside those of the volume and the configuration.
const IN_IMAGE: &[&str] = &[
    "/usr/local/share/tor/geoip",
    "/usr/local/share/tor/geoip6",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/passwd",
    "/etc/group",
];

/// What tor does with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writes {
    File,
    Directory,
    Socket,
}

/// Options that name what tor writes, and whether it starts if it cannot.
const WRITTEN: &[(&str, Writes, bool)] = &[
    ("PidFile", Writes::File, false),
    ("CookieAuthFile", Writes::File, false),
    ("ExtORPortCookieAuthFile", Writes::File, false),
    ("ControlPortWriteToFile", Writes::File, true),
    ("KeyDirectory", Writes::Directory, false),
    ("CacheDirectory", Writes::Directory, false),
    ("HiddenServiceDir", Writes::Directory, false),
    ("ControlSocket", Writes::Socket, false),
    ("ControlPort", Writes::Socket, false),
    ("SocksPort", Writes::Socket, false),
    ("HTTPTunnelPort", Writes::Socket, false),
];

/// Options that name what tor reads, which it goes on without.
const READ: &[&str] = &[
    "GeoIPFile",
    "GeoIPv6File",
    "ServerDNSResolvConfFile",
    "ClientOnionAuthDir",
    "FamilyKeyDirectory",
];

pub(super) fn check(config: &mut Config) {
    data_directory(config);
    for (name, writes, starts) in WRITTEN {
        for setting in config.ports(name) {
            let home = ["KeyDirectory", "CacheDirectory"].contains(name);
            if home && (setting.value == "~" || setting.value.starts_with("~/")) {
                let what = format!("`{}` is relative to tor's home: tor warns", setting.value);
                let fix = Fix::write(format!("{name} {}", expanded(&setting.value)));
                config.find(Warning, "path-relative", &setting, what, fix);
            } else if let Some(path) = path_of(&setting, *writes) {
                written(config, &setting, &path, *writes, *starts);
            }
        }
    }
    for setting in config.all("Log") {
        if let Some(path) = log_file(&setting.value) {
            written(config, &setting, &expanded(&path), Writes::File, false);
        }
    }
    for name in READ {
        for setting in config.all(name) {
            read(config, &setting);
        }
    }
}

/// The path in a setting, if it is one that is used.
fn path_of(setting: &Setting, writes: Writes) -> Option<String> {
    if writes != Writes::Socket {
        return Some(setting.value.clone());
    }
    let value = match setting.value.strip_prefix("unix:") {
        Some(path) => path,
        None if setting.option.name == "ControlSocket" => &setting.value,
        None => return None,
    };
    let path = match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => value.split_ascii_whitespace().next(),
    };
    path.filter(|&path| path != "0").map(str::to_owned)
}

/// The file that a value of `Log` names.
pub(super) fn log_file(value: &str) -> Option<String> {
    let mut rest = value.trim_start();
    // Levels come first, and the last of them may be left out.
    loop {
        let (word, after) = rest.split_once(char::is_whitespace)?;
        if word.eq_ignore_ascii_case("file") {
            let path = after.trim();
            return (!path.is_empty()).then(|| path.to_owned());
        }
        rest = after.trim_start();
    }
}

fn written(config: &mut Config, setting: &Setting, path: &str, writes: Writes, starts: bool) {
    let name = setting.option.name.trim_start_matches('_');
    let whole = whole(path);
    let parent = Path::new(&whole).parent().unwrap_or(Path::new("/"));
    let (severity, end) = match starts {
        true => (Warning, "tor cannot write it"),
        false => (Error, "tor does not start"),
    };
    let lies = match lies(path) {
        // Beside a device nothing can be written, which tor does first, or no directory be made.
        Lies::Device if !["PidFile", "Log"].contains(&name) => Lies::Outside,
        lies => lies,
    };
    match lies {
        Lies::Outside | Lies::Configuration => {
            let what = if starts {
                format!("the container's root is read-only: tor cannot write `{path}`")
            } else {
                format!(
                    "the container cannot write `{path}`: its root is read-only, and tor does not start"
                )
            };
            let rule = "path-outside";
            config.find(severity, rule, setting, what, inside(setting, name, path));
        }
        Lies::Volume | Lies::Memory
            if writes == Writes::File
                && (path.ends_with('/')
                    || [DATA_DIRECTORY, "/tmp", "/dev/shm"].contains(&whole.as_str())) =>
        {
            let what = format!("`{path}` is a directory, and a file belongs there");
            let what = format!("{what}: {end}");
            config.find(
                severity,
                "path-outside",
                setting,
                what,
                inside(setting, name, path),
            );
        }
        Lies::Memory if parent != Path::new("/tmp") && parent != Path::new("/dev/shm") => {
            let what = format!(
                "`{}` is gone at each start, as it is in memory: {end}",
                parent.display()
            );
            let fix = inside(setting, name, path);
            config.find(severity, "path-outside", setting, what, fix);
        }
        Lies::Memory if writes == Writes::Directory => {
            config.find(
                if name == "CacheDirectory" {
                    Note
                } else {
                    Warning
                },
                "path-in-memory",
                setting,
                format!("`{path}` is in memory: what is there is gone at the next start"),
                inside(setting, name, path),
            );
        }
        // The super-user's, and open to all, in every container: seen with Docker 20.10.
        Lies::Memory if writes == Writes::Socket => {
            config.find(
                Warning,
                "socket-in-tmp",
                setting,
                format!(
                    "tor makes a socket only in a directory that its own user owns, and `{}` is not one: it exits as soon as it is started",
                    parent.display()
                ),
                inside(setting, name, path),
            );
        }
        Lies::Volume if parent != Path::new(DATA_DIRECTORY) && whole != DATA_DIRECTORY => {
            if !own(config, parent) {
                config.find(
                    Note,
                    "path-not-made",
                    setting,
                    format!(
                        "tor does not make `{}`: without it tor {}",
                        parent.display(),
                        if starts {
                            "warns, and does not write the file"
                        } else {
                            "does not start"
                        }
                    ),
                    format!(
                        "make the directory before the first start, or write a path right below {DATA_DIRECTORY}"
                    ),
                );
            }
        }
        Lies::Volume | Lies::Memory | Lies::Device => {}
    }
}

/// Whether tor makes the directory itself.
fn own(config: &Config, directory: &Path) -> bool {
    let same = |setting: Setting| Path::new(&whole(&setting.value)) == directory;
    let options = ["DataDirectory", "KeyDirectory", "CacheDirectory"];
    let keys = directory == Path::new(DATA_DIRECTORY).join("keys");
    keys || options
        .into_iter()
        .any(|name| config.one(name).is_some_and(same))
}

/// What to write instead of a path that the container cannot write.
fn inside(setting: &Setting, name: &str, path: &str) -> Fix {
    let last = Path::new(path).file_name().and_then(|name| name.to_str());
    match name {
        "Log" => {
            let levels = setting.value.to_ascii_lowercase();
            let end = levels.find("file").unwrap_or(0);
            let levels = setting.value.get(..end).unwrap_or_default().trim();
            let levels = if levels.is_empty() { "notice" } else { levels };
            Fix::write(format!("Log {levels} stdout"))
        }
        "ControlSocket" => Fix::write(format!("ControlSocket {DATA_DIRECTORY}/control.sock")),
        "ControlPort" => Fix::write(format!("ControlPort unix:{DATA_DIRECTORY}/control.sock")),
        "SocksPort" | "HTTPTunnelPort" => Fix::write(format!("{name} 0")),
        "HiddenServiceDir" => {
            let last = last.filter(|last| !last.contains(char::is_whitespace));
            Fix::write(format!(
                "{name} {DATA_DIRECTORY}/{}",
                last.unwrap_or("onion")
            ))
        }
        _ => Fix::delete(format!(
            "delete the line: tor's own place is in {DATA_DIRECTORY}"
        )),
    }
}

fn read(config: &mut Config, setting: &Setting) {
    let path = &expanded(&setting.value);
    let default = path.starts_with('<');
    if setting.option.name == "ClientOnionAuthDir" {
        match lies(path) {
            Lies::Volume if whole(path) == DATA_DIRECTORY => {}
            Lies::Configuration => {}
            Lies::Volume => config.find(
                Note,
                "path-not-made",
                setting,
                format!("tor does not make `{path}`: without it tor does not start"),
                "make the directory before the first start, or delete the line",
            ),
            Lies::Memory | Lies::Device | Lies::Outside => config.find(
                Error,
                "path-outside",
                setting,
                format!("the container has no directory `{path}`: tor does not start"),
                "delete the line: a relay has no onion services to log in to",
            ),
        }
        return;
    }
    let there = lies(path) != Lies::Outside || IN_IMAGE.contains(&whole(path).as_str());
    if there || default {
        return;
    }
    let name = setting.option.name;
    let fix = match name {
        "GeoIPFile" | "GeoIPv6File" => {
            Fix::delete("delete the line: the image has its tables where tor looks for them")
        }
        "ServerDNSResolvConfFile" => {
            Fix::delete("delete the line: the engine writes /etc/resolv.conf")
        }
        _ => format!("put it beside the torrc, and write {CONFIG_DIRECTORY}/…").into(),
    };
    config.find(
        Warning,
        "path-absent",
        setting,
        format!("the container has no `{path}`"),
        fix,
    );
}

fn data_directory(config: &mut Config) {
    let here = format!("DataDirectory {DATA_DIRECTORY}");
    match config.one("DataDirectory") {
        // The image's own defaults say so, and the torrc is to hold elsewhere too.
        None => config.missing(
            Note,
            "data-directory",
            "DataDirectory",
            format!(
                "the image's defaults put keys and state into {DATA_DIRECTORY}; other images do not"
            ),
            Fix::add(here),
        ),
        Some(setting) => {
            let path = expanded(&setting.value);
            let parent = whole(&path);
            let parent = Path::new(&parent).parent().unwrap_or(Path::new("/"));
            let end = match lies(&path) {
                Lies::Volume if whole(&path) == DATA_DIRECTORY => return,
                Lies::Volume if parent == Path::new(DATA_DIRECTORY) => return,
                Lies::Volume => {
                    let what = format!(
                        "tor does not make `{}`: without it tor does not start",
                        parent.display()
                    );
                    let fix = "make the directory before the first start, or write `/tordata`";
                    config.find(Note, "path-not-made", &setting, what, fix);
                    return;
                }
                Lies::Memory => "with the container the relay's identity is lost",
                _ => "the container cannot write there, and tor does not start",
            };
            let what = format!("`{}` is not in the volume: {end}", setting.value);
            config.find(Error, "data-directory", &setting, what, Fix::write(here));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_paths_lie() {
        let table = [
            ("/tordata", Lies::Volume),
            ("/tordata/keys", Lies::Volume),
            ("//tordata//./x", Lies::Volume),
            ("tordata/x", Lies::Volume),
            ("/tordata2", Lies::Outside),
            ("/tordata/../etc", Lies::Outside),
            ("/tmp/pid", Lies::Memory),
            ("/tmpfile", Lies::Outside),
            ("/dev/null", Lies::Device),
            ("/usr/local/etc/tor/x", Lies::Configuration),
            ("relative", Lies::Outside),
            ("/", Lies::Outside),
            ("", Lies::Outside),
        ];
        for (path, expected) in table {
            assert_eq!(lies(path), expected, "{path}");
        }
        assert_eq!(lies(&expanded("~/x")), Lies::Volume);
        assert_eq!(lies(&expanded("~tor/x")), Lies::Outside);
    }

    #[test]
    fn files_of_logs() {
        let table = [
            ("notice file /var/log/tor", Some("/var/log/tor")),
            ("notice  FILE  /a b ", Some("/a b")),
            ("[net]debug notice file /x", Some("/x")),
            ("file /x", Some("/x")),
            ("notice stdout", None),
            ("notice", None),
            ("notice file", None),
            ("", None),
        ];
        for (value, expected) in table {
            assert_eq!(log_file(value).as_deref(), expected, "{value}");
        }
    }
}
