//! Artifacts of what closures create, in caches without a kernel.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use metallic::caching::{CacheRegistry, SharedCache, SharedRegistry};
use metallic::creation::{Artifact, ArtifactKey, ArtifactStore, Content, Fingerprint, StoredCreation};
use metallic::error::Error;
use metallic_instrumentation::{EventData, Recorder};
use metallic_store::{DiskOptions, DiskStore, LayeredStore, MemoryStore};

type Pipelines = SharedCache<u32, Vec<u8>>;

fn code(width: u32, part: &str) -> Vec<u8> {
    format!("{part} of {width}").into_bytes()
}

/// A device that compiles, and refuses what it did not compile.
#[derive(Default)]
struct Machine {
    compilations: AtomicU64,
    refusals: AtomicU64,
}

impl Machine {
    fn compile(&self, width: u32, part: &str) -> Result<Vec<u8>, Error> {
        self.compilations.fetch_add(1, Ordering::Relaxed);
        Ok(code(width, part))
    }

    fn compilations(&self) -> u64 {
        self.compilations.load(Ordering::Relaxed)
    }

    /// Makes one part of a pipeline, as an engine's closure would.
    fn make(&self, cx: &StoredCreation<'_>, width: u32, part: &str, build: &str) -> Result<Vec<u8>, Error> {
        let fingerprint =
            Fingerprint::new().with_layer(Fingerprint::BUILD, build).with_layer("driver", "550");
        let key = ArtifactKey::of("pipeline", 1, &(width, part), fingerprint).map_err(Error::kernel)?;
        let mut kept = cx.under(key).with_content(|| Content::new().with("source", code(width, part)));
        let mut artifact = kept.artifact(|| self.compile(width, part))?;
        if self.refusals.load(Ordering::Relaxed) > 0 {
            self.refusals.fetch_sub(1, Ordering::Relaxed);
            kept.reject("the driver says no");
            artifact = kept.artifact(|| self.compile(width, part))?;
        }
        let payload = artifact.payload(Artifact::NATIVE).unwrap_or_default();
        assert_eq!(payload, code(width, part), "nothing else reaches the driver");
        Ok(payload.to_vec())
    }

    fn get(&self, pipelines: &Pipelines, width: u32, build: &str) -> Vec<u8> {
        pipelines.get_or_create_stored(&width, |cx| self.make(cx, width, "vertex", build)).unwrap()
    }
}

fn over(store: Arc<dyn ArtifactStore>) -> (SharedRegistry, Pipelines) {
    let registry = SharedRegistry::new();
    registry.set_store(Some(store));
    let pipelines = registry.cache("pipeline").unwrap();
    (registry, pipelines)
}

fn disk(folder: &Path) -> Arc<dyn ArtifactStore> {
    Arc::new(DiskStore::open(folder, DiskOptions::new()))
}

#[test]
fn a_closure_loads_what_another_registry_compiled_and_a_rebuilt_program_compiles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (build, compilations) in [("monday", 1), ("monday", 0), ("tuesday", 0)] {
        let (_registry, pipelines) = over(disk(folder.path()));
        let machine = Machine::default();
        for _ in 0..2 {
            assert_eq!(machine.get(&pipelines, 64, build), code(64, "vertex"));
        }
        let metrics = pipelines.metrics();
        assert_eq!(machine.compilations(), compilations, "{build}");
        assert_eq!((metrics.hits, metrics.misses, metrics.loads), (1, 1, 1 - compilations), "{build}");
    }
}

#[test]
fn the_events_of_a_closure_are_those_of_a_kernel() {
    let store = Arc::new(MemoryStore::new());
    let told = |refusals| {
        let (registry, pipelines) = over(store.clone());
        let recorder = Arc::new(Recorder::default());
        registry.set_sink(Some(recorder.clone()));
        let machine = Machine { refusals: AtomicU64::new(refusals), ..Machine::default() };
        machine.get(&pipelines, 7, "monday");
        let word = |data: &EventData| match data {
            EventData::ArtifactFound(e) => {
                Some(format!("found {} in {} for {}", e.bytes, e.level, e.cache_key))
            }
            EventData::ArtifactMissed(e) => Some(format!("missed: {}", e.cause)),
            EventData::ArtifactWritten(e) => Some(format!("written {} of {}", e.bytes, e.cache)),
            EventData::ArtifactRejected(e) => Some(format!("rejected: {}", e.cause)),
            EventData::ResourceCreated(e) => Some(format!("created, loaded: {}", e.loaded)),
            _ => None,
        };
        recorder.take().iter().filter_map(|event| word(&event.data)).collect::<Vec<_>>()
    };
    assert_eq!(told(0), ["missed: absent", "written 11 of pipeline", "created, loaded: false"]);
    let found = "found 11 in memory for pipeline:7";
    assert_eq!(told(0), [found, "created, loaded: true"]);
    assert_eq!(told(1), [found, "rejected: driver", "written 11 of pipeline", "created, loaded: false"]);
    assert_eq!(told(0), [found, "created, loaded: true"], "what was refused was stored anew");
}

