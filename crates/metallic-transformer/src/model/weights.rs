//! The tensors of a model as they are in a safetensors file.

use std::fs;
use std::path::Path;

use half::{bf16, f16};
use metallic::slots::TensorVersion;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::error::Error;

/// One tensor of a model, on the host and in f32, its last dimension contiguous.
#[derive(Debug)]
pub struct Weight {
    version: TensorVersion,
    name: String,
    shape: Vec<usize>,
    data: Vec<f32>,
}

impl Weight {
    /// A tensor with these numbers.
    ///
    /// # Panics
    /// If there are not as many numbers as the shape says.
    pub fn new(name: impl Into<String>, shape: &[usize], data: Vec<f32>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), data.len(), "a shape says how many numbers there are");
        Self { version: TensorVersion::unchanging(), name: name.into(), shape: shape.to_vec(), data }
    }

    /// The version that its prepared forms are keyed by.
    pub fn version(&self) -> TensorVersion {
        self.version
    }

    /// Its name in the model.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its dimensions.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Its numbers.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// Row `at` of a matrix.
    pub fn row(&self, at: usize) -> &[f32] {
        let width = self.shape.last().copied().unwrap_or(1);
        &self.data[at * width..][..width]
    }
}

/// The bytes of a safetensors file.
#[derive(Debug)]
pub struct WeightFile {
    name: String,
    bytes: Vec<u8>,
}

impl WeightFile {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        match fs::read(path) {
            Ok(bytes) => Ok(Self { name, bytes }),
            Err(_) if path.with_extension("safetensors.index.json").exists() => {
                Err(Error::content(name, "the weights are in several files, which is not supported"))
            }
            Err(error) => Err(Error::file(name, error)),
        }
    }

    /// The tensors in it. Names may begin with `prefix`, which models that were saved as part of a larger one have.
    ///
    /// # Errors
    /// It is truncated, or not a safetensors file.
    pub fn tensors(&self, prefix: &str) -> Result<Tensors<'_>, Error> {
        let tensors = SafeTensors::deserialize(&self.bytes).map_err(|error| {
            let cause = if self.bytes.starts_with(b"version https://git-lfs") {
                "a pointer of git-lfs: `git lfs pull` fetches the file itself".to_owned()
            } else {
                format!("{error}: it is truncated, or not a safetensors file")
            };
            Error::content(&self.name, cause)
        })?;
        let has_prefix = tensors.names().iter().any(|name| name.starts_with(prefix));
        Ok(Tensors {
            file: &self.name,
            tensors,
            prefix: if has_prefix { prefix.to_owned() } else { String::new() },
        })
    }
}

/// The tensors of a safetensors file, by name.
#[derive(Debug)]
pub struct Tensors<'a> {
    file: &'a str,
    tensors: SafeTensors<'a>,
    prefix: String,
}

impl Tensors<'_> {
    /// The tensor of this name, which has this shape.
    ///
    /// # Errors
    /// There is none, it has another shape, or elements of a type that is not read.
    pub fn take(&self, name: &str, shape: &[usize]) -> Result<Weight, Error> {
        self.take_as(&format!("{}{name}", self.prefix), shape)
    }

    /// The tensor of this name, which never has the prefix.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn take_as(&self, name: &str, shape: &[usize]) -> Result<Weight, Error> {
        let content = |cause: String| Error::content(self.file, cause);
        let view = self.tensors.tensor(name).map_err(|_| content(format!("there is no tensor `{name}`")))?;
        if view.shape() != shape {
            return Err(content(format!("tensor `{name}` has shape {:?}, not {shape:?}", view.shape())));
        }
        let data = decode(&view).ok_or_else(|| {
            content(format!("tensor `{name}` is of {:?}; F32, F16 and BF16 are read", view.dtype()))
        })?;
        Ok(Weight::new(name, shape, data))
    }
}

fn decode(view: &TensorView<'_>) -> Option<Vec<f32>> {
    fn pairs(bytes: &[u8], decode: impl Fn([u8; 2]) -> f32) -> Vec<f32> {
        bytes.as_chunks().0.iter().map(|pair| decode(*pair)).collect()
    }
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => Some(bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect()),
        Dtype::F16 => Some(pairs(bytes, |pair| f16::from_le_bytes(pair).to_f32())),
        Dtype::BF16 => Some(pairs(bytes, |pair| bf16::from_le_bytes(pair).to_f32())),
        _ => None,
    }
}
