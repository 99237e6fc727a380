//! Pools, caches of one thread, and prepared tensors.

use metallic::Dtype;
use metallic::caching::{CacheRegistry, EvictionPolicy, KeyedCache, Lent};
use metallic::error::Error;
use metallic::slots::{PreparedForm, TensorPreparationCache, TensorVersion, Versioned};
use metallic::tensor::Tensor;

use super::{IDLE, Own, World, scenarios, sweep};

#[test]
fn a_pool_loses_nothing_though_any_drop_panics() {
    sweep(scenarios! {
        "hit": |w| w.pool.checkout(&w.lent(1), w.value(1));
        "miss": |w| w.pool.checkout(&w.lent(3), w.value(3));
        "failure": |w| w.pool.checkout_with(&w.lent(3), w.fail());
        "one that is there": |w| w.pool.try_checkout(&w.lent(1));
        "detach": |w| Lent::detach(w.pool.checkout(&w.lent(1), w.value(1)));
        "detach the last of a key": |w| Lent::detach(w.pool.checkout(&w.lent(3), w.value(3)));
        "too much is returned": |w| {
            let one = w.pool.checkout(&w.lent(1), w.value(1));
            let other = w.pool.checkout(&w.lent(3), w.value(3));
            w.pool.set_eviction_policy(EvictionPolicy::size_limited_lru(1));
            drop((one, other));
        };
        "lose the device": |w| {
            let lent = w.pool.checkout(&w.lent(1), w.value(1));
            w.registry.device_lost(None);
            drop(lent);
        };
        "clear": |w| w.pool.clear();
    });
}

#[test]
fn what_is_detached_from_a_pool_survives_a_panic_of_all_else_that_was_in_it() {
    sweep(&[("detach", |w| {
        let registry = metallic::caching::SharedRegistry::new();
        let pool = registry.pool::<Own, Own>("pool").unwrap();
        drop([1, 2].map(|number| pool.checkout(&w.lent(number), || w.own(number))));
        let lent = pool.checkout(&w.lent(1), || w.own(1));
        drop((pool, registry) as (_, metallic::caching::SharedRegistry));
        w.arm();
        drop(Lent::detach(lent));
    })]);
}

#[test]
fn a_cache_of_one_thread_loses_nothing_though_any_drop_panics() {
    fn with(w: &World, act: impl FnOnce(&mut KeyedCache<Own, Own>)) {
        let mut registry: CacheRegistry = CacheRegistry::new().with_clock(w.clock.clone());
        let cache = registry.keyed_cache("own").unwrap();
        cache.set_eviction_policy(IDLE);
        w.fill_safely(|number| drop(cache.get_or_create_with(&w.lent(number), w.make(number)).map(|_| ())));
        act(cache);
    }
    sweep(scenarios! {
        "look-ups": |w| with(w, |cache| {
            for number in [1, 3] {
                drop(cache.get_or_create_with(&w.lent(number), w.make(number)).map(|_| ()));
            }
            drop(cache.get_or_create_with(&w.lent(7), w.fail()).map(|_| ()));
        });
        "replace": |w| with(w, |cache| drop(cache.insert_made(w.own(1), w.own(1))));
        "remove": |w| with(w, |cache| drop(cache.remove(&w.lent(1))));
        "retain": |w| with(w, |cache| _ = cache.retain(|key, _| key.number == 1));
        "clear": |w| with(w, |cache| cache.clear());
    });
}

impl Tensor for Own {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }
    fn elements(&self) -> usize {
        1
    }
}

#[test]
fn prepared_tensors_are_not_lost_though_any_drop_panics() {
    const AS_IS: PreparedForm = PreparedForm::as_is(Dtype::F32);
    fn prepare(w: &World, cache: &mut TensorPreparationCache<Own>) {
        let mut sources = [1, 2, 3].map(Versioned::new);
        cache.set_eviction_policy(IDLE);
        let mut ask = |source: TensorVersion, make: &dyn Fn() -> Result<Own, Error>| {
            let held = w.own(0);
            drop(cache.get_or_prepare(source, AS_IS, move || {
                drop(held);
                make()
            }));
        };
        w.fill(|number| ask(sources[number as usize % 3].version(), &|| w.make(number)()));
        ask(sources[1].version(), &|| w.make(1)());
        *sources[1].get_mut() = 4;
        ask(sources[1].version(), &|| w.make(1)());
        ask(sources[0].version(), &|| w.fail()());
        ask(sources[1].version(), &|| w.make(1)());
        drop(cache.remove(sources[1].version().id, AS_IS));
    }
    sweep(scenarios! {
        "of one thread": |w| prepare(w, &mut TensorPreparationCache::default());
        "of one thread, of a registry": |w| {
            let mut registry: CacheRegistry = CacheRegistry::new().with_clock(w.clock.clone());
            prepare(w, registry.slot_mut(TensorPreparationCache::default));
        };
        "of all threads": |w| prepare(w, &mut w.registry.tensor_preparation().unwrap());
    });
}
