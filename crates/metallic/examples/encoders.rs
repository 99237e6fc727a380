//! A pool of encoder threads over one registry: each has a local, draws with a fallback until its pipeline is there, and keeps its
//! answers for the length of a frame.
//!
//! ```text
//! cargo run -p metallic-cache --example encoders
//! ```

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use metallic::Device;
use metallic::caching::{CacheableKernel, EvictionPolicy, OnFailure, SharedRegistry};
use metallic::error::Error;

const ENCODERS: u32 = 4;
const MATERIALS: u32 = 12;

struct Pipelines;

impl CacheableKernel for Pipelines {
    type Key = u32;
    type CachedResource = u64;
    type Params = u32;

    const CACHE_NAME: &'static str = "pipeline";

    fn create_cache_key(material: &u32) -> u32 {
        *material
    }

    fn create_cached_resource(material: &u32, _: Option<&Device>) -> Result<u64, Error> {
        if *material == 7 {
            return Err(Error::invalid_params("material 7 has no shader"));
        }
        let mut hasher = DefaultHasher::new();
        (0..1_000_000_u32).for_each(|step| (step, material).hash(&mut hasher));
        Ok(hasher.finish())
    }
}

fn main() -> Result<(), Error> {
    let registry: SharedRegistry = SharedRegistry::new();
    registry.set_eviction_policy::<Pipelines>(EvictionPolicy::size_limited_lru(1000));
    // A material that cannot be compiled is not tried with every frame.
    registry.set_failure_policy::<Pipelines>(OnFailure::Remember { backoff: Duration::from_secs(60) });
    let (drawn, bridged) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        let encoders: Vec<_> = (0..ENCODERS)
            .map(|encoder| {
                let (registry, drawn, bridged) = (&registry, &drawn, &bridged);
                scope.spawn(move || {
                    let mut local = registry.local();
                    loop {
                        let mut batch = local.batch();
                        let mut missing = 0;
                        for draw in 0..MATERIALS * 2 {
                            let material = (draw + encoder) % MATERIALS;
                            let answer = batch.get_or_fallback::<Pipelines>(&material, || 0)?;
                            drawn.fetch_add(1, Ordering::Relaxed);
                            if answer.is_fallback() {
                                bridged.fetch_add(1, Ordering::Relaxed);
                                missing += u32::from(material != 7);
                            }
                        }
                        if missing == 0 {
                            return Ok::<_, Error>(());
                        }
                        thread::yield_now();
                    }
                })
            })
            .collect();
        encoders.into_iter().try_for_each(|encoder| encoder.join().expect("encoders do not panic"))
    })?;
    let metrics = registry.metrics::<Pipelines>().ok_or(Error::NoRegistry)?;
    println!(
        "{ENCODERS} encoders drew {} times, {} of them by the fallback: {} pipelines created, {} failed",
        drawn.into_inner(),
        bridged.into_inner(),
        metrics.size,
        metrics.failed_creations
    );
    Ok(())
}
