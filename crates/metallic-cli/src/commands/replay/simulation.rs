//! One replay: a live [`KernelCache`] whose kernel makes nothing, on a clock set from the trace.
//!
//! There is no second implementation of a policy here. What evicts in a replay is the code that evicts in the engine.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metallic::caching::{CacheableKernel, Clock, EvictionPolicy, KernelCache};
use metallic::error::MetalError;
use metallic_instrumentation::EventSink;

use super::trace::{Price, Step, StepKind, Trace};

/// The outcome of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Look-ups that found their entry.
    pub hits: u64,
    /// Look-ups that did not.
    pub misses: u64,
    /// Entries that the policy evicted.
    pub evictions: u64,
    /// The time of the misses in nanoseconds, each at the price of its key: see [`Price`](super::trace::Price).
    pub cost_ns: f64,
    /// Of these, those before the middle access.
    pub first_half: Half,
    /// The most entries there were.
    pub peak: usize,
    /// Entries after an access, on average.
    pub mean_entries: f64,
    /// The first access with another result than the recorded one, and how many there are.
    pub divergence: Option<Divergence>,
}

/// See [`Outcome::first_half`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Half {
    /// Look-ups that did not find their entry.
    pub misses: u64,
    /// Their time in nanoseconds.
    pub cost_ns: f64,
}

/// See [`Outcome::divergence`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The number of the first such access; the first of all is 0.
    pub first: usize,
    /// Their number.
    pub accesses: u64,
}

/// Replays the trace under this policy from the first access to the last. Policies that were set in the log are not
/// obeyed; what the caller removed or cleared is, and a creation that failed there fails here if the access misses.
pub fn under(trace: &Trace, policy: EvictionPolicy) -> Outcome {
    Simulation::new(trace, Policies::This(policy), None).run()
}

/// Replays the trace under the policies that were set in the log. The events of the cache go to `sink`; it is named
/// `replay` in them, and its keys are their numbers.
pub fn as_recorded(trace: &Trace, sink: Option<Arc<dyn EventSink>>) -> Outcome {
    Simulation::new(trace, Policies::Recorded, sink).run()
}

/// The number of a key in its trace.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key(u32);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

struct ReplayKernel;

impl<'t> CacheableKernel<Workshop<'t>> for ReplayKernel {
    type Key = Key;
    type CachedResource = ();
    type Params = Key;

    const CACHE_NAME: &'static str = "replay";

    #[inline]
    fn create_cache_key(key: &Key) -> Key {
        *key
    }

    #[inline]
    fn create_cached_resource(key: &Key, workshop: Option<&Workshop<'t>>) -> Result<(), MetalError> {
        let Some(workshop) = workshop else { return Err(MetalError::DeviceNotAvailable) };
        workshop.misses.set(workshop.misses.get() + 1);
        let price = &workshop.prices[key.0 as usize];
        let is_rebuild = workshop.made[key.0 as usize].replace(true);
        let cost = if is_rebuild { price.rebuild } else { price.first };
        workshop.cost_ns.set(workshop.cost_ns.get() + cost);
        if let Some(done) = workshop.done.get() {
            workshop.clock.set(done);
        }
        if workshop.fails.get() { Err(MetalError::DeviceNotAvailable) } else { Ok(()) }
    }
}

/// The device of a replay, where creations note what they did.
struct Workshop<'t> {
    prices: &'t [Price],
    /// By key: `true` once it was made since the program started.
    made: Vec<Cell<bool>>,
    clock: LogClock,
    /// When the creation is over, should the current access miss.
    done: Cell<Option<u64>>,
    /// `true` if it fails then.
    fails: Cell<bool>,
    misses: Cell<u64>,
    cost_ns: Cell<f64>,
}

/// Stands at the time of the access that is replayed.
#[derive(Clone, Default)]
struct LogClock(Arc<AtomicU64>);

impl LogClock {
    #[inline]
    fn set(&self, ns: u64) {
        self.0.store(ns, Ordering::Relaxed);
    }
}

