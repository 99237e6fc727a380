//! Of all that a caller hands over (keys, resources, errors, closures, wakers, devices, clocks, sinks), the n-th that is dropped
//! panics, for every n, and then also each one after it: whatever an operation was at, the rest is dropped, and dropped once, and
//! no panic meets another one, which would end the process. The same where it is a question that panics: a key's `Hash` or `Eq`,
//! or the size of a resource.
//!
//! Losses of Rust itself are left out: what a closure of the caller's has made, if one of its own captures panics then. So do
//! these closures drop what they have first, and scenarios keep no result at the end of a block that drops anything.

mod caches;
mod kernels;
mod others;
mod threads;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use metallic::caching::SharedRegistry;

use self::world::{IDLE, Own, World};

type Scenario = (&'static str, fn(&World));

#[derive(Clone, Copy, Debug)]
struct Variant {
    threads: usize,
    expires: bool,
    is_heard: bool,
    /// All that are dropped after the n-th panic, too.
    goes_on: bool,
    /// Questions may panic, too.
    asks: bool,
    /// By the machine's time, so that hits take the shortest way.
    is_fast: bool,
}

/// Runs each scenario again and again, until nothing is left to panic.
fn sweep(scenarios: &[Scenario]) {
    let of = |threads, expires, is_heard| Variant {
        threads,
        expires,
        is_heard,
        goes_on: false,
        asks: false,
        is_fast: false,
    };
    let variants =
        [of(0, false, false), of(0, true, false), of(0, true, true), of(1, false, true), of(1, true, false)];
    let variants = variants.into_iter().flat_map(|once| {
        let goes_on = Variant { goes_on: true, ..once };
        let asks = Variant { asks: true, ..goes_on };
        [once, goes_on, asks, Variant { expires: false, is_fast: true, ..asks }]
    });
    let mut lost = Vec::new();
    for (name, scenario) in scenarios {
        for variant in variants.clone() {
            for nth in 1.. {
                let world = World::new(variant, nth);
                let (registry, ledger) = (world.registry.clone(), world.ledger.clone());
                // Here so that no thread is at anything later. Without threads, the world's is the last.
                let registry = (variant.threads > 0).then_some(registry);
                _ = catch_unwind(AssertUnwindSafe(move || scenario(&{ world })));
                _ = catch_unwind(AssertUnwindSafe(|| registry.iter().for_each(SharedRegistry::shut_down)));
                _ = catch_unwind(AssertUnwindSafe(|| drop(registry)));
                let of = |count: &AtomicU64| count.load(Ordering::SeqCst);
                let (made, dropped, steps) = (of(&ledger.made), of(&ledger.dropped), of(&ledger.steps));
                if made != dropped {
                    lost.push(format!("{name}, {variant:?}, step {nth}: of {made} {dropped} were dropped"));
                }
                assert!(of(&ledger.panics_at) > 0, "{name} arms nothing");
                if steps < of(&ledger.panics_at) {
                    break;
                }
            }
        }
    }
    assert!(lost.is_empty(), "{}\n{}", lost.len(), lost.join("\n"));
}

/// Has each of these done in a world that is armed.
macro_rules! scenarios {
    ($($name:literal: |$world:ident| $act:expr;)*) => {
        &[$(($name, |$world: &crate::user_code::sweep::World| { $world.arm(); _ = $act; })),*]
    };
}
use scenarios;
