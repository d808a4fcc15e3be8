//! The comparison of two images as a page: one file that loads nothing and runs nothing.

use std::fmt::{self, Display, Write as _};

use super::content::{FirstDifference, Row, printable};
use super::text::words;
use super::{Aspect, Content, Diff, DocumentDiff, FileDiff, LayerDiff, Side};
use crate::compare::{ComparisonVerdict, Item};

/// How many files of a layer are shown: more, nobody reads, and a browser would not bear all
/// that a hostile layer can hold.
const SHOWN: usize = 2_000;

const STYLE: &str = include_str!("report.css");

/// Text, with what HTML would take for markup escaped.
struct Escaped<'t>(&'t str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|letter| match letter {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            _ => f.write_char(letter),
        })
    }
}

fn e(text: &str) -> Escaped<'_> {
    Escaped(text)
}

impl Diff {
    /// The outcome as a page.
    pub fn html(&self) -> String {
        let mut page = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut page);
        page
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let verdict = match self.verdict() {
            ComparisonVerdict::Same => "The two images are the same",
            ComparisonVerdict::Recompressed => {
                "The two images have the same content, compressed differently"
            }
            _ => "The two images are not the same",
        };
        write!(
            out,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>{verdict}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
             <h1 class=\"{}\">{verdict}</h1>\n",
            class(self.verdict())
        )?;
        out.push_str("<table>\n<tr><th></th><th>image</th><th>manifest</th><th>config</th></tr>\n");
        for (letter, side) in [("A", &self.a), ("B", &self.b)] {
            self.side(out, letter, side)?;
        }
        out.push_str("</table>\n<h2>Parts</h2>\n<table>\n<tr><th>part</th><th>verdict</th><th>A</th><th>B</th></tr>\n");
        for (at, item) in self.comparison.items.iter().enumerate() {
            part(out, item, self.layers.get(at))?;
        }
        out.push_str("</table>\n");
        for layer in self.layers.iter().filter(|layer| layer.has_details()) {
            self::layer(out, layer)?;
        }
        for document in &self.documents {
            self::document(out, document)?;
        }
        out.push_str("</body>\n</html>\n");
        Ok(())
    }

    fn side(&self, out: &mut String, letter: &str, side: &Side) -> fmt::Result {
        let manifest = side.manifest.map(|digest| digest.to_string());
        writeln!(
            out,
            "<tr><th>{letter}</th><td>{}</td><td><code>{}</code></td><td><code>{}</code></td></tr>",
            e(&side.name),
            manifest.as_deref().unwrap_or("none in this format"),
            side.config,
        )
    }
}

fn class(verdict: ComparisonVerdict) -> &'static str {
    match verdict {
        ComparisonVerdict::Same => "same",
        ComparisonVerdict::Recompressed => "recompressed",
        ComparisonVerdict::Absent => "absent",
        ComparisonVerdict::Different => "different",
    }
}

fn part(out: &mut String, item: &Item, layer: Option<&LayerDiff>) -> fmt::Result {
    let verdict = match layer {
        Some(layer) => layer.verdict(),
        None => words(item.verdict, item.expected.is_some()).to_owned(),
    };
    let name = match layer {
        Some(layer) if layer.has_details() => {
            format!("layer <a href=\"#layer-{0}\">{0}</a>", e(&item.name))
        }
        Some(_) => format!("layer {}", e(&item.name)),
        None => e(&item.name).to_string(),
    };
    let digest = |side: &Option<String>| side.clone().unwrap_or_else(|| "absent".to_owned());
    let (a, b) = (digest(&item.expected), digest(&item.got));
    let class = class(item.verdict);
    write!(
        out,
        "<tr><td>{name}</td><td class=\"{class}\">{verdict}</td>"
    )?;
    match a == b {
        true => writeln!(out, "<td colspan=\"2\"><code>{a}</code></td></tr>"),
        false => writeln!(
            out,
            "<td><code>{a}</code></td><td><code>{b}</code></td></tr>"
        ),
    }
}

fn layer(out: &mut String, layer: &LayerDiff) -> fmt::Result {
    let name = e(&layer.name);
    writeln!(
        out,
        "<h2 id=\"layer-{name}\">Layer {name}: {}</h2>",
        layer.verdict()
    )?;
    for shown in layer.files.iter().take(SHOWN) {
        file(out, shown)?;
    }
    if layer.files.len() > SHOWN {
        let rest = layer.files.len() - SHOWN;
        writeln!(
            out,
            "<p>And {rest} more; <code>--json</code> lists all.</p>"
        )?;
    }
    if layer.more > 0 {
        writeln!(
            out,
            "<p>And {} more that differ, which are not described.</p>",
            layer.more
        )?;
    }
    if let Some(place) = &layer.archive {
        out.push_str("<p>The archives differ only in order, padding or encoding.</p>\n");
        dumps(out, place)?;
    }
    Ok(())
}

