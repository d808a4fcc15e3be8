//! Which file of a crate uses which: read from every path in every file, not only from `use`
//! lines. No file may use one that uses it in turn, and none one of a module further along
//! the pipeline.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use source::{File, Name, read, uses};

/// Files that use each other, directly or by way of others, one circle a line.
fn circles(uses: &BTreeMap<Name, BTreeSet<Name>>) -> Vec<String> {
    let reach = |from: &Name| {
        let mut seen: BTreeSet<&Name> = BTreeSet::new();
        let mut open: Vec<&Name> = uses[from].iter().collect();
        while let Some(next) = open.pop() {
            if seen.insert(next) {
                open.extend(&uses[next]);
            }
        }
        seen
    };
    let reached: BTreeMap<&Name, BTreeSet<&Name>> =
        uses.keys().map(|from| (from, reach(from))).collect();
    let mut told = BTreeSet::new();
    let mut lines = Vec::new();
    for (from, to) in &reached {
        let circle: Vec<&Name> = to
            .iter()
            .copied()
            .filter(|other| reached[*other].contains(*from))
            .collect();
        if !circle.is_empty() && told.insert(circle.clone()) {
            let inside: BTreeSet<&Name> = circle.iter().copied().collect();
            let arrows: Vec<String> = circle
                .iter()
                .flat_map(|from| {
                    uses[*from]
                        .iter()
                        .filter(|to| inside.contains(to))
                        .map(|to| arrow(from, to))
                })
                .collect();
            lines.push(arrows.join(", "));
        }
    }
    lines
}

fn arrow(from: &[String], to: &[String]) -> String {
    let name = |module: &[String]| {
        if module.is_empty() {
            "lib".to_owned()
        } else {
            module.join("::")
        }
    };
    format!("{} → {}", name(from), name(to))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

#[test]
fn no_file_uses_one_that_uses_it() {
    for folder in ["src", "torrc/src", "xtask/src", "testnet/src"] {
        let files = read(&root().join(folder));
        assert!(files.len() > 1, "{folder} has no files");
        let circles = circles(&uses(&files));
        assert!(
            circles.is_empty(),
            "circles in {folder}:\n{}",
            circles.join("\n")
        );
    }
}

#[test]
fn no_module_uses_one_further_along() {
    // src/lib.rs names them in the order of the pipeline.
    let lib = fs_err::read_to_string(root().join("src/lib.rs")).unwrap();
    let order: Vec<&str> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    assert!(order.starts_with(&["base"]), "{order:?}");
    let files = read(&root().join("src"));
    let rank = |module: &Name| {
        let first = module.first()?;
        order.iter().position(|known| known == first)
    };
    let mut offences = Vec::new();
    for (from, targets) in uses(&files) {
        for to in targets {
            if let (Some(here), Some(there)) = (rank(&from), rank(&to))
                && here < there
            {
                offences.push(arrow(&from, &to));
            }
        }
    }
    assert!(
        offences.is_empty(),
        "arrows that run upwards:\n{}",
        offences.join("\n")
    );
}

/// Every way to write a path is read, and only what is compiled for the tool.
#[test]
fn every_form_of_a_path_is_read() {
    let one = |text: &str| {
        let module = vec!["a".to_owned(), "b".to_owned()];
        let file = File::new(&module, text.parse().unwrap());
        let paths: Vec<String> = file.paths.iter().map(|path| path.join("::")).collect();
        paths.join(" ")
    };
    for (text, expected) in [
        ("use crate::x::Y;", "x::Y"),
        ("use crate::{x::Y, z::{self, W as V}};", "x::Y z z::W"),
        ("use crate::x::*;", "x"),
        ("use super::c::D;", "a::c::D"),
        ("use super::super::x;", "x"),
        ("use self::c::D;", "a::b::c::D"),
        ("mod c; use c::D;", "a::b::c::D"),
        ("mod c; fn f() { c::g() }", "a::b::c::g"),
        (
            "fn f(x: &crate::x::Y) -> super::c::D { crate::z::W::new() }",
            "a::c::D x::Y z::W::new",
        ),
        ("fn f() { let x = <crate::x::Y as T>::z(); }", "x::Y"),
        ("fn f() { vec![crate::x::y(1)] }", "x::y"),
        (
            "#[derive(A)] struct S { #[serde(with = \"x\")] f: Option<crate::x::Y> }",
            "x::Y",
        ),
        (
            "mod c { use super::D; use super::super::e::F; }",
            "a::b::D a::e::F",
        ),
        ("use std::x::Y; fn f() { other::g() }", ""),
        (
            "#[cfg(test)] mod tests { use crate::x::Y; } use crate::z::W;",
            "z::W",
        ),
        (
            "#[cfg(test)] use crate::x::Y; fn f() { crate::z::w() }",
            "z::w",
        ),
        ("// use crate::x::Y\nfn f() { \"crate::x::Y\"; }", ""),
    ] {
        assert_eq!(one(text), expected, "{text}");
    }
}

/// A circle through three files and an export is found.
#[test]
fn a_circle_is_found() {
    let file = |module: &str, text: &str| {
        let module: Name = module.split_whitespace().map(str::to_owned).collect();
        (module.clone(), File::new(&module, text.parse().unwrap()))
    };
    let lib = file("", "pub mod a; pub mod b;");
    let a = file("a", "mod c; pub use c::Thing;");
    let inner = |text| file("a c", text);
    let b = |text| file("b", text);
    let circle = |files: [(Name, File); 4]| circles(&uses(&files.into()));
    assert_eq!(
        circle([
            lib,
            a,
            inner("use crate::b::Other; pub struct Thing;"),
            b("use crate::a::Thing;")
        ]),
        ["a::c → b, b → a::c"]
    );
    // To declare a module and to pass on what has its name is not to use it.
    let none: Vec<String> = circle([
        file("", "pub mod a; pub mod b;"),
        file("a", "mod c; pub use c::c; pub struct Thing;"),
        inner("use super::Thing; pub fn c(_: Thing) {}"),
        b(""),
    ]);
    assert_eq!(none, Vec::<String>::new());
    let (lib, a) = (
        file("", "pub mod a; pub mod b;"),
        file("a", "mod c; pub use c::Thing;"),
    );
    let none: Vec<String> = circle([
        lib,
        a,
        inner("pub struct Thing;"),
        b("use crate::a::Thing;"),
    ]);
    assert_eq!(none, Vec::<String>::new());
}
