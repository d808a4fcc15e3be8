//! Reads a unified diff, without looking at any file that it names.

use super::error::{Error, shown};
use crate::unpack::Name;

/// What a patch does to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change<'p> {
    pub(super) name: Name,
    pub(super) kind: Kind,
    pub(super) hunks: Vec<Hunk<'p>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Modify,
    Create,
    Delete,
}

/// A run of lines of which some go and some come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hunk<'p> {
    /// How many lines of the old file come before it.
    pub(super) before: usize,
    /// Its lines in order, with their newlines where they have one.
    pub(super) lines: Vec<(Side, &'p [u8])>,
}

/// Which file a line is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Both,
    Old,
    New,
}

/// The lines of a patch, one looked at ahead.
struct Lines<'p> {
    patch: &'p str,
    rest: &'p [u8],
    /// The number of the line that comes next.
    number: usize,
}

/// Reads the patch `text`; `patch` is its name for errors.
pub(super) fn parse<'p>(patch: &'p str, text: &'p [u8]) -> Result<Vec<Change<'p>>, Error> {
    let mut lines = Lines {
        patch,
        rest: text,
        number: 1,
    };
    let mut says_something = false;
    while let Some(line) = lines.peek()
        && !line.starts_with(b"--- ")
        && !line.starts_with(b"diff ")
    {
        says_something |= !line.trim_ascii().is_empty() && !line.starts_with(b"Index: ");
        lines.next();
    }
    if !says_something {
        return Err(Error::NoHeader {
            patch: patch.to_owned(),
        });
    }
    let mut changes: Vec<Change> = Vec::new();
    loop {
        let line = lines.number;
        let change = lines.change()?;
        let path = change.name.as_path();
        if changes.iter().any(|earlier| {
            let earlier = earlier.name.as_path();
            path.starts_with(earlier) || earlier.starts_with(path)
        }) {
            return Err(Error::Syntax {
                patch: patch.to_owned(),
                line,
                expected: "each file once".into(),
                got: format!("`{}` again", change.name),
            });
        }
        changes.push(change);
        if lines.peek().is_none() {
            return Ok(changes);
        }
    }
}

