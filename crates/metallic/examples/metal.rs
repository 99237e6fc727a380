//! From a kernel of your own to its cached pipeline on Apple's Metal, in four steps; and a cache warmed before its first
//! use. Run it on a Mac with `cargo run --example metal`.

#[cfg(all(target_vendor = "apple", feature = "apple"))]
fn main() -> Result<(), metallic::error::MetalError> {
    steps::run()
}

#[cfg(not(all(target_vendor = "apple", feature = "apple")))]
fn main() {
    println!("This example needs Apple's Metal, so there is nothing to show on this system.");
}

#[cfg(all(target_vendor = "apple", feature = "apple"))]
mod steps {
    use metallic::caching::{CacheRegistry, CacheableKernel, EvictionPolicy, ResourceCache};
    use metallic::device::system_default_device;
    use metallic::error::MetalError;
    use metallic::kernels::matmul_mps::MpsGemmKernel;
    use metallic::kernels::metal_pipeline::{MetalFunction, MetalPipelineKernel, MetalPipelineKey};
    use metallic::{Device, Dtype};
    use objc2::rc::{Retained, autoreleasepool};
    use objc2::runtime::ProtocolObject;
    use objc2_metal::{
        MTLBuffer, MTLCommandBuffer, MTLCommandEncoder, MTLCommandQueue, MTLComputeCommandEncoder,
        MTLComputePipelineState, MTLDevice, MTLResourceOptions, MTLSize,
    };

    // Step 1: what tells one resource from another.

    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct MyKernelKey {
        size: usize,
        dtype: Dtype,
        transpose: bool,
    }

    // Step 2: what is worth keeping.

    #[derive(Clone)]
    struct MyCachedResource {
        pipeline: Retained<ProtocolObject<dyn MTLComputePipelineState>>,
        thread_group_size: MTLSize,
    }

    // Step 3: how the one is made from the other.

    struct MyKernel;

    impl CacheableKernel for MyKernel {
        type Key = MyKernelKey;
        type CachedResource = MyCachedResource;
        type Params = (usize, Dtype, bool);

        const CACHE_NAME: &'static str = "my_kernel";

        fn create_cache_key(params: &Self::Params) -> Self::Key {
            MyKernelKey { size: params.0, dtype: params.1, transpose: params.2 }
        }

        fn create_cached_resource(
            key: &Self::Key,
            device: Option<&Retained<ProtocolObject<dyn MTLDevice>>>,
        ) -> Result<Self::CachedResource, MetalError> {
            let device = device.ok_or(MetalError::DeviceNotAvailable)?;

            let pipeline = compile_pipeline(device, key)?;

            Ok(MyCachedResource { pipeline, thread_group_size: MTLSize { width: 256, height: 1, depth: 1 } })
        }
    }

