//! Two configs or manifests, value by value.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value as Json;

use crate::image::read::{Document, ThirdPartyImage, shown};

/// A document that two images do not have alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocumentDiff {
    /// Which: `config`, `manifest`.
    pub name: &'static str,
    /// The values that are not the same.
    pub values: Vec<Value>,
    /// How many more differ because they are digests and sizes of other parts. If there are none
    /// of either, it is written differently only: in another order, with other spaces, or with
    /// one name twice.
    pub of_parts: usize,
}

/// A value in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Value {
    /// Where it stands: `config.Env.0`.
    pub at: String,
    /// In the first document.
    pub a: Option<String>,
    /// In the second.
    pub b: Option<String>,
}

/// The documents of two images that are not the same to the byte.
pub(super) fn compare(a: &ThirdPartyImage, b: &ThirdPartyImage) -> Vec<DocumentDiff> {
    let configs = Some((a.config(), b.config()));
    let manifests = a.manifest().zip(b.manifest());
    [("config", configs), ("manifest", manifests)]
        .into_iter()
        .filter_map(|(name, pair)| Some((name, pair?)))
        .filter(|(_, (a, b))| a.bytes != b.bytes)
        .map(|(name, (a, b))| {
            let all = values(&flat(a), &flat(b));
            let (of_parts, values): (Vec<_>, Vec<_>) = all.into_iter().partition(Value::is_of_part);
            DocumentDiff {
                name,
                values,
                of_parts: of_parts.len(),
            }
        })
        .collect()
}

impl Value {
    /// Whether it is the digest or the size of another part, which says nothing new.
    fn is_of_part(&self) -> bool {
        let both = self.a.is_some() && self.b.is_some();
        let names = match self.at.split('.').collect::<Vec<_>>()[..] {
            ["rootfs", "diff_ids", _] => true,
            ["config", what] | ["layers", _, what] => ["digest", "size"].contains(&what),
            _ => false,
        };
        both && names
    }
}

/// The values of a document by where they stand.
#[derive(Default)]
struct Flat {
    values: BTreeMap<String, String>,
    /// How many bytes of places and values there are.
    text: usize,
}

/// The most values of a document, and the most bytes of them with their places: the names of
/// all that a value stands in come before each.
const VALUES: usize = 20_000;
const TEXT: usize = 4 << 20;

impl Flat {
    fn insert(&mut self, at: String, value: String) {
        self.text += at.len() + value.len();
        self.values.insert(at, value);
    }

    fn is_full(&self) -> bool {
        self.values.len() >= VALUES || self.text >= TEXT
    }
}

fn values(a: &Flat, b: &Flat) -> Vec<Value> {
    let names: BTreeSet<&String> = a.values.keys().chain(b.values.keys()).collect();
    let value = |at: &String| Value {
        at: at.clone(),
        a: a.values.get(at).cloned(),
        b: b.values.get(at).cloned(),
    };
    let all = names.into_iter().map(value);
    let mut all: Vec<Value> = all.filter(|value| value.a != value.b).collect();
    if a.is_full() || b.is_full() {
        let side = |flat: &Flat| flat.is_full().then(|| "more than is compared".to_owned());
        all.push(Value {
            at: "(the rest)".to_owned(),
            a: side(a),
            b: side(b),
        });
    }
    all
}

/// Every value by where it stands. The readers of images have found it to be JSON.
fn flat(document: &Document) -> Flat {
    let mut all = Flat::default();
    if let Ok(json) = serde_json::from_slice(&document.bytes) {
        flatten(&json, String::new(), &mut all);
    }
    all
}

fn flatten(value: &Json, at: String, all: &mut Flat) {
    if all.is_full() {
        return;
    }
    let inner = |name: &str| match at.is_empty() {
        true => shown(name.as_bytes()),
        false => format!("{at}.{}", shown(name.as_bytes())),
    };
    match value {
        Json::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                if all.is_full() {
                    return;
                }
                flatten(value, inner(name), all);
            }
        }
        Json::Array(values) if !values.is_empty() => {
            for (number, value) in values.iter().enumerate() {
                if all.is_full() {
                    return;
                }
                flatten(value, inner(&number.to_string()), all);
            }
        }
        Json::String(text) => {
            all.insert(at, format!("\"{}\"", shown(text.as_bytes())));
        }
        other => {
            all.insert(at, other.to_string());
        }
    }
}
