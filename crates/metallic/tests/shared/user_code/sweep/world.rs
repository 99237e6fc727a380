//! The subjects of the scenarios: values that count themselves, and caches of them.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Wake;
use std::thread::panicking;
use std::time::Duration;

use metallic::caching::{Clock, EvictionPolicy, ManualClock, Pool, SharedCache, SharedRegistry};
use metallic::error::Error;
use metallic_instrumentation::{Event, EventSink, Recorder};

use super::Variant;

/// The number of a caller's values that were made, and of those that are gone.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) made: AtomicU64,
    pub(super) dropped: AtomicU64,
    /// Drops, and questions if these are asked to panic, too.
    pub(super) steps: AtomicU64,
    /// This step panics, once it is not 0.
    pub(super) panics_at: AtomicU64,
    /// Hashing, comparing and measuring are steps, too.
    asks: bool,
    /// All that are dropped after it panic, too.
    goes_on: bool,
}

/// Anything of a caller's. Clones are things of their own, equal to it.
pub(super) struct Own {
    pub(super) number: u32,
    ledger: Arc<Ledger>,
    /// It stays the caller's, who would end the process himself by a panic during another one.
    is_lent: bool,
}

impl Ledger {
    fn step(&self, is_drop: bool, may_panic: bool) {
        if !is_drop && !self.asks {
            return;
        }
        let count = self.steps.fetch_add(1, Ordering::SeqCst) + 1;
        let at = self.panics_at.load(Ordering::SeqCst);
        let is_due = count == at || (self.goes_on && is_drop && at > 0 && count > at);
        if is_due && may_panic {
            // As a panic, but without its message.
            resume_unwind(Box::new("as it was told to"));
        }
    }
}

impl Own {
    /// A question that the caller's code is to answer.
    pub(super) fn ask(&self) {
        self.ledger.step(false, true);
    }

    fn new(number: u32, ledger: &Arc<Ledger>) -> Self {
        ledger.made.fetch_add(1, Ordering::SeqCst);
        Self { number, ledger: ledger.clone(), is_lent: false }
    }

    /// Another of this number, to be [`lent`](World::lent).
    pub(super) fn lent(&self, number: u32) -> Self {
        let mut lent = Self::new(number, &self.ledger);
        lent.is_lent = true;
        lent
    }
}

impl Clone for Own {
    fn clone(&self) -> Self {
        Self::new(self.number, &self.ledger)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.ledger.dropped.fetch_add(1, Ordering::SeqCst);
        self.ledger.step(true, !(self.is_lent && panicking()));
    }
}

impl PartialEq for Own {
    fn eq(&self, other: &Self) -> bool {
        self.ask();
        self.number == other.number
    }
}

impl Eq for Own {}

impl std::hash::Hash for Own {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.ask();
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

/// A clock or a sink, and what is dropped with it.
struct With<T> {
    part: T,
    _own: Own,
}

impl Clock for With<ManualClock> {
    fn now(&self) -> Duration {
        self.part.now()
    }
}

impl EventSink for With<Recorder> {
    fn record(&self, event: &Event) {
        self.part.record(event);
    }
}

/// A shared cache and a pool, in which 1 and 2 are, and in some worlds 9, which expires with the next operation.
pub(super) struct World {
    pub(super) registry: SharedRegistry<Own>,
    pub(super) cache: SharedCache<Own, Own>,
    pub(super) pool: Pool<Own, Own>,
    pub(super) clock: ManualClock,
    pub(super) ledger: Arc<Ledger>,
    expires: bool,
    /// Of the steps once it is armed, this one panics.
    nth: u64,
}

pub(super) const IDLE: EvictionPolicy = EvictionPolicy::idle_timeout(Duration::from_secs(10));

impl World {
    pub(super) fn new(
        Variant { threads, expires, is_heard, goes_on, asks, is_fast }: Variant,
        nth: u64,
    ) -> Self {
        let (clock, ledger) = (ManualClock::new(), Arc::new(Ledger { goes_on, asks, ..Ledger::default() }));
        let own = || Own::new(0, &ledger);
        let watch = With { part: clock.clone(), _own: own() };
        let registry = match is_fast {
            true => SharedRegistry::with_device(own()),
            false => SharedRegistry::with_clock(Some(own()), watch),
        };
        registry.set_creator_threads(threads);
        if is_heard {
            registry.set_sink(Some(Arc::new(With { part: Recorder::new(), _own: own() })));
        }
        let (cache, pool) = (registry.cache("cache").unwrap(), registry.pool("pool").unwrap());
        let world = Self { registry, cache, pool, clock, ledger, expires, nth };
        world.cache.set_eviction_policy(IDLE);
        world.pool.set_eviction_policy(IDLE);
        world.fill(|number| {
            drop(world.cache.get_or_create_with(&world.lent(number), world.make(number)));
            drop(world.pool.checkout(&world.lent(number), || world.own(number)));
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

    /// [`fill`](Self::fill), of which nothing panics. Steps are counted from then on.
    pub(super) fn fill_safely(&self, put: impl FnMut(u32)) {
        self.ledger.panics_at.store(0, Ordering::SeqCst);
        self.fill(put);
        self.arm();
    }

    /// Steps are counted from here on.
    pub(super) fn arm(&self) {
        let steps = self.ledger.steps.load(Ordering::SeqCst);
        self.ledger.panics_at.store(steps + self.nth, Ordering::SeqCst);
    }

    pub(super) fn own(&self, number: u32) -> Own {
        Own::new(number, &self.ledger)
    }

    /// A value that is looked for, or lent to an operation for anything else.
    pub(super) fn lent(&self, number: u32) -> Own {
        let mut lent = self.own(number);
        lent.is_lent = true;
        lent
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
