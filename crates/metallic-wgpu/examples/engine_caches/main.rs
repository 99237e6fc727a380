//! An engine's cache layer in two forms, by hand and by metallic, on a software adapter unless a part of another's name is given:
//! lines of code, creations by four threads that start cold, and the caches' part of a dispatch.

mod by_hand;
mod engine;
mod metallic;

use std::error::Error;
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use metallic_wgpu::{AdapterSelection, WgpuDevice};

use self::by_hand::ByHand;
use self::engine::{Binding, BufferKey, Created, EngineCaches, EngineError, Gpu, Op};
use self::metallic::ByMetallic;

const MODELS: u64 = 5;
const THREADS: usize = 4;
const STEPS: usize = 200;
const ROUNDS: usize = 15;

fn main() -> Result<(), Box<dyn Error>> {
    let selection = std::env::args().nth(1).map_or(AdapterSelection::Software, AdapterSelection::Name);
    let device = WgpuDevice::new(&selection)?;
    println!("{}, {} processors", device.adapter(), thread::available_parallelism()?);
    let gpu = Gpu { device: device.device().clone(), queue: device.queue().clone() };
    let ops = ops();

    println!("{MODELS} models with {} operations each, by {THREADS} threads that start cold:", ops.len());
    let expected = cold::<ByHand>(&gpu, &ops)?;
    assert_eq!(cold::<ByMetallic>(&gpu, &ops)?, expected, "both forms compute the same");
    let (by_hand, by_metallic) = (ByHand::new("decoder")?, ByMetallic::new("decoder")?);

    // In turns, so that what else the machine does meets both.
    let (mut hand, mut ours) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        hand = hand.min(warm(&gpu, &mut by_hand.for_thread(), &ops)?);
        ours = ours.min(warm(&gpu, &mut by_metallic.for_thread(), &ops)?);
    }
    println!("the caches' part of a dispatch, one thread, the least of {ROUNDS} rounds:");
    print_times(hand, ours);
    let (mut hand, mut ours) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        hand = hand.min(together(&gpu, &by_hand, &ops)?);
        ours = ours.min(together(&gpu, &by_metallic, &ops)?);
    }
    println!("the same, {THREADS} threads at once:");
    print_times(hand, ours);
    Ok(())
}

/// Operations of three sources with eight variants each. A key has ten strings.
fn ops() -> Vec<Op> {
    let op = |number: usize| {
        let define = |name: &str, value: usize| (name.to_owned(), format!("{value}.5"));
        Op {
            source_name: ["rms_norm", "rotary_embedding", "silu_and_multiply"][number % 3].to_owned(),
            entry: "main_kernel".to_owned(),
            defines: vec![
                define("SCALE", number / 3),
                define("BIAS", number % 5),
                define("PHASE", number % 7),
                define("POWER", number),
            ],
            bindings: vec![Binding::Uniform, Binding::Output],
            elements: 64 << (number % 4),
        }
    };
    (0..24).map(op).collect()
}

/// The look-ups of one dispatch.
fn ask<C: EngineCaches>(
    gpu: &Gpu,
    caches: &mut C,
    op: &Op,
) -> Result<(engine::Pipeline, [C::Buffer; 2]), EngineError> {
    let pipeline = caches.pipeline(gpu, op)?;
    let arguments = caches.buffer(gpu, BufferKey { bytes: 256, binding: Binding::Uniform });
    let output = caches.buffer(gpu, BufferKey { bytes: 4 * op.elements, binding: Binding::Output });
    Ok((pipeline, [arguments, output]))
}

/// Runs all operations of each model on all threads at once, prints what was created, and returns the results of the last thread.
fn cold<C: EngineCaches>(gpu: &Gpu, ops: &[Op]) -> Result<Vec<Vec<f32>>, EngineError> {
    let (mut created, mut results) = (Created::default(), Vec::new());
    for model in 0..MODELS {
        let caches = C::new(&format!("model {model}"))?;
        let begin = Barrier::new(THREADS);
        let run = |mut caches: C| {
            begin.wait();
            // As engines do before they serve.
            ops.iter().try_for_each(|op| caches.pipeline(gpu, op).map(drop))?;
            let run = |op: &Op| {
                let (pipeline, [arguments, output]) = ask(gpu, &mut caches, op)?;
                gpu.run(&pipeline, &arguments, &output, op.elements)
            };
            ops.iter().map(run).collect::<Result<Vec<_>, EngineError>>()
        };
        results = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    let (own, run) = (caches.for_thread(), &run);
                    scope.spawn(move || run(own))
                })
                .collect();
            let results = threads.into_iter().map(|thread| thread.join().expect("it does not panic"));
            results.last().expect("there are threads")
        })?;
        let Created { pipelines, layouts, buffers } = caches.created();
        created.pipelines += pipelines;
        created.layouts += layouts;
        created.buffers += buffers;
    }
    let Created { pipelines, layouts, buffers } = created;
    let (form, lines) = (C::FORM, lines(C::SOURCE));
    println!(
        "  {form:>8}: {lines} lines; created {pipelines} pipelines where {} are enough, {layouts} layouts, {buffers} buffers",
        MODELS * ops.len() as u64
    );
    Ok(results)
}

/// The time for each dispatch of [`STEPS`] steps.
fn warm<C: EngineCaches>(gpu: &Gpu, caches: &mut C, ops: &[Op]) -> Result<Duration, EngineError> {
    let step = |caches: &mut C| -> Result<(), EngineError> {
        ops.iter().try_for_each(|op| ask(gpu, caches, op).map(|asked| drop(black_box(asked))))?;
        caches.end_step();
        Ok(())
    };
    // What this thread has not used yet.
    step(caches)?;
    let begin = Instant::now();
    (0..STEPS).try_for_each(|_| step(caches))?;
    Ok(begin.elapsed() / (STEPS * ops.len()) as u32)
}

/// [`warm`] on all threads at once: the mean of theirs.
fn together<C: EngineCaches>(gpu: &Gpu, caches: &C, ops: &[Op]) -> Result<Duration, EngineError> {
    let begin = Barrier::new(THREADS);
    let times = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let (mut own, begin) = (caches.for_thread(), &begin);
                scope.spawn(move || {
                    begin.wait();
                    warm(gpu, &mut own, ops)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("it does not panic"))
            .collect::<Result<Vec<_>, _>>()
    })?;
    Ok(times.iter().sum::<Duration>() / THREADS as u32)
}

fn print_times(hand: Duration, ours: Duration) {
    let ratio = ours.as_secs_f64() / hand.as_secs_f64();
    println!("  {:>8}: {hand:?}\n  {:>8}: {ours:?}, {ratio:.2} of it", ByHand::FORM, ByMetallic::FORM);
}

/// Lines that are neither empty nor a comment.
fn lines(source: &str) -> usize {
    source.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}
