//! Does everything twice, to a registry and to the model, and compares all that can be seen.

use std::any::type_name;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metallic::caching::{CacheMetrics, CacheRegistry};
use metallic::error::MetalError;
use metallic_instrumentation::{Event, EventData, EventKind, EventSink, RegistryOpened};

use super::naive::{Answer, Naive};
use super::op::{CacheOp, Op, UNIT};
use super::workshop::{AsOrdered, COMPLAINT, Key, NAMES, Shelf, Subject, Workshop};

/// The clock the registry runs on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Time {
    /// The model's clock. Everything is compared.
    Manual,
    /// The machine's clock, which no operation moves. Everything is compared but times; idle times are made very short or
    /// very long.
    System,
}

/// Carries the operations out. Panics at the first that does not do what the model says.
pub(crate) fn run(time: Time, ops: &[Op]) {
    let mut harness = Harness::new(time);
    for op in ops {
        harness.step(*op);
    }
    let Harness { registry, workshop, .. } = harness;
    workshop.traps_are_set.set(false);
    drop(registry);
    assert_eq!(workshop.alive(), 0, "resources outlive their registry");
}

struct Harness {
    time: Time,
    registry: CacheRegistry<Rc<Workshop>>,
    workshop: Rc<Workshop>,
    sink: Option<Arc<Recording>>,
    /// Panics of the sink.
    disturbances: u64,
    /// Things in the slot, if there is a slot.
    shelf: Option<usize>,
    clock: Rc<Cell<u64>>,
    /// A cache exists from its first use on.
    caches: [Option<Naive>; NAMES.len()],
    /// The reports to come next, before what the caches do.
    expected: Vec<Event>,
}

impl Harness {
    fn new(time: Time) -> Self {
        let workshop = Rc::new(Workshop::default());
        workshop.traps_are_set.set(true);
        let mut registry = CacheRegistry::with_device(workshop.clone());
        if time == Time::Manual {
            registry = registry.with_clock(workshop.clock.clone());
        }
        let caches = [const { None }; NAMES.len()];
        Self {
            time,
            registry,
            workshop,
            sink: None,
            disturbances: 0,
            shelf: None,
            clock: Rc::default(),
            caches,
            expected: Vec::new(),
        }
    }

    fn step(&mut self, op: Op) {
        if self.time == Time::System {
            // Some time passes by itself.
            self.clock.set(self.clock.get() + 1);
        }
        match op {
            Op::Cache(0, op) => self.on_cache::<0>(op),
            Op::Cache(1, op) => self.on_cache::<1>(op),
            Op::Cache(_, op) => self.on_cache::<2>(op),
            Op::Advance(_) if self.time == Time::System => {}
            Op::Advance(by) => {
                self.workshop.clock.advance(by);
                let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
                self.clock.set(self.clock.get().saturating_add(by));
            }
            Op::Listen(kinds) => {
                let sink = self.sink.get_or_insert_default().clone();
                sink.kinds.store(kinds, Ordering::Relaxed);
                self.registry.set_sink(Some(sink));
                self.disturbances = 0;
                self.openings();
            }
            Op::Disturb(panics) => {
                self.sink.iter().for_each(|sink| sink.panics.store(panics, Ordering::Relaxed));
            }
            Op::NextGeneration => {
                let panicked = panicked(|| self.registry.next_generation());
                self.caches.iter_mut().flatten().for_each(Naive::next_generation);
                assert_eq!(panicked, self.take_sprung());
            }
            Op::ExpireAll => {
                let panicked = panicked(|| self.registry.expire_idle());
                self.caches.iter_mut().flatten().for_each(Naive::expire_idle);
                assert_eq!(panicked, self.take_sprung());
            }
            Op::ClearAll => {
                let panicked = panicked(|| self.registry.clear());
                self.caches.iter_mut().flatten().for_each(Naive::clear);
                self.shelf = self.shelf.map(|_| 0);
                assert_eq!(panicked, self.take_sprung());
            }
            Op::FillSlot => {
                self.registry.slot_mut(Shelf::default).fill(&self.workshop);
                *self.shelf.get_or_insert(0) += 1;
            }
            Op::ClearSlot => {
                assert_eq!(self.registry.clear_slot::<Shelf>(), self.shelf.is_some());
                self.shelf = self.shelf.map(|_| 0);
            }
        }
        if self.time == Time::System {
            self.clock.set(self.clock.get() + 1);
        }
        self.compare();
    }

