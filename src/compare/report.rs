//! A comparison for people, on one screen, and for machines, as JSON.

use std::fmt::Write;

use serde::{Serialize, Serializer};

use super::{Comparison, ComparisonVerdict, Item, Stage};

/// How many differences are listed after the first.
const LISTED: usize = 10;

impl Item {
    /// What it is: `file lib/libevent.a of component libevent`.
    pub fn subject(&self) -> String {
        let Self {
            stage, name, of, ..
        } = self;
        let of = of.as_deref().unwrap_or_default();
        match stage {
            Stage::Setting => format!("setting `{name}`"),
            Stage::Source => format!("source `{name}`"),
            Stage::Toolchain => format!("toolchain `{name}`"),
            Stage::Component => format!("component `{name}`"),
            Stage::File => format!("component `{of}`, file `{name}`"),
            Stage::Layer => format!("image `{of}`, layer `{name}`"),
            Stage::Config | Stage::Manifest => format!("image `{of}`, {name}"),
        }
    }

    /// The verdict in words; `expected` and `got` are what the two sides are called.
    fn words(&self, expected: &str, got: &str) -> String {
        match self.verdict {
            ComparisonVerdict::Same => "same".to_owned(),
            ComparisonVerdict::Recompressed => "same content, compressed differently".to_owned(),
            ComparisonVerdict::Different => "different".to_owned(),
            ComparisonVerdict::Absent if self.expected.is_none() => {
                format!("absent from {expected}")
            }
            ComparisonVerdict::Absent => format!("absent from {got}"),
        }
    }
}

impl Comparison {
    /// The outcome as text of at most some twenty lines: how many of each kind are the same, the
    /// first difference with both sides, and what differs after it. `expected` and `got` are
    /// what the two sides are called: `the record`, `this build`.
    pub fn text(&self, expected: &str, got: &str) -> String {
        let mut out = String::new();
        for (name, stages) in [
            ("settings", &[Stage::Setting][..]),
            ("sources", &[Stage::Source]),
            ("toolchain", &[Stage::Toolchain]),
            ("components", &[Stage::Component]),
            (
                "image parts",
                &[Stage::Layer, Stage::Config, Stage::Manifest],
            ),
        ] {
            let counts = self.counts(stages);
            if !counts.is_empty() {
                line(&mut out, format_args!("{name:<12} {counts}"));
            }
        }
        let mut differences = self.differences();
        let Some(first) = differences.next() else {
            return out;
        };
        let words = first.words(expected, got);
        line(
            &mut out,
            format_args!("first difference: {}: {words}", first.subject()),
        );
        let width = expected.len().max(got.len());
        for (side, value) in [(expected, &first.expected), (got, &first.got)] {
            let value = value.as_deref().unwrap_or("absent");
            line(&mut out, format_args!("  {side:<width$}  {value}"));
        }
        let rest: Vec<&Item> = differences.collect();
        if !rest.is_empty() {
            line(&mut out, format_args!("after it, perhaps because of it:"));
        }
        for item in rest.iter().take(LISTED) {
            let words = item.words(expected, got);
            line(&mut out, format_args!("  {}: {words}", item.subject()));
        }
        if rest.len() > LISTED {
            line(
                &mut out,
                format_args!("  and {} more (`--json` lists all)", rest.len() - LISTED),
            );
        }
        out
    }

    /// `3 same, 1 different`.
    fn counts(&self, stages: &[Stage]) -> String {
        let words = [
            (ComparisonVerdict::Same, "same"),
            (ComparisonVerdict::Recompressed, "compressed differently"),
            (ComparisonVerdict::Different, "different"),
            (ComparisonVerdict::Absent, "absent on one side"),
        ];
        let of_stage = self
            .items
            .iter()
            .filter(|item| stages.contains(&item.stage));
        let verdicts: Vec<_> = of_stage.map(|item| item.verdict).collect();
        let counts = words.into_iter().filter_map(|(verdict, word)| {
            let count = verdicts.iter().filter(|&&found| found == verdict).count();
            (count > 0).then(|| format!("{count} {word}"))
        });
        counts.collect::<Vec<_>>().join(", ")
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}

/// `verdict`, `first` (the earliest difference or null) and `items`.
impl Serialize for Comparison {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Report<'a> {
            verdict: ComparisonVerdict,
            first: Option<&'a Item>,
            items: &'a [Item],
        }
        let report = Report {
            verdict: self.verdict(),
            first: self.differences().next(),
            items: &self.items,
        };
        report.serialize(serializer)
    }
}
