//! The objects that kernels share: made once, kept within limits, and seen.

use std::collections::HashSet;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use metallic::Dtype;
use metallic::caching::{CacheableKernel, EvictionPolicy, ResourceCache};
use metallic::creation::Sample;
use metallic::device::ComputeDevice;
use metallic::error::MetalError;
use metallic::kernels::add::{AddCall, AddParams};
use metallic::kernels::gemm::{GemmCall, GemmKernel, GemmParams};
use metallic::kernels::kv_cache_write::{KvCacheWriteCall, KvCacheWriteParams};
use metallic::kernels::layer_norm::{LayerNormCall, LayerNormParams};
use metallic::kernels::scaled_dot_product_attention::{AttentionCall, AttentionParams};
use metallic::tensor::{MatrixMut, MatrixRef};
use metallic_instrumentation::Recorder;
use metallic_wgpu::{BindGroupKernel, Connection, PipelineKernel, WgpuDevice, WgpuTensor};

use crate::software::open;

const WIDTH: usize = 32;
const CAPACITY: usize = 20;
const DTYPE: Dtype = Dtype::F32;

/// A decoder's layer without its second half, and the tensors that it needs for one token.
struct Layer {
    weights: WgpuTensor,
    x: WgpuTensor,
    normal: WgpuTensor,
    qkv: WgpuTensor,
    attended: WgpuTensor,
    keys: WgpuTensor,
    values: WgpuTensor,
}

impl Layer {
    fn new(device: &WgpuDevice) -> Result<Self, MetalError> {
        let zeros = |elements| device.zeros(elements, DTYPE);
        Ok(Self {
            weights: device.upload(&[0.01; 3 * WIDTH * WIDTH], DTYPE)?,
            x: device.upload(&[0.5; WIDTH], DTYPE)?,
            normal: zeros(WIDTH)?,
            qkv: zeros(3 * WIDTH)?,
            attended: zeros(WIDTH)?,
            keys: zeros(CAPACITY * WIDTH)?,
            values: zeros(CAPACITY * WIDTH)?,
        })
    }

    fn decode(
        &mut self,
        device: &WgpuDevice,
        cache: &mut ResourceCache<WgpuDevice>,
        position: usize,
    ) -> Result<(), MetalError> {
        let Self { weights, x, normal, qkv, attended, keys, values } = self;
        let norm = LayerNormParams { width: WIDTH, dtype: DTYPE };
        cache.get_or_create_layer_norm(&norm, None)?.run(
            device,
            LayerNormCall {
                rows: 1,
                epsilon: 1e-5,
                input: MatrixRef::dense(x, 1, WIDTH),
                gamma: weights,
                beta: weights,
                output: MatrixMut::dense(normal, 1, WIDTH),
            },
        )?;
        let (m, n, k) = (1, 3 * WIDTH, WIDTH);
        let gemm = GemmParams { m, n, k, transpose_a: false, transpose_b: true, bias: false, dtype: DTYPE };
        cache.get_or_create_gemm(&gemm, None)?.run(
            device,
            GemmCall {
                batch: 1,
                m,
                alpha: 1.0,
                beta: 0.0,
                a: MatrixRef::dense(normal, m, k),
                b: MatrixRef::dense(weights, n, k),
                bias: None,
                c: MatrixMut::dense(qkv, m, n),
            },
        )?;
        let part = |part: usize| {
            let whole = MatrixRef::dense(&*qkv, 1, 3 * WIDTH);
            MatrixRef { layout: whole.layout.at(part * WIDTH), ..whole }
        };
        let write = KvCacheWriteParams { width: WIDTH, dtype: DTYPE };
        cache.get_or_create_kv_cache_write(&write, None)?.run(
            device,
            KvCacheWriteCall {
                batch: 1,
                positions: 1,
                position,
                capacity: CAPACITY,
                k: part(1),
                v: part(2),
                keys,
                values,
            },
        )?;
        let (heads, head_dim, seq_k) = (4, WIDTH / 4, position + 1);
        let attention =
            AttentionParams { heads, kv_heads: heads, head_dim, seq_q: 1, seq_k, causal: true, dtype: DTYPE };
        let attention = cache.get_or_create_scaled_dot_product_attention(&attention, None)?;
        attention.run(
            device,
            AttentionCall {
                batch: 1,
                seq_q: 1,
                seq_k,
                scale: 0.3,
                q: part(0),
                k: MatrixRef::dense(keys, CAPACITY, WIDTH),
                v: MatrixRef::dense(values, CAPACITY, WIDTH),
                output: MatrixMut::dense(attended, 1, WIDTH),
            },
        )?;
        let sum = cache.get_or_create_add(&AddParams { dtype: DTYPE }, None)?;
        sum.run(device, AddCall { elements: WIDTH, period: WIDTH, a: attended, b: normal, output: x })
    }
}

