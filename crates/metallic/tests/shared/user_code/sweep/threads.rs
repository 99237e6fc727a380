//! Two threads that ask for one key at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::thread;

use super::{World, scenarios, sweep};

/// Has two threads do this from the same moment on.
fn both(w: &World, act: impl Fn(&World) + Sync) {
    let begin = Barrier::new(2);
    w.arm();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                begin.wait();
                catch_unwind(AssertUnwindSafe(|| act(w)))
            });
        }
    });
}

#[test]
fn two_threads_lose_nothing_though_any_drop_panics() {
    sweep(scenarios! {
        "create": |w| both(w, |w| drop(w.cache.get_or_create_with(&w.lent(3), w.make(3))));
        "fail": |w| both(w, |w| drop(w.cache.get_or_create_with(&w.lent(3), w.fail())));
        "replace": |w| both(w, |w| drop(w.cache.insert_made(w.own(1), w.own(1))));
        "create and remove": |w| both(w, |w| {
            drop(w.cache.get_or_create_with(&w.lent(1), w.make(1)));
            drop(w.cache.remove(&w.lent(1)));
        });
        "prefetch": |w| both(w, |w| drop(w.cache.prefetch_with(w.own(3), w.make(3)).wait()));
        "fallback": |w| both(w, |w| drop(w.cache.get_or_fallback_with(&w.lent(3), w.value(3), w.make(3))));
        "check out": |w| both(w, |w| drop(w.pool.checkout(&w.lent(1), w.value(1))));
    });
}
