//! Words for a POSIX shell.

/// `word` as a shell reads it back.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_shell_reads_it_back(word in "[^\0]{0,20}|[a-zA-Z $%~*?!&;|<>(){}'\"`#/.-]{0,6}|[$a-z]{1,6}") {
            let script = format!("printf %s {}", quoted(&word));
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            prop_assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }
}
