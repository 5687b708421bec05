//! Finds files of one crate that import each other in a circle.
//!
//! A file imports another when its code names something that the other file defines, in a `use` or in a path within the
//! code, macros and attributes included. Names are followed through `pub use` to the file that defines the item.
//! `mod x;`, a `pub use` and the import of a whole module are no imports by themselves, and neither is what
//! `#[cfg(test)]` hides. A method called on a value names no path, so it is not seen.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

type Path = Vec<String>;

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
                let mut reader = Reader { tree: &tree, module: module_of(name), file: name, found: BTreeMap::new() };
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

/// The module that a file is: `admin/list.rs` is `admin::list`, `lib.rs` the crate.
fn module_of(file: &str) -> Path {
    let path = file.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if path == "lib" { Path::new() } else { path.split('/').map(str::to_owned).collect() }
}

#[derive(Default)]
struct Module {
    file: String,
    /// Modules compiled into tests only.
    tests: BTreeSet<String>,
    modules: BTreeSet<String>,
    items: BTreeSet<String>,
    /// What a name stands for by a `use`.
    names: Vec<(String, Path)>,
    globs: Vec<Path>,
}

/// What a path leads to.
#[derive(Clone)]
enum Target {
    Module(Path),
    Item { file: String, name: String },
}

#[derive(Default)]
struct Tree(BTreeMap<Path, Module>);

impl Tree {
    fn declare(&mut self, path: Path, file: &str, items: &[syn::Item]) {
        let mut module = Module { file: file.to_owned(), ..Module::default() };
        for item in items {
            let hidden = is_test(attributes(item));
            match item {
                syn::Item::Mod(inner) => {
                    let name = inner.ident.to_string();
                    if hidden {
                        module.tests.insert(name);
                        continue;
                    }
                    if let Some((_, items)) = &inner.content {
                        let inner = path.iter().cloned().chain([name.clone()]).collect();
                        self.declare(inner, file, items);
                    }
                    module.modules.insert(name);
                }
                _ if hidden => {}
                syn::Item::Use(item) => leaves(&item.tree, &mut Path::new(), &mut |path, name| match name {
                    Some(name) => module.names.push((name, path)),
                    None => module.globs.push(path),
                }),
                _ => module.items.extend(name_of(item)),
            }
        }
        self.0.insert(path, module);
    }

    /// Whether a module and all it lies in belong to the program rather than to its tests.
    fn is_program(&self, path: &[String]) -> bool {
        (0..path.len()).all(|depth| {
            let outer = self.0.get(&path[..depth]);
            outer.is_some_and(|outer| outer.modules.contains(&path[depth]))
        })
    }

    /// Follows a path as it is written in a module. `None` is something of another crate, or a local name.
    fn resolve(&self, module: &[String], path: &[String], depth: usize) -> Option<Target> {
        let (first, mut rest) = path.split_first()?;
        let mut target = match first.as_str() {
            "crate" => Target::Module(Path::new()),
            "self" => Target::Module(module.to_vec()),
            "super" => Target::Module(module[..module.len().checked_sub(1)?].to_vec()),
            name => self.lookup(module, name, !rest.is_empty(), depth)?,
        };
        while let (Target::Module(at), Some((name, behind))) = (&target, rest.split_first()) {
            target = match (name.as_str(), at.split_last()) {
                ("super", Some((_, outer))) => Target::Module(outer.to_vec()),
                ("self", _) => Target::Module(at.clone()),
                // What a macro defines is in the file that calls the macro.
                _ => match self.lookup(at, name, !behind.is_empty(), depth) {
                    Some(target) => target,
                    None => Target::Item { file: self.0.get(at)?.file.clone(), name: name.clone() },
                },
            };
            rest = behind;
        }
        Some(target)
    }

    /// What a name stands for in a module. A module and a function may share a name: which is meant shows in whether
    /// more follows.
    fn lookup(&self, at: &[String], name: &str, more: bool, depth: usize) -> Option<Target> {
        if depth > 20 {
            return None;
        }
        let module = self.0.get(at)?;
        let mut found = Vec::new();
        if module.items.contains(name) {
            found.push(Target::Item { file: module.file.clone(), name: name.to_owned() });
        }
        if module.modules.contains(name) {
            found.push(Target::Module(at.iter().cloned().chain([name.to_owned()]).collect()));
        }
        for (_, path) in module.names.iter().filter(|(alias, path)| alias == name && path.as_slice() != [name]) {
            found.extend(self.resolve(at, path, depth + 1));
        }
        if found.is_empty() && !module.names.iter().any(|(alias, _)| alias == name) {
            for glob in &module.globs {
                if let Some(Target::Module(inside)) = self.resolve(at, glob, depth + 1)
                    && inside != at
                {
                    found.extend(self.lookup(&inside, name, more, depth + 1));
                }
            }
        }
        let wanted = found.iter().find(|target| matches!(target, Target::Module(_)) == more);
        wanted.or(found.first()).cloned()
    }
}

/// Goes over one file and notes what it names of others.
struct Reader<'a> {
    tree: &'a Tree,
    module: Path,
    file: &'a str,
    found: BTreeMap<String, BTreeSet<String>>,
}

impl Reader<'_> {
    fn note(&mut self, path: &[String]) {
        if let Some(Target::Item { file, name }) = self.tree.resolve(&self.module, path, 0)
            && file != self.file
        {
            self.found.entry(file).or_default().insert(name);
        }
    }

    /// The paths among the tokens of a macro or an attribute.
    fn read(&mut self, tokens: TokenStream) {
        let mut path = Path::new();
        let mut colons = 0;
        let mut follows_dot = false;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.note(&std::mem::take(&mut path));
                    }
                    if !follows_dot {
                        path.push(ident.to_string());
                    }
                    (colons, follows_dot) = (0, false);
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.note(&std::mem::take(&mut path));
                    colons = 0;
                    follows_dot = matches!(&other, TokenTree::Punct(punct) if punct.as_char() == '.');
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

/// Calls `leaf` for each path of a `use` with the name it gets, which a glob has not.
fn leaves(tree: &syn::UseTree, before: &mut Path, leaf: &mut dyn FnMut(Path, Option<String>)) {
    let path = |before: &Path, name: &syn::Ident| {
        let mut path = before.clone();
        if name != "self" || path.is_empty() {
            path.push(name.to_string());
        }
        path
    };
    match tree {
        syn::UseTree::Path(inner) => {
            before.push(inner.ident.to_string());
            leaves(&inner.tree, before, leaf);
            before.pop();
        }
        syn::UseTree::Name(name) => {
            let path = path(before, &name.ident);
            let name = path.last().cloned();
            leaf(path, name);
        }
        syn::UseTree::Rename(renamed) => leaf(path(before, &renamed.ident), Some(renamed.rename.to_string())),
        syn::UseTree::Glob(_) => leaf(before.clone(), None),
        syn::UseTree::Group(group) => group.items.iter().for_each(|inner| leaves(inner, before, leaf)),
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|ident| ident == "test")
    })
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name_of(item: &syn::Item) -> Option<String> {
    let ident = match item {
        syn::Item::Const(item) => &item.ident,
        syn::Item::Enum(item) => &item.ident,
        syn::Item::Fn(item) => &item.sig.ident,
        syn::Item::Macro(item) => item.ident.as_ref()?,
        syn::Item::Static(item) => &item.ident,
        syn::Item::Struct(item) => &item.ident,
        syn::Item::Trait(item) => &item.ident,
        syn::Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}
