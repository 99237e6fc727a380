//! Kernels of a shared registry, whose keys, parameters, resources and device are all the caller's.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use metallic::caching::{
    CacheRegistry, CacheableKernel, Composition, Creation, EvictionPolicy, KernelCache, LocalRegistry,
    OnFailure, SharedRegistry,
};
use metallic::creation::Sample;
use metallic::error::Error;

use super::{IDLE, Own, World, scenarios, sweep};

thread_local! {
    /// `false` while this thread has a registry to itself.
    static IS_SHARED: Cell<bool> = const { Cell::new(true) };
    /// A registry whose device is lost by the next creation of 6 on this thread.
    static LOSES: RefCell<Option<SharedRegistry<Own>>> = const { RefCell::new(None) };
}

/// Makes a thing of its number. It fails to make 7, and makes 8 of 1.
struct Making;

impl CacheableKernel<Own> for Making {
    type Key = Own;
    type CachedResource = Own;
    type Params = Own;

    const CACHE_NAME: &'static str = "making";

    fn create_cache_key(params: &Own) -> Own {
        params.clone()
    }

    fn create_cached_resource(key: &Own, _: Option<&Own>) -> Result<Own, Error> {
        if key.number == 7 { Err(Error::kernel(key.clone())) } else { Ok(key.clone()) }
    }

    fn create(key: &Own, cx: &mut Creation<'_, Self, Own>) -> Result<Own, Error> {
        if key.number == 8 {
            drop(cx.get_or_create::<Self>(&key.lent(1))?);
        }
        if key.number == 6 {
            LOSES.take().into_iter().for_each(|registry| registry.device_lost(None));
        }
        Self::create_cached_resource(key, cx.device())
    }

    fn resource_bytes(resource: &Own) -> u64 {
        // That a cache of one thread does not guard.
        if IS_SHARED.get() {
            resource.ask();
        }
        1
    }

    fn default_policy() -> EvictionPolicy {
        IDLE
    }

    fn composition(resource: &Own) -> Option<Composition> {
        Some(Composition::new().with("number", resource))
    }
}

impl World {
    /// Has 1 and 2 in the cache of the kernel, and maybe 9 which expires.
    fn with_kernel(&self) -> &Self {
        self.fill_safely(|number| drop(self.registry.get_or_create::<Making>(&self.lent(number), None)));
        self
    }

    /// Has the device be lost by a creation of 6 on this thread, if `act` comes to one.
    fn losing_the_device(&self, act: impl FnOnce()) {
        LOSES.set(Some(self.registry.clone()));
        _ = catch_unwind(AssertUnwindSafe(act));
        drop(LOSES.take());
    }
}

