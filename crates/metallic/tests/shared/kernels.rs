//! Kernels that can be told what to do while they create.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use metallic::caching::{CacheableKernel, Creation};
use metallic::error::Error;

/// The device: a script of what creations do.
#[derive(Clone, Default)]
pub(crate) struct Script(Arc<Steps>);

type Step = Arc<dyn Fn() -> Result<(), Error> + Send + Sync>;

#[derive(Default)]
struct Steps {
    by_key: Mutex<HashMap<u32, Step>>,
    creations: AtomicU64,
}

impl Script {
    /// Has each creation of `key` run `step` first.
    pub(crate) fn on(&self, key: u32, step: impl Fn() -> Result<(), Error> + Send + Sync + 'static) {
        self.0.by_key.lock().unwrap().insert(key, Arc::new(step));
    }

    /// Creations that were begun.
    pub(crate) fn creations(&self) -> u64 {
        self.0.creations.load(Ordering::SeqCst)
    }

    fn run(&self, key: u32) -> Result<(), Error> {
        self.0.creations.fetch_add(1, Ordering::SeqCst);
        let step = self.0.by_key.lock().unwrap().get(&key).cloned();
        step.map_or(Ok(()), |step| step())
    }
}

/// Makes a resource of a number, as its device's script says.
pub(crate) struct Scripted;

impl CacheableKernel<Script> for Scripted {
    type Key = u32;
    type CachedResource = Arc<u32>;
    type Params = u32;

    const CACHE_NAME: &'static str = "scripted";

    fn create_cache_key(key: &u32) -> u32 {
        *key
    }

    fn create_cached_resource(key: &u32, device: Option<&Script>) -> Result<Arc<u32>, Error> {
        device.ok_or(Error::DeviceNotAvailable)?.run(*key)?;
        Ok(Arc::new(*key))
    }

    fn resource_bytes(_: &Arc<u32>) -> u64 {
        10
    }
}

/// Makes `key` of `key - 1`, down to 0 of nothing; 100 of itself.
pub(crate) struct Chained;

impl CacheableKernel<Script> for Chained {
    type Key = u32;
    type CachedResource = Arc<u32>;
    type Params = u32;

    const CACHE_NAME: &'static str = "chained";

    fn create_cache_key(key: &u32) -> u32 {
        *key
    }

    fn create_cached_resource(_: &u32, _: Option<&Script>) -> Result<Arc<u32>, Error> {
        Err(Error::NoRegistry)
    }

    fn create(key: &u32, cx: &mut Creation<'_, Self, Script>) -> Result<Arc<u32>, Error> {
        match *key {
            0 => Ok(Arc::new(0)),
            100 => cx.get_or_create::<Self>(&100),
            key => Ok(Arc::new(*cx.get_or_create::<Self>(&(key - 1))? + 1)),
        }
    }
}

/// A step that waits until the test and it have both come here.
pub(crate) fn meeting() -> (Arc<Barrier>, impl Fn() -> Result<(), Error> + Send + Sync + 'static) {
    let barrier = Arc::new(Barrier::new(2));
    let inside = barrier.clone();
    (barrier, move || {
        inside.wait();
        Ok(())
    })
}
