//! The order of the crate's files, checked in their source.

use std::fs;
use std::path::Path;

/// The files of the crate, folders as a whole: each imports only what stands before it. `lib.rs` is outside the order.
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

/// The imports in `text`, a file or folder called `name`, of modules that do not stand before it in `order`. `root` is how a
/// path to a module of the order begins.
fn out_of_order(order: &[&str], name: &str, root: &str, text: &str) -> Vec<String> {
    let Some(place) = order.iter().position(|file| *file == name) else {
        return vec![format!("{name}: not in the order of files")];
    };
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let paths = code.enumerate().flat_map(|(line, code)| {
        let targets = code.split(root).skip(1);
        targets.map(move |target| (line + 1, target))
    });
    paths
        .flat_map(|(line, target)| {
            // One path, or several in braces: the first word of each.
            let targets = target.strip_prefix('{').map_or(vec![target], |many| many.split(',').collect());
            targets.into_iter().filter_map(move |target| {
                let word = target.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
                let is_before = order[..place].contains(&word);
                (!is_before)
                    .then(|| format!("{name}:{line}: imports `{word}`, which does not stand before it"))
            })
        })
        .collect()
}

fn source_folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

/// The files of a folder, with the files of its folders joined to one text each, by their names without an ending.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.is_dir() || path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| {
            let text = if path.is_dir() {
                self::files(&path).into_iter().map(|(_, text)| text).collect()
            } else {
                fs::read_to_string(&path).expect("it is text")
            };
            let name = path.file_stem().expect("it has a name");
            (name.to_string_lossy().into_owned(), text)
        })
        .collect();
    files.retain(|(name, _)| !["lib", "mod"].contains(&name.as_str()));
    files
}

#[test]
fn each_file_imports_only_files_before_it() {
    let folders: [(&Path, &[&str], &str); 3] = [
        (source_folder(), &CRATE, "crate::"),
        (&source_folder().join("descriptors"), &DESCRIPTORS, "super::"),
        (&source_folder().join("kernels"), &KERNELS, "super::"),
    ];
    let mut offences = Vec::new();
    for (folder, order, root) in folders {
        let files = files(folder);
        assert_eq!(files.len(), order.len(), "{folder:?}");
        for (name, text) in &files {
            offences.extend(out_of_order(order, name, root, text));
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn the_checker_names_the_file_the_line_and_the_import() {
    let found = |text| out_of_order(&["a", "b", "c"], "b", "super::", text);
    assert_eq!(
        found("use super::a::A;\n\nuse super::{a::B, c};\n"),
        ["b:3: imports `c`, which does not stand before it"]
    );
    assert_eq!(found("fn f() { super::b::g() }").len(), 1, "not even itself by that path");
    assert_eq!(found("use super::D;").len(), 1, "nor what the folder passes on");
    assert_eq!(found("/// [`C`](super::c::C)\nuse std::fmt;\n"), [""; 0]);
    assert_eq!(out_of_order(&["a"], "d", "super::", ""), ["d: not in the order of files"]);
}
