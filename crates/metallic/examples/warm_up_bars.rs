//! Measures warm-up on a device whose creations sleep: how near it comes to the time of its creations spread over the threads, and
//! how well it holds deadlines and slices.
//!
//! `cargo run --release -p metallic-cache --features manifest,testing --example warm_up_bars`

use std::io::Cursor;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use metallic::caching::SharedRegistry;
use metallic::manifest::{Manifest, WarmKeys, WarmOptions};
use metallic::testing::{ScriptedDevice, ScriptedKernel};

const KEYS: u32 = 200;

fn cost(id: u32) -> Duration {
    Duration::from_micros(1000 + 97 * u64::from(id % 50))
}

struct All;

impl WarmKeys<All, ScriptedDevice> for ScriptedKernel {
    fn warm_keys(_: &All) -> Vec<u32> {
        (0..KEYS).collect()
    }
}

fn registry() -> SharedRegistry<ScriptedDevice> {
    let device = ScriptedDevice::sleeping();
    (0..KEYS).for_each(|id| device.set_cost(id, cost(id)));
    let registry = SharedRegistry::with_device(device);
    registry.register::<ScriptedKernel>();
    registry
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut listed = Manifest::new();
    listed.list_for::<ScriptedKernel, All, ScriptedDevice>(&All)?;
    let mut lines = Vec::new();
    listed.write(&mut lines)?;
    // As a recording would have it, with the costs.
    let mut text = String::new();
    for (number, line) in String::from_utf8(lines)?.lines().enumerate() {
        let cost_ns = cost(number.saturating_sub(1) as u32).as_nanos();
        text.push_str(&line.replace("\"cost_ns\":0", &format!("\"cost_ns\":{cost_ns}")));
        text.push('\n');
    }
    let manifest = Manifest::read(Cursor::new(text))?;

    let sum: Duration = (0..KEYS).map(cost).sum();
    for threads in [1, 2, 4, 8] {
        let options = WarmOptions { threads: NonZeroUsize::new(threads), ..WarmOptions::default() };
        let report = registry().warm(&manifest, &options);
        // A thread that sleeps oversleeps on a busy machine: that is the creation's time, and not warm-up's.
        let ratio = report.duration.as_secs_f64() / (report.creating.as_secs_f64() / threads as f64);
        println!(
            "{threads} threads: {} keys in {:?}, {ratio:.3} of the creations' {:?} over the threads; asked for were {sum:?}",
            report.created, report.duration, report.creating
        );
    }
    for deadline in [10, 50, 150].map(Duration::from_millis) {
        let (registry, began) = (registry(), Instant::now());
        let options =
            WarmOptions { threads: NonZeroUsize::new(4), deadline: Some(deadline), ..WarmOptions::default() };
        let report = registry.warm(&manifest, &options);
        let late = began.elapsed().saturating_sub(deadline);
        println!("deadline {deadline:?}: {} keys, {late:?} late", report.created);
    }
    let mut registry = registry();
    let mut warm_up = registry.warm_up(&manifest, None);
    let (slice, mut longest, mut slices) = (Duration::from_millis(8), Duration::ZERO, 0);
    loop {
        let began = Instant::now();
        let progress = warm_up.run_for(&mut registry, slice);
        longest = longest.max(began.elapsed());
        slices += 1;
        if progress.is_over() {
            break;
        }
    }
    let report = warm_up.finish(&mut registry);
    println!("slices of {slice:?}: {} keys in {slices}, the longest {longest:?}", report.created);
    Ok(())
}
