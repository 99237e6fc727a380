//! The first event of a process. It has a program of its own, since the machine's clock is set up once in a process.

use std::hint::spin_loop;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metallic::Device;
use metallic::caching::{CacheRegistry, CacheableKernel};
use metallic::error::MetalError;
use metallic_instrumentation::{EventData, Recorder};

struct Slow;

impl CacheableKernel for Slow {
    type Key = ();
    type CachedResource = ();
    type Params = ();

    const CACHE_NAME: &'static str = "slow";

    fn create_cache_key((): &()) {}

    fn create_cached_resource((): &(), _device: Option<&Device>) -> Result<(), MetalError> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(2) {
            spin_loop();
        }
        Ok(())
    }
}

#[test]
fn the_first_creation_of_a_process_begins_before_it_ends() {
    let recorder = Arc::new(Recorder::new());
    let mut registry = CacheRegistry::new().with_sink(recorder.clone());
    registry.get_or_create::<Slow>(&(), None).unwrap();
    let events = recorder.events();
    let [_registry, _cache, created, access] = &events[..] else { panic!("{events:?}") };
    let EventData::ResourceCreated(creation) = &created.data else { panic!("{created:?}") };
    assert!(creation.duration_ns >= 1_900_000, "{creation:?}");
    let took = created.timestamp.unwrap() - access.timestamp.unwrap();
    assert!(
        took >= creation.duration_ns / 100 * 99,
        "{took} ns in the log, {} in fact",
        creation.duration_ns
    );
}
