//! Keys that panic when they are compared.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use metallic::caching::EvictionPolicy;
use metallic::error::Error;
use metallic_instrumentation::{EventKind, Recorder};

use super::{Key, Moment, Thing, at, ends, make, never, panic_at, registry, things};

#[test]
fn what_expires_may_use_its_cache_when_it_is_dropped_though_a_key_panics_when_it_is_compared() {
    ends(|| {
        let (registry, clock, _) = registry();
        let things = things(&registry);
        things.set_eviction_policy(EvictionPolicy::idle_timeout(Duration::from_secs(1)));
        make(&things, 1).unwrap();
        clock.advance(Duration::from_millis(900));
        make(&things, 2).unwrap();
        clock.advance(Duration::from_millis(900));
        let user = things.clone();
        let look_up = move || {
            // The first thing's, of a panic in the comparison with the second.
            at(Moment::Compare, move || {
                let user = user.clone();
                at(Moment::Drop, move || _ = user.counters());
                panic!("as it was told to");
            });
            make(&things, 3).map(drop)
        };
        catch_unwind(AssertUnwindSafe(look_up)).unwrap_err();
        never();
    });
}

#[test]
fn what_expires_is_reported_though_a_key_panics_when_it_is_compared() {
    for is_creation in [false, true] {
        let (registry, clock, _) = registry();
        let events = Arc::new(Recorder::default());
        registry.set_sink(Some(events.clone()));
        let things = things(&registry);
        things.set_eviction_policy(EvictionPolicy::idle_timeout(Duration::from_secs(1)));
        make(&things, 1).unwrap();
        clock.advance(Duration::from_millis(900));
        make(&things, 2).unwrap();
        clock.advance(Duration::from_millis(900));
        panic_at(Moment::Compare);
        let look_up = || if is_creation { make(&things, 3).ok() } else { things.get(&Key(3)) };
        catch_unwind(AssertUnwindSafe(|| drop(look_up()))).unwrap_err();
        never();
        let events = events.events();
        let count = |kind| events.iter().filter(|event| event.data.kind() == kind).count();
        let reported = (count(EventKind::EntryRemoved), count(EventKind::CacheEviction));
        assert_eq!((reported, things.counters().size), ((1, 1), 1));
    }
}

#[test]
fn a_rebuild_whose_key_panics_when_it_is_compared_ends() {
    ends(|| {
        let (registry, ..) = registry();
        let things = things(&registry);
        make(&things, 1).unwrap();
        let rebuild = || {
            things.rebuild_with(Key(1), || {
                panic_at(Moment::Compare);
                Ok(Arc::new(Thing(2)))
            })
        };
        registry.set_creator_threads(0);
        let error = rebuild().wait().unwrap_err();
        never();
        assert!(matches!(error.root(), Error::Panicked { .. }), "{error:?}");
        assert_eq!(make(&things, 1).unwrap().0, 1, "the last good one stays");
        let again = things.rebuild_with(Key(1), || Ok(Arc::new(Thing(3))));
        assert_eq!(again.wait().unwrap().0, 3);
    });
}
