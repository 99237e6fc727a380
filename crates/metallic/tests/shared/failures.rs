//! Creations that fail, panic, wait for themselves or lose their device, while others wait for them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use metallic::caching::{ManualClock, OnFailure, SharedRegistry};
use metallic::error::Error;

use crate::kernels::{Chained, Script, Scripted, meeting};

fn registry() -> (SharedRegistry<Script>, Script) {
    let script = Script::default();
    (SharedRegistry::with_device(script.clone()), script)
}

#[test]
fn an_error_names_what_could_not_be_created_and_keeps_its_source() {
    let (registry, script) = registry();
    script.on(3, || Err(Error::invalid_params("three")));
    let error = registry.get_or_create::<Scripted>(&3, None).unwrap_err();
    assert_eq!(error.to_string(), "cannot create `scripted:3`");
    assert!(matches!(error.root(), Error::InvalidParams { .. }));
    let metrics = registry.metrics::<Scripted>().unwrap();
    assert_eq!((metrics.size, metrics.misses, metrics.failed_creations), (0, 1, 1));
}

#[test]
fn the_panic_of_a_creation_reaches_its_caller_and_the_key_can_be_created_again() {
    let (registry, script) = registry();
    let broken = Arc::new(AtomicBool::new(true));
    let seen = broken.clone();
    script.on(1, move || if seen.load(Ordering::SeqCst) { panic!("as it was told to") } else { Ok(()) });
    catch_unwind(AssertUnwindSafe(|| registry.get_or_create::<Scripted>(&1, None))).unwrap_err();
    broken.store(false, Ordering::SeqCst);
    assert_eq!(*registry.get_or_create::<Scripted>(&1, None).unwrap(), 1);
    let metrics = registry.metrics::<Scripted>().unwrap();
    assert_eq!((metrics.misses, metrics.failed_creations, metrics.size), (2, 1, 1));
}

#[test]
fn a_creation_that_needs_itself_is_an_error() {
    let (registry, _) = registry();
    let error = registry.get_or_create::<Chained>(&100, None).unwrap_err();
    assert!(matches!(error.root(), Error::RecursiveCreation { .. }), "{error:?}");
    assert!(registry.get_or_create::<Chained>(&1, None).is_ok());
}

#[test]
fn a_circle_of_creations_over_two_threads_is_an_error_and_no_deadlock() {
    let (registry, script) = registry();
    let both = Arc::new(std::sync::Barrier::new(2));
    for (key, other) in [(1, 2), (2, 1)] {
        let (registry, both) = (registry.clone(), both.clone());
        script.on(key, move || {
            both.wait();
            registry.get_or_create::<Scripted>(&other, None).map(drop)
        });
    }
    let results: Vec<_> = thread::scope(|scope| {
        let one = scope.spawn(|| registry.get_or_create::<Scripted>(&1, None).map(drop));
        let two = scope.spawn(|| registry.get_or_create::<Scripted>(&2, None).map(drop));
        [one, two].map(|thread| thread.join().unwrap()).into()
    });
    assert!(results.iter().any(Result::is_err));
    for error in results.into_iter().filter_map(Result::err) {
        assert!(matches!(error.root(), Error::RecursiveCreation { .. }), "{error:?}");
    }
    // The script has the registry.
    registry.device_lost(None);
}

#[test]
fn who_waits_can_have_enough() {
    let (registry, script) = registry();
    let (meeting, step) = meeting();
    script.on(1, step);
    thread::scope(|scope| {
        let creator = scope.spawn(|| registry.get_or_create::<Scripted>(&1, None).map(drop));
        while script.creations() == 0 {
            thread::yield_now();
        }
        let late = registry.get_or_create_within::<Scripted>(&1, None, Duration::from_millis(1));
        assert!(matches!(late, Err(Error::TimedOut { .. })));
        meeting.wait();
        creator.join().unwrap().unwrap();
    });
    assert!(registry.get_or_create_within::<Scripted>(&1, None, Duration::ZERO).is_ok());
}

#[test]
fn a_failure_is_remembered_for_its_back_off() {
    let clock = ManualClock::new();
    let script = Script::default();
    let registry = SharedRegistry::with_clock(Some(script.clone()), clock.clone());
    registry.set_failure_policy::<Scripted>(OnFailure::Remember { backoff: Duration::from_secs(10) });
    script.on(1, || Err(Error::invalid_params("one")));
    for _ in 0..5 {
        let error = registry.get_or_create::<Scripted>(&1, None).unwrap_err();
        assert!(matches!(error.root(), Error::InvalidParams { .. }));
    }
    assert_eq!(script.creations(), 1);
    clock.advance(Duration::from_secs(10));
    registry.get_or_create::<Scripted>(&1, None).unwrap_err();
    assert_eq!(script.creations(), 2);
    registry.device_lost(Some(script.clone()));
    registry.get_or_create::<Scripted>(&1, None).unwrap_err();
    assert_eq!(script.creations(), 3);
}

#[test]
fn the_last_1024_failures_are_remembered_and_those_before_are_forgotten() {
    let (registry, script) = registry();
    registry.set_failure_policy::<Scripted>(OnFailure::Remember { backoff: Duration::MAX });
    for key in 0..=1024 {
        script.on(key, || Err(Error::invalid_params("any")));
        registry.get_or_create::<Scripted>(&key, None).unwrap_err();
    }
    registry.get_or_create::<Scripted>(&1, None).unwrap_err();
    assert_eq!(script.creations(), 1025, "the second is remembered");
    registry.get_or_create::<Scripted>(&0, None).unwrap_err();
    assert_eq!(script.creations(), 1026, "the first was forgotten");
}

#[test]
fn what_is_created_on_a_lost_device_is_handed_to_no_one() {
    let (registry, script) = registry();
    let (meeting, step) = meeting();
    script.on(1, step);
    thread::scope(|scope| {
        let creator = scope.spawn(|| registry.get_or_create::<Scripted>(&1, None).map(drop));
        while script.creations() == 0 {
            thread::yield_now();
        }
        registry.device_lost(Some(Script::default()));
        meeting.wait();
        let error = creator.join().unwrap().unwrap_err();
        assert!(matches!(error.root(), Error::DeviceLost), "{error:?}");
    });
    assert!(registry.peek::<Scripted>(&1).is_none());
    assert!(registry.get_or_create::<Scripted>(&1, None).is_ok(), "on the new device");
}

#[test]
fn hits_go_on_while_another_thread_creates() {
    let (registry, script) = registry();
    registry.get_or_create::<Scripted>(&2, None).unwrap();
    let (meeting, step) = meeting();
    script.on(1, step);
    thread::scope(|scope| {
        scope.spawn(|| registry.get_or_create::<Scripted>(&1, None).map(drop));
        while script.creations() < 2 {
            thread::yield_now();
        }
        assert!(registry.get_or_create::<Scripted>(&2, None).is_ok());
        assert!(registry.get_or_create::<Scripted>(&3, None).is_ok());
        meeting.wait();
    });
}
