//! Every row of every table.

use std::rc::Rc;
use std::time::Duration;

use metallic::caching::EvictionPolicy;
use metallic::creation::Contract;
use metallic_instrumentation::EventKind;

use crate::contender::{Contender, Subject};
use crate::expiry::expiry;
use crate::floors::{Bare, Honest};
use crate::many_kernels;
use crate::ours::{Gemm, Picky, registry};
use crate::peers::{HashLink, Lru, Moka, QuickCache, SchnellRu};
use crate::prepared;
use crate::workload::Workload;

type Build = Box<dyn Fn(&Rc<Workload>) -> Subject>;

/// One contender of one group, at several sizes.
pub struct Row {
    pub name: &'static str,
    /// The limit in instructions; empty if there is none.
    pub bar: &'static str,
    /// The limit in time, as a ratio to the reference.
    pub time_bar: &'static str,
    build: Build,
}

/// A table: what is done, and at which sizes.
pub struct Group {
    pub name: &'static str,
    pub title: &'static str,
    /// The row that times are compared with; empty if there is no sense in timing this.
    pub reference: &'static str,
    pub sizes: &'static [usize],
    pub workload: fn(usize) -> Rc<Workload>,
    pub rows: Vec<Row>,
}

impl Row {
    fn new(
        name: &'static str,
        bar: &'static str,
        build: impl Fn(&Rc<Workload>) -> Subject + 'static,
    ) -> Self {
        Self { name, bar, time_bar: "", build: Box::new(build) }
    }

    /// A contender that needs no more than the workload.
    fn of<C: Contender + 'static>(name: &'static str, new: fn(&Workload) -> C) -> Self {
        Self::new(name, "", move |workload| Subject::new(workload, new(workload), |state| state))
    }

    /// A registry with one kernel under a policy.
    fn registry(name: &'static str, bar: &'static str, policy: fn(usize) -> EvictionPolicy) -> Self {
        Self::new(name, bar, move |workload| {
            Subject::new(workload, registry(workload, policy(workload.capacity)), |state| state)
        })
    }

    /// The same, with the cache taken out of the registry before the loop.
    fn cache_mut(name: &'static str, bar: &'static str, policy: fn(usize) -> EvictionPolicy) -> Self {
        Self::new(name, bar, move |workload| {
            let registry = registry(workload, policy(workload.capacity));
            Subject::new(workload, registry, |state| state.cache_mut::<Gemm<0>>())
        })
    }

    /// A registry that has a sink.
    fn sink(name: &'static str, wanted: Option<EventKind>) -> Self {
        Self::new(name, "", move |workload| {
            let policy = EvictionPolicy::size_limited_lru(workload.capacity);
            let registry = registry(workload, policy).with_sink(Picky::sink(wanted));
            Subject::new(workload, registry, |state| state)
        })
    }

    /// A registry that is armed, before it is filled and for as long as it lives.
    fn armed(name: &'static str, bar: &'static str) -> Self {
        Self::new(name, bar, move |workload| {
            let policy = EvictionPolicy::size_limited_lru(workload.capacity);
            let mut registry = registry(workload, policy);
            std::mem::forget(registry.arm("serving", Contract::Count));
            Subject::new(workload, registry, |state| state)
        })
    }

    fn time_bar(self, time_bar: &'static str) -> Self {
        Self { time_bar, ..self }
    }

    /// Fills the contender and makes it ready.
    pub fn build(&self, workload: &Rc<Workload>) -> Subject {
        (self.build)(workload)
    }
}

const IDLE: Duration = Duration::from_secs(3600);

fn hits() -> Vec<Row> {
    vec![
        Row::of("FxHashMap get_mut", Bare::new),
        Row::of("honest floor", Honest::new),
        Row::of("lru", Lru::new),
        Row::of("schnellru", SchnellRu::new),
        Row::of("hashlink", HashLink::new),
        Row::of("quick_cache (unsync)", QuickCache::new),
        Row::of("moka (sync)", Moka::new),
        Row::registry("registry size_limited_lru", "140, aim 120", EvictionPolicy::size_limited_lru)
            .time_bar("1.5, aim 1.25 up to 1000 keys"),
        Row::registry("registry fifo", "115", |max| EvictionPolicy::fifo().with_max_entries(max)),
        Row::registry("registry none", "115", |_| EvictionPolicy::none()),
        Row::registry("registry idle_timeout", "size_limited_lru + 10", |_| {
            EvictionPolicy::idle_timeout(IDLE)
        }),
        Row::registry("registry hybrid", "size_limited_lru + 10", |max| EvictionPolicy::hybrid(max, IDLE)),
        Row::cache_mut("cache_mut size_limited_lru", "120, aim 100", EvictionPolicy::size_limited_lru),
        Row::cache_mut("cache_mut none", "", |_| EvictionPolicy::none()),
        Row::armed("registry size_limited_lru, armed", "size_limited_lru"),
        Row::sink("registry lru, sink wants nothing", None),
        Row::sink("registry lru, sink wants summaries", Some(EventKind::ResourceCacheSummary)),
        Row::new("prepared tensor, lru, in a slot", "", prepared::in_a_slot),
    ]
}

fn misses() -> Vec<Row> {
    vec![
        Row::of("lru", Lru::new),
        Row::of("schnellru", SchnellRu::new),
        Row::of("hashlink", HashLink::new),
        Row::of("quick_cache (unsync)", QuickCache::new),
        Row::registry(
            "registry size_limited_lru",
            "320, aim 259; 100k: + 2 %",
            EvictionPolicy::size_limited_lru,
        ),
        Row::registry("registry fifo", "", |max| EvictionPolicy::fifo().with_max_entries(max)),
    ]
}

/// All tables.
pub fn groups() -> Vec<Group> {
    let kernels = vec![
        Row::new("8 kernels behind a registry", "fields + 25", many_kernels::behind_a_registry),
        Row::new("8 KernelCache fields", "", many_kernels::in_fields),
    ];
    let expiries = vec![
        Row::new("100 expire", "O(k)", |workload| expiry(workload, 100)),
        Row::new("1000 expire", "O(k)", |workload| expiry(workload, 1000)),
    ];
    vec![
        Group {
            name: "hit",
            title: "Hit",
            reference: "honest floor",
            sizes: &[16, 1000, 100_000],
            workload: Workload::hits,
            rows: hits(),
        },
        Group {
            name: "kernels",
            title: "Hit, eight kernels in turn",
            reference: "8 KernelCache fields",
            sizes: &[16, 1000],
            workload: Workload::hits,
            rows: kernels,
        },
        Group {
            name: "miss",
            title: "Miss: look up, evict, create, insert",
            reference: "schnellru",
            sizes: &[1000, 100_000],
            workload: Workload::misses,
            rows: misses(),
        },
        Group {
            name: "expiry",
            title: "One hit that expires k of n entries",
            reference: "",
            sizes: &[1000, 1_000_000],
            workload: Workload::resident,
            rows: expiries,
        },
    ]
}
