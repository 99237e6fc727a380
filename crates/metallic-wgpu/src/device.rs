//! A GPU through wgpu.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metallic::Dtype;
use metallic::caching::{CacheMetrics, CacheRegistry, EvictionPolicy, SendRegistry};
use metallic::error::MetalError;

use crate::adapter::{AdapterDescription, AdapterSelection};
use crate::arguments::{Argument, encode};
use crate::descriptors::{
    Allocation, BindGroupKernel, BindGroupKey, Connection, LayoutKernel, LayoutKey, PipelineKernel,
    PipelineKey, WgpuPipeline,
};
use crate::kernels::CopyPipelines;
use crate::stream::Stream;
use crate::tensor::WgpuTensor;
use crate::{DEFAULT_BIND_GROUPS, MAX_BUFFERS, adapter};

/// A GPU, or a software adapter, through wgpu: a [`ComputeDevice`](metallic::device::ComputeDevice) for all operations of
/// [`metallic::kernels`]. A cheap handle; all clones are the same device, and any thread can use them.
#[derive(Clone)]
pub struct WgpuDevice {
    shared: Arc<Shared>,
}

/// What the kernels' work is cut up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tuning {
    /// Many invocations, and memory that a workgroup shares.
    Gpu,
    /// Few invocations with much work each, as a processor runs eight or so at a time and shares nothing faster than its
    /// caches.
    Processor,
}

struct Shared {
    adapter: AdapterDescription,
    tuning: Tuning,
    connection: Connection,
    copy_pipelines: CopyPipelines,
    // Where both are needed, descriptors are locked first and let go before the stream is.
    descriptors: Mutex<SendRegistry<Connection>>,
    stream: Mutex<Stream>,
}

impl WgpuDevice {
    /// All adapters that can run the kernels, the best first. [`AdapterSelection::Index`] counts them from 0. Looks at all
    /// interfaces, OpenGL included.
    pub fn adapters() -> Vec<AdapterDescription> {
        adapter::all().iter().map(AdapterDescription::of).collect()
    }

    /// Opens an adapter.
    ///
    /// # Errors
    /// [`MetalError::Device`], with a [`NoAdapter`](crate::NoAdapter) as its source if no adapter is what is asked for: the
    /// normal road to another device. With another source if the driver cannot open it.
    pub fn new(selection: &AdapterSelection) -> Result<Self, MetalError> {
        let adapter = adapter::select(selection)?;
        let description = AdapterDescription::of(&adapter);
        let tuning = if description.is_software { Tuning::Processor } else { Tuning::Gpu };
        Self::open(&adapter, description, tuning)
    }

