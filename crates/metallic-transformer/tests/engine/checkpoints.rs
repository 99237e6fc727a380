//! The checkpoints that transformers made, see `scripts/check-models/fixtures.py`, and copies of them to be changed.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

/// The folder of a checkpoint.
pub(crate) fn fixture(name: &str) -> PathBuf {
    // Also right for the program's tests, which share this file.
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../metallic-transformer/tests/data").join(name)
}

/// A copy of a fixture, to be changed.
pub(crate) fn copy(name: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    for entry in fs::read_dir(fixture(name)).expect("the fixture is there") {
        let from = entry.expect("the fixture can be read").path();
        let to = folder.path().join(from.file_name().expect("it is a file"));
        fs::write(to, fs::read(from).expect("it can be read")).expect("it can be written");
    }
    folder
}

/// Changes a number, or whatever else, in the `config.json`.
pub(crate) fn set_config(folder: &Path, field: &str, value: impl Into<Value>) {
    let path = folder.join("config.json");
    let text = fs::read_to_string(&path).expect("it can be read");
    let mut config: Value = serde_json::from_str(&text).expect("it is JSON");
    config[field] = value.into();
    fs::write(path, config.to_string()).expect("it can be written");
}
