//! Finds files of one crate that import each other in a circle.
//!
//! A file imports another when its code names something that the other file defines, in a `use` or in a path within the
//! code, macros and attributes included. Names are followed through `use` and `pub use`, those within a function too,
//! to the file that defines the item. `mod x;`, a `pub use` and the import of a whole module are no imports by
//! themselves, and neither is what `#[cfg(test)]` hides.
//!
//! Three ways to use another file are not seen: a method called on a value, which names no path, a path within a
//! string, such as `#[serde(with = "...")]`, and a name that comes from a `use x::*` within a function.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use crate::modules::{Path, Target, Tree, attributes, is_test, leaves, module_of};

/// Which file names what of which other file of its crate. Files are named relative to the crate's `src`.
pub struct Imports(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

/// Files that all import each other, directly or not, and one shortest way around.
pub struct Circle {
    /// Every file that is part of it, in alphabetical order.
    pub files: Vec<String>,
    /// Each step names a file, the items it imports, and the next file.
    pub shortest: Vec<(String, Vec<String>, String)>,
}

impl Imports {
    /// Reads the sources of a crate, given as names and contents.
    pub fn of(sources: &[(String, String)]) -> Self {
        let mut tree = Tree::default();
        let mut files = Vec::new();
        for (name, source) in sources {
            let file = syn::parse_file(source).unwrap_or_else(|error| panic!("{name} can't be parsed: {error}"));
            tree.declare(module_of(name), name, &file.items);
            files.push((name, file));
        }
        let mut imports = BTreeMap::new();
        for (name, file) in &files {
            if tree.is_program(&module_of(name)) {
                let mut reader = Reader::new(&tree, name);
                file.items.iter().for_each(|item| reader.visit_item(item));
                imports.insert((*name).clone(), reader.found);
            }
        }
        Self(imports)
    }

    /// Every import: the file, the file it imports from, and the items.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str, &BTreeSet<String>)> {
        self.0
            .iter()
            .flat_map(|(file, found)| found.iter().map(move |(other, items)| (file.as_str(), other.as_str(), items)))
    }

    /// The circles of the crate, each file in at most one.
    pub fn circles(&self) -> Vec<Circle> {
        let reached: BTreeMap<&str, BTreeSet<&str>> =
            self.0.keys().map(|file| (file.as_str(), self.reachable(file))).collect();
        let mut circles: Vec<Circle> = Vec::new();
        for file in self.0.keys() {
            let inside = |other: &&str| reached[other].contains(file.as_str());
            let files: Vec<String> = reached[file.as_str()].iter().copied().filter(inside).map(str::to_owned).collect();
            if files.first() == Some(file) {
                let ways = files.iter().filter_map(|start| self.way_back(start));
                let shortest = ways.min_by_key(Vec::len).unwrap_or_default();
                circles.push(Circle { files, shortest });
            }
        }
        circles
    }

    fn next<'a>(&'a self, file: &str) -> impl Iterator<Item = &'a str> {
        self.0.get(file).into_iter().flat_map(BTreeMap::keys).map(String::as_str)
    }

    fn reachable(&self, from: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut waiting: Vec<&str> = self.next(from).collect();
        while let Some(file) = waiting.pop() {
            if found.insert(file) {
                waiting.extend(self.next(file));
            }
        }
        found
    }

    /// The shortest way from a file over others back to it.
    fn way_back(&self, start: &str) -> Option<Vec<(String, Vec<String>, String)>> {
        let mut before: BTreeMap<&str, &str> = BTreeMap::new();
        let mut waiting = VecDeque::from([start]);
        while let Some(file) = waiting.pop_front() {
            for next in self.next(file) {
                if before.contains_key(next) {
                    continue;
                }
                before.insert(next, file);
                if next != start {
                    waiting.push_back(next);
                    continue;
                }
                let mut steps = Vec::new();
                let mut at = next;
                while steps.is_empty() || at != start {
                    let from = before[at];
                    let items = self.0[from][at].iter().cloned().collect();
                    steps.insert(0, (from.to_owned(), items, at.to_owned()));
                    at = from;
                }
                return Some(steps);
            }
        }
        None
    }
}

/// Goes over one file and notes what it names of others.
struct Reader<'a> {
    tree: &'a Tree,
    module: Path,
    file: &'a str,
    /// What names stand for by the `use`s of the blocks that are open, the innermost last.
    blocks: Vec<Vec<(String, Path)>>,
    found: BTreeMap<String, BTreeSet<String>>,
}

impl<'a> Reader<'a> {
    fn new(tree: &'a Tree, file: &'a str) -> Self {
        Self { tree, module: module_of(file), file, blocks: Vec::new(), found: BTreeMap::new() }
    }

    fn note(&mut self, path: &[String]) {
        let path = self.written_out(path);
        if let Some(Target::Item { file, name }) = self.tree.resolve(&self.module, &path, 0)
            && file != self.file
        {
            self.found.entry(file).or_default().insert(name);
        }
    }

    /// A path with what the `use`s of the open blocks make of its first name.
    fn written_out(&self, path: &[String]) -> Path {
        let mut path = path.to_vec();
        // A `use` may begin with the name of another one, but hardly of so many.
        for _ in 0..8 {
            let Some(first) = path.first() else { break };
            let uses = self.blocks.iter().rev().flatten();
            let Some((_, before)) =
                uses.into_iter().find(|(name, before)| name == first && before.first() != Some(first))
            else {
                break;
            };
            path.splice(..1, before.iter().cloned());
        }
        path
    }

    /// The paths among the tokens of a macro or an attribute.
    fn read(&mut self, tokens: TokenStream) {
        let mut path = Path::new();
        let mut colons = 0;
        // What follows one dot is a field or a method, what follows two is the end of a range.
        let mut dots = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.note(&std::mem::take(&mut path));
                    }
                    if dots != 1 {
                        path.push(ident.to_string());
                    }
                    (colons, dots) = (0, 0);
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.note(&std::mem::take(&mut path));
                    colons = 0;
                    let is_dot = matches!(&other, TokenTree::Punct(punct) if punct.as_char() == '.');
                    dots = if is_dot { dots + 1 } else { 0 };
                    if let TokenTree::Group(group) = other {
                        self.read(group.stream());
                    }
                }
            }
        }
        self.note(&path);
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if matches!(item.vis, syn::Visibility::Inherited) {
            leaves(&item.tree, &mut Path::new(), &mut |path, _| self.note(&path));
        }
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        let mut names = Vec::new();
        for statement in &block.stmts {
            if let syn::Stmt::Item(syn::Item::Use(item)) = statement {
                leaves(&item.tree, &mut Path::new(), &mut |path, name| names.extend(name.map(|name| (name, path))));
            }
        }
        self.blocks.push(names);
        visit::visit_block(self, block);
        self.blocks.pop();
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.note(&path.segments.iter().map(|segment| segment.ident.to_string()).collect::<Path>());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.read(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_meta_list(&mut self, list: &'ast syn::MetaList) {
        self.read(list.tokens.clone());
    }
}
