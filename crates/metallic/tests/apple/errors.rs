//! Failures arrive as typed errors, and nothing is lost.

use std::error::Error;

use metallic::caching::ResourceCache;
use metallic::device::NsError;
use metallic::error::MetalError;
use metallic::kernels::matmul_mps::{MpsGemmKernel, MpsMatrixLayout};
use metallic::kernels::metal_pipeline::{MetalFunction, MetalPipelineKernel, MetalPipelineKey};
use metallic::{Device, Dtype};
use objc2::runtime::ProtocolObject;

use crate::gpu::gpu;

fn compile(device: &Device, source: &'static str, name: &'static str) -> NsError {
    let mut cache = ResourceCache::with_device(device.clone());
    let key = MetalPipelineKey::new(MetalFunction::new(source, name));
    let error = cache.get_or_create_metal_pipeline(&key, None).expect_err("it cannot compile");
    let metrics = cache.registry().metrics::<MetalPipelineKernel>().unwrap();
    assert_eq!((metrics.size, metrics.misses), (0, 1));
    error.source().and_then(|source| source.downcast_ref::<NsError>()).expect("an NSError").clone()
}

#[test]
fn the_compilers_messages_are_the_source_of_the_error() {
    let Some(gpu) = gpu() else { return };
    let error = compile(&gpu.device, "kernel void broken( {}", "broken");
    assert_eq!(error.domain, "MTLLibraryErrorDomain");
    assert_ne!(error.code, 0);
    assert!(error.description.contains("error"), "{error}");
}

#[test]
fn functions_and_constants_that_are_not_there_are_errors() {
    let Some(gpu) = gpu() else { return };
    compile(&gpu.device, "kernel void one() {}", "another");
    let source = "constant int n [[function_constant(0)]];
                  kernel void fill(device int *out [[buffer(0)]]) { out[0] = n; }";
    compile(&gpu.device, source, "fill");
}

#[test]
fn without_a_device_nothing_is_made() {
    let mut cache = ResourceCache::new();
    let error = cache.get_or_create_mps_gemm(1, 1, 1, Dtype::F32, false, false, None).unwrap_err();
    assert!(matches!(error, MetalError::DeviceNotAvailable));
    assert_eq!(cache.registry().metrics::<MpsGemmKernel>().unwrap().size, 0);
}

#[test]
fn matrices_that_do_not_fit_are_refused_before_anything_is_encoded() {
    let Some(gpu) = gpu() else { return };
    let mut cache = ResourceCache::with_device(gpu.device.clone());
    let buffer = gpu.buffer(&[0.0_f32; 16]);
    let descriptor =
        cache.get_or_create_mps_matrix_descriptor(&MpsMatrixLayout::packed(4, 4, Dtype::F32)).unwrap();
    assert!(descriptor.matrix(&buffer, 4).is_err(), "beyond the buffer");
    assert!(descriptor.matrix(&buffer, 2).is_err(), "between elements");
    let matrix = descriptor.matrix(&buffer, 0).unwrap();

    let gemm = cache.get_or_create_mps_gemm(4, 4, 5, Dtype::F32, false, false, None).unwrap();
    gpu.run(|commands| {
        let commands = ProtocolObject::from_ref(commands);
        // SAFETY: nothing is encoded.
        let refused = unsafe { gemm.encode(commands, &matrix, &matrix, &matrix) };
        assert!(matches!(refused, Err(MetalError::InvalidParams { .. })));
    });
}
