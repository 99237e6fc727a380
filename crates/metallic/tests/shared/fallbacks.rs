//! Fallbacks until a resource is there, batches in which no answer changes, and rebuilds.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use metallic::caching::{Answer, EvictionPolicy, OnFailure, SharedRegistry};
use metallic::error::Error;
use metallic_instrumentation::RemovalCause;

use crate::kernels::{Script, Scripted};
use crate::tickets::{Held, note, registry};

fn fallback() -> Arc<u32> {
    Arc::new(0)
}

fn ask(registry: &SharedRegistry<Script>, key: u32) -> Answer<Arc<u32>> {
    registry.get_or_fallback::<Scripted>(&key, fallback).unwrap()
}

/// Asks until the resource is there.
fn settle(registry: &SharedRegistry<Script>, key: u32) -> Answer<Arc<u32>> {
    loop {
        match ask(registry, key) {
            Answer::Fallback(_) => thread::yield_now(),
            answer => return answer,
        }
    }
}

#[test]
fn a_fallback_stands_in_until_the_resource_is_there() {
    let (registry, script) = registry(1);
    let held = Held::on(&script, 1);
    for _ in 0..3 {
        let answer = ask(&registry, 1);
        assert!(answer.is_fallback() && answer.generation() == 0 && **answer.get() == 0);
    }
    held.begun();
    held.end();
    let answer = settle(&registry, 1);
    assert_eq!((**answer.get(), answer.generation()), (1, 1));
    assert_eq!(*answer.into_inner(), 1);
    assert_eq!(script.creations(), 1);
    let metrics = registry.metrics::<Scripted>().unwrap();
    assert_eq!((metrics.hits, metrics.misses), (1, 1), "a fallback is neither");
}

#[test]
fn within_a_batch_no_answer_changes_whatever_happens() {
    let (registry, script) = registry(1);
    let (mut local, mut other) = (registry.local(), registry.local());
    registry.get_or_create::<Scripted>(&2, None).unwrap();
    let mut batch = local.batch();
    assert!(batch.get_or_fallback::<Scripted>(&1, fallback).unwrap().is_fallback());
    let real = batch.get_or_fallback::<Scripted>(&2, fallback).unwrap().clone();
    settle(&registry, 1);
    registry.rebuild::<Scripted>(&2).wait().unwrap();
    registry.remove::<Scripted>(&3);
    for _ in 0..3 {
        assert!(batch.get_or_fallback::<Scripted>(&1, fallback).unwrap().is_fallback());
        assert_eq!(*batch.get_or_fallback::<Scripted>(&2, fallback).unwrap(), real);
    }
    registry.clear();
    assert_eq!(*batch.get_or_fallback::<Scripted>(&2, fallback).unwrap(), real);
    assert_eq!(**batch.registry().get_or_create::<Scripted>(&1, None).unwrap(), 1, "a look-up that waits");
    assert!(batch.get_or_fallback::<Scripted>(&1, fallback).unwrap().is_fallback());
    let answer = other.batch().get_or_fallback::<Scripted>(&1, fallback).unwrap().clone();
    assert!(!answer.is_fallback(), "another batch sees what is there");
    registry.get_or_create::<Scripted>(&2, None).unwrap();
    let answer = local.batch().get_or_fallback::<Scripted>(&2, fallback).unwrap().clone();
    assert!(answer.generation() > real.generation());
    assert_eq!(script.creations(), 5);
}

#[test]
fn every_use_within_a_batch_is_counted() {
    let (registry, _) = registry(1);
    registry.get_or_create::<Scripted>(&1, None).unwrap();
    let mut local = registry.local();
    for _ in 0..2 {
        let mut batch = local.batch();
        for _ in 0..5 {
            assert!(!batch.get_or_fallback::<Scripted>(&1, fallback).unwrap().is_fallback());
        }
    }
    assert_eq!(registry.metrics::<Scripted>().unwrap().hits, 10);
}

#[test]
fn a_rebuild_takes_the_place_of_what_is_in_use_when_it_is_done() {
    let (registry, script) = registry(1);
    registry.set_eviction_policy::<Scripted>(EvictionPolicy::size_limited_lru(1));
    let mut local = registry.local();
    let old = local.get_or_create::<Scripted>(&1, None).unwrap().clone();
    let held = Held::on(&script, 1);
    let ticket = registry.rebuild::<Scripted>(&1);
    held.begun();
    assert!(Arc::ptr_eq(&registry.get_or_create::<Scripted>(&1, None).unwrap(), &old));
    assert_eq!(ask(&registry, 1).generation(), 1);
    held.end();
    let new = ticket.wait().unwrap();
    assert!(!Arc::ptr_eq(&new, &old));
    assert!(Arc::ptr_eq(local.get_or_create::<Scripted>(&1, None).unwrap(), &new));
    assert_eq!(local.get_or_fallback::<Scripted>(&1, fallback).unwrap().generation(), 2);
    assert_eq!(Arc::strong_count(&old), 1, "no one has it any more");
    let metrics = registry.metrics::<Scripted>().unwrap();
    assert_eq!((metrics.size, metrics.misses, metrics.removals, metrics.evictions), (1, 2, 1, 0));
    assert_eq!(metrics.bytes, 10);
}

