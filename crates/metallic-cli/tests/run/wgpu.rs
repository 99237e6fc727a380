//! The same on a software adapter of wgpu, where there is one. METALLIC_REQUIRE_WGPU=1 makes its absence a failure.

use std::env;
use std::process::Command;

use metallic::Dtype;
use metallic::caching::ResourceCache;
use metallic_transformer::engine::Decoder;
use metallic_transformer::model::{Gpt2, Loaded, Model, Shape, builtin};
use metallic_wgpu::{AdapterSelection, WgpuDevice};

use crate::checkpoints::fixture;
use crate::program::{assert_fails, json, stdout, text};
use crate::results::{assert_as_transformers, assert_f16_as_the_reference};
use crate::workers::assert_workers_change_nothing;

/// Arguments that choose a software adapter; `None`, and the reason, if the tests have to be skipped.
pub(crate) fn software(needs_f16: bool) -> Option<[&'static str; 2]> {
    let devices = json(&["devices"], "");
    let adapters = devices["adapters"].as_array().expect("there is a list");
    let skipped = match adapters.iter().find(|adapter| adapter["is_software"] == true) {
        None => "there is no software adapter of wgpu",
        // The one that `--device software` takes.
        Some(adapter) if needs_f16 && adapter["f16"] != true => {
            if adapter["backend"] == "gl" {
                eprintln!("skipped: OpenGL has no 16-bit floats");
                return None;
            }
            "the software adapter has no 16-bit floats"
        }
        Some(_) => return Some(["--device", "software"]),
    };
    assert!(env::var_os("METALLIC_REQUIRE_WGPU").is_none_or(|v| v != "1"), "{skipped}");
    eprintln!("skipped: {skipped}");
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
fn several_workers_on_wgpu_answer_what_one_does_and_create_what_one_does() {
    if let Some(device) = software(false) {
        assert_workers_change_nothing(&device);
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

#[test]
fn on_wgpu_nothing_is_created_either_not_even_a_bind_group() {
    let Some(_) = software(false) else { return };
    let device = WgpuDevice::new(&AdapterSelection::Software).expect("there is a software adapter");
    let cache = ResourceCache::with_device(device.clone());
    let loaded = Loaded::read(&fixture("gpt2-tiny"), false).expect("the fixture is whole");
    let Model::Gpt2(model) = &loaded.model else { panic!("it is a decoder") };
    let mut decoder = Decoder::new(model, device.clone(), cache, Dtype::F32);
    // As `metallic run` does: with tensors that grew, what was bound to the smaller ones would be made anew.
    decoder.reserve(8, 40).expect("there is memory");
    let mut pass = |prompt: &[u32], tokens: u32| {
        decoder.restart();
        decoder.feed(prompt).expect("the prompt fits");
        for token in 0..tokens {
            decoder.feed(&[token]).expect("the token fits");
        }
        let kernels: Vec<_> = decoder.cache().registry().metrics_by_name().collect();
        let kernels = kernels.into_iter().map(|(name, metrics)| (name.to_owned(), metrics));
        let own = device.descriptor_metrics().into_iter();
        let all = kernels.chain(own.map(|(name, metrics)| (name.to_string(), metrics)));
        all.map(|(name, metrics)| (name, metrics.misses)).collect::<Vec<_>>()
    };
    let first = pass(&[1, 2, 3, 4, 5], 35);
    assert!(first.iter().any(|(name, misses)| *name == "wgpu_bind_group" && *misses > 0), "{first:?}");
    assert_eq!(pass(&[9, 8, 7, 6, 5, 4, 3], 33), first);
}

#[test]
fn the_last_position_can_be_had_where_tensors_are_rounded_up() {
    let Some(_) = software(false) else { return };
    let device = WgpuDevice::new(&AdapterSelection::Software).expect("there is a software adapter");
    // 7 positions of 6 numbers are 168 bytes, and a tensor of wgpu has a multiple of 16.
    let shape =
        Shape { width: 6, heads: 2, layers: 2, inner: 24, vocabulary: 11, positions: 7, ..builtin::SHAPE };
    let model = Gpt2::from_seed(shape, 3);
    let mut decoder = Decoder::new(&model, device.clone(), ResourceCache::with_device(device), Dtype::F32);
    decoder.feed(&[1, 2, 3, 4, 5, 6]).expect("the prompt fits");
    decoder.feed(&[7]).expect("the token fits");
    decoder.feed(&[8]).expect_err("there are 7 positions");
    assert_eq!(decoder.positions(), 7);
}

#[test]
fn a_machine_without_a_desktop_hears_no_complaint_about_it() {
    for argument in ["devices", "--version"] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_metallic"));
        let output = program.arg(argument).env_remove("XDG_RUNTIME_DIR").output().expect("it runs");
        assert!(output.status.success() && !output.stdout.is_empty(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{argument}");
    }
}

#[test]
fn the_table_says_what_creation_times_contain() {
    let Some(device) = software(false) else { return };
    let model = fixture("gpt2-tiny");
    let run = ["run", "--model", text(&model), "--ids", "1,2", "--tokens", "2"];
    let note = "creating kernels contains creating wgpu_pipeline";
    assert!(stdout(&[&run[..], &device].concat(), "").contains(note));
    assert!(!stdout(&[&run[..], &["--device", "host"]].concat(), "").contains(note));
}
