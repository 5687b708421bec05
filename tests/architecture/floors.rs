//! The crate of the queue is built in floors, and each uses only those below it.

use std::collections::BTreeSet;

use crate::imports::imports;
use crate::text;

/// The floors of `crates/queue/src` from the lowest up, each with the floors that it may use. `walk` lies above all of
/// them and is compiled into tests only, so none of them can use it.
const QUEUE: [(&str, &[&str]); 7] = [
    ("job", &[]),
    ("store", &["job"]),
    ("handlers", &["job", "store"]),
    ("leases", &["job", "store", "handlers"]),
    ("runtime", &["job", "store", "handlers", "leases"]),
    ("admin", &["job", "store", "handlers"]),
    ("schedule", &["job", "store"]),
];

fn floor(file: &str) -> &str {
    file.split_once('/').map_or("", |(folder, _)| folder)
}

#[test]
fn the_floors_of_the_queue_use_only_lower_ones() {
    let imports = imports("crates/queue/src");
    let mut seen = BTreeSet::new();
    for (file, other, items) in imports.all() {
        let (above, below) = (floor(file), floor(other));
        let known = QUEUE.iter().find(|(name, _)| *name == above);
        let (_, may) = known.unwrap_or_else(|| panic!("{file} lies on no floor; lib.rs only names what is public"));
        seen.insert(above);
        assert!(above == below || may.contains(&below), "{file} uses {items:?} of {other}");
    }
    let top = text("crates/queue/src/lib.rs");
    assert!(top.contains("#[cfg(test)]\nmod walk;\n"), "the walk is compiled into tests only");
    assert_eq!(seen.len(), QUEUE.len(), "every floor is there: {seen:?}");
}
