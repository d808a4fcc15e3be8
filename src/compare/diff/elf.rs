//! Two programs, section by section.

use std::collections::BTreeMap;

use object::{File, Object, ObjectSection};
use serde::Serialize;

use crate::compare::ComparisonVerdict;
use crate::image::read::shown;

/// The most sections: a linker makes some thirty, and a file can claim millions.
const SECTIONS: usize = 1000;

/// The most bytes of a section's name.
const NAME: usize = 256;

/// A section that two programs do not have alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SectionDiff {
    /// Its name: `.text`.
    pub name: String,
    /// How the two compare.
    pub verdict: ComparisonVerdict,
    /// Its size in the first program.
    pub a_size: Option<u64>,
    /// Its size in the second.
    pub b_size: Option<u64>,
    /// Where in the section the first byte differs; none if only its address does.
    pub offset: Option<u64>,
}

struct Section<'d> {
    name: String,
    /// Of several with one name, which.
    number: usize,
    address: u64,
    size: u64,
    data: &'d [u8],
}

/// The sections that differ or are absent on one side, in the order of the first program.
pub(super) fn compare(a: &[u8], b: &[u8]) -> Result<Vec<SectionDiff>, String> {
    let (a, b) = (sections(a)?, sections(b)?);
    let mut differences = Vec::new();
    let in_b = by_name(&b);
    for section in &a {
        let other = in_b.get(&section.key()).copied();
        differences.extend(difference(section, other));
    }
    let in_a = by_name(&a);
    let only_b = |section: &&Section<'_>| !in_a.contains_key(&section.key());
    for section in b.iter().filter(only_b) {
        differences.push(SectionDiff {
            name: section.name.clone(),
            verdict: ComparisonVerdict::Absent,
            a_size: None,
            b_size: Some(section.size),
            offset: None,
        });
    }
    Ok(differences)
}

fn by_name<'s, 'd>(sections: &'s [Section<'d>]) -> BTreeMap<(&'s str, usize), &'s Section<'d>> {
    let all = sections.iter().map(|section| (section.key(), section));
    all.collect()
}

impl Section<'_> {
    fn key(&self) -> (&str, usize) {
        (&self.name, self.number)
    }
}

fn difference(a: &Section<'_>, b: Option<&Section<'_>>) -> Option<SectionDiff> {
    let verdict = match b {
        None => ComparisonVerdict::Absent,
        Some(b) if (a.address, a.size, a.data) == (b.address, b.size, b.data) => return None,
        Some(_) => ComparisonVerdict::Different,
    };
    let offset = b.and_then(|b| {
        let common = a.data.iter().zip(b.data).position(|(a, b)| a != b);
        let shorter = a.data.len().min(b.data.len());
        common.or((a.data.len() != b.data.len()).then_some(shorter))
    });
    Some(SectionDiff {
        name: a.name.clone(),
        verdict,
        a_size: Some(a.size),
        b_size: b.map(|b| b.size),
        offset: offset.map(|offset| offset as u64),
    })
}

fn sections(bytes: &[u8]) -> Result<Vec<Section<'_>>, String> {
    let problem = |error: object::Error| error.to_string();
    let file = File::parse(bytes).map_err(problem)?;
    let mut sections: Vec<Section<'_>> = Vec::new();
    let mut held = 0;
    for section in file.sections() {
        if sections.len() == SECTIONS {
            return Err(format!("there are more than {SECTIONS}"));
        }
        let name = section.name_bytes().map_err(problem)?;
        if name.len() > NAME {
            return Err(format!("one has a name of {} bytes", name.len()));
        }
        let name = shown(name);
        let data = section.data().map_err(problem)?;
        held += data.len();
        if held > bytes.len() {
            // To compare the same bytes a thousand times tells nothing new.
            return Err("they overlap".to_owned());
        }
        sections.push(Section {
            number: 0,
            name,
            address: section.address(),
            size: section.size(),
            data,
        });
    }
    number(&mut sections);
    Ok(sections)
}

fn number(sections: &mut [Section<'_>]) {
    let mut seen = BTreeMap::new();
    for section in sections {
        let count: &mut usize = seen.entry(section.name.clone()).or_default();
        section.number = *count;
        *count += 1;
    }
}
