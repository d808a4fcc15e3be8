//! Text that somebody else chose, made fit for a terminal: the one place where that is done.
//!
//! A name, a label or a value goes through [`shown`] where it becomes part of a sentence. All that
//! is printed goes through [`lines`] or [`json`] at the end, whatever was forgotten before.

/// `bytes` as printable text on one line: control characters, those that turn the direction of
/// writing or cannot be seen, and what is no UTF-8 become escapes. A backslash is doubled, so that
/// two names never look like one.
pub fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\\' => text.push_str("\\\\"),
                _ => push(&mut text, letter),
            }
        }
        text.push_str(&chunk.invalid().escape_ascii().to_string());
    }
    text
}

/// As [`shown`], cut after `most` characters: a hostile name may fill the screen.
pub fn shown_up_to(most: usize, bytes: &[u8]) -> String {
    // No character has more than four bytes.
    let shown = shown(&bytes[..bytes.len().min(4 * most + 4)]);
    match shown.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

/// A page of text: as [`shown`], but for the ends of lines, tabs and backslashes, which stay. What
/// was shown before stays as it is.
pub fn lines(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    for letter in page.chars() {
        match letter {
            '\n' | '\t' => text.push(letter),
            _ => push(&mut text, letter),
        }
    }
    text
}

/// A sentence with words of others in it: as [`lines`], but on one line.
pub fn line(sentence: &str) -> String {
    lines(sentence).replace('\n', "\\n")
}

/// A JSON document, which stays the same document: such characters stand in strings alone, and
/// become JSON's own escapes.
pub fn json(document: &str) -> String {
    let mut text = String::with_capacity(document.len());
    for letter in document.chars() {
        match letter {
            '\n' | '\t' => text.push(letter),
            _ if is_plain(letter) => text.push(letter),
            _ => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    text
}

fn push(text: &mut String, letter: char) {
    match is_plain(letter) {
        true => text.push(letter),
        false if letter as u32 > 0x7f => text.extend(letter.escape_unicode()),
        false => text.extend(letter.escape_debug()),
    }
}

/// Whether a terminal shows it as one character in its place.
fn is_plain(letter: char) -> bool {
    match letter {
        ' '..='~' => true,
        // Letters that are blank: fillers of Hangul, and Braille without a dot.
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{2800}' => false,
        // What is printable is its own escape.
        _ => letter.escape_debug().len() == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes, as a name and as a page.
    const TABLE: [(&[u8], &str, &str); 19] = [
        (b"usr/bin/tor", "usr/bin/tor", "usr/bin/tor"),
        (b"it's \"so\"", "it's \"so\"", "it's \"so\""),
        ("Færøy".as_bytes(), "Færøy", "Færøy"),
        ("日本".as_bytes(), "日本", "日本"),
        (b"\x1b[2Jx\r", "\\u{1b}[2Jx\\r", "\\u{1b}[2Jx\\r"),
        (
            b"\x1b]8;;http://x\x07y",
            "\\u{1b}]8;;http://x\\u{7}y",
            "\\u{1b}]8;;http://x\\u{7}y",
        ),
        (
            "a\u{202e}gpj.sh".as_bytes(),
            "a\\u{202e}gpj.sh",
            "a\\u{202e}gpj.sh",
        ),
        (
            "\u{2066}\u{2069}".as_bytes(),
            "\\u{2066}\\u{2069}",
            "\\u{2066}\\u{2069}",
        ),
        (
            "\u{2028}\u{2029}\u{85}".as_bytes(),
            "\\u{2028}\\u{2029}\\u{85}",
            "\\u{2028}\\u{2029}\\u{85}",
        ),
        (
            "a\u{200b}b\u{feff}".as_bytes(),
            "a\\u{200b}b\\u{feff}",
            "a\\u{200b}b\\u{feff}",
        ),
        (
            "\u{ad}\u{61c}\u{a0}".as_bytes(),
            "\\u{ad}\\u{61c}\\u{a0}",
            "\\u{ad}\\u{61c}\\u{a0}",
        ),
        (
            "\u{3164}\u{2800}".as_bytes(),
            "\\u{3164}\\u{2800}",
            "\\u{3164}\\u{2800}",
        ),
        ("\u{e0041}".as_bytes(), "\\u{e0041}", "\\u{e0041}"),
        (
            "\u{9b}31m\u{90}".as_bytes(),
            "\\u{9b}31m\\u{90}",
            "\\u{9b}31m\\u{90}",
        ),
        ("x\u{301}".as_bytes(), "x\\u{301}", "x\\u{301}"),
        (b"\xff\x00", "\\xff\\0", "\u{fffd}\\0"),
        (b"\x9b\x7f", "\\x9b\\u{7f}", "\u{fffd}\\u{7f}"),
        (b"\\xff\t", "\\\\xff\\t", "\\xff\t"),
        (b"", "", ""),
    ];

    // Guards: S1.
    #[test]
    fn what_would_draw_on_the_screen() {
        for (bytes, name, page) in TABLE {
            assert_eq!(shown(bytes), name);
            let text = String::from_utf8_lossy(bytes);
            assert_eq!(lines(&text), page);
            assert_eq!(line(&text), page);
            // What was shown is left alone.
            assert_eq!(lines(name), name);
        }
    }

    #[test]
    fn pages_and_sentences_differ_in_the_ends_of_lines() {
        assert_eq!(lines("a\nb\r\n"), "a\nb\\r\n");
        assert_eq!(line("a\nhint: b"), "a\\nhint: b");
    }

    #[test]
    fn json_stays_the_same_document() {
        assert_eq!(
            json("{\"a\": \"\u{9b}\u{e0041}æ\\n\"}\n"),
            "{\"a\": \"\\u009b\\udb40\\udc41æ\\n\"}\n"
        );
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(shown_up_to(3, "日本日本".as_bytes()), "日本日…");
        assert_eq!(shown_up_to(4, "日本日本".as_bytes()), "日本日本");
        assert_eq!(shown_up_to(6, b"\x1b\x1b"), "\\u{1b}…");
    }
}
