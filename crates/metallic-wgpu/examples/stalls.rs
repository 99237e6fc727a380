//! The time that a dispatch of a compiled kernel takes while another thread compiles others, back to back for three seconds,
//! beside what it takes alone and beside a thread that only computes. Give it a part of the adapter's name, or nothing for a
//! software adapter.
//!
//! Dispatches are recorded, and submitted together. A software adapter compiles inside of a submission, and submissions to one
//! queue wait for each other: there a submission waits for a compilation, and a dispatch does not.

use std::error::Error;
use std::fmt::Write;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use metallic::Dtype;
use metallic::device::ComputeDevice;
use metallic::error::MetalError;
use metallic_wgpu::{AdapterSelection, WgpuDevice, WgpuPipeline, WgpuTensor};

const TIME: Duration = Duration::from_secs(3);

/// Dispatches of a submission: fewer than the device submits by itself.
const BATCH: usize = 250;

fn main() -> Result<(), Box<dyn Error>> {
    let selection = std::env::args().nth(1).map_or(AdapterSelection::Software, AdapterSelection::Name);
    let device = WgpuDevice::new(&selection)?;
    println!("{}, {} processors", device.adapter(), thread::available_parallelism()?);
    // What the driver kept on disk would not be compiled.
    let salt = std::process::id() as usize * 1_000_000;
    let steps = steps_of_20_ms(&device, salt)?;
    let kernel = device.compile("ready", &source(0, 0), 0, 1)?;
    let mut output = device.zeros(64, Dtype::F32)?;
    beside(&device, &kernel, &mut output, "warming up", wait_for)?;
    let alone = beside(&device, &kernel, &mut output, "alone", wait_for)?;
    let computing = beside(&device, &kernel, &mut output, "beside a thread that computes", |over| {
        while !over.load(Ordering::Relaxed) {
            black_box((0..1000_u64).map(black_box).sum::<u64>());
        }
        0
    })?;
    let compiling = beside(&device, &kernel, &mut output, "beside a thread that compiles", |over| {
        let mut compiled = 0;
        while !over.load(Ordering::Relaxed) {
            compiled += 1;
            let source = source(salt + 1000 + compiled, steps);
            device.compile("another", &source, 0, 1).expect("the source is valid");
        }
        compiled
    })?;
    println!(
        "median of a dispatch beside compiling: {:.3} of alone, {:.3} of beside computing",
        compiling / alone,
        compiling / computing
    );
    Ok(())
}

/// Dispatches for [`TIME`] while another thread does `other`, prints the times, and returns the median of a dispatch in
/// nanoseconds.
fn beside(
    device: &WgpuDevice,
    kernel: &WgpuPipeline,
    output: &mut WgpuTensor,
    what: &str,
    other: impl FnOnce(&AtomicBool) -> usize + Send,
) -> Result<f64, MetalError> {
    let over = AtomicBool::new(false);
    let (times, compiled) = thread::scope(|scope| {
        let other = scope.spawn(|| other(&over));
        let times = dispatches(device, kernel, output);
        over.store(true, Ordering::Relaxed);
        (times, other.join().expect("it does not panic"))
    });
    let [mut dispatches, mut waits] = times?;
    dispatches.sort_unstable();
    waits.sort_unstable();
    let at = |times: &[Duration], share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{what}: {} dispatches, {compiled} kernels compiled meanwhile", dispatches.len());
    for (what, times) in [("a dispatch", &dispatches), ("its submission", &waits)] {
        let [half, most, nearly, longest] = [0.5, 0.99, 0.999, 1.0].map(|share| at(times, share));
        println!("  {what:>14}: median {half:?}, 99 % {most:?}, 99.9 % {nearly:?}, longest {longest:?}");
    }
    Ok(at(&dispatches, 0.5).as_nanos() as f64)
}

/// The times of dispatches, and of submissions with the wait for them.
fn dispatches(
    device: &WgpuDevice,
    kernel: &WgpuPipeline,
    output: &mut WgpuTensor,
) -> Result<[Vec<Duration>; 2], MetalError> {
    let (start, mut times, mut waits) = (Instant::now(), Vec::with_capacity(4_000_000), Vec::new());
    while start.elapsed() < TIME {
        for _ in 0..BATCH {
            let begin = Instant::now();
            device.dispatch(kernel, &[], &mut [&mut *output], &[0_usize.into()], [1, 1, 1])?;
            times.push(begin.elapsed());
        }
        let begin = Instant::now();
        device.synchronize()?;
        waits.push(begin.elapsed());
    }
    Ok([times, waits])
}

fn wait_for(over: &AtomicBool) -> usize {
    while !over.load(Ordering::Relaxed) {
        thread::park_timeout(Duration::from_millis(10));
    }
    0
}

/// The length of a kernel that takes about 20 ms to compile.
fn steps_of_20_ms(device: &WgpuDevice, salt: usize) -> Result<usize, MetalError> {
    let mut steps = 4;
    loop {
        let begin = Instant::now();
        device.compile("calibrating", &source(salt + steps, steps), 0, 1)?;
        let took = begin.elapsed();
        if took >= Duration::from_millis(20) || steps > 20_000 {
            println!("a kernel of {steps} steps compiles in {took:?}");
            return Ok(steps);
        }
        steps *= 2;
    }
}

/// A kernel of so many steps, which no other number has.
fn source(number: usize, steps: usize) -> String {
    let mut source = String::from(
        "struct Arguments { count: u32 }\n\
         @group(0) @binding(0) var<uniform> arguments: Arguments;\n\
         @group(0) @binding(1) var<storage, read_write> output: array<f32>;\n\
         @compute @workgroup_size(64) fn run(@builtin(global_invocation_id) at: vec3<u32>) {\n\
         if at.x >= arguments.count { return; }\n\
         var x = output[at.x];\n",
    );
    for step in 0..steps {
        let _ = writeln!(source, "x = sin(x * {}.5) + sqrt(abs(x) + {step}.0);", number % 16_000_000);
    }
    source.push_str("output[at.x] = x;\n}\n");
    source
}
