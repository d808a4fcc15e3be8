//! What a sample file, a guide or a comment sign left in a torrc.

use super::config::Config;
use super::finding::Fix;
use super::finding::Severity::{Error, Note, Warning};

/// What samples and guides put where a value of one's own belongs, in small letters.
const PLACEHOLDERS: &[&str] = &[
    "${",
    "{{",
    "<your",
    "<address",
    "<nickname",
    "<email",
    "<e-mail",
    "<ip",
    "<port",
    "<name",
    "<fingerprint",
    "todo",
    "fixme",
    "changeme",
    "change_me",
    "change-me",
    "replaceme",
    "replace_me",
    "replace-me",
    "replace_with",
    "insert_",
    "_here",
    "$keyid",
    "your@e",
    "your-email",
    "your_email",
    "youremail",
    "your e-mail",
    "your email",
    "yourname@",
    "you@example",
    "your_name",
    "your-name",
    "your_nick",
    "your_ip",
    "your-ip",
    "your.ip",
    "your_public_ip",
    "your_server",
    "your_port",
    "yournickname",
    "your_family",
    "example dot com",
    "nobody at example",
    "nobody@example",
    "address@email.com",
    "email@address",
    "user@domain",
    "noname.example.com",
    "tor-operator@your",
    "xxx.xxx",
    "x.x.x.x",
    "a.b.c.d",
    "1.2.3.4.5",
];

/// Nicknames of samples and guides, in small letters: they pass as names.
const NICKNAMES: &[&str] = &[
    "ididnteditheconfig",
    "ididntedittheconfig",
    "pickanickname",
    "myniceRelay",
    "mynicerelay",
    "mynicebridge",
    "yournickname",
    "yourrelayname",
    "yourbridgename",
    "yourname",
    "nicknamehere",
    "nickname",
    "changeme",
    "replaceme",
    "todo",
    "unnamed",
];

pub(super) fn check(config: &mut Config) {
    for setting in config.every() {
        let value = setting.value.to_ascii_lowercase();
        let name = setting.option.name;
        let found = match name {
            "Nickname" if NICKNAMES.contains(&value.as_str()) => Some(value.as_str()),
            _ => PLACEHOLDERS
                .iter()
                .copied()
                .find(|placeholder| holds(&value, placeholder)),
        };
        // Whoever sets this chose the name.
        let meant = name == "Nickname" && value == "unnamed" && setting.value != "Unnamed";
        if found.is_some() && !meant {
            config.find(
                Error,
                "placeholder",
                &setting,
                format!("`{}` is a placeholder from a sample", setting.value),
                "write your own value",
            );
        }
    }
    comments(config);
}

/// Whether `placeholder` is in `value`, as a word where it is made of letters alone.
fn holds(value: &str, placeholder: &str) -> bool {
    let word = placeholder.bytes().all(|byte| byte.is_ascii_alphabetic());
    let letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphabetic());
    value.match_indices(placeholder).any(|(at, _)| {
        let before = value[..at].chars().next_back();
        let after = value[at + placeholder.len()..].chars().next();
        !word || (!letter(before) && !letter(after))
    })
}

/// Values that a `#` cut off: outside of quotes a comment begins with it, even inside a word.
fn comments(config: &mut Config) {
    for setting in config.every() {
        let Some(line) = config.text_of(&setting.place) else {
            continue;
        };
        let Some(hash) = line.find('#').filter(|_| !line.contains('"')) else {
            continue;
        };
        let (before, after) = line.split_at(hash);
        // A number is whole without what follows: `SocksPort 0#none` says what it means.
        let number = setting.value.parse::<u64>().is_ok();
        let inside = !before.ends_with(char::is_whitespace) && !number;
        let contact = setting.option.name == "ContactInfo";
        let (severity, end) = if inside || (contact && is_contact(after)) {
            (Warning, "")
        } else if contact {
            (Note, "; fine for a comment")
        } else {
            continue;
        };
        let name = setting.option.name;
        let value = line
            .trim_start()
            .get(name.len()..)
            .unwrap_or_default()
            .trim();
        let quoted = format!("{name} \"{}\"", value.replace('\\', "\\\\"));
        let fix = match severity {
            Warning => Fix::write(quoted).said("put the value in double quotes"),
            _ => Fix::from("put the value in double quotes if all of it is meant"),
        };
        let after = after.trim_end();
        config.find(
            severity,
            "comment-sign",
            &setting,
            format!("`{after}` is not read: outside of quotes `#` begins a comment{end}"),
            fix,
        );
    }
}

/// Whether a comment reads like more of a contact.
fn is_contact(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let hints = [
        "@", "://", "0x", "[at]", " at ", "pgp", "gpg", "email:", "url:", "proof:", "bitcoin",
    ];
    // `Write your e-mail and be aware it will be published` is the guide's own comment.
    let said = ["your", "change", "write", "replace"];
    let digits = text.bytes().filter(u8::is_ascii_hexdigit).count() >= 16
        && !text.trim_start_matches(['#', ' ']).contains(' ');
    (digits || hints.iter().any(|hint| text.contains(hint)))
        && !said.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_parts() {
        assert!(holds("0.0.0.0:todo2", "todo"));
        assert!(holds("todo", "todo"));
        assert!(!holds("mastodon", "todo"));
        assert!(holds("a ${name}", "${"));
    }
}
