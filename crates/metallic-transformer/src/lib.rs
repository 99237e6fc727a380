//! Transformers on any device that metallic knows: the worked example of an engine whose every plan, weight, key and value
//! comes out of a cache.
#![forbid(unsafe_code)]

pub mod engine;
mod error;
pub mod model;
pub mod reference;

pub use error::Error;
