//! Which device a run takes, and why.

use std::num::NonZeroUsize;

use metallic_host::HostDevice;

use super::backends::{host, wgpu};
use super::task::Task;
use super::wanted::Wanted;
use crate::error::Error;

/// A device that is open.
#[derive(Debug)]
pub enum Chosen {
    /// The processor.
    Host(HostDevice),
    /// An adapter of wgpu.
    Wgpu(wgpu::Device),
}

impl Chosen {
    /// `host` or `wgpu`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Host(_) => "host",
            Self::Wgpu(_) => "wgpu",
        }
    }

    /// Performs a task on the device.
    pub fn perform<T: Task>(self, task: T) -> T::Output {
        match self {
            Self::Host(device) => task.perform(device),
            Self::Wgpu(device) => device.perform(task),
        }
    }
}

/// A device, and why it is that one.
#[derive(Debug)]
pub struct Choice {
    /// The device.
    pub device: Chosen,
    /// Its name.
    pub name: String,
    /// Why it was taken.
    pub why: String,
}

impl Choice {
    /// Takes what is wanted. `threads` are those of the host; `largest` is the size of the model's largest tensor in bytes, which
    /// a device that was not asked for by name must allow.
    ///
    /// # Errors
    /// There is no such device, or it cannot be opened.
    pub fn make(wanted: &Wanted, threads: Option<NonZeroUsize>, largest: u64) -> Result<Self, Error> {
        let as_asked = "as asked for".to_owned();
        match wanted {
            Wanted::Host => Ok(Self::host(threads, as_asked)),
            Wanted::Wgpu(adapter) => match wgpu::open(adapter) {
                Ok(opened) => Ok(Self::wgpu(opened, as_asked)),
                Err(unopened) => Err(unopened.into_error("wgpu")),
            },
            Wanted::Auto => Ok(match wgpu::open_gpu(largest) {
                Ok(opened) => Self::wgpu(opened, "auto, since it is a real GPU".to_owned()),
                Err(unopened) => Self::host(threads, format!("auto, since {}", unopened.reason("wgpu"))),
            }),
        }
    }

    fn wgpu((device, name): (wgpu::Device, String), why: String) -> Self {
        Self { device: Chosen::Wgpu(device), name, why }
    }

    fn host(threads: Option<NonZeroUsize>, why: String) -> Self {
        let (device, name) = host::open(threads);
        Self { device: Chosen::Host(device), name, why }
    }
}
