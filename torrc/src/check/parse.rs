//! The syntax of a torrc, read as tor reads it (`confline.c`, `cstring.c`,
//! `doc/torrc_format.txt`), down to its odd corners.

/// One setting of a torrc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The line it begins on, from 1.
    pub number: usize,
    /// The line it ends on: a backslash at the end of a line goes on with the next one.
    pub last: usize,
    /// The option as it is written, without a leading `+` or `/`.
    pub name: String,
    /// The value, unquoted and put together.
    pub value: String,
    /// What the line does to the option.
    pub change: Change,
}

/// What a line does to its option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Sets it; options that may be repeated get one value more.
    Set,
    /// `+Option`: adds to what the defaults say.
    Append,
    /// `/Option`: takes all values away.
    Clear,
}

/// A place where tor gives up reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// The line, from 1.
    pub number: usize,
    /// The option as it is written; nothing where the file as a whole is wrong.
    pub name: String,
    /// What is wrong.
    pub reason: &'static str,
}

/// The settings of a torrc. Where tor would give up, the error is noted and reading goes on
/// with the next line.
pub fn parse(text: &[u8]) -> (Vec<Line>, Vec<SyntaxError>) {
    let mut lines = Vec::new();
    let mut errors = Vec::new();
    // To tor the file ends at a zero byte, and carriage returns are not there.
    let end = text.iter().position(|&byte| byte == 0);
    let read = &text[..end.unwrap_or(text.len())];
    let read: Vec<u8> = read.iter().copied().filter(|&byte| byte != b'\r').collect();
    let mut reader = Reader {
        text: &read,
        at: 0,
        counted: (0, 1),
    };
    while reader.skip_to_key() {
        let number = reader.line_number();
        let key = reader.key();
        match reader.value() {
            Ok(value) => {
                let mut line = line(number, key, value);
                line.last = reader.line_number();
                lines.push(line);
            }
            Err(reason) => {
                let name = String::from_utf8_lossy(key).into_owned();
                errors.push(SyntaxError {
                    number,
                    name,
                    reason,
                });
                reader.skip_line();
            }
        }
    }
    if end.is_some() {
        errors.push(SyntaxError {
            number: reader.line_number(),
            name: String::new(),
            reason: "there is a zero byte, and tor reads no further",
        });
    }
    (lines, errors)
}

fn line(number: usize, key: &[u8], value: Vec<u8>) -> Line {
    let (change, name) = match key.first() {
        Some(b'+') => (Change::Append, &key[1..]),
        Some(b'/') => (Change::Clear, &key[1..]),
        _ => (Change::Set, key),
    };
    let value = if change == Change::Clear {
        String::new()
    } else {
        String::from_utf8_lossy(&value).into_owned()
    };
    Line {
        number,
        last: number,
        name: String::from_utf8_lossy(name).into_owned(),
        value,
        change,
    }
}

/// What is wrong with quoted values.
pub(super) const OPEN: &str = "the quoted value does not end on its line";
pub(super) const ESCAPE: &str = "the quoted value has an escape that tor does not know";
pub(super) const FOLLOWED: &str = "something follows the quoted value";

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// How far lines were counted, and which one that is.
    counted: (usize, usize),
}

/// Tor's `TOR_ISSPACE`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\x0b' | b'\x0c' | b'\r')
}

