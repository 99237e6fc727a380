use std::num::NonZeroU64;
use std::sync::Arc;

use metallic_instrumentation::{
    ChannelExporter, Event, EventKind, EventSink, FanOut, KindFilter, Recorder, Sampling, SinkGuard,
};

use crate::doubles::Panicking;
use crate::samples::{access, one_of_each};

#[test]
fn a_guard_catches_and_counts_every_panic_of_its_sink() {
    let guard = SinkGuard::new(Arc::new(Panicking));
    guard.record(access(1));
    guard.flush();
    assert!(!guard.enabled(EventKind::EventsDropped), "a sink that panics when asked wants nothing");
    assert!(guard.enabled(EventKind::CacheEviction));
    assert_eq!(guard.clone().panics(), 3);
}

#[test]
fn a_guard_of_a_registry_says_so_in_each_event_that_names_none() {
    let recorder = Arc::new(Recorder::new());
    let guard = SinkGuard::new(recorder.clone());
    let of_registry = guard.clone().with_registry(7);
    assert_eq!((guard.registry(), of_registry.registry()), (None, Some(7)));
    guard.record(access(1));
    of_registry.record(access(2));
    of_registry.record(access(3).in_registry(1));
    assert_eq!(recorder.events(), [access(1), access(2).in_registry(7), access(3).in_registry(1)]);
}

#[test]
fn guards_of_several_registries_share_the_count_of_panics() {
    let guard = SinkGuard::new(Arc::new(Panicking));
    let (one, two) = (guard.clone().with_registry(1), guard.clone().with_registry(2));
    one.record(access(1));
    two.record(access(2));
    assert_eq!((guard.panics(), one.panics(), two.panics()), (2, 2, 2));
}

/// Panics with a value that panics when it is dropped, with a value that panics when it is dropped.
struct Stubborn;

struct Bomb(u32);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 > 0 {
            std::panic::panic_any(Bomb(self.0 - 1));
        }
    }
}

impl EventSink for Stubborn {
    fn record(&self, _event: &Event) {
        std::panic::panic_any(Bomb(2));
    }
}

#[test]
fn a_panic_with_a_value_that_panics_when_dropped_is_caught_too() {
    let guard = SinkGuard::new(Arc::new(Stubborn));
    guard.record(access(1));
    assert_eq!(guard.panics(), 1);
}

#[test]
fn a_sink_behind_its_trait_can_be_part_of_a_type_that_prints() {
    let sink: Arc<dyn EventSink> = Arc::new(Recorder::new());
    assert_eq!(format!("{sink:?}"), "EventSink");
}

#[test]
fn a_sink_that_panics_does_not_stop_its_siblings() {
    let (before, after) = (Arc::new(Recorder::new()), Arc::new(Recorder::new()));
    let fan_out = FanOut::new([before.clone() as Arc<dyn EventSink>, Arc::new(Panicking), after.clone()]);
    fan_out.record(&access(1));
    fan_out.record(&access(2));
    assert_eq!(before.events(), [access(1), access(2)]);
    assert_eq!(after.events(), [access(1), access(2)]);
    assert_eq!(fan_out.panics(), 2);
}

/// Wants one kind, and records whatever it is given.
struct Choosy(EventKind, Recorder);

impl EventSink for Choosy {
    fn enabled(&self, kind: EventKind) -> bool {
        kind == self.0
    }

    fn record(&self, event: &Event) {
        self.1.record(event);
    }
}

#[test]
fn a_fan_out_wants_what_any_child_wants_and_gives_each_only_that() {
    let evictions = Arc::new(Choosy(EventKind::CacheEviction, Recorder::new()));
    let summaries = Arc::new(Choosy(EventKind::ResourceCacheSummary, Recorder::new()));
    let fan_out = FanOut::new([evictions.clone() as Arc<dyn EventSink>, summaries.clone()]);
    let wanted = EventKind::ALL.iter().copied().filter(|&kind| fan_out.enabled(kind));
    assert!(wanted.eq([EventKind::ResourceCacheSummary, EventKind::CacheEviction]));
    one_of_each().iter().for_each(|event| fan_out.record(event));
    assert!(evictions.1.events().iter().map(Event::kind).eq([EventKind::CacheEviction]));
    assert!(summaries.1.events().iter().map(Event::kind).eq([EventKind::ResourceCacheSummary]));
}

