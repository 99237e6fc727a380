//! A cache at work: `cargo run --release --example quickstart`, or with a path as argument, to write the log there.
//!
//! A small mixture-of-experts layer on the host. Each token goes to two of 64 experts, some of them much more often than
//! others. An expert's weights have to be quantized and packed before they can be multiplied with, and only the 24 experts
//! used last are kept packed. Each token also needs the rotation table for its position; tables are made for a whole
//! block of positions.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use metallic::caching::{CacheMetrics, CacheRegistry, CacheableKernel, EvictionPolicy};
use metallic::device::system_default_device;
use metallic::error::MetalError;
use metallic::{Device, Dtype};
use metallic_instrumentation::JsonlExporter;

const EXPERTS: u64 = 64;
const ROWS: usize = 256;
const COLUMNS: usize = 256;
const TOKENS: usize = 400;

/// Packs the weights of an expert.
struct PackedExpertKernel;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct PackedExpertKey {
    expert: u64,
    dtype: Dtype,
}

/// Rows of eight-bit weights, and what one unit of each row is worth.
#[derive(Clone)]
struct PackedExpert {
    weights: Arc<[i8]>,
    scales: Arc<[f32]>,
}

impl CacheableKernel for PackedExpertKernel {
    type Key = PackedExpertKey;
    type CachedResource = PackedExpert;
    type Params = u64;

    const CACHE_NAME: &'static str = "packed_expert";

    fn create_cache_key(expert: &u64) -> PackedExpertKey {
        PackedExpertKey { expert: *expert, dtype: Dtype::I8 }
    }

    /// The costly part, which runs on a miss.
    fn create_cached_resource(
        key: &PackedExpertKey,
        device: Option<&Device>,
    ) -> Result<PackedExpert, MetalError> {
        device.ok_or(MetalError::DeviceNotAvailable)?;
        let mut random = Random(key.expert + 1);
        let (mut weights, mut scales) = (Vec::new(), Vec::new());
        for _ in 0..ROWS {
            let row: Vec<f32> = (0..COLUMNS).map(|_| random.unit() * 2.0 - 1.0).collect();
            let largest = row.iter().fold(f32::MIN_POSITIVE, |largest, weight| largest.max(weight.abs()));
            scales.push(largest / 127.0);
            weights.extend(row.iter().map(|weight| (weight / largest * 127.0).round() as i8));
        }
        Ok(PackedExpert { weights: weights.into(), scales: scales.into() })
    }

    fn resource_bytes(resource: &PackedExpert) -> u64 {
        (size_of_val(&*resource.weights) + size_of_val(&*resource.scales)) as u64
    }
}

/// Makes rotation tables: a cosine and a sine for each position of a block and each pair of columns.
struct RotationTableKernel;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct RotationTableKey {
    first_position: usize,
}

const BLOCK: usize = 64;

impl CacheableKernel for RotationTableKernel {
    type Key = RotationTableKey;
    type CachedResource = Arc<[(f32, f32)]>;
    type Params = usize;

    const CACHE_NAME: &'static str = "rotation_table";

    fn create_cache_key(position: &usize) -> RotationTableKey {
        RotationTableKey { first_position: position / BLOCK * BLOCK }
    }

    fn create_cached_resource(
        key: &RotationTableKey,
        _device: Option<&Device>,
    ) -> Result<Self::CachedResource, MetalError> {
        let angle = |position: usize, pair: usize| {
            position as f32 / 10_000_f32.powf(2.0 * pair as f32 / COLUMNS as f32)
        };
        let positions = key.first_position..key.first_position + BLOCK;
        let pairs = |position| (0..COLUMNS / 2).map(move |pair| angle(position, pair));
        Ok(positions.flat_map(pairs).map(|angle| (angle.cos(), angle.sin())).collect())
    }

    fn resource_bytes(table: &Self::CachedResource) -> u64 {
        size_of_val(&**table) as u64
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut registry = CacheRegistry::with_device(system_default_device()?);
    registry.set_eviction_policy::<PackedExpertKernel>(EvictionPolicy::size_limited_lru(24));
    let log = match env::args_os().nth(1).map(PathBuf::from) {
        Some(path) => {
            let log = Arc::new(JsonlExporter::create(&path)?);
            registry = registry.with_sink(log.clone());
            Some((path, log))
        }
        None => None,
    };

    let mut random = Random(42);
    let mut activations = vec![1.0; COLUMNS];
    for position in 0..TOKENS {
        let table = registry.get_or_create::<RotationTableKernel>(&position, None)?.clone();
        rotate(&mut activations, &table[position % BLOCK * COLUMNS / 2..]);
        for _ in 0..2 {
            // The cube of a number below 1 is small more often than not.
            let part = random.unit();
            let expert = (part * part * part * EXPERTS as f32) as u64;
            let packed = registry.get_or_create::<PackedExpertKernel>(&expert, None)?;
            activations = multiply(packed, &activations);
        }
    }

    println!("{TOKENS} tokens through {EXPERTS} experts, the 24 used last kept packed\n");
    print_metrics(&registry);
    if let Some((path, log)) = log {
        log.flush()?;
        println!("\n{} events in {}, which begins:", log.stats().written, path.display());
        fs::read_to_string(&path)?.lines().take(4).for_each(|line| println!("{line}"));
    }
    Ok(())
}

fn print_metrics(registry: &CacheRegistry) {
    println!(
        "{:<16}{:>8}{:>8}{:>8}{:>10}{:>11}{:>10}{:>12}",
        "cache", "entries", "hits", "misses", "hit rate", "evictions", "KiB", "creating"
    );
    for (name, metrics) in registry.metrics_by_name() {
        let hit_rate = metrics.hit_rate().map_or("-".to_owned(), |rate| format!("{:.1} %", rate * 100.0));
        let CacheMetrics { size, hits, misses, evictions, bytes, creation_time, .. } = metrics;
        let creating = format!("{creation_time:.1?}");
        println!(
            "{name:<16}{size:>8}{hits:>8}{misses:>8}{hit_rate:>10}{evictions:>11}{:>10}{creating:>12}",
            bytes / 1024
        );
    }
}

/// Rotates each pair of activations by its angle.
fn rotate(activations: &mut [f32], angles: &[(f32, f32)]) {
    for (pair, (cos, sin)) in activations.chunks_exact_mut(2).zip(angles) {
        (pair[0], pair[1]) = (pair[0] * cos - pair[1] * sin, pair[0] * sin + pair[1] * cos);
    }
}

/// The product of packed weights and activations, scaled so that the largest element is 1.
fn multiply(packed: &PackedExpert, activations: &[f32]) -> Vec<f32> {
    let rows = packed.weights.chunks_exact(COLUMNS).zip(&*packed.scales);
    let product: Vec<f32> = rows
        .map(|(row, scale)| scale * row.iter().zip(activations).map(|(w, a)| f32::from(*w) * a).sum::<f32>())
        .collect();
    let largest = product.iter().fold(f32::MIN_POSITIVE, |largest, element| largest.max(element.abs()));
    product.into_iter().map(|element| element / largest).collect()
}

/// The same numbers in every run (xorshift).
struct Random(u64);

impl Random {
    /// From 0 to below 1.
    fn unit(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32
    }
}