#[test]
fn a_shared_registry_loses_nothing_though_any_drop_panics() {
    sweep(scenarios! {
        "hit": |w| w.with_kernel().registry.get_or_create::<Making>(&w.lent(1), None);
        "miss": |w| w.with_kernel().registry.get_or_create::<Making>(&w.lent(3), None);
        "miss within": |w| {
            w.with_kernel();
            drop(w.registry.get_or_create_within::<Making>(&w.lent(3), Some(&w.lent(0)), Duration::from_secs(20)));
        };
        "failure": |w| w.with_kernel().registry.get_or_create::<Making>(&w.lent(7), None);
        "failure that is remembered": |w| {
            w.registry.set_failure_policy::<Making>(OnFailure::Remember { backoff: Duration::from_secs(10) });
            w.with_kernel();
            for seconds in [1, 20] {
                drop(w.registry.get_or_create::<Making>(&w.lent(7), None));
                w.clock.advance(Duration::from_secs(seconds));
                drop(w.registry.get_or_create::<Making>(&w.lent(7), None));
            }
        };
        "nested": |w| w.with_kernel().registry.get_or_create::<Making>(&w.lent(8), None);
        "get": |w| w.with_kernel().registry.get::<Making>(&w.lent(1));
        "peek": |w| w.with_kernel().registry.peek::<Making>(&w.lent(1));
        "remove": |w| w.with_kernel().registry.remove::<Making>(&w.lent(1));
        "clear": |w| w.with_kernel().registry.clear_cache::<Making>();
        "lose the device": |w| w.with_kernel().registry.device_lost(Some(w.own(0)));
        "lose the device of a creation": |w| w.with_kernel().losing_the_device(|| {
            drop(w.registry.get_or_create::<Making>(&w.lent(6), None));
        });
        "lose the device of a prefetch": |w| w.with_kernel().losing_the_device(|| {
            drop(w.registry.prefetch::<Making>(&w.lent(6)).wait());
        });
        "fallback, hit": |w| w.with_kernel().registry.get_or_fallback::<Making>(&w.lent(1), w.value(1));
        "fallback": |w| w.with_kernel().registry.get_or_fallback::<Making>(&w.lent(3), w.value(3));
        "prefetch": |w| w.with_kernel().registry.prefetch::<Making>(&w.lent(3)).wait();
        "rebuild": |w| w.with_kernel().registry.rebuild::<Making>(&w.lent(1)).wait();
        "verify": |w| w.with_kernel().registry.verify::<Making>(&Sample::all());
    });
}

#[test]
fn a_local_registry_loses_nothing_though_any_drop_panics() {
    sweep(scenarios! {
        "look-ups": |w| {
            let mut local = w.with_kernel().registry.local();
            for number in [1, 1, 3, 7, 8] {
                drop(local.get_or_create::<Making>(&w.lent(number), None).map(drop));
            }
        };
        "fallbacks": |w| {
            let mut local = w.with_kernel().registry.local();
            for number in [1, 1, 3, 3, 7] {
                drop(local.get_or_fallback::<Making>(&w.lent(number), w.value(number)));
            }
        };
        "batch": |w| {
            let mut local = w.with_kernel().registry.local();
            let mut batch = local.batch();
            for number in [1, 3, 1, 3] {
                drop(batch.get_or_fallback::<Making>(&w.lent(number), w.value(number)).map(drop));
            }
        };
        "the thread's": |w| {
            w.with_kernel();
            _ = catch_unwind(AssertUnwindSafe(|| for number in [1, 1, 3] {
                let key = w.lent(number);
                let look_up = |local: &mut LocalRegistry<_>| local.get_or_create::<Making>(&key, None).cloned();
                drop(w.registry.with_local(look_up));
            }));
            // The thread goes on to something else.
            w.registry.release_local();
        };
    });
}

#[test]
fn a_registry_of_one_thread_loses_nothing_though_any_drop_panics() {
    fn with(w: &World, act: impl FnOnce(&mut CacheRegistry<Own>)) {
        let mut registry = CacheRegistry::with_device(w.own(0)).with_clock(w.clock.clone());
        w.fill_safely(|number| drop(registry.get_or_create::<Making>(&w.lent(number), None).map(|_| ())));
        act(&mut registry);
    }
    IS_SHARED.set(false);
    sweep(scenarios! {
        "look-ups": |w| with(w, |registry| {
            for number in [1, 3, 7, 8] {
                drop(registry.get_or_create::<Making>(&w.lent(number), None).map(|_| ()));
            }
        });
        "remove": |w| with(w, |registry| drop(registry.remove::<Making>(&w.lent(1))));
        "clear": |w| with(w, |registry| registry.clear());
        "expire": |w| with(w, |registry| registry.expire_idle());
        "a cache by itself": |w| {
            let mut cache = KernelCache::<Making, Own>::default().with_device(w.own(0));
            w.fill_safely(|number| drop(cache.get_or_create(&w.lent(number), None).map(|_| ())));
            drop(cache);
        };
        "verify": |w| with(w, |registry| drop(registry.verify::<Making>(&Sample::all())));
    });
}
