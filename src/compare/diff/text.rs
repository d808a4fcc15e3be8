//! The comparison of two images for a terminal, on a screen or two.

use std::fmt::{Arguments, Write as _};

use super::content::{FirstDifference, Row, printable};
use super::{Aspect, Content, Diff, DocumentDiff, FileDiff, LayerDiff, SectionDiff};
use crate::compare::ComparisonVerdict;

/// How many files of a layer, and values of a document, are listed.
const LISTED: usize = 12;

impl Diff {
    /// The outcome as text: each part with its verdict, then what differs, with the bytes around
    /// the first difference.
    pub fn text(&self) -> String {
        let mut out = Text::default();
        for (letter, side) in [("A", &self.a), ("B", &self.b)] {
            let digest = side.manifest.unwrap_or(side.config);
            out.line(0, format_args!("{letter}  {}  {digest}", side.name));
        }
        for layer in &self.layers {
            let label = format!("layer {}", layer.name);
            let verdict = layer.verdict();
            out.line(0, format_args!("{label:<20} {verdict}"));
        }
        let documents = self.comparison.items.iter();
        for item in documents.skip(self.layers.len()) {
            let words = words(item.verdict, item.expected.is_some());
            out.line(0, format_args!("{:<20} {words}", item.name));
        }
        // The bytes are shown for the first file alone.
        out.bytes_wanted = true;
        for layer in self.layers.iter().filter(|layer| layer.has_details()) {
            out.line(0, format_args!("\nlayer {}:", layer.name));
            out.layer(layer);
        }
        for document in &self.documents {
            out.line(0, format_args!("\n{}:", document.name));
            for value in document.values.iter().take(LISTED) {
                let change = change(value.a.as_deref(), value.b.as_deref());
                out.line(2, format_args!("{}: {change}", value.at));
            }
            out.more(document.values.len());
            if let Some(rest) = document.rest() {
                out.line(2, format_args!("{rest}"));
            }
        }
        out.text
    }
}

/// The verdict on something in words; `in_a` says on which side there is what is absent from the
/// other.
pub(super) fn words(verdict: ComparisonVerdict, in_a: bool) -> &'static str {
    match verdict {
        ComparisonVerdict::Same => "same",
        ComparisonVerdict::Recompressed => "same content, compressed differently",
        ComparisonVerdict::Different => "different",
        ComparisonVerdict::Absent if in_a => "absent from B",
        ComparisonVerdict::Absent => "absent from A",
    }
}

impl LayerDiff {
    /// The verdict in words, with how many of its entries it is about.
    pub(super) fn verdict(&self) -> String {
        let words = words(self.verdict, self.a.is_some());
        let (same, other) = (self.same, self.files.len() + self.more);
        match (self.verdict, other) {
            (ComparisonVerdict::Same | ComparisonVerdict::Recompressed, _) => {
                format!("{words} ({})", entries(same))
            }
            (ComparisonVerdict::Absent, _) => format!("{words} ({})", entries(other)),
            (ComparisonVerdict::Different, 0) => {
                format!("{words}, though what they hold is the same")
            }
            (ComparisonVerdict::Different, _) => {
                format!("{words} ({other} of {})", entries(same + other))
            }
        }
    }

    pub(super) fn has_details(&self) -> bool {
        !self.files.is_empty() || self.archive.is_some()
    }
}

impl DocumentDiff {
    /// What is to be said besides the values.
    pub(super) fn rest(&self) -> Option<String> {
        match (self.values.len(), self.of_parts) {
            (0, 0) => Some("the same values, written differently".to_owned()),
            (_, 0) => None,
            (_, 1) => Some("one digest or size of another item".to_owned()),
            (_, count) => Some(format!("{count} digests and sizes of other items")),
        }
    }
}

/// `1 entry`, `2 entries`.
fn entries(count: usize) -> String {
    match count {
        1 => "1 entry".to_owned(),
        _ => format!("{count} entries"),
    }
}

impl FileDiff {
    /// Whether the first image has it.
    pub(super) fn in_a(&self) -> bool {
        self.verdict == ComparisonVerdict::Different
            || self.aspects.iter().any(|aspect| aspect.a.is_some())
    }

