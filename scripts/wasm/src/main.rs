//! Look-ups, evictions and an idle expiry on wasm32-unknown-unknown, on the default clock.

use std::sync::Arc;
use std::time::Duration;

use metallic::caching::{CacheRegistry, CacheableKernel, EvictionPolicy};
use metallic::error::MetalError;
use metallic_instrumentation::Recorder;
use wasm_bindgen::prelude::wasm_bindgen;
use web_time::Instant;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console)]
    fn log(text: &str);
    #[wasm_bindgen(js_namespace = console)]
    fn error(text: &str);
}

struct Square;

impl CacheableKernel<()> for Square {
    type Key = u64;
    type CachedResource = u64;
    type Params = u64;

    const CACHE_NAME: &'static str = "square";

    fn create_cache_key(n: &u64) -> u64 {
        *n
    }

    fn create_cached_resource(n: &u64, _: Option<&()>) -> Result<u64, MetalError> {
        pass(Duration::from_millis(2));
        Ok(n * n)
    }
}

/// There is nothing to sleep on.
fn pass(time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {}
}

fn main() -> Result<(), MetalError> {
    std::panic::set_hook(Box::new(|info| error(&info.to_string())));
    let recorder = Arc::new(Recorder::new());
    for sink in [false, true] {
        let mut registry = CacheRegistry::with_device(());
        if sink {
            registry = registry.with_sink(recorder.clone());
        }
        registry.set_eviction_policy::<Square>(EvictionPolicy::hybrid(2, Duration::from_millis(50)));
        for n in [1, 2, 1, 3, 1] {
            assert_eq!(*registry.get_or_create::<Square>(&n, None)?, n * n);
        }
        let metrics = registry.metrics::<Square>().expect("it was used");
        assert_eq!((metrics.hits, metrics.misses, metrics.evictions, metrics.size), (2, 3, 1, 2));
        pass(Duration::from_millis(100));
        assert_eq!(*registry.get_or_create::<Square>(&1, None)?, 1);
        let metrics = registry.metrics::<Square>().expect("it was used");
        assert_eq!((metrics.hits, metrics.misses, metrics.evictions, metrics.size), (2, 4, 3, 1));
    }
    // Nanoseconds since the Unix epoch: none is before 2020.
    let mut times = recorder.events().into_iter().filter_map(|event| event.timestamp);
    assert!(times.all(|time| time > 1_577_836_800_000_000_000));
    log("12 look-ups, 2 evictions, 4 expired entries");
    Ok(())
}
