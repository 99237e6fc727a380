//! The library as its users meet it.
#![allow(clippy::unwrap_used)]

mod doubles;
mod events;
mod failures;
mod imports;
mod metrics;
mod registry;
mod spec_examples;
