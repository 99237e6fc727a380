//! Pipelines as artifacts.

use std::sync::Arc;

use metallic::Device;
use metallic::caching::SharedRegistry;
use metallic::creation::{Artifact, ArtifactStore, MemoryStore};
use metallic::kernels::metal_pipeline::{MetalFunction, MetalPipelineKernel, MetalPipelineKey};
use metallic_store::Body;

use crate::gpu::gpu;

const SOURCE: &str = "
    #include <metal_stdlib>
    using namespace metal;
    constant float factor [[function_constant(0)]];
    kernel void scale(device float *data [[buffer(0)]], uint i [[thread_position_in_grid]]) { data[i] *= factor; }
";

fn key() -> MetalPipelineKey {
    MetalPipelineKey::with_constants(MetalFunction::new(SOURCE, "scale"), [(0, 2.0.into())])
}

/// Creates the pipeline in a new registry over the store, and tells how many were loaded.
fn loads(device: &Device, store: &Arc<MemoryStore>) -> u64 {
    let registry = SharedRegistry::with_device(device.clone());
    registry.set_store(Some(store.clone()));
    registry.get_or_create::<MetalPipelineKernel>(&key(), None).unwrap();
    registry.metrics::<MetalPipelineKernel>().unwrap().loads
}

#[test]
fn a_second_registry_over_one_store_compiles_no_pipeline() {
    let Some(gpu) = gpu() else { return };
    let store = Arc::new(MemoryStore::new());
    assert_eq!(loads(&gpu.device, &store), 0);
    assert_eq!(store.stats().written, 1, "the device keeps archives");
    assert_eq!(loads(&gpu.device, &store), 1);
}

#[test]
fn what_metal_refuses_is_compiled_and_stored_anew() {
    let Some(gpu) = gpu() else { return };
    let store = Arc::new(MemoryStore::new());
    loads(&gpu.device, &store);
    let [id] = store.ids(None).unwrap()[..] else { panic!("one artifact") };
    let mut entry = store.read(&id).unwrap();
    entry.body = Body::Artifact(Artifact::native(*b"no archive"));
    store.write(&entry).unwrap();
    assert_eq!(loads(&gpu.device, &store), 0);
    assert_eq!(store.stats().rejected, 1);
    assert_eq!(loads(&gpu.device, &store), 1);
}
