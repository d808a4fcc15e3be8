//! What a key covers, as text.

use std::fmt;
use std::io;
use std::path::Path;

use crate::base::digest::Digest;
use crate::build::recipe::{self, Recipe, StepId};
use crate::pins::Source;

/// Goes up when the meaning of a key changes other than through its text.
const KEY_FORMAT: u32 = 1;

/// The text that a key is the digest of: one fact a line, `name: value`, where what
/// spans several lines goes in as its digest.
pub(super) struct Covers {
    /// The text.
    pub(super) text: String,
}

impl Covers {
    pub(super) fn new(step: StepId, environment: &[(&'static str, String)]) -> Self {
        let mut covers = Self {
            text: String::new(),
        };
        covers.line("format", &KEY_FORMAT.to_string());
        covers.line("step", step.as_str());
        for (name, value) in environment {
            covers.line(name, value);
        }
        covers
    }

    pub(super) fn source(&mut self, source: &Source) {
        self.line(
            "source",
            &format!("{} {} {}", source.name, source.version, source.digest),
        );
        for path in source.evidence.tag.iter().flat_map(|tag| &tag.generated) {
            self.line("left out", path);
        }
    }

    /// What a recipe works with: its source, patched, its files and its script.
    pub(super) fn recipe(
        &mut self,
        recipe: &Recipe,
        source: Option<&Source>,
        project: &Path,
    ) -> io::Result<()> {
        if let Some(source) = source {
            self.source(source);
            for patch in &source.patches {
                let path = project.join("patches").join(&source.name).join(patch);
                self.line("patch", &Digest::sha256(&fs_err::read(path)?).to_string());
            }
        }
        for (name, text) in recipe.files {
            self.line(&format!("file {name}"), text);
        }
        self.line("script", &format!("{}{}", recipe::PRELUDE, recipe.script));
        Ok(())
    }

    pub(super) fn line(&mut self, name: &str, value: &str) {
        use fmt::Write as _;
        let digest;
        let value = if value.contains('\n') {
            digest = Digest::sha256(value.as_bytes()).to_string();
            &digest
        } else {
            value
        };
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{name}: {value}");
    }
}
