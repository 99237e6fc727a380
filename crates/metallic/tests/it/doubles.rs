//! A device that does as it is told, and kernels that make things on it.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use metallic::caching::{CacheRegistry, CacheRegistrySlot, CacheableKernel, ManualClock};
use metallic::error::MetalError;
use metallic_instrumentation::{Event, EventData, EventKind, Recorder};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// How the next creations end.
#[derive(Clone, Copy, Default)]
pub(crate) enum Mood {
    #[default]
    Well,
    OutOfRegisters,
    Panicking,
}

/// A device, and a clock that moves while something is made on it. Clones are handles of one foundry.
#[derive(Clone, Default)]
pub(crate) struct Foundry(Rc<State>);

#[derive(Default)]
struct State {
    clock: ManualClock,
    mood: Cell<Mood>,
    cost: Cell<Duration>,
    begun: Cell<u64>,
}

impl Foundry {
    pub(crate) fn clock(&self) -> &ManualClock {
        &self.0.clock
    }

    pub(crate) fn wait(&self, time: Duration) {
        self.0.clock.advance(time);
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        self.0.mood.set(mood);
    }

    /// Sets the cost of creations from now on.
    pub(crate) fn set_cost(&self, cost: Duration) {
        self.0.cost.set(cost);
    }

    /// Creations begun.
    pub(crate) fn begun(&self) -> u64 {
        self.0.begun.get()
    }

    /// A registry that makes everything here, on this foundry's clock.
    pub(crate) fn registry(&self) -> CacheRegistry<Foundry> {
        CacheRegistry::with_device(self.clone()).with_clock(self.clock().clone())
    }

    /// The same, with its events.
    pub(crate) fn recorded(&self) -> (CacheRegistry<Foundry>, Arc<Recorder>) {
        let recorder = Arc::new(Recorder::new());
        (self.registry().with_sink(recorder.clone()), recorder)
    }

    fn work(&self) -> Result<u64, MetalError> {
        self.0.begun.set(self.0.begun.get() + 1);
        self.wait(self.0.cost.get());
        match self.0.mood.get() {
            Mood::Well => Ok(self.0.begun.get()),
            Mood::OutOfRegisters => Err(MetalError::device("pipeline compilation", OutOfRegisters)),
            Mood::Panicking => panic!("the foundry burns down"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct OutOfRegisters;

impl fmt::Display for OutOfRegisters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("out of registers")
    }
}

impl std::error::Error for OutOfRegisters {}

/// The one kernel most tests need.
pub(crate) struct Cast;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CastKey {
    pub(crate) size: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Casting {
    pub(crate) size: u32,
    /// Which of the foundry's creations it came from.
    pub(crate) serial: u64,
}

impl CacheableKernel<Foundry> for Cast {
    type Key = CastKey;
    type CachedResource = Casting;
    type Params = u32;

    const CACHE_NAME: &'static str = "cast";

    fn create_cache_key(size: &u32) -> CastKey {
        CastKey { size: *size }
    }

    fn create_cached_resource(key: &CastKey, device: Option<&Foundry>) -> Result<Casting, MetalError> {
        let serial = device.ok_or(MetalError::DeviceNotAvailable)?.work()?;
        Ok(Casting { size: key.size, serial })
    }

    fn resource_bytes(resource: &Casting) -> u64 {
        u64::from(resource.size) * 4
    }
}

/// A kernel for any device, with the key of the specification's events.
pub(crate) struct MpsGemm;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MpsGemmKey {
    m: usize,
    n: usize,
    k: usize,
}

impl<D> CacheableKernel<D> for MpsGemm {
    type Key = MpsGemmKey;
    type CachedResource = Arc<str>;
    type Params = (usize, usize, usize);

    const CACHE_NAME: &'static str = "mps_gemm";

    fn create_cache_key(&(m, n, k): &Self::Params) -> MpsGemmKey {
        MpsGemmKey { m, n, k }
    }

    fn create_cached_resource(key: &MpsGemmKey, _device: Option<&D>) -> Result<Arc<str>, MetalError> {
        Ok(format!("{} x {} x {}", key.m, key.n, key.k).into())
    }
}

/// Kernels that differ in nothing but their names: each adds its number to what it is given.
pub(crate) struct Add<const N: usize>;

impl<const N: usize> Add<N> {
    const NAME: [u8; 6] =
        [b'a', b'd', b'd', b'0' + (N / 100) as u8, b'0' + (N / 10 % 10) as u8, b'0' + (N % 10) as u8];
}

impl<const N: usize, D> CacheableKernel<D> for Add<N> {
    type Key = usize;
    type CachedResource = usize;
    type Params = usize;

    const CACHE_NAME: &'static str = match str::from_utf8(&Self::NAME) {
        Ok(name) => name,
        Err(_) => unreachable!(),
    };

    fn create_cache_key(n: &usize) -> usize {
        *n
    }

    fn create_cached_resource(n: &usize, _device: Option<&D>) -> Result<usize, MetalError> {
        Ok(n + N)
    }
}

#[derive(Debug)]
pub(crate) struct Gpu {
    pub(crate) name: &'static str,
}

#[derive(Default)]
pub(crate) struct KvCacheState<T> {
    pub(crate) blocks: Vec<T>,
}

impl<T: 'static> CacheRegistrySlot for KvCacheState<T> {
    fn clear_slot(&mut self) {
        self.blocks.clear();
    }
}

#[derive(Default)]
pub(crate) struct TensorPreparation {
    pub(crate) prepared: HashMap<String, usize>,
}

impl CacheRegistrySlot for TensorPreparation {
    fn clear_slot(&mut self) {
        self.prepared.clear();
    }
}

/// The caches of a registry.
pub(crate) fn names<D: 'static>(registry: &CacheRegistry<D>) -> Vec<&str> {
    registry.metrics_by_name().map(|(name, _)| name).collect()
}

/// The events so far, but for those of registries and caches that came into being.
pub(crate) fn told(recorder: &Recorder) -> Vec<Event> {
    let is_opening =
        |event: &Event| matches!(event.kind(), EventKind::RegistryOpened | EventKind::CacheOpened);
    recorder.take().into_iter().filter(|event| !is_opening(event)).collect()
}

/// [`told`], without the times.
pub(crate) fn data(recorder: &Recorder) -> Vec<EventData> {
    told(recorder).into_iter().map(|event| event.data).collect()
}

/// Returns `true` if this panics. Tests use it where nothing is left to say after the panic but what state it left behind.
pub(crate) fn panics(action: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(action)).is_err()
}
