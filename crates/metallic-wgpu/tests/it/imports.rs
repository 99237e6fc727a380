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
const DESCRIPTORS: [&str; 8] =
    ["bindings", "bindable", "connection", "artifact", "layout", "bind_group", "pipeline", "registry"];
/// The files that kernels share; each of the others imports only these.
const KERNELS: [&str; 3] = ["grid", "matrix_product", "softmax"];

const ALL: Layout<'_> = Layout {
    folder: &[],
    order: &CRATE,
    outside: &["lib"],
    // Iterators', wgpu's, and a creation's.
    also_elsewhere: &["destroy", "device", "find", "submit"],
    // Dispatches and transfers are the device's, and build on its tensors.
    extensions: &[("dispatch", "WgpuDevice"), ("transfer", "WgpuDevice")],
};

#[test]
fn each_file_imports_only_files_before_it() {
    let sources = Source::all(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
    assert!(sources.len() > CRATE.len(), "these are the files of the crate");
    let inside = |folder, order: &[&str], outside: &[&str]| {
        let layout = Layout { folder, order, outside, also_elsewhere: &[], extensions: &[] };
        layout.offences(&sources)
    };
    let mut offences = ALL.offences(&sources);
    offences.extend(inside(&["descriptors"], &DESCRIPTORS, &["mod"]));
    let kernels =
        sources.iter().filter_map(|source| source.path.strip_prefix("kernels/")?.strip_suffix(".rs"));
    let (kernels, shared): (Vec<_>, Vec<_>) = kernels.partition(|name| !KERNELS.contains(name));
    assert!(kernels.len() > 1 && shared.len() == KERNELS.len());
    for kernel in &kernels {
        let others: Vec<_> = kernels.iter().copied().filter(|other| other != kernel).collect();
        offences.extend(inside(&["kernels"], &[&KERNELS, &[*kernel][..]].concat(), &others));
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}
