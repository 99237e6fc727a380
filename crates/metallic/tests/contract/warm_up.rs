//! Warm-up from a manifest.

use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use metallic::caching::EvictionPolicy;
use metallic::manifest::{Manifest, WarmOptions};
use metallic::testing::ScriptedDevice;
use metallic_instrumentation::EventKind;

use crate::tiles::{MS, Tile, private, recorded, shared};

/// A device on which tile `m` takes `m` milliseconds, and a manifest of some tiles that was made on another machine like it.
pub(crate) fn with_costs(tiles: impl IntoIterator<Item = u32>) -> (ScriptedDevice, Manifest) {
    let devices = [ScriptedDevice::new(), ScriptedDevice::new()];
    for device in &devices {
        (0..100).for_each(|m| device.set_cost(m, m * MS));
    }
    let [device, other] = devices;
    (device, recorded(&other, tiles))
}

pub(crate) fn one_thread() -> WarmOptions<'static> {
    WarmOptions { threads: NonZeroUsize::new(1), ..WarmOptions::default() }
}

#[test]
fn the_costliest_keys_are_created_first_and_the_next_run_only_hits() {
    let (device, manifest) = with_costs([3, 9, 1, 5]);
    let (registry, events) = shared(&device);
    let report = registry.warm(&manifest, &one_thread());
    assert_eq!((report.created, report.creating), (4, 18 * MS));
    assert_eq!(device.created(), [9, 5, 3, 1]);
    for m in [1, 3, 5, 9] {
        registry.get_or_create::<Tile>(&(m, 1), None).unwrap();
    }
    events.assert_no_creation_after(EventKind::WarmUpFinished);
    let again = registry.warm(&manifest, &one_thread());
    assert_eq!((again.created, again.present), (0, 4));
}

#[test]
fn every_key_is_created_once_on_many_threads() {
    let (device, manifest) = with_costs(0..64);
    let (registry, events) = shared(&device);
    let turns = AtomicUsize::new(0);
    let progress = |_: &_| {
        turns.fetch_add(1, Ordering::Relaxed);
    };
    let threads = NonZeroUsize::new(8);
    let report = registry
        .warm(&manifest, &WarmOptions { threads, progress: Some(&progress), ..WarmOptions::default() });
    assert_eq!((report.created, device.creations(), turns.into_inner()), (64, 64, 64));
    (0..64).for_each(|m| events.assert_created_once(&format!("tile:TileKey{{m:{m},n:1}}")));
}

#[test]
fn no_creation_begins_that_would_be_over_after_the_deadline() {
    let (device, manifest) = with_costs([40, 30, 20, 10]);
    let (registry, _) = shared(&device);
    let report = registry.warm(&manifest, &WarmOptions { deadline: Some(75 * MS), ..one_thread() });
    // 40 and 30; for 20 and 10 there were 5 left.
    assert_eq!(device.created(), [40, 30]);
    assert_eq!(report.left_out.into_iter().collect::<Vec<_>>(), [("the time was over", 2)]);
    assert_eq!(report.duration, 70 * MS);
}

#[test]
fn a_warm_up_that_is_stopped_begins_no_other_creation() {
    for is_shared in [true, false] {
        let (device, manifest) = with_costs([40, 30, 20]);
        let stop = || device.creations() == 1;
        let options = WarmOptions { stop: Some(&stop), ..one_thread() };
        let report = match is_shared {
            true => shared(&device).0.warm(&manifest, &options),
            false => private(&device).0.warm(&manifest, &options),
        };
        assert_eq!(device.created(), [40]);
        assert_eq!(report.left_out.into_iter().collect::<Vec<_>>(), [("the warm-up was stopped", 2)]);
    }
}

#[test]
fn a_slice_is_as_long_as_was_said_and_a_key_that_fits_into_none_has_one_for_itself() {
    let (device, manifest) = with_costs([40, 4, 3, 2, 1]);
    let (mut registry, events) = private(&device);
    let mut warm_up = registry.warm_up(&manifest, None);
    let mut slices = Vec::new();
    loop {
        let before = device.created().len();
        let progress = warm_up.run_for(&mut registry, 5 * MS);
        slices.push(device.created().split_off(before));
        assert_eq!((progress.done, progress.of), (device.created().len(), 5));
        if progress.is_over() {
            break;
        }
        assert!(!registry.supervisor().ready().is_ready());
    }
    assert_eq!(slices, [vec![4, 1], vec![3, 2], vec![40]]);
    assert_eq!(warm_up.finish(&mut registry).created, 5);
    assert!(registry.supervisor().ready().is_ready());
    assert_eq!(events.of(EventKind::WarmUpFinished).len(), 1);
}

