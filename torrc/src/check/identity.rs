//! Who the relay is and who runs it.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::config::{Config, Setting};
use super::finding::Fix;
use super::finding::Severity::{Error, Warning};
use super::syntax::{is_host, is_ip};
use crate::address::{is_public_v4, is_public_v6};
use crate::{FamilyId, Fingerprint, Nickname, Role};

pub(super) fn check(config: &mut Config, role: Role) {
    nickname(config);
    if config.one("ContactInfo").is_none() {
        config.missing(
            Warning,
            "contact-missing",
            "ContactInfo",
            "there is no contact: tor warns that the relay may be rejected",
            "add `ContactInfo` with an address at which you read mail",
        );
    }
    address(config);
    family(config, role);
}

fn nickname(config: &mut Config) {
    match config.one("Nickname") {
        None => config.missing(
            Warning,
            "nickname-missing",
            "Nickname",
            "the relay would be listed as `Unnamed`",
            "add `Nickname` and 1 to 19 letters and digits",
        ),
        Some(setting) => {
            if let Err(error) = setting.value.parse::<Nickname>() {
                let letters = |c: &char| c.is_ascii_alphanumeric();
                let plain: String = setting.value.chars().filter(letters).take(19).collect();
                let fix = match plain.is_empty() {
                    true => "write 1 to 19 letters and digits".into(),
                    false => Fix::write(format!("Nickname {plain}")),
                };
                let what = format!("{error}: tor does not start");
                config.find(Error, "nickname", &setting, what, fix);
            }
        }
    }
}

fn address(config: &mut Config) {
    for setting in config.all("Address") {
        let bare = setting.value.trim_matches(['[', ']']);
        if !is_ip(&setting.value) && !is_host(&setting.value) {
            let host = setting
                .value
                .rsplit_once("://")
                .map_or(&*setting.value, |(_, host)| host);
            let host = host.split('/').next().unwrap_or_default();
            let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
            let fix = match is_ip(host) || (is_host(host) && host.contains('.')) {
                true => Fix::write(format!("Address {host}")),
                false => {
                    "write the public address or name of the machine, or delete the line".into()
                }
            };
            config.find(
                Error,
                "address-syntax",
                &setting,
                format!("`{}` is neither an address nor a host's name: tor cannot tell others where the relay is", setting.value),
                fix,
            );
            continue;
        }
        if !is_ip(&setting.value) && !setting.value.contains('.') {
            config.find(
                Error,
                "address-syntax",
                &setting,
                format!(
                    "`{}` is not a full host name: tor cannot tell others where the relay is",
                    setting.value
                ),
                "write the public address or the full name of the machine, or delete the line",
            );
            continue;
        }
        let v4 = bare.parse::<Ipv4Addr>().map(is_public_v4);
        let v6 = bare.parse::<Ipv6Addr>().map(is_public_v6);
        if v4 == Ok(false) || v6 == Ok(false) {
            config.find(
                Error,
                "address-private",
                &setting,
                format!(
                    "`{bare}` cannot be reached from the Internet, so nobody can use the relay"
                ),
                "write the public address or name of the machine, or delete the line",
            );
        }
    }
}

fn family(config: &mut Config, role: Role) {
    let (relays, ids) = (config.all("MyFamily"), config.all("FamilyId"));
    if role == Role::Bridge {
        for setting in relays.iter().chain(&ids) {
            config.find(
                Error,
                "family-on-bridge",
                setting,
                "a bridge with a family tells censors where it is",
                Fix::delete(
                    "delete the line, and the bridge from the family lines of your other relays",
                ),
            );
        }
    }
    for setting in &relays {
        members(config, setting);
    }
    if let Some(setting) = config.all("NodeFamily").first()
        && role != Role::Bridge
    {
        let whole = |member: &str| is_member(&plain(member)) && member.parse::<Nickname>().is_err();
        let fix = match setting.value.split(',').map(str::trim).all(whole) {
            true => Fix::write(format!("MyFamily {}", setting.value)),
            false => "write `MyFamily` and the fingerprints of your other relays".into(),
        };
        config.find(
            Warning,
            "node-family",
            setting,
            "`NodeFamily` is about the paths of this tor's own users: it declares no family",
            fix,
        );
    }
    for setting in ids {
        if let Err(error) = setting.value.parse::<FamilyId>() {
            config.find(
                Error,
                "family-id",
                &setting,
                format!("{error}: tor does not start"),
                "write what `cargo xtask family` printed",
            );
        }
    }
}

/// A member without blanks, which tor drops.
fn plain(member: &str) -> String {
    let blank = |c: &char| *c == ' ' || *c == '\t';
    member.chars().filter(|c| !blank(c)).collect()
}

/// Whether tor takes it for a relay's fingerprint: `$fingerprint=name` and `$fingerprint~name` are
/// taken too.
fn is_member(member: &str) -> bool {
    let (fingerprint, name) = match member.split_once(['=', '~']) {
        Some((fingerprint, name)) => (fingerprint, Some(name)),
        None => (member, None),
    };
    let named = name.is_none_or(|name| name.parse::<Nickname>().is_ok());
    fingerprint.parse::<Fingerprint>().is_ok() && named
}

/// What a line of `MyFamily` lists: each fault of it once, whomever of the members it is about.
fn members(config: &mut Config, setting: &Setting) {
    let members: Vec<String> = (setting.value.split(',').map(plain))
        .filter(|member| !member.is_empty() && !is_member(member))
        .collect();
    let (names, bad): (Vec<&String>, Vec<&String>) =
        (members.iter()).partition(|member| member.parse::<Nickname>().is_ok());
    if let Some(first) = bad.first() {
        let digits = first.trim_start_matches('$');
        let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let what = match (hex, digits.len()) {
            (true, 80..) => "there are blanks between fingerprints where commas belong".to_owned(),
            (true, length) => {
                format!("`{first}` is not a fingerprint: it has {length} digits, not 40")
            }
            _ => format!("`{first}` is not a fingerprint"),
        };
        let fix = match spelled(&setting.value) {
            Some(meant) => Fix::write(format!("MyFamily {meant}")),
            None => "write 40 hexadecimal digits for each relay, with commas between".into(),
        };
        let what = format!("{what}: tor does not start");
        config.find(Error, "family-member", setting, what, fix);
    } else if !names.is_empty() {
        let shown: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let what = match shown.as_slice() {
            [name] => format!("{name} is a name: anyone may take it, and it does not count"),
            names => format!(
                "{} are names: anyone may take them, and they do not count",
                names.join(", ")
            ),
        };
        let fix = "write the relay's fingerprint: it is in the file `fingerprint` of its data";
        config.find(Warning, "family-by-name", setting, what, fix);
    }
}

/// The fingerprints of a list that tor does not take for what stands between them.
fn spelled(list: &str) -> Option<String> {
    let mut each: Vec<String> = Vec::new();
    for entry in list.split([',', ';']) {
        let between = |c: &char| !c.is_whitespace() && !"$:.-'\"".contains(*c);
        let digits: String = entry.chars().filter(between).collect();
        let digits = digits.strip_prefix("0x").unwrap_or(&digits);
        let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !hex || !digits.len().is_multiple_of(40) {
            return None;
        }
        let parts = (0..digits.len() / 40).filter_map(|n| digits.get(n * 40..n * 40 + 40));
        each.extend(parts.map(str::to_owned));
    }
    (!each.is_empty()).then(|| each.join(","))
}
