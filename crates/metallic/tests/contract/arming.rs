//! Scopes that are armed against creations.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::time::Duration;

use metallic::caching::{EvictionPolicy, SharedRegistry};
use metallic::creation::Contract;
use metallic::error::MetalError;
use metallic::instrumentation::{CreationViolation, ViolationMode, ViolationVerdict};
use metallic::manifest::{Manifest, WarmOptions};
use metallic::testing::{ScriptedDevice, ScriptedKernel};

use crate::tiles::{MS, Tile, private, recorded, shared};

fn refused(error: &MetalError) -> &CreationViolation {
    match error.root() {
        MetalError::CreationRefused(violation) => violation,
        other => panic!("not refused, but {other:?}"),
    }
}

#[test]
fn a_refusal_names_the_key_the_nearest_key_the_fields_that_differ_and_the_caller() {
    let device = ScriptedDevice::new();
    let (registry, events) = shared(&device);
    for tile in [(8, 8), (4, 1)] {
        registry.get_or_create::<Tile>(&tile, None).unwrap();
    }
    let armed = registry.arm("serving", Contract::Refuse);
    let error = registry.get_or_create::<Tile>(&(4, 2), None).unwrap_err();
    let line = line!() - 1;
    let violation = refused(&error);
    assert_eq!((&*violation.cache_key, &*violation.scope), ("tile:TileKey{m:4,n:2}", "serving"));
    assert_eq!(violation.nearest_key.as_deref(), Some("tile:TileKey{m:4,n:1}"));
    assert_eq!(violation.differing_fields, ["n"]);
    assert_eq!(violation.caller.as_deref(), Some(&*format!("{}:{line}", file!())));
    assert_eq!((violation.mode, violation.verdict), (ViolationMode::Refuse, ViolationVerdict::NoManifest));
    assert_eq!(
        error.root().to_string(),
        format!(
            "`tile:TileKey{{m:4,n:2}}` was to be created in the armed scope `serving`: there was no manifest to warm up \
             from; the nearest key, `tile:TileKey{{m:4,n:1}}`, differs in n; asked for at {}:{line}",
            file!()
        )
    );
    assert_eq!(events.violations(), std::slice::from_ref(violation));
    assert_eq!((armed.violations(), device.creations()), (1, 2));
    drop(armed);
    registry.get_or_create::<Tile>(&(4, 2), None).unwrap();
}

#[test]
fn counted_and_warned_of_creations_go_on_and_have_their_cost() {
    for (contract, mode) in [(Contract::Count, ViolationMode::Count), (Contract::Warn, ViolationMode::Warn)] {
        let device = ScriptedDevice::new();
        device.set_cost(4, 7 * MS);
        let (mut registry, events) = private(&device);
        let armed = registry.arm("serving", contract);
        registry.get_or_create::<Tile>(&(4, 2), None).unwrap();
        registry.get_or_create::<Tile>(&(4, 2), None).unwrap();
        let violations = events.violations();
        assert_eq!((violations.len(), violations[0].mode, violations[0].duration_ns), (1, mode, 7_000_000));
        assert!(violations[0].caller.as_deref().is_some_and(|caller| caller.contains("arming.rs")));
        assert_eq!(armed.first_violations(), violations);
    }
}

/// A registry that was warmed up from a manifest of these tiles, some of which failed or were left out.
fn warmed(
    device: &ScriptedDevice,
    manifest: &Manifest,
    deadline: Duration,
) -> SharedRegistry<ScriptedDevice> {
    let (registry, _) = shared(device);
    registry.warm(manifest, &WarmOptions { deadline: Some(deadline), ..WarmOptions::default() });
    registry
}