impl<'a> Reader<'a> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.peek(0).is_some_and(&wanted) {
            self.at += 1;
        }
    }

    /// Counts on from where it last stopped: from the beginning each time, a long file would take
    /// the square of its lines.
    fn line_number(&mut self) -> usize {
        let (from, line) = self.counted;
        let since = &self.text[from..self.at];
        let line = line + since.iter().filter(|&&byte| byte == b'\n').count();
        self.counted = (self.at, line);
        line
    }

    fn at_continuation(&self) -> bool {
        self.peek(0) == Some(b'\\') && self.peek(1) == Some(b'\n')
    }

    /// Past blanks and comments; false at the end of the file.
    fn skip_to_key(&mut self) -> bool {
        loop {
            self.skip_while(is_space);
            if self.peek(0) != Some(b'#') {
                return self.peek(0).is_some();
            }
            self.skip_line();
        }
    }

    fn skip_line(&mut self) {
        self.skip_while(|byte| byte != b'\n');
    }

    fn key(&mut self) -> &'a [u8] {
        let start = self.at;
        while let Some(byte) = self.peek(0) {
            if is_space(byte) || byte == b'#' || self.at_continuation() {
                break;
            }
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    fn value(&mut self) -> Result<Vec<u8>, &'static str> {
        self.skip_while(|byte| byte == b' ' || byte == b'\t');
        if self.peek(0) != Some(b'"') {
            return Ok(self.plain());
        }
        let value = self.quoted()?;
        self.skip_while(|byte| byte == b' ' || byte == b'\t');
        match self.peek(0) {
            None | Some(b'#' | b'\n') => Ok(value),
            Some(_) => Err(FOLLOWED),
        }
    }

    /// Up to the end of the line or a comment. Once a line was continued, comments are left
    /// out and do not end it. Blanks at the end go first, so that a `\` before nothing stays.
    fn plain(&mut self) -> Vec<u8> {
        let start = self.at;
        let mut continued = false;
        while let Some(byte) = self.peek(0) {
            if self.at_continuation() {
                continued = true;
                self.at += 2;
            } else if byte == b'#' && continued {
                self.skip_line();
                if self.peek(0).is_some() {
                    self.at += 1;
                }
            } else if byte == b'\n' || byte == b'#' {
                break;
            } else {
                self.at += 1;
            }
        }
        let mut raw = &self.text[start..self.at];
        while let [rest @ .., last] = raw
            && is_space(*last)
        {
            raw = rest;
        }
        let mut inside = Reader {
            text: raw,
            at: 0,
            counted: (0, 1),
        };
        let mut value = Vec::new();
        while let Some(byte) = inside.peek(0) {
            if inside.at_continuation() {
                inside.at += 2;
            } else if byte == b'#' && continued {
                inside.skip_line();
                inside.at += usize::from(inside.peek(0).is_some());
            } else {
                value.push(byte);
                inside.at += 1;
            }
        }
        value
    }

    /// A string as in C; the opening quote is next.
    fn quoted(&mut self) -> Result<Vec<u8>, &'static str> {
        let mut value = Vec::new();
        self.at += 1;
        loop {
            let byte = self.peek(0).ok_or(OPEN)?;
            self.at += 1;
            match byte {
                b'"' => return Ok(value),
                b'\n' => {
                    // So that the next line is still read.
                    self.at -= 1;
                    return Err(OPEN);
                }
                // A backslash does not carry a quoted value over the end of its line.
                b'\\' if matches!(self.peek(0), None | Some(b'\n')) => return Err(OPEN),
                b'\\' => value.push(self.escape().ok_or(ESCAPE)?),
                _ => value.push(byte),
            }
        }
    }

    fn escape(&mut self) -> Option<u8> {
        let byte = self.peek(0)?;
        let one = match byte {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'"' | b'\\' | b'\'' => byte,
            b'x' | b'X' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let byte = digit(self.peek(1)?)? * 16 + digit(self.peek(2)?)?;
                self.at += 3;
                return u8::try_from(byte).ok();
            }
            b'0'..=b'7' => {
                let mut byte = 0u32;
                for _ in 0..3 {
                    match self.peek(0) {
                        Some(digit @ b'0'..=b'7') => byte = byte * 8 + u32::from(digit - b'0'),
                        _ => break,
                    }
                    self.at += 1;
                }
                return u8::try_from(byte).ok();
            }
            _ => return None,
        };
        self.at += 1;
        Some(one)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::tor_is_here;

    fn read(text: &str) -> Vec<(usize, String, String)> {
        let (lines, errors) = parse(text.as_bytes());
        assert_eq!(errors, [], "{text:?}");
        let parts = |line: Line| (line.number, line.name, line.value);
        lines.into_iter().map(parts).collect()
    }

    /// Texts of one setting and the value. The examples of torrc_format.txt, and more of the
    /// kind.
    const SINGLE: &[(&str, &str)] = &[
        ("Foo Bar", "Bar"),
        ("  Foo\tBar  \n", "Bar"),
        ("Foo    Bar    Baz    ", "Bar    Baz"),
        ("Foo\\\nBar", "Bar"),
        ("Foo Bar   #today", "Bar"),
        ("Foo Bar#tomorrow", "Bar"),
        ("Foo Bar\r\n", "Bar"),
        ("Foo \"Bar\"\r\n", "Bar"),
        ("Foo one\\\r\ntwo", "onetwo"),
        ("Foo \"Bar!\"", "Bar!"),
        ("Foo \"a # b\" # c", "a # b"),
        ("Foo \"\\\"Bar\\\"\\nand\\tall\"", "\"Bar\"\nand\tall"),
        ("Foo \"\\x41\\102\\0103\\'\"", "AB\u{8}3'"),
        ("Foo \"\\xe2\\x82\\xac\"", "€"),
        ("Foo\\\nBar\\\nand\\\nfriends", "Barandfriends"),
        (
            "Foo \\\nMany\\\\\\\nBacksl\\ashes \\\\\nhere",
            "Many\\\\Backsl\\ashes \\here",
        ),
        ("Foo one \\\n# comment\n two", "one  two"),
        ("Foo one \\\n two # comment \\\n three", "one  two  three"),
        ("Foo one\\\n\n", "one\\"),
        ("Foo", ""),
        ("Foo#Bar", ""),
        ("Foo \"\"", ""),
        ("Foo a\"b\"", "a\"b\""),
    ];

    #[test]
    fn single_settings() {
        for (text, value) in SINGLE {
            let expected = [(1, "Foo".to_owned(), (*value).to_owned())];
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    /// Tor itself, where it is there, reads the same from the same text.
    #[test]
    fn as_tor_reads_them() {
        if !tor_is_here("as_tor_reads_them", "0.4") {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("torrc");
        for (text, value) in SINGLE {
            let text = text.replacen("Foo", "ContactInfo", 1);
            fs_err::write(&path, &text).unwrap();
            let output = Command::new("tor")
                .args([
                    "--quiet",
                    "--dump-config",
                    "short",
                    "--defaults-torrc",
                    "/dev/null",
                    "-f",
                ])
                .arg(&path)
                .output()
                .unwrap();
            // It writes what it read as a torrc again, in quotes where they are needed.
            let (theirs, errors) = parse(&output.stdout);
            assert_eq!(errors, [], "{text:?}");
            let theirs = theirs.first().map_or("", |line| &line.value);
            assert_eq!(theirs, *value, "{text:?}");
        }
    }

    #[test]
    fn several_settings() {
        let text = "# first\n\nA 1\nB 2 \\\n  3\n+C 4\n/D 5\n\tE \"6\"\nF 7";
        let (lines, errors) = parse(text.as_bytes());
        let shown: Vec<String> = lines
            .iter()
            .map(|line| {
                format!(
                    "{} {:?} {} {}",
                    line.number, line.change, line.name, line.value
                )
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        3 Set A 1
        4 Set B 2   3
        6 Append C 4
        7 Clear D 
        8 Set E 6
        9 Set F 7
        ");
        assert_eq!(errors, []);
    }

    #[test]
    fn tor_gives_up_and_we_go_on() {
        let bad = [
            "A \"x",
            "A \"x\\q\"",
            "A \"x\" y",
            "A \"\\777\"",
            "A \"\\x4\"",
            "A \"\\",
        ];
        for text in bad {
            let (lines, errors) = parse(format!("{text}\nB 2\n").as_bytes());
            assert_eq!(
                errors.iter().map(|e| e.number).collect::<Vec<_>>(),
                [1],
                "{text}"
            );
            assert_eq!(
                lines.iter().map(|line| line.number).collect::<Vec<_>>(),
                [2],
                "{text}"
            );
        }
        let (lines, errors) = parse(b"A 1\nB 2\0C 3\n");
        assert_eq!((lines.len(), errors[0].number), (2, 2));
    }
}
