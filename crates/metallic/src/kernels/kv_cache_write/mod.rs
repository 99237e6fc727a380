//! Writing new keys and values behind those of earlier positions.

mod cache;
#[cfg(feature = "host")]
mod host;

pub use cache::{KvCacheWriteCall, KvCacheWriteKernel, KvCacheWriteKey, KvCacheWriteParams};
