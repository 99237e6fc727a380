//! The engine and its models: results against transformers' and against f64, folders that are refused, what is created.

mod checkpoints;
mod folders;
#[cfg(feature = "manifest")]
mod listed_keys;
mod results;
mod steady_state;
mod tensors;
