//! The tensors of a `model.safetensors`, to be changed.

use std::fs;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, serialize};

/// One tensor of a file.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<u8>,
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
