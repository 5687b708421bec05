//! The modules of one crate: which file defines what, and where a path leads.

use std::collections::{BTreeMap, BTreeSet};

pub type Path = Vec<String>;

/// The module that a file is: `admin/list.rs` is `admin::list`, `lib.rs` the crate.
pub fn module_of(file: &str) -> Path {
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
pub enum Target {
    Module(Path),
    Item { file: String, name: String },
}

#[derive(Default)]
pub struct Tree(BTreeMap<Path, Module>);

impl Tree {
    pub fn declare(&mut self, path: Path, file: &str, items: &[syn::Item]) {
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
    pub fn is_program(&self, path: &[String]) -> bool {
        (0..path.len()).all(|depth| {
            let outer = self.0.get(&path[..depth]);
            outer.is_some_and(|outer| outer.modules.contains(&path[depth]))
        })
    }

    /// Follows a path as it is written in a module. `None` is something of another crate, or a local name.
    pub fn resolve(&self, module: &[String], path: &[String], depth: usize) -> Option<Target> {
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

/// Calls `leaf` for each path of a `use` with the name it gets, which a glob has not.
pub fn leaves(tree: &syn::UseTree, before: &mut Path, leaf: &mut dyn FnMut(Path, Option<String>)) {
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

pub fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|ident| ident == "test")
    })
}

pub fn attributes(item: &syn::Item) -> &[syn::Attribute] {
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