#[test]
fn a_fan_out_of_nothing_wants_nothing() {
    assert!(EventKind::ALL.iter().all(|&kind| !FanOut::new([]).enabled(kind)));
}

#[test]
fn a_filter_passes_the_kinds_on_its_list_and_declines_the_others() {
    for &kind in EventKind::ALL {
        let recorder = Arc::new(Recorder::new());
        let filter = KindFilter::new(recorder.clone(), [kind]);
        one_of_each().iter().for_each(|event| filter.record(event));
        assert!(recorder.take().iter().map(|event| event.kind()).eq([kind]));
        assert!(EventKind::ALL.iter().all(|&other| filter.enabled(other) == (other == kind)));
    }
}

#[test]
fn a_filter_wants_nothing_its_sink_does_not_want() {
    let none = Arc::new(KindFilter::new(Arc::new(Recorder::new()), []));
    let filter = KindFilter::new(none, EventKind::ALL.iter().copied());
    assert!(EventKind::ALL.iter().all(|&kind| !filter.enabled(kind)));
}

#[test]
fn sampling_passes_one_access_in_n_however_often_it_is_asked() {
    let recorder = Arc::new(Recorder::new());
    let sampling = Sampling::new(recorder.clone(), NonZeroU64::new(3).unwrap());
    for number in 0..10 {
        for _ in 0..number {
            assert!(sampling.enabled(EventKind::ResourceCacheAccess));
        }
        sampling.record(&access(number));
    }
    assert_eq!(recorder.events(), [access(0), access(3), access(6), access(9)]);
}

#[test]
fn sampling_is_exact_over_many_threads() {
    let recorder = Arc::new(Recorder::new());
    let sampling = Sampling::new(recorder.clone(), NonZeroU64::new(7).unwrap());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..700).for_each(|number| sampling.record(&access(number))));
        }
    });
    assert_eq!(recorder.count(EventKind::ResourceCacheAccess), 400);
}

#[test]
fn sampling_always_passes_events_that_are_not_accesses() {
    let recorder = Arc::new(Recorder::new());
    let sampling = Sampling::new(recorder.clone(), NonZeroU64::MAX);
    let others = one_of_each().split_off(1);
    for _ in 0..2 {
        others.iter().for_each(|event| sampling.record(event));
    }
    assert_eq!(recorder.events(), [others.clone(), others].concat());
}

#[test]
fn a_recorder_gives_counts_and_forgets_its_events() {
    let recorder = Recorder::new();
    one_of_each().iter().for_each(|event| recorder.record(event));
    assert_eq!(recorder.count(EventKind::CacheCleared), 1);
    assert_eq!(recorder.take(), one_of_each());
    assert_eq!(recorder.events(), []);
    recorder.record(&access(1));
    recorder.clear();
    assert_eq!(recorder.count(EventKind::ResourceCacheAccess), 0);
}

#[test]
fn a_full_channel_drops_and_counts() {
    let (exporter, events) = ChannelExporter::new(2);
    (0..5).for_each(|number| exporter.record(&access(number)));
    let stats = exporter.stats();
    assert_eq!((stats.sent, stats.dropped, stats.disconnected), (2, 3, false));
    assert!(events.try_iter().eq([access(0), access(1)]));
    exporter.record(&access(5));
    assert!(events.try_iter().eq([access(5)]));
}

#[test]
fn a_channel_without_a_receiver_wants_nothing_any_more() {
    let (exporter, events) = ChannelExporter::new(2);
    drop(events);
    assert!(exporter.enabled(EventKind::ResourceCacheAccess), "it cannot know before the first event");
    exporter.record(&access(0));
    assert!(!exporter.enabled(EventKind::ResourceCacheAccess));
    let stats = exporter.stats();
    assert_eq!((stats.sent, stats.dropped, stats.disconnected), (0, 1, true));
}