#[test]
fn the_verdict_says_why_the_key_was_not_there() {
    let device = ScriptedDevice::new();
    device.set_cost(3, Duration::from_secs(10));
    let manifest = recorded(&device, 1..=3);
    let mut text = Vec::new();
    manifest.write(&mut text).unwrap();
    let other_schema = String::from_utf8(text.clone()).unwrap().replace("\"schema\":3", "\"schema\":2");
    let other_schema = other_schema.replace("m\":1", "m\":5").replace("m:1", "m:5");
    text.extend(other_schema.as_bytes());
    let manifest = Manifest::read(&text[..]).unwrap();
    device.fail(2, 1);
    let registry = warmed(&device, &manifest, Duration::from_secs(5));
    registry.set_eviction_policy::<Tile>(EvictionPolicy::size_limited_lru(1));
    let armed = registry.arm("serving", Contract::Refuse);
    let verdict = |m, n| {
        let error = registry.get_or_create::<Tile>(&(m, n), None).unwrap_err();
        let violation = refused(&error);
        (violation.verdict, violation.evicted_by.as_deref().map(str::to_owned))
    };
    // Another program's tile takes the place of the warmed one.
    drop(armed);
    registry.get_or_create::<Tile>(&(7, 7), None).unwrap();
    let _armed = registry.arm("serving", Contract::Refuse);
    assert_eq!(verdict(9, 9), (ViolationVerdict::NeverRecorded, None));
    assert_eq!(verdict(1, 1), (ViolationVerdict::Evicted, Some("size_limited_lru".to_owned())));
    assert_eq!(verdict(2, 1), (ViolationVerdict::Failed, None));
    assert_eq!(verdict(3, 1), (ViolationVerdict::NotReady, None));
    assert_eq!(verdict(5, 1), (ViolationVerdict::OtherFingerprint, None));
}

#[test]
fn a_key_that_was_created_without_a_manifest_and_removed_was_there() {
    let (registry, _) = shared(&ScriptedDevice::new());
    registry.get_or_create::<Tile>(&(1, 1), None).unwrap();
    registry.clear();
    let _armed = registry.arm("serving", Contract::Refuse);
    let error = registry.get_or_create::<Tile>(&(1, 1), None).unwrap_err();
    assert_eq!(
        (refused(&error).verdict, refused(&error).evicted_by.as_deref()),
        (ViolationVerdict::Evicted, None)
    );
}

#[test]
fn a_refused_closure_is_not_blamed_on_a_manifest_and_its_caller_is_told_what_to_do() {
    for has_manifest in [false, true] {
        let (registry, events) = shared(&ScriptedDevice::new());
        if has_manifest {
            registry.warm(&Manifest::new(), &WarmOptions::default());
        }
        let cache = registry.cache::<u32, u32>("pipeline").unwrap();
        cache.get_or_make(&1, || 1).unwrap();
        let _armed = registry.arm("serving", Contract::Refuse);
        let error = cache.get_or_create_with(&2, || Ok::<_, MetalError>(2)).unwrap_err();
        let line = line!() - 1;
        assert_eq!(refused(&error).verdict, ViolationVerdict::NotRecordable);
        assert_eq!(error.to_string(), "cannot create `pipeline:2`");
        assert_eq!(
            format!("{error:#}"),
            format!(
                "cannot create `pipeline:2`: `pipeline:2` was to be created in the armed scope `serving`: it was not there, \
                 and no manifest can have what a closure or a slot creates: prefetch it, or rehearse, before the scope is \
                 armed; the nearest key is `pipeline:1`; asked for at {}:{line}",
                file!()
            )
        );
        // What goes on is told of in the same way, and what was there is still evicted or removed.
        registry.pool::<u32, u32>("buffer").unwrap().checkout(&3, || 3);
        cache.remove(&1);
        cache.get_or_create_with(&1, || Ok::<_, MetalError>(1)).unwrap_err();
        let verdicts: Vec<_> = events.violations().iter().map(|violation| violation.verdict).collect();
        let expected =
            [ViolationVerdict::NotRecordable, ViolationVerdict::NotRecordable, ViolationVerdict::Evicted];
        assert_eq!(verdicts, expected);
    }
}

#[test]
fn the_strictest_of_several_scopes_decides_and_all_of_them_count() {
    let (registry, events) = shared(&ScriptedDevice::new());
    let [capture, serving, tests] = [
        registry.arm("capture", Contract::Refuse),
        registry.arm("serving", Contract::Warn),
        registry.arm("tests", Contract::Count),
    ];
    registry.get_or_create::<Tile>(&(1, 1), None).unwrap_err();
    drop(capture);
    registry.get_or_create::<Tile>(&(1, 1), None).unwrap();
    assert_eq!((serving.violations(), tests.violations()), (2, 2));
    let scopes: Vec<_> = events.violations().into_iter().map(|violation| violation.scope).collect();
    assert_eq!(scopes, ["capture", "serving"]);
}

