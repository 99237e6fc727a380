//! Writing new keys and values behind those of earlier positions.

#[cfg(feature = "host")]
mod host;
mod operation;

pub use operation::{KvCacheWriteCall, KvCacheWriteKernel, KvCacheWriteKey, KvCacheWriteParams};
