//! Pipelines that outlive the process. A software adapter keeps artifacts only where a test has it do so.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use metallic::Dtype;
use metallic::caching::{CacheMetrics, ResourceCache};
use metallic::device::ComputeDevice;
use metallic::kernels::add::{AddCall, AddParams};
use metallic_store::{ArtifactStore, DiskOptions, DiskStore, MemoryStore};
use metallic_wgpu::{PipelineKernel, WgpuDevice};

use crate::software::{open, open_with};

/// Adds two vectors on a device that was just opened, with a store or without, and returns what was counted of pipelines. A device
/// is all that a process has, so that a second one is as good as a second process. `None` without an adapter that can keep
/// artifacts.
fn add_with(store: Option<Arc<dyn ArtifactStore>>) -> Option<CacheMetrics> {
    let device = open_with(WgpuDevice::with_artifacts_of_software)?;
    if device.adapter().backend != "vulkan" {
        eprintln!("skipped: {} gives no artifacts out", device.adapter());
        return None;
    }
    device.set_store(store);
    add(&device);
    device.descriptors().metrics::<PipelineKernel>()
}

fn add(device: &WgpuDevice) {
    let mut cache = ResourceCache::with_device(device.clone());
    let upload = |value: f32| device.upload(&[value; 64], Dtype::F32).expect("it can be uploaded");
    let (a, b, mut output) = (upload(1.5), upload(2.25), upload(0.0));
    let plan = cache.get_or_create_add(&AddParams { dtype: Dtype::F32 }, None).expect("there is a plan");
    plan.run(device, AddCall { elements: 64, period: 64, a: &a, b: &b, output: &mut output })
        .expect("it runs");
    assert_eq!(device.read(&output, 0..64).expect("it can be read"), [3.75; 64]);
}

fn disk(folder: &Path) -> Option<Arc<dyn ArtifactStore>> {
    Some(Arc::new(DiskStore::open(folder, DiskOptions::new())))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let shards = fs::read_dir(folder.join("entries"))
        .expect("the folder can be read")
        .map(|shard| shard.expect("the folder can be read").path());
    shards
        .flat_map(|shard| {
            fs::read_dir(shard)
                .expect("the folder can be read")
                .map(|entry| entry.expect("the folder can be read").path())
        })
        .collect()
}

#[test]
fn a_second_device_loads_the_pipelines_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let Some(first) = add_with(disk(folder.path())) else { return };
    assert_eq!((first.misses, first.loads), (1, 0));
    assert_eq!(entries(folder.path()).len(), 1);
    let second = add_with(disk(folder.path())).unwrap();
    assert_eq!((second.misses, second.loads), (1, 1));
}

#[test]
fn a_damaged_artifact_of_a_pipeline_is_compiled_anew() {
    let folder = tempfile::tempdir().unwrap();
    if add_with(disk(folder.path())).is_none() {
        return;
    }
    let [file] = &entries(folder.path())[..] else { panic!("one pipeline, one file") };
    let intact = fs::read(file).unwrap();
    // Each device takes a while to open: a few bytes of each part of the file; metallic's own tests flip them all.
    for at in (0..intact.len()).step_by(intact.len() / 7 + 1) {
        let mut damaged = intact.clone();
        damaged[at] ^= 0x10;
        fs::write(file, damaged).unwrap();
        let metrics = add_with(disk(folder.path())).unwrap();
        assert_eq!((metrics.misses, metrics.loads), (1, 0), "byte {at}");
        fs::write(file, &intact).unwrap();
    }
    assert_eq!(add_with(disk(folder.path())).unwrap().loads, 1);
}

#[test]
fn what_wgpu_refuses_is_rejected_and_compiled_anew() {
    let store = Arc::new(MemoryStore::new());
    if add_with(Some(store.clone())).is_none() {
        return;
    }
    let [id] = store.ids(None).unwrap()[..] else { panic!("one pipeline, one entry") };
    let mut entry = store.read(&id).unwrap();
    // An intact entry, whose payload is no driver's cache.
    entry.body = metallic_store::Body::Artifact(metallic_store::Artifact::native(*b"not a cache"));
    store.write(&entry).unwrap();
    let metrics = add_with(Some(store.clone())).unwrap();
    assert_eq!((metrics.misses, metrics.loads, store.stats().rejected), (1, 0, 1));
    assert_eq!(add_with(Some(store.clone())).unwrap().loads, 1, "it was stored anew");
}

#[test]
fn a_software_adapter_claims_no_artifacts_by_itself() {
    let Some(device) = open() else { return };
    if !device.adapter().is_software {
        return;
    }
    assert!(!device.adapter().keeps_artifacts);
    let store = Arc::new(MemoryStore::new());
    device.set_store(Some(store.clone()));
    add(&device);
    assert_eq!((store.stats().misses(), store.stats().written), (0, 0));
}

#[test]
fn the_version_of_wgpu_among_the_layers_is_the_workspaces() {
    let manifest = include_str!("../../../../Cargo.toml");
    let connection = include_str!("../../src/descriptors/connection.rs");
    let version = manifest.split_once("wgpu = { version = \"").unwrap().1.split_once('"').unwrap().0;
    assert!(connection.contains(&format!(", wgpu {version}\");")), "wgpu is at {version}");
}
