//! Look-ups, evictions and an idle expiry on wasm32-unknown-unknown, on the default clock.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use metallic::caching::{CacheRegistry, CacheableKernel, EvictionPolicy, SharedRegistry};
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

/// Handles, whose contents need not be `Send`, and a pool, and a local that no one holds.
fn handles() -> Result<(), MetalError> {
    let mut registry = CacheRegistry::with_device(());
    let shaders = registry.shared_cache::<String, Rc<str>>("shader")?;
    let pipelines = registry.shared_cache::<u32, Rc<str>>("pipeline")?;
    let buffers = registry.pool::<u32, Rc<u32>>("buffer")?;
    buffers.set_eviction_policy(EvictionPolicy::none().with_max_idle_generations(0));
    for _ in 0..2 {
        let made = pipelines.get_or_create_with(&1, || shaders.get_or_make("main", || Rc::from("main")))?;
        assert_eq!(&*made, "main");
        drop((buffers.checkout(&1, || Rc::new(1)), buffers.checkout(&1, || Rc::new(2))));
    }
    let counters = pipelines.counters();
    assert_eq!((counters.hits, counters.misses, buffers.counters().size), (1, 1, 2));
    // There is no other thread to wait for.
    let error = pipelines.get_or_create_with(&2, || pipelines.get_or_make(&2, || Rc::from("")));
    assert!(matches!(error.unwrap_err().root(), MetalError::RecursiveCreation { .. }));
    registry.next_generation();
    assert_eq!(buffers.counters().size, 0);
    let shared = SharedRegistry::with_device(());
    for _ in 0..2 {
        let square = shared.with_local(|local| local.get_or_create::<Square>(&3, None).copied())?;
        assert_eq!(square, 9);
    }
    shared.release_local();
    assert_eq!(shared.metrics::<Square>().map(|metrics| (metrics.hits, metrics.misses)), Some((1, 1)));
    Ok(())
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
    handles()?;
    // Nanoseconds since the Unix epoch: none is before 2020.
    let mut times = recorder.events().into_iter().filter_map(|event| event.timestamp);
    assert!(times.all(|time| time > 1_577_836_800_000_000_000));
    log("12 look-ups, 2 evictions, 4 expired entries");
    Ok(())
}
