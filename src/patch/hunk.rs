//! Applies hunks to the text of a file, in memory.

use super::parse::{Hunk, Side};

/// The first line that is not what the patch says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch<'t> {
    /// The hunk and the line of the old file, both counted from 1.
    pub(super) hunk: usize,
    pub(super) line: usize,
    /// `None` is the end of the file.
    pub(super) expected: Option<&'t [u8]>,
    pub(super) got: Option<&'t [u8]>,
}

/// The new text of a file whose text is `old`.
pub(super) fn apply<'t>(hunks: &[Hunk<'t>], old: &'t [u8]) -> Result<Vec<u8>, Mismatch<'t>> {
    let lines: Vec<&[u8]> = old.split_inclusive(|byte| *byte == b'\n').collect();
    let mut new = Vec::with_capacity(old.len());
    let mut done = 0;
    for (number, hunk) in hunks.iter().enumerate() {
        let mismatch = |line: usize, expected| Mismatch {
            hunk: number + 1,
            line: line + 1,
            expected,
            got: lines.get(line).copied(),
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
                if new.last().is_some_and(|byte| *byte != b'\n') {
                    // The patch or the file ended the text before.
                    return Err(mismatch(done, None));
                }
                new.extend_from_slice(text);
            }
        }
        if lines.get(done).is_some() && new.last().is_some_and(|byte| *byte != b'\n') {
            return Err(mismatch(done, None));
        }
    }
    lines[done..]
        .iter()
        .for_each(|line| new.extend_from_slice(line));
    Ok(new)
}
