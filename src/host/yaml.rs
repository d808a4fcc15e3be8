//! Strings for a compose file.

/// `text` as a double-quoted scalar of YAML 1.1 and 1.2, in which compose replaces nothing:
/// it takes `$$` for a dollar sign.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '$' => quoted.push_str("$$"),
            ' '..='~' => quoted.push(character),
            _ if character.is_alphanumeric() && (character as u32) < 0xd800 => {
                quoted.push(character);
            }
            _ if (character as u32) < 0x1_0000 => {
                quoted.push_str(&format!("\\u{:04x}", character as u32));
            }
            _ => quoted.push_str(&format!("\\U{:08x}", character as u32)),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What YAML and then compose make of a double-quoted scalar.
    fn read(scalar: &str) -> Option<String> {
        let inner = scalar.strip_prefix('"')?.strip_suffix('"')?;
        let mut text = String::new();
        let mut rest = inner.chars();
        while let Some(character) = rest.next() {
            match character {
                '\\' => match rest.next()? {
                    'u' => text.push(hex(&mut rest, 4)?),
                    'U' => text.push(hex(&mut rest, 8)?),
                    escaped @ ('"' | '\\') => text.push(escaped),
                    _ => return None,
                },
                '$' => text.push(rest.next().filter(|&c| c == '$')?),
                '"' => return None,
                _ if character.is_control() => return None,
                _ => text.push(character),
            }
        }
        Some(text)
    }

    fn hex(rest: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
        let digits: String = rest.take(digits).collect();
        char::from_u32(u32::from_str_radix(&digits, 16).ok()?)
    }

    proptest! {
        #[test]
        fn any_string_reads_back(text in "\\PC{0,20}|.{0,20}|[\"\\\\$#:' \n\t]{0,10}") {
            prop_assert_eq!(read(&quoted(&text)), Some(text));
        }
    }
}
