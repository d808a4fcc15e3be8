//! Words for a POSIX shell.

/// `word` as a shell reads it back.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The words of a line that [`quoted`] wrote; nothing if a quote is left open.
pub fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => {
                let own = word.get_or_insert_default();
                loop {
                    match characters.next()? {
                        '\'' => break,
                        inner => own.push(inner),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(characters.next()?),
            plain => word.get_or_insert_default().push(plain),
        }
    }
    words.extend(word);
    Some(words)
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

        #[test]
        fn and_so_do_we(given in proptest::collection::vec("[^\0]{0,9}|[a-z '\\\\]{0,6}", 0..5)) {
            let line: Vec<String> = given.iter().map(|word| quoted(word)).collect();
            prop_assert_eq!(words(&line.join(" ")), Some(given));
        }
    }
}
