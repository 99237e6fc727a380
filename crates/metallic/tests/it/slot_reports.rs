//! Slots that report through their registry: sink, clock, names, metrics.

use std::sync::Arc;

use metallic::caching::{CacheRegistry, CacheRegistrySlot, ManualClock, SlotContext};
use metallic_instrumentation::{EventKind, KvCacheTruncated, Recorder};

use crate::doubles::{SECOND, names, panics};

/// A slot of a user's, that keeps count and tells.
#[derive(Default)]
struct Counted {
    context: SlotContext,
    count: u64,
    connections: u32,
}

impl CacheRegistrySlot for Counted {
    fn clear_slot(&mut self) {
        let from = std::mem::take(&mut self.count);
        self.context.report(EventKind::KvCacheTruncated, self.context.now(), || KvCacheTruncated {
            cache: "counted".into(),
            from,
            to: 0,
        });
    }

    fn connect(&mut self, context: &SlotContext) {
        self.connections += 1;
        self.context = context.clone();
    }
}

#[test]
fn a_slot_of_a_users_own_reports_through_the_registry() {
    let (clock, recorder) = (ManualClock::new(), Arc::new(Recorder::new()));
    let mut registry = CacheRegistry::new().with_clock(clock.clone());
    registry.slot_mut(Counted::default).count = 3;
    registry.slot_mut(|| -> Counted { unreachable!("there is one") });
    let mut registry = registry.with_sink(recorder.clone());
    let began = registry.slot::<Counted>().unwrap().context.now();
    clock.advance(SECOND);
    assert_eq!(registry.slot::<Counted>().unwrap().context.ns_since(began), 1_000_000_000);
    registry.clear_slot::<Counted>();
    let events = recorder.take();
    assert_eq!(events[0].timestamp, Some(1_000_000_000));
    assert_eq!(events[0].data, KvCacheTruncated { cache: "counted".into(), from: 3, to: 0 }.into());
    assert_eq!(registry.slot::<Counted>().unwrap().connections, 2);
    assert_eq!(names(&registry), [""; 0], "it is no cache");
}

#[test]
fn a_slot_whose_making_panics_is_not_there() {
    let mut registry = CacheRegistry::new();
    assert!(panics(|| {
        registry.slot_mut(|| -> Counted { panic!("no room") });
    }));
    assert!(registry.slot::<Counted>().is_none());
    assert_eq!(registry.slot_mut(Counted::default).connections, 1);
}
