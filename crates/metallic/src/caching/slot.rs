//! State in a registry that is no cache of a kernel, and what it reports through.

use std::any::Any;
use std::fmt::{self, Debug};
use std::sync::Arc;

use metallic_instrumentation::{
    CacheName, CreationOutcome, Event, EventData, EventKind, EventSink, SinkGuard,
};

use super::clock::{Clock, TimeSource};
use super::gate::{Asked, Caller, CreationGate, Finished, Passage};
use super::policy::EvictionPolicy;
use super::reporting::CacheMetrics;
use crate::error::Error;

/// A value that lives in a registry next to the caches: allocations of a KV cache, prepared tensors, anything an engine
/// keeps for as long as it keeps its pipelines.
///
/// ```
/// # use std::collections::HashMap;
/// use metallic::caching::{CacheRegistry, CacheRegistrySlot};
///
/// #[derive(Default)]
/// struct ScratchBuffers {
///     by_layer: HashMap<usize, Vec<f32>>,
/// }
///
/// impl CacheRegistrySlot for ScratchBuffers {
///     fn clear_slot(&mut self) {
///         self.by_layer.clear();
///     }
/// }
///
/// let mut registry = CacheRegistry::new();
/// let buffers = registry.slot_mut(ScratchBuffers::default);
/// buffers.by_layer.insert(0, vec![0.0; 64]);
///
/// assert!(registry.clear_slot::<ScratchBuffers>());
/// assert!(registry.slot::<ScratchBuffers>().is_some_and(|buffers| buffers.by_layer.is_empty()));
/// ```
pub trait CacheRegistrySlot: Any {
    /// Drops what the slot holds. The slot itself stays in the registry, and must be ready for use.
    fn clear_slot(&mut self);

    /// Hands over what the slot can report events through, and take the time from. Called when the slot comes into a
    /// registry, and again when the registry is given another sink. A slot that reports nothing need not care.
    fn connect(&mut self, _context: &SlotContext) {}

    /// Lets go of what the slot shares with other threads and can find again, for a thread that idles. Called by
    /// [`LocalRegistry::park`](super::LocalRegistry::park).
    fn park(&mut self) {}

    /// Drops what was idle for too long, if the slot has such a notion. Called by
    /// [`CacheRegistry::expire_idle`](super::CacheRegistry::expire_idle).
    fn expire_idle(&mut self) {}

    /// Begins the next generation, if the slot counts them. Called by
    /// [`CacheRegistry::next_generation`](super::CacheRegistry::next_generation).
    fn next_generation(&mut self) {}

    /// The name that [`cache_metrics`](Self::cache_metrics) are listed under, if the slot is a cache. Slots and kernels of
    /// one registry share one space of names: see [`SlotContext::name_taken_by`].
    fn cache_name(&self) -> Option<&'static str> {
        None
    }

    /// The metrics of this slot in [`CacheRegistry::metrics_by_name`](super::CacheRegistry::metrics_by_name), if it is a cache.
    fn cache_metrics(&self) -> Option<CacheMetrics> {
        None
    }

    /// The policy of this slot, if it is a cache that has one.
    fn cache_policy(&self) -> Option<EvictionPolicy> {
        None
    }

    /// Changes the policy of this slot, and returns `true` if it is a cache that has one.
    fn set_cache_policy(&mut self, _policy: EvictionPolicy) -> bool {
        false
    }

    /// The slot's type, for messages.
    #[doc(hidden)]
    fn slot_type(&self) -> &'static str {
        std::any::type_name::<Self>()
    }
}

/// A slot's access to its registry: where events go, and what time it is. A slot outside a registry has the default one,
/// with no sink and the machine's clock, or one made for it.
#[derive(Clone, Default)]
pub struct SlotContext {
    sink: Option<SinkGuard>,
    time: TimeSource,
    name_taken_by: Option<&'static str>,
    gate: Option<Arc<dyn CreationGate>>,
}

/// A moment by the clock of a [`SlotContext`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl SlotContext {
    /// Sends events to `sink`.
    pub fn with_sink(self, sink: Arc<dyn EventSink>) -> Self {
        Self { sink: Some(SinkGuard::new(sink)), ..self }
    }

    /// Takes the time from `clock`.
    pub fn with_clock(self, clock: impl Clock + 'static) -> Self {
        Self { time: TimeSource::of(clock), ..self }
    }

    /// The type of the kernel or slot that was in the registry before, and has the [`cache_name`](CacheRegistrySlot::cache_name)
    /// of this slot. Then this slot should report nothing, and name no [`cache_name`](CacheRegistrySlot::cache_name) any
    /// more: it would pass for the other. It is in the context that the slot is first connected with.
    pub fn name_taken_by(&self) -> Option<&'static str> {
        self.name_taken_by
    }

    /// This moment.
    pub fn now(&self) -> Moment {
        Moment(self.time.stamp())
    }

    /// Nanoseconds from a moment until now; 0 if the clock went backwards.
    pub fn ns_since(&self, moment: Moment) -> u64 {
        self.time.ns_between(moment.0, self.time.stamp())
    }

    /// Reports an event of this kind, at a moment, if the sink wants it: else `event` is not called. A panic of the sink
    /// stops here.
    pub fn report<E: Into<EventData>>(&self, kind: EventKind, at: Moment, event: impl FnOnce() -> E) {
        if let Some(sink) = self.sink.as_ref().filter(|sink| sink.enabled(kind)) {
            sink.record(Event::at(self.time.unix_ns(at.0), event()));
        }
    }

    pub(super) fn new(
        sink: Option<SinkGuard>,
        time: TimeSource,
        name_taken_by: Option<&'static str>,
    ) -> Self {
        Self { sink, time, name_taken_by, gate: None }
    }

    pub(super) fn gate(&self) -> Option<&Arc<dyn CreationGate>> {
        self.gate.as_ref()
    }

    pub(super) fn with_gate(self, gate: Option<Arc<dyn CreationGate>>) -> Self {
        Self { gate, ..self }
    }

    /// Asks whether the cache of this name may grow to what `label` says, which is a creation to a contract.
    ///
    /// # Errors
    /// [`Error::CreationRefused`].
    pub(crate) fn admit(
        &self,
        cache: &CacheName,
        label: &dyn Fn() -> Arc<str>,
        caller: Caller,
    ) -> Result<Option<Box<dyn Passage>>, Error> {
        let Some(gate) = &self.gate else { return Ok(None) };
        let now = self.now();
        gate.admit(&Asked {
            cache,
            kernel: None,
            label,
            labels: &Vec::new,
            policy: EvictionPolicy::none(),
            caller: Some(caller),
            can_refuse: true,
            now_ns: self.time.ns_between(0, now.0),
            report: &|violation| self.report(EventKind::CreationViolation, now, || violation),
        })
    }

    /// Tells what [`admit`](Self::admit) returned that the growth is over.
    pub(crate) fn tell(&self, passage: Option<Box<dyn Passage>>, outcome: CreationOutcome, duration_ns: u64) {
        let Some(passage) = passage else { return };
        let report = |violation| self.report(EventKind::CreationViolation, self.now(), || violation);
        passage.ended(&Finished { outcome, loaded: false, duration_ns, bytes: 0, report: &report });
    }

    pub(super) fn sink(&self) -> Option<&SinkGuard> {
        self.sink.as_ref()
    }

    pub(super) fn time(&self) -> &TimeSource {
        &self.time
    }
}

impl Debug for SlotContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlotContext")
            .field("sink", &self.sink)
            .field("name_taken_by", &self.name_taken_by)
            .finish_non_exhaustive()
    }
}
