//! Bytes are operations, and a registry does with them what the model of the property tests does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::{Time, decode, run};

#[path = "../../crates/metallic/tests/model/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the property tests need the rest")]
mod model;

fuzz_target!(|bytes: &[u8]| {
    let Some((time, bytes)) = bytes.split_first() else { return };
    let time = if time % 2 == 0 { Time::Manual } else { Time::System };
    run(time, &decode(bytes));
});
