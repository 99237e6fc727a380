//! The library as its users meet it.
#![allow(clippy::unwrap_used, reason = "tests throughout; clippy knows only those in functions marked so")]

mod armed_slots;
mod by_name;
mod creations;
mod devices;
mod documents;
mod doubles;
mod events;
mod expectations;
mod failures;
mod imports;
mod keyed_caches;
mod kv_cache;
mod kv_cache_model;
mod labels;
mod log;
mod metrics;
mod panicking_clock;
mod panics;
mod prepared_tensors;
mod prepared_tensors_model;
mod registry;
mod slot_reports;
mod slots;
mod spans;
mod spec_examples;
mod spec_kernels;
mod spec_recipes;
mod vec_device;
mod verification;

#[path = "../source/mod.rs"]
mod source;
