//! Creations that fail: nothing is lost but what failed.

use std::error::Error;

use metallic::caching::CacheEvent;
use metallic::error::MetalError;

use crate::doubles::{Cast, Foundry, Mood, OutOfRegisters, SECOND};

// The error type.

#[test]
fn errors_are_lower_case_sentences_and_the_cause_is_the_source() {
    let duplicate =
        MetalError::DuplicateCacheName { name: "gemm".into(), first: "a::Gemm", second: "b::Gemm" };
    let cases = [
        (MetalError::DeviceNotAvailable, "no device is available", None),
        (duplicate, "the cache name `gemm` belongs to a::Gemm and cannot be used by b::Gemm", None),
        (MetalError::invalid_params("k is zero"), "invalid parameters: k is zero", None),
        (
            MetalError::device("pipeline compilation", OutOfRegisters),
            "pipeline compilation failed",
            Some("out of registers"),
        ),
    ];
    for (error, text, source) in cases {
        assert_eq!(error.to_string(), text);
        assert_eq!(error.source().map(ToString::to_string).as_deref(), source);
    }
}

#[test]
fn errors_can_be_built_from_owned_text_and_cross_threads() {
    fn crosses_threads<T: Send + Sync + 'static>(_: &T) {}
    let error = MetalError::device(format!("stage {}", 2), format!("code {}", 7));
    crosses_threads(&error);
    assert_eq!(error.to_string(), "stage 2 failed");
    assert_eq!(error.source().unwrap().to_string(), "code 7");
    assert_eq!(MetalError::invalid_params(format!("m = {}", 0)).to_string(), "invalid parameters: m = 0");
}

// Creations that fail.

#[test]
fn a_failed_creation_names_the_key_and_has_the_kernels_own_error_as_its_source() {
    let foundry = Foundry::default();
    foundry.set_mood(Mood::OutOfRegisters);
    let error = foundry.registry().get_or_create::<Cast>(&1, None).unwrap_err();
    assert_eq!(error.to_string(), "cannot create `cast:CastKey{size:1}`");
    assert_eq!(error.source().unwrap().to_string(), "pipeline compilation failed");
    assert_eq!(error.downcast_ref(), Some(&OutOfRegisters));
    let root = error.into_root();
    let MetalError::Device { operation, source } = root else { panic!("{root:?}") };
    assert_eq!(operation, "pipeline compilation");
    assert_eq!(source.downcast_ref(), Some(&OutOfRegisters));
}

#[test]
fn a_failed_creation_inserts_nothing() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    registry.get_or_create::<Cast>(&1, None).unwrap();
    foundry.set_mood(Mood::OutOfRegisters);
    registry.get_or_create::<Cast>(&2, None).unwrap_err();
    let metrics = registry.metrics::<Cast>().unwrap();
    assert_eq!((metrics.size, metrics.bytes), (1, 4));
    registry.cache::<Cast>().unwrap().validate();
}

#[test]
fn a_failed_creation_is_a_miss_and_the_last_event() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    foundry.set_mood(Mood::OutOfRegisters);
    foundry.set_cost(SECOND);
    for _ in 0..2 {
        registry.get_or_create::<Cast>(&2, None).unwrap_err();
    }
    let metrics = registry.metrics::<Cast>().unwrap();
    assert_eq!((metrics.hits, metrics.misses, metrics.failed_creations), (0, 2, 2));
    assert_eq!(metrics.creation_time, 2 * SECOND);
    let cache_key = "cast:CastKey{size:2}".into();
    assert_eq!(metrics.last_event, Some(CacheEvent::CreationFailed { cache_key }));
    assert_eq!(metrics.last_event.unwrap().to_string(), "creation failed cast:CastKey{size:2}");
}

#[test]
fn the_next_look_up_after_a_failure_tries_again() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    foundry.set_mood(Mood::OutOfRegisters);
    registry.get_or_create::<Cast>(&2, None).unwrap_err();
    foundry.set_mood(Mood::Well);
    assert_eq!(registry.get_or_create::<Cast>(&2, None).unwrap().serial, 2);
    assert_eq!(registry.get_or_create::<Cast>(&2, None).unwrap().serial, 2);
    let metrics = registry.metrics::<Cast>().unwrap();
    assert_eq!((metrics.hits, metrics.misses, metrics.failed_creations), (1, 2, 1));
    assert_eq!(foundry.begun(), 2);
}

#[test]
fn a_hit_needs_nothing_of_a_device_that_fails() {
    let foundry = Foundry::default();
    let mut registry = foundry.registry();
    registry.get_or_create::<Cast>(&1, None).unwrap();
    foundry.set_mood(Mood::Panicking);
    assert_eq!(registry.get_or_create::<Cast>(&1, None).unwrap().size, 1);
}
