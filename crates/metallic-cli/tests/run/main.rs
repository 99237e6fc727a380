//! `metallic run` and `metallic devices`: errors, results against transformers' and against f64, what the caches do.

mod arguments;
#[path = "../../../metallic-transformer/tests/engine/checkpoints.rs"]
mod checkpoints;
mod contract;
mod endings;
mod folders;
mod output;
mod program;
mod results;
#[path = "../../../metallic-transformer/tests/engine/tensors.rs"]
mod tensors;
#[cfg(feature = "wgpu")]
mod wgpu;
mod workers;