impl Clock for LogClock {
    #[inline]
    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

enum Policies {
    This(EvictionPolicy),
    Recorded,
}

struct Simulation<'t> {
    trace: &'t Trace,
    policies: Policies,
    sink: Option<Arc<dyn EventSink>>,
    cache: KernelCache<ReplayKernel, Workshop<'t>>,
    workshop: Workshop<'t>,
    /// Evictions of the caches before the last restart.
    evictions: u64,
}

impl<'t> Simulation<'t> {
    fn new(trace: &'t Trace, policies: Policies, sink: Option<Arc<dyn EventSink>>) -> Self {
        let workshop = Workshop {
            prices: trace.prices(),
            made: vec![Cell::new(false); trace.keys()],
            clock: LogClock::default(),
            done: Cell::new(None),
            fails: Cell::new(false),
            misses: Cell::new(0),
            cost_ns: Cell::new(0.0),
        };
        let cache = KernelCache::default();
        let mut simulation = Self { trace, policies, sink, cache, workshop, evictions: 0 };
        simulation.restart();
        simulation
    }

    fn restart(&mut self) {
        self.evictions += self.cache.metrics().evictions;
        self.cache = KernelCache::default().with_clock(self.workshop.clock.clone());
        if let Some(sink) = &self.sink {
            self.cache = std::mem::take(&mut self.cache).with_sink(sink.clone());
        }
        if let Policies::This(policy) = self.policies {
            self.cache.set_eviction_policy(policy);
        }
    }

    fn run(mut self) -> Outcome {
        let trace = self.trace;
        let times = trace.times();
        let mut done = trace.done().iter();
        let mut steps = trace.steps();
        let mut outcome = Outcome::default();
        let mut entries = 0;
        for (number, access) in trace.accesses().enumerate() {
            while let Some((step, rest)) = steps.split_first()
                && step.before as usize == number
            {
                steps = rest;
                self.take(step);
            }
            if number == trace.len() / 2 {
                let (misses, cost_ns) = (self.workshop.misses.get(), self.workshop.cost_ns.get());
                outcome.first_half = Half { misses, cost_ns };
            }
            let at = times.get(number).copied();
            if let Some(at) = at {
                self.workshop.clock.set(at);
            }
            // Where the log has no creation, one takes no time here.
            self.workshop.done.set(if access.hit { at } else { done.next().copied() });
            self.workshop.fails.set(access.fails);
            let misses = self.workshop.misses.get();
            // A failure is counted by the workshop, as every miss is.
            let _ = self.cache.get_or_create(&Key(access.key), Some(&self.workshop));
            let hit = self.workshop.misses.get() == misses;
            if hit != access.hit {
                let divergence = outcome.divergence.get_or_insert(Divergence { first: number, accesses: 0 });
                divergence.accesses += 1;
            }
            outcome.hits += u64::from(hit);
            outcome.peak = outcome.peak.max(self.cache.len());
            entries += self.cache.len() as u64;
        }
        for step in steps {
            self.take(step);
        }
        outcome.misses = self.workshop.misses.get();
        outcome.cost_ns = self.workshop.cost_ns.get();
        outcome.evictions = self.evictions + self.cache.metrics().evictions;
        outcome.mean_entries = entries as f64 / trace.len().max(1) as f64;
        outcome
    }

    #[cold]
    fn take(&mut self, step: &Step) {
        if let Some(at) = step.at {
            self.workshop.clock.set(at);
        }
        match step.kind {
            StepKind::SetPolicy(policy) => {
                if let Policies::Recorded = self.policies {
                    self.cache.set_eviction_policy(policy);
                }
            }
            StepKind::Remove(key) => {
                self.cache.remove(&Key(key));
            }
            StepKind::Clear => self.cache.clear(),
            StepKind::ExpireIdle => self.cache.expire_idle(),
            StepKind::Restart => {
                self.workshop.made.iter().for_each(|made| made.set(false));
                self.restart();
            }
        }
    }
}
