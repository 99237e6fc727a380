//! Measures what the store adds: to reading files, to a start, and to many processes that start cold together.
//!
//! `cargo run --release -p metallic-store --features disk --example measure`

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use metallic_store::{
    Artifact, ArtifactKey, ArtifactStore, DiskOptions, DiskStore, Fingerprint, Obtain, Secret,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn key(number: u64) -> ArtifactKey {
    let fingerprint = Fingerprint::new()
        .with_layer("compiler", "NVRTC 12.4 -O3 --use_fast_math")
        .with_layer("driver", "550.54.15")
        .with_layer("device", "NVIDIA H100 80GB HBM3");
    ArtifactKey::new("measure", 1, number.to_le_bytes(), fingerprint).expect("it is short")
}

fn artifact(number: u64, bytes: usize) -> Artifact {
    let mut state = number | 1;
    let random = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    });
    Artifact::native(random.take(bytes).collect::<Vec<_>>()).with_cost(Duration::from_millis(27))
}

/// The median and the 99th percentile.
fn of_all(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

fn loads(folder: &Path, name: &str, options: DiskOptions, bytes: usize) -> Outcome {
    const COUNT: u64 = 1000;
    let folder = folder.join(name);
    let store = DiskStore::open(&folder, options.clone());
    let start = Instant::now();
    for number in 0..COUNT {
        store.save(&key(number), &artifact(number, bytes))?;
    }
    let written = start.elapsed();

    let paths: Vec<PathBuf> = (0..COUNT)
        .map(|number| {
            let name = key(number).id().to_string();
            folder.join("entries").join(&name[..2]).join(name)
        })
        .collect();
    // In turn, so that what the machine does meanwhile falls on both.
    let (mut reads, mut loads) = (Vec::new(), Vec::new());
    let store = DiskStore::open(&folder, options.clone());
    for (number, path) in (0..COUNT).zip(&paths) {
        let key = key(number);
        let start = Instant::now();
        std::hint::black_box(std::fs::read(path)?);
        reads.push(start.elapsed());
        let start = Instant::now();
        std::hint::black_box(store.load(&key)?);
        loads.push(start.elapsed());
    }
    let start = Instant::now();
    let store = DiskStore::open(&folder, options);
    for number in 0..COUNT {
        store.load(&key(number))?;
    }
    let all = start.elapsed();
    let ((read, _), (load, slow)) = (of_all(reads), of_all(loads));
    println!(
        "| {name} | {read:.1?} | {load:.1?} | {:.1?} | {slow:.1?} | {all:.1?} | {:.1?} |",
        load.saturating_sub(read),
        written / COUNT as u32,
    );
    Ok(())
}

const KEYS: u64 = 40;
/// The cost of a creation here: time in which the processor is free, as that of a driver's compiler threads or another machine.
const CREATION: Duration = Duration::from_millis(27);

/// Obtains all keys, and prints how many were created.
fn obtain_all(folder: &Path) -> Outcome {
    let store = DiskStore::open(folder, DiskOptions::new());
    let mut created = 0;
    for number in 0..KEYS {
        let key = key(number);
        Obtain::new(&store, &key).or_create(|| {
            created += 1;
            std::thread::sleep(CREATION);
            Ok::<_, std::convert::Infallible>(artifact(number, 65_536))
        })?;
    }
    println!("{created}");
    Ok(())
}

fn processes(folder: &Path, count: u32) -> Result<Duration, Box<dyn std::error::Error>> {
    let folder = folder.join(format!("cold-{count}"));
    let start = Instant::now();
    let children = (0..count).map(|_| {
        Command::new(std::env::current_exe()?).arg("obtain").arg(&folder).stdout(Stdio::piped()).spawn()
    });
    let mut created = 0;
    for child in children.collect::<Result<Vec<_>, _>>()? {
        created += String::from_utf8(child.wait_with_output()?.stdout)?.trim().parse::<u64>()?;
    }
    let took = start.elapsed();
    println!("| {count} | {created} | {took:.0?} |");
    Ok(took)
}

fn main() -> Outcome {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|command| command == "obtain") {
        return obtain_all(Path::new(&arguments.next().ok_or("a folder")?));
    }
    let folder = std::env::temp_dir().join(format!("metallic-store-measure-{}", std::process::id()));
    let secret = Secret::new(b"sixteen bytes at least")?;
    println!("| 1000 artifacts of | file read | verified load | beyond reading | 99 % | all loads | save |");
    println!("|---|---|---|---|---|---|---|");
    loads(&folder, "4 kB", DiskOptions::new(), 4096)?;
    loads(&folder, "64 kB", DiskOptions::new(), 65_536)?;
    loads(&folder, "64 kB, secret", DiskOptions::new().with_secret(secret), 65_536)?;
    loads(&folder, "64 kB, durable", DiskOptions::new().durable(), 65_536)?;
    println!("\n| cold processes, {KEYS} keys of {CREATION:?} | created | wall time |\n|---|---|---|");
    let alone = processes(&folder, 1)?;
    let together = processes(&folder, 8)?;
    println!("\neight take {:.2} times one's time", together.as_secs_f64() / alone.as_secs_f64());
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
