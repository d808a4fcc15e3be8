//! A torrc of the largest size is checked in seconds, whatever is in it.

use std::time::Instant;

use crate::check::{Memory, check};

/// As much as a torrc may have.
const LARGEST: usize = 1 << 20;

/// Lines until no more fit.
fn lines(line: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0.. {
        let line = line(number);
        if text.len() + line.len() > LARGEST {
            break;
        }
        text += &line;
    }
    text
}

/// One line of parts until no more fit.
fn long_line(start: &str, part: impl Fn(usize) -> String) -> String {
    format!("{start}{}\n", lines(part))
}

// Guards: T1.
#[test]
fn no_torrc_takes_long() {
    let files = Memory::from(&[("/usr/local/etc/tor/d/one", "ORPort 1\n")][..]);
    for (what, text) in [
        ("one word", long_line("Nickname ", |_| "a".to_owned())),
        ("one option", lines(|_| "Nickname a\n".to_owned())),
        ("one list", lines(|_| "ORPort 9001\n".to_owned())),
        ("unknown options", lines(|at| format!("Foo{at} x\n"))),
        ("unknown letters", lines(|_| "x\n".to_owned())),
        (
            "lists that are cleared",
            lines(|at| match at % 2 {
                0 => "ORPort 1\n".to_owned(),
                _ => "SocksPort\n".to_owned(),
            }),
        ),
        (
            "policies",
            lines(|at| format!("ExitPolicy accept *:{}\n", at % 65_000 + 1)),
        ),
        (
            "one policy",
            long_line("ExitPolicy reject *:1", |at| {
                format!(",accept 1.2.{}.{}:*", at / 256 % 256, at % 256)
            }),
        ),
        (
            "one policy of what is none",
            long_line("ExitPolicy x", |_| ",x".to_owned()),
        ),
        (
            "transports",
            lines(|at| {
                format!(
                    "ServerTransportPlugin t{at} exec /x\nServerTransportListenAddr t{at} 0.0.0.0:1\n"
                )
            }),
        ),
        (
            "one line of transports",
            long_line("ServerTransportPlugin a", |at| format!(",t{at}"))
                .replace('\n', " exec /x\n"),
        ),
        (
            "services",
            lines(|at| format!("HiddenServiceDir /tordata/{at}\nHiddenServicePort 80\n")),
        ),
        ("families", lines(|at| format!("MyFamily ${at:040X}\n"))),
        (
            "one family",
            long_line("MyFamily x", |at| format!(",${at:040X}")),
        ),
        (
            "one family of no keys",
            long_line("MyFamily x", |_| ",x".to_owned()),
        ),
        (
            "flags",
            long_line("SocksPort 9050", |_| " IsolateNothing".to_owned()),
        ),
        (
            "nodes",
            long_line("ExcludeNodes x", |_| ",{aaa}".to_owned()),
        ),
        (
            "logs",
            lines(|at| format!("Log notice file /tordata/{at}\n")),
        ),
        (
            "sockets",
            lines(|at| format!("ControlPort unix:/tordata/{at}\n")),
        ),
        (
            "patterns",
            lines(|_| "%include /usr/local/etc/tor/d/*\n".to_owned()),
        ),
        (
            "files that are not there",
            lines(|at| format!("%include /usr/local/etc/tor/{at}\n")),
        ),
        (
            "a quoted value",
            format!("ContactInfo \"{}\"\n", "\\x1b".repeat(LARGEST / 4)),
        ),
        (
            "a value of many lines",
            format!("Nickname {}a\n", "\\\n".repeat(LARGEST / 2)),
        ),
        ("marks", "`".repeat(LARGEST)),
    ] {
        let begun = Instant::now();
        let checked = check("torrc", text.as_bytes(), None, &files);
        let shown: usize = checked.findings.iter().map(|it| it.to_string().len()).sum();
        let took = begun.elapsed();
        assert!(took.as_secs() < 60, "{what}: {took:?}");
        assert!(shown < 64 << 20, "{what}: {shown} bytes");
    }
}
