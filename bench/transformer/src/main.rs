//! Measures what the caches cost a transformer, and how fast it is next to candle, on the same threads in the same run.
//!
//! `cargo run --release -p transformer-bench [-- [--small] [--rounds N]]`; `RAYON_NUM_THREADS` sets the threads of all. Mesa's
//! own disk cache is switched off, or the first pass on its driver would depend on earlier runs.

mod candle_gpt2;
mod null_device;
mod subject;
mod weights;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::process::Command;
use std::time::{Duration, Instant};

use candle_gpt2::CandleGpt2;
use metallic::Dtype;
use metallic::caching::ResourceCache;
use metallic::device::ComputeDevice;
use metallic::error::MetalError;
use metallic::kernels::gemm::GemmParams;
use metallic_host::HostDevice;
use metallic_transformer::model::{Gpt2, Shape, builtin};
use metallic_wgpu::{AdapterSelection, WgpuDevice};
use null_device::NullDevice;
use subject::{Cached, Subject};

/// GPT-2 as it was published in its smallest form.
const GPT2: Shape = Shape {
    width: 768,
    heads: 12,
    layers: 12,
    inner: 3072,
    vocabulary: 50_257,
    positions: 1024,
    ..builtin::SHAPE
};

const MESA_CACHE: &str = "MESA_SHADER_CACHE_DISABLE";
const PROMPT: usize = 64;
const TOKENS: usize = 16;

/// One pass over a prompt and some tokens.
struct Pass {
    first: Duration,
    token: Duration,
}

