//! The device that the tests of this binary share.

use std::sync::OnceLock;

use metallic::error::MetalError;
use metallic_wgpu::{AdapterSelection, WgpuDevice};

/// Which adapter the tests run on: a software adapter, or the one whose name contains `METALLIC_WGPU_ADAPTER`.
pub(crate) fn selection() -> AdapterSelection {
    match std::env::var("METALLIC_WGPU_ADAPTER") {
        Ok(name) => AdapterSelection::Name(name),
        Err(_) => AdapterSelection::Software,
    }
}

/// A device of the caller's own. Without an adapter the test is skipped, or fails if `METALLIC_REQUIRE_WGPU` is `1`.
pub(crate) fn open() -> Option<WgpuDevice> {
    open_with(WgpuDevice::new)
}

/// As [`open`], with its own choice of constructor.
pub(crate) fn open_with(
    open: impl FnOnce(&AdapterSelection) -> Result<WgpuDevice, MetalError>,
) -> Option<WgpuDevice> {
    match open(&selection()) {
        Ok(device) => Some(device),
        Err(error) => {
            let source = std::error::Error::source(&error).map_or_else(String::new, ToString::to_string);
            assert!(std::env::var_os("METALLIC_REQUIRE_WGPU").is_none_or(|v| v != "1"), "{error}: {source}");
            eprintln!("skipped: {source}");
            None
        }
    }
}

/// The shared device, which is opened once.
pub(crate) fn device() -> Option<&'static WgpuDevice> {
    static DEVICE: OnceLock<Option<WgpuDevice>> = OnceLock::new();
    DEVICE.get_or_init(open).as_ref()
}
