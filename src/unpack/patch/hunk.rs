//! Applies hunks to the text of a file, in memory.

use super::error::shown;
use super::parse::{Hunk, Side};

/// The first line that is not what the patch says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// The hunk and the line of the old file, both counted from 1.
    pub(super) hunk: usize,
    pub(super) line: usize,
    pub(super) expected: String,
    pub(super) got: String,
}

/// The new text of a file whose text is `old`.
pub(super) fn apply(hunks: &[Hunk], old: &[u8]) -> Result<Vec<u8>, Mismatch> {
    let lines: Vec<&[u8]> = old.split_inclusive(|byte| *byte == b'\n').collect();
    let mut new = Vec::with_capacity(old.len());
    let mut done = 0;
    for (number, hunk) in hunks.iter().enumerate() {
        let mismatch = |line: usize, expected| Mismatch {
            hunk: number + 1,
            line: line + 1,
            expected: shown(expected),
            got: shown(lines.get(line).copied()),
        };
        let Some(between) = lines.get(done..hunk.before) else {
            let first = hunk.lines.iter().min_by_key(|(side, _)| *side == Side::New);
            return Err(mismatch(lines.len(), first.map(|(_, text)| *text)));
        };
        between.iter().for_each(|line| new.extend_from_slice(line));
        done = hunk.before;
        for (side, text) in &hunk.lines {
            if *side != Side::New {
                if lines.get(done) != Some(text) {
                    return Err(mismatch(done, Some(text)));
                }
                done += 1;
            }
            if *side != Side::Old {
                // Only the file's last line can lack a newline; the patch takes it for whole.
                if new.last().is_some_and(|byte| *byte != b'\n') {
                    let last = done.saturating_sub(1);
                    let whole = [lines.get(last).copied().unwrap_or_default(), b"\n"].concat();
                    return Err(mismatch(last, Some(&whole)));
                }
                new.extend_from_slice(text);
            }
        }
        // The patch ended the file, and the file goes on.
        if lines.get(done).is_some() && new.last().is_some_and(|byte| *byte != b'\n') {
            return Err(mismatch(done, None));
        }
    }
    lines[done..]
        .iter()
        .for_each(|line| new.extend_from_slice(line));
    Ok(new)
}
