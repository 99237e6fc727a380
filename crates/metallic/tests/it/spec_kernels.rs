//! The kernels of the specification's code examples. Lines that need Metal have their counterpart here: a pipeline is a
//! text, and its compiler is slow enough to be worth a cache.

use metallic::caching::{CacheRegistry, CacheableKernel};
use metallic::device::system_default_device;
use metallic::error::MetalError;
use metallic::{Device, Dtype};

pub(crate) fn this_device() -> Device {
    system_default_device().expect("on Apple's systems these examples need a GPU")
}

// Implementing a cached kernel.

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MyKernelKey {
    pub(crate) size: usize,
    pub(crate) dtype: Dtype,
    pub(crate) transpose: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct MyCachedResource {
    pub(crate) pipeline: String,
    pub(crate) thread_group_size: [usize; 3],
}

pub(crate) struct MyKernel;

fn compile_pipeline(_device: &Device, key: &MyKernelKey) -> Result<String, MetalError> {
    if key.size == 0 {
        return Err(MetalError::invalid_params("the size is zero"));
    }
    let MyKernelKey { size, dtype, transpose } = key;
    Ok(format!("{size}x{size}.{dtype}{}", if *transpose { ".t" } else { "" }))
}

impl CacheableKernel for MyKernel {
    type Key = MyKernelKey;
    type CachedResource = MyCachedResource;
    type Params = (usize, Dtype, bool);

    const CACHE_NAME: &'static str = "my_kernel";

    fn create_cache_key(&(size, dtype, transpose): &Self::Params) -> MyKernelKey {
        MyKernelKey { size, dtype, transpose }
    }

    fn create_cached_resource(
        key: &MyKernelKey,
        device: Option<&Device>,
    ) -> Result<MyCachedResource, MetalError> {
        let device = device.ok_or(MetalError::DeviceNotAvailable)?;
        Ok(MyCachedResource { pipeline: compile_pipeline(device, key)?, thread_group_size: [256, 1, 1] })
    }
}

// Kernels as a library of matrix operations would have them.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MpsGemmKey {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) dtype: Dtype,
    pub(crate) transpose_left: bool,
    pub(crate) transpose_right: bool,
}

pub(crate) struct MpsGemmKernel;

impl CacheableKernel for MpsGemmKernel {
    type Key = MpsGemmKey;
    type CachedResource = usize;
    type Params = (usize, usize, usize, Dtype, bool, bool);

    const CACHE_NAME: &'static str = "mps_gemm";

    fn create_cache_key(&(m, n, k, dtype, transpose_left, transpose_right): &Self::Params) -> MpsGemmKey {
        MpsGemmKey { m, n, k, dtype, transpose_left, transpose_right }
    }

    fn create_cached_resource(key: &MpsGemmKey, device: Option<&Device>) -> Result<usize, MetalError> {
        device.ok_or(MetalError::DeviceNotAvailable)?;
        Ok(key.m * key.n * key.dtype.size_bytes())
    }
}

macro_rules! kernel_of_sizes {
    ($kernel:ident, $name:literal) => {
        pub(crate) struct $kernel;

        impl CacheableKernel for $kernel {
            type Key = usize;
            type CachedResource = Vec<usize>;
            type Params = usize;

            const CACHE_NAME: &'static str = $name;

            fn create_cache_key(size: &usize) -> usize {
                *size
            }

            fn create_cached_resource(
                size: &usize,
                _device: Option<&Device>,
            ) -> Result<Vec<usize>, MetalError> {
                Ok((0..*size).collect())
            }
        }
    };
}

kernel_of_sizes!(SoftmaxMpsKernel, "softmax_mps");
kernel_of_sizes!(SdpaKernel, "sdpa");

pub(crate) fn gemm(registry: &mut CacheRegistry, m: usize) -> Result<(), MetalError> {
    registry.get_or_create::<MpsGemmKernel>(&(m, m, m, Dtype::F16, false, false), None).map(drop)
}
