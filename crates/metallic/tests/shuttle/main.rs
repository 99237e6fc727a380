//! The shared registry under random schedules of its threads: whatever their order, what must hold does.
//!
//! ```text
//! RUSTFLAGS="--cfg shuttle" cargo test --release -p metallic-cache --test shuttle -- --nocapture
//! ```
//!
//! `SHUTTLE_SCHEDULES` sets how many. All else here is of the standard library, so that it adds no order of its own.
#![cfg(shuttle)]

mod model;
mod prepared;
mod tickets;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metallic::caching::{EvictionPolicy, OnFailure};
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};

use self::world::{Plan, World};

const THREADS: usize = 3;

fn plan() -> Plan {
    let mut rng = thread_rng();
    let idle = std::time::Duration::from_secs(3600);
    let policies = [
        EvictionPolicy::none(),
        EvictionPolicy::size_limited_lru(1),
        EvictionPolicy::size_limited_lru(2),
        EvictionPolicy::hybrid(2, idle),
        EvictionPolicy::lru().with_max_entries(2),
        EvictionPolicy::fifo().with_max_entries(2),
        EvictionPolicy::size_limited_lru(1).with_min_entries(1),
        EvictionPolicy::sieve(2),
        EvictionPolicy::s3_fifo(2),
        EvictionPolicy::none().with_max_idle_generations(0),
        EvictionPolicy::size_limited_lru(2).with_max_idle_generations(1).with_min_entries(1),
    ];
    let treatments = [OnFailure::Share, OnFailure::Retry, OnFailure::Remember { backoff: idle }];
    Plan {
        policy: policies[rng.gen_range(0..policies.len())],
        on_failure: treatments[rng.gen_range(0..treatments.len())],
        hears_hits: rng.gen_bool(0.3),
        fails: rng.gen_bool(0.5),
        nests: rng.gen_bool(0.5),
        loses_devices: rng.gen_bool(0.5),
    }
}

fn scenario() {
    let world = World::new(plan());
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let world = world.clone();
            shuttle::thread::spawn(move || world.run_thread(number))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    world.check_and_drop();
}

fn run(name: &str, scheduler: impl Scheduler + 'static, schedules: usize, scenario: fn()) {
    let done = Arc::new(AtomicU64::new(0));
    let count = done.clone();
    let mut config = Config::new();
    // Orderings weaker than the strongest are no subject of these tests.
    config.silence_warnings = true;
    let begun = std::time::Instant::now();
    Runner::new(scheduler, config).run(move || {
        scenario();
        count.fetch_add(1, Ordering::Relaxed);
    });
    let done = done.load(Ordering::Relaxed);
    println!("{done} {name} schedules of {THREADS} threads held in {:.1?}", begun.elapsed());
    assert_eq!(done, schedules as u64);
}

fn schedules() -> usize {
    std::env::var("SHUTTLE_SCHEDULES").map_or(100_000, |text| text.parse().expect("a number of schedules"))
}

#[test]
fn the_shared_registry_holds_under_random_schedules() {
    run("random", RandomScheduler::new(schedules()), schedules(), scenario);
}

#[test]
fn the_shared_registry_holds_under_schedules_with_few_preemptions() {
    run("probabilistic", PctScheduler::new(4, schedules() / 2), schedules() / 2, scenario);
}

#[test]
fn tickets_hold_under_random_schedules() {
    run("ticket", RandomScheduler::new(schedules()), schedules(), tickets::scenario);
}

#[test]
fn tickets_hold_under_schedules_with_few_preemptions() {
    run("probabilistic ticket", PctScheduler::new(4, schedules() / 2), schedules() / 2, tickets::scenario);
}

#[test]
fn a_shut_down_waits_for_threads_that_are_too_many_under_random_schedules() {
    run("shut-down", RandomScheduler::new(schedules() / 4), schedules() / 4, tickets::surplus);
}

#[test]
fn what_is_detached_without_creator_threads_is_created_under_random_schedules() {
    run("detached", RandomScheduler::new(schedules() / 4), schedules() / 4, tickets::detached);
}

#[test]
fn caches_and_pools_do_what_the_model_does_in_some_order_of_what_their_threads_did() {
    run("model", RandomScheduler::new(schedules() / 2), schedules() / 2, model::scenario);
}

#[test]
fn prepared_tensors_hold_under_random_schedules() {
    run("prepared tensors", RandomScheduler::new(schedules() / 2), schedules() / 2, prepared::scenario);
}

#[test]
fn prepared_tensors_hold_under_schedules_with_few_preemptions() {
    let schedules = schedules() / 4;
    run("probabilistic prepared tensors", PctScheduler::new(4, schedules), schedules, prepared::scenario);
}
