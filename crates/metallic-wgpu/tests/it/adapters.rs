//! Choosing an adapter.

use metallic::error::MetalError;
use metallic_wgpu::{AdapterSelection, NoAdapter, WgpuDevice};

use crate::software::{device, selection};

fn no_adapter(selection: &AdapterSelection) -> NoAdapter {
    let error = WgpuDevice::new(selection).expect_err("there is no such adapter");
    let MetalError::Device { source, .. } = error else { panic!("{error:?}") };
    *source.downcast().expect("the source says what was asked for")
}

#[test]
fn an_adapter_that_does_not_exist_is_an_error_that_names_those_that_do() {
    let missing = no_adapter(&AdapterSelection::Name("no such adapter".into()));
    assert!(missing.to_string().starts_with("there is no adapter named like `no such adapter`"));
    let adapters = WgpuDevice::adapters();
    let beyond = no_adapter(&AdapterSelection::Index(adapters.len()));
    assert_eq!(beyond.found, adapters);
    for adapter in adapters {
        assert!(beyond.to_string().contains(&adapter.name));
    }
}

#[test]
fn a_software_adapter_is_never_taken_for_a_real_gpu() {
    match WgpuDevice::new(&AdapterSelection::RealGpu) {
        Ok(device) => assert!(!device.adapter().is_software),
        Err(_) => {
            let missing = no_adapter(&AdapterSelection::RealGpu);
            assert!(missing.found.iter().all(|adapter| adapter.is_software), "{missing}");
        }
    }
}

#[test]
fn an_adapter_can_be_had_by_its_index_and_by_a_part_of_its_name() {
    if device().is_none() {
        return;
    }
    let adapters = WgpuDevice::adapters();
    let first = &adapters[0];
    let by_index = WgpuDevice::new(&AdapterSelection::Index(0)).unwrap();
    assert_eq!(by_index.adapter(), first);
    let by_name = WgpuDevice::new(&AdapterSelection::Name(first.name.to_uppercase())).unwrap();
    assert_eq!(by_name.adapter(), first);
}

#[test]
fn a_software_adapter_says_that_it_is_one_and_compiles_lazily() {
    let Some(device) = device() else { return };
    let adapter = device.adapter();
    if selection() == AdapterSelection::Software {
        assert!(adapter.is_software && adapter.compiles_lazily, "{adapter}");
        assert_eq!(adapter.kind, "software");
    }
    assert!(adapter.max_tensor_bytes >= 128 << 20 && adapter.max_tensor_bytes <= adapter.max_buffer_bytes);
    assert!(format!("{device:?}").contains(&adapter.name));
}
