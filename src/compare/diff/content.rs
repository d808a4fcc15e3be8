//! Where the bytes of two files begin to differ.

use std::io::{self, BufRead, BufReader};

use serde::{Serialize, Serializer};

use super::elf::{self, SectionDiff};
use crate::image::read::Extent;

/// Bytes in a row of a dump.
pub(super) const ROW: u64 = 16;

/// How much is compared at once, in bytes.
const BUFFER: usize = 256 * 1024;

/// The largest program whose sections are compared: both are read into memory.
const PROGRAM: u64 = 48 << 20;

/// The first byte that differs, and what stands around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FirstDifference {
    /// Where it is, from 0.
    pub offset: u64,
    /// Where `a` and `b` begin.
    pub from: u64,
    /// The bytes of the first file from there on: a row before, the row itself, a row after.
    #[serde(serialize_with = "hex")]
    pub a: Vec<u8>,
    /// Those of the second.
    #[serde(serialize_with = "hex")]
    pub b: Vec<u8>,
}

/// How the bytes of two files differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Content {
    /// Where they begin to differ.
    pub first: FirstDifference,
    /// Of two programs, the sections that are not the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sections: Vec<SectionDiff>,
    /// What is to be said about the sections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Content {
    /// Compares two files; none if they are equal.
    ///
    /// The sections are compared as long as `room` for them is left.
    pub(super) fn compare(a: &Extent, b: &Extent, room: &mut usize) -> io::Result<Option<Self>> {
        let Some(first) = first_difference(a, b)? else {
            return Ok(None);
        };
        let mut content = Self {
            first,
            sections: Vec::new(),
            note: None,
        };
        if is_program(a)? && is_program(b)? {
            if a.size().max(b.size()) > PROGRAM {
                content.note = Some("too large to compare its sections".to_owned());
            } else if *room == 0 {
                content.note = Some("its sections are not compared: there are too many".to_owned());
            } else {
                content.programs(&all(a)?, &all(b)?);
                *room = room.saturating_sub(1 + content.sections.len());
            }
        }
        Ok(Some(content))
    }

    fn programs(&mut self, a: &[u8], b: &[u8]) {
        match elf::compare(a, b) {
            Ok(sections) if sections.is_empty() => {
                self.note = Some("no section differs: it is in the headers or between".to_owned());
            }
            Ok(sections) => self.sections = sections,
            Err(problem) => self.note = Some(format!("the sections cannot be read: {problem}")),
        }
    }
}

fn all(extent: &Extent) -> io::Result<Vec<u8>> {
    extent.bytes(0, extent.size())
}

fn is_program(extent: &Extent) -> io::Result<bool> {
    Ok(extent.bytes(0, 4)? == b"\x7fELF")
}

/// Where the bytes of two files begin to differ, if they do. The end of one is a difference.
pub(super) fn first_difference(a: &Extent, b: &Extent) -> io::Result<Option<FirstDifference>> {
    let mut readers = [a, b].map(|side| BufReader::with_capacity(BUFFER, side.reader()));
    let mut offset = 0;
    let [left, right] = &mut readers;
    let offset = loop {
        let (ours, theirs) = (left.fill_buf()?, right.fill_buf()?);
        let length = ours.len().min(theirs.len());
        if length == 0 {
            match ours.len() == theirs.len() {
                true => return Ok(None),
                false => break offset,
            }
        }
        let pairs = ours.iter().zip(theirs);
        if let Some(at) = pairs.into_iter().position(|(a, b)| a != b) {
            break offset + at as u64;
        }
        left.consume(length);
        right.consume(length);
        offset += length as u64;
    };
    let row = offset - offset % ROW;
    let from = row.saturating_sub(ROW);
    let to = row + 2 * ROW;
    Ok(Some(FirstDifference {
        offset,
        from,
        a: a.bytes(from, to)?,
        b: b.bytes(from, to)?,
    }))
}

fn hex<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    serializer.serialize_str(&text)
}

/// A row of a dump.
pub(super) struct Row {
    /// Where it begins.
    pub(super) at: u64,
    /// Its bytes, each with whether it is another than that of the other side.
    pub(super) bytes: Vec<(u8, bool)>,
}

impl FirstDifference {
    /// The rows of the first and the second file.
    pub(super) fn rows(&self) -> [Vec<Row>; 2] {
        let rows = |ours: &[u8], theirs: &[u8]| -> Vec<Row> {
            let marked: Vec<(u8, bool)> = (0..)
                .zip(ours)
                .map(|(at, byte)| (*byte, theirs.get::<usize>(at) != Some(byte)))
                .collect();
            let chunks = marked.chunks(ROW as usize);
            let starts = (self.from..).step_by(ROW as usize);
            let rows = starts.zip(chunks);
            rows.map(|(at, bytes)| Row {
                at,
                bytes: bytes.to_vec(),
            })
            .collect()
        };
        [rows(&self.a, &self.b), rows(&self.b, &self.a)]
    }
}

/// A byte as text, if it is a printable ASCII character.
pub(super) fn printable(byte: u8) -> char {
    match byte {
        b' '..=b'~' => byte as char,
        _ => '.',
    }
}
