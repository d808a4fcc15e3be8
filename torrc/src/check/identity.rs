//! Who the relay is and who runs it.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::config::Config;
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
                format!("`{}` is no name that the Internet knows: tor cannot tell others where the relay is", setting.value),
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
                format!("`{bare}` cannot be reached from the Internet: the relay is of no use"),
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
                "delete the line, and the bridge from the family lines of your other relays",
            );
        }
    }
    for setting in &relays {
        for member in setting.value.split(',').map(str::trim) {
            // `$fingerprint=name` and `$fingerprint~name` are taken too, and tor drops blanks.
            let member: String = member.chars().filter(|c| *c != ' ' && *c != '\t').collect();
            let (fingerprint, name) = match member.split_once(['=', '~']) {
                Some((fingerprint, name)) => (fingerprint, Some(name)),
                None => (&*member, None),
            };
            let named = name.is_none_or(|name| name.parse::<Nickname>().is_ok());
            if member.is_empty() || (fingerprint.parse::<Fingerprint>().is_ok() && named) {
                continue;
            }
            let digits = member.trim_start_matches('$');
            let many = digits.len() >= 80
                && digits.len().is_multiple_of(40)
                && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            if many {
                config.find(
                    Error,
                    "family-member",
                    setting,
                    "there are blanks between fingerprints where commas belong: tor does not start",
                    Fix::write(format!("MyFamily {}", spelled(digits))),
                );
                continue;
            }
            if member.parse::<Nickname>().is_ok() {
                config.find(
                    Warning,
                    "family-by-name",
                    setting,
                    format!("`{member}` is a name: anyone may take it, and it does not count"),
                    "write the relay's fingerprint: it is in the file `fingerprint` of its data",
                );
            } else {
                config.find(
                    Error,
                    "family-member",
                    setting,
                    format!("`{member}` is not a fingerprint: tor does not start"),
                    "write 40 hexadecimal digits",
                );
            }
        }
    }
    if let Some(setting) = config.all("NodeFamily").first()
        && role != Role::Bridge
    {
        config.find(
            Warning,
            "node-family",
            setting,
            "`NodeFamily` is about the paths of this tor's own users: it declares no family",
            Fix::write(format!("MyFamily {}", setting.value)),
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

/// Fingerprints without anything between, with commas.
fn spelled(digits: &str) -> String {
    let each: Vec<&str> = (0..digits.len() / 40)
        .filter_map(|n| digits.get(n * 40..n * 40 + 40))
        .collect();
    each.join(",")
}