impl<'p> Lines<'p> {
    fn peek(&self) -> Option<&'p [u8]> {
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        let end = end.map_or(self.rest.len(), |newline| newline + 1);
        (end > 0).then(|| &self.rest[..end])
    }

    fn next(&mut self) -> Option<&'p [u8]> {
        let line = self.peek()?;
        self.rest = &self.rest[line.len()..];
        self.number += 1;
        Some(line)
    }

    /// The next line if it begins so, without that and without its newline.
    fn after(&mut self, start: &str) -> Option<&'p [u8]> {
        let text = self.peek()?.strip_prefix(start.as_bytes())?;
        let text = text.strip_suffix(b"\n")?;
        self.next();
        Some(text)
    }

    /// The next line is not what may stand there.
    fn unexpected(&self, expected: impl Into<String>) -> Error {
        Error::Syntax {
            patch: self.patch.to_owned(),
            line: self.number,
            expected: expected.into(),
            got: shown(self.peek()),
        }
    }

    /// Everything about one file.
    fn change(&mut self) -> Result<Change<'p>, Error> {
        // git says more, of which renaming, copying and other modes are refused here.
        if self.after("diff ").is_some() {
            for extra in ["new file mode 100644", "deleted file mode ", "index "] {
                self.after(extra);
            }
        }
        let old = self.name("--- ", "a/")?;
        let wrong = self.unexpected(match &old {
            Some(old) => format!("`+++ b/{old}`"),
            None => "`+++ b/` and a name".into(),
        });
        let (name, kind) = match (old, self.name("+++ ", "b/")?) {
            (Some(old), Some(new)) if old == new => (old, Kind::Modify),
            (None, Some(new)) => (new, Kind::Create),
            (Some(old), None) => (old, Kind::Delete),
            _ => return Err(wrong),
        };
        let mut hunks = Vec::new();
        let mut at = Position::default();
        loop {
            hunks.push(self.hunk(kind, &mut at)?);
            match self.peek() {
                Some(line) if line.starts_with(b"@@ ") => {}
                None => break,
                Some(line) if line.starts_with(b"--- ") || line.starts_with(b"diff ") => break,
                Some(_) => return Err(self.unexpected("`@@`, `---`, `diff` or the end")),
            }
        }
        Ok(Change { name, kind, hunks })
    }

    /// The name of the old or the new file; `None` for `/dev/null`.
    fn name(&mut self, start: &str, side: &str) -> Result<Option<Name>, Error> {
        let line = self.number;
        let before = self.unexpected(format!("`{start}{side}` and a name"));
        let Some(text) = self.after(start) else {
            return Err(before);
        };
        // diff puts a time behind the name.
        let spelt = text.split(|byte| *byte == b'\t').next().unwrap_or_default();
        if spelt == b"/dev/null" {
            return Ok(None);
        }
        let Some(spelt) = spelt.strip_prefix(side.as_bytes()) else {
            return Err(before);
        };
        match Name::parse(spelt) {
            Ok(name) if name.is_root() => Err(before),
            Ok(name) => Ok(Some(name)),
            Err(rule) => Err(Error::Name {
                patch: self.patch.to_owned(),
                line,
                name: spelt.escape_ascii().to_string(),
                rule,
            }),
        }
    }

    /// One hunk behind those that led to the position `at`.
    fn hunk(&mut self, kind: Kind, at: &mut Position) -> Result<Hunk<'p>, Error> {
        let wrong = self.unexpected("`@@ -<line>,<lines> +<line>,<lines> @@`");
        let ranges = self.after("@@ ").and_then(ranges);
        let Some((old, new)) = ranges else {
            return Err(wrong);
        };
        // What the hunks before added decides where this one is in the new file.
        let whole = match kind {
            Kind::Modify => true,
            Kind::Create => (old.before, old.count) == (0, 0),
            Kind::Delete => (new.before, new.count) == (0, 0),
        };
        let between = old.before.checked_sub(at.old);
        if !whole || between.is_none() || between != new.before.checked_sub(at.new) {
            return Err(wrong);
        }
        let mut lines = Vec::new();
        let (mut old_left, mut new_left) = (old.count, new.count);
        let (mut old_ended, mut new_ended) = at.ended;
        while old_left + new_left > 0 {
            let (side, text) = match self.peek() {
                Some([b' ', text @ ..]) if old_left > 0 && new_left > 0 => (Side::Both, text),
                Some([b'-', text @ ..]) if old_left > 0 => (Side::Old, text),
                Some([b'+', text @ ..]) if new_left > 0 => (Side::New, text),
                _ => {
                    let expected = format!("{old_left} old and {new_left} new lines more");
                    return Err(self.unexpected(expected));
                }
            };
            if side != Side::New && old_ended || side != Side::Old && new_ended {
                return Err(self.unexpected("no line behind one without a newline"));
            }
            let Some(bare) = text.strip_suffix(b"\n") else {
                return Err(self.unexpected("a whole line"));
            };
            self.next();
            let (in_old, in_new) = (side != Side::New, side != Side::Old);
            old_left -= usize::from(in_old);
            new_left -= usize::from(in_new);
            // `\ No newline at end of file`, in whatever language.
            let ends = self.after("\\ ").is_some();
            old_ended |= in_old && ends;
            new_ended |= in_new && ends;
            lines.push((side, if ends { bare } else { text }));
        }
        *at = Position {
            old: old.before + old.count,
            new: new.before + new.count,
            ended: (old_ended, new_ended),
        };
        let before = old.before;
        Ok(Hunk { before, lines })
    }
}

/// How far the hunks behind reach in both files.
#[derive(Default)]
struct Position {
    /// How many lines of the old and of the new file lie behind.
    old: usize,
    new: usize,
    /// Whether the old and the new file have ended, with a line without a newline.
    ended: (bool, bool),
}

/// Some lines of a file.
struct Range {
    /// How many come before them.
    before: usize,
    count: usize,
}

/// The ranges of a hunk: `-<line>,<lines> +<line>,<lines> @@`.
fn ranges(text: &[u8]) -> Option<(Range, Range)> {
    // Behind the second `@@`, diff may quote a line of the file, in any encoding.
    let end = text.windows(3).position(|three| three == b" @@")?;
    let text = str::from_utf8(&text[..end]).ok()?;
    let (old, new) = text.strip_prefix('-')?.split_once(" +")?;
    Some((range(old)?, range(new)?))
}

/// `<line>,<lines>`, or `<line>` for one. Of no lines, the line before them is given.
fn range(text: &str) -> Option<Range> {
    let (line, count) = text.split_once(',').unwrap_or((text, "1"));
    // Nothing has so many lines; it keeps sums from overflowing.
    let number = |digits: &str| match digits.parse::<u32>() {
        Ok(number) if !digits.starts_with('+') => usize::try_from(number).ok(),
        _ => None,
    };
    let (line, count) = (number(line)?, number(count)?);
    let before = if count == 0 {
        line
    } else {
        line.checked_sub(1)?
    };
    Some(Range { before, count })
}