impl Pass {
    fn of(subject: &mut dyn Subject, tokens: usize) -> Self {
        subject.restart();
        let prompt: Vec<u32> = (0..PROMPT as u32).collect();
        let start = Instant::now();
        subject.reserve(PROMPT, PROMPT + tokens);
        subject.feed(&prompt);
        let first = start.elapsed();
        let start = Instant::now();
        for id in 0..tokens as u32 {
            subject.feed(&[id]);
        }
        Self { first, token: start.elapsed() / tokens as u32 }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if std::env::var_os(MESA_CACHE).is_none() {
        // A program cannot set its own variables without unsafe code, but it can those of another.
        let again = std::env::current_exe().expect("this program has a file");
        let status = Command::new(again).args(&arguments).env(MESA_CACHE, "true").status();
        std::process::exit(status.expect("this program can be started again").code().unwrap_or(1));
    }
    let rounds = arguments.iter().position(|argument| argument == "--rounds");
    let rounds = rounds.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(7);
    let shapes = [("built-in", builtin::SHAPE), ("GPT-2", GPT2)];
    let shapes = if arguments.iter().any(|argument| argument == "--small") { &shapes[..1] } else { &shapes };
    for (name, shape) in shapes {
        measure(name, shape, rounds);
    }
}

fn measure(name: &str, shape: &Shape, rounds: usize) {
    let threads = candle_core::utils::get_num_threads();
    let model = Gpt2::from_seed(shape.clone(), builtin::SEED);
    println!(
        "{name}: {} layers, width {}, vocabulary {}; {} million parameters, f32, {threads} threads",
        shape.layers,
        shape.width,
        shape.vocabulary,
        model.parameters() / 1_000_000
    );
    println!("prompt of {PROMPT} tokens, then {TOKENS} more, one by one; medians of {rounds} rounds");

    let weights: HashMap<_, _> = weights::by_name(&model);
    let candle = || {
        CandleGpt2::new(weights::sizes(&model), |name| weights[name].data().to_vec())
            .expect("the model suits candle")
    };
    agree(&mut candle(), &mut Cached::new(&model, host(threads)));

    let mut subjects: Vec<(&str, Box<dyn Subject + '_>)> = vec![
        ("candle-core", Box::new(candle())),
        ("metallic, host", Box::new(Cached::new(&model, host(threads)))),
    ];
    for (name, selection) in
        [("metallic, GPU", AdapterSelection::RealGpu), ("metallic, lavapipe", AdapterSelection::Software)]
    {
        match adapter(&selection, shape) {
            Ok(device) => subjects.push((name, Box::new(Cached::new(&model, device)))),
            Err(error) => println!("no {name}: {error}"),
        }
    }
    println!();
    let cold: Vec<Pass> = subjects.iter_mut().map(|(_, subject)| Pass::of(&mut **subject, TOKENS)).collect();
    let mut passes: Vec<Vec<Pass>> = subjects.iter().map(|_| Vec::new()).collect();
    let misses: Vec<u64> = subjects.iter().map(|(_, subject)| subject.look_ups().misses).collect();
    for round in 0..rounds {
        for turn in 0..subjects.len() {
            // A different one begins each round.
            let index = (turn + round) % subjects.len();
            passes[index].push(Pass::of(&mut *subjects[index].1, TOKENS));
        }
    }

    println!(
        "{:<20} {:>12} {:>12} {:>12} {:>10} {:>10} {:>8}",
        "", "first pass", "warm", "a token", "tokens/s", "ratio", "misses"
    );
    for (index, (name, subject)) in subjects.iter().enumerate() {
        let first = median(passes[index].iter().map(|pass| pass.first.as_secs_f64()));
        let token = median(passes[index].iter().map(|pass| pass.token.as_secs_f64()));
        let ratios = passes[index].iter().zip(&passes[0]);
        let ratio =
            median(ratios.map(|(pass, candle)| candle.token.as_secs_f64() / pass.token.as_secs_f64()));
        println!(
            "{name:<20} {:>9.1} ms {:>9.1} ms {:>9.2} ms {:>10.1} {ratio:>10.2} {:>8}",
            cold[index].first.as_secs_f64() * 1e3,
            first * 1e3,
            token * 1e3,
            1.0 / token,
            subject.look_ups().misses - misses[index],
        );
    }
    println!(
        "\nfirst pass, warm: from the prompt to its logits; ratio: tokens/s to candle's in the same round;"
    );
    println!("misses: after the first pass\n");

    shares(&model, &mut subjects, &passes);
}

/// How much of a token is not the operations.
fn shares(model: &Gpt2, subjects: &mut [(&str, Box<dyn Subject + '_>)], passes: &[Vec<Pass>]) {
    let mut null = Cached::new(model, NullDevice);
    Pass::of(&mut null, TOKENS);
    let before = null.look_ups().hits;
    let around = median((0..101).map(|_| Pass::of(&mut null, TOKENS).token.as_secs_f64()));
    let in_null = (null.look_ups().hits - before) as f64 / (101 * (TOKENS + 1)) as f64;
    let hit = hit();
    println!("a look-up that hits: {:.1} ns, of a plan that is copied out", hit * 1e9);
    println!(
        "a token where operations take no time: {:.1} us; {in_null:.0} look-ups, checks of shapes, the model's own work\n",
        around * 1e6
    );
    println!("{:<20} {:>12} {:>16} {:>24}", "", "look-ups", "% of a token", "all but operations, %");
    for (index, (name, subject)) in subjects.iter_mut().enumerate() {
        let before = subject.look_ups().hits;
        Pass::of(&mut **subject, TOKENS);
        let look_ups = (subject.look_ups().hits - before) as f64 / (TOKENS + 1) as f64;
        if look_ups > 0.0 {
            let token = median(passes[index].iter().map(|pass| pass.token.as_secs_f64()));
            // What is looked up beyond the null device's is the device's own descriptors.
            let rest = around + (look_ups - in_null) * hit;
            println!(
                "{name:<20} {look_ups:>12.0} {:>16.4} {:>24.4}",
                100.0 * look_ups * hit / token,
                100.0 * rest / token
            );
        }
    }
    println!();
}

/// The time of a look-up that hits, in seconds: the median of some runs over plans as a model has them.
fn hit() -> f64 {
    let mut cache = ResourceCache::with_device(NullDevice);
    let params: Vec<_> = [(2304, 768), (768, 768), (3072, 768), (768, 3072), (50_257, 768)]
        .map(|(n, k)| GemmParams {
            m: 1,
            n,
            k,
            transpose_a: false,
            transpose_b: true,
            bias: true,
            dtype: Dtype::F32,
        })
        .to_vec();
    let runs = (0..31).map(|_| {
        let start = Instant::now();
        for _ in 0..10_000 {
            for params in &params {
                let plan = cache.get_or_create_gemm(params, None).expect("there is a device").clone();
                std::hint::black_box(plan);
            }
        }
        start.elapsed().as_secs_f64() / (10_000 * params.len()) as f64
    });
    median(runs)
}

/// An adapter, if it has room for the largest tensor.
fn adapter(selection: &AdapterSelection, shape: &Shape) -> Result<WgpuDevice, MetalError> {
    let device = WgpuDevice::new(selection)?;
    device.zeros(shape.vocabulary * shape.width, Dtype::F32)?;
    Ok(device)
}

fn host(threads: usize) -> HostDevice {
    HostDevice::with_threads(NonZeroUsize::new(threads).expect("there is a thread"))
}

/// Checks that both compute the same model.
fn agree(one: &mut dyn Subject, other: &mut dyn Subject) {
    for ids in [&[1_u32, 5, 9, 200][..], &[7], &[42]] {
        let (one, other) = (one.feed(ids), other.feed(ids));
        let worst = one.iter().zip(&other).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
        assert!(one.len() == other.len() && worst < 1e-3, "the logits differ by {worst}");
    }
}

/// The middle one.
fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
