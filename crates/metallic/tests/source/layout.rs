//! The order of the files in a folder: each knows only of those before it.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{Import, THIS_FILE};
use super::tokens::Source;

/// A folder, with all below it, and the order of its files. A file in a folder has the place of the folder's file.
pub(crate) struct Layout<'a> {
    /// The folder's names from the crate's root.
    pub(crate) folder: &'a [&'a str],
    pub(crate) order: &'a [&'a str],
    /// Files that stand outside the order.
    pub(crate) outside: &'a [&'a str],
    /// Methods that other types have too, such as the standard library's: their calls prove nothing.
    pub(crate) also_elsewhere: &'a [&'a str],
    /// Files with inherent methods of types of other files: file and type.
    pub(crate) extensions: &'a [(&'a str, &'a str)],
}

/// Where a method is defined.
struct Definition {
    place: usize,
    file: String,
    of: Option<String>,
}

impl Layout<'_> {
    /// Everything in the folder that is not in order.
    pub(crate) fn offences(&self, sources: &[Source]) -> Vec<String> {
        let sources: Vec<_> =
            sources.iter().filter_map(|source| Some((self.name(source)?, source))).collect();
        let imports = sources.iter().flat_map(|(name, source)| self.imports_out_of_order(name, source));
        imports.chain(self.calls_out_of_order(&sources)).chain(self.types_torn_apart(&sources)).collect()
    }

    /// The file's name in the folder; `None` if it is in another or has no place.
    fn name(&self, source: &Source) -> Option<String> {
        let folder: String = self.folder.iter().map(|name| format!("{name}/")).collect();
        let name = source.path.strip_prefix(&folder)?.trim_end_matches(".rs");
        let is_outside = self.outside.contains(&first(name));
        (!is_outside).then(|| name.to_owned())
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.order.iter().position(|ordered| *ordered == first(name))
    }

    fn imports_out_of_order(&self, name: &str, source: &Source) -> Vec<String> {
        let Some(place) = self.place(name) else {
            return vec![format!("{}: not in the order of files", source.path)];
        };
        let mut offences: Vec<_> = source
            .imports()
            .iter()
            .filter_map(|import| {
                let (module, line) = self.imported(import)?;
                let why = match self.place(module) {
                    Some(imported) if imported < place || (imported == place && first(name) != name) => {
                        return None;
                    }
                    Some(_) => "does not stand before it",
                    None => "is no file of the order",
                };
                Some(format!("{}:{line}: imports `{module}`, which {why}", source.path))
            })
            .collect();
        offences.dedup(); // `super::file::{A, B}` is two paths
        offences
    }

    /// The file of the folder that a path leads to, and its line; `None` if that is the path's own file, or in another folder.
    fn imported<'i>(&self, import: &'i Import) -> Option<(&'i str, usize)> {
        let path: Vec<_> = import.path.iter().map(String::as_str).collect();
        let last = || *import.lines.last().unwrap_or(&0);
        if !path.starts_with(self.folder) {
            return None;
        }
        match path[self.folder.len()..] {
            [] => Some((path.last().unwrap_or(&"crate"), last())),
            [THIS_FILE, ..] => None,
            [module, ..] => Some((module, import.lines[self.folder.len()])),
        }
    }

    /// Calls of inherent methods that only files further down define. A receiver's type is known where it is `self` or
    /// written; a call by name alone is of what is defined further down if no file before has a method of that name.
    fn calls_out_of_order(&self, sources: &[(String, &Source)]) -> Vec<String> {
        let mut definitions: BTreeMap<String, Vec<Definition>> = BTreeMap::new();
        for (name, source) in sources {
            for method in source.methods() {
                let Some(place) = self.place(name) else { continue };
                let file = format!("{}:{}", source.path, method.line);
                definitions.entry(method.name).or_default().push(Definition { place, file, of: method.of });
            }
        }
        let (mut offences, mut excused) = (Vec::new(), BTreeSet::new());
        for (name, source) in sources {
            let Some(place) = self.place(name) else { continue };
            for call in source.calls() {
                let all = definitions.get(&call.name).map_or(&[][..], Vec::as_slice);
                let meant = |definition: &&Definition| call.on.is_none() || definition.of == call.on;
                let mut meant = all.iter().filter(meant);
                // A trait's method further down is an import.
                let Some(below) = meant.clone().find(|definition| definition.of.is_some()) else { continue };
                if meant.any(|definition| definition.place <= place) {
                    continue;
                }
                if call.on.is_none() && self.also_elsewhere.contains(&&*call.name) {
                    excused.insert(call.name);
                    continue;
                }
                let (path, line, name, below) = (&source.path, call.line, &call.name, &below.file);
                offences.push(format!(
                    "{path}:{line}: calls `{name}`, which is defined further down, in {below}"
                ));
            }
        }
        let needless = self.also_elsewhere.iter().filter(|name| !excused.contains(**name));
        offences.extend(needless.map(|name| format!("`{name}` need not be excused")));
        offences
    }

    /// Inherent methods of a type in a file that is neither the type's nor a child of that.
    fn types_torn_apart(&self, sources: &[(String, &Source)]) -> Vec<String> {
        let mut homes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, source) in sources {
            source.types().into_iter().for_each(|of| homes.entry(of).or_default().push(name));
        }
        let mut used = BTreeSet::new();
        let mut offences = Vec::new();
        for (name, source) in sources {
            for (of, line) in source.inherent_impls() {
                let Some(homes) = homes.get(&*of) else { continue };
                let is_in = |home: &&str| {
                    name.strip_prefix(home).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                };
                if homes.iter().any(is_in) {
                    continue;
                }
                if self.extensions.contains(&(&**name, &*of)) {
                    used.insert((name.clone(), of));
                } else {
                    let (path, home) = (&source.path, homes.join(" and "));
                    offences.push(format!("{path}:{line}: methods of `{of}`, a type of {home}"));
                }
            }
        }
        let needless =
            self.extensions.iter().filter(|(file, of)| !used.contains(&((*file).into(), (*of).into())));
        offences.extend(needless.map(|(file, of)| format!("`{of}` has no methods in {file}")));
        offences
    }
}

/// The file or folder of the order that a name is of.
fn first(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}
