//! The open device that descriptors are created on.

use std::env::consts::{ARCH, OS};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use metallic::creation::Fingerprint;
use metallic::error::MetalError;
use pollster::FutureExt;

use super::bindable::{Allocation, Bindable};
use crate::adapter::AdapterDescription;
use crate::fault::{Faults, captured};
use crate::limits::ARGUMENT_BYTES;

/// An open adapter: the device of [`PipelineKernel`](crate::PipelineKernel) and its like.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    pub(crate) faults: Arc<Faults>,
    /// The arguments of the dispatches of one submission, [`argument_stride`](Self::argument_stride) bytes apart.
    pub(crate) arguments: wgpu::Buffer,
    pub(crate) argument_stride: u32,
    pub(crate) bindable: Arc<Bindable>,
    pub(crate) compiles_lazily: bool,
    /// The fingerprint of the driver's artifacts; `None` if it has none, or none that spare it anything.
    pub(crate) fingerprint: Option<Fingerprint>,
}

/// The compiler of shaders: this crate chooses how, and wgpu translates them. A test compares the version with the workspace's.
const COMPILER: &str = concat!("metallic-wgpu ", env!("CARGO_PKG_VERSION"), ", wgpu 30");

/// The adapters whose artifacts are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Artifacts {
    /// Those that artifacts spare the compiler.
    Useful,
    /// For tests: software adapters, too.
    EvenOfSoftware,
}

impl Connection {
    /// The most dispatches of a submission.
    pub(crate) const DISPATCHES: u32 = 256;

    pub(crate) fn open(
        adapter: &wgpu::Adapter,
        description: &AdapterDescription,
        artifacts: Artifacts,
    ) -> Result<Self, MetalError> {
        let mut wanted = wgpu::Features::SHADER_F16 | wgpu::Features::TIMESTAMP_QUERY;
        let keeps = description.keeps_artifacts || artifacts == Artifacts::EvenOfSoftware;
        if keeps {
            wanted |= wgpu::Features::PIPELINE_CACHE;
        }
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("metallic"),
            required_features: adapter.features() & wanted,
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .block_on()
            .map_err(|error| MetalError::device("opening the device", error))?;
        let faults = Arc::<Faults>::default();
        device.set_device_lost_callback({
            let faults = faults.clone();
            move |_, message| faults.lose(message)
        });
        device.on_uncaptured_error({
            let faults = faults.clone();
            Arc::new(move |error| faults.keep(error))
        });
        let argument_stride =
            (ARGUMENT_BYTES as u32).max(device.limits().min_uniform_buffer_offset_alignment);
        let arguments = captured(&device, "allocation of arguments", || {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("metallic arguments"),
                size: u64::from(argument_stride) * u64::from(Self::DISPATCHES),
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })?;
        let compiles_lazily = description.compiles_lazily;
        let has = device.features().contains(wgpu::Features::PIPELINE_CACHE);
        let fingerprint = has.then(|| fingerprint(&adapter.get_info()));
        let bindable = Arc::default();
        Ok(Self { device, queue, faults, arguments, argument_stride, bindable, compiles_lazily, fingerprint })
    }

    /// Allocates a buffer of zeros that kernels and copies can use. wgpu clears it before its first use.
    pub(crate) fn allocate(&self, bytes: u64) -> Result<Arc<Allocation>, MetalError> {
        const OPERATION: &str = "allocation";
        self.faults.check(OPERATION)?;
        let buffer = captured(&self.device, OPERATION, || {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("metallic tensor"),
                size: bytes,
                usage: wgpu::BufferUsages::STORAGE
                    | wgpu::BufferUsages::COPY_SRC
                    | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })?;
        self.faults.check(OPERATION)?;
        Ok(Arc::new(Allocation::new(&self.bindable, buffer)))
    }

    /// Waits for a submission, or for all.
    pub(crate) fn wait(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<(), MetalError> {
        const OPERATION: &str = "waiting for the device";
        let wait = wgpu::PollType::Wait { submission_index, timeout: None };
        // wgpu panics in `poll`, and nowhere else, when the driver loses the device meanwhile; its callback was called then.
        match catch_unwind(AssertUnwindSafe(|| self.device.poll(wait))) {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                self.faults.check(OPERATION)?;
                return Err(MetalError::device(OPERATION, error));
            }
            Err(panic) => {
                let message = panic.downcast_ref::<String>().cloned();
                self.faults.lose(message.unwrap_or_else(|| "the driver gave no reason".into()));
            }
        }
        self.faults.check(OPERATION)
    }
}

/// The fingerprint of a driver's artifacts, besides the shader.
fn fingerprint(adapter: &wgpu::AdapterInfo) -> Fingerprint {
    let wgpu::AdapterInfo { name, vendor, device, driver, driver_info, .. } = adapter;
    Fingerprint::new()
        .with_layer("compiler", COMPILER)
        .with_layer("driver", format!("{driver} {driver_info}"))
        .with_layer("os", format!("{OS} {ARCH}"))
        .with_layer("device", format!("{name} {vendor:04x}:{device:04x}"))
}
