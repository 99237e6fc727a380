//! OpenCL programs that are compiled once, for all processes: run it twice.
//!
//! `metallic-opencl STORE [BUILD]` makes three programs out of the store in that folder, runs each and checks its results.
//! `metallic-opencl --unverified FILE` hands a binary to the driver as it is, which no program should do.

mod device;
mod product;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metallic::caching::SharedRegistry;
use metallic::error::Error;
use metallic_store::{DiskOptions, DiskStore};

use device::OpenClDevice;
use product::{Product, TILE};

const INNER: [usize; 3] = [32, 64, 128];

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--unverified", file] => hand_over(Path::new(file)),
        [store] => run(store.into(), env!("CARGO_PKG_VERSION")),
        [store, build] => run(store.into(), build),
        _ => Err(Error::kernel("usage: metallic-opencl STORE [BUILD] | --unverified FILE")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("metallic-opencl: {}", error.root());
            ExitCode::FAILURE
        }
    }
}

fn run(folder: PathBuf, build: &str) -> Result<(), Error> {
    let registry = SharedRegistry::with_device(OpenClDevice::open(build)?);
    registry.set_store(Some(Arc::new(DiskStore::open(folder, DiskOptions::new()))));
    let device = registry.device().ok_or_else(|| Error::kernel("the registry has no device"))?;
    let mut creations = Duration::ZERO;
    for inner in INNER {
        let start = Instant::now();
        let program = registry.get_or_create::<Product>(&inner, None)?;
        creations += start.elapsed();
        check(&device, &program, inner)?;
    }
    let loads = registry.metrics::<Product>().map_or(0, |metrics| metrics.loads);
    let (programs, compilations) = (INNER.len(), device.compilations());
    println!(
        "programs={programs} compilations={compilations} loads={loads} creation_us={}",
        creations.as_micros()
    );
    Ok(())
}

/// Multiplies small whole numbers, whose products are exact in any order.
fn check(device: &OpenClDevice, program: &opencl3::program::Program, inner: usize) -> Result<(), Error> {
    let size = 2 * TILE;
    let a: Vec<f32> = (0..size * inner).map(|at| (at % 7) as f32).collect();
    let b: Vec<f32> = (0..inner * size).map(|at| (at % 5) as f32 - 2.0).collect();
    let product = device.multiply(program, [&a, &b], inner, TILE)?;
    for (at, found) in product.into_iter().enumerate() {
        let (row, column) = (at / size, at % size);
        let expected: f32 = (0..inner).map(|i| a[row * inner + i] * b[i * size + column]).sum();
        if found != expected {
            return Err(Error::kernel(format!("[{row}, {column}] is {found}, not {expected}")));
        }
    }
    Ok(())
}

fn hand_over(file: &Path) -> Result<(), Error> {
    let bytes = std::fs::read(file).map_err(Error::kernel)?;
    let device = OpenClDevice::open("")?;
    // SAFETY: none. This is what a program does that trusts its files, and what happens then is what this shows.
    let program = unsafe { device.load(&bytes)? };
    check(&device, &program, INNER[0])
}
