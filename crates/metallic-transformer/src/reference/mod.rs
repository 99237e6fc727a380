//! The models in f64, as plainly as they can be written: what `--verify` compares a device's results with.
//!
//! It shares the weights with the devices' code and nothing else: no cached keys and values, no plans, no buckets. A whole
//! sequence goes through all layers at once.

mod bert;
mod gpt2;
mod matrix;

pub use bert::embedding;
pub use gpt2::logits;
