//! The paths in a file, resolved to modules of its crate.

use super::tokens::Source;

/// A path in the source that begins with `super` or `crate`.
pub(crate) struct Import {
    /// From the crate's root. A path that leads by `super` to the file that it is in has [`THIS_FILE`] for the file's name.
    pub(crate) path: Vec<String>,
    /// The line that each name of it is in.
    pub(crate) lines: Vec<usize>,
}

pub(crate) const THIS_FILE: &str = "this file";

impl Source {
    /// Where the paths in this file lead.
    pub(crate) fn imports(&self) -> Vec<Import> {
        let mut imports = Vec::new();
        // The depths of braces at which modules within the file begin: there, `super` is this file.
        let (mut depth, mut modules) = (0, Vec::new());
        let mut at = 0;
        while at < self.tokens.len() {
            match self.word(at) {
                "{" => {
                    if at >= 2 && self.word(at - 2) == "mod" {
                        modules.push(depth);
                    }
                    depth += 1;
                }
                "}" => {
                    depth -= 1;
                    modules.pop_if(|begun| *begun == depth);
                }
                "super" | "crate" => {
                    let mut paths = Vec::new();
                    let end = self.expand(at, &[], &mut paths);
                    let is_visibility =
                        at >= 2 && (self.stands(at - 2, &["pub", "("]) || self.stands(at - 2, &["(", "in"]));
                    let targets = paths.iter().map(|path| self.resolve(path, modules.len()));
                    imports.extend(targets.filter(|_| !is_visibility));
                    at = end - 1;
                }
                _ => {}
            }
            at += 1;
        }
        imports
    }

    /// Finds the paths that begin at a place, each as the places of its words, and where they end.
    fn expand(&self, mut at: usize, prefix: &[usize], paths: &mut Vec<Vec<usize>>) -> usize {
        let mut path = prefix.to_vec();
        loop {
            path.push(at);
            if self.word(at + 1) != "::" {
                paths.push(path);
                return if self.word(at + 1) == "as" { at + 3 } else { at + 1 };
            }
            at += 2;
            if self.word(at) == "{" {
                at += 1;
                while at < self.tokens.len() && self.word(at) != "}" {
                    at = if self.word(at) == "," { at + 1 } else { self.expand(at, &path, paths) };
                }
                return at + 1;
            }
        }
    }

    /// Where a path leads from within `depth` modules of this file.
    fn resolve(&self, path: &[usize], depth: usize) -> Import {
        let line = |at: usize| self.tokens[at].line;
        let mut place: Vec<_> = self.module().into_iter().map(|name| (name, line(path[0]))).collect();
        if let Some((last, _)) = place.last_mut() {
            *last = THIS_FILE;
        }
        place.extend(vec![(THIS_FILE, line(path[0])); depth]);
        for at in path {
            match self.word(*at) {
                "crate" => place.clear(),
                "super" => drop(place.pop()),
                "self" => {}
                name => place.push((name, line(*at))),
            }
        }
        let (path, lines) = place.into_iter().map(|(name, line)| (name.to_owned(), line)).unzip();
        Import { path, lines }
    }
}
