//! The events that tests of casts expect, in few words.

use std::sync::Arc;

use metallic::caching::CacheRegistry;
use metallic_instrumentation::{
    CacheCleared, CacheEviction, CreationOutcome, EntryRemoved, EventData, RemovalCause, ResourceCacheAccess,
    ResourceCreated,
};

use crate::doubles::{Cast, Foundry};

pub(crate) const SECOND_NS: u64 = 1_000_000_000;

fn label(size: u32) -> Arc<str> {
    format!("cast:CastKey{{size:{size}}}").into()
}

pub(crate) fn access(size: u32, hit: bool) -> EventData {
    let bytes = u64::from(size) * 4;
    ResourceCacheAccess { cache_key: label(size), hit, bytes }.into()
}

pub(crate) fn created(size: u32, duration_ns: u64) -> EventData {
    ResourceCreated {
        cache: "cast".into(),
        cache_key: label(size),
        duration_ns,
        own_duration_ns: duration_ns,
        loaded: false,
        outcome: CreationOutcome::Created,
        error: None,
        bytes: u64::from(size) * 4,
    }
    .into()
}

pub(crate) fn not_created(size: u32, outcome: CreationOutcome, error: Option<&str>) -> [EventData; 2] {
    let created = ResourceCreated {
        cache: "cast".into(),
        cache_key: label(size),
        duration_ns: 0,
        own_duration_ns: 0,
        loaded: false,
        outcome,
        error: error.map(str::to_owned),
        bytes: 0,
    };
    [created.into(), ResourceCacheAccess { cache_key: label(size), hit: false, bytes: 0 }.into()]
}

/// Entry `size` left; times are in seconds.
pub(crate) fn removed(size: u32, cause: RemovalCause, age: u64, idle: u64, reuse_count: u64) -> EventData {
    EntryRemoved {
        cache: "cast".into(),
        cache_key: label(size),
        cause,
        age_ns: age * SECOND_NS,
        idle_ns: idle * SECOND_NS,
        reuse_count,
        creation_ns: 0,
        bytes: u64::from(size) * 4,
    }
    .into()
}

pub(crate) fn eviction(
    strategy: &'static str,
    count: u64,
    reason: &'static str,
    size_after: u64,
) -> EventData {
    CacheEviction {
        cache: "cast".into(),
        strategy: strategy.into(),
        count,
        reason: reason.into(),
        size_after,
    }
    .into()
}

pub(crate) fn cleared(count: u64, size_after: u64) -> EventData {
    CacheCleared { cache: "cast".into(), count, size_after }.into()
}

pub(crate) fn get(registry: &mut CacheRegistry<Foundry>, sizes: impl IntoIterator<Item = u32>) {
    for size in sizes {
        assert_eq!(registry.get_or_create::<Cast>(&size, None).unwrap().size, size);
    }
}
