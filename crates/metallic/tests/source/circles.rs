//! Circles of files: what knows of each other can only be read at once.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::THIS_FILE;
use super::tokens::Source;

/// From a file or folder to those in the same folder that it knows of, with a line that shows it.
type Edges<'a> = BTreeMap<&'a str, BTreeMap<&'a str, String>>;

/// The circles of files and folders that are next to each other, by paths and by calls of methods on a known type. A circle is
/// told by its folder, its files, and the lines that lead around it.
pub(crate) fn circles(sources: &[Source]) -> Vec<String> {
    let sources: Vec<_> = sources.iter().filter(|source| !source.path.ends_with("tests.rs")).collect();
    let mut folders: BTreeMap<Vec<&str>, Edges<'_>> = BTreeMap::new();
    let modules: BTreeSet<Vec<&str>> = sources.iter().map(|source| source.module()).collect();
    let mut definitions = BTreeMap::new();
    let methods: Vec<_> = sources.iter().map(|source| (source.module(), source.methods())).collect();
    for (module, methods) in &methods {
        for method in methods {
            if let Some(of) = &method.of {
                definitions.insert((&**of, &*method.name), module);
            }
        }
    }
    for source in sources {
        let from = source.module();
        let mut add = |to: &[&str], line: usize| {
            let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
            let (Some(begin), Some(end)) = (from.get(shared), to.get(..=shared)) else { return };
            // What is in no file is an item that the folder passes on.
            let Some(end) = modules.iter().find(|module| *module == end) else { return };
            let why = format!("{}:{line} leads to {}", source.path, end[shared]);
            let edges = folders.entry(from[..shared].to_vec()).or_default();
            edges.entry(begin).or_default().entry(end[shared]).or_insert(why);
        };
        for import in source.imports() {
            let path: Vec<_> = import.path.iter().map(String::as_str).collect();
            if !path.contains(&THIS_FILE) {
                add(&path, import.lines.last().copied().unwrap_or(0));
            }
        }
        for call in source.calls() {
            if let Some(module) = call.on.and_then(|on| definitions.get(&(&*on, &*call.name)).copied()) {
                add(module, call.line);
            }
        }
    }
    let told = |(folder, edges): (&Vec<&str>, &Edges<'_>)| {
        let folder = folder.join("/");
        circles_of(edges).into_iter().map(move |circle| format!("{folder}: {circle}")).collect::<Vec<_>>()
    };
    folders.iter().flat_map(told).collect()
}

/// A shortest circle for each file that is on one, told once.
fn circles_of(edges: &Edges<'_>) -> Vec<String> {
    let mut told = BTreeSet::new();
    let mut circles = Vec::new();
    for begin in edges.keys() {
        if told.contains(begin) {
            continue;
        }
        let Some(path) = way_back(edges, begin) else { continue };
        let lines: Vec<_> = path.windows(2).map(|step| &*edges[step[0]][step[1]]).collect();
        circles.push(format!("{} ({})", path.join(" -> "), lines.join(", ")));
        told.extend(path);
    }
    circles
}

fn way_back<'a>(edges: &Edges<'a>, begin: &'a str) -> Option<Vec<&'a str>> {
    let mut paths = vec![vec![begin]];
    let mut seen = BTreeSet::new();
    while !paths.is_empty() {
        let mut longer = Vec::new();
        for path in paths {
            let next = path.last().and_then(|last| edges.get(last));
            for to in next.into_iter().flat_map(BTreeMap::keys) {
                let mut path = path.clone();
                path.push(to);
                if *to == begin {
                    return Some(path);
                }
                if seen.insert(*to) {
                    longer.push(path);
                }
            }
        }
        paths = longer;
    }
    None
}
