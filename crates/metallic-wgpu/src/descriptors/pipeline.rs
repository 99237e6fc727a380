//! Compiled shaders.

use std::borrow::Cow;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use metallic::PortableKernel;
use metallic::caching::{CacheableKernel, Composition, Creation};
use metallic::creation::{Fingerprint, PersistentKernel};
use metallic::error::MetalError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::artifact::{self, DriverCache};
use super::bind_group::bind;
use super::bindable::Allocation;
use super::bindings::{LayoutKey, Layouts};
use super::connection::Connection;
use super::layout::LayoutKernel;
use crate::fault::captured;
use crate::limits::{ARGUMENT_BYTES, TENSOR_PADDING};
use crate::shader::Shader;

/// A shader and the shape of its bindings. Built-in shaders are compared by what they are expanded from, others by their
/// source.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PipelineKey {
    shader: ShaderKey,
    layout: LayoutKey,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum ShaderKey {
    /// Expanded in a creation only: a look-up makes no source.
    BuiltIn(Shader),
    Custom {
        name: Arc<str>,
        source: Arc<str>,
    },
}

impl PipelineKey {
    pub(crate) fn built_in(shader: Shader, layout: LayoutKey) -> Self {
        Self { shader: ShaderKey::BuiltIn(shader), layout }
    }

    pub(crate) fn custom(name: &str, source: &str, layout: LayoutKey) -> Self {
        Self { shader: ShaderKey::Custom { name: name.into(), source: source.into() }, layout }
    }

    /// A digest of all that is compiled, the same for keys that lead to one pipeline.
    fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.named_source().1, &self.layout).hash(&mut hasher);
        hasher.finish()
    }

    /// The shader's name and its WGSL source.
    fn named_source(&self) -> (Cow<'_, str>, Cow<'_, str>) {
        match &self.shader {
            ShaderKey::BuiltIn(shader) => (shader.name().into(), shader.source().into()),
            ShaderKey::Custom { name, source } => ((&**name).into(), (&**source).into()),
        }
    }
}

impl fmt::Debug for PipelineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = f.debug_struct("PipelineKey");
        match &self.shader {
            ShaderKey::BuiltIn(shader) => key.field("name", &shader.name()),
            ShaderKey::Custom { name, source } => {
                // Two sources of one name must not look alike in a log, and a whole source is too long for one.
                let mut hasher = DefaultHasher::new();
                source.hash(&mut hasher);
                key.field("name", name).field("source", &format_args!("{:016x}", hasher.finish()))
            }
        };
        key.field("reads", &self.layout.reads).field("writes", &self.layout.writes).finish()
    }
}

/// The portable form of a [`PipelineKey`]: all that is compiled. A rebuilt program whose shaders are unchanged has the same.
#[derive(Serialize, Deserialize)]
struct PortableKey<'a> {
    name: Cow<'a, str>,
    source: Cow<'a, str>,
    reads: u8,
    writes: u8,
}

impl Serialize for PipelineKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (name, source) = self.named_source();
        let LayoutKey { reads, writes } = self.layout;
        PortableKey { name, source, reads, writes }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PipelineKey {
    /// A key with this source. It does not compare equal to that of a built-in shader.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let PortableKey { name, source, reads, writes } = PortableKey::deserialize(deserializer)?;
        Ok(Self::custom(&name, &source, LayoutKey { reads, writes }))
    }
}

/// A compiled kernel, to be run by [`WgpuDevice::dispatch`](crate::WgpuDevice::dispatch). A cheap handle; handles of one
/// pipeline are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WgpuPipeline {
    pub(crate) pipeline: wgpu::ComputePipeline,
    pub(crate) layouts: Layouts,
    /// Digest of all that was compiled.
    source: u64,
}

impl WgpuPipeline {
    /// The source that it was compiled from.
    pub(crate) fn composition(&self) -> Composition {
        Composition::new().with_digest("pipeline", self.source)
    }
}

/// The cache `wgpu_pipeline`: all compiled kernels. If the driver compiles at a pipeline's first dispatch, creation includes
/// one with all arguments 0: the pipeline is then ready, and the time of its creation is true.
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

    fn composition(pipeline: &WgpuPipeline) -> Option<Composition> {
        Some(pipeline.composition())
    }

    /// Fails: it is created from its layout, which [`create`](Self::create) finds.
    fn create_cached_resource(_: &PipelineKey, _: Option<&Connection>) -> Result<WgpuPipeline, MetalError> {
        Err(MetalError::NoRegistry)
    }

    fn create(
        key: &PipelineKey,
        cx: &mut Creation<'_, Self, Connection>,
    ) -> Result<WgpuPipeline, MetalError> {
        let connection = cx.device().ok_or(MetalError::DeviceNotAvailable)?;
        let layouts = cx.get_or_create::<LayoutKernel>(&key.layout)?;
        let cache = artifact::find(cx, connection);
        let pipeline = captured(&connection.device, COMPILATION, || {
            compile(connection, key, &layouts, cache.as_ref().map(DriverCache::cache))
        })?;
        let compiled = WgpuPipeline { pipeline, layouts, source: key.digest() };
        if connection.compiles_lazily {
            dispatch_nothing(connection, &compiled)?;
        }
        connection.faults.check(COMPILATION)?;
        if let Some(cache) = cache {
            cache.save_artifact(cx);
        }
        Ok(compiled)
    }
}

impl PortableKernel<Connection> for PipelineKernel {
    const SCHEMA: u32 = 1;
}

/// A pipeline's artifact is the driver's own cache of that pipeline alone: wgpu cannot merge two of them, so that one for all
/// pipelines would lose what another process adds at the same time.
impl PersistentKernel<Connection> for PipelineKernel {
    fn fingerprint(connection: &Connection) -> Fingerprint {
        connection.fingerprint.clone().unwrap_or_default()
    }
}

/// The operation in errors.
const COMPILATION: &str = "pipeline compilation";

fn compile(
    connection: &Connection,
    key: &PipelineKey,
    layouts: &Layouts,
    cache: Option<&wgpu::PipelineCache>,
) -> wgpu::ComputePipeline {
    let (name, source) = key.named_source();
    let label = Some(&*name);
    let source = wgpu::ShaderSource::Wgsl(source);
    let module = connection.device.create_shader_module(wgpu::ShaderModuleDescriptor { label, source });
    connection.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label,
        layout: Some(&layouts.pipeline),
        module: &module,
        entry_point: None,
        compilation_options: wgpu::PipelineCompilationOptions {
            // The kernels read none of it before they have written it.
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        },
        cache,
    })
}

/// Runs one workgroup, whose arguments say that there is nothing to do.
fn dispatch_nothing(connection: &Connection, compiled: &WgpuPipeline) -> Result<(), MetalError> {
    let buffers = (0..compiled.layouts.key.buffers())
        .map(|_| connection.allocate(TENSOR_PADDING))
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
