//! Transformers with their weights on the host, as they are read from a folder or made from a seed.
//!
//! Nothing here computes: [`crate::engine`] runs a model on a device, [`mod@crate::reference`] runs it in f64.

pub mod bert;
pub mod builtin;
pub mod config;
pub mod folder;
pub mod gpt2;
pub mod parts;
pub mod random;
pub mod tokens;
pub mod weights;

pub use bert::Bert;
pub use config::{Activation, Shape};
pub use folder::{FILES, Loaded, Model};
pub use gpt2::Gpt2;
pub use tokens::Tokens;
pub use weights::Weight;
