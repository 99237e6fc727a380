//! Warm-up of large manifests, in too little time or memory, and with keys and wakers that panic.

use std::future::Future;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use metallic::PortableKernel;
use metallic::caching::{CacheRegistry, CacheableKernel};
use metallic::error::MetalError;
use metallic::manifest::{Manifest, Ready, WarmOptions};
use metallic::testing::ScriptedDevice;
use serde::{Deserialize, Serialize};

use crate::tiles::{MS, private, shared};
use crate::warm_up::{one_thread, with_costs};

/// A manifest of tiles, of which each is (`m`, cost, bytes).
fn listed(tiles: impl IntoIterator<Item = (u32, u64, u64)>) -> Manifest {
    let lines = tiles.into_iter().map(|(m, cost, bytes)| {
        format!(
            "{{\"cache\":\"tile\",\"schema\":3,\"key\":{{\"m\":{m},\"n\":1}},\"label\":\"tile:{m}\",\"cost_ns\":{cost},\
             \"bytes\":{bytes},\"order\":{m}}}\n"
        )
    });
    Manifest::read(format!("{{\"metallic_manifest\":1}}\n{}", lines.collect::<String>()).as_bytes()).unwrap()
}

#[test]
fn a_slice_of_nothing_creates_one_key() {
    let (device, manifest) = with_costs([3, 2, 1]);
    let (mut registry, _) = private(&device);
    let mut warm_up = registry.warm_up(&manifest, None);
    for done in 1..=3 {
        assert_eq!(warm_up.run_for(&mut registry, Duration::ZERO).done, done);
    }
    assert_eq!(device.created(), [1, 2, 3]);
}

#[test]
fn a_large_manifest_takes_no_longer_per_key_than_a_small_one() {
    // Keys of two costs: the costly ones fit into no slice, and are passed over at each turn.
    let manifest = listed((0..60_000).map(|m| (m, if m % 2 == 0 { 1_000_000 } else { 1 }, 1)));
    let device = ScriptedDevice::new();
    let (mut registry, _) = private(&device);
    let mut warm_up = registry.warm_up(&manifest, Some(50_000));
    let began = Instant::now();
    while !warm_up.run_for(&mut registry, Duration::from_nanos(1)).is_over() {
        assert!(began.elapsed() < Duration::from_secs(20), "it is quadratic");
    }
    assert_eq!(warm_up.finish(&mut registry).created, 60_000);
}

#[test]
fn memory_that_a_creation_gives_back_is_there_for_the_keys_after_it() {
    for threads in [1, 2] {
        // The first key takes all of the memory for as long as it is being created, and fails.
        let manifest = listed([(0, 9999, 100)].into_iter().chain((1..9).map(|m| (m, 10, 10))));
        let device = ScriptedDevice::sleeping();
        device.set_cost(0, 20 * MS);
        device.fail(0, 1);
        (1..9).for_each(|m| device.set_bytes(m, 10));
        let (registry, _) = shared(&device);
        let options =
            WarmOptions { threads: NonZeroUsize::new(threads), memory: Some(100), ..WarmOptions::default() };
        let report = registry.warm(&manifest, &options);
        assert_eq!((report.created, report.failed.len()), (8, 1), "{threads} threads: {report}");
    }
}

/// Counts how often it is woken, and panics each time if it is to.
struct Counting {
    woken: AtomicUsize,
    panics: bool,
}

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::Relaxed);
        assert!(!self.panics, "the waker panics");
    }
}

#[test]
fn a_waker_that_panics_costs_neither_the_report_nor_the_other_wakers() {
    let (device, manifest) = with_costs([1]);
    let (registry, _) = shared(&device);
    let [first, second] =
        [true, false].map(|panics| Arc::new(Counting { woken: AtomicUsize::new(0), panics }));
    let futures = [&first, &second].map(|waker| {
        let mut future = registry.supervisor().ready();
        let waker = Waker::from(waker.clone());
        assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&waker)).is_pending());
        future
    });
    assert_eq!(registry.warm(&manifest, &one_thread()).created, 1);
    assert_eq!([&first, &second].map(|waker| waker.woken.load(Ordering::Relaxed)), [1, 1]);
    assert!(futures.iter().all(Ready::is_ready));
}

#[test]
fn a_future_keeps_the_waker_of_its_last_poll_and_none_once_it_is_dropped() {
    let (registry, _) = shared(&ScriptedDevice::new());
    let mut future = registry.supervisor().ready();
    let wakers: Vec<_> =
        (0..3).map(|_| Arc::new(Counting { woken: AtomicUsize::new(0), panics: false })).collect();
    for waker in &wakers {
        let waker = Waker::from(waker.clone());
        assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert_eq!(wakers.iter().map(Arc::strong_count).collect::<Vec<_>>(), [1, 1, 2]);
    drop(future);
    assert_eq!(Arc::strong_count(&wakers[2]), 1);
}

/// A key that cannot be compared while a test says so. All have one hash.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Fragile(u32);

static BREAKS: AtomicBool = AtomicBool::new(false);

impl PartialEq for Fragile {
    fn eq(&self, other: &Self) -> bool {
        assert!(!BREAKS.load(Ordering::Relaxed), "keys cannot be compared");
        self.0 == other.0
    }
}

impl Eq for Fragile {}

impl Hash for Fragile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(0);
    }
}

enum FragileKernel {}

impl CacheableKernel<ScriptedDevice> for FragileKernel {
    type Key = Fragile;
    type CachedResource = u32;
    type Params = u32;

    const CACHE_NAME: &'static str = "tile";

    fn create_cache_key(n: &u32) -> Fragile {
        Fragile(*n)
    }

    fn create_cached_resource(key: &Fragile, _: Option<&ScriptedDevice>) -> Result<u32, MetalError> {
        Ok(key.0)
    }
}

impl PortableKernel<ScriptedDevice> for FragileKernel {
    const SCHEMA: u32 = 3;
}

#[test]
fn a_key_whose_comparison_panics_is_one_that_failed_and_the_warm_up_ends() {
    let mut registry = CacheRegistry::with_device(ScriptedDevice::new());
    registry.register::<FragileKernel>();
    registry.get_or_create::<FragileKernel>(&9, None).unwrap();
    let text = "{\"cache\":\"tile\",\"schema\":3,\"key\":1,\"label\":\"tile:1\"}\n";
    let mut warm_up = registry.warm_up(&Manifest::read(text.as_bytes()).unwrap(), None);
    BREAKS.store(true, Ordering::Relaxed);
    assert!(warm_up.run_for(&mut registry, 5 * MS).is_over());
    BREAKS.store(false, Ordering::Relaxed);
    let report = warm_up.finish(&mut registry);
    assert_eq!((report.created, report.failed.len()), (0, 1));
}