#[test]
fn a_warm_up_that_is_given_up_is_over() {
    let (device, manifest) = with_costs([1, 2]);
    let (mut registry, _) = private(&device);
    let warm_up = registry.warm_up(&manifest, None);
    let ready = registry.supervisor().ready();
    assert!(!ready.is_ready());
    drop(warm_up);
    assert!(ready.is_ready());
}

#[test]
fn resources_take_no_more_memory_than_was_permitted() {
    let recording = ScriptedDevice::new();
    for m in 1..=4 {
        recording.set_cost(m, m * MS);
        recording.set_bytes(m, u64::from(m) * 100);
    }
    let manifest = recorded(&recording, 1..=4);
    for permitted in (0..=1000).step_by(50) {
        let (registry, _) = shared(&recording);
        let report = registry.warm(&manifest, &WarmOptions { memory: Some(permitted), ..one_thread() });
        let bytes = registry.metrics::<Tile>().map_or(0, |metrics| metrics.bytes);
        assert!(bytes <= permitted, "{bytes} of {permitted}");
        let left_out: u64 = report.left_out.values().sum();
        assert_eq!(report.created + left_out, 4);
    }
}

#[test]
fn unknown_caches_other_schemas_unreadable_and_refused_keys_are_counted_and_named() {
    let (device, manifest) = with_costs([1, 2, 3]);
    let mut text = Vec::new();
    manifest.write(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.push(lines[1].replace("\"cache\":\"tile\"", "\"cache\":\"gone\""));
    lines.push(lines[1].replace("\"schema\":3", "\"schema\":2"));
    lines.push(lines[1].replace("\"key\":{\"m\":1,\"n\":1}", "\"key\":{\"m\":-1,\"n\":1}"));
    lines.push("torn".to_owned());
    let manifest = Manifest::read(lines.join("\n").as_bytes()).unwrap();
    device.refuse(2);
    device.fail(3, 1);
    let (registry, _) = shared(&device);
    let report = registry.warm(&manifest, &one_thread());
    assert_eq!(report.created, 1);
    assert_eq!(
        report.to_string(),
        "1 created, 0 present, 1 failed; 1 skipped: `tile` of schema 2, which is 3 here; 1 skipped: keys of `tile` \
         that cannot be read; 1 skipped: keys of `tile` that the device refuses; 1 skipped: no kernel `gone` is \
         registered; 1 skipped: torn last lines"
    );
    assert_eq!(&*report.failed[0].0, "tile:TileKey{m:3,n:1}");
    assert!(report.failed[0].1.ends_with("the creation of 3 was to fail"), "{}", report.failed[0].1);
}

#[test]
fn a_creation_that_panics_is_one_that_failed() {
    let (device, manifest) = with_costs([1, 2, 3]);
    device.panic(3, 1);
    let (registry, _) = shared(&device);
    let report = registry.warm(&manifest, &one_thread());
    assert_eq!((report.created, report.failed.len()), (2, 1));
    assert!(registry.supervisor().ready().is_ready());
}

#[test]
fn a_cache_is_not_warmed_beyond_its_room() {
    let (device, manifest) = with_costs(1..=5);
    let (registry, _) = shared(&device);
    registry.set_eviction_policy::<Tile>(EvictionPolicy::lru().with_max_entries(3));
    let report = registry.warm(&manifest, &one_thread());
    assert_eq!(device.created(), [5, 4, 3]);
    assert_eq!(report.left_out.into_iter().collect::<Vec<_>>(), [("the cache has no room", 2)]);
    assert_eq!(registry.metrics::<Tile>().unwrap().evictions, 0);
}

#[test]
fn ready_is_a_value_a_future_and_an_event() {
    struct Woken(Mutex<u32>);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            *self.0.lock().unwrap() += 1;
        }
    }
    let (device, manifest) = with_costs([1]);
    let (registry, events) = shared(&device);
    let ready = registry.supervisor().ready();
    let woken = Arc::new(Woken(Mutex::new(0)));
    let waker = Waker::from(woken.clone());
    let mut future = pin!(ready.clone());
    assert_eq!(future.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
    assert!(!ready.is_ready());
    let waiting = std::thread::spawn({
        let ready = ready.clone();
        move || ready.wait()
    });
    registry.warm(&manifest, &one_thread());
    waiting.join().unwrap();
    assert_eq!(*woken.0.lock().unwrap(), 1);
    assert_eq!(future.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(()));
    assert!(ready.is_ready());
    assert_eq!(events.of(EventKind::WarmUpFinished).len(), 1);
}

#[test]
fn a_deadline_of_nothing_creates_nothing() {
    let (device, manifest) = with_costs([0, 1]);
    let (registry, _) = shared(&device);
    let report = registry.warm(&manifest, &WarmOptions { deadline: Some(Duration::ZERO), ..one_thread() });
    assert_eq!((report.created, device.creations()), (0, 0));
}