fn file(out: &mut String, file: &FileDiff) -> fmt::Result {
    let class = class(file.verdict);
    let words = words(file.verdict, file.in_a());
    let path = e(&file.path);
    if file.verdict == ComparisonVerdict::Absent {
        let what = file.described();
        return writeln!(
            out,
            "<p class=\"file\"><code>{path}</code> <span class=\"{class}\">{words}</span> <small>{}</small></p>",
            e(&what)
        );
    }
    writeln!(
        out,
        "<details open>\n<summary><code>{path}</code> <span class=\"{class}\">{words}</span></summary>"
    )?;
    if !file.aspects.is_empty() {
        out.push_str("<table>\n<tr><th></th><th>A</th><th>B</th></tr>\n");
        for Aspect { what, a, b } in &file.aspects {
            row(out, what, a.as_deref(), b.as_deref())?;
        }
        out.push_str("</table>\n");
    }
    if let Some(content) = &file.content {
        self::content(out, content)?;
    }
    out.push_str("</details>\n");
    Ok(())
}

fn row(out: &mut String, name: &str, a: Option<&str>, b: Option<&str>) -> fmt::Result {
    let cell = |side: Option<&str>| match side {
        Some(text) => format!("<td><code>{}</code></td>", e(text)),
        None => "<td class=\"absent\">absent</td>".to_owned(),
    };
    writeln!(out, "<tr><th>{}</th>{}{}</tr>", e(name), cell(a), cell(b))
}

fn content(out: &mut String, content: &Content) -> fmt::Result {
    dumps(out, &content.first)?;
    if !content.sections.is_empty() {
        out.push_str("<table>\n<tr><th>section</th><th>verdict</th></tr>\n");
        for section in &content.sections {
            let class = class(section.verdict);
            let (name, words) = (e(&section.name), section.words());
            writeln!(
                out,
                "<tr><td><code>{name}</code></td><td class=\"{class}\">{words}</td></tr>"
            )?;
        }
        out.push_str("</table>\n");
    }
    match &content.note {
        Some(note) => writeln!(out, "<p>{}</p>", e(note)),
        None => Ok(()),
    }
}

fn dumps(out: &mut String, place: &FirstDifference) -> fmt::Result {
    let offset = place.offset;
    writeln!(
        out,
        "<p>The first different byte is {offset:#x} ({offset}).</p>\n<div class=\"dumps\">"
    )?;
    let [a, b] = place.rows();
    for (letter, rows) in [("A", a), ("B", b)] {
        writeln!(out, "<figure><figcaption>{letter}</figcaption><pre>")?;
        for row in &rows {
            dump(out, row)?;
        }
        out.push_str("</pre></figure>\n");
    }
    out.push_str("</div>\n");
    Ok(())
}

/// A row of a dump, the bytes that differ marked.
fn dump(out: &mut String, row: &Row) -> fmt::Result {
    write!(out, "{:08x} ", row.at)?;
    for (byte, differs) in &row.bytes {
        match differs {
            true => write!(out, " <mark>{byte:02x}</mark>")?,
            false => write!(out, " {byte:02x}")?,
        }
    }
    let missing = super::content::ROW as usize - row.bytes.len();
    write!(out, "{:width$}  ", "", width = 3 * missing)?;
    for (byte, differs) in &row.bytes {
        let letter = printable(*byte).to_string();
        match differs {
            true => write!(out, "<mark>{}</mark>", e(&letter))?,
            false => write!(out, "{}", e(&letter))?,
        }
    }
    out.push('\n');
    Ok(())
}

fn document(out: &mut String, document: &DocumentDiff) -> fmt::Result {
    writeln!(out, "<h2>The {}</h2>", document.name)?;
    if !document.values.is_empty() {
        out.push_str("<table>\n<tr><th>value</th><th>A</th><th>B</th></tr>\n");
        for value in document.values.iter().take(SHOWN) {
            row(out, &value.at, value.a.as_deref(), value.b.as_deref())?;
        }
        out.push_str("</table>\n");
    }
    match document.rest() {
        Some(rest) => writeln!(out, "<p>Besides that: {rest}.</p>"),
        None => Ok(()),
    }
}
