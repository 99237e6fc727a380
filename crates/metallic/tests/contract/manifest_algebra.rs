//! Manifests as sets, against sets.

use std::collections::BTreeSet;

use metallic::manifest::Manifest;
use metallic::testing::ScriptedDevice;
use proptest::prelude::*;

use crate::tiles::{MS, recorded};

type Keys = BTreeSet<u32>;

fn manifest_of(keys: &Keys) -> Manifest {
    let device = ScriptedDevice::new();
    keys.iter().for_each(|key| device.set_cost(*key, *key * MS));
    recorded(&device, keys.iter().copied())
}

fn keys_of(manifest: &Manifest) -> Keys {
    manifest.records().map(|record| key_of(record.key())).collect()
}

fn key_of(json: &str) -> u32 {
    serde_json::from_str::<crate::tiles::TileKey>(json).unwrap().m
}

fn merged(one: &Manifest, other: &Manifest) -> Manifest {
    let mut merged = one.clone();
    merged.merge(other);
    merged
}

/// The records in the order of their keys.
fn sorted(manifest: &Manifest) -> Vec<metallic::manifest::Record> {
    let mut records: Vec<_> = manifest.records().cloned().collect();
    records.sort_by_key(|record| key_of(record.key()));
    records
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn merge_diff_and_prune_are_union_differences_and_intersection(
        one in prop::collection::btree_set(0..12_u32, 0..8),
        other in prop::collection::btree_set(0..12_u32, 0..8),
        third in prop::collection::btree_set(0..12_u32, 0..8),
    ) {
        let [a, b, c] = [&one, &other, &third].map(manifest_of);
        prop_assert_eq!(keys_of(&merged(&a, &b)), &one | &other);
        let diff = a.diff(&b);
        let of = |records: &[metallic::manifest::Record]| -> Keys {
            records.iter().map(|record| key_of(record.key())).collect()
        };
        prop_assert_eq!(of(&diff.only_first), &one - &other);
        prop_assert_eq!(of(&diff.only_second), &other - &one);
        prop_assert_eq!(diff.common, (&one & &other).len());
        prop_assert_eq!(keys_of(&a.prune(|record| b.contains(record))), &one & &other);
        // Costs, counts, orders and phases included.
        prop_assert_eq!(sorted(&merged(&a, &a)), sorted(&a));
        prop_assert_eq!(sorted(&merged(&a, &b)), sorted(&merged(&b, &a)));
        prop_assert_eq!(sorted(&merged(&merged(&a, &b), &c)), sorted(&merged(&a, &merged(&b, &c))));
        let mut text = Vec::new();
        merged(&a, &b).write(&mut text).unwrap();
        prop_assert_eq!(sorted(&Manifest::read(&text[..]).unwrap()), sorted(&merged(&a, &b)));
    }
}
