//! The processor.

mod processor;

use std::num::NonZeroUsize;

use metallic::Dtype;
use metallic::device::ComputeDevice;
use metallic_host::HostDevice;

use crate::devices::{DeviceCaches, Host};

impl DeviceCaches for HostDevice {}

/// The host with this many threads, and its name.
pub(in crate::devices) fn open(threads: Option<NonZeroUsize>) -> (HostDevice, String) {
    let device = threads.map_or_else(HostDevice::new, HostDevice::with_threads);
    let threads = match device.threads().get() {
        1 => "1 thread".to_owned(),
        threads => format!("{threads} threads"),
    };
    let name = processor::name().map_or_else(String::new, |name| format!(" of {name}"));
    (device, format!("host, {threads}{name}"))
}

/// The host as `metallic devices` lists it.
pub(in crate::devices) fn describe() -> Host {
    let host = HostDevice::new();
    Host {
        name: processor::name(),
        threads: host.threads().get(),
        extensions: processor::extensions(),
        f16: host.supports(Dtype::F16),
    }
}