    /// `file, 0644, 0:0`: what there is, where the other side has nothing.
    pub(super) fn described(&self) -> String {
        let values = self.aspects.iter().filter_map(|Aspect { what, a, b }| {
            let value = a.as_ref().or(b.as_ref())?;
            Some(match &what[..] {
                "kind" => value.clone(),
                _ => format!("{what} {value}"),
            })
        });
        values.collect::<Vec<_>>().join(", ")
    }
}

impl SectionDiff {
    /// The verdict in words.
    pub(super) fn words(&self) -> String {
        let sizes = match (self.a_size, self.b_size) {
            (Some(a), Some(b)) if a != b => format!(", {a} and {b} bytes"),
            _ => String::new(),
        };
        match (self.verdict, self.offset) {
            (ComparisonVerdict::Different, Some(offset)) => {
                format!("different from {offset:#x} on{sizes}")
            }
            (ComparisonVerdict::Different, None) => format!("at another address{sizes}"),
            (verdict, _) => words(verdict, self.a_size.is_some()).to_owned(),
        }
    }
}

/// `0755 -> 4755`.
fn change(a: Option<&str>, b: Option<&str>) -> String {
    let or_absent = |side: Option<&str>| side.unwrap_or("absent").to_owned();
    format!("{} -> {}", or_absent(a), or_absent(b))
}

#[derive(Default)]
struct Text {
    text: String,
    bytes_wanted: bool,
}

impl Text {
    fn line(&mut self, indent: usize, line: Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{:indent$}{line}", "");
    }

    fn more(&mut self, all: usize) {
        if all > LISTED {
            let rest = all - LISTED;
            self.line(
                2,
                format_args!("and {rest} more (`--html FILE` and `--json` show all)"),
            );
        }
    }

    fn layer(&mut self, layer: &LayerDiff) {
        for file in layer.files.iter().take(LISTED) {
            match file.verdict {
                ComparisonVerdict::Absent => {
                    let words = words(ComparisonVerdict::Absent, file.in_a());
                    self.line(
                        2,
                        format_args!("{}: {words} ({})", file.path, file.described()),
                    );
                }
                _ => {
                    self.line(2, format_args!("{}", file.path));
                    self.file(file);
                }
            }
        }
        self.more(layer.files.len());
        if layer.more > 0 {
            self.line(
                2,
                format_args!(
                    "and {} more that differ, which are not described",
                    layer.more
                ),
            );
        }
        if let Some(place) = &layer.archive {
            self.line(
                2,
                format_args!("the archives differ only in order, padding or encoding"),
            );
            self.place(place);
        }
    }

    fn file(&mut self, file: &FileDiff) {
        for Aspect { what, a, b } in &file.aspects {
            let change = change(a.as_deref(), b.as_deref());
            self.line(4, format_args!("{what}: {change}"));
        }
        if let Some(content) = &file.content {
            self.content(content);
        }
    }

    fn content(&mut self, content: &Content) {
        self.place(&content.first);
        for section in content.sections.iter().take(LISTED) {
            self.line(
                4,
                format_args!("section {}: {}", section.name, section.words()),
            );
        }
        self.more(content.sections.len());
        if let Some(note) = &content.note {
            self.line(4, format_args!("{note}"));
        }
    }

    fn place(&mut self, place: &FirstDifference) {
        let offset = place.offset;
        self.line(
            4,
            format_args!("first different byte: {offset:#x} ({offset})"),
        );
        if std::mem::take(&mut self.bytes_wanted) {
            let [a, b] = place.rows();
            for (letter, rows) in [("A", a), ("B", b)] {
                for row in rows {
                    self.line(6, format_args!("{letter} {}", dump(&row)));
                }
            }
        }
    }
}

/// `00001230  7f 45 …  |.E…|`, with a star before each byte that differs.
fn dump(row: &Row) -> String {
    let mut line = format!("{:08x} ", row.at);
    for at in 0..super::content::ROW as usize {
        match row.bytes.get(at) {
            Some((byte, differs)) => {
                let mark = if *differs { '*' } else { ' ' };
                let _ = write!(line, "{mark}{byte:02x}");
            }
            None => line.push_str("   "),
        }
    }
    let text: String = row.bytes.iter().map(|(byte, _)| printable(*byte)).collect();
    format!("{line}  |{text}|")
}
