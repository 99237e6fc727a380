//! Tests of each policy, one sentence per test. A test of your own policy looks the same: a clock that moves when it is told
//! to, and the events of the cache as the witness.

mod idle;
mod limits;
mod policies;
mod room;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use metallic_instrumentation::{CreationOutcome, EventData, Recorder, RemovalCause};

use super::{CacheMetrics, CacheRegistry, CacheableKernel, EvictionPolicy, ManualClock};
use crate::device::Device;
use crate::error::MetalError;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Parameters from here on make the creation fail.
const IMPOSSIBLE: u32 = 1000;

/// A kernel whose keys are numbers.
struct Tile;

impl CacheableKernel for Tile {
    type Key = u32;
    type CachedResource = String;
    type Params = u32;

    const CACHE_NAME: &'static str = "tile";

    fn create_cache_key(number: &u32) -> u32 {
        *number
    }

    fn create_cached_resource(number: &u32, _device: Option<&Device>) -> Result<String, MetalError> {
        if *number >= IMPOSSIBLE {
            return Err(MetalError::invalid_params("no such tile"));
        }
        Ok(format!("tile {number}"))
    }
}

/// One eviction, as the log tells it.
#[derive(Debug, PartialEq)]
struct Eviction {
    strategy: String,
    count: u64,
    reason: String,
    size_after: u64,
}

fn eviction(policy: EvictionPolicy, count: u64, reason: &str, size_after: u64) -> Eviction {
    Eviction { strategy: policy.strategy().to_string(), count, reason: reason.to_owned(), size_after }
}

/// The tile of this label; `None` if it is another cache's.
fn tile_of(label: &str) -> Option<u32> {
    label.strip_prefix("tile:").map(|number| number.parse().unwrap())
}

/// A cache of tiles with a clock and a witness.
struct Tiles {
    registry: CacheRegistry,
    clock: ManualClock,
    witness: Arc<Recorder>,
}

impl Tiles {
    fn new(policy: EvictionPolicy) -> Self {
        let (clock, witness) = (ManualClock::new(), Arc::new(Recorder::new()));
        let mut registry = CacheRegistry::new().with_clock(clock.clone()).with_sink(witness.clone());
        registry.set_eviction_policy::<Tile>(policy);
        Self { registry, clock, witness }
    }

    /// A cache that was asked for these tiles, one a second, and changes to `policy` then.
    fn filled(tiles: RangeInclusive<u32>, policy: EvictionPolicy) -> Self {
        let mut filled = Self::new(EvictionPolicy::none());
        for tile in tiles {
            filled.get(tile);
            filled.clock.advance(SECOND);
        }
        filled.registry.set_eviction_policy::<Tile>(policy);
        filled
    }

    fn get(&mut self, tile: u32) {
        assert_eq!(*self.registry.get_or_create::<Tile>(&tile, None).unwrap(), format!("tile {tile}"));
        self.validate();
    }

    fn get_all(&mut self, tiles: impl IntoIterator<Item = u32>) {
        tiles.into_iter().for_each(|tile| self.get(tile));
    }

    fn fail(&mut self) {
        assert!(self.registry.get_or_create::<Tile>(&IMPOSSIBLE, None).is_err());
        self.validate();
    }

    fn change(&mut self, policy: EvictionPolicy) {
        self.registry.set_eviction_policy::<Tile>(policy);
        self.validate();
    }

    fn wait(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// The tiles in the cache, without using them, in ascending order. Those that a look-up would first let go of are among
    /// them.
    fn held(&self) -> Vec<u32> {
        let mut held = BTreeSet::new();
        for event in self.witness.events() {
            match event.data {
                EventData::ResourceCreated(created) if created.outcome == CreationOutcome::Created => {
                    held.extend(tile_of(&created.cache_key));
                }
                EventData::EntryRemoved(entry) => {
                    tile_of(&entry.cache_key).into_iter().for_each(|tile| assert!(held.remove(&tile)));
                }
                _ => {}
            }
        }
        assert_eq!(held.len(), self.metrics().size);
        held.into_iter().collect()
    }

    /// The tiles that a policy made leave, in that order, and why.
    fn gone(&self) -> Vec<(u32, RemovalCause)> {
        let removed = |data| match data {
            EventData::EntryRemoved(entry) => Some((tile_of(&entry.cache_key)?, entry.cause)),
            _ => None,
        };
        self.witness.events().into_iter().filter_map(|event| removed(event.data)).collect()
    }

    fn gone_for_size(&self) -> Vec<u32> {
        self.gone_for(RemovalCause::SizeLimit)
    }

    fn gone_for_idleness(&self) -> Vec<u32> {
        self.gone_for(RemovalCause::IdleTimeout)
    }

    fn gone_for(&self, cause: RemovalCause) -> Vec<u32> {
        self.gone().into_iter().filter(|gone| gone.1 == cause).map(|gone| gone.0).collect()
    }

    fn evictions(&self) -> Vec<Eviction> {
        let eviction = |data| match data {
            EventData::CacheEviction(data) => Some(Eviction {
                strategy: data.strategy.into_owned(),
                count: data.count,
                reason: data.reason.into_owned(),
                size_after: data.size_after,
            }),
            _ => None,
        };
        self.witness.events().into_iter().filter_map(|event| eviction(event.data)).collect()
    }

    fn metrics(&self) -> CacheMetrics {
        self.registry.metrics::<Tile>().unwrap()
    }

    fn hits_and_misses(&self) -> (u64, u64) {
        (self.metrics().hits, self.metrics().misses)
    }

    fn validate(&self) {
        self.registry.cache::<Tile>().unwrap().validate();
    }
}
