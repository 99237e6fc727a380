//! An engine whose requests are tasks of an async runtime: a task awaits the ticket of its pipeline, and the executor's threads
//! never wait for a compiler.
//!
//! ```text
//! cargo run -p metallic-cache --example async_engine
//! ```

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use metallic::Device;
use metallic::caching::{CacheableKernel, SharedRegistry};
use metallic::error::Error;
use tokio::runtime::Builder;

/// Stands for a compiled pipeline.
struct Pipeline {
    width: u32,
    checksum: u64,
}

struct PipelineKernel;

impl CacheableKernel for PipelineKernel {
    type Key = u32;
    type CachedResource = Arc<Pipeline>;
    type Params = u32;

    const CACHE_NAME: &'static str = "pipeline";

    fn create_cache_key(width: &u32) -> u32 {
        width.next_power_of_two()
    }

    fn create_cached_resource(&width: &u32, _: Option<&Device>) -> Result<Arc<Pipeline>, Error> {
        if width > 4096 {
            return Err(Error::invalid_params(format!("a width of {width} is more than 4096")));
        }
        // As a compiler does: nothing but computing, for a while.
        let mut hasher = DefaultHasher::new();
        (0..1_000_000_u32).for_each(|step| (step, width).hash(&mut hasher));
        Ok(Arc::new(Pipeline { width, checksum: hasher.finish() }))
    }
}

async fn serve(registry: SharedRegistry, width: u32) -> Result<u64, Error> {
    // Asked for before it is needed: it is created while the request is read.
    let next = registry.prefetch::<PipelineKernel>(&(width * 2));
    // The look-up of a task: a hit is ready at once, and a miss gives the thread to other tasks.
    let pipeline = registry.prefetch::<PipelineKernel>(&width).await?;
    assert!(pipeline.width >= width);
    let next = next.await?;
    Ok(pipeline.checksum ^ next.checksum)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry: SharedRegistry = SharedRegistry::new();
    registry.set_creator_threads(2);
    let runtime = Builder::new_multi_thread().worker_threads(2).build()?;
    runtime.block_on(async {
        let tasks: Vec<_> =
            (1..=64).map(|request| tokio::spawn(serve(registry.clone(), request * 32))).collect();
        for task in tasks {
            task.await??;
        }
        let error = serve(registry.clone(), 5000).await.expect_err("it is too wide");
        println!("refused: {error}: {}", error.root());
        Ok::<_, Box<dyn std::error::Error>>(())
    })?;
    // Threads are waited for; dropping the registry would let them end by themselves.
    registry.shut_down();
    let metrics = registry.metrics::<PipelineKernel>().ok_or("no look-ups")?;
    println!(
        "64 requests: {} pipelines created in {:.1?} of compiling, {} kept",
        metrics.misses - metrics.failed_creations,
        metrics.creation_time,
        metrics.size
    );
    Ok(())
}
