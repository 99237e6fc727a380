//! The kernels of [`metallic`] on Vulkan, Metal, Direct3D 12 and OpenGL, through [wgpu](https://docs.rs/wgpu).
//!
//! [`WgpuDevice`] is a [`ComputeDevice`](metallic::device::ComputeDevice) that [`Runs`](metallic::kernels::Runs) every operation
//! of [`metallic::kernels`]. A registry over it caches its plans, and the device caches what plans share:
//!
//! ```text
//! params --the caller's registry--> plan --run--> pipeline, buffers --the device's registry--> bind group
//!                                    |                                                            |
//!                                    +-- a miss: shader --the device's registry--> pipeline        v
//!                                                                          recorded, and submitted on a read
//! ```
//!
//! # Example
//!
//! Products of any size out of one cache, compiled once. It runs on any machine with an adapter; [`AdapterSelection::RealGpu`]
//! takes no software adapter.
//!
//! ```
//! use metallic::caching::{EvictionPolicy, ResourceCache};
//! use metallic::device::ComputeDevice;
//! use metallic::kernels::gemm::{GemmCall, GemmKernel, GemmParams};
//! use metallic::tensor::{MatrixMut, MatrixRef};
//! use metallic::{Dtype, error::MetalError};
//! use metallic_wgpu::{AdapterSelection, WgpuDevice};
//!
//! # fn main() -> Result<(), MetalError> {
//! # if WgpuDevice::adapters().is_empty() { return Ok(()) } // no machine has to have one
//! let device = WgpuDevice::new(&AdapterSelection::Any)?; // without an adapter an error, never a panic
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
//!
//! let (name, pipelines) = &device.descriptor_metrics()[2];
//! assert_eq!((name.as_str(), pipelines.misses), ("wgpu_pipeline", 1));
//! # Ok(())
//! # }
//! ```
//!
//! # Which adapter
//!
//! [`WgpuDevice::adapters`] lists all that can run the kernels, the best first: GPUs through Vulkan, Metal or Direct3D 12, GPUs
//! that only OpenGL reaches, and software adapters in the same order. A selection is the first in the list that fits. OpenGL has
//! no 16-bit floats.
//!
//! # What is cached where
//!
//! | registry | cache | key | resource |
//! |---|---|---|---|
//! | the caller's | the operation's, such as `gemm` | the operation's | a plan: its pipelines, and for attention memory for scores |
//! | the device's | `wgpu_pipeline` | a shader: the values a built-in one is expanded with, or a custom source | a compiled kernel |
//! | the device's | `wgpu_layout` | the number of buffers read and written | layouts |
//! | the device's | `wgpu_bind_group` | a layout and buffers | a bind group |
//!
//! Everything is created in one of these, also at a call: a plan whose operands are not aligned as expected asks the device's
//! registry for another pipeline. [`WgpuDevice::descriptors`] gives access to that registry. Sizes are arguments of a
//! pipeline and no part of its key, so that products of different sizes share one.
//!
//! Software adapters and OpenGL compile at a pipeline's first dispatch. Creation then includes one with nothing to do: the
//! pipeline is ready, and the time of its creation is true. Mesa keeps compiled shaders on disk between runs; to measure
//! compilation, set `MESA_SHADER_CACHE_DISABLE=true`.
//!
//! # Artifacts
//!
//! [`WgpuDevice::set_store`] has compiled pipelines outlive the process, on GPUs reached through Vulkan: each is stored as the
//! driver's own cache of it (`wgpu::PipelineCache`), under the shader's source, the driver and the device. wgpu checks no more of
//! such a cache than its header; the store verifies every byte. Whether a driver takes what it needs from a cache that it accepts,
//! it does not say: such a creation counts as a load.
//!
//! # When work is done
//!
//! Operations are recorded, many to a compute pass, and submitted when a result is read, by
//! [`synchronize`](metallic::device::ComputeDevice::synchronize), or when 256 dispatches wait.
//!
//! # Errors
//!
//! Every error of wgpu or the driver becomes a [`MetalError`](metallic::error::MetalError) with its source: a
//! [`NoAdapter`], a [`DeviceLost`], a `wgpu::Error`, or the error of opening the device or mapping a buffer. An error that is
//! reported outside a call is returned by the next one.
//!
//! wgpu panics in `poll` if a driver loses the device during a wait. That panic is caught and becomes a [`DeviceLost`], after
//! the program's panic hook has seen it; the default hook prints its message. A program built with `panic = "abort"` aborts.
//!
//! # Headless Linux
//!
//! Where `XDG_RUNTIME_DIR` is not set, Mesa's Vulkan layer makes libwayland write a complaint about it to standard error
//! whenever adapters are listed or opened. It is harmless. To avoid it, start the program with that variable or with
//! `NODEVICE_SELECT=1`.
#![deny(unsafe_code)]

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
