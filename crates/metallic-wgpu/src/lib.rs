//! metallic's kernels on Vulkan, Metal, Direct3D 12 and OpenGL, through [wgpu](https://docs.rs/wgpu).
//!
//! [`WgpuDevice`] is a [`ComputeDevice`](metallic::device::ComputeDevice) that [`Runs`](metallic::kernels::Runs) every operation
//! of [`metallic::kernels`], so a registry over it caches its pipelines:
//!
//! ```no_run
//! use metallic::caching::{EvictionPolicy, ResourceCache};
//! use metallic::device::ComputeDevice;
//! use metallic::kernels::gemm::{GemmCall, GemmKernel, GemmParams};
//! use metallic::tensor::{MatrixMut, MatrixRef};
//! use metallic::{Dtype, error::MetalError};
//! use metallic_wgpu::{AdapterSelection, WgpuDevice};
//!
//! # fn main() -> Result<(), MetalError> {
//! let device = WgpuDevice::new(&AdapterSelection::RealGpu)?; // an error where there is none, and never a panic
//! let mut cache = ResourceCache::with_device(device.clone());
//! cache.registry_mut().set_eviction_policy::<GemmKernel>(EvictionPolicy::size_limited_lru(64));
//!
//! let a = device.upload(&[1.0, 2.0, 3.0], Dtype::F32)?;
//! let b = device.upload(&[4.0, 5.0, 6.0], Dtype::F32)?;
//! let mut c = device.zeros(1, Dtype::F32)?;
//! let (m, n, k) = (1, 1, 3);
//! let params = GemmParams { m, n, k, transpose_a: false, transpose_b: true, bias: false, dtype: Dtype::F32 };
//! let gemm = cache.get_or_create_gemm(&params, None)?; // compiled on a miss only
//! gemm.run(&device, GemmCall {
//!     batch: 1,
//!     m,
//!     alpha: 1.0,
//!     beta: 0.0,
//!     a: MatrixRef::dense(&a, m, k),
//!     b: MatrixRef::dense(&b, n, k),
//!     bias: None,
//!     c: MatrixMut::dense(&mut c, m, n),
//! })?;
//! assert_eq!(device.read(&c, 0..1)?, [32.0]);
//! # Ok(())
//! # }
//! ```
//!
//! # What is cached where
//!
//! The caller's registry keeps *plans*: which pipelines a call dispatches, and the scratch memory it needs. What plans share
//! is in a registry of the device's own, [`WgpuDevice::with_descriptors`]: pipelines by their source (`wgpu_pipeline`), layouts
//! by their shape (`wgpu_layout`), bind groups by their buffers (`wgpu_bind_group`). Sizes are arguments of a pipeline and no
//! part of it, so that products of different sizes share one.
//!
//! A software adapter, and one of OpenGL, compiles at a pipeline's first dispatch. There creation includes one, of nothing:
//! the pipeline is ready when it is had, and the time of its creation is true. Mesa keeps compiled shaders on disk between
//! runs; to measure compilation, set `MESA_SHADER_CACHE_DISABLE=true`.
//!
//! # When work is done
//!
//! Operations are recorded, many to a compute pass, and handed to the device when a result is read, by
//! [`synchronize`](metallic::device::ComputeDevice::synchronize), or when 256 are waiting.
//!
//! # Errors
//!
//! Whatever wgpu or the driver reports becomes a [`MetalError`](metallic::error::MetalError) with its source: a
//! [`NoAdapter`], a [`DeviceLost`], a `wgpu::Error`, or what opening the device or mapping a buffer gave. What is reported
//! outside a call is returned by the next one.
//!
//! wgpu itself panics, in `poll`, when a driver loses the device while it is waited for. That panic is caught and becomes a
//! [`DeviceLost`]; the program's panic hook has seen it by then, and the usual one has printed its message. In a program built
//! with `panic = "abort"` it cannot be caught.

mod adapter;
mod arguments;
mod descriptors;
mod device;
mod dispatch;
mod fault;
mod kernels;
mod limits;
mod shader;
mod stream;
mod tensor;
mod transfer;

pub use adapter::{AdapterDescription, AdapterSelection, NoAdapter};
pub use arguments::Argument;
pub use descriptors::{
    BindGroupKernel, BindGroupKey, Connection, LayoutKernel, LayoutKey, Layouts, PipelineKernel, PipelineKey,
    WgpuPipeline,
};
pub use device::{Tuning, WgpuDevice};
pub use fault::DeviceLost;
pub use kernels::{AttentionPlan, GemmPlan};
pub use limits::DEFAULT_BIND_GROUPS;
pub use tensor::WgpuTensor;
