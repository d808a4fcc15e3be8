//! What can be wrong with the manifest as a whole, each table being right by itself.

use std::cmp::Ordering;
use std::collections::HashMap;

use toml::Spanned;

use super::{Check, Entry, Source};
use crate::pins::Twin;

impl Check<'_> {
    pub(super) fn order(&mut self, tables: &[Spanned<Entry>]) {
        for pair in tables.windows(2) {
            let (before, after) = (pair[0].get_ref(), pair[1].get_ref());
            let names = (describe(before), describe(after));
            match compare(before, after) {
                Ordering::Less => {}
                Ordering::Equal => self.refuse(
                    after.name.span(),
                    format!("{} is pinned twice", names.1),
                    "leave one of them out",
                ),
                Ordering::Greater => self.refuse(
                    after.name.span(),
                    format!("{} stands after {}", names.1, names.0),
                    "sort the sources by name, version and machine",
                ),
            }
        }
    }

    /// The same digest twice is a pin that was copied and not filled in.
    pub(super) fn duplicates(&mut self, tables: &[Spanned<Entry>]) {
        let mut seen: HashMap<&str, &Entry> = HashMap::new();
        for entry in tables.iter().map(Spanned::get_ref) {
            for hex in entry.sha256.iter().chain(&entry.sha512) {
                if let Some(first) = seen.insert(hex.get_ref(), entry) {
                    self.refuse(
                        hex.span(),
                        format!("{} has this digest, too", describe(first)),
                        "write the digest of this file",
                    );
                }
            }
        }
    }

    /// A twin is pinned, from another publisher, in the same version for the same machine.
    pub(super) fn twins(&mut self, tables: &[Spanned<Entry>], sources: &mut [Source]) {
        for (at, table) in tables.iter().enumerate() {
            let (Some(named), own) = (&table.get_ref().twin, &sources[at]) else {
                continue;
            };
            let twin = sources.iter().find(|other| {
                (&other.name, &other.version, &other.machine)
                    == (named.get_ref(), &own.version, &own.machine)
            });
            let publishers = twin.map(|twin| [own.published_as(), twin.published_as()]);
            match publishers {
                Some([own, other]) if own != other => {
                    let twin = Twin {
                        name: named.get_ref().clone(),
                        publishers: [own.to_owned(), other.to_owned()],
                    };
                    sources[at].evidence.twin = Some(twin);
                }
                Some(_) => self.refuse(
                    named.span(),
                    format!("`{}` is of the same publisher", named.get_ref()),
                    "name a pin of somebody else's, or leave it out",
                ),
                None => self.refuse(
                    named.span(),
                    format!("`{}` is not pinned in this version", named.get_ref()),
                    "pin it in the same version, and for the same machine",
                ),
            }
        }
    }

    /// Of several versions exactly one is the default; a single one needs no mark.
    pub(super) fn defaults(&mut self, tables: &[Spanned<Entry>]) {
        let entries = || tables.iter().map(Spanned::get_ref);
        for entry in entries() {
            let siblings =
                || entries().filter(|other| other.name.get_ref() == entry.name.get_ref());
            let several =
                siblings().any(|other| other.version.get_ref() != entry.version.get_ref());
            let marked = siblings().find(|other| other.default.is_some());
            match (&entry.default, several) {
                (Some(mark), _) if !mark.get_ref() => self.refuse(
                    mark.span(),
                    "`default = false` says nothing",
                    "leave it out",
                ),
                (Some(mark), false) => self.refuse(
                    mark.span(),
                    format!("{} is the only version", describe(entry)),
                    "leave `default` out",
                ),
                (Some(mark), true) => {
                    if let Some(first) = marked
                        && first.version.get_ref() != entry.version.get_ref()
                    {
                        self.refuse(
                            mark.span(),
                            format!("{} is the default already", describe(first)),
                            "mark one version only",
                        );
                    }
                }
                (None, true) => match marked {
                    None => self.refuse(
                        entry.name.span(),
                        format!("no version of {} is the default", entry.name.get_ref()),
                        "mark one with `default = true`",
                    ),
                    Some(first) if first.version.get_ref() == entry.version.get_ref() => self
                        .refuse(
                            entry.name.span(),
                            format!("{} is the default, but not here", describe(first)),
                            "mark it for all machines with `default = true`",
                        ),
                    Some(_) => {}
                },
                (None, false) => {}
            }
        }
    }
}

fn describe(entry: &Entry) -> String {
    let machine = entry.machine.as_ref().map(Spanned::get_ref);
    let machine = machine.map(|machine| format!(" for {machine}"));
    let (name, version) = (entry.name.get_ref(), entry.version.get_ref());
    format!("{name} {version}{}", machine.unwrap_or_default())
}

fn compare(a: &Entry, b: &Entry) -> Ordering {
    let machine = |entry: &Entry| entry.machine.as_ref().map(|m| m.get_ref().clone());
    let by_name = a.name.get_ref().cmp(b.name.get_ref());
    by_name
        .then_with(|| by_version(a.version.get_ref(), b.version.get_ref()))
        .then_with(|| machine(a).cmp(&machine(b)))
}

/// Runs of digits compare as numbers, so that 0.4.9.9 comes before 0.4.9.11.
pub(in super::super) fn by_version(a: &str, b: &str) -> Ordering {
    let key = |version: &str| -> Vec<(Option<u64>, String)> {
        let parts = version.split(['.', '-', '+', '~', '_']);
        parts
            .map(|part| (part.parse().ok(), part.to_owned()))
            .collect()
    };
    key(a).cmp(&key(b)).then_with(|| a.cmp(b))
}
