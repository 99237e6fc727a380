use std::collections::HashMap;

use super::{artifact, key};
use crate::{Artifact, ArtifactStore, MissCause};

/// Random operations have the results that a map has.
///
/// The store needs room for ten entries of 1 kB.
pub fn a_store_does_what_a_map_does(store: &dyn ArtifactStore, seed: u64, operations: usize) {
    let mut map: HashMap<u64, Artifact> = HashMap::new();
    let mut state = seed | 1;
    // xorshift64: repeatable from its seed.
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for step in 0..operations {
        let number = random(10);
        let key = key(number, "a");
        match random(4) {
            0 => {
                let artifact = artifact(random(1000), random(800) as usize);
                store.save(&key, &artifact).unwrap_or_else(|cause| panic!("step {step}: {cause}"));
                map.insert(number, artifact);
            }
            1 => assert_eq!(store.remove(&key.id()), Ok(map.remove(&number).is_some()), "step {step}"),
            _ => match (store.load(&key), map.get(&number)) {
                (Ok(loaded), Some(expected)) => assert_eq!(loaded, *expected, "step {step}"),
                (Err(MissCause::Absent), None) => {}
                (loaded, expected) => panic!("step {step}: {loaded:?} in the place of {expected:?}"),
            },
        }
    }
    let mut listed = store.ids(None).expect("a store can be listed, or lists nothing");
    if !listed.is_empty() {
        let mut expected: Vec<_> = map.keys().map(|&number| key(number, "a").id()).collect();
        listed.sort();
        expected.sort();
        assert_eq!(listed, expected);
    }
}
