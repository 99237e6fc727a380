//! Transformers on any device that metallic knows: the worked example of an engine whose every plan, weight, key and value
//! comes out of a cache.
//!
//! ```text
//! folder | seed --model--> weights on the host --engine--> logits | vectors
//!                                   |                 ^
//!                                   |                 plans, prepared weights, KV cache: out of one registry
//!                                   +--reference--> the same in f64
//! ```
//!
//! - [`model`] reads GPT-2 and BERT as Hugging Face's libraries save them, or makes a GPT-2 from a seed. It computes nothing.
//! - [`engine`] runs a model: a [`Decoder`](engine::Decoder) continues text, an [`Encoder`](engine::Encoder) turns a text into a
//!   vector. Both are written once, for every [`TransformerDevice`](engine::TransformerDevice).
//! - [`mod@reference`] computes the same in f64, without caches, plans or buckets, for comparison.
//!
//! An operation asks the registry for a plan by its shapes and runs it. Shapes that grow with a sequence are rounded up to buckets
//! by the keys of the kernels, so that after the first pass over a bucket nothing is created:
//!
//! ```
//! use metallic::Dtype;
//! use metallic::caching::ResourceCache;
//! use metallic_host::HostDevice;
//! use metallic_transformer::engine::Decoder;
//! use metallic_transformer::model::{Gpt2, Shape, builtin};
//!
//! let shape = Shape { width: 32, heads: 4, layers: 2, inner: 64, positions: 32, ..builtin::SHAPE };
//! let model = Gpt2::from_seed(shape, builtin::SEED);
//! let device = HostDevice::new();
//! let mut decoder = Decoder::new(&model, device.clone(), ResourceCache::with_device(device), Dtype::F32);
//!
//! let mut creations = Vec::new();
//! for prompt in [b"cache", b"again"] {
//!     decoder.restart();
//!     let ids: Vec<u32> = prompt.iter().map(|byte| u32::from(*byte)).collect();
//!     let logits = decoder.feed(&ids)?;
//!     assert_eq!(logits.len(), 256);
//!     creations.push(decoder.cache().registry().metrics_by_name().map(|(_, cache)| cache.misses).sum::<u64>());
//! }
//! assert_eq!(creations[0], creations[1], "a prompt of the same bucket creates nothing");
//! # Ok::<(), metallic::error::MetalError>(())
//! ```
//!
//! A model that cannot be loaded is an [`Error`] that names the file; what fails on a device is metallic's error.
#![forbid(unsafe_code)]

pub mod engine;
mod error;
pub mod model;
pub mod reference;

pub use error::Error;
