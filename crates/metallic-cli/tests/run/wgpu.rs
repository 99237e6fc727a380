//! The same on a software adapter of wgpu, where there is one. METALLIC_REQUIRE_WGPU=1 makes its absence a failure.

use std::env;

use crate::program::{assert_fails, fixture, json, text};
use crate::results::{assert_as_transformers, assert_f16_as_the_reference};

/// Arguments that choose a software adapter; `None`, and a word about it, where there is none.
fn software(needs_f16: bool) -> Option<[&'static str; 2]> {
    let devices = json(&["devices"], "");
    let adapters = devices["adapters"].as_array().expect("there is a list");
    let fits = |adapter: &&serde_json::Value| {
        adapter["is_software"] == true && (!needs_f16 || adapter["f16"] == true)
    };
    if adapters.iter().any(|adapter| fits(&adapter)) {
        return Some(["--device", "software"]);
    }
    assert!(env::var_os("METALLIC_REQUIRE_WGPU").is_none_or(|v| v != "1"), "there is no software adapter");
    eprintln!("skipped: there is no software adapter of wgpu");
    None
}

#[test]
fn wgpu_computes_what_transformers_does() {
    if let Some(device) = software(false) {
        assert_as_transformers(&device);
    }
}

#[test]
fn wgpu_computes_in_f16_what_the_reference_does() {
    if let Some(device) = software(true) {
        assert_f16_as_the_reference(&device);
    }
}

#[test]
fn auto_takes_no_software_adapter() {
    let model = fixture("gpt2-tiny");
    let run = json(&["run", "--model", text(&model), "--ids", "1,2", "--tokens", "2"], "");
    let devices = json(&["devices"], "");
    assert_eq!(run["device"]["kind"] == "host", devices["auto_kind"] == "host");
    assert_eq!(run["device"]["why"], devices["why"]);
}

#[test]
fn an_adapter_that_is_not_there_is_an_error_that_says_what_is() {
    assert_fails(&["run", "--device", "wgpu:no such adapter"], "", 1, &["no such adapter"]);
    assert_fails(&["run", "--device", "wgpu:99"], "", 1, &["99"]);
}