fn misses(device: &WgpuDevice) -> u64 {
    device.descriptor_metrics().iter().map(|(_, metrics)| metrics.misses).sum()
}

#[test]
fn decoding_creates_nothing_once_every_bucket_was_met() {
    let Some(device) = open() else { return };
    let mut cache = ResourceCache::with_device(device.clone());
    let mut layer = Layer::new(&device).unwrap();
    let mut first = Vec::new();
    for position in 0..CAPACITY {
        layer.decode(&device, &mut cache, position).unwrap();
        first = device.read(&layer.x, 0..WIDTH).unwrap();
    }
    assert!(first.iter().all(|value| value.is_finite()) && first[0] != 0.5);
    let (created, plans) = (misses(&device), cache.registry().metrics_by_name().count());
    assert!(created > 10 && plans == 5, "{created} in {:?}", device.descriptor_metrics());
    let plans = |cache: &ResourceCache<WgpuDevice>| -> u64 {
        cache.registry().metrics_by_name().map(|(_, metrics)| metrics.misses).sum()
    };
    let planned = plans(&cache);
    for position in 0..CAPACITY {
        layer.decode(&device, &mut cache, position).unwrap();
        device.read(&layer.x, 0..WIDTH).unwrap();
    }
    assert_eq!((misses(&device), plans(&cache)), (created, planned));
}

#[test]
fn pipelines_and_plans_that_are_created_again_are_the_same_and_no_two_keys_are_of_one_pipeline() {
    let Some(device) = open() else { return };
    let mut cache = ResourceCache::with_device(device.clone());
    let mut layer = Layer::new(&device).unwrap();
    layer.decode(&device, &mut cache, 0).unwrap();
    let pipelines = device.descriptors().verify::<PipelineKernel>(&Sample::all());
    let entries = device.descriptors().metrics::<PipelineKernel>().unwrap().size;
    assert!(entries > 3);
    assert_eq!((pipelines.same as usize, pipelines.is_clean()), (entries, true), "{pipelines}");
    assert!(pipelines.over_specific.is_empty(), "{pipelines}");
    let plans = cache.registry().verify::<GemmKernel>(&Sample::all());
    assert!(plans.same > 0 && plans.is_clean(), "{plans}");
}

#[test]
fn descriptors_have_a_policy_and_events_of_their_own() {
    let Some(device) = open() else { return };
    let sink = Arc::new(Recorder::new());
    device.descriptors().set_eviction_policy::<BindGroupKernel>(EvictionPolicy::size_limited_lru(2));
    device.descriptors().set_sink(Some(sink.clone()));
    let mut cache = ResourceCache::with_device(device.clone());
    let sum = cache.get_or_create_add(&AddParams { dtype: DTYPE }, None).unwrap();
    let one = device.upload(&[1.0; 8], DTYPE).unwrap();
    let mut outputs: Vec<_> = (0..5).map(|_| device.zeros(8, DTYPE).unwrap()).collect();
    for output in &mut outputs {
        sum.run(&device, AddCall { elements: 8, period: 8, a: &one, b: &one, output }).unwrap();
    }
    for output in &outputs {
        assert_eq!(device.read(output, 0..8).unwrap(), [2.0; 8]);
    }
    let metrics = device.descriptor_metrics();
    let names: Vec<_> = metrics.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["wgpu_bind_group", "wgpu_layout", "wgpu_pipeline"]);
    assert_eq!((metrics[0].1.size, metrics[0].1.evictions), (2, 3));
    let events = format!("{:?}", sink.events());
    for part in [
        "wgpu_bind_group:BindGroupKey{reads:2,writes:1,buffers:[",
        "wgpu_pipeline:PipelineKey{name:\\\"add_f32",
    ] {
        assert!(events.contains(part), "{part} in {events}");
    }
}

