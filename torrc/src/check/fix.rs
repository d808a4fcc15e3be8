//! A torrc with the findings' changes made.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::finding::{Edit, Finding};
use super::{Files, check, parse};
use crate::Role;

/// After so many rounds what is left needs an operator.
const ROUNDS: usize = 8;

/// `text` with all changes that are sure made, round after round, as one fault may hide another;
/// what is changed in files that it includes is left out.
pub fn fixed(name: &str, text: &[u8], role: Option<Role>, files: &dyn Files) -> String {
    let mut current = readable(text);
    for _ in 0..ROUNDS {
        let findings = check(name, current.as_bytes(), role, files).findings;
        let own: Vec<&Finding> = findings
            .iter()
            .filter(|finding| finding.file == name)
            .collect();
        let next = once(&current, &own);
        if next == current {
            break;
        }
        current = next;
    }
    current
}

/// Without a byte order mark and zero bytes, and with line feeds; UTF-16 is known by its mark; other bytes that are no UTF-8 are taken for Latin-1,
/// the only thing that they are in practice.
fn readable(text: &[u8]) -> String {
    let pairs = |text: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = text.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        String::from_utf16_lossy(&units.collect::<Vec<u16>>())
    };
    if let Some(text) = text.strip_prefix(b"\xff\xfe") {
        return pairs(text, u16::from_le_bytes).replace('\0', "");
    }
    if let Some(text) = text.strip_prefix(b"\xfe\xff") {
        return pairs(text, u16::from_be_bytes).replace('\0', "");
    }
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let old: Vec<u8>;
    let text = match text.contains(&b'\n') {
        true => text,
        false => {
            let end = |&byte: &u8| if byte == b'\r' { b'\n' } else { byte };
            old = text.iter().map(end).collect();
            &old
        }
    };
    match std::str::from_utf8(text) {
        Ok(text) => text.replace('\0', ""),
        Err(_) => text
            .iter()
            .filter(|&&byte| byte != 0)
            .map(|&byte| char::from(byte))
            .collect(),
    }
}

