//! What the caches cost a transformer, and how fast it is beside candle, on the same threads in the same run.
//!
//! `cargo run --release -p transformer-bench [-- [--small] [--rounds N]]`; `RAYON_NUM_THREADS` sets the threads of all.

mod candle_gpt2;
mod null_device;
mod subject;
mod weights;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use candle_gpt2::CandleGpt2;
use metallic::Dtype;
use metallic::device::{ComputeDevice, HostDevice};
use metallic::error::MetalError;
use metallic_cli::model::{Gpt2, Shape, builtin};
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
    println!("prompt of {PROMPT} tokens, then {TOKENS} more, one by one; medians of {rounds} rounds\n");

    let weights: HashMap<_, _> = weights::by_name(&model);
    let mut candle = CandleGpt2::new(weights::sizes(&model), |name| weights[name].data().to_vec())
        .expect("the model suits candle");
    let mut null = Cached::new(&model, NullDevice);
    agree(&mut candle, &mut Cached::new(&model, host(threads)));

    let mut subjects: Vec<(&str, Box<dyn Subject + '_>)> = vec![
        ("candle-core", Box::new(candle)),
        ("metallic, host", Box::new(Cached::new(&model, host(threads)))),
    ];
    match software(shape) {
        Ok(device) => subjects.push(("metallic, lavapipe", Box::new(Cached::new(&model, device)))),
        Err(error) => println!("not on a software adapter: {error}\n"),
    }
    let cold: Vec<Pass> = subjects.iter_mut().map(|(_, subject)| Pass::of(&mut **subject, TOKENS)).collect();
    let mut passes: Vec<Vec<Pass>> = subjects.iter().map(|_| Vec::new()).collect();
    let misses: Vec<u64> = subjects.iter().map(|(_, subject)| subject.look_ups().1).collect();
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
            subject.look_ups().1 - misses[index],
        );
    }
    println!(
        "\nfirst pass, warm: from the prompt to its logits; ratio: tokens/s to candle's in the same round;"
    );
    println!("misses: after the first pass\n");

    around(&mut null, &passes, &subjects);
}

/// What a token costs around the operations: on a device where operations take no time.
fn around(null: &mut dyn Subject, passes: &[Vec<Pass>], subjects: &[(&str, Box<dyn Subject + '_>)]) {
    Pass::of(null, TOKENS);
    let before = null.look_ups();
    let step = median((0..101).map(|_| Pass::of(null, TOKENS).token.as_secs_f64()));
    let look_ups = (null.look_ups().0 - before.0) as f64 / (101 * (TOKENS + 1)) as f64;
    println!(
        "around the operations of one token: {:.1} us with {look_ups:.0} look-ups, checks of shapes and the model's own work",
        step * 1e6
    );
    for (index, (name, subject)) in subjects.iter().enumerate() {
        if subject.look_ups().0 > 0 {
            let token = median(passes[index].iter().map(|pass| pass.token.as_secs_f64()));
            println!("  {name}: {:.3} % of a token", 100.0 * step / token);
        }
    }
    println!();
}

/// A software adapter, if it has room for the largest tensor.
fn software(shape: &Shape) -> Result<WgpuDevice, MetalError> {
    let device = WgpuDevice::new(&AdapterSelection::Software)?;
    device.zeros(shape.vocabulary * shape.width, Dtype::F32)?;
    Ok(device)
}

fn host(threads: usize) -> HostDevice {
    HostDevice::with_threads(NonZeroUsize::new(threads).expect("there is a thread"))
}

/// That both compute the same model.
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
