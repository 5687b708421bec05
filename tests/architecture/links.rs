//! Links in the documents lead somewhere: to a file that is there, and to a heading of it.
//!
//! Only links in the text are read, written as `[words](address)`; what stands in code is not. An address with a scheme
//! leaves the project and is not looked up.

use std::fs;
use std::path::{Path, PathBuf};

use super::root;

/// The documents of the project. What is hidden or built is no part of it.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    found
}

/// The lines of a document that are not in a fenced block.
fn lines(document: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    document.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The addresses that the text of a document links to.
fn addresses(document: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in lines(document) {
        let (mut rest, mut in_code) = (line, false);
        while let Some(at) = rest.find(['`', ']']) {
            let (sign, behind) = rest[at..].split_at(1);
            rest = behind;
            if sign == "`" {
                in_code = !in_code;
            } else if let Some((address, _)) = rest.strip_prefix('(').and_then(|link| link.split_once(')'))
                && !in_code
            {
                found.push(address);
            }
        }
    }
    found
}

/// Whether a document has a heading that is addressed like this: in lower case, a hyphen for each space, and of other
/// characters only `-` and `_`.
fn has_heading(document: &str, anchor: &str) -> bool {
    lines(document).filter(|line| line.starts_with('#')).any(|line| {
        let heading = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).eq(anchor.chars())
    })
}

/// Whether an address within the project leads somewhere from a document.
fn leads_somewhere(path: &Path, document: &str, address: &str) -> bool {
    let (file, anchor) = address.split_once('#').unwrap_or((address, ""));
    let target = path.parent().unwrap().join(file);
    let other = match file {
        "" => document.to_owned(),
        _ if !target.exists() => return false,
        _ if anchor.is_empty() => return true,
        _ => fs::read_to_string(&target).unwrap_or_default(),
    };
    has_heading(&other, anchor)
}

#[test]
fn every_link_within_the_documents_leads_to_a_file_and_a_heading() {
    let mut read = 0;
    let mut broken = Vec::new();
    for path in documents() {
        let document = fs::read_to_string(&path).unwrap();
        let inside = |address: &&str| !address.contains("://") && !address.starts_with("mailto:");
        for address in addresses(&document).into_iter().filter(inside) {
            read += 1;
            if !leads_somewhere(&path, &document, address) {
                broken.push(format!("{}: {address}", path.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(read > 40, "the documents are read: {read} links");
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn a_link_is_found_in_text_and_not_in_code() {
    let document = "See [one](a.md), [`two`](b.rs#x) and `[no](c.md)`.
```
[no](d.md)
# no
```
- [three](#the-end)
## The `end`!";
    assert_eq!(addresses(document), ["a.md", "b.rs#x", "#the-end"]);
    let guide = root().join("README.md");
    let leads = |address: &str| leads_somewhere(&guide, document, address);
    assert!(leads("CONTRIBUTING.md") && leads("docs") && leads("#the-end") && leads("CONTRIBUTING.md#adding-a-job"));
    assert!(!leads("none.md") && !leads("#no") && !leads("CONTRIBUTING.md#none") && !leads("none.md#the-end"));
}