#[test]
fn a_budget_lets_so_many_pass_in_an_hour() {
    let device = ScriptedDevice::new();
    let (registry, events) = shared(&device);
    let armed = registry.arm("serving", Contract::Refuse).with_budget(2);
    let asked = |m| registry.get_or_create::<Tile>(&(m, 1), None).is_ok();
    assert_eq!([asked(1), asked(2), asked(3)], [true, true, false]);
    device.clock().advance(Duration::from_secs(3599));
    assert!(!asked(3));
    device.clock().advance(Duration::from_secs(1));
    assert_eq!([asked(3), asked(4), asked(5)], [true, true, false]);
    assert_eq!(armed.violations(), 7);
    let modes: Vec<_> = events.violations().into_iter().map(|violation| violation.mode).collect();
    use ViolationMode::{Refuse, Warn};
    assert_eq!(modes, [Warn, Warn, Refuse, Refuse, Warn, Warn, Refuse]);
}

#[test]
fn a_scope_with_a_budget_does_not_speak_for_one_without() {
    let (registry, _) = shared(&ScriptedDevice::new());
    let hard = registry.arm("hard", Contract::Refuse);
    let soft = registry.arm("soft", Contract::Refuse).with_budget(10);
    assert!(registry.get_or_create::<Tile>(&(1, 1), None).is_err());
    assert_eq!((hard.violations(), soft.violations()), (1, 1));
    drop(hard);
    assert!(registry.get_or_create::<Tile>(&(1, 1), None).is_ok(), "within the budget");
}

#[test]
fn a_scope_for_portable_keys_lets_others_pass() {
    let (registry, _) = shared(&ScriptedDevice::new());
    let armed = registry.supervisor().arm_portable("loading", Contract::Refuse);
    registry.get_or_create::<ScriptedKernel>(&1, None).unwrap();
    registry
        .cache::<u32, u32>("closures")
        .unwrap()
        .get_or_create_with(&1, || Ok::<_, MetalError>(1))
        .unwrap();
    registry.get_or_create::<Tile>(&(1, 1), None).unwrap_err();
    assert_eq!(armed.violations(), 1);
}

#[test]
fn creations_of_closures_are_refused_where_their_error_has_a_place_for_it() {
    let device = ScriptedDevice::new();
    let (registry, _) = shared(&device);
    let (mut private, events) = private(&device);
    private.supervise(&registry.supervisor());
    let _armed = registry.arm("serving", Contract::Refuse);
    let closures = registry.cache::<u32, u32>("closures").unwrap();
    let error = closures.get_or_create_with(&1, || Ok::<_, MetalError>(1)).unwrap_err();
    assert_eq!(&*refused(&error).cache_key, "closures:1");
    let mine = private.keyed_cache::<u32, u32>("mine").unwrap();
    assert_eq!(mine.get_or_create_with(&1, || Ok::<_, String>(1)), Ok(&mut 1));
    assert_eq!(events.violations()[0].mode, ViolationMode::Warn);
    assert!(events.violations()[0].caller.is_some());
}

#[test]
fn one_supervisor_watches_over_several_registries() {
    let device = ScriptedDevice::new();
    let (registry, _) = shared(&device);
    let other = SharedRegistry::with_device(device);
    other.supervise(&registry.supervisor());
    let armed = registry.arm("serving", Contract::Refuse);
    other.get_or_create::<ScriptedKernel>(&1, None).unwrap_err();
    other.local().get_or_create::<Tile>(&(1, 1), None).unwrap_err();
    assert_eq!(armed.violations(), 2);
}

#[test]
fn a_refused_creation_leaves_its_waiters_and_the_registry_whole() {
    let (registry, _) = shared(&ScriptedDevice::new());
    let armed = registry.arm("serving", Contract::Refuse);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| registry.get_or_create::<Tile>(&(1, 1), None).unwrap_err());
        }
    });
    drop(armed);
    registry.get_or_create::<Tile>(&(1, 1), None).unwrap();
    let metrics = registry.metrics::<Tile>().unwrap();
    assert_eq!((metrics.misses, metrics.failed_creations, metrics.size), (1, 0, 1));
}

