//! Steps of the program in the log.

use std::sync::Arc;
use std::time::Duration;

use metallic::caching::{CacheRegistry, ManualClock, SharedRegistry};
use metallic::slots::Spans;
use metallic_instrumentation::{EventData, Recorder};

#[test]
fn a_step_is_reported_with_the_time_of_its_begin_and_one_that_is_dropped_is_not() {
    let (clock, recorder) = (ManualClock::new(), Arc::new(Recorder::new()));
    let mut registry = CacheRegistry::<()>::default().with_clock(clock.clone()).with_sink(recorder.clone());
    let spans = registry.slot_mut(Spans::default).clone();
    clock.advance(Duration::from_nanos(100));
    let token = spans.begin();
    clock.advance(Duration::from_nanos(7));
    drop(spans.begin());
    token.end("token", || "prompt 1, token 2".to_owned());
    let spans: Vec<_> = recorder
        .events()
        .into_iter()
        .filter_map(|event| match event.data {
            EventData::SpanEnded(span) => Some((event.timestamp, event.registry.is_some(), span)),
            _ => None,
        })
        .collect();
    let [(Some(100), true, span)] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!(
        (&*span.name, span.label.as_deref(), span.duration_ns),
        ("token", Some("prompt 1, token 2"), 7)
    );
    assert_eq!(span.thread.as_deref(), std::thread::current().name());
}

#[test]
fn without_a_sink_no_label_is_made_and_a_local_has_steps_too() {
    let registry = SharedRegistry::<()>::default();
    let mut local = registry.local();
    local.slot_mut(Spans::default).begin().end("frame", || panic!("no one wants it"));
    let recorder = Arc::new(Recorder::new());
    registry.set_sink(Some(recorder.clone()));
    // A local's slots have the sink that the registry had when they came into being.
    let mut local = registry.local();
    local.slot_mut(Spans::default).begin().end("frame", || "1".to_owned());
    assert!(recorder.events().iter().any(|event| matches!(&event.data, EventData::SpanEnded(_))));
}
