//! Hits of locals on the machine's clock, of which the shared cache learns late: with a `ManualClock` every one takes the lock.

use std::sync::Arc;

use metallic::caching::{EvictionPolicy, SharedRegistry};
use metallic_instrumentation::{CacheName, Event, EventData, EventKind, EventSink, Recorder};

use crate::kernels::{Script, Scripted};

fn registry() -> SharedRegistry<Script> {
    SharedRegistry::with_device(Script::default())
}

#[test]
fn what_a_local_used_after_the_last_removal_is_not_the_next_victim() {
    let registry = registry();
    registry.set_eviction_policy::<Scripted>(EvictionPolicy::size_limited_lru(3));
    let mut local = registry.local();
    // Each look-up after the third evicts: of 2, 3, 4 and then of 2, 4, 5 the one used longest ago.
    for key in [1, 2, 3, 4, 2, 5, 2, 6] {
        local.get_or_create::<Scripted>(&key, None).unwrap();
    }
    let there: Vec<_> = (1..7).filter(|key| registry.peek::<Scripted>(key).is_some()).collect();
    assert_eq!(there, [2, 5, 6]);
    let metrics = registry.metrics::<Scripted>().unwrap();
    assert_eq!((metrics.hits, metrics.misses, metrics.evictions), (2, 6, 3));
}

#[test]
fn the_hits_of_several_locals_are_counted_once_whichever_of_them_goes_first() {
    for first_goes_first in [true, false] {
        let registry = registry();
        let (mut first, mut second) = (registry.local(), registry.local());
        // A look-up that finds nothing in the local is one of the shared cache.
        for _ in 0..4 {
            first.get_or_create::<Scripted>(&1, None).unwrap();
        }
        for _ in 0..6 {
            second.get_or_create::<Scripted>(&1, None).unwrap();
        }
        let counted = || {
            let metrics = registry.metrics::<Scripted>().unwrap();
            (metrics.misses, metrics.hits, metrics.max_entry_reuse_count)
        };
        assert_eq!(counted(), (1, 9, Some(9)));
        let other = if first_goes_first {
            drop(first);
            second
        } else {
            drop(second);
            first
        };
        assert_eq!(counted(), (1, 9, Some(9)));
        drop(other);
        assert_eq!(counted(), (1, 9, Some(9)));
    }
}

/// Hears of removals alone, so that hits are told to no one.
struct Removals(Recorder);

impl EventSink for Removals {
    fn record(&self, event: &Event) {
        self.0.record(event);
    }

    fn enabled(&self, kind: EventKind) -> bool {
        kind == EventKind::EntryRemoved
    }
}

#[test]
fn the_report_of_a_removal_has_the_hits_of_locals() {
    let (registry, sink) = (registry(), Arc::new(Removals(Recorder::default())));
    registry.set_sink(Some(sink.clone()));
    let mut local = registry.local();
    for _ in 0..5 {
        local.get_or_create::<Scripted>(&1, None).unwrap();
    }
    registry.remove::<Scripted>(&1).unwrap();
    let reports: Vec<_> = sink.0.events().into_iter().map(|event| event.data).collect();
    let [EventData::EntryRemoved(removed)] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((&removed.cache, removed.reuse_count), (&CacheName::from_static("scripted"), 4));
    registry.set_sink(None);
}
