//! The order of the core's files, and what only some of them may do, checked in their source.

use std::fs;
use std::path::{Path, PathBuf};

/// The files of `caching/`: each imports only files before it.
const ORDER: [&str; 17] = [
    "clock",
    "order",
    "policy",
    "eviction",
    "index",
    "entries",
    "label",
    "metrics",
    "reporter",
    "kernel",
    "kernel_cache",
    "turnover",
    "erased",
    "slot",
    "confinement",
    "registry",
    "resource_cache",
];

/// Files of `caching/` that stand outside that order, as do the files in a folder of their name.
const UNORDERED: [&str; 2] = ["mod", "eviction_tests"];

const MAY_READ_THE_TIME: [&str; 2] = ["caching/clock.rs", "ticks.rs"];
/// Beside the core's two, the file that calls the crate `gemm`, and files that call Apple's frameworks.
const MAY_BE_UNSAFE: [&str; 11] = [
    "caching/erased.rs",
    "ticks.rs",
    "device/apple.rs",
    "device/host/tile.rs",
    "kernels/matmul_mps/cache.rs",
    "kernels/matmul_mps/descriptor.rs",
    "kernels/metal_pipeline/cache.rs",
    "kernels/mps.rs",
    "kernels/sdpa/cache.rs",
    "kernels/sdpa/graph.rs",
    "kernels/softmax_mps/cache.rs",
];

