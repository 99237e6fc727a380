//! Writes the event log of a made-up inference engine that serves some model: always the same log, through the real
//! registry and exporter, on a clock driven by hand. The report page is checked with it.
//!
//!     cargo run -p metallic-cli --example demo_log -- demo.jsonl [STEPS]
#![forbid(unsafe_code)]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use metallic::caching::{CacheRegistry, CacheableKernel, Clock, EvictionPolicy, ManualClock};
use metallic::error::MetalError;
use metallic_instrumentation::{Event, EventSink, JsonlExporter, KvCacheResized, KvCacheTruncated};

/// Seconds from the Unix epoch to when the engine was started: 2026-11-02, 08:00 UTC.
const STARTED: u64 = 1_793_606_400;
const STEPS: u64 = 40_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct GemmKey {
    m: u32,
    n: u32,
    k: u32,
    transpose_right: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct AttentionKey {
    queries: u32,
    context: u32,
    head_dim: u32,
    causal: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ShaderKey {
    source: String,
    constants: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct SessionKey {
    session: u64,
}

/// A kernel whose creation takes the time that its function says, on the device, which is the clock.
macro_rules! kernel {
    ($kernel:ident, $name:literal, $key:ty, $bytes:expr, |$arg:ident| $create:expr) => {
        struct $kernel;

        impl CacheableKernel<ManualClock> for $kernel {
            type Key = $key;
            type CachedResource = u64;
            type Params = $key;
            const CACHE_NAME: &'static str = $name;

            fn create_cache_key(params: &$key) -> $key {
                params.clone()
            }

            fn create_cached_resource(key: &$key, device: Option<&ManualClock>) -> Result<u64, MetalError> {
                let clock = device.ok_or(MetalError::DeviceNotAvailable)?;
                let $arg = key;
                let microseconds: Result<u64, MetalError> = $create;
                clock.advance(Duration::from_micros(*microseconds.as_ref().unwrap_or(&900)));
                microseconds
            }

            fn resource_bytes(_: &u64) -> u64 {
                $bytes
            }
        }
    };
}

kernel!(Gemm, "mps_gemm", GemmKey, 96 << 10, |key| {
    Ok(9_000 + u64::from(key.m.ilog2() + key.n.ilog2() + key.k.ilog2()) * 2_300)
});
kernel!(Attention, "flash_attention", AttentionKey, 640 << 10, |key| {
    if key.head_dim > 128 {
        Err(MetalError::device("pipeline compilation", "threadgroup memory exceeds 32768 bytes"))
    } else {
        Ok(60_000 + u64::from(key.context) * 21)
    }
});
kernel!(
    Shader,
    "msl_library",
    ShaderKey,
    48 << 10,
    |key| Ok(140_000 + 9_000 * u64::from(key.constants % 13))
);
kernel!(Session, "kv_blocks", SessionKey, 4 << 20, |_key| Ok(650));

/// Marsaglia's xorshift: the log must be the same everywhere and always.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    /// Small numbers are much more frequent than large ones.
    fn skewed(&mut self, sides: u64) -> u64 {
        let (a, b, c) = (self.roll(sides), self.roll(sides), self.roll(sides));
        a.min(b).min(c)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("usage: demo_log FILE [STEPS]")?;
    let steps: u64 = args.next().map_or(Ok(STEPS), |steps| steps.parse())?;

    let log = Arc::new(JsonlExporter::create(&path)?);
    let clock = ManualClock::new();
    clock.advance(Duration::from_secs(STARTED));
    let mut registry =
        CacheRegistry::with_device(clock.clone()).with_clock(clock.clone()).with_sink(log.clone());
    registry.set_eviction_policy::<Gemm>(EvictionPolicy::size_limited_lru(64));
    registry.set_eviction_policy::<Attention>(EvictionPolicy::hybrid(40, Duration::from_secs(20)));
    registry.set_eviction_policy::<Shader>(EvictionPolicy::fifo().with_max_entries(24));
    registry.set_eviction_policy::<Session>(EvictionPolicy::idle_timeout(Duration::from_secs(4)));

    let mut dice = Dice(0x5EED_CAFE);
    for step in 0..steps {
        // Three times of day: short prompts, then long documents, then a second model beside the first.
        let phase = step * 3 / steps.max(1);
        serve(&mut registry, &mut dice, step, phase)?;
        converse(&*log, &clock, step);
        clock.advance(Duration::from_micros(1_500 + dice.roll(2_500)));
        if step == steps * 2 / 3 {
            // The second model is loaded: what was compiled for the first one's old weights goes.
            registry.clear_cache::<Gemm>();
        }
    }
    drop(registry);
    log.flush()?;
    println!("{} events in {path}", log.stats().written);
    Ok(())
}

/// The KV cache of one conversation after another. It has no device here, so that its events are made by hand.
fn converse(log: &dyn EventSink, clock: &ManualClock, step: u64) {
    const LENGTH: u64 = 1500;
    let (turn, at) = (step / LENGTH, step % LENGTH);
    let now = clock.now().as_nanos() as u64;
    let positions = |turn: u64| 64 << (turn % 5);
    if at == 0 && turn > 0 {
        log.record(&Event::at(
            now,
            KvCacheTruncated { cache: "kv_cache".into(), from: positions(turn - 1), to: 0 },
        ));
    }
    if at == 0 && (turn == 0 || positions(turn) > positions(turn - 1)) {
        let bytes = positions(turn) << 16;
        log.record(&Event::at(
            now,
            KvCacheResized {
                cache: "kv_cache".into(),
                layers: 32,
                len: 0,
                capacity: positions(turn),
                bytes,
                peak_bytes: bytes + (bytes >> 1),
                duration_ns: 400_000,
            },
        ));
    }
}

/// One step of the engine.
fn serve(
    registry: &mut CacheRegistry<ManualClock>,
    dice: &mut Dice,
    step: u64,
    phase: u64,
) -> Result<(), MetalError> {
    let hidden = if phase == 2 && dice.roll(3) == 0 { 8192 } else { 4096 };
    let m = 1 << dice.skewed(if phase == 0 { 5 } else { 9 });
    for (n, k) in [(hidden * 3, hidden), (hidden, hidden), (hidden * 4, hidden), (hidden, hidden * 4)] {
        let key = GemmKey { m, n, k, transpose_right: true };
        registry.get_or_create::<Gemm>(&key, None)?;
    }
    let longest = [12, 40, 28][phase.min(2) as usize];
    let context = 512 * (1 + dice.skewed(longest) as u32);
    let key = AttentionKey { queries: m.min(2), context, head_dim: 128, causal: true };
    registry.get_or_create::<Attention>(&key, None)?;
    if phase == 2 && dice.roll(400) == 0 {
        // The second model has heads that this kernel cannot serve: the engine takes another.
        let key = AttentionKey { queries: m.min(2), context, head_dim: 256, causal: true };
        registry.get_or_create::<Attention>(&key, None).ok();
    }
    if step.is_multiple_of(5) {
        let names = ["rms_norm", "rope", "swiglu", "sample_top_k", "dequantize_q4"];
        let source = names[dice.roll(names.len() as u64) as usize].to_owned();
        let key = ShaderKey { source, constants: dice.skewed(4 + 3 * phase) as u32 };
        registry.get_or_create::<Shader>(&key, None)?;
    }
    // Sessions come, talk for a while, pause, and mostly do not come back.
    let session = (step / 40).saturating_sub(dice.skewed(60));
    registry.get_or_create::<Session>(&SessionKey { session }, None)?;
    Ok(())
}
