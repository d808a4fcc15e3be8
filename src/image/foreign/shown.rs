//! Text that somebody else chose, made fit for a terminal.

/// `bytes` as printable text: control characters, those that turn the direction of writing or
/// cannot be seen, and what is no UTF-8 become escapes. A backslash is doubled, so that two
/// names never look like one.
pub fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\\' => text.push_str("\\\\"),
                ' '..='~' => text.push(letter),
                _ => text.extend(letter.escape_debug()),
            }
        }
        text.push_str(&chunk.invalid().escape_ascii().to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_draw_on_the_screen() {
        for (bytes, text) in [
            (&b"usr/bin/tor"[..], "usr/bin/tor"),
            (b"it's \"so\"", "it's \"so\""),
            ("Færøy".as_bytes(), "Færøy"),
            (b"\x1b[2Jx\r\n", "\\u{1b}[2Jx\\r\\n"),
            ("a\u{202e}gpj.sh".as_bytes(), "a\\u{202e}gpj.sh"),
            ("a\u{200b}b\u{feff}".as_bytes(), "a\\u{200b}b\\u{feff}"),
            ("\u{9b}31m".as_bytes(), "\\u{9b}31m"),
            (b"\xff\x00", "\\xff\\0"),
            (b"\\xff", "\\\\xff"),
        ] {
            assert_eq!(shown(bytes), text);
        }
    }
}
