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

/// Without a byte order mark and zero bytes; other bytes that are no UTF-8 are taken for Latin-1,
/// the only thing that they are in practice.
fn readable(text: &[u8]) -> String {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
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