    /// The events that the registry and its caches send to a sink that is new to them.
    fn openings(&mut self) {
        let device = Some(type_name::<Rc<Workshop>>().to_owned());
        let now = self.clock.get();
        self.expected.push(Event::at(now, RegistryOpened { name: None, device, shared: false }));
        let caches = self.caches.iter().flatten();
        self.expected.extend(caches.map(|cache| Event::at(now, cache.opened())));
    }

    fn take_sprung(&mut self) -> bool {
        self.caches.iter_mut().flatten().fold(false, |sprung, cache| sprung | cache.take_sprung())
    }

    fn on_cache<const N: usize>(&mut self, op: CacheOp) {
        let Self { registry, caches, .. } = self;
        let model = match op {
            // These make the cache if there is none yet.
            CacheOp::Get { .. } | CacheOp::SetPolicy(_) | CacheOp::ExpireIdle => caches[N]
                .get_or_insert_with(|| {
                    let new = Naive::new(NAMES[N], self.clock.clone());
                    self.expected.push(Event::at(self.clock.get(), new.opened()));
                    new
                }),
            _ => match &mut caches[N] {
                Some(model) => model,
                None => &mut Naive::new(NAMES[N], self.clock.clone()),
            },
        };
        match op {
            CacheOp::Get { key, creation } => {
                self.workshop.next.set(Some(creation));
                let get = || match registry.get_or_create::<Subject<N>>(&key, None) {
                    Ok(resource) => {
                        resource.uses += 1;
                        Answer::Resource { serial: resource.serial, uses: resource.uses }
                    }
                    Err(error) => match error.into_root() {
                        MetalError::InvalidParams { reason } if reason == COMPLAINT => Answer::Error,
                        error => panic!("{error}"),
                    },
                };
                let answer = caught(get).unwrap_or(Answer::Panic);
                self.workshop.next.set(None);
                assert_eq!(answer, model.get(key, creation));
            }
            CacheOp::Peek { key } => {
                let cache = registry.cache::<Subject<N>>();
                let found = cache.and_then(|cache| cache.peek(&Key::new(key)));
                assert_eq!(found.map(|resource| resource.serial), model.peek(key));
            }
            CacheOp::Remove { key } => {
                let removed = caught(|| registry.remove::<Subject<N>>(&Key::new(key)));
                let removed_at_all = removed.is_some();
                let serial = removed.flatten().map(|resource| {
                    let serial = resource.serial;
                    // No concern of the cache's any more.
                    caught(|| drop(resource));
                    serial
                });
                assert_eq!(serial, model.remove(key));
                assert_eq!(!removed_at_all, model.take_sprung());
            }
            CacheOp::Clear => {
                let panicked = panicked(|| registry.clear_cache::<Subject<N>>());
                model.clear();
                assert_eq!(panicked, model.take_sprung());
            }
            CacheOp::ExpireIdle => {
                let panicked = panicked(|| registry.cache_mut::<Subject<N>>().expire_idle());
                model.expire_idle();
                assert_eq!(panicked, model.take_sprung());
            }
            CacheOp::SetPolicy(policy) => {
                let policy = match self.time {
                    Time::Manual => policy,
                    Time::System => policy.map_idle(foreseeable),
                };
                registry.set_eviction_policy::<Subject<N>>(policy.build());
                assert_eq!(registry.eviction_policy::<Subject<N>>(), policy.build());
                model.set_policy(policy);
            }
        }
    }

    /// All that can be seen of the registry after an operation is what the model says.
    fn compare(&mut self) {
        self.compare_cache::<0>();
        self.compare_cache::<1>();
        self.compare_cache::<2>();
        let residents = self.caches.iter().flatten().map(|model| model.residents().count());
        let alive = residents.sum::<usize>() + self.shelf.unwrap_or(0);
        assert_eq!(self.workshop.alive(), alive, "a resource lives as long as its entry");
        assert_eq!(self.registry.slot::<Shelf>().map(Shelf::len), self.shelf);
        self.compare_metrics();
        self.compare_events();
    }

    fn compare_cache<const N: usize>(&self) {
        let cache = self.registry.cache::<Subject<N>>();
        let (Some(cache), Some(model)) = (cache, &self.caches[N]) else {
            assert!(cache.is_none() && self.caches[N].is_none(), "a cache exists from its first use on");
            return;
        };
        cache.validate();
        assert_eq!(self.workshop.begun[N].get(), model.creations(), "creations begun");
        assert_eq!(cache.len(), model.residents().count());
        for (key, _) in model.residents() {
            let found = cache.peek(&Key::new(key)).map(|resource| resource.serial);
            assert_eq!(found, model.peek(key), "the resource of key {key}");
        }
    }