#[test]
fn the_pipeline_of_copies_inside_a_word_is_created_by_the_registry() {
    let Some(device) = open() else { return };
    if !device.supports(Dtype::F16) {
        eprintln!("skipped: no tensor of {} has elements inside a word", device.adapter());
        return;
    }
    let from = device.upload(&[1.0, 2.0, 3.0, 4.0], Dtype::F16).unwrap();
    let mut to = device.zeros(4, Dtype::F16).unwrap();
    let created =
        |device: &WgpuDevice| device.descriptors().metrics::<PipelineKernel>().map_or(0, |all| all.misses);
    let mut copy = || {
        device.copy(&from, 1, &mut to, 0, 3).unwrap();
        assert_eq!(device.read(&to, 0..4).unwrap(), [2.0, 3.0, 4.0, 0.0]);
        created(&device)
    };
    assert_eq!([copy(), copy()], [1, 1]);
    device.descriptors().clear_cache::<PipelineKernel>();
    assert_eq!(copy(), 2, "no other place keeps it");
}

#[test]
fn two_sources_of_one_name_are_two_pipelines_and_have_two_labels() {
    let Some(device) = open() else { return };
    let sink = Arc::new(Recorder::new());
    device.descriptors().set_sink(Some(sink.clone()));
    let source = |threads: u32| {
        format!(
            "@group(0) @binding(1) var<storage, read_write> output: array<f32>;
             @compute @workgroup_size({threads}) fn main() {{ output[0] += 0.0; }}"
        )
    };
    let [one, two] = [1, 2].map(|threads| device.compile("same", &source(threads), 0, 1).unwrap());
    assert_ne!(one, two);
    let events = format!("{:?}", sink.events());
    let labels: HashSet<_> = events
        .split("wgpu_pipeline:PipelineKey{name:\\\"same\\\",source:")
        .skip(1)
        .map(|rest| &rest[..16])
        .collect();
    assert_eq!(labels.len(), 2, "{events}");
}

/// The work of a creation of [`Slow`] while it is under way.
static MEANWHILE: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);

/// A kernel of the device whose creation lasts as long as a test wants.
struct Slow;

impl CacheableKernel<Connection> for Slow {
    type Key = ();
    type CachedResource = ();
    type Params = ();

    const CACHE_NAME: &'static str = "slow";

    fn create_cache_key(_: &()) {}

    fn create_cached_resource(_: &(), _: Option<&Connection>) -> Result<(), MetalError> {
        let meanwhile = MEANWHILE.lock().expect("nothing panics under it").take();
        meanwhile.expect("it is created once")();
        Ok(())
    }
}

#[test]
fn dispatches_and_other_compilations_go_on_while_a_thread_creates() {
    let Some(device) = open() else { return };
    let source = "@group(0) @binding(0) var<uniform> count: vec4<u32>;\n\
                  @group(0) @binding(1) var<storage, read_write> output: array<f32>;\n\
                  @compute @workgroup_size(1) fn run() { if count.x > 0 { output[0] += 1.0; } }\n";
    let kernel = device.compile("one_more", source, 0, 1).expect("the source is valid");
    let mut output = device.upload(&[1.0; 4], DTYPE).expect("there is memory");
    let mut add = || device.dispatch(&kernel, &[], &mut [&mut output], &[1_usize.into()], [1; 3]);
    add().expect("the device works");
    let (begun, has_begun) = channel();
    let (done, is_done) = channel::<()>();
    *MEANWHILE.lock().expect("nothing panics under it") = Some(Box::new(move || {
        begun.send(()).expect("the test waits");
        // Or until the test fails.
        let _ = is_done.recv_timeout(Duration::from_secs(60));
    }));
    thread::scope(|scope| {
        let creation = scope.spawn(|| device.descriptors().get_or_create::<Slow>(&(), None));
        has_begun.recv().expect("it is created");
        add().expect("the device works");
        device.compile("one_more", source, 0, 1).expect("it is there");
        device.compile("another", &source.replace("1.0", "2.0"), 0, 1).expect("the source is valid");
        assert!(!creation.is_finished(), "all of it went on meanwhile");
        done.send(()).expect("the creation waits");
    });
    assert_eq!(device.read(&output, 0..1).expect("the device works"), [3.0]);
}
