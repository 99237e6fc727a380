//! How fast the kernels are on an adapter, and what a dispatch costs on the processor. Give it a part of the adapter's name, or
//! nothing for a software adapter.

use std::error::Error;
use std::time::{Duration, Instant};

use metallic::Dtype;
use metallic::caching::ResourceCache;
use metallic::device::ComputeDevice;
use metallic::error::MetalError;
use metallic::kernels::add::{AddCall, AddParams};
use metallic::kernels::gelu::{GeluApproximation, GeluCall, GeluParams};
use metallic::kernels::gemm::{GemmCall, GemmParams};
use metallic::kernels::layer_norm::{LayerNormCall, LayerNormParams};
use metallic::kernels::scaled_dot_product_attention::{AttentionCall, AttentionParams};
use metallic::tensor::{MatrixMut, MatrixRef};
use metallic_wgpu::{AdapterSelection, WgpuDevice};

const DTYPE: Dtype = Dtype::F32;

fn main() -> Result<(), Box<dyn Error>> {
    let selection = std::env::args().nth(1).map_or(AdapterSelection::Software, AdapterSelection::Name);
    let device = WgpuDevice::new(&selection)?;
    println!("{}", device.adapter());
    let mut cache = ResourceCache::with_device(device.clone());
    for (m, n, k) in [
        (1, 768, 768),
        (1, 3072, 768),
        (1, 768, 3072),
        (4, 768, 768),
        (16, 768, 768),
        (64, 768, 768),
        (256, 768, 768),
    ] {
        gemm(&device, &mut cache, m, n, k)?;
    }
    for (seq_q, seq_k) in [(1, 64), (1, 500), (64, 64), (256, 256)] {
        attention(&device, &mut cache, seq_q, seq_k)?;
    }
    rows(&device, &mut cache, 1)?;
    rows(&device, &mut cache, 64)?;
    empty_dispatches(&device, &mut cache)?;
    for (name, metrics) in device.descriptor_metrics() {
        println!(
            "{name}: {} hits, {} misses, creating {:?}",
            metrics.hits, metrics.misses, metrics.creation_time
        );
    }
    Ok(())
}

/// The time of `work`, with what waiting for ten of it costs each: the least of many, as other programs only add to it.
fn time(
    device: &WgpuDevice,
    mut work: impl FnMut() -> Result<(), MetalError>,
) -> Result<Duration, MetalError> {
    work()?;
    device.synchronize()?;
    let (start, mut least) = (Instant::now(), Duration::MAX);
    while start.elapsed() < Duration::from_millis(500) {
        let begin = Instant::now();
        for _ in 0..10 {
            work()?;
        }
        device.synchronize()?;
        least = least.min(begin.elapsed() / 10);
    }
    Ok(least)
}

fn gemm(
    device: &WgpuDevice,
    cache: &mut ResourceCache<WgpuDevice>,
    m: usize,
    n: usize,
    k: usize,
) -> Result<(), MetalError> {
    let (a, b) = (device.upload(&vec![0.5; m * k], DTYPE)?, device.upload(&vec![0.5; n * k], DTYPE)?);
    let (bias, mut c) = (device.zeros(n, DTYPE)?, device.zeros(m * n, DTYPE)?);
    let params = GemmParams { m, n, k, transpose_a: false, transpose_b: true, bias: true, dtype: DTYPE };
    let plan = cache.get_or_create_gemm(&params, None)?;
    let each = time(device, || {
        plan.run(
            device,
            GemmCall {
                batch: 1,
                m,
                alpha: 1.0,
                beta: 0.0,
                a: MatrixRef::dense(&a, m, k),
                b: MatrixRef::dense(&b, n, k),
                bias: Some(&bias),
                c: MatrixMut::dense(&mut c, m, n),
            },
        )
    })?;
    let products = (m * n * k) as f64 / each.as_secs_f64() / 1e9;
    let bytes = (n * k * 4) as f64 / each.as_secs_f64() / 1e9;
    println!("gemm {m:>3}x{n}x{k}: {each:>10.2?}, {products:.2} G products/s, weights {bytes:.2} GB/s");
    Ok(())
}

