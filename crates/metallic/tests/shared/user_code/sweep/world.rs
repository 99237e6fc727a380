//! What the scenarios are about: values that count themselves, and caches of them.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Wake;
use std::time::Duration;

use metallic::caching::{EvictionPolicy, ManualClock, Pool, SharedCache, SharedRegistry};
use metallic::error::Error;
use metallic_instrumentation::Recorder;

use super::Variant;

/// What was made of a caller's, and how much of it is gone.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) made: AtomicU64,
    pub(super) dropped: AtomicU64,
    /// This one panics.
    pub(super) panics_at: AtomicU64,
}

/// Anything of a caller's. Clones are things of their own, equal to it.
pub(super) struct Own {
    pub(super) number: u32,
    ledger: Arc<Ledger>,
}

impl Own {
    fn new(number: u32, ledger: &Arc<Ledger>) -> Self {
        ledger.made.fetch_add(1, Ordering::SeqCst);
        Self { number, ledger: ledger.clone() }
    }

    /// Another of this number.
    pub(super) fn another(&self, number: u32) -> Self {
        Self::new(number, &self.ledger)
    }
}

impl Clone for Own {
    fn clone(&self) -> Self {
        self.another(self.number)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let count = self.ledger.dropped.fetch_add(1, Ordering::SeqCst) + 1;
        if count == self.ledger.panics_at.load(Ordering::SeqCst) {
            // As a panic, but without its message.
            resume_unwind(Box::new("as it was told to"));
        }
    }
}

impl PartialEq for Own {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Own {}

impl std::hash::Hash for Own {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

impl fmt::Display for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

impl std::error::Error for Own {}

impl Wake for Own {
    fn wake(self: Arc<Self>) {}
}

/// A shared cache and a pool, in which 1 and 2 are, and in some worlds 9, which expires with the next operation.
pub(super) struct World {
    pub(super) registry: SharedRegistry<Own>,
    pub(super) cache: SharedCache<Own, Own>,
    pub(super) pool: Pool<Own, Own>,
    pub(super) clock: ManualClock,
    pub(super) ledger: Arc<Ledger>,
    expires: bool,
    /// Of those that are dropped once it is armed, this one panics.
    nth: u64,
}

pub(super) const IDLE: EvictionPolicy = EvictionPolicy::idle_timeout(Duration::from_secs(10));

impl World {
    pub(super) fn new(Variant { threads, expires, is_heard }: Variant, nth: u64) -> Self {
        let (clock, ledger) = (ManualClock::new(), Arc::<Ledger>::default());
        let registry = SharedRegistry::with_clock(Some(Own::new(0, &ledger)), clock.clone());
        registry.set_creator_threads(threads);
        if is_heard {
            registry.set_sink(Some(Arc::new(Recorder::new())));
        }
        let (cache, pool) = (registry.cache("cache").unwrap(), registry.pool("pool").unwrap());
        let world = Self { registry, cache, pool, clock, ledger, expires, nth };
        world.cache.set_eviction_policy(IDLE);
        world.pool.set_eviction_policy(IDLE);
        world.fill(|number| {
            drop(world.cache.get_or_create_with(&world.own(number), world.make(number)));
            drop(world.pool.checkout(&world.own(number), || world.own(number)));
        });
        world
    }

    /// Has `put` put 9, 1 and 2 somewhere, of which the first may be about to expire then.
    pub(super) fn fill(&self, mut put: impl FnMut(u32)) {
        if self.expires {
            put(9);
            self.clock.advance(Duration::from_secs(8));
        }
        (1..=2).for_each(&mut put);
        self.clock.advance(Duration::from_secs(4));
    }

    /// [`fill`](Self::fill), of which nothing panics. Drops are counted from then on.
    pub(super) fn fill_safely(&self, put: impl FnMut(u32)) {
        self.ledger.panics_at.store(0, Ordering::SeqCst);
        self.fill(put);
        self.arm();
    }

    /// Drops are counted from here on.
    pub(super) fn arm(&self) {
        let dropped = self.ledger.dropped.load(Ordering::SeqCst);
        self.ledger.panics_at.store(dropped + self.nth, Ordering::SeqCst);
    }

    pub(super) fn own(&self, number: u32) -> Own {
        Own::new(number, &self.ledger)
    }

    /// A closure that has something, and lets go of it before it returns another thing.
    pub(super) fn value(&self, number: u32) -> impl FnOnce() -> Own + Send + 'static {
        let (held, ledger) = (self.own(number), self.ledger.clone());
        move || {
            drop(held);
            Own::new(number, &ledger)
        }
    }

    pub(super) fn make(&self, number: u32) -> impl FnOnce() -> Result<Own, Error> + Send + 'static {
        let value = self.value(number);
        move || Ok(value())
    }

    pub(super) fn fail(&self) -> impl FnOnce() -> Result<Own, Error> + Send + 'static {
        let value = self.value(7);
        move || Err(Error::kernel(value()))
    }
}
