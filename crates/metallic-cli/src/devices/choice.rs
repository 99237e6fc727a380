//! Which device a run takes, and why.

use std::num::NonZeroUsize;

use metallic::device::HostDevice;
#[cfg(feature = "wgpu")]
use metallic::error::MetalError;
#[cfg(feature = "wgpu")]
use metallic_wgpu::{AdapterSelection, NoAdapter, WgpuDevice};

use super::processor;
use super::wanted::Wanted;
use crate::error::Error;
#[cfg(feature = "wgpu")]
use crate::units::bytes;

/// A device that is open.
#[derive(Debug)]
pub enum Chosen {
    /// The processor.
    Host(HostDevice),
    /// An adapter of wgpu.
    #[cfg(feature = "wgpu")]
    Wgpu(WgpuDevice),
}

impl Chosen {
    /// `host` or `wgpu`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Host(_) => "host",
            #[cfg(feature = "wgpu")]
            Self::Wgpu(_) => "wgpu",
        }
    }
}

/// A device, and why it is that one.
#[derive(Debug)]
pub struct Choice {
    /// The device.
    pub device: Chosen,
    /// What it is.
    pub name: String,
    /// Why it was taken.
    pub why: String,
}

impl Choice {
    /// Takes what is wanted. `threads` are those of the host; `largest` is the size of the largest tensor that there is to be,
    /// in bytes, which a device that nobody named must allow.
    ///
    /// # Errors
    /// There is no such device, or it cannot be opened.
    #[cfg(feature = "wgpu")]
    pub fn make(wanted: &Wanted, threads: Option<NonZeroUsize>, largest: u64) -> Result<Self, Error> {
        let selection = match wanted {
            Wanted::Host => return Ok(host(threads, "as asked for".to_owned())),
            Wanted::Auto => {
                return Ok(match WgpuDevice::new(&AdapterSelection::RealGpu) {
                    Ok(device) => {
                        match too_small(&device.adapter().name, device.adapter().max_tensor_bytes, largest) {
                            None => adapter(device, "auto, since it is a real GPU".to_owned()),
                            Some(cause) => host(threads, format!("auto, since {cause}")),
                        }
                    }
                    Err(error) => host(threads, format!("auto, since {}", reason(error))),
                });
            }
            Wanted::AnyAdapter => AdapterSelection::Any,
            Wanted::Software => AdapterSelection::Software,
            Wanted::Named(name) => AdapterSelection::Name(name.clone()),
            Wanted::Numbered(number) => AdapterSelection::Index(*number),
        };
        Ok(adapter(WgpuDevice::new(&selection)?, "as asked for".to_owned()))
    }

    /// Takes what is wanted. `threads` are those of the host, which allows tensors of any size.
    ///
    /// # Errors
    /// There is no such device in a program that was built without wgpu.
    #[cfg(not(feature = "wgpu"))]
    pub fn make(wanted: &Wanted, threads: Option<NonZeroUsize>, _largest: u64) -> Result<Self, Error> {
        match wanted {
            Wanted::Host => Ok(host(threads, "as asked for".to_owned())),
            Wanted::Auto => Ok(host(threads, "auto, since this program was built without wgpu".to_owned())),
            _ => Err(Error::Nothing("this program was built without wgpu".to_owned())),
        }
    }
}

/// Why the adapter cannot hold the model, if it cannot.
#[cfg(feature = "wgpu")]
fn too_small(name: &str, most: u64, largest: u64) -> Option<String> {
    (largest > most).then(|| {
        format!("{name} has tensors up to {}, and the model has one of {}", bytes(most), bytes(largest))
    })
}

/// Why there is no real GPU.
#[cfg(feature = "wgpu")]
fn reason(error: MetalError) -> String {
    match &error {
        MetalError::Device { source, .. } if source.is::<NoAdapter>() => source.to_string(),
        _ => Error::from(error).to_string(),
    }
}

#[cfg(feature = "wgpu")]
fn adapter(device: WgpuDevice, why: String) -> Choice {
    Choice { name: device.adapter().to_string(), device: Chosen::Wgpu(device), why }
}

fn host(threads: Option<NonZeroUsize>, why: String) -> Choice {
    let device = threads.map_or_else(HostDevice::new, HostDevice::with_threads);
    let threads = match device.threads().get() {
        1 => "1 thread".to_owned(),
        threads => format!("{threads} threads"),
    };
    let name = processor::name().map_or_else(String::new, |name| format!(" of {name}"));
    Choice { device: Chosen::Host(device), name: format!("host, {threads}{name}"), why }
}

#[cfg(all(test, feature = "wgpu"))]
mod tests {
    use super::too_small;

    #[test]
    fn an_adapter_that_cannot_hold_the_largest_tensor_is_too_small() {
        assert_eq!(too_small("a GPU", 1 << 20, 1 << 20), None);
        let cause = too_small("a GPU", 1 << 20, 1 << 21).expect("it is too small");
        assert!(cause.starts_with("a GPU has tensors up to 1"), "{cause}");
    }
}
