//! The rate of a replay on one core, in accesses per second:
//! `cargo run --release -p metallic-cli --example replay_speed [ACCESSES [KEYS]]`

use std::time::{Duration, Instant};

use metallic::caching::EvictionPolicy;
use metallic_cli::commands::replay::{Access, Candidate, Foresight, Price, Trace, under};

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u32>().expect("arguments are numbers"));
    let accesses = args.next().unwrap_or(10_000_000);
    let keys = args.next().unwrap_or(200_000);
    let trace = skewed_trace(accesses, keys);
    println!("{accesses} accesses of {} keys, some often and most seldom, 1 µs apart", trace.keys());

    let idle = Duration::from_millis(500);
    let time = |name: &str, capacity: usize, replay: &dyn Fn() -> u64| {
        let start = Instant::now();
        let misses = replay();
        let rate = f64::from(accesses) / start.elapsed().as_secs_f64() / 1e6;
        let percent = misses as f64 * 100.0 / f64::from(accesses);
        println!("{name:<18} {capacity:>8} entries {percent:>7.2} % missed {rate:>7.1} M accesses/s");
    };
    let candidates = [Candidate::SizeLimitedLru, Candidate::Lru, Candidate::Fifo, Candidate::Hybrid(idle)];
    let foresight = Foresight::new(&trace);
    for capacity in [keys as usize / 200, keys as usize / 20, keys as usize / 2] {
        for candidate in candidates {
            time(candidate.name(), capacity, &|| under(&trace, candidate.policy(capacity)).misses);
        }
        time("optimum", capacity, &|| foresight.optimum(&trace, capacity).misses);
    }
    time("idle_timeout", keys as usize, &|| under(&trace, EvictionPolicy::idle_timeout(idle)).misses);
    time("none", keys as usize, &|| under(&trace, EvictionPolicy::none()).misses);
}

/// The keys from `k` to `2k` are together asked for as often as those from `2k` to `4k`, at random.
fn skewed_trace(accesses: u32, keys: u32) -> Trace {
    let mut trace = Trace::new("speed");
    let mut numbers = vec![u32::MAX; keys as usize];
    let mut next = 0;
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for access in 0..accesses {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let share = (state >> 11) as f64 / (1_u64 << 53) as f64;
        let key = f64::from(keys).powf(share) as usize % keys as usize;
        if numbers[key] == u32::MAX {
            numbers[key] = next;
            next += 1;
        }
        let at = u64::from(access) * 1000;
        trace.push(Access { key: numbers[key], fails: false, hit: false }, Some(at), Some(at + 500));
    }
    trace.finish(vec![Price { first: 1e6, rebuild: 1e6 }; next as usize]);
    trace
}
