//! No two files import each other, directly or over others.

use std::collections::BTreeSet;

use crate::circles::{Circle, Imports};
use crate::{root, sources};

/// The `src` folders that are one crate each.
pub const CRATES: [&str; 7] = [
    "crates/db/src",
    "crates/domain/src",
    "crates/lab/src",
    "crates/providers/src",
    "crates/queue/src",
    "jobs/src",
    "src",
];

/// What a crate's files import from each other. Its `main.rs`, if it has one, is another crate.
pub fn imports(folder: &str) -> Imports {
    let top = root().join(folder);
    let sources: Vec<(String, String)> = sources(folder)
        .into_iter()
        .filter_map(|path| {
            let name = path.strip_prefix(&top).ok()?.to_str()?.to_owned();
            (name != "main.rs").then(|| (name, std::fs::read_to_string(&path).unwrap()))
        })
        .collect();
    Imports::of(&sources)
}

fn described(folder: &str, circle: &Circle) -> String {
    let mut text = format!("{folder}: {:?}\n", circle.files);
    for (file, items, next) in &circle.shortest {
        text += &format!("    {file} -> {next}: {}\n", items.join(", "));
    }
    text
}

#[test]
fn no_files_import_each_other() {
    let circles: String =
        CRATES.iter().flat_map(|folder| imports(folder).circles().into_iter().map(|c| described(folder, &c))).collect();
    assert!(circles.is_empty(), "circles of imports:\n{circles}");
}

fn tree(files: &[(&str, &str)]) -> Imports {
    let files: Vec<(String, String)> =
        files.iter().map(|(name, source)| ((*name).to_owned(), (*source).to_owned())).collect();
    Imports::of(&files)
}

/// Every import as `file -> other: items`.
fn all(files: &[(&str, &str)]) -> Vec<String> {
    let imports = tree(files);
    let line = |(file, other, items): (&str, &str, &BTreeSet<String>)| {
        format!("{file} -> {other}: {}", items.iter().cloned().collect::<Vec<_>>().join(" "))
    };
    imports.all().map(line).collect()
}

#[test]
fn an_import_leads_to_the_file_that_defines_the_item() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; pub use b::{Thing, inner::Deep as Renamed};"),
        ("a.rs", "use crate::{Thing, Renamed}; use crate::b::Thing as Other; use std::fmt::Debug;"),
        ("b/mod.rs", "pub mod inner; pub struct Thing;"),
        ("b/inner.rs", "pub struct Deep;"),
        ("c.rs", "use crate::b::*; fn f(_: Thing) -> inner::Deep { super::b::inner::Deep }"),
    ];
    let expected =
        ["a.rs -> b/inner.rs: Deep", "a.rs -> b/mod.rs: Thing", "c.rs -> b/inner.rs: Deep", "c.rs -> b/mod.rs: Thing"];
    assert_eq!(all(&files), expected);
}

#[test]
fn a_path_within_code_macros_and_attributes_is_an_import() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::b; fn f() { if true { b::go(); } }"),
        ("b.rs", "pub fn go() {} pub struct B; macro_rules! kinds { ($x:ident) => { pub struct $x; } } kinds!(Made);"),
        ("c.rs", "fn f(x: X) { println!(\"{} {}\", x.b, [crate::b::go()]); }"),
        ("d.rs", "use crate::b::Made; #[schema(value_type = crate::b::B)] struct D { b: u8 }"),
    ];
    assert_eq!(all(&files), ["a.rs -> b.rs: go", "c.rs -> b.rs: go", "d.rs -> b.rs: B Made"]);
}

#[test]
fn a_path_behind_a_range_is_an_import_and_a_field_is_none() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "fn f(x: u8) -> bool { matches!(x, 0..crate::b::MAX) }"),
        ("b.rs", "pub const MAX: u8 = 1; pub fn go() {}"),
        ("c.rs", "fn f(x: u8) -> bool { matches!(x, crate::b::MAX..=crate::b::MAX) || matches!(x, ..=crate::b::MAX) }"),
        ("d.rs", "use crate::b::MAX; fn f(x: X) { vec![x.go, x.b::<u8>()] }"),
    ];
    assert_eq!(all(&files), ["a.rs -> b.rs: MAX", "c.rs -> b.rs: MAX", "d.rs -> b.rs: MAX"]);
}

#[test]
fn an_import_within_a_function_is_followed_and_ends_with_its_block() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "fn f() { use crate::b; if true { b::go(); } }"),
        ("b.rs", "pub mod inner { pub fn deep() {} } pub fn go() {}"),
        ("c.rs", "fn f() { { use crate::b::{self as other, inner}; vec![other::go(), inner::deep()]; } b::go() }"),
        ("d.rs", "fn f() { { use crate::b; } b::go() } fn g() { use b::go; }"),
    ];
    assert_eq!(all(&files), ["a.rs -> b.rs: go", "c.rs -> b.rs: deep go"]);
}

#[test]
fn modules_re_exports_and_tests_are_no_imports() {
    let files = [
        ("lib.rs", "mod a; mod b; #[cfg(test)] mod far; pub use a::A; pub(crate) use b::go;"),
        ("a.rs", "use crate::b; pub struct A; #[cfg(test)] mod tests { use crate::b::go; use super::*; }"),
        ("b.rs", "use crate::A; pub fn go() {} #[cfg(test)] fn f() { crate::far::f() }"),
        ("far.rs", "use crate::A; pub fn f() {}"),
    ];
    assert_eq!(all(&files), ["b.rs -> a.rs: A"]);
}

#[test]
fn a_function_and_a_module_of_one_name_are_told_apart() {
    let files = [
        ("lib.rs", "pub mod a; mod b; mod c;"),
        ("a/mod.rs", "mod explain; pub use explain::explain;"),
        ("a/explain.rs", "pub fn explain() {} pub fn error() {}"),
        ("b.rs", "use crate::a::explain; fn f() { explain() }"),
        ("c.rs", "use crate::a; fn f() { a::explain() }"),
    ];
    assert_eq!(all(&files), ["b.rs -> a/explain.rs: explain", "c.rs -> a/explain.rs: explain"]);
}

#[test]
fn a_circle_is_reported_with_its_shortest_way() {
    let imports = tree(&[
        ("lib.rs", "mod a; mod b; mod c; mod d; mod e;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "use crate::c::C; pub struct B;"),
        ("c.rs", "use crate::a::A; use crate::d::D; pub struct C;"),
        ("d.rs", "fn f() { crate::c::C } pub struct D;"),
        ("e.rs", "use crate::a::A;"),
    ]);
    let circles = imports.circles();
    let [circle] = circles.as_slice() else { panic!("one circle, not {}", circles.len()) };
    assert_eq!(circle.files, ["a.rs", "b.rs", "c.rs", "d.rs"]);
    let step = |file: &str, item: &str, next: &str| (file.to_owned(), vec![item.to_owned()], next.to_owned());
    assert_eq!(circle.shortest, [step("c.rs", "D", "d.rs"), step("d.rs", "C", "c.rs")]);
}

#[test]
fn a_parent_that_calls_a_child_which_uses_its_type_is_a_circle() {
    let imports = tree(&[
        ("lib.rs", "mod area;"),
        ("area/mod.rs", "mod child; pub struct Row; pub fn read() { child::load() }"),
        ("area/child.rs", "use super::Row; pub fn load() -> Row { Row }"),
    ]);
    let files: Vec<_> = imports.circles().into_iter().map(|circle| circle.files).collect();
    assert_eq!(files, [["area/child.rs", "area/mod.rs"]]);
}
