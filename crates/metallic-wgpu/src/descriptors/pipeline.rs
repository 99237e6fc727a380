//! Compiled shaders.

use std::fmt;
use std::sync::Arc;

use metallic::caching::CacheableKernel;
use metallic::error::MetalError;

use super::bind_group::bind;
use super::bindable::Allocation;
use super::connection::Connection;
use super::layout::{ARGUMENT_BYTES, LayoutKey, Layouts};
use crate::fault::captured;
use crate::tensor::allocate;

/// A shader, its name and its layout. Two keys are equal if their sources are.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PipelineKey {
    pub(crate) name: Arc<str>,
    pub(crate) source: Arc<str>,
    pub(crate) layouts: Layouts,
}

impl fmt::Debug for PipelineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LayoutKey { reads, writes } = self.layouts.key;
        f.debug_struct("PipelineKey")
            .field("name", &self.name)
            .field("reads", &reads)
            .field("writes", &writes)
            .finish_non_exhaustive()
    }
}

/// A compiled kernel: what [`WgpuDevice::dispatch`](crate::WgpuDevice::dispatch) runs. A cheap handle; handles of
/// one pipeline are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WgpuPipeline {
    pub(crate) pipeline: wgpu::ComputePipeline,
    pub(crate) layouts: Layouts,
}

/// The cache `wgpu_pipeline`: all kernels by their source. Where drivers put compilation off to the first dispatch, creation
/// includes one, with all arguments 0: the pipeline is ready when it is had, and the time of its creation is true.
#[derive(Debug)]
pub enum PipelineKernel {}

impl CacheableKernel<Connection> for PipelineKernel {
    type Key = PipelineKey;
    type CachedResource = WgpuPipeline;
    type Params = PipelineKey;

    const CACHE_NAME: &'static str = "wgpu_pipeline";

    fn create_cache_key(params: &PipelineKey) -> PipelineKey {
        params.clone()
    }

    fn create_cached_resource(
        key: &PipelineKey,
        device: Option<&Connection>,
    ) -> Result<WgpuPipeline, MetalError> {
        let connection = device.ok_or(MetalError::DeviceNotAvailable)?;
        let pipeline = captured(&connection.device, "pipeline compilation", || compile(connection, key))?;
        let compiled = WgpuPipeline { pipeline, layouts: key.layouts.clone() };
        if connection.compiles_lazily {
            dispatch_nothing(connection, &compiled)?;
        }
        connection.faults.check("pipeline compilation")?;
        Ok(compiled)
    }
}

fn compile(connection: &Connection, key: &PipelineKey) -> wgpu::ComputePipeline {
    let module = connection.device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(&key.name),
        source: wgpu::ShaderSource::Wgsl((&*key.source).into()),
    });
    connection.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(&key.name),
        layout: Some(&key.layouts.pipeline),
        module: &module,
        entry_point: None,
        compilation_options: wgpu::PipelineCompilationOptions {
            // The kernels write all that they read of it.
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        },
        cache: None,
    })
}

/// One workgroup whose arguments say that there is nothing to do.
fn dispatch_nothing(connection: &Connection, compiled: &WgpuPipeline) -> Result<(), MetalError> {
    let buffers = (0..compiled.layouts.key.buffers())
        .map(|_| allocate(connection, 16))
        .collect::<Result<Vec<Arc<Allocation>>, _>>()?;
    let Connection { device, queue, .. } = connection;
    // Arguments of its own, which begin as zeros: the device's may be on their way to another thread's dispatches.
    let arguments = captured(device, "allocation of arguments", || {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("metallic no arguments"),
            size: ARGUMENT_BYTES,
            usage: wgpu::BufferUsages::UNIFORM,
            mapped_at_creation: false,
        })
    })?;
    let buffers = buffers.iter().map(|allocation| &allocation.buffer);
    let group = bind(device, &compiled.layouts.group, &arguments, buffers)?;
    let submission = captured(device, "a pipeline's first dispatch", || {
        let mut encoder = device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&compiled.pipeline);
        pass.set_bind_group(0, &group, &[0]);
        pass.dispatch_workgroups(1, 1, 1);
        drop(pass);
        queue.submit([encoder.finish()])
    })?;
    connection.wait(Some(submission))
}
