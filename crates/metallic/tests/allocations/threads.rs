//! The heap of what threads share: of their locals, and of pools.

use metallic::caching::{LocalSharedCache, SharedRegistry};
use metallic::error::Error;

use crate::heap;

/// Hardly more than what a cache has that nothing was ever in.
const LITTLE: isize = 4096;

fn get(local: &mut LocalSharedCache<u32, u32>, key: u32) {
    assert!(local.get_or_create_with(&key, || Ok::<_, Error>(key)).is_ok_and(|value| *value == key));
}

#[test]
fn a_local_gives_the_memory_of_what_was_removed_back() {
    let registry: SharedRegistry = SharedRegistry::new();
    let numbers = registry.cache::<u32, u32>("numbers").unwrap();
    let mut local = numbers.local();
    get(&mut local, 0);
    // With the place of none, a number that four divides.
    let (full, ()) = heap(|| (0..9_999).for_each(|key| get(&mut local, key)));
    let (given_back, ()) = heap(|| {
        numbers.clear();
        get(&mut local, 0);
    });
    assert!(full > 9_999 * 32, "{full} bytes when full");
    assert!(full + given_back <= LITTLE, "{} bytes more when cleared", full + given_back);
}

#[test]
fn locals_that_come_and_go_leave_no_memory_behind() {
    let registry: SharedRegistry = SharedRegistry::new();
    let numbers = registry.cache::<u32, u32>("numbers").unwrap();
    let come_and_go = || get(&mut numbers.local(), 1);
    come_and_go();
    let (left, ()) = heap(|| (0..1000).for_each(|_| come_and_go()));
    assert!(left <= LITTLE, "{left} bytes of a thousand locals");
}

#[test]
fn a_pool_that_is_cleared_gives_its_memory_back() {
    let registry: SharedRegistry = SharedRegistry::new();
    let pool = registry.pool::<u32, u32>("numbers").unwrap();
    drop(pool.checkout(&0, || 0));
    pool.clear();
    let (full, ()) = heap(|| (0..10_000).for_each(|key| drop(pool.checkout(&key, || key))));
    let (given_back, ()) = heap(|| pool.clear());
    assert!(full > 10_000 * 32, "{full} bytes when full");
    assert!(full + given_back <= LITTLE, "{} bytes more when cleared", full + given_back);
}
