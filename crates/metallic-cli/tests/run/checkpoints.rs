//! Model folders with something changed.

use std::fs;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, serialize};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::fixture;

/// One tensor of a file.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<u8>,
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

/// Changes the tensors of the `model.safetensors`; those for which `change` has none are left out.
pub(crate) fn change_tensors(folder: &Path, change: impl FnMut(Stored) -> Option<Stored>) {
    let path = folder.join("model.safetensors");
    let bytes = fs::read(&path).expect("it can be read");
    let tensors = SafeTensors::deserialize(&bytes).expect("it is a safetensors file");
    let stored = tensors.iter().map(|(name, view)| Stored {
        name: name.to_owned(),
        dtype: view.dtype(),
        shape: view.shape().to_vec(),
        data: view.data().to_vec(),
    });
    let stored: Vec<Stored> = stored.filter_map(change).collect();
    let views = stored.iter().map(|stored| {
        let view = TensorView::new(stored.dtype, stored.shape.clone(), &stored.data);
        (&stored.name, view.expect("the shape fits"))
    });
    fs::write(path, serialize(views, None).expect("tensors can be written")).expect("it can be written");
}
