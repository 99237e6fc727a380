//! The order of the core's files, and what only some of them may do, checked in their source.

use std::fs;
use std::path::{Path, PathBuf};

use crate::source::{Layout, Source, circles};

mod checker;

/// The files of `caching/`: each imports only files before it, and calls only methods that are defined there.
const ORDER: [&str; 18] = [
    "drops",
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
    "composition",
    "kernel",
    "kernel_cache",
    "slot",
    "shared",
    "pool",
    "registry",
];

const CORE: Layout<'_> = Layout {
    folder: &["caching"],
    order: &ORDER,
    // Tests are outside of the order, and of the core.
    outside: &["mod", "eviction_tests"],
    also_elsewhere: &[
        "find", "first", "for_each", "is_empty", "iter", "iter_mut", "len", "map", "push", "retain",
    ],
    extensions: &[
        // A creation names no registry, but may ask the one that it is for.
        ("registry/nested", "Creation"),
        ("registry/attached", "Creation"),
        // What the registries have alike stands in one file a topic.
        ("registry/generations", "SharedRegistry"),
        ("registry/generations", "LocalRegistry"),
        ("registry/pools", "SharedRegistry"),
        ("registry/pools", "LocalRegistry"),
        ("registry/this_thread", "SharedRegistry"),
    ],
};

/// Files that have to be read at once, since they know of each other. No others may come.
const CIRCLES: [&str; 20] = [
    "metallic-cli/: args -> commands -> args",
    "metallic-cli/: store -> args -> commands -> store",
    "metallic-cli/commands/replay: advice -> sweep -> advice",
    "metallic-cli/commands/report: member -> tally -> member",
    "metallic-cli/commands/run: answers -> board -> answers",
    "metallic-instrumentation/jsonl: open_logs -> running -> open_logs",
    "metallic-store/disk: eviction -> ledger -> eviction",
    "metallic-store/remote: bazel -> url -> bazel",
    "metallic-store/remote: http -> url -> http",
    "metallic-store/remote: redis -> url -> redis",
    "metallic-store/remote: s3 -> url -> s3",
    "metallic/: compute -> creation -> portable -> kernels -> compute",
    "metallic/: manifest -> creation -> manifest",
    "metallic/caching/cache: expire -> remove -> expire",
    "metallic/caching/registry/shared: by_name -> gated -> slots -> by_name",
    "metallic/caching/registry: local -> shared -> local",
    "metallic/caching/shared: flight -> waits -> flight",
    "metallic/caching/shared: local -> node -> local",
    "metallic/creation: contract -> scope -> contract",
    "metallic/creation: supervisor -> contract -> supervisor",
];

const MAY_READ_THE_TIME: [&str; 3] = ["caching/clock.rs", "ticks/counter.rs", "ticks/system.rs"];
/// The core's two files, and those that call Apple's frameworks.
const MAY_BE_UNSAFE: [&str; 10] = [
    "caching/registry/type_table.rs",
    "ticks/counter.rs",
    "compute/device/apple.rs",
    "kernels/matmul_mps/cache.rs",
    "kernels/matmul_mps/descriptor.rs",
    "kernels/metal_pipeline/compile.rs",
    "kernels/mps.rs",
    "kernels/sdpa/cache.rs",
    "kernels/sdpa/graph.rs",
    "kernels/softmax_mps/cache.rs",
];

#[test]
fn each_file_of_the_core_imports_only_files_before_it() {
    let offences = CORE.offences(&sources());
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn files_of_no_crate_go_in_other_circles() {
    let crates = fs::read_dir(root().join("../..")).unwrap();
    let circles: Vec<_> = crates
        .flat_map(|entry| {
            let folder = entry.unwrap().path();
            let sources = Source::all(&folder.join("src"));
            assert!(sources.len() > 1);
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            circles(&sources).into_iter().map(move |circle| format!("{name}/{circle}"))
        })
        .collect();
    let is = |circle: &&String, known: &&str| circle.starts_with(&format!("{known} ("));
    let others = circles.iter().filter(|circle| !CIRCLES.iter().any(|known| is(circle, known)));
    assert_eq!(others.collect::<Vec<_>>(), [""; 0]);
    let gone = CIRCLES.iter().filter(|known| !circles.iter().any(|circle| is(&circle, known)));
    assert_eq!(gone.collect::<Vec<_>>(), [&""; 0], "circles that are no more");
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

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All files of the crate.
fn sources() -> Vec<Source> {
    let sources = Source::all(&root());
    assert!(sources.len() > ORDER.len(), "these are the files of the crate");
    sources
}
