//! Bytes are events and the faults of a writer: what the log and the counts say agrees with what was recorded.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/metallic-instrumentation/tests/it/faulty.rs"]
mod faulty;

fuzz_target!(|bytes: &[u8]| faulty::run(bytes));
