//! Coverage of a registry: what was warmed up, and what was used.

use std::collections::BTreeSet;

use metallic::caching::{CacheRegistry, SharedRegistry};
use metallic::manifest::{Coverage, WarmOptions};
use metallic::testing::ScriptedDevice;

use crate::tiles::{Tile, TileKey, private, recorded, shared};

/// The four numbers of the one cache that there is, which are the total's, and `gone`.
fn numbers(coverage: &Coverage) -> [u64; 5] {
    let total = coverage.total;
    assert_eq!(coverage.caches.get("tile").copied().unwrap_or_default(), total);
    [total.warmed_and_used, total.never_used, total.never_warmed, total.used_before_ready, total.gone]
}

fn labels(tiles: &[u32]) -> BTreeSet<String> {
    tiles.iter().map(|m| format!("tile:TileKey{{m:{m},n:1}}")).collect()
}

fn assert_covered(before: &Coverage, after: &Coverage, removed: &Coverage) {
    assert_eq!((before.has_warm_up, numbers(before)), (false, [0, 0, 2, 0, 0]));
    assert_eq!((after.has_warm_up, numbers(after)), (true, [2, 2, 2, 2, 0]), "{after}");
    assert_eq!(after.never_used, labels(&[3, 4]));
    assert_eq!(after.never_warmed, labels(&[7, 9]));
    assert_eq!(after.used_before_ready, labels(&[1, 9]));
    assert_eq!(numbers(removed), [2, 1, 2, 2, 1]);
    let json = serde_json::to_value(after).unwrap();
    assert_eq!(json["caches"]["tile"]["never_used"], 2);
    assert_eq!(json["never_used"].as_array().unwrap().len(), 2);
    let line = "tile: 2 warmed and used, 2 never used, 2 never warmed, 2 used before ready";
    assert!(after.to_string().ends_with(line), "{after}");
}

#[test]
fn a_shared_registry_tells_what_was_warmed_and_never_used_and_the_other_way_round() {
    let device = ScriptedDevice::new();
    let manifest = recorded(&device, 1..=4);
    let (registry, _) = shared(&device);
    let used = |registry: &SharedRegistry<ScriptedDevice>, m| {
        registry.get_or_create::<Tile>(&(m, 1), None).map(drop).unwrap();
    };
    used(&registry, 1);
    used(&registry, 9);
    let before = registry.coverage();
    registry.warm(&manifest, &WarmOptions::default());
    // A hit of a local counts as any other.
    registry.local().get_or_create::<Tile>(&(2, 1), None).unwrap();
    used(&registry, 7);
    let after = registry.coverage();
    registry.remove::<Tile>(&TileKey { m: 3, n: 1 });
    assert_covered(&before, &after, &registry.coverage());
}

#[test]
fn a_registry_of_one_thread_tells_it_too() {
    let device = ScriptedDevice::new();
    let manifest = recorded(&device, 1..=4);
    let (mut registry, _) = private(&device);
    let used = |registry: &mut CacheRegistry<ScriptedDevice>, m| {
        registry.get_or_create::<Tile>(&(m, 1), None).map(drop).unwrap();
    };
    used(&mut registry, 1);
    used(&mut registry, 9);
    let before = registry.coverage();
    registry.warm(&manifest, &WarmOptions::default());
    used(&mut registry, 2);
    used(&mut registry, 7);
    let after = registry.coverage();
    registry.cache_mut::<Tile>().remove(&TileKey { m: 3, n: 1 });
    assert_covered(&before, &after, &registry.coverage());
}

#[test]
fn a_second_warm_up_finds_its_own_keys_present_and_not_used() {
    let device = ScriptedDevice::new();
    let manifest = recorded(&device, 1..=3);
    let (registry, _) = shared(&device);
    registry.warm(&manifest, &WarmOptions::default());
    registry.warm(&manifest, &WarmOptions::default());
    assert_eq!(numbers(&registry.coverage()), [0, 3, 0, 0, 0]);
}
