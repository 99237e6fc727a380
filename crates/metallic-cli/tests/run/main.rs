//! `metallic run` and `metallic devices`: errors, results against transformers' and against f64, what the caches do.

mod arguments;
mod checkpoints;
mod folders;
mod output;
mod program;
mod results;
mod steady_state;
#[cfg(feature = "wgpu")]
mod wgpu;