#[test]
fn a_rebuild_that_fails_or_panics_keeps_what_is_in_use() {
    let (registry, script) = registry(1);
    registry.set_eviction_policy::<Scripted>(EvictionPolicy::size_limited_lru(1));
    let good = registry.get_or_create::<Scripted>(&1, None).unwrap();
    script.on(1, || Err(Error::invalid_params("one")));
    registry.rebuild::<Scripted>(&1).wait().unwrap_err();
    script.on(1, || panic!("one"));
    registry.rebuild::<Scripted>(&1).wait().unwrap_err();
    let answer = ask(&registry, 1);
    assert!(Arc::ptr_eq(answer.get(), &good) && answer.generation() == 1);
    let metrics = registry.metrics::<Scripted>().unwrap();
    assert_eq!((metrics.size, metrics.misses, metrics.failed_creations, metrics.removals), (1, 3, 2, 0));
}

#[test]
fn what_is_rebuilt_without_being_there_is_created() {
    let (registry, script) = registry(1);
    registry.rebuild::<Scripted>(&1).wait().unwrap();
    let held = Held::on(&script, 2);
    registry.get_or_create::<Scripted>(&3, None).unwrap();
    registry.set_eviction_policy::<Scripted>(EvictionPolicy::size_limited_lru(2));
    let ticket = registry.rebuild::<Scripted>(&2);
    held.begun();
    assert_eq!(registry.remove::<Scripted>(&2), None);
    held.end();
    ticket.wait().unwrap();
    assert_eq!(registry.metrics::<Scripted>().unwrap().size, 2);
}

#[test]
fn what_was_removed_while_it_was_rebuilt_comes_back_within_the_limit() {
    let (registry, script) = registry(1);
    registry.set_eviction_policy::<Scripted>(EvictionPolicy::size_limited_lru(2));
    registry.get_or_create::<Scripted>(&1, None).unwrap();
    let held = Held::on(&script, 1);
    let ticket = registry.rebuild::<Scripted>(&1);
    held.begun();
    registry.remove::<Scripted>(&1).unwrap();
    for key in 2..4 {
        registry.get_or_create::<Scripted>(&key, None).unwrap();
    }
    held.end();
    ticket.wait().unwrap();
    let metrics = registry.metrics::<Scripted>().unwrap();
    assert_eq!((metrics.size, metrics.evictions), (2, 1));
    assert!(registry.peek::<Scripted>(&1).is_some());
}

#[test]
fn a_rebuild_on_a_lost_device_comes_to_nothing() {
    let (registry, script) = registry(1);
    registry.get_or_create::<Scripted>(&1, None).unwrap();
    let held = Held::on(&script, 1);
    let ticket = registry.rebuild::<Scripted>(&1);
    held.begun();
    registry.device_lost(Some(Script::default()));
    held.end();
    assert!(matches!(ticket.wait().unwrap_err().root(), Error::DeviceLost));
    assert!(ask(&registry, 1).is_fallback());
    assert_eq!(**settle(&registry, 1).get(), 1);
}

#[test]
fn a_failure_is_tried_again_at_the_next_call_or_after_its_back_off() {
    let (registry, script) = registry(1);
    script.on(1, || Err(Error::invalid_params("one")));
    while script.creations() < 3 {
        assert!(ask(&registry, 1).is_fallback());
    }
    let failed_at_least = |creations| {
        while registry.metrics::<Scripted>().unwrap().failed_creations < creations {
            thread::yield_now();
        }
    };
    // Or the third is remembered, and there is no fourth.
    failed_at_least(3);
    registry.set_failure_policy::<Scripted>(OnFailure::Remember { backoff: Duration::MAX });
    while script.creations() < 4 {
        assert!(ask(&registry, 1).is_fallback());
    }
    failed_at_least(script.creations());
    let tried = script.creations();
    for _ in 0..100 {
        assert!(ask(&registry, 1).is_fallback());
    }
    registry.prefetch::<Scripted>(&2).wait_timeout(Duration::MAX).unwrap();
    assert!(script.creations() <= tried + 2, "at most one was under way");
}

#[test]
fn without_creator_threads_the_answer_is_the_resource() {
    let (registry, script) = registry(0);
    assert!(!ask(&registry, 1).is_fallback());
    script.on(2, || Err(Error::invalid_params("two")));
    assert!(ask(&registry, 2).is_fallback());
    script.on(3, || panic!("three"));
    assert!(ask(&registry, 3).is_fallback());
    assert_eq!(script.creations(), 3);
}

#[test]
fn after_a_shutdown_there_is_the_fallback() {
    let (registry, script) = registry(1);
    registry.shut_down();
    assert!(ask(&registry, 1).is_fallback());
    assert!(ask(&registry, 1).is_fallback());
    assert_eq!(script.creations(), 0);
    registry.get_or_create::<Scripted>(&1, None).unwrap();
    assert!(!ask(&registry, 1).is_fallback());
}

