//! Who the relay is and who runs it.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::config::Config;
use super::finding::Severity::{Error, Warning};
use crate::relay::address::{is_public_v4, is_public_v6};
use crate::relay::{FamilyId, Fingerprint, Nickname, Role};

pub(super) fn check(config: &mut Config, role: Role) {
    placeholders(config);
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

/// What the guide's files have to be filled in with.
fn placeholders(config: &mut Config) {
    let options = [
        "Nickname",
        "ContactInfo",
        "Address",
        "BandwidthRate",
        "BandwidthBurst",
        "RelayBandwidthRate",
        "RelayBandwidthBurst",
    ];
    for name in options {
        if let Some(setting) = config
            .one(name)
            .filter(|setting| setting.value.contains("${"))
        {
            let what = format!("`{}` is not filled in", setting.value);
            config.find(Error, "placeholder", &setting, what, "write your own value");
        }
    }
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
                let mend = "write 1 to 19 letters and digits";
                let what = format!("{error}: tor does not start");
                config.find(Error, "nickname", &setting, what, mend);
            }
        }
    }
}

fn address(config: &mut Config) {
    for setting in config.all("Address") {
        let bare = setting.value.trim_matches(['[', ']']);
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
            // `$fingerprint=name` and `$fingerprint~name` are taken too.
            let fingerprint = member.split(['=', '~']).next().unwrap_or_default();
            if member.is_empty() || fingerprint.parse::<Fingerprint>().is_ok() {
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
    for setting in ids {
        if let Err(error) = setting.value.parse::<FamilyId>() {
            config.find(
                Error,
                "family-id",
                &setting,
                format!("{error}: tor does not start"),
                "write what `tor --keygen-family` printed",
            );
        }
    }
}