    /// Writes 0 to size - 1, or the same backwards.
    const SOURCE: &str = "
        #include <metal_stdlib>
        using namespace metal;
        constant uint size [[function_constant(0)]];
        constant bool backwards [[function_constant(1)]];
        template <typename T>
        [[kernel]] void count(device T *out [[buffer(0)]], uint i [[thread_position_in_grid]]) {
            if (i < size) { out[i] = T(backwards ? size - 1 - i : i); }
        }
        template [[host_name(\"count_f16\")]] [[kernel]] void count<half>(device half *, uint);
        template [[host_name(\"count_f32\")]] [[kernel]] void count<float>(device float *, uint);
    ";

    fn compile_pipeline(
        device: &Device,
        key: &MyKernelKey,
    ) -> Result<Retained<ProtocolObject<dyn MTLComputePipelineState>>, MetalError> {
        let size =
            u32::try_from(key.size).map_err(|_| MetalError::invalid_params("more than 2^32 elements"))?;
        let function = MetalFunction::new(SOURCE, format!("count_{}", key.dtype));
        let constants = [(0, size.into()), (1, key.transpose.into())];
        let key = MetalPipelineKey::with_constants(function, constants);
        Ok(MetalPipelineKernel::create_cached_resource(&key, Some(device))?.pipeline)
    }

    // Step 4: use it, through the registry or through a facade.

    pub(super) fn run() -> Result<(), MetalError> {
        let device = system_default_device()?;
        println!("on {}", device.name());
        let queue = device.newCommandQueue().ok_or(MetalError::DeviceNotAvailable)?;
        let buffer = device
            .newBufferWithLength_options(
                1024 * Dtype::F16.size_bytes(),
                MTLResourceOptions::StorageModeShared,
            )
            .ok_or_else(|| MetalError::device("buffer allocation", "out of memory"))?;

        let mut registry = CacheRegistry::with_device(device);

        registry.set_eviction_policy::<MyKernel>(EvictionPolicy::size_limited_lru(1000));

        let resource = registry.get_or_create::<MyKernel>(
            &(1024, Dtype::F16, false),
            None, // the registry's device
        )?;

        autoreleasepool(|_| {
            let commands = queue.commandBuffer().ok_or(MetalError::DeviceNotAvailable)?;
            let encoder = &*commands.computeCommandEncoder().ok_or(MetalError::DeviceNotAvailable)?;

            encode_kernel(encoder, &resource.pipeline);

            // SAFETY: the function takes one buffer of 1024 elements of this size, and nothing else touches it until the
            // commands have completed.
            unsafe { encoder.setBuffer_offset_atIndex(Some(&buffer), 0, 0) };
            let groups = MTLSize { width: 1024 / resource.thread_group_size.width, height: 1, depth: 1 };
            encoder.dispatchThreadgroups_threadsPerThreadgroup(groups, resource.thread_group_size);
            encoder.endEncoding();
            commands.commit();
            commands.waitUntilCompleted();
            match commands.error() {
                Some(error) => Err(MetalError::ns_error("counting", &error)),
                None => Ok(()),
            }
        })?;
        println!(
            "counted to {} in a buffer of {} bytes",
            resource.thread_group_size.width * 4 - 1,
            buffer.length()
        );

        let mut cache = ResourceCache::from(registry);
        let resource = cache.get_or_create_my_kernel(1024, Dtype::F16, false, None)?;
        println!("the facade found the same pipeline: {:?}", resource.pipeline);

        let device = system_default_device()?;
        warm_cache(cache.registry_mut(), &device)?;
        for (name, metrics) in cache.registry().metrics_by_name() {
            println!("{name}: {} entries, {} hits, {} misses", metrics.size, metrics.hits, metrics.misses);
        }
        Ok(())
    }

    fn encode_kernel(
        encoder: &ProtocolObject<dyn MTLComputeCommandEncoder>,
        pipeline: &ProtocolObject<dyn MTLComputePipelineState>,
    ) {
        encoder.setComputePipelineState(pipeline);
    }

    /// The facade's method. It is a trait's because this is another crate than `ResourceCache`'s.
    trait MyKernelCache {
        fn get_or_create_my_kernel(
            &mut self,
            size: usize,
            dtype: Dtype,
            transpose: bool,
            device: Option<&Retained<ProtocolObject<dyn MTLDevice>>>,
        ) -> Result<&mut MyCachedResource, MetalError>;
    }

    impl MyKernelCache for ResourceCache {
        fn get_or_create_my_kernel(
            &mut self,
            size: usize,
            dtype: Dtype,
            transpose: bool,
            device: Option<&Retained<ProtocolObject<dyn MTLDevice>>>,
        ) -> Result<&mut MyCachedResource, MetalError> {
            self.registry_mut().get_or_create::<MyKernel>(&(size, dtype, transpose), device)
        }
    }

    // Before the first use: make what will surely be asked for.

    fn warm_cache(registry: &mut CacheRegistry, device: &Device) -> Result<(), MetalError> {
        let sizes = [256, 512, 1024, 2048, 4096];
        let dtypes = [Dtype::F16, Dtype::F32];

        for &size in &sizes {
            for &dtype in &dtypes {
                registry
                    .get_or_create::<MpsGemmKernel>(&(size, size, size, dtype, false, false), Some(device))?;
            }
        }

        Ok(())
    }
}
