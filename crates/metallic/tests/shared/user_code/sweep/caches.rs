//! A cache of a shared registry, its tickets, and views of it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use metallic::caching::{EvictionPolicy, Ticket};

use super::{Own, scenarios, sweep};

#[test]
fn a_shared_cache_loses_nothing_though_any_drop_panics() {
    sweep(scenarios! {
        "hit": |w| w.cache.get_or_create_with(&w.lent(1), w.make(1));
        "miss": |w| w.cache.get_or_create_with(&w.lent(3), w.make(3));
        "failure": |w| w.cache.get_or_create_with(&w.lent(3), w.fail());
        "get": |w| w.cache.get(&w.lent(1));
        "remove": |w| w.cache.remove(&w.lent(1));
        "replace": |w| w.cache.insert_made(w.own(1), w.own(1));
        "replace all": |w| {
            w.cache.set_eviction_policy(EvictionPolicy::size_limited_lru(1));
            drop(w.cache.insert_made(w.own(1), w.own(1)));
        };
        "lose the device": |w| w.cache.get_or_create_with(&w.lent(3), || {
            w.registry.device_lost(None);
            w.make(3)()
        });
        "retain": |w| w.cache.retain(|key, _| key.number != 1);
        "clear": |w| w.cache.clear();
        "expire": |w| w.registry.expire_idle();
        "fallback, hit": |w| w.cache.get_or_fallback_with(&w.lent(1), w.value(1), w.make(1));
        "fallback": |w| w.cache.get_or_fallback_with(&w.lent(3), w.value(3), w.make(3));
        "fallback of what fails": |w| w.cache.get_or_fallback_with(&w.lent(3), w.value(3), w.fail());
    });
}

#[test]
fn tickets_lose_nothing_though_any_drop_panics() {
    sweep(scenarios! {
        "of what is there": |w| w.cache.prefetch_with(w.own(1), w.make(1)).wait();
        "wait": |w| w.cache.prefetch_with(w.own(3), w.make(3)).wait();
        "wait for a while": |w| w.cache.prefetch_with(w.own(3), w.make(3)).wait_timeout(Duration::from_secs(20));
        "failure": |w| w.cache.prefetch_with(w.own(3), w.fail()).wait();
        "rebuild": |w| w.cache.rebuild_with(w.own(1), w.make(1)).wait();
        "drop": |w| w.cache.prefetch_with(w.own(3), w.make(3));
        "detach": |w| w.cache.prefetch_with(w.own(3), w.make(3)).detach();
        "clones": |w| {
            let ticket = w.cache.prefetch_with(w.own(3), w.make(3));
            drop(ticket.clone().wait());
            drop(ticket.try_get());
        };
        // What it is to create comes to be there before it begins.
        "late": |w| {
            let ticket = w.cache.prefetch_with(w.own(3), w.make(3));
            w.fill(|number| drop(w.cache.get_or_create_with(&w.lent(number + 2), w.make(number))));
            drop(ticket.wait());
        };
        "poll": |w| {
            let waker = Waker::from(Arc::new(w.lent(5)));
            let mut ticket = w.cache.prefetch_with(w.own(3), w.make(3));
            (0..2).for_each(|_| _ = poll(&mut ticket, &waker));
        };
    });
}

fn poll(ticket: &mut Ticket<Own>, waker: &Waker) -> bool {
    Pin::new(ticket).poll(&mut Context::from_waker(waker)).is_ready()
}

#[test]
fn locals_lose_nothing_though_any_drop_panics() {
    sweep(scenarios! {
        "hit": |w| {
            let mut local = w.cache.local();
            w.fill(|number| drop(local.get_or_create_with(&w.lent(number), w.make(number)).map(drop)));
            local.get_or_create_with(&w.lent(1), w.make(1)).map(drop).and_then(|()| {
                local.get(&w.lent(2));
                local.get_or_create_with(&w.lent(3), w.make(3)).map(drop)
            })
        };
        "failure": |w| w.cache.local().get_or_create_with(&w.lent(3), w.fail()).map(drop);
        "let go": |w| {
            let mut local = w.cache.local();
            w.fill(|number| _ = local.get(&w.lent(number)));
            w.cache.remove(&w.lent(1));
            local.get(&w.lent(2));
            local.park();
        };
        "fallbacks": |w| {
            let mut local = w.cache.local();
            for number in 1..5 {
                drop(local.get_or_fallback_with(&w.lent(number), w.value(number), w.make(number)));
                drop(local.get_or_fallback_with(&w.lent(number), w.value(number), w.make(number)));
            }
        };
        "batch": |w| {
            let mut local = w.cache.local();
            let mut batch = local.batch();
            for number in [1, 3, 1, 3] {
                batch.get_or_fallback_with(&w.lent(number), w.value(number), w.make(number));
            }
        };
    });
}
