//! Batches of caches without a kernel: their answers do not change either.

use std::cell::Cell;

use metallic::caching::{Answer, Equivalent, Query, SharedCache, SharedRegistry};
use metallic::error::Error;

fn shaders() -> (SharedRegistry<()>, SharedCache<String, u32>) {
    let registry = SharedRegistry::with_device(());
    registry.set_creator_threads(1);
    let shaders = registry.cache("shader").unwrap();
    (registry, shaders)
}

fn unneeded() -> Result<u32, Error> {
    panic!("it is there, or it was asked for before")
}

#[test]
fn within_a_batch_of_a_cache_no_answer_changes_whatever_happens() {
    let (registry, shaders) = shaders();
    shaders.insert_made("b".into(), 2);
    let (mut local, mut other) = (shaders.local(), shaders.local());
    let mut batch = local.batch();
    let real = Answer::Resource { resource: 2, generation: 1 };
    assert_eq!(*batch.get_or_fallback_with("a", || 0, || Ok(1)), Answer::Fallback(0));
    assert_eq!(*batch.get_or_fallback_with("b", || 0, unneeded), real);
    assert_eq!(shaders.prefetch_with("a".into(), || Ok(1)).wait().unwrap(), 1);
    assert_eq!(shaders.rebuild_with("b".into(), || Ok(3)).wait().unwrap(), 3);
    let again = |batch: &mut metallic::caching::CacheBatch<'_, String, u32>| {
        assert_eq!(*batch.get_or_fallback_with("a", || 9, unneeded), Answer::Fallback(0));
        assert_eq!(*batch.get_or_fallback_with("b", || 9, unneeded), real);
    };
    again(&mut batch);
    assert_eq!(batch.local().get("b"), Some(&3), "a look-up that sees what is there now");
    again(&mut batch);
    registry.clear();
    again(&mut batch);
    registry.device_lost(Some(()));
    again(&mut batch);
    shaders.insert_made("b".into(), 4);
    for local in [&mut local, &mut other] {
        let next = *local.batch().get_or_fallback_with("b", || 0, unneeded);
        assert!(*next.get() == 4 && next.generation() > real.generation(), "the next batch: {next:?}");
    }
}

#[test]
fn every_use_within_a_batch_of_a_cache_is_counted_and_a_fallback_is_none() {
    let (_registry, shaders) = shaders();
    shaders.insert_made("a".into(), 1);
    let mut local = shaders.local();
    for _ in 0..2 {
        let mut batch = local.batch();
        for _ in 0..5 {
            assert!(!batch.get_or_fallback_with("a", || 0, unneeded).is_fallback());
        }
    }
    assert_eq!(local.get_or_fallback_with("a", || 0, unneeded).generation(), 1);
    assert_eq!(shaders.counters().hits, 11);
    let mut batch = local.batch();
    for _ in 0..5 {
        assert!(batch.get_or_fallback_with("b", || 0, || Ok(2)).is_fallback());
    }
    assert_eq!(shaders.counters().hits, 11);
    // What was removed meanwhile is used no more.
    assert!(!batch.get_or_fallback_with("a", || 0, unneeded).is_fallback());
    shaders.remove("a");
    assert!(!batch.get_or_fallback_with("a", || 0, unneeded).is_fallback());
    assert_eq!(shaders.counters().hits, 12);
}

/// Counts how often its key is built.
struct Counted<'a>(u32, &'a Cell<u32>);

impl std::hash::Hash for Counted<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Equivalent<u32> for Counted<'_> {
    fn equivalent(&self, key: &u32) -> bool {
        self.0 == *key
    }
}

impl Query<u32> for Counted<'_> {
    fn to_key(&self) -> u32 {
        self.1.set(self.1.get() + 1);
        self.0
    }
}

#[test]
fn a_batch_builds_no_key_for_an_answer_that_it_has() {
    const KEYS: u32 = if cfg!(miri) { 5 } else { 100 };
    let registry = SharedRegistry::with_device(());
    registry.set_creator_threads(1);
    let cache = registry.cache::<u32, u32>("cache").unwrap();
    let (mut local, built) = (cache.local(), Cell::new(0));
    let mut batch = local.batch();
    for key in 0..KEYS {
        batch.get_or_fallback_with(&Counted(key, &built), || key, move || Ok(key));
    }
    let before = built.replace(0);
    assert!((KEYS..=3 * KEYS).contains(&before), "{before}");
    for key in 0..KEYS {
        let answer = batch.get_or_fallback_with(&Counted(key, &built), || 1000, move || Ok(key));
        assert_eq!(*answer, Answer::Fallback(key));
    }
    assert_eq!(built.get(), 0);
}

#[test]
fn without_creator_threads_a_batch_of_a_cache_has_the_resource_or_the_fallback_of_a_failure() {
    let (registry, shaders) = shaders();
    registry.set_creator_threads(0);
    let mut local = shaders.local();
    let mut batch = local.batch();
    assert_eq!(batch.get_or_fallback_with("a", || 0, || Ok(1)).generation(), 1);
    let failed = || Err(Error::invalid_params("b"));
    assert_eq!(*batch.get_or_fallback_with("b", || 0, failed), Answer::Fallback(0));
    assert_eq!(
        *batch.get_or_fallback_with("b", || 9, unneeded),
        Answer::Fallback(0),
        "no other in this batch"
    );
    assert_eq!(*local.batch().get_or_fallback_with("b", || 0, || Ok(2)).get(), 2);
}
