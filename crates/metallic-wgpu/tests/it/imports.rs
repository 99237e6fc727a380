//! The order of the crate's files, checked in their source.

use std::path::Path;

use crate::source::{Layout, Source};

/// The files of the crate, folders as a whole: each imports only what stands before it, and calls no methods of the rest. `lib.rs`
/// is outside the order.
const CRATE: [&str; 12] = [
    "limits",
    "fault",
    "adapter",
    "arguments",
    "shader",
    "descriptors",
    "stream",
    "device",
    "tensor",
    "dispatch",
    "kernels",
    "transfer",
];
const DESCRIPTORS: [&str; 7] =
    ["bindings", "bindable", "connection", "layout", "bind_group", "pipeline", "registry"];
const KERNELS: [&str; 10] = [
    "grid",
    "matrix_product",
    "softmax",
    "add",
    "attention",
    "copy",
    "gelu",
    "gemm",
    "kv_cache_write",
    "layer_norm",
];

const ALL: Layout<'_> = Layout {
    folder: &[],
    order: &CRATE,
    outside: &["lib"],
    // Iterators', wgpu's, and a creation's.
    also_elsewhere: &["destroy", "device", "find", "submit"],
    // Dispatches and transfers are the device's, and build on its tensors.
    extensions: &[("dispatch", "WgpuDevice"), ("transfer", "WgpuDevice")],
};

/// An order of files inside of a folder.
const fn inside<'a>(folder: &'a [&'a str], order: &'a [&'a str]) -> Layout<'a> {
    Layout { folder, order, outside: &["mod"], also_elsewhere: &[], extensions: &[] }
}

#[test]
fn each_file_imports_only_files_before_it() {
    let sources = Source::all(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
    assert!(sources.len() > CRATE.len(), "these are the files of the crate");
    let layouts = [ALL, inside(&["descriptors"], &DESCRIPTORS), inside(&["kernels"], &KERNELS)];
    let offences: Vec<_> = layouts.iter().flat_map(|layout| layout.offences(&sources)).collect();
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}