#[test]
fn a_cache_without_a_kernel_has_fallbacks_and_rebuilds_too() {
    let (registry, _) = registry(1);
    let shaders = registry.cache::<String, u32>("shader").unwrap();
    let mut answer = shaders.get_or_fallback_with("a", || 0, || Ok(1));
    assert!(answer.is_fallback());
    while answer.is_fallback() {
        answer = shaders.get_or_fallback_with("a", || 0, || Ok(2));
    }
    assert_eq!(answer, Answer::Resource { resource: 1, generation: 1 });
    shaders.rebuild_with("a".into(), || Err(Error::invalid_params("bad"))).wait().unwrap_err();
    assert_eq!(shaders.get("a"), Some(1));
    assert_eq!(shaders.rebuild_with("a".into(), || Ok(3)).wait().unwrap(), 3);
    let answer = shaders.get_or_fallback_with("a", || 0, || Ok(4));
    assert_eq!(answer, Answer::Resource { resource: 3, generation: 2 });
}

/// Counts what it hears of.
#[derive(Default)]
struct Ear(std::sync::Mutex<Vec<String>>);

impl metallic_instrumentation::EventSink for Ear {
    fn record(&self, event: &metallic_instrumentation::Event) {
        use metallic_instrumentation::EventData::{EntryRemoved, ResourceCacheAccess, ResourceCreated};
        let heard = match &event.data {
            EntryRemoved(removed) => format!("removed {:?}", removed.cause),
            ResourceCacheAccess(access) => format!("access {}", access.hit),
            ResourceCreated(created) => format!("created {}", created.error.is_none()),
            _ => return,
        };
        self.0.lock().unwrap().push(heard);
    }
}

#[test]
fn what_happens_in_the_background_is_reported_as_the_counters_have_it() {
    let (registry, _) = registry(1);
    let ear = Arc::<Ear>::default();
    registry.set_sink(Some(ear.clone()));
    registry.prefetch::<Scripted>(&1).wait().unwrap();
    registry.prefetch::<Scripted>(&1).wait().unwrap();
    let mut local = registry.local();
    let mut batch = local.batch();
    for _ in 0..2 {
        batch.get_or_fallback::<Scripted>(&1, fallback).unwrap();
    }
    registry.rebuild::<Scripted>(&1).wait().unwrap();
    // When all is told: a ticket is ready before.
    registry.shut_down();
    registry.set_sink(None);
    let stale = format!("removed {:?}", RemovalCause::Stale);
    let heard = std::mem::take(&mut *ear.0.lock().unwrap());
    let count = |what: &str| heard.iter().filter(|heard| *heard == what).count() as u64;
    let metrics = registry.metrics::<Scripted>().unwrap();
    assert_eq!((count("access false"), count("access true")), (metrics.misses, metrics.hits), "{heard:?}");
    assert_eq!((count("created true"), count(&stale)), (2, 1), "{heard:?}");
    assert_eq!((metrics.misses, metrics.hits), (2, 2));
}

#[test]
fn of_ever_new_keys_those_asked_for_last_are_queued_and_those_before_when_they_are_asked_for_again() {
    let (registry, script) = registry(1);
    assert_eq!(registry.max_queued_fallbacks(), 1024);
    registry.set_max_queued_fallbacks(3);
    let notes = note(&script, 1..100);
    let held = Held::on(&script, 0);
    ask(&registry, 0);
    held.begun();
    let prefetched = registry.prefetch::<Scripted>(&1);
    for key in 2..100 {
        assert!(ask(&registry, key).is_fallback());
    }
    for key in [98, 50, 98] {
        assert!(ask(&registry, key).is_fallback());
    }
    // Queued last, and so created last.
    let last = registry.prefetch::<Scripted>(&99);
    held.end();
    prefetched.wait().unwrap();
    // By the thread of the registry: this one is not to change the order.
    while !last.is_ready() {
        thread::yield_now();
    }
    let mut created: Vec<_> = notes.lock().unwrap().iter().map(|(key, _)| *key).collect();
    created.sort_unstable();
    assert_eq!(created, [1, 50, 98, 99]);
    // What had left is created when it is asked for again.
    assert_eq!(**settle(&registry, 2).get(), 2);
}

#[test]
fn a_queue_for_fallbacks_has_room_for_one_at_least_and_what_leaves_it_is_dropped() {
    let (registry, script) = registry(1);
    registry.set_max_queued_fallbacks(0);
    assert_eq!(registry.max_queued_fallbacks(), 1);
    let held = Held::on(&script, 0);
    ask(&registry, 0);
    held.begun();
    let shaders = registry.cache::<u32, u32>("shader").unwrap();
    let kept = Arc::new(());
    for key in 0..10 {
        let kept = kept.clone();
        let make = move || {
            drop(kept);
            Ok(key)
        };
        assert!(shaders.get_or_fallback_with(&key, || 100, make).is_fallback());
    }
    assert_eq!(Arc::strong_count(&kept), 2, "that of the last one");
    held.end();
    while shaders.get(&9).is_none() {
        thread::yield_now();
    }
    assert_eq!((shaders.counters().misses, Arc::strong_count(&kept)), (1, 1));
}
