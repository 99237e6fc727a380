//! The sinks and exporters, seen from outside.
#![allow(clippy::unwrap_used, reason = "tests throughout; clippy knows only those in functions marked so")]

mod doubles;
#[cfg(feature = "jsonl")]
mod faulty;
#[cfg(feature = "jsonl")]
mod foreign_files;
#[cfg(feature = "jsonl")]
mod from_vars;
#[cfg(feature = "jsonl")]
#[path = "../json_schema/mod.rs"]
mod json_schema;
#[cfg(feature = "jsonl")]
mod jsonl_exporter;
#[cfg(feature = "jsonl")]
mod jsonl_faults;
#[cfg(feature = "jsonl")]
mod jsonl_one_exporter;
#[cfg(feature = "jsonl")]
mod jsonl_reader;
#[cfg(feature = "jsonl")]
mod jsonl_rotation;
#[cfg(feature = "jsonl")]
mod jsonl_round_trip;
#[cfg(feature = "jsonl")]
mod jsonl_under_faults;
#[cfg(feature = "metrics")]
mod metrics_exporter;
mod samples;
#[cfg(feature = "jsonl")]
mod schema;
mod sinks;
#[cfg(feature = "tracing")]
mod tracing_exporter;