#[test]
fn what_is_refused_evicts_nothing() {
    let device = ScriptedDevice::new();
    let (registry, _) = shared(&device);
    let (mut private, _) = private(&device);
    registry.set_eviction_policy::<Tile>(EvictionPolicy::lru().with_max_entries(2));
    private.set_eviction_policy::<Tile>(EvictionPolicy::lru().with_max_entries(2));
    for m in [1, 2] {
        registry.get_or_create::<Tile>(&(m, 1), None).unwrap();
        private.get_or_create::<Tile>(&(m, 1), None).unwrap();
    }
    let _armed = (registry.arm("serving", Contract::Refuse), private.arm("serving", Contract::Refuse));
    for m in 3..9 {
        registry.get_or_create::<Tile>(&(m, 1), None).unwrap_err();
        private.get_or_create::<Tile>(&(m, 1), None).unwrap_err();
    }
    for m in [1, 2] {
        registry.get_or_create::<Tile>(&(m, 1), None).unwrap();
        private.get_or_create::<Tile>(&(m, 1), None).unwrap();
    }
    assert_eq!(registry.metrics::<Tile>().map(|metrics| (metrics.size, metrics.evictions)), Some((2, 0)));
    assert_eq!(private.metrics::<Tile>().map(|metrics| (metrics.size, metrics.evictions)), Some((2, 0)));
}

#[test]
fn assert_no_creation_panics_with_the_violation() {
    let (registry, _) = shared(&ScriptedDevice::new());
    registry.get_or_create::<Tile>(&(1, 1), None).unwrap();
    registry.assert_no_creation(|| registry.get_or_create::<Tile>(&(1, 1), None).unwrap());
    let panic = catch_unwind(AssertUnwindSafe(|| {
        registry.assert_no_creation(|| registry.get_or_create::<Tile>(&(1, 2), None).unwrap());
    }));
    let message = *panic.unwrap_err().downcast::<String>().unwrap();
    assert!(
        message.starts_with("1 creation where there was to be none; the first: `tile:TileKey{m:1,n:2}`"),
        "{message}"
    );
    let (mut private, _) = private(&ScriptedDevice::new());
    private.get_or_create::<Tile>(&(1, 1), None).unwrap();
    private.assert_no_creation(|registry| registry.get_or_create::<Tile>(&(1, 1), None).map(|_| ()).unwrap());
}

#[test]
fn a_creation_that_is_not_over_fails_the_assertion_that_there_is_none() {
    let registry: SharedRegistry = SharedRegistry::new();
    let cache = registry.cache::<u32, u32>("closures").unwrap();
    let ((begin, begun), (end, ended)) = (channel::<()>(), channel::<()>());
    let panic = catch_unwind(AssertUnwindSafe(|| {
        registry.assert_no_creation(|| {
            let create = move || {
                begin.send(()).unwrap();
                ended.recv().unwrap();
                Ok(1)
            };
            let ticket = cache.prefetch_with(1, create);
            begun.recv().unwrap();
            ticket.detach();
        });
    }));
    end.send(()).unwrap();
    let message = *panic.unwrap_err().downcast::<String>().unwrap();
    assert!(
        message.starts_with("1 creation where there was to be none; the first: `closures:1`"),
        "{message}"
    );
    assert_eq!(cache.prefetch_with(1, || unreachable!()).wait().unwrap(), 1);
    registry.assert_no_creation(|| ());
}

#[test]
fn creations_that_go_on_name_the_nearest_key_as_long_as_they_are_kept_and_refused_ones_always() {
    let (registry, events) = shared(&ScriptedDevice::new());
    registry.get_or_create::<Tile>(&(0, 1), None).unwrap();
    let armed = registry.arm("serving", Contract::Count);
    for m in 1..=70 {
        registry.get_or_create::<Tile>(&(m, 1), None).unwrap();
    }
    let named = events.violations().iter().filter(|violation| violation.nearest_key.is_some()).count();
    assert_eq!((named, armed.first_violations().len(), armed.violations()), (64, 64, 70));
    let _refusing = registry.arm("strict", Contract::Refuse);
    let error = registry.get_or_create::<Tile>(&(71, 1), None).unwrap_err();
    assert!(refused(&error).nearest_key.is_some());
}