    /// As [`new`](Self::new), but tuned for something else than what the adapter is: to compare, or to test on one what
    /// will run on the other.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_tuning(selection: &AdapterSelection, tuning: Tuning) -> Result<Self, MetalError> {
        let adapter = adapter::select(selection)?;
        Self::open(&adapter, AdapterDescription::of(&adapter), tuning)
    }

    fn open(
        adapter: &wgpu::Adapter,
        description: AdapterDescription,
        tuning: Tuning,
    ) -> Result<Self, MetalError> {
        let connection = Connection::open(adapter, &description)?;
        let mut descriptors = CacheRegistry::sendable(Some(connection.clone()));
        descriptors
            .set_eviction_policy::<BindGroupKernel>(EvictionPolicy::size_limited_lru(DEFAULT_BIND_GROUPS));
        let (descriptors, stream) = (Mutex::new(descriptors), Mutex::default());
        let copy_pipelines = CopyPipelines::default();
        let shared = Shared { adapter: description, tuning, connection, copy_pipelines, descriptors, stream };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What it was opened on.
    pub fn adapter(&self) -> &AdapterDescription {
        &self.shared.adapter
    }

    /// What its kernels are tuned for.
    pub fn tuning(&self) -> Tuning {
        self.shared.tuning
    }

    /// Calls `look` with the registry of what kernels share: [`PipelineKernel`], [`LayoutKernel`] and [`BindGroupKernel`].
    /// Policies, metrics, a clock and a sink are its own, apart from those of the caller's registry. Operations of other
    /// threads wait meanwhile; one called from inside `look` would wait for ever.
    ///
    /// ```no_run
    /// # use std::sync::Arc;
    /// use metallic::caching::EvictionPolicy;
    /// use metallic_wgpu::{AdapterSelection, BindGroupKernel, WgpuDevice};
    /// # use metallic_instrumentation::EventSink;
    /// # fn open(sink: Arc<dyn EventSink>) -> Result<(), metallic::error::MetalError> {
    /// let device = WgpuDevice::new(&AdapterSelection::Any)?;
    /// device.with_descriptors(|registry| {
    ///     registry.set_eviction_policy::<BindGroupKernel>(EvictionPolicy::size_limited_lru(500));
    ///     *registry = std::mem::take(registry).with_sink(sink);
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_descriptors<R>(&self, look: impl FnOnce(&mut SendRegistry<Connection>) -> R) -> R {
        // A panic in `look` leaves whole caches, as all panics in callbacks of a registry do.
        look(&mut self.shared.descriptors.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Snapshots of the caches of what kernels share, in the order of their names.
    pub fn descriptor_metrics(&self) -> Vec<(&'static str, CacheMetrics)> {
        self.with_descriptors(|registry| registry.metrics_by_name().collect())
    }

    /// Compiles a kernel of the caller's own, or finds it: the same source is compiled once. `name` is its name in the
    /// events of the cache and in debuggers.
    ///
    /// The shader has one entry point. In group 0 it finds, at binding 0, a uniform `struct` of at most 32 arguments, and from
    /// binding 1 on `reads` buffers that it reads, then `writes` that it writes, six in all. With all arguments 0 it must do
    /// nothing: a dispatch like that is part of its creation where the driver compiles at the first one. What it reads of its
    /// workgroup's memory it must have written, as that is not cleared.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if there are too many buffers; [`MetalError::Device`] if the source is wrong, or the driver
    /// refuses it.
    pub fn compile(&self, name: &str, wgsl: &str, reads: u8, writes: u8) -> Result<WgpuPipeline, MetalError> {
        let layout = LayoutKey { reads, writes };
        if layout.buffers() > MAX_BUFFERS {
            return Err(MetalError::invalid_params(format!(
                "{name} has {} buffers, where a kernel can have {MAX_BUFFERS}",
                layout.buffers()
            )));
        }
        self.connection().faults.check("pipeline compilation")?;
        self.with_descriptors(|registry| {
            let layouts = registry.get_or_create::<LayoutKernel>(&layout, None)?.clone();
            let key = PipelineKey { name: name.into(), source: wgsl.into(), layouts };
            registry.get_or_create::<PipelineKernel>(&key, None).cloned()
        })
    }

    /// Runs `workgroups` of a kernel, after all that was asked for before.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if these are not as many buffers as it has, or another device's, or more arguments or
    /// workgroups than there can be; nothing was done then. [`MetalError::Device`] if the device fails.
    pub fn dispatch(
        &self,
        pipeline: &WgpuPipeline,
        reads: &[&WgpuTensor],
        writes: &mut [&mut WgpuTensor],
        arguments: &[Argument],
        workgroups: [usize; 3],
    ) -> Result<(), MetalError> {
        let connection = self.connection();
        connection.faults.check("a dispatch")?;
        let key = pipeline.layouts.key;
        if (reads.len(), writes.len()) != (key.reads.into(), key.writes.into()) {
            return Err(MetalError::invalid_params(format!(
                "{} and {} buffers to read and write, where the kernel has {} and {}",
                reads.len(),
                writes.len(),
                key.reads,
                key.writes
            )));
        }
        let tensors = || reads.iter().copied().chain(writes.iter().map(|tensor| &**tensor));
        tensors().try_for_each(|tensor| self.check_owns(tensor))?;
        if workgroups.contains(&0) {
            return Ok(());
        }
        let workgroups = self.check_workgroups(workgroups)?;
        let arguments = encode(arguments)?;
        let key = BindGroupKey::new(key, tensors().map(|tensor| &*tensor.allocation));
        let group =
            self.with_descriptors(|registry| registry.get_or_create::<BindGroupKernel>(&key, None).cloned())?;
        self.stream().dispatch(connection, pipeline, &group, &arguments, workgroups);
        Ok(())
    }

    /// wgpu's own handle, for what this crate does not offer. What it reports outside a scope of the caller's is returned by
    /// the next call here; calling its `destroy`, or replacing its callbacks, takes that from the device.
    pub fn device(&self) -> &wgpu::Device {
        &self.connection().device
    }

    /// wgpu's own queue. What is submitted to it comes before the operations that are recorded here and not yet handed over.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.connection().queue
    }

    /// Gives the device up, with all its memory: every later call on any handle is an error with a
    /// [`DeviceLost`](crate::DeviceLost) as its source.
    pub fn destroy(&self) {
        self.connection().device.destroy();
        // wgpu says so at the next poll; what is under way is over then.
        let _ = self.connection().wait(None);
        self.connection().faults.lose("it was destroyed".into());
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.shared.connection
    }

    pub(crate) fn copy_pipelines(&self) -> &CopyPipelines {
        &self.shared.copy_pipelines
    }

    pub(crate) fn stream(&self) -> MutexGuard<'_, Stream> {
        // A panic leaves at worst commands that are never submitted.
        self.shared.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn has_type(&self, dtype: Dtype) -> bool {
        match dtype {
            Dtype::F32 => true,
            Dtype::F16 => self.shared.adapter.f16,
            _ => false,
        }
    }

    /// Gives the memory of a dropped tensor back.
    pub(crate) fn retire(&self, allocation: &Arc<Allocation>) {
        self.stream().retire(allocation);
    }

    /// That a tensor is this device's.
    pub(crate) fn check_owns(&self, tensor: &WgpuTensor) -> Result<(), MetalError> {
        if Arc::ptr_eq(&self.shared, &tensor.device.shared) {
            return Ok(());
        }
        Err(MetalError::invalid_params("a tensor is on another device"))
    }

    fn check_workgroups(&self, workgroups: [usize; 3]) -> Result<[u32; 3], MetalError> {
        let most = self.connection().device.limits().max_compute_workgroups_per_dimension;
        let mut checked = [0; 3];
        for (checked, count) in checked.iter_mut().zip(workgroups) {
            *checked = u32::try_from(count).ok().filter(|count| *count <= most).ok_or_else(|| {
                MetalError::invalid_params(format!("{count} workgroups, where the device can run {most}"))
            })?;
        }
        Ok(checked)
    }
}

impl fmt::Debug for WgpuDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WgpuDevice").field("adapter", &self.shared.adapter).finish_non_exhaustive()
    }
}
