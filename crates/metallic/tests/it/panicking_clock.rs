//! A clock that panics, at any of its readings: no process ends, no place stays reserved, no one waits for ever.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metallic::caching::{CacheMetrics, CacheRegistry, Clock, EvictionPolicy, SharedRegistry};
use metallic::error::MetalError;

/// Panics at each reading once `left` are over.
#[derive(Clone, Default)]
struct Fuse {
    left: Arc<AtomicU64>,
}

const NEVER: u64 = u64::MAX;

impl Clock for Fuse {
    fn now(&self) -> Duration {
        let left = self.left.load(Ordering::Relaxed);
        assert!(left > 0, "the clock stops");
        if left < NEVER {
            self.left.store(left - 1, Ordering::Relaxed);
        }
        Duration::from_secs(1)
    }
}

type Make = fn() -> Result<u32, MetalError>;

const ENDINGS: [Make; 3] =
    [|| Ok(7), || Err(MetalError::invalid_params("as it was told to")), || panic!("as it was told to")];

/// Looks a key up in a new cache of two entries for each ending of its creation and each reading of the clock that is the last;
/// then two keys find room, the first among them.
fn check(look_up: impl Fn(u32, Make), metrics: impl Fn() -> CacheMetrics, fuse: &Fuse) {
    for make in ENDINGS {
        for readings in 0..8 {
            fuse.left.store(readings, Ordering::Relaxed);
            drop(catch_unwind(AssertUnwindSafe(|| look_up(1, make))));
            fuse.left.store(NEVER, Ordering::Relaxed);
            let before = metrics();
            let created = before.size as u64 + before.evictions + before.removals;
            assert_eq!(before.misses, created + before.failed_creations, "{readings} readings: {before:?}");
            look_up(1, ENDINGS[0]);
            look_up(2, ENDINGS[0]);
            assert_eq!(metrics().size, 2, "{readings} readings: no place stayed reserved");
            look_up(1, ENDINGS[0]);
            look_up(3, ENDINGS[0]);
            look_up(4, ENDINGS[0]);
        }
    }
}

#[test]
fn a_clock_that_panics_at_any_reading_leaves_a_whole_cache() {
    let fuse = Fuse::default();
    fuse.left.store(NEVER, Ordering::Relaxed);
    let mut registry = CacheRegistry::<()>::default().with_clock(fuse.clone());
    let cache = registry.keyed_cache::<u32, u32>("seven").unwrap();
    cache.set_eviction_policy(EvictionPolicy::size_limited_lru(2));
    let cache = std::cell::RefCell::new(cache);
    let look_up = |key, make: Make| drop(cache.borrow_mut().get_or_create_with(&key, make).copied());
    check(look_up, || cache.borrow().metrics(), &fuse);
    cache.borrow().validate();
}

#[test]
fn a_clock_that_panics_at_any_reading_leaves_a_whole_shared_cache() {
    let fuse = Fuse::default();
    fuse.left.store(NEVER, Ordering::Relaxed);
    let registry = SharedRegistry::<()>::with_clock(None, fuse.clone());
    let cache = registry.cache::<u32, u32>("seven").unwrap();
    cache.set_eviction_policy(EvictionPolicy::size_limited_lru(2));
    let look_up = |key, make: Make| drop(cache.get_or_create_with(&key, make));
    check(look_up, || cache.metrics(), &fuse);
}
