//! A GPU through wgpu.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metallic::Dtype;
use metallic::caching::{CacheMetrics, CacheName, SharedRegistry};
use metallic::creation::ArtifactStore;
use metallic::device::new_identity;
use metallic::error::MetalError;

use crate::adapter::{self, AdapterDescription, AdapterSelection};
use crate::descriptors::{self, Allocation, Artifacts, Connection};
use crate::stream::Stream;

/// A GPU, or a software adapter, through wgpu: a [`ComputeDevice`](metallic::device::ComputeDevice) for all operations of
/// [`metallic::kernels`]. A cheap handle; all clones are the same device, and any thread can use them.
#[derive(Clone)]
pub struct WgpuDevice {
    shared: Arc<Shared>,
}

/// The kind of adapter that kernels are tuned for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tuning {
    /// Many invocations, and memory that a workgroup shares.
    Gpu,
    /// Few invocations with much work each: a processor runs about eight at a time, and shares nothing faster than its caches.
    Processor,
}

struct Shared {
    identity: u64,
    adapter: AdapterDescription,
    tuning: Tuning,
    connection: Connection,
    // No caller holds both: a dispatch asks the descriptors first, and then locks the stream.
    descriptors: SharedRegistry<Connection>,
    stream: Mutex<Stream>,
}

impl WgpuDevice {
    /// All adapters that can run the kernels, the best first. [`AdapterSelection::Index`] counts them from 0.
    pub fn adapters() -> Vec<AdapterDescription> {
        adapter::all().into_iter().map(|(description, _)| description).collect()
    }

    /// Opens an adapter.
    ///
    /// # Errors
    /// [`MetalError::Device`]; its source is a [`NoAdapter`](crate::NoAdapter) if no adapter fits the selection, which is the
    /// usual reason to take another kind of device.
    pub fn new(selection: &AdapterSelection) -> Result<Self, MetalError> {
        Self::open(selection, None, Artifacts::Useful)
    }

    /// Opens an adapter with kernels tuned for another kind, to compare the two or to test on one what will run on the other.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_tuning(selection: &AdapterSelection, tuning: Tuning) -> Result<Self, MetalError> {
        Self::open(selection, Some(tuning), Artifacts::Useful)
    }

    /// Opens an adapter that loads and stores artifacts even if its own compiler is not spared anything by them, as that of a
    /// software adapter is not: to test without a GPU what happens with one.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_artifacts_of_software(selection: &AdapterSelection) -> Result<Self, MetalError> {
        Self::open(selection, None, Artifacts::EvenOfSoftware)
    }

    fn open(
        selection: &AdapterSelection,
        tuning: Option<Tuning>,
        artifacts: Artifacts,
    ) -> Result<Self, MetalError> {
        let (description, adapter) = adapter::select(selection)?;
        let own = if description.is_software { Tuning::Processor } else { Tuning::Gpu };
        let connection = Connection::open(&adapter, &description, artifacts)?;
        let shared = Shared {
            identity: new_identity(),
            adapter: description,
            tuning: tuning.unwrap_or(own),
            descriptors: descriptors::registry(connection.clone()),
            connection,
            stream: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The adapter it was opened on.
    pub fn adapter(&self) -> &AdapterDescription {
        &self.shared.adapter
    }

    /// The kind of adapter its kernels are tuned for.
    pub fn tuning(&self) -> Tuning {
        self.shared.tuning
    }

    /// The device's own registry, of [`PipelineKernel`](crate::PipelineKernel), [`LayoutKernel`](crate::LayoutKernel) and
    /// [`BindGroupKernel`](crate::BindGroupKernel), for all threads. Its policies, metrics and sink are apart from those of the
    /// caller's registry.
    ///
    /// ```no_run
    /// # use std::sync::Arc;
    /// use metallic::caching::EvictionPolicy;
    /// use metallic_wgpu::{AdapterSelection, BindGroupKernel, WgpuDevice};
    /// # use metallic_instrumentation::EventSink;
    /// # fn open(sink: Arc<dyn EventSink>) -> Result<(), metallic::error::MetalError> {
    /// let device = WgpuDevice::new(&AdapterSelection::Any)?;
    /// let registry = device.descriptors();
    /// registry.set_eviction_policy::<BindGroupKernel>(EvictionPolicy::size_limited_lru(500));
    /// registry.set_sink(Some(sink));
    /// # Ok(())
    /// # }
    /// ```
    pub fn descriptors(&self) -> &SharedRegistry<Connection> {
        &self.shared.descriptors
    }

    /// Has pipelines loaded from `store`, and stored there when they are compiled; `None` has them compiled. Adapters that do not
    /// [keep artifacts](AdapterDescription::keeps_artifacts) go on as without.
    pub fn set_store(&self, store: Option<Arc<dyn ArtifactStore>>) {
        self.descriptors().set_store(store);
    }

    /// The metrics of the device's own caches, by name and in the order of their names.
    pub fn descriptor_metrics(&self) -> Vec<(CacheName, CacheMetrics)> {
        self.descriptors().metrics_by_name().collect()
    }

    /// The wgpu device, for what this crate does not offer. An error that wgpu reports outside an error scope is returned by
    /// the next call here, unless the caller replaces wgpu's callbacks. Call [`destroy`](Self::destroy) here and not there.
    pub fn device(&self) -> &wgpu::Device {
        &self.connection().device
    }

    /// The wgpu queue. What is submitted to it runs before operations that are recorded here and not yet submitted.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.connection().queue
    }

    /// Destroys the device and frees its memory. Every later call on any handle is an error with a
    /// [`DeviceLost`](crate::DeviceLost) as its source.
    pub fn destroy(&self) {
        self.connection().device.destroy();
        // wgpu reports the loss at this poll, when all submitted work is over.
        let _ = self.connection().wait(None);
        self.connection().faults.lose("it was destroyed".into());
    }

    pub(crate) fn identity(&self) -> u64 {
        self.shared.identity
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.shared.connection
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

    /// Frees the memory of a dropped tensor once no recorded command uses it.
    pub(crate) fn retire(&self, allocation: &Arc<Allocation>) {
        self.stream().retire(allocation);
    }

    /// Returns `true` if both are handles of one device.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl fmt::Debug for WgpuDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WgpuDevice").field("adapter", &self.shared.adapter).finish_non_exhaustive()
    }
}