#[test]
fn each_file_of_the_core_imports_only_files_before_it() {
    let offences: Vec<_> = sources()
        .iter()
        .filter_map(|source| Some((source.path.strip_prefix("caching/")?, source)))
        .flat_map(|(name, source)| imports_out_of_order(name.trim_end_matches(".rs"), source))
        .collect();
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn the_order_is_the_one_that_the_core_names_to_its_readers() {
    let text = fs::read_to_string(root().join("caching/mod.rs")).unwrap();
    let prose: String = text.lines().filter_map(|line| line.strip_prefix("//!")).collect();
    let listed = prose.split_once("imports only files before it:").expect("the reading order").1;
    let listed = listed.split_once('.').expect("the end of the list").0;
    let listed: Vec<_> = listed.split(',').map(|name| name.trim().trim_matches('`')).collect();
    assert_eq!(listed, ORDER);
}

#[test]
fn only_the_clock_reads_the_time() {
    check(&MAY_READ_THE_TIME, readings_of_the_time);
}

#[test]
fn unsafe_code_stands_in_few_files() {
    check(&MAY_BE_UNSAFE, |source| source.find(&["unsafe"]));
}

#[test]
fn mod_files_hold_no_logic() {
    let offences: Vec<_> = sources()
        .iter()
        .filter(|source| source.path.ends_with("mod.rs"))
        .flat_map(|source| [source.find(&["fn"]), source.find(&["impl"])].concat())
        .collect();
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

/// Finds offences in no file but those that may have them, and some in each of those: a list that is too long is wrong.
fn check(allowed: &[&str], find: fn(&Source) -> Vec<String>) {
    let sources = sources();
    let (may, may_not): (Vec<_>, Vec<_>) =
        sources.iter().partition(|source| allowed.contains(&source.path.as_str()));
    assert_eq!(may.len(), allowed.len());
    assert!(may.iter().all(|source| !find(source).is_empty()));
    let offences: Vec<_> = may_not.into_iter().flat_map(find).collect();
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

fn readings_of_the_time(source: &Source) -> Vec<String> {
    let readings: [&[&str]; 7] = [
        &["Instant", "::", "now"],
        &["SystemTime", "::", "now"],
        &[".", "elapsed", "("],
        &["_rdtsc"],
        &["__rdtscp"],
        &["ticks", "::"],
        &["::", "ticks"],
    ];
    readings.iter().flat_map(|reading| source.find(reading)).collect()
}

/// The imports of a file of `caching/` that are not of files before it.
fn imports_out_of_order(name: &str, source: &Source) -> Vec<String> {
    if name.split('/').next().is_some_and(|first| UNORDERED.contains(&first)) {
        return Vec::new();
    }
    let Some(place) = ORDER.iter().position(|file| *file == name) else {
        return vec![format!("{}: not in the order of files", source.path)];
    };
    let offence = |import: &Import| match ORDER.iter().position(|file| *file == import.module) {
        Some(imported) if imported < place => None,
        Some(_) => Some("does not stand before it"),
        None => Some("is no file of the order"),
    };
    source
        .imports()
        .iter()
        .filter_map(|import| {
            let why = offence(import)?;
            Some(format!("{}:{}: imports `{}`, which {why}", source.path, import.line, import.module))
        })
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All files of the crate.
fn sources() -> Vec<Source> {
    let root = root();
    let (mut folders, mut sources) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                sources.push(Source::new(&name, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(sources.len() > ORDER.len(), "these are the files of the crate");
    sources
}

/// A file as words and signs, without comments and the contents of literals.
struct Source {
    path: String,
    tokens: Vec<Token>,
}

struct Token {
    text: String,
    line: usize,
}

/// A file of `caching/` that a path in the source leads to.
#[derive(PartialEq)]
struct Import {
    module: String,
    line: usize,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), tokens: tokens(text) }
    }

    fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }

    fn stands(&self, at: usize, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(offset, word)| self.word(at + offset) == *word)
    }

    /// Every place where these words stand one after the other.
    fn find(&self, words: &[&str]) -> Vec<String> {
        (0..self.tokens.len())
            .filter(|at| self.stands(*at, words))
            .map(|at| format!("{}:{}: {}", self.path, self.tokens[at].line, words.concat()))
            .collect()
    }

    /// The files of `caching/` that paths in this file, which is one of that folder, lead to.
    fn imports(&self) -> Vec<Import> {
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
                    let targets = paths.iter().filter_map(|path| self.target(path, modules.len()));
                    imports.extend(targets.filter(|_| !is_visibility));
                    at = end - 1;
                }
                _ => {}
            }
            at += 1;
        }
        imports.dedup(); // `super::file::{A, B}` is two paths
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

    /// The file a path leads to from within `depth` modules of this one; none if it is this one or of another folder.
    fn target(&self, path: &[usize], depth: usize) -> Option<Import> {
        let mut place = vec!["caching", "this file"];
        place.extend(vec!["module"; depth]);
        for at in path {
            match self.word(*at) {
                "crate" => place.clear(),
                "super" => drop(place.pop()),
                "self" => {}
                name => place.push(name),
            }
        }
        let module = match place[..] {
            ["caching"] => "caching",
            ["caching", module, ..] if module != "this file" => module,
            _ => return None,
        };
        let named = path.iter().find(|at| self.word(**at) == module).or(path.last())?;
        Some(Import { module: module.to_owned(), line: self.tokens[*named].line })
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, mut line, mut at) = (Vec::new(), 1, 0);
    while at < chars.len() {
        let begin = at;
        let rest = &chars[at..];
        let word = rest.iter().take_while(|c| c.is_alphanumeric() || **c == '_').count();
        let hidden = comment_len(rest).or_else(|| literal_len(rest));
        at += hidden.unwrap_or(if word > 0 {
            word
        } else if rest.starts_with(&[':', ':']) {
            2
        } else {
            1
        });
        if hidden.is_none() && !chars[begin].is_whitespace() {
            tokens.push(Token { text: chars[begin..at].iter().collect(), line });
        }
        line += chars[begin..at].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

/// The length of the comment that `rest` begins with.
fn comment_len(rest: &[char]) -> Option<usize> {
    if rest.starts_with(&['/', '/']) {
        return Some(rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with(&['/', '*']) {
        return None;
    }
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    Some(at)
}

/// The length of the string or character literal that `rest` begins with, its prefix included.
fn literal_len(rest: &[char]) -> Option<usize> {
    let prefix = rest.iter().take_while(|c| matches!(c, 'b' | 'c' | 'r')).count();
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    let body = prefix + hashes + 1;
    match rest.get(body - 1)? {
        '"' if rest[..prefix].contains(&'r') => {
            let closes =
                |at: &usize| rest[*at] == '"' && rest[at + 1..].iter().take(hashes).all(|c| *c == '#');
            Some((body..rest.len()).find(closes).map_or(rest.len(), |end| end + 1 + hashes))
        }
        quote @ ('"' | '\'') if hashes == 0 => {
            let lifetime =
                *quote == '\'' && rest.get(body) != Some(&'\\') && rest.get(body + 1) != Some(&'\'');
            let mut at = body;
            while !lifetime && at < rest.len() && rest[at] != *quote {
                at += if rest[at] == '\\' { 2 } else { 1 };
            }
            (!lifetime).then_some(at + 1)
        }
        _ => None,
    }
}

// The checker itself.

fn offences(name: &str, text: &str) -> Vec<String> {
    imports_out_of_order(name, &Source::new(&format!("caching/{name}.rs"), text))
}

#[test]
fn the_checker_names_the_file_the_line_and_the_import() {
    let text = "//! Docs.\n\nuse super::clock::Clock;\nuse super::registry::CacheRegistry;\n";
    assert_eq!(
        offences("policy", text),
        ["caching/policy.rs:4: imports `registry`, which does not stand before it"]
    );
}

#[test]
fn the_checker_knows_every_way_to_write_an_import() {
    let bad = [
        "use super::{clock::Clock, registry::{A, B}};",
        "use super::{\n    clock, registry as r};",
        "use super::policy::Own;",
        "use crate::caching::registry::CacheRegistry;",
        "use crate::{caching::registry::CacheRegistry};",
        "fn f() { super::registry::g() }",
        "mod tests { use super::super::registry::A; }",
        "mod tests { mod more { use super::super::super::registry::A; } } ",
        "mod tests { } use super::registry::A;",
        "use super::CacheRegistry;",
        "use super::*;",
        "use super::{self};",
        "use super as all;",
        "use crate::caching;",
        "use super::super::caching::registry::A;",
        "use super /* a comment */ :: registry::A;",
        "const A: &str = \"\\\"\"; use super::registry::A;",
        "const A: char = '\"'; use super::registry::A; const B: char = '\"';",
        "fn f<'a>(a: &'a str) { super::registry::g('a', '\\'') }",
    ];
    for text in bad {
        assert_eq!(offences("policy", text).len(), 1, "{text}: {:?}", offences("policy", text));
    }
    let good = [
        "",
        "use super::{clock::{Clock, registry}, order};",
        "pub(super) fn f() {} pub(in super) fn g() {}",
        "mod tests { use super::registry; use super::Own; use super::super::clock::Clock; }",
        "use crate::error::MetalError; use crate::device::{Device, caching::registry};",
        "// use super::registry;\n/* use super::registry; /* again */ use super::registry; */",
        "/// [`R`](super::registry)\nfn f() {}",
        "const A: &str = \"use super::registry;\"; const B: &str = r#\"\" use super::registry;\"#;",
    ];
    for text in good {
        assert_eq!(offences("policy", text), [""; 0], "{text}");
    }
}

#[test]
fn the_checker_refuses_a_file_that_has_no_place() {
    assert_eq!(offences("helpers", ""), ["caching/helpers.rs: not in the order of files"]);
}

#[test]
fn the_checker_sees_readings_of_the_time_and_unsafe_code_but_not_talk_of_them() {
    let source = Source::new(
        "x.rs",
        "// Instant::now()\nlet a = \"unsafe\";\nlet t = std::time::Instant::now();\n#![deny(unsafe_code)]\nunsafe {\n    t.elapsed()\n}\nfn elapsed() {}\n",
    );
    assert_eq!(readings_of_the_time(&source), ["x.rs:3: Instant::now", "x.rs:6: .elapsed("]);
    assert_eq!(source.find(&["unsafe"]), ["x.rs:5: unsafe"]);
}
