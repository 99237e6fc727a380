//! Alone in its process, since it looks at the memory of the whole.

use metallic::Dtype;
use metallic::caching::ResourceCache;
use metallic::device::ComputeDevice;
use metallic::kernels::add::{AddCall, AddParams};
use metallic_wgpu::{AdapterSelection, WgpuDevice};

const ELEMENTS: usize = 8 << 20;

/// The memory of this process, in MiB, where the system has a file that says so.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<usize>().ok()? / 1024)
}

#[test]
fn a_dropped_tensor_gives_its_memory_back_though_bind_groups_know_it() {
    let device = match WgpuDevice::new(&AdapterSelection::Software) {
        Ok(device) => device,
        Err(error) => {
            let source = std::error::Error::source(&error).map_or_else(String::new, ToString::to_string);
            assert!(std::env::var_os("METALLIC_REQUIRE_WGPU").is_none_or(|v| v != "1"), "{error}: {source}");
            eprintln!("skipped: {error}: {source}");
            return;
        }
    };
    let mut cache = ResourceCache::with_device(device.clone());
    let sum = cache.get_or_create_add(&AddParams { dtype: Dtype::F32 }, None).unwrap();
    let one = device.upload(&[1.0], Dtype::F32).unwrap();
    let zeros = device.zeros(ELEMENTS, Dtype::F32).unwrap();
    // Dropped before the work that uses it was handed over, or after it was done.
    let round = |early: bool| {
        let mut tensor = device.zeros(ELEMENTS, Dtype::F32).unwrap();
        let call = AddCall { elements: ELEMENTS, period: 1, a: &zeros, b: &one, output: &mut tensor };
        sum.run(&device, call).unwrap();
        if early {
            drop(tensor);
            device.synchronize().unwrap();
        } else {
            assert_eq!(device.read(&tensor, ELEMENTS - 1..ELEMENTS).unwrap(), [1.0]);
        }
    };
    round(true);
    round(false);
    let Some(before) = resident() else {
        eprintln!("skipped: this system does not say how much memory is in use");
        return;
    };
    (0..16).for_each(|time| round(time % 2 == 0));
    let after = resident().unwrap();
    assert!(after < before + 100, "{before} MiB, and after 16 more tensors of 32 MiB {after} MiB");
    let bound = device.descriptor_metrics()[0].1.size;
    assert!(bound >= 18, "the bind groups are still there: {bound}");
}
