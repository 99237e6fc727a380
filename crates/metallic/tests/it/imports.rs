//! The order of the core's files, and what only some of them may do, checked in their source.

use std::fs;
use std::path::{Path, PathBuf};

use crate::source::{Import, Source};

/// The files of `caching/`: each imports only files before it.
const ORDER: [&str; 16] = [
    "clock",
    "sync",
    "policy",
    "gate",
    "order",
    "entries",
    "reporting",
    "cache",
    "query",
    "keyed_cache",
    "kernel",
    "kernel_cache",
    "slot",
    "shared",
    "pool",
    "registry",
];

/// Files of `caching/` that stand outside that order, as do the files in a folder of their name.
const UNORDERED: [&str; 2] = ["mod", "eviction_tests"];

const MAY_READ_THE_TIME: [&str; 3] = ["caching/clock.rs", "ticks/counter.rs", "ticks/system.rs"];
/// The core's two files, and those that call Apple's frameworks.
const MAY_BE_UNSAFE: [&str; 10] = [
    "caching/registry/type_table.rs",
    "ticks/counter.rs",
    "compute/device/apple.rs",
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
fn the_core_knows_neither_a_store_nor_what_is_built_on_creations() {
    let words =
        |source: &Source| [source.find(&["metallic_store"]), source.find(&["creation", "::"])].concat();
    let offences: Vec<_> =
        sources().iter().filter(|source| source.path.starts_with("caching/")).flat_map(words).collect();
    assert!(offences.is_empty(), "{}", offences.join("\n"));
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
    // A file in a folder has the place of the folder's file, and may import from it.
    let file = name.split('/').next().unwrap_or(name);
    let Some(place) = ORDER.iter().position(|ordered| *ordered == file) else {
        return vec![format!("{}: not in the order of files", source.path)];
    };
    let offence = |import: &Import| match ORDER.iter().position(|file| *file == import.module) {
        Some(imported) if imported < place || (imported == place && name != file) => None,
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
        "use super::{clock::{Clock, registry}};",
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