fn attention(
    device: &WgpuDevice,
    cache: &mut ResourceCache<WgpuDevice>,
    seq_q: usize,
    seq_k: usize,
) -> Result<(), MetalError> {
    let (heads, head_dim) = (12, 64);
    let width = heads * head_dim;
    let q = device.upload(&vec![0.1; seq_q * width], DTYPE)?;
    let k = device.upload(&vec![0.1; seq_k * width], DTYPE)?;
    let mut output = device.zeros(seq_q * width, DTYPE)?;
    let params =
        AttentionParams { heads, kv_heads: heads, head_dim, seq_q, seq_k, causal: true, dtype: DTYPE };
    let plan = cache.get_or_create_scaled_dot_product_attention(&params, None)?;
    let each = time(device, || {
        plan.run(
            device,
            AttentionCall {
                batch: 1,
                seq_q,
                seq_k,
                scale: 0.125,
                q: MatrixRef::dense(&q, seq_q, width),
                k: MatrixRef::dense(&k, seq_k, width),
                v: MatrixRef::dense(&k, seq_k, width),
                output: MatrixMut::dense(&mut output, seq_q, width),
            },
        )
    })?;
    println!("attention of {seq_q} queries to {seq_k} keys, 12 heads of 64: {each:.2?}");
    Ok(())
}

fn rows(device: &WgpuDevice, cache: &mut ResourceCache<WgpuDevice>, rows: usize) -> Result<(), MetalError> {
    let width = 768;
    let input = device.upload(&vec![0.1; rows * 4 * width], DTYPE)?;
    let mut output = device.zeros(rows * 4 * width, DTYPE)?;
    let plan = cache.get_or_create_layer_norm(&LayerNormParams { width, dtype: DTYPE }, None)?.clone();
    let norm = time(device, || {
        plan.run(
            device,
            LayerNormCall {
                rows,
                epsilon: 1e-5,
                input: MatrixRef::dense(&input, rows, width),
                gamma: &input,
                beta: &input,
                output: MatrixMut::dense(&mut output, rows, width),
            },
        )
    })?;
    let params = GeluParams { approximation: GeluApproximation::Tanh, dtype: DTYPE };
    let plan = cache.get_or_create_gelu(&params, None)?.clone();
    let elements = rows * 4 * width;
    let gelu = time(device, || plan.run(device, GeluCall { elements, input: &input, output: &mut output }))?;
    let plan = cache.get_or_create_add(&AddParams { dtype: DTYPE }, None)?.clone();
    let (elements, period) = (rows * width, width);
    let add = time(device, || {
        plan.run(device, AddCall { elements, period, a: &input, b: &input, output: &mut output })
    })?;
    println!("{rows} rows: layer norm of 768 {norm:.2?}, gelu of 3072 {gelu:.2?}, add of 768 {add:.2?}");
    Ok(())
}

/// The processor's work for a dispatch: recording 10000 of next to no work, without the waiting.
fn empty_dispatches(device: &WgpuDevice, cache: &mut ResourceCache<WgpuDevice>) -> Result<(), MetalError> {
    let a = device.zeros(4, DTYPE)?;
    let mut output = device.zeros(4, DTYPE)?;
    let plan = cache.get_or_create_add(&AddParams { dtype: DTYPE }, None)?.clone();
    let count = 10_000;
    let start = Instant::now();
    let mut recording = Duration::ZERO;
    for _ in 0..count / 250 {
        let begin = Instant::now();
        for _ in 0..250 {
            plan.run(device, AddCall { elements: 1, period: 1, a: &a, b: &a, output: &mut output })?;
        }
        recording += begin.elapsed();
        device.synchronize()?;
    }
    println!(
        "a dispatch of nothing: recording {:.2?}, in all {:.2?}",
        recording / count,
        start.elapsed() / count
    );
    Ok(())
}
