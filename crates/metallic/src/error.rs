//! The one error type.

use std::borrow::Cow;
use std::error::Error;

use crate::slots::TensorId;

/// Why a resource could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetalError {
    /// The kernel needs a device, and neither the caller nor the registry has one.
    #[error("no device is available")]
    DeviceNotAvailable,
    /// Two kernel types have the same `CACHE_NAME`, so that their events and metrics could not be told apart.
    #[error("the cache name `{name}` belongs to {first} and cannot be used by {second}")]
    DuplicateCacheName {
        /// The name they share.
        name: &'static str,
        /// The kernel type that had it first.
        first: &'static str,
        /// The kernel type that was refused.
        second: &'static str,
    },
    /// The parameters describe nothing that the kernel can make.
    #[error("invalid parameters: {reason}")]
    InvalidParams {
        /// What is wrong with them.
        reason: Cow<'static, str>,
    },
    /// The device, its driver or its compiler failed.
    #[error("{operation} failed")]
    Device {
        /// What was being done, such as `pipeline compilation`.
        operation: Cow<'static, str>,
        /// The device's own error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A KV cache would have to grow beyond its limits. It holds what it held.
    #[error(
        "the KV cache is full: {positions} positions take {needed_bytes} bytes, and it may have {max_positions} in {limit_bytes} bytes"
    )]
    KvCacheFull {
        /// Positions that each sequence would have.
        positions: usize,
        /// The most that each sequence can have under the cache's limits.
        max_positions: usize,
        /// What the positions would take, in bytes.
        needed_bytes: u64,
        /// The most that the cache may hold, in bytes.
        limit_bytes: u64,
    },
    /// A prepared tensor was asked for by a version of its source that has been changed since.
    #[error("tensor {tensor} was asked for in version {version} and is in version {latest} by now")]
    OutdatedTensor {
        /// The tensor.
        tensor: TensorId,
        /// The version that was asked for.
        version: u64,
        /// The version that is there.
        latest: u64,
    },
}

impl MetalError {
    /// [`MetalError::Device`]: `operation` failed because of `source`.
    pub fn device(
        operation: impl Into<Cow<'static, str>>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Device { operation: operation.into(), source: source.into() }
    }

    /// [`MetalError::InvalidParams`]: the parameters are wrong for this `reason`.
    pub fn invalid_params(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::InvalidParams { reason: reason.into() }
    }
}

/// An error and its sources on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        line.push_str(": ");
        line.push_str(&error.to_string());
        source = error.source();
    }
    line
}
