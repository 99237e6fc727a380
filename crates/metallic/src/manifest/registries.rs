//! Registries that are recorded and warmed up.

use std::any::TypeId;
use std::borrow::Cow;
use std::sync::Arc;

use super::coverage::Coverage;
use super::kernels::Holds;
use super::phase::InPhase;
use super::read::Manifest;
use super::ready::Ready;
use super::recording::{Recording, RecordingReport};
use super::warm::{WarmOptions, WarmReport, WarmTarget, WarmUp, on_threads};
use super::writer::ManifestWriter;
use crate::caching::{CacheRegistry, SharedRegistry, SlotContext};
use crate::creation::Supervisor;
use crate::error::Error;
use crate::portable::PortableKernel;

impl Supervisor {
    /// Records the creations of registered kernels from now on. A recording that is under way is ended.
    pub fn record(&self, writer: ManifestWriter) -> Option<RecordingReport> {
        let before = self.stop_recording();
        self.set_recorder(Some(Arc::new(Recording::new(self.warming().clone(), writer))));
        before
    }

    /// Ends the recording, and says what was recorded; `None` if there was none.
    pub fn stop_recording(&self) -> Option<RecordingReport> {
        let recorder: Arc<dyn std::any::Any + Send + Sync> = self.set_recorder(None)?;
        recorder.downcast::<Recording>().ok().map(|recording| recording.finish())
    }

    /// Names the phase that creations are recorded with from now on, on all threads that are in no phase of their own.
    pub fn set_phase(&self, phase: impl Into<Cow<'static, str>>) {
        self.warming().phases.set(phase.into());
    }

    /// Names the phase that creations on this thread are recorded with until the guard is dropped: "prefill" or "decode", where
    /// several threads serve at once. Of several guards the latest counts. What another thread creates for this one is in the
    /// phase of that thread.
    pub fn enter_phase(&self, phase: impl Into<Cow<'static, str>>) -> InPhase {
        self.warming().phases.enter(phase.into())
    }

    /// Says whether warm-up is over.
    pub fn ready(&self) -> Ready {
        self.warming().ready.clone()
    }

    fn register<R: Holds<K, D>, K: PortableKernel<D>, D: 'static>(&self, cache: &str, device: Option<&D>) {
        self.note_portable(TypeId::of::<K>());
        self.warming().register::<R, K, D>(cache);
        if let Some(device) = device {
            K::supervise_device(device, self);
        }
    }
}

impl<D: 'static> SharedRegistry<D> {
    /// Registers kernel `K`, so that its creations are recorded, and its keys in a manifest warmed up.
    pub fn register<K>(&self)
    where
        K: PortableKernel<D, CachedResource: Send + Sync>,
    {
        self.supervisor().register::<Self, K, D>(K::CACHE_NAME, self.device().as_deref());
    }

    /// Records the creations of registered kernels from now on.
    pub fn record(&self, writer: ManifestWriter) {
        self.supervisor().record(writer);
    }

    /// Creates the keys of a manifest, the costliest first, and blocks until all had their turn.
    pub fn warm(&self, manifest: &Manifest, options: &WarmOptions<'_>) -> WarmReport
    where
        D: Send + Sync,
    {
        on_threads(&mut self.clone(), manifest, options)
    }

    /// Begins a warm-up in slices. `memory` is the bytes that resources may take.
    pub fn warm_up(&self, manifest: &Manifest, memory: Option<u64>) -> WarmUp<Self> {
        WarmUp::new(&mut self.clone(), manifest, memory)
    }

    /// Compares the keys of registered kernels that were warmed up with those that were used. What was evicted before is known
    /// only if it was warmed up or was there when the warm-up was over. O(n): one look at each entry.
    pub fn coverage(&self) -> Coverage {
        let warming = self.supervisor().warming().clone();
        let caches = warming.uses(&mut self.clone());
        let seen = warming.seen().clone();
        seen.coverage(caches)
    }
}

impl<D: 'static> CacheRegistry<D> {
    /// Registers kernel `K`, so that its creations are recorded, and its keys in a manifest warmed up. To be called after the
    /// cache was named, if it is not to have its kernel's name.
    pub fn register<K: PortableKernel<D>>(&mut self) {
        let name = self.cache_mut::<K>().name().clone();
        let supervisor = self.supervisor();
        supervisor.register::<Self, K, D>(&name, self.device());
    }

    /// Records the creations of registered kernels from now on.
    pub fn record(&mut self, writer: ManifestWriter) {
        self.supervisor().record(writer);
    }

    /// Creates the keys of a manifest on this thread, the costliest first. Of the options, `threads` does nothing.
    pub fn warm(&mut self, manifest: &Manifest, options: &WarmOptions<'_>) -> WarmReport {
        let mut warm_up = self.warm_up(manifest, options.memory);
        warm_up.run_until(self, options);
        warm_up.finish(self)
    }

    /// Begins a warm-up in slices. `memory` is the bytes that resources may take.
    pub fn warm_up(&mut self, manifest: &Manifest, memory: Option<u64>) -> WarmUp<Self> {
        WarmUp::new(self, manifest, memory)
    }

    /// Compares the keys of registered kernels that were warmed up with those that were used. What was evicted before is known
    /// only if it was warmed up or was there when the warm-up was over. O(n): one look at each entry.
    pub fn coverage(&mut self) -> Coverage {
        let warming = self.supervisor().warming().clone();
        let caches = warming.uses(self);
        let seen = warming.seen().clone();
        seen.coverage(caches)
    }
}

impl<D: 'static> WarmTarget for SharedRegistry<D> {
    fn watched_by(&mut self) -> Supervisor {
        self.supervisor()
    }

    fn reports(&self) -> SlotContext {
        self.context()
    }
}

impl<D: 'static> WarmTarget for CacheRegistry<D> {
    fn watched_by(&mut self) -> Supervisor {
        self.supervisor()
    }

    fn reports(&self) -> SlotContext {
        self.context()
    }
}

impl<K, D> Holds<K, D> for SharedRegistry<D>
where
    K: PortableKernel<D, CachedResource: Send + Sync>,
    D: 'static,
{
    fn has(&mut self, key: &K::Key) -> bool {
        self.peek::<K>(key).is_some()
    }

    fn make(&mut self, key: &K::Key) -> Result<u64, Error> {
        self.create_by_key::<K>(key).map(|resource| K::resource_bytes(&resource))
    }

    fn uses(&mut self) -> Vec<(Arc<str>, u64)> {
        self.uses_of::<K>()
    }

    fn room(&mut self) -> Option<usize> {
        let capacity = self.eviction_policy::<K>().capacity()?;
        let entries = self.metrics::<K>().map_or(0, |metrics| metrics.size);
        Some(capacity.saturating_sub(entries))
    }
}

impl<K: PortableKernel<D>, D: 'static> Holds<K, D> for CacheRegistry<D> {
    fn has(&mut self, key: &K::Key) -> bool {
        self.cache::<K>().is_some_and(|cache| cache.peek(key).is_some())
    }

    fn make(&mut self, key: &K::Key) -> Result<u64, Error> {
        self.create_by_key::<K>(key.clone()).map(|resource| K::resource_bytes(resource))
    }

    fn uses(&mut self) -> Vec<(Arc<str>, u64)> {
        self.cache::<K>().map(|cache| cache.entry_labels().collect()).unwrap_or_default()
    }

    fn room(&mut self) -> Option<usize> {
        let cache = self.cache_mut::<K>();
        let capacity = cache.eviction_policy().capacity()?;
        Some(capacity.saturating_sub(cache.len()))
    }
}