fn once(text: &str, findings: &[&Finding]) -> String {
    let mut edits: BTreeMap<usize, &Edit> = BTreeMap::new();
    let mut added: Vec<&str> = Vec::new();
    for finding in findings {
        match (&finding.edit, finding.line) {
            (Some(Edit::Add(line)), _) if !added.contains(&line.as_str()) => added.push(line),
            (Some(edit @ (Edit::Delete | Edit::Replace(_))), Some(line)) => {
                edits.entry(line).or_insert(edit);
            }
            _ => {}
        }
    }
    let settings = parse(text.as_bytes()).0.into_iter();
    let ends: HashMap<usize, usize> = settings.map(|line| (line.number, line.last)).collect();
    let lines: Vec<&str> = text.lines().collect();
    // No line that is written anew is there twice then.
    let kept = |(at, _): &(usize, &&str)| !edits.contains_key(&(at + 1));
    let stay = lines.iter().enumerate().filter(kept);
    let mut there: HashSet<String> = stay.map(|(_, line)| line.trim().to_owned()).collect();
    let mut out: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let edit = edits.get(&(at + 1));
        // A setting may go on over several lines.
        let last = edit.and(ends.get(&(at + 1))).copied().unwrap_or(at + 1);
        match edit {
            Some(Edit::Delete) => {}
            Some(Edit::Replace(new)) if new.contains("\\\n") => {
                out.extend(new.lines().map(str::to_owned));
            }
            Some(Edit::Replace(new)) => {
                let new = new.lines().filter(|line| there.insert((*line).to_owned()));
                out.extend(new.map(str::to_owned));
            }
            _ => out.push((*line).to_owned()),
        }
        at = last.max(at + 1);
    }
    let added = added.into_iter().filter(|line| !there.contains(*line));
    out.extend(added.map(str::to_owned));
    out.iter().map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Memory;
    use super::*;

    #[test]
    fn what_is_sure_is_changed() {
        let text = b"\xef\xbb\xbfNickname=relay1\nContactInfo J\xf6rg <a@example.org>\n\
            # Kept.\nORPort 9001\nBandwidthRate \\\n10\nBandwithBurst 20\nRunAsDaemon 1\n\
            Log notice file /var/log/tor/log\nPidFile /run/tor.pid\nUser debian-tor\n\
            ControlSocket /run/tor/control\nSocksPort 0.0.0.0:9050\nExitPolicy reject *:*\n";
        let fixed = fixed("torrc", text, Some(Role::Middle), &Memory::default());
        insta::assert_snapshot!(fixed, @r"
        Nickname relay1
        ContactInfo Jörg <a@example.org>
        # Kept.
        ORPort 9001
        RelayBandwidthRate 1220 KBytes
        RelayBandwidthBurst 2441 KBytes
        Log notice stdout
        ControlSocket /tordata/control.sock
        SocksPort 0
        ExitPolicy reject *:*
        ExitRelay 0
        DataDirectory /tordata
        ");
        let left = check(
            "torrc",
            fixed.as_bytes(),
            Some(Role::Middle),
            &Memory::default(),
        );
        assert_eq!(left.findings, []);
    }

    /// What goes or is written anew is the setting, down to its last line, and nothing else.
    #[test]
    fn a_setting_goes_as_a_whole() {
        for (lines, left) in [
            ("User x # y \\\nNumCPUs 2\n", "NumCPUs 2\n"),
            ("User x \\\n# y \\\nz\nNumCPUs 2\n", "NumCPUs 2\n"),
            ("User \\\n  x\n# y\nNumCPUs 2\n", "# y\nNumCPUs 2\n"),
            ("User x \\\n\nNumCPUs 2\n", "NumCPUs 2\n"),
            ("NumCPUs 2\nUser x \\", "NumCPUs 2\n"),
        ] {
            let rest = "Nickname a\nContactInfo b@example.org\nORPort 9001\nSocksPort 0\nExitRelay 0\nDataDirectory /tordata\n";
            let fixed = fixed(
                "torrc",
                format!("{rest}{lines}").as_bytes(),
                None,
                &Memory::default(),
            );
            assert_eq!(fixed, format!("{rest}{left}"), "{lines:?}");
        }
    }

    #[test]
    fn whatever_the_file_is_saved_as() {
        let text = "Nickname a\nContactInfo J\u{f6}rg <b@example.org>\nORPort 9001\nSocksPort 0\nExitRelay 0\nDataDirectory /tordata\n";
        let units = || text.encode_utf16();
        let little = units().flat_map(u16::to_le_bytes);
        let big = units().flat_map(u16::to_be_bytes);
        for bytes in [
            b"\xff\xfe".iter().copied().chain(little).collect(),
            b"\xfe\xff".iter().copied().chain(big).collect(),
            text.replace('\n', "\r").into_bytes(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            text.chars().map(|c| c as u8).collect::<Vec<u8>>(),
        ] {
            let found = check("torrc", &bytes, None, &Memory::default()).findings;
            assert_eq!(found.len(), 1, "{found:#?}");
            let fixed = fixed("torrc", &bytes, None, &Memory::default());
            assert_eq!(fixed, text);
        }
    }

    #[test]
    fn no_line_is_there_twice() {
        let text = "Nickname a\nContactInfo b@example.org\nORPort 9001\nSocksPort 0\nExitRelay 0\nDataDirectory /tordata\nLog notice file /var/log/a\nLog notice file /var/log/b\n";
        let fixed = fixed("torrc", text.as_bytes(), None, &Memory::default());
        assert_eq!(fixed.matches("Log notice stdout\n").count(), 1, "{fixed}");
        assert!(!fixed.contains("/var/log"), "{fixed}");
    }

    #[test]
    fn what_is_right_stays() {
        let text = "Nickname a\nContactInfo b@example.org\nORPort 9001\nSocksPort 0\nExitRelay 0\nDataDirectory /tordata\n";
        assert_eq!(
            fixed("torrc", text.as_bytes(), None, &Memory::default()),
            text
        );
    }
}