#[test]
fn every_flipped_byte_of_a_closures_artifact_is_a_miss_and_heals() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let machine = Machine::default();
        assert_eq!(machine.get(&over(disk(folder.path())).1, 7, "monday"), code(7, "vertex"));
        machine.compilations()
    };
    assert_eq!(start(), 1);
    let mut files = Vec::new();
    for shard in fs::read_dir(folder.path().join("entries")).unwrap() {
        files.extend(fs::read_dir(shard.unwrap().path()).unwrap().map(|entry| entry.unwrap().path()));
    }
    assert_eq!(files.len(), 2, "the artifact, and the link to it");
    let mut flips = 0;
    for file in &files {
        for at in 0..fs::read(file).unwrap().len() {
            let mut flipped = fs::read(file).unwrap();
            flipped[at] ^= 0x41;
            fs::write(file, flipped).unwrap();
            // A damaged link is found by its content, and needs no compiler.
            start();
            assert_eq!(start(), 0, "byte {at} of {file:?}");
            flips += 1;
        }
    }
    println!("{flips} flips");
}

#[test]
fn locals_and_private_registries_use_the_store_as_well() {
    let store: Arc<dyn ArtifactStore> = Arc::new(MemoryStore::new());
    let machine = Machine::default();
    let mut private: CacheRegistry = CacheRegistry::new();
    let pipelines: Pipelines = private.shared_cache("pipeline").unwrap();
    private.set_store(Some(store.clone()));
    machine.get(&pipelines, 7, "monday");
    assert_eq!(pipelines.metrics().loads, 0, "the cache is older than the store, and uses it");
    let mut local = over(store).1.local();
    for _ in 0..2 {
        let made = local.get_or_create_stored(&7, |cx| {
            assert!(cx.has_store());
            machine.make(cx, 7, "vertex", "monday")
        });
        assert_eq!(*made.unwrap(), code(7, "vertex"));
    }
    assert_eq!(local.shared().metrics().loads, 1);
    assert_eq!(machine.compilations(), 1);
}

#[test]
fn a_resource_of_several_artifacts_is_a_load_if_all_of_them_are() {
    let store: Arc<dyn ArtifactStore> = Arc::new(MemoryStore::new());
    let loads = |parts: &[&str]| {
        let (_registry, pipelines) = over(store.clone());
        let machine = Machine::default();
        let make = |cx: &StoredCreation<'_>| -> Result<Vec<u8>, Error> {
            parts.iter().try_fold(Vec::new(), |mut all, part| {
                all.extend(machine.make(cx, 7, part, "monday")?);
                Ok(all)
            })
        };
        pipelines.get_or_create_stored(&7, make).unwrap();
        (machine.compilations(), pipelines.metrics().loads)
    };
    assert_eq!(loads(&["vertex"]), (1, 0));
    assert_eq!(loads(&["fragment", "vertex"]), (1, 0));
    assert_eq!(loads(&["vertex", "tile"]), (1, 0));
    assert_eq!(loads(&["vertex", "fragment", "tile"]), (0, 1));
}

#[test]
fn without_a_store_or_with_one_that_only_reads_a_closure_creates_as_any_other() {
    let machine = Machine::default();
    let bare: SharedRegistry = SharedRegistry::new();
    let pipelines: Pipelines = bare.cache("pipeline").unwrap();
    assert_eq!(machine.get(&pipelines, 7, "monday"), code(7, "vertex"));
    let failed = pipelines.get_or_create_stored(&8, |cx| {
        assert!(!cx.has_store());
        Err::<Vec<u8>, _>(Error::ShutDown)
    });
    assert!(matches!(failed, Err(Error::ShutDown)), "the closure's own error");
    let (_registry, read_only) = over(Arc::new(LayeredStore::read_only()));
    assert_eq!(machine.get(&read_only, 7, "monday"), code(7, "vertex"));
    assert_eq!((machine.compilations(), pipelines.metrics().loads), (2, 0));
}

#[test]
fn eight_registries_over_one_folder_compile_each_closures_artifact_once() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::default();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let (_registry, pipelines) = over(disk(folder.path()));
                for width in 0..10 {
                    assert_eq!(machine.get(&pipelines, width, "monday"), code(width, "vertex"));
                }
            });
        }
    });
    assert_eq!(machine.compilations(), 10);
}

#[test]
fn a_creation_does_not_wait_for_the_artifact_that_it_is_about_to_store_itself() {
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    for store in [Arc::new(MemoryStore::new()), disk(folder.path())] {
        let (_registry, pipelines) = over(store);
        let key = || ArtifactKey::of("pipeline", 1, &"shared", Fingerprint::new()).unwrap();
        let content = || Content::new().with("source", b"the same");
        let made = pipelines.get_or_create_stored(&1, |cx| {
            let mut outer = cx.under(key()).with_content(content);
            let artifact = outer.artifact(|| {
                pipelines.get_or_create_stored(&2, |cx| {
                    let artifact = cx
                        .under(key())
                        .with_content(content)
                        .artifact(|| Ok::<_, Error>(code(2, "inner")))?;
                    Ok::<_, Error>(artifact.payload(Artifact::NATIVE).unwrap().to_vec())
                })
            })?;
            Ok::<_, Error>(artifact.payload(Artifact::NATIVE).unwrap().to_vec())
        });
        assert_eq!(made.unwrap(), code(2, "inner"));
        assert_eq!((pipelines.metrics().size, pipelines.metrics().loads), (2, 0));
        // What was claimed is given back: another creation loads, and none waits.
        let next = pipelines.get_or_create_stored(&3, |cx| {
            let artifact = cx.under(key()).artifact(|| Err::<Vec<u8>, _>(Error::ShutDown))?;
            Ok::<_, Error>(artifact.payload(Artifact::NATIVE).unwrap().to_vec())
        });
        assert_eq!((next.unwrap(), pipelines.metrics().loads), (code(2, "inner"), 1));
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