    fn compare_metrics(&self) {
        let models = NAMES.iter().zip(&self.caches);
        let mut expected: Vec<_> =
            models.filter_map(|(name, model)| Some((*name, model.as_ref()?.metrics()))).collect();
        expected.sort_by_key(|(name, _)| *name);
        let mut metrics: Vec<_> = self.registry.metrics_by_name().collect();
        if self.time == Time::System {
            metrics.iter_mut().chain(&mut expected).for_each(|(_, metrics)| forget_times(metrics));
        }
        assert_eq!(metrics, expected);
    }

    fn compare_events(&mut self) {
        let reported = self.caches.iter_mut().flatten().flat_map(|model| model.events.drain(..));
        let reported = self.expected.drain(..).chain(reported);
        let Some(sink) = &self.sink else {
            reported.for_each(drop);
            return;
        };
        let mut expected: Vec<Event> = reported.filter(|event| sink.enabled(event.kind())).collect();
        expected.iter_mut().for_each(|event| event.registry = Some(self.registry.number()));
        let mut events = std::mem::take(&mut *sink.events.lock().unwrap_or_else(PoisonError::into_inner));
        // Which cache comes first when all are cleared is left open.
        events.sort_by(|a, b| cache_of(a).cmp(cache_of(b)));
        expected.sort_by(|a, b| cache_of(a).cmp(cache_of(b)));
        if self.time == Time::System {
            events.iter_mut().chain(&mut expected).for_each(forget_times_of_event);
        }
        assert_eq!(events, expected);
        if sink.panics.load(Ordering::Relaxed) {
            self.disturbances += events.len() as u64;
        }
        assert_eq!(self.registry.sink_panics(), self.disturbances);
    }
}

/// Does this, and says whether it panicked as it was told to.
fn panicked(action: impl FnOnce()) -> bool {
    caught(action).is_none()
}

/// Returns the result; `None` if it panicked as it was told to.
fn caught<T>(action: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(action)) {
        Ok(value) => Some(value),
        Err(payload) if payload.is::<AsOrdered>() => None,
        Err(payload) => resume_unwind(payload),
    }
}

/// Keeps events of the kinds whose bits are set.
#[derive(Default)]
struct Recording {
    kinds: AtomicU16,
    panics: AtomicBool,
    events: Mutex<Vec<Event>>,
}

impl EventSink for Recording {
    fn enabled(&self, kind: EventKind) -> bool {
        let bit = EventKind::ALL.iter().position(|other| *other == kind);
        bit.is_some_and(|bit| self.kinds.load(Ordering::Relaxed) >> bit & 1 == 1)
    }

    fn record(&self, event: &Event) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        if self.panics.load(Ordering::Relaxed) {
            resume_unwind(Box::new(AsOrdered));
        }
    }
}

/// Idle entries by the machine's clock can be told beforehand where everything is, and where nothing ever is.
fn foreseeable(idle: Duration) -> Duration {
    if idle < 3 * UNIT { Duration::ZERO } else { Duration::from_secs(86_400) }
}

fn cache_of(event: &Event) -> &str {
    match &event.data {
        EventData::ResourceCacheAccess(event) => event.cache_key.split(':').next().unwrap_or_default(),
        EventData::ResourceCacheSummary(event) => &event.cache,
        EventData::CacheEviction(event) => &event.cache,
        EventData::CacheOpened(event) => &event.cache,
        EventData::RegistryOpened(_) => "",
        EventData::ResourceCreated(event) => &event.cache,
        EventData::EntryRemoved(event) => &event.cache,
        EventData::CacheCleared(event) => &event.cache,
        EventData::CachePolicyChanged(event) => &event.cache,
        other => panic!("a cache does not report {other:?}"),
    }
}

fn forget_times_of_event(event: &mut Event) {
    event.timestamp = None;
    match &mut event.data {
        EventData::ResourceCreated(created) => {
            created.duration_ns = 0;
            created.own_duration_ns = 0;
        }
        EventData::EntryRemoved(removed) => {
            (removed.age_ns, removed.idle_ns, removed.creation_ns) = (0, 0, 0);
        }
        _ => {}
    }
}

fn forget_times(metrics: &mut CacheMetrics) {
    let ages = [
        &mut metrics.oldest_entry_age,
        &mut metrics.newest_entry_age,
        &mut metrics.longest_idle_age,
        &mut metrics.shortest_idle_age,
    ];
    ages.into_iter().flatten().for_each(|age| *age = Duration::ZERO);
    metrics.creation_time = Duration::ZERO;
}
