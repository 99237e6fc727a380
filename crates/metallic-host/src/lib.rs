//! metallic's kernels on the host's own processor: the device that is always there.
//!
//! [`HostDevice`] is a [`ComputeDevice`](metallic::device::ComputeDevice) that [`Runs`](metallic::kernels::Runs) every operation
//! of [`metallic::kernels`], so a registry over it caches its plans:
//!
//! ```
//! use metallic::caching::ResourceCache;
//! use metallic::device::ComputeDevice;
//! use metallic::kernels::gemm::{GemmCall, GemmParams};
//! use metallic::tensor::{MatrixMut, MatrixRef};
//! use metallic::{Dtype, error::MetalError};
//! use metallic_host::HostDevice;
//!
//! # fn main() -> Result<(), MetalError> {
//! let device = HostDevice::new();
//! let mut cache = ResourceCache::with_device(device.clone());
//!
//! let a = device.upload(&[1.0, 2.0, 3.0], Dtype::F32)?;
//! let b = device.upload(&[4.0, 5.0, 6.0], Dtype::F32)?;
//! let mut c = device.zeros(1, Dtype::F32)?;
//! let (m, n, k) = (1, 1, 3);
//! let params = GemmParams { m, n, k, transpose_a: false, transpose_b: true, bias: false, dtype: Dtype::F32 };
//! let gemm = cache.get_or_create_gemm(&params, None)?; // planned on a miss only
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
//! # What a plan is
//!
//! The way of an operation for its shape and for the number of threads: whether a product goes row by row or in tiles, how large
//! the parts are that the threads take. Plans hold no memory.
//!
//! # How it computes
//!
//! On the caller's thread, and on a pool of the device's own where the work is worth waking it: a call returns when it is done, so
//! [`synchronize`](metallic::device::ComputeDevice::synchronize) has nothing to wait for. Storage is `f32` or `f16`; sums and
//! functions are computed in `f32`, with the vector instructions that the processor has. Large products are the crate `gemm`'s.
//! Scratch memory is kept by each thread from call to call, up to 4 MiB.

#![deny(unsafe_code)]

mod device;
mod element;
mod function;
mod heads;
mod kernels;
mod normalisation;
mod reduction;
mod rows;
mod scratch;
mod tensor;
mod tile;
mod transfer;

pub use device::HostDevice;
pub use tensor::HostTensor;
