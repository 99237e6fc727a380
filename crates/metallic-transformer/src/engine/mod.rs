//! Transformers on a device: every plan, prepared weight, key and value comes out of a registry.
//!
//! ```text
//! token ids --> embeddings, looked up on the host --> Layers: one call of a cached plan each --> logits or states, read back
//! ```
//!
//! `decoder` and `encoder` have the order of the layers, `layers` has each of them as a call. All of it is written once for every
//! device that runs the operations: see [`TransformerDevice`].

mod decoder;
mod device;
mod encoder;
mod layers;
mod plans;
mod scratch;
mod steps;
#[cfg(feature = "manifest")]
mod workload;

pub use decoder::Decoder;
pub use device::TransformerDevice;
pub use encoder::Encoder;
#[cfg(feature = "manifest")]
pub use workload::Workload;
