//! Pipelines from source.

use metallic::caching::{ResourceCache, SharedRegistry};
use metallic::kernels::metal_pipeline::{
    FunctionConstant, MetalFunction, MetalPipelineKernel, MetalPipelineKey,
};
use objc2_metal::{MTLCommandBuffer, MTLCommandEncoder, MTLComputeCommandEncoder, MTLSize};

use crate::gpu::{gpu, read};
use crate::reference::{assert_close, numbers, wide};

const SOURCE: &str = "
    #include <metal_stdlib>
    using namespace metal;
    constant float factor [[function_constant(0)]];
    constant int shift [[function_constant(1)]];
    constant uint count [[function_constant(2)]];
    constant bool negate [[function_constant(3)]];
    kernel void scale(device float *data [[buffer(0)]], uint i [[thread_position_in_grid]]) {
        if (i < count) {
            float scaled = data[i] * factor + float(shift);
            data[i] = negate ? -scaled : scaled;
        }
    }
";

#[test]
fn function_constants_of_every_type_reach_the_pipeline() {
    let Some(gpu) = gpu() else { return };
    let mut cache = ResourceCache::with_device(gpu.device.clone());
    let function = MetalFunction::new(SOURCE, "scale");
    for (factor, shift, negate) in [(2.0_f32, -3_i32, false), (0.25, 7, true)] {
        let numbers: Vec<f32> = numbers(1000, 1);
        let count = 900_u32;
        let constants: [(u16, FunctionConstant); 4] =
            [(0, factor.into()), (1, shift.into()), (2, count.into()), (3, negate.into())];
        let key = MetalPipelineKey::with_constants(function.clone(), constants);
        let resource = cache.get_or_create_metal_pipeline(&key, None).unwrap();
        let buffer = gpu.buffer(&numbers);
        gpu.run(|commands| {
            let encoder = commands.computeCommandEncoder().unwrap();
            encoder.setComputePipelineState(&resource.pipeline);
            // SAFETY: the function takes one buffer, which is longer than it writes, and the test waits.
            unsafe { encoder.setBuffer_offset_atIndex(Some(&buffer), 0, 0) };
            let width = resource.thread_group_size.width;
            let groups = MTLSize { width: numbers.len().div_ceil(width), height: 1, depth: 1 };
            encoder.dispatchThreadgroups_threadsPerThreadgroup(groups, resource.thread_group_size);
            encoder.endEncoding();
        });
        let scale = |x: f64| (x * f64::from(factor) + f64::from(shift)) * if negate { -1.0 } else { 1.0 };
        let mut expected = wide(&numbers);
        expected.iter_mut().take(900).for_each(|x| *x = scale(*x));
        assert_close("scale", &read::<f32>(&buffer), &expected, 1e-5);
    }
    assert_eq!(cache.registry().metrics::<MetalPipelineKernel>().unwrap().size, 2);
}

#[test]
fn pipelines_are_compiled_once_for_all_threads() {
    let Some(gpu) = gpu() else { return };
    let registry = SharedRegistry::with_device(gpu.device);
    let key = MetalPipelineKey::new(MetalFunction::new("kernel void nothing() {}", "nothing"));
    registry.get_or_create::<MetalPipelineKernel>(&key, None).unwrap();
    std::thread::scope(|scope| {
        scope
            .spawn(|| registry.get_or_create::<MetalPipelineKernel>(&key, None).map(drop))
            .join()
            .unwrap()
            .unwrap();
    });
    assert_eq!(registry.metrics::<MetalPipelineKernel>().map(|metrics| metrics.hits), Some(1));
}
